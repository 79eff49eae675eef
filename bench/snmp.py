"""CPU a poll of 40 OIDs costs over loopback: our SNMP client, and pysnmp beside it. Needs net-snmp's snmpd.

    python bench/snmp.py [seconds a case]

Prints microseconds of CPU of this process per request (best of three), the ratio to pysnmp, and what 500 clients that
poll once a second, spread over the second, take of one core.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.clock import run
from harness.secret import Secret
from harness.transport.network import SocketNetwork
from harness.transport.snmp import SnmpClient, SnmpCredentials

COUNT = 40
TREES = ("1.3.6.1.2.1.11", "1.3.6.1.2.1.1", "1.3.6.1.2.1.2")
"""snmp, system and interfaces: the whole of mib-2 is without end on a machine with many connections."""
CONF = """agentAddress udp:127.0.0.1:{port}
rocommunity public 127.0.0.1
rouser bench priv
createUser bench SHA "auth-password" AES "priv-password"
"""
V2C = SnmpCredentials("2c", community=Secret("public"))
V3 = SnmpCredentials(
    "3",
    user="bench",
    auth_protocol="SHA1",
    auth_key=Secret("auth-password"),
    priv_protocol="AES128",
    priv_key=Secret("priv-password"),
)


@contextmanager
def agent() -> Iterator[int]:
    """A snmpd on a free loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        conf = Path(folder, "snmpd.conf")
        conf.write_text(CONF.format(port=port))
        child = subprocess.Popen(
            ["snmpd", "-f", "-C", "-c", str(conf), "-Ln", "-I", "-smux"],
            env={**os.environ, "SNMP_PERSISTENT_DIR": folder, "MIBS": ""},
            stderr=subprocess.DEVNULL,
        )
        try:
            yield port
        finally:
            child.terminate()
            child.wait()


async def cost(poll: Callable[[], Awaitable[object]], seconds: float) -> float:
    """CPU microseconds of one poll, the best of three rounds."""
    best = float("inf")
    for _ in range(3):
        polls, until = 0, time.perf_counter() + seconds / 3
        started = time.process_time()
        while time.perf_counter() < until:
            await poll()
            polls += 1
        best = min(best, (time.process_time() - started) / polls * 1e6)
    return best


async def ours(port: int, credentials: SnmpCredentials, seconds: float) -> tuple[list[str], float]:
    """The OIDs polled, and our cost."""
    client = SnmpClient(SocketNetwork(), "127.0.0.1", port, credentials, timeout=2.0, retries=3)
    await client.open()
    oids = [bind.oid for tree in TREES for bind in await client.walk(tree)][:COUNT]
    prepared = client.prepare(oids)
    found = await cost(lambda: client.poll(prepared), seconds)
    await client.close()
    return oids, found


async def theirs(port: int, version: str, oids: list[str], seconds: float) -> float:
    """What pysnmp costs, with its objects resolved once, which is its fast way."""
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    engine = hlapi.SnmpEngine()
    user = (
        hlapi.CommunityData("public")
        if version == "2c"
        else hlapi.UsmUserData(
            "bench",
            "auth-password",
            "priv-password",
            authProtocol=hlapi.usmHMACSHAAuthProtocol,
            privProtocol=hlapi.usmAesCfb128Protocol,
        )
    )
    target = await hlapi.UdpTransportTarget.create(("127.0.0.1", port), timeout=2)
    objects = [hlapi.ObjectType(hlapi.ObjectIdentity(oid)) for oid in oids]

    async def poll() -> None:
        error, status, _, _ = await hlapi.get_cmd(engine, user, target, hlapi.ContextData(), *objects, lookupMib=False)
        if error or status:
            raise RuntimeError(f"pysnmp: {error or status}")

    found = await cost(poll, seconds)
    engine.close_dispatcher()
    return found


async def fleet(port: int, credentials: SnmpCredentials, oids: list[str], seconds: float, count: int = 500) -> str:
    """`count` clients, each polling once a second, spread over the second: share of a core, and how late it gets."""
    place = ("127.0.0.1", port, credentials)
    clients = [SnmpClient(SocketNetwork(), *place, timeout=2.0, retries=3) for _ in range(count)]
    for client in clients:
        await client.open()
    loop = asyncio.get_running_loop()
    start = loop.time() + 0.2
    took: list[float] = []

    async def follow(number: int, client: SnmpClient) -> None:
        prepared, due = client.prepare(oids), start + number / count
        while due < start + seconds:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await client.poll(prepared)
            took.append(loop.time() - due)
            due += 1

    used = time.process_time()
    await asyncio.gather(*(follow(number, client) for number, client in enumerate(clients)))
    used = time.process_time() - used
    for client in clients:
        await client.close()
    took.sort()
    return f"{used / seconds * 100:.1f} % of a core, {len(took)} polls, p99 {took[len(took) * 99 // 100] * 1e3:.1f} ms"


def main() -> None:
    """Print the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.5
    with agent() as port:
        time.sleep(0.5)
        for name, credentials in (("v2c", V2C), ("v3 authPriv", V3)):
            oids, own = run(lambda credentials=credentials: ours(port, credentials, seconds))
            other = asyncio.run(theirs(port, credentials.version, oids, seconds))
            shares = run(lambda credentials=credentials, oids=oids: fleet(port, credentials, oids, 3.0))
            print(f"{name:12} GET of {len(oids)}: {own:.1f} us, pysnmp {other:.1f} us ({other / own:.0f}x)")
            print(f"{'':12} 500 devices at 1 Hz: {shares}")


if __name__ == "__main__":
    main()
