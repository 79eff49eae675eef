"""VISA resources other than sockets, through pyvisa-py: HiSLIP against a server of our own, serial over a pty."""

from __future__ import annotations

import asyncio
import os
import struct
import threading
import time
import tty

import pytest

from harness.clock import run
from harness.errors import ProtocolViolationError, UnreachableError
from harness.transport.network import SocketNetwork
from harness.transport.visa import open_instrument

ANSWERS = {b"*IDN?": b"Acme,L63,SN7,1.02", b"VOLT?": b"48.125", b"CURR?": b"12.5"}


@pytest.fixture(autouse=True)
def no_threads_left():
    yield
    deadline = time.monotonic() + 3
    while any(thread.name.startswith("visa ") for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("visa ")]


class Hislip:
    """The part of HiSLIP (IVI-6.1, revision 1.1) that a query needs. `mute` holds queries that get no answer."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.mute: set[bytes] = set()
        self.sessions = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            await self.talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def talk(self, reader, writer):
        def send(kind, control=0, parameter=0, payload=b""):
            writer.write(struct.pack(">2sBBIQ", b"HS", kind, control, parameter, len(payload)) + payload)

        text = b""
        while True:
            head = await reader.readexactly(16)
            _, kind, _, parameter, size = struct.unpack(">2sBBIQ", head)
            payload = await reader.readexactly(size)
            if kind == 0:  # Initialize
                self.sessions += 1
                send(1, 0, 0x0100_0000 | self.sessions)
            elif kind == 17:  # AsyncInitialize
                send(18, 0, 0x5858)
            elif kind == 15:  # AsyncMaximumMessageSize
                send(16, payload=struct.pack(">Q", 1 << 20))
            elif kind in (6, 7):  # Data, DataEnd
                text += payload
                if kind == 7:
                    line, text = text.strip(), b""
                    self.heard.append(line)
                    if line.endswith(b"?") and line not in self.mute:
                        send(7, 0, parameter, ANSWERS[line] + b"\n")


def test_transport_visa_foreign_hislip():
    async def main():
        hislip = Hislip()
        server = await asyncio.start_server(hislip.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        resource = f"TCPIP::127.0.0.1::hislip0,{port}::INSTR"
        dmm = open_instrument(resource, SocketNetwork(), virtual=False, name="dmm", timeout=1.0)
        try:
            assert await dmm.query("*IDN?") == "Acme,L63,SN7,1.02"
            await dmm.write("VOLT 48.125")
            assert await dmm.query("VOLT?") == "48.125"
            hislip.mute.add(b"CURR?")
            started = time.monotonic()
            with pytest.raises(UnreachableError):
                await dmm.query("CURR?", timeout=0.3)
            assert time.monotonic() - started < 1.5
            hislip.mute.clear()
            assert await dmm.query("CURR?") == "12.5"
            assert hislip.sessions == 2
            assert hislip.heard == [b"*IDN?", b"VOLT 48.125", b"VOLT?", b"CURR?", b"CURR?"]
        finally:
            await dmm.close()
            server.close()
            for writer in hislip.writers:
                writer.close()
            await server.wait_closed()
            await asyncio.sleep(0.05)

    run(main)


def test_transport_visa_foreign_serial_over_a_pty():
    master, slave = os.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    heard = []

    async def main():
        loop = asyncio.get_running_loop()
        buffer = bytearray()

        def readable():
            buffer.extend(os.read(master, 4096))
            while b"\n" in buffer:
                line, _, rest = bytes(buffer).partition(b"\n")
                buffer[:] = rest
                heard.append(line)
                if line in ANSWERS:
                    os.write(master, ANSWERS[line] + b"\r\n")

        loop.add_reader(master, readable)
        dmm = open_instrument(f"ASRL{path}::INSTR", SocketNetwork(), virtual=False, name="dmm", timeout=0.5)
        try:
            assert await dmm.query("*IDN?") == "Acme,L63,SN7,1.02"
            await dmm.write("OUTP OFF")
            assert await dmm.query("VOLT?") == "48.125"
            assert heard == [b"*IDN?", b"OUTP OFF", b"VOLT?"]
            started = time.monotonic()
            with pytest.raises(UnreachableError):
                await dmm.query("MUTE?", timeout=0.3)
            assert 0.3 <= time.monotonic() - started < 1.5
            assert await dmm.query("CURR?") == "12.5"
            os.write(master, b"unasked\n")
            await asyncio.sleep(0.05)
            with pytest.raises(ProtocolViolationError):
                await dmm.query("CURR?")
            assert await dmm.query("CURR?") == "12.5"
        finally:
            await dmm.close()
            loop.remove_reader(master)

    try:
        run(main)
    finally:
        os.close(master)
        os.close(slave)
