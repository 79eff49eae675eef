"""The Modbus client against libmodbus, which shares no code with it: over TCP, and RTU over a pair of ptys."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from harness.clock import run
from harness.errors import RefusedError, UnreachableError
from harness.transport.modbus import ModbusClient
from harness.transport.network import SocketNetwork
from harness.transport.serial import SerialNetwork, silence
from tests.foreign_tools import foreign, missing

SOURCE = Path(__file__).parent.parent / "foreign" / "libmodbus_server.c"


@pytest.fixture(scope="module")
def server_program(tmp_path_factory):
    program = tmp_path_factory.mktemp("libmodbus") / "server"
    foreign("gcc")
    flags = ["-I/usr/include/modbus", "-I/usr/local/include/modbus", "-lmodbus"]
    built = subprocess.run(["gcc", "-O1", "-o", program, SOURCE, *flags], capture_output=True, text=True, check=False)
    if "modbus.h: No such file" in built.stderr or "cannot find -lmodbus" in built.stderr:
        missing("libmodbus-dev")
    assert built.returncode == 0, built.stderr
    return program


@contextlib.contextmanager
def server(program, *arguments):
    """A running server; yields its port and process."""
    with subprocess.Popen(
        [program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            word, port = process.stdout.readline().split()
            assert word == "ready"
            yield int(port), process
        finally:
            process.terminate()
            process.wait(5)


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *values)


async def exercise(client: ModbusClient, unit: int) -> None:
    """Every function, values compared with what the server was compiled to hold."""
    assert await client.read(unit, 3, 0, 125) == words(*(3 * i + 1 for i in range(125)))
    assert await client.read(unit, 4, 1000, 7) == words(*((5 * i + 2) for i in range(1000, 1007)))
    coils = await client.read(unit, 1, 3, 19)
    assert [coils[i // 8] >> i % 8 & 1 for i in range(19)] == [int((i + 3) % 3 == 0) for i in range(19)]
    inputs = await client.read(unit, 2, 1, 100)
    assert [inputs[i // 8] >> i % 8 & 1 for i in range(100)] == [int((i + 1) % 5 == 0) for i in range(100)]
    await client.write_register(unit, 40, 0xCAFE)
    await client.write_registers(unit, 41, [1, 0xFFFF, 0x1234])
    assert await client.read(unit, 3, 39, 6) == words(3 * 39 + 1, 0xCAFE, 1, 0xFFFF, 0x1234, 3 * 44 + 1)
    await client.write_coil(unit, 100, True)
    await client.write_coil(unit, 102, False)
    await client.write_coils(unit, 103, [True, False, True, True, False, True, False, False, True])
    bits = await client.read(unit, 1, 100, 12)
    assert [bits[i // 8] >> i % 8 & 1 for i in range(12)] == [1, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1]
    with pytest.raises(RefusedError) as caught:
        await client.read(unit, 3, 4090, 10)
    assert caught.value.vendor_code == 2
    assert client.counters.connects == 1
    assert client.counters.violations == 0


def test_transport_modbus_foreign_tcp_server_agrees_on_every_function(server_program):
    with server(server_program, "tcp", 0) as (port, _):

        async def main():
            client = ModbusClient(SocketNetwork(), "127.0.0.1", port)
            await exercise(client, 17)
            await client.close()

        run(main)


def test_transport_modbus_foreign_tcp_server_that_stops_is_noticed_at_once(server_program):
    with server(server_program, "tcp", 0) as (port, process):

        async def main():
            first = ModbusClient(SocketNetwork(), "127.0.0.1", port)
            assert await first.read(1, 3, 5, 1) == words(16)
            await first.close()
            second = ModbusClient(SocketNetwork(), "127.0.0.1", port)
            assert await second.read(1, 3, 6, 1) == words(19)
            process.stdin.close()
            process.wait(5)
            started = time.monotonic()
            with pytest.raises(UnreachableError):
                await second.read(1, 3, 6, 1)
            assert time.monotonic() - started < 0.9
            await second.close()

        run(main)


@contextlib.contextmanager
def pty_pair(folder: Path):
    """Two serial ports joined by socat: their device files and the process that is the cable."""
    foreign("socat")
    ours, theirs = folder / "ours", folder / "theirs"
    with subprocess.Popen(["socat", f"pty,raw,echo=0,link={ours}", f"pty,raw,echo=0,link={theirs}"]) as process:
        try:
            deadline = time.monotonic() + 5
            while not (ours.exists() and theirs.exists()) and time.monotonic() < deadline:
                time.sleep(0.01)
            yield ours, theirs, process
        finally:
            process.terminate()
            process.wait(5)


def test_transport_modbus_foreign_rtu_over_ptys(server_program, tmp_path):
    with pty_pair(tmp_path) as (ours, theirs, _), server(server_program, "rtu", theirs, 17):

        async def main():
            network = SerialNetwork(baud=115200, parity="N")
            client = ModbusClient(network, str(ours), 0, framing="rtu", min_gap=silence(115200))
            await exercise(client, 17)
            for index in range(100):
                count = 1 + index % 125
                reply = await client.read(17, 3, index, count)
                assert reply == words(*(i_value(i) for i in range(index, index + count)))
            assert client.counters.connects == 1
            other = ModbusClient(network, str(ours), 0, framing="rtu")
            with pytest.raises(UnreachableError):  # the port is locked: two masters on one bus are noticed
                await other.open()
            await other.close()
            with pytest.raises(UnreachableError):  # nobody has this number
                await client.read(18, 3, 0, 1, timeout=0.2)
            with contextlib.suppress(UnreachableError):  # libmodbus takes the next request for 18's answer: eaten
                await client.read(17, 3, 7, 1, timeout=0.2)
            assert await client.read(17, 3, 8, 1) == words(25)
            await client.close()

        def i_value(index):
            written = {40: 0xCAFE, 41: 1, 42: 0xFFFF, 43: 0x1234}
            return written.get(index, 3 * index + 1)

        run(main)


def test_transport_modbus_foreign_rtu_port_that_goes_away(server_program, tmp_path):
    with pty_pair(tmp_path) as (ours, theirs, cable), server(server_program, "rtu", theirs, 17):

        async def main():
            client = ModbusClient(SerialNetwork(baud=115200, parity="N"), str(ours), 0, framing="rtu")
            assert await client.read(17, 3, 7, 1) == words(22)
            absent = ModbusClient(SerialNetwork(), f"{ours}-not", 0, framing="rtu")
            with pytest.raises(UnreachableError):
                await absent.open()
            await absent.close()
            cable.terminate()
            cable.wait(5)
            await asyncio.sleep(0.1)
            assert not client.is_open
            with pytest.raises(UnreachableError):
                await client.read(17, 3, 7, 1)
            await client.close()

        run(main)


def test_transport_modbus_foreign_real_socket_that_resets_in_mid_reply():
    """RST over a real socket: an error at once, and no descriptor left."""
    before = len(os.listdir("/proc/self/fd"))

    async def main():
        async def serve(reader, writer):
            request = await reader.read(260)
            writer.write(request[:4] + b"\x00\x07" + request[6:8])
            await writer.drain()
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        client = ModbusClient(SocketNetwork(), "127.0.0.1", port, timeout=5.0)
        started = time.monotonic()
        with pytest.raises(UnreachableError):
            await client.read(1, 3, 0, 2)
        assert time.monotonic() - started < 1.0
        await client.close()
        listener.close()
        await listener.wait_closed()
        await asyncio.sleep(0.01)

    run(main)
    assert len(os.listdir("/proc/self/fd")) == before
