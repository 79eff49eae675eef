"""VISA resources other than sockets, through pyvisa-py: HiSLIP and VXI-11 on servers of our own, serial on a pty."""

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
from harness.transport.visa.connect import open_instrument

ANSWERS = {b"*IDN?": b"Acme,L63,SN7,1.02", b"VOLT?": b"48.125", b"CURR?": b"12.5"}


@pytest.fixture(autouse=True)
def no_threads_left():
    yield
    deadline = time.monotonic() + 15  # pyvisa-py waits seconds longer for a VXI-11 reply than it was told to
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


class Vxi11:
    """The part of VXI-11 (revision 1.0, over ONC RPC, RFC 5531) that a query needs.

    A query in `mute` is answered with io_timeout; one in `deaf` is not answered at all.
    """

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.mute: set[bytes] = set()
        self.deaf: set[bytes] = set()
        self.links = 0
        self.last = b""
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader, writer):
        self.writers.append(writer)
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big") & 0x7FFF_FFFF
                call = await reader.readexactly(size)
                xid, _, _, _, _, procedure = struct.unpack(">6I", call[:24])
                arguments = call[40:]  # both credentials are empty: 16 bytes
                result = await self.reply(procedure, arguments)
                if result is not None:
                    body = struct.pack(">6I", xid, 1, 0, 0, 0, 0) + result
                    writer.write((0x8000_0000 | len(body)).to_bytes(4, "big") + body)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def reply(self, procedure, arguments):
        if procedure == 10:  # create_link
            self.links += 1
            return struct.pack(">4I", 0, self.links, 0, 1 << 16)
        if procedure == 11:  # device_write
            size = int.from_bytes(arguments[16:20], "big")
            self.last = arguments[20 : 20 + size].strip()
            self.heard.append(self.last)
            return struct.pack(">2I", 0, size)
        if procedure == 12:  # device_read
            if self.last in self.deaf:
                return None
            if self.last in self.mute:
                await asyncio.sleep(int.from_bytes(arguments[8:12], "big") / 1000)
                return struct.pack(">3I", 15, 0, 0)
            text = ANSWERS[self.last] + b"\n"
            return struct.pack(">3I", 0, 4, len(text)) + text + bytes(-len(text) % 4)
        return struct.pack(">I", 0)


@pytest.mark.parametrize("silence", ["mute", "deaf"])
def test_transport_visa_foreign_vxi11(silence):
    async def main():
        vxi = Vxi11()
        server = await asyncio.start_server(vxi.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        resource = f"TCPIP::127.0.0.1,{port}::inst0::INSTR"
        dmm = open_instrument(resource, SocketNetwork(), virtual=False, name="dmm", timeout=1.0)
        try:
            assert await dmm.query("*IDN?") == "Acme,L63,SN7,1.02"
            await dmm.write("VOLT 48.125")
            assert await dmm.query("VOLT?") == "48.125"
            getattr(vxi, silence).add(b"CURR?")
            started = time.monotonic()
            with pytest.raises(UnreachableError):
                await dmm.query("CURR?", timeout=0.3)
            assert time.monotonic() - started < 1.5
            getattr(vxi, silence).clear()
            assert await dmm.query("CURR?") == "12.5"
            assert vxi.links == 2
            assert vxi.heard == [b"*IDN?", b"VOLT 48.125", b"VOLT?", b"CURR?", b"CURR?"]
        finally:
            await dmm.close()
            for writer in vxi.writers:
                writer.close()
            server.close()
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
