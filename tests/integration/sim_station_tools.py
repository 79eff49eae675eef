"""Foreign tools that read and write the simulated devices: the independent judges of these tests."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from drivers import profiles_root
from harness.device.registry import load_profile
from harness.schema.profile import Profile
from harness.schema.source import read_source, validate
from harness.schema.station import Station

STATION = Path(__file__).parents[2] / "testplans" / "stations" / "simulated.yaml"
V2C = ["-v2c", "-c", "public", "-On", "-Oe"]
V3 = ["-v3", "-l", "authPriv", "-u", "harness-sim", "-a", "SHA-256", "-A", "simulated-auth-phrase"]
V3 += ["-x", "AES", "-X", "simulated-priv-phrase", "-On", "-Oe"]


def all_profiles() -> dict[str, Profile]:
    """Every profile in drivers/, by name."""
    found = {}
    for path in sorted(profiles_root().glob("*/*/profile.yaml")):
        profile, _ = load_profile(path)
        found[profile.profile] = profile
    return found


def simulated() -> Station:
    """The station that ships for the simulation."""
    return validate(read_source(STATION), Station)


async def tool(*command: str) -> str:
    """Run a tool to its end without blocking the devices; its output, which must not be an error."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, "MIBS": ""}
    )
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    text = output.decode("utf-8", "replace")
    assert process.returncode == 0, f"{' '.join(command)}: {text}"
    return text


def port_of(address: str) -> str:
    """The port in an address of the simulation."""
    found = re.search(r"127\.0\.0\.1(?:::|:)(\d+)", address)
    assert found is not None, address
    return found[1]


async def registers(address: str, first: int, count: int) -> list[int]:
    """Holding registers as mbpoll reads them."""
    unit = address.rpartition("/")[2]
    where = ["-m", "tcp", "-p", port_of(address), "-a", unit, "-0", "-t", "4:hex", "-1"]
    text = await tool("mbpoll", *where, "-r", str(first), "-c", str(count), "127.0.0.1")
    found = {int(at): int(raw, 16) for at, raw in re.findall(r"\[(\d+)\]:\s+0x([0-9A-F]{4})", text)}
    assert sorted(found) == list(range(first, first + count)), text
    return [found[at] for at in sorted(found)]


async def put_register(address: str, at: int, value: int) -> None:
    """Write one holding register with mbpoll."""
    unit = address.rpartition("/")[2]
    where = ["-m", "tcp", "-p", port_of(address), "-a", unit, "-0", "-t", "4", "-r", str(at)]
    await tool("mbpoll", *where, "127.0.0.1", str(value))


async def snmp(how: list[str], address: str, *oids: str) -> list[str]:
    """Values as snmpget shows them, `TYPE: value`."""
    text = await tool("snmpget", *how, f"127.0.0.1:{port_of(address)}", *oids)
    return [line.partition(" = ")[2] for line in text.splitlines()]


async def number(how: list[str], address: str, oid: str) -> float:
    """One number as snmpget shows it."""
    (shown,) = await snmp(how, address, oid)
    found = re.search(r"(?:\((-?\d+)\)|: (-?\d+))", shown)
    assert found is not None, shown
    return float(found[1] or found[2])


async def walk(how: list[str], address: str, column: str) -> dict[str, str]:
    """A column as snmpbulkwalk shows it: rest of the OID -> text without quotes."""
    text = await tool("snmpbulkwalk", *how, f"127.0.0.1:{port_of(address)}", column)
    found = re.findall(rf"^\.{re.escape(column)}\.(\S+) = \S+: (.*)$", text, re.MULTILINE)
    return {row: value.strip().strip('"') for row, value in found}


async def ask(address: str, *lines: str) -> list[str]:
    """Send lines over a plain socket; one answer for each query."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port_of(address)))
    try:
        writer.write("".join(f"{line}\n" for line in lines).encode())
        count = sum(line.split()[0].endswith("?") for line in lines)
        return [(await asyncio.wait_for(reader.readline(), 5)).decode().strip() for _ in range(count)]
    finally:
        writer.close()
        await writer.wait_closed()


async def until(condition: object, within: float = 10.0) -> None:
    """Wait until the async condition holds; fails when it does not within the seconds."""
    async with asyncio.timeout(within):
        while not await condition():  # type: ignore[operator]
            await asyncio.sleep(0.1)
