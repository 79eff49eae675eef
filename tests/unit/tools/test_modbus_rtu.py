"""RTU framing of the simulator: CRC, silence, broadcasts, pieces and garbage."""

from __future__ import annotations

import asyncio
import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import run
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.modbus import ModbusServer, answer
from tests.tools.array_bank import ArrayBank
from tests.tools.modbus_rtu import RtuProtocol, crc16, silence


class Wire(asyncio.Transport):
    def __init__(self):
        super().__init__()
        self.sent = b""

    def write(self, data):
        self.sent += data


def bank_of_three():
    bank = ArrayBank(units=(1, 2))
    bank.set_words(1, 3, 0, [301, 302, 303])
    bank.set_words(2, 3, 0, [401, 402, 403])
    return bank


def framed(unit, pdu):
    body = bytes((unit,)) + pdu
    return body + crc16(body)


def test_crc_of_published_frames():
    """libmodbus and many manuals print 01 03 00 00 00 0A C5 CD; the specification's check of 02 07 is 41 12."""
    assert crc16(bytes.fromhex("01030000000a")) == bytes.fromhex("c5cd")
    assert crc16(b"\x02\x07") == bytes.fromhex("4112")
    assert crc16(bytes.fromhex("01030000000ac5cd")) == b"\x00\x00"


def test_silence_is_three_and_a_half_characters_until_19200_baud():
    assert silence(9600) == pytest.approx(4.01e-3, rel=1e-2)
    assert silence(19200) == pytest.approx(2.005e-3, rel=1e-2)
    assert silence(115200) == 1.75e-3


def test_a_bus_is_silent_for_missing_units_wrong_crc_and_broadcasts():
    async def main():
        bank = bank_of_three()
        wire, line = Wire(), RtuProtocol(ModbusServer(bank), baud=9600)
        line.connection_made(wire)
        for frame in (
            framed(9, bytes.fromhex("0300000001")),
            framed(1, bytes.fromhex("0300000001"))[:-1] + b"\x00",
            framed(0, bytes.fromhex("0600000007")),
        ):
            line.data_received(frame)
            await asyncio.sleep(0.01)
        assert wire.sent == b""
        assert bank.read(1, 3, 0, 1) == bank.read(2, 3, 0, 1) == b"\x00\x07"
        line.data_received(framed(2, bytes.fromhex("0300010001")))
        assert wire.sent == b""  # not before the silence
        await asyncio.sleep(0.01)
        assert wire.sent == framed(2, bytes.fromhex("03020192"))
        wire.sent = b""
        line.data_received(framed(1, b"\x63\x01\x02\x03"))
        await asyncio.sleep(0.01)
        assert wire.sent == framed(1, b"\xe3\x01")

    run(main, rate=float("inf"))


def test_a_gap_inside_a_frame_ends_it():
    async def main():
        wire, line = Wire(), RtuProtocol(ModbusServer(bank_of_three()), baud=9600)
        line.connection_made(wire)
        frame = framed(1, bytes.fromhex("0300000001"))
        line.data_received(frame[:4])
        await asyncio.sleep(0.01)
        line.data_received(frame[4:])
        await asyncio.sleep(0.01)
        assert wire.sent == b""
        line.data_received(frame)
        await asyncio.sleep(0.01)
        assert wire.sent == framed(1, bytes.fromhex("0302012d"))

    run(main, rate=float("inf"))


def test_over_a_stream_a_broken_frame_costs_one_idle_time():
    async def main():
        network = MemoryNetwork()
        server = ModbusServer(bank_of_three())
        listener = await MemoryHost(network).serve_stream(lambda: RtuProtocol(server))

        class Client(asyncio.Protocol):
            got = b""

            def data_received(self, data):
                self.got += data

        transport, client = await network.open_stream("bus", listener.port, Client)
        transport.write(framed(1, bytes.fromhex("0300000001")) + b"\x01\x03garbage")
        await asyncio.sleep(0.1)
        transport.write(framed(1, bytes.fromhex("0300020001")))
        await asyncio.sleep(0.1)
        assert client.got == framed(1, bytes.fromhex("0302012d")) + framed(1, bytes.fromhex("0302012f"))
        transport.close()
        await listener.close()

    run(main, rate=float("inf"))


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2, 9]),
        st.one_of(
            st.builds(
                lambda f, a, c: struct.pack(">BHH", f, a, c), st.integers(1, 6), st.integers(0, 9), st.integers(0, 9)
            ),
            st.builds(
                lambda a, words: (
                    struct.pack(">BHHB", 16, a, len(words), 2 * len(words)) + struct.pack(f">{len(words)}H", *words)
                ),
                st.integers(0, 9),
                st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=9),
            ),
        ),
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(requests=REQUESTS, cuts=st.lists(st.integers(0, 500), max_size=12), baud=st.sampled_from([0, 9600]))
def test_any_pieces_give_the_same_answers(requests, cuts, baud):
    async def main():
        stream = b"".join(framed(unit, pdu) for unit, pdu in requests)
        edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
        wire, line = Wire(), RtuProtocol(ModbusServer(bank_of_three()), baud)
        line.connection_made(wire)
        for a, b in itertools.pairwise(edges):
            line.data_received(stream[a:b])
        await asyncio.sleep(1)
        bank, expected = bank_of_three(), b""
        for unit, pdu in requests:
            said = answer(bank, unit, pdu)
            if unit and said[1:] != b"\x0b":
                expected += framed(unit, said)
        assert wire.sent == expected

    run(main, rate=float("inf"))


@settings(max_examples=150, deadline=None)
@given(chunks=st.lists(st.binary(max_size=700), max_size=8), baud=st.sampled_from([0, 9600]))
def test_garbage_never_raises_and_is_not_kept(chunks, baud):
    async def main():
        wire, line = Wire(), RtuProtocol(ModbusServer(bank_of_three()), baud)
        line.connection_made(wire)
        for chunk in chunks:
            line.data_received(chunk)
            assert len(line._buffer) <= 16 * 256
        await asyncio.sleep(1)
        assert line._buffer == b""
        wire.sent = b""
        line.data_received(framed(1, bytes.fromhex("0300020001")))
        await asyncio.sleep(1)
        assert wire.sent == framed(1, bytes.fromhex("0302012f"))

    run(main, rate=float("inf"))
