"""What standard tools print of a device is a case's input as it stands: net-snmp, mbpoll and curl are the judges."""

from __future__ import annotations

import asyncio
import json

import pytest

from harness.clock import run
from sim.servers.host import SocketHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import COILS, DISCRETE, HOLDING, INPUT
from sim.servers.redfish import RedfishService
from sim.servers.snmp.mib import TableView
from sim.servers.snmp.responder import SnmpResponder
from tests.cases.registers import SparseBank, read_registers
from tests.cases.resources import read_resources
from tests.cases.walk import read_walk
from tests.foreign_tools import foreign

ROOT = (1, 3, 6, 1, 4, 1, 32473, 1)
OBJECTS = [
    (2, -5), (4, b'a "quoted" back\\slash'), (4, b""), (4, b"\0\1\xff bytes that are enough to be wrapped over lines"),
    (6, (1, 3, 6, 1, 2)), (64, bytes((192, 0, 2, 7))), (65, 7), (66, 4294967295), (67, 12345), (70, 2**40),
    (4, b"two\nlines, the second with a # in front of:\n# nothing\n\nand a blank one"), (5, None),
    (68, b"\x9f\x78\x04\x41\x48\x00\x00"), (4, "caf\u00e9".encode()), (4, b"ends with \\"), (4, b"\x20"),
    (2, 2147483647),
]  # fmt: skip


async def printed(*words):
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out


@pytest.mark.parametrize("form", ["-On", "-One"])
def test_a_walk_of_net_snmp_is_read_to_the_last_byte(form, tmp_path):
    tool = foreign("snmpwalk")
    there = TableView(((*ROOT, k), tag, value) for k, (tag, value) in enumerate(OBJECTS, start=1))

    async def main():
        listener = await SocketHost().serve_datagram(lambda: SnmpResponder(there))
        try:
            asked = "-v2c", "-c", "public", "-m", "", form, f"127.0.0.1:{listener.port}", ".1.3.6.1"
            return await printed(tool, *asked)
        finally:
            await listener.close()

    (tmp_path / "walk.txt").write_bytes(run(main))
    found = read_walk(tmp_path / "walk.txt")
    assert {oid: found.get(oid) for oid in found} == {oid: there.get(oid) for oid in there}


@pytest.mark.parametrize(("options", "first"), [((), 1), (("-0",), 0)], ids=["counts from 1", "counts from 0"])
def test_what_mbpoll_prints_is_where_the_device_has_it(options, first, tmp_path):
    tool = foreign("mbpoll")
    bank = SparseBank()
    bank.put(HOLDING, 8, [0x5244, 0xFFFF, 5])
    bank.put(INPUT, 30, [9])
    bank.put(COILS, 3, [1, 0])
    bank.put(DISCRETE, 5, [0, 1])
    polls = [("4:hex", 8, 3), ("3", 30, 1), ("0", 3, 2), ("1", 5, 2)]

    async def main():
        listener = await SocketHost().serve_stream(ModbusServer(bank).tcp)
        where = "-m", "tcp", "-p", str(listener.port), "-a", "7", "-1", *options
        try:
            return [
                await printed(tool, *where, "-t", table, "-r", str(first + at), "-c", str(count), "127.0.0.1")
                for table, at, count in polls
            ]
        finally:
            await listener.close()

    (tmp_path / "registers.txt").write_bytes(f"from {first}\n".encode() + b"\n".join(run(main)))
    found = read_registers(tmp_path / "registers.txt")
    assert found.words == bank.words
    assert found.rest == {}


def test_decimals_of_mbpoll_are_words_too(tmp_path):
    (tmp_path / "registers.txt").write_text("holding\nfrom 1\n[1]: \t65535 (-1)\n[2]: \t21060\n")
    assert read_registers(tmp_path / "registers.txt").words[HOLDING] == {0: 0xFFFF, 1: 21060}


def test_what_curl_gets_is_a_resource(tmp_path):
    tool = foreign("curl")
    path = "/redfish/v1/Chassis/Sled_7"
    body = {"@odata.id": path, "Name": "Tray \u00e9", "Status": {"State": "Enabled"}, "PowerWatts": {"Reading": 512.5}}

    async def main():
        listener = await SocketHost().serve_stream(RedfishService({path: body}.get).http)
        try:
            return await printed(tool, "-sS", f"http://127.0.0.1:{listener.port}{path}/")
        finally:
            await listener.close()

    (tmp_path / "resources.json").write_bytes(b"{" + json.dumps(f"{path}/").encode() + b": " + run(main) + b"}")
    assert read_resources(tmp_path / "resources.json")[path] == body
