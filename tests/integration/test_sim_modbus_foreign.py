"""Foreign masters against the simulator's Modbus server: mbpoll (libmodbus) and pymodbus judge the wire."""

from __future__ import annotations

import asyncio
import re

from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient

from harness.clock import run
from sim.servers.host import Behaviour, SocketHost
from sim.servers.modbus import ModbusServer
from tests.foreign_tools import foreign
from tests.tools.array_bank import ArrayBank
from tests.tools.modbus_rtu import RtuProtocol
from tests.tools.serial_port import serve_terminal


class Identified(ArrayBank):
    def identification(self, unit):
        return {0: b"Harness", 1: b"SIM-%d" % unit, 2: b"1.2.3"}


async def serve():
    bank = Identified(units=(1, 12))
    bank.set_words(12, 3, 100, [11, 22, 33, 44, 65535])
    bank.set_words(12, 4, 7, [501, 502, 503])
    bank.set_bits(12, 1, 3, [True, False, True, True])
    bank.set_bits(12, 2, 9, [False, True, True])
    listener = await SocketHost().serve_stream(ModbusServer(bank).tcp)
    return bank, listener


async def mbpoll(port, *args):
    return await mbpoll_over(("-m", "tcp", "-p", str(port)), *args)


async def mbpoll_over(line, *args):
    process = await asyncio.create_subprocess_exec(
        "mbpoll", *line, "-0", "-1", "-q", "-a", "12", *args,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 10)
    text = output.decode(errors="replace")
    return {int(a): int(v) for a, v in re.findall(r"^\[(\d+)\]:\s+(-?\d+)", text, re.MULTILINE)}, text


def test_mbpoll_reads_the_four_tables():
    foreign("mbpoll")

    async def main():
        _, listener = await serve()
        table = [
            (("-t", "4", "-r", "100", "-c", "4", "127.0.0.1"), {100: 11, 101: 22, 102: 33, 103: 44}),
            (("-t", "3", "-r", "7", "-c", "3", "127.0.0.1"), {7: 501, 8: 502, 9: 503}),
            (("-t", "0", "-r", "3", "-c", "4", "127.0.0.1"), {3: 1, 4: 0, 5: 1, 6: 1}),
            (("-t", "1", "-r", "9", "-c", "3", "127.0.0.1"), {9: 0, 10: 1, 11: 1}),
        ]
        for args, expected in table:
            values, text = await mbpoll(listener.port, *args)
            assert values == expected, text
        _, text = await mbpoll(listener.port, "-a", "5", "-t", "4", "-r", "1", "127.0.0.1")
        assert "Target device failed to respond" in text
        await listener.close()

    run(main)


def test_mbpoll_writes_coils_and_registers():
    foreign("mbpoll")

    async def main():
        bank, listener = await serve()
        _, text = await mbpoll(listener.port, "-t", "4", "-r", "100", "127.0.0.1", "777")
        assert "Written 1 ref" in text
        _, text = await mbpoll(listener.port, "-t", "4", "-r", "101", "127.0.0.1", "888", "999")
        assert "Written 2 ref" in text
        assert bank.read(12, 3, 100, 4) == b"\x03\x09\x03\x78\x03\xe7\x00\x2c"
        _, text = await mbpoll(listener.port, "-t", "0", "-r", "4", "127.0.0.1", "1")
        assert "Written 1 ref" in text
        _, text = await mbpoll(listener.port, "-t", "0", "-r", "20", "127.0.0.1", "1", "0", "1")
        assert "Written 3 ref" in text
        assert bank.read(12, 1, 3, 4) == b"\x0f"
        assert bank.read(12, 1, 20, 3) == b"\x05"
        await listener.close()

    run(main)


def test_pymodbus_reads_writes_and_identifies():
    async def main():
        bank, listener = await serve()
        client = AsyncModbusTcpClient("127.0.0.1", port=listener.port, timeout=2, retries=0)
        assert await client.connect()
        assert (await client.read_holding_registers(100, count=5, device_id=12)).registers == [11, 22, 33, 44, 65535]
        assert (await client.read_input_registers(7, count=3, device_id=12)).registers == [501, 502, 503]
        assert (await client.read_coils(3, count=4, device_id=12)).bits[:4] == [True, False, True, True]
        assert (await client.read_discrete_inputs(9, count=3, device_id=12)).bits[:3] == [False, True, True]
        assert not (await client.write_coil(40, True, device_id=12)).isError()
        assert not (await client.write_coils(41, [True, False, True], device_id=12)).isError()
        assert bank.read(12, 1, 40, 4) == b"\x0b"
        assert not (await client.write_register(50, 4660, device_id=12)).isError()
        assert not (
            await client.mask_write_register(address=50, and_mask=0x00FF, or_mask=0xAB00, device_id=12)
        ).isError()
        assert bank.read(12, 3, 50, 1) == b"\xab\x34"
        reply = await client.readwrite_registers(
            read_address=50, read_count=2, write_address=51, values=[9], device_id=12
        )
        assert reply.registers == [0xAB34, 9]
        assert (await client.read_holding_registers(0, count=1, device_id=3)).exception_code == 0x0B
        assert (await client.read_holding_registers(65535, count=2, device_id=12)).exception_code == 2
        identity = await client.read_device_information(device_id=12)
        assert identity.information == {0: b"Harness", 1: b"SIM-12", 2: b"1.2.3"}
        client.close()
        await listener.close()

    run(main)


def test_mbpoll_over_a_serial_line():
    foreign("mbpoll")

    async def main():
        bank = ArrayBank(units=(12,))
        bank.set_words(12, 3, 100, [11, 22, 33, 44])
        server = ModbusServer(bank)
        listener = await serve_terminal(lambda: RtuProtocol(server, baud=19200))
        line = ("-m", "rtu", "-b", "19200", "-P", "even")
        for _ in range(2):  # a client may come again
            values, text = await mbpoll_over(line, "-t", "4", "-r", "100", "-c", "4", listener.host)
            assert values == {100: 11, 101: 22, 102: 33, 103: 44}, text
        _, text = await mbpoll_over(line, "-t", "4", "-r", "101", listener.host, "888", "999")
        assert "Written 2 ref" in text
        assert bank.read(12, 3, 101, 2) == b"\x03\x78\x03\xe7"
        _, text = await mbpoll_over(line, "-a", "13", "-o", "0.2", "-t", "4", "-r", "100", listener.host)
        assert "timed out" in text
        listener.behaviour = Behaviour(down=True)
        _, text = await mbpoll_over(line, "-o", "0.2", "-t", "4", "-r", "100", listener.host)
        assert "timed out" in text
        await listener.close()

    run(main)


def test_pymodbus_over_rtu_in_tcp():
    async def main():
        bank = ArrayBank(units=(12,))
        bank.set_words(12, 4, 7, [501, 502, 503])
        server = ModbusServer(bank)
        listener = await SocketHost().serve_stream(lambda: RtuProtocol(server))
        client = AsyncModbusTcpClient("127.0.0.1", port=listener.port, framer=FramerType.RTU, timeout=2, retries=0)
        assert await client.connect()
        assert (await client.read_input_registers(7, count=3, device_id=12)).registers == [501, 502, 503]
        assert not (await client.write_registers(20, [7, 8, 9], device_id=12)).isError()
        assert bank.read(12, 3, 20, 3) == b"\x00\x07\x00\x08\x00\x09"
        assert (await client.read_coils(65535, count=2, device_id=12)).exception_code == 2
        client.close()
        await listener.close()

    run(main)
