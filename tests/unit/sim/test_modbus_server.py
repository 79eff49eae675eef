"""Framing and limits of the simulator's Modbus server, against the specification's own numbers."""

from __future__ import annotations

import asyncio
import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.servers.modbus import ModbusFault, ModbusServer, answer
from tests.tools.array_bank import ArrayBank


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self):
        super().__init__()
        self.sent = b""
        self.is_closed = False

    def write(self, data):
        if not self.is_closed:
            self.sent += data

    def close(self):
        self.is_closed = True

    def is_closing(self):
        return self.is_closed

    abort = close


def make_bank():
    bank = ArrayBank(units=(1, 7))
    bank.set_words(1, 3, 0, [1000 + n for n in range(200)])
    bank.set_words(7, 4, 10, [0xBEEF, 0x0102])
    bank.set_bits(1, 1, 0, [n % 3 == 0 for n in range(40)])
    bank.set_bits(1, 2, 5, [True, False, True])
    return bank


def talk(chunks, bank=None):
    wire = Wire()
    protocol = ModbusServer(bank or make_bank()).tcp()
    protocol.connection_made(wire)
    for chunk in chunks:
        if not wire.is_closed:
            protocol.data_received(chunk)
    return wire, protocol


def frame(pdu, tid=0x1234, unit=1):
    return struct.pack(">HHHB", tid, 0, len(pdu) + 1, unit) + pdu


def test_reads_follow_the_examples_of_the_specification():
    """Modbus Application Protocol V1.1b3, sections 6.1, 6.2, 6.3 and 6.4."""
    bank = ArrayBank()
    bank.set_bits(1, 1, 19, [c == "1" for c in "1011001111010110101"[::1]])
    assert answer(bank, 1, bytes.fromhex("0100130013")) == bytes.fromhex("0103cd6b05")
    bank.set_bits(1, 2, 196, [c == "1" for c in "0011010111011011101011"])
    assert answer(bank, 1, bytes.fromhex("0200c40016")) == bytes.fromhex("0203acdb35")
    bank.set_words(1, 3, 107, [0x022B, 0, 0x64])
    assert answer(bank, 1, bytes.fromhex("03006b0003")) == bytes.fromhex("0306022b00000064")
    bank.set_words(1, 4, 8, [10])
    assert answer(bank, 1, bytes.fromhex("0400080001")) == bytes.fromhex("0402000a")


def test_writes_follow_the_examples_of_the_specification():
    """Sections 6.5, 6.6, 6.11, 6.12, 6.16 and 6.17."""
    bank = ArrayBank()
    assert answer(bank, 1, bytes.fromhex("0500acff00")) == bytes.fromhex("0500acff00")
    assert bank.read(1, 1, 172, 1) == b"\x01"
    assert answer(bank, 1, bytes.fromhex("0600010003")) == bytes.fromhex("0600010003")
    assert answer(bank, 1, bytes.fromhex("0f0013000a02cd01")) == bytes.fromhex("0f0013000a")
    assert bank.read(1, 1, 19, 10) == bytes.fromhex("cd01")
    assert answer(bank, 1, bytes.fromhex("100001000204000a0102")) == bytes.fromhex("1000010002")
    assert bank.read(1, 3, 1, 2) == bytes.fromhex("000a0102")
    bank.set_words(1, 3, 4, [0x12])
    assert answer(bank, 1, bytes.fromhex("16000400f20025")) == bytes.fromhex("16000400f20025")
    assert bank.read(1, 3, 4, 1) == bytes.fromhex("0017")
    bank.set_words(1, 3, 3, [0x00FE, 0x0ACD, 1, 3, 13, 0xFF])
    assert answer(bank, 1, bytes.fromhex("1700030006000e00030600ff00ff00ff")) == bytes.fromhex(
        "170c00fe0acd00010003000d00ff"
    )
    assert answer(bank, 1, bytes.fromhex("170003000100030001021234")) == bytes.fromhex("17021234")


@pytest.mark.parametrize(
    ("pdu", "code"),
    [
        ("0100000000", 3),
        ("01000007d1", 3),
        ("030000007e", 3),
        ("04ffff0002", 2),
        ("0300", 3),
        ("030000000100", 3),
        ("0500001234", 3),
        ("0f000007b1f7", 3),
        ("0f0000000801ff00", 3),
        ("0f000000080201", 3),
        ("1000000001020102ff", 3),
        ("10000000020200", 3),
        ("100000", 3),
        ("10ffff00020400010002", 2),
        ("16000000ff", 3),
        ("1700000001000000000", 3),
        ("17000000000000000102ffff", 3),
        ("07", 1),
        ("63", 1),
        ("2b0e0100", 1),
    ],
)
def test_what_the_specification_forbids_is_refused(pdu, code):
    raw = bytes.fromhex(pdu if len(pdu) % 2 == 0 else pdu + "0")
    bank = make_bank()
    assert answer(bank, 1, raw) == bytes((raw[0] | 0x80, code))
    assert bank.writes == 0


def test_limits_of_the_specification_are_reached():
    bank = make_bank()
    assert len(answer(bank, 1, bytes.fromhex("01000007d0"))) == 252
    assert len(answer(bank, 1, bytes.fromhex("030000007d"))) == 252
    assert answer(bank, 1, bytes.fromhex("0f000007b0f6") + b"\xff" * 246) == bytes.fromhex("0f000007b0")
    assert answer(bank, 1, bytes.fromhex("100000007bf6") + b"\xff" * 246) == bytes.fromhex("100000007b")
    assert len(answer(bank, 1, bytes.fromhex("170000007d00000079f2") + b"\x01" * 242)) == 252


def test_faults_of_the_bank_become_exception_codes():
    class Busy(ArrayBank):
        def read(self, unit, table, address, count):
            raise ModbusFault(6)

    assert answer(Busy(), 1, bytes.fromhex("0300000001")) == b"\x83\x06"
    assert answer(make_bank(), 9, bytes.fromhex("0300000001")) == b"\x83\x0b"
    assert answer(ArrayBank(size=10), 1, bytes.fromhex("0300090002")) == b"\x83\x02"


def test_identification_is_cut_into_replies_that_fit():
    class Known(ArrayBank):
        def identification(self, unit):
            return {0: b"ACME", 1: b"CDU-%d" % unit, 2: b"1.0", 128: b"x" * 150, 129: b"y" * 100}

    bank = Known()
    assert answer(bank, 1, bytes.fromhex("2b0e0100")) == (
        bytes.fromhex("2b0e0183000003") + b"\x00\x04ACME\x01\x05CDU-1\x02\x031.0"
    )
    first = answer(bank, 1, bytes.fromhex("2b0e0300"))
    assert first[4:7] == bytes((0xFF, 129, 4))
    assert answer(bank, 1, bytes((0x2B, 0x0E, 3, 129)))[4:] == b"\x00\x00\x01\x81\x64" + b"y" * 100
    assert answer(bank, 1, bytes((0x2B, 0x0E, 4, 2)))[6:] == b"\x01\x02\x031.0"
    assert answer(bank, 1, bytes((0x2B, 0x0E, 4, 5))) == b"\xab\x02"
    assert answer(bank, 1, bytes((0x2B, 0x0E, 5, 0))) == b"\xab\x03"


def test_tamper_sees_both_frames_and_has_the_last_word():
    seen = []
    server = ModbusServer(make_bank())
    server.tamper = lambda request, reply: seen.append((request, reply)) or b"lie"
    wire = Wire()
    protocol = server.tcp()
    protocol.connection_made(wire)
    request = frame(bytes.fromhex("0300020001"))
    protocol.data_received(request)
    assert wire.sent == b"lie"
    assert seen == [(request, frame(bytes.fromhex("0302") + (1002).to_bytes(2, "big")))]


REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 0xFFFF),
        st.sampled_from([1, 7, 9]),
        st.one_of(
            st.builds(
                lambda f, a, c: struct.pack(">BHH", f, a, c),
                st.integers(1, 6),
                st.integers(0, 70),
                st.integers(0, 130),
            ),
            st.builds(
                lambda a, words: (
                    struct.pack(">BHHB", 16, a, len(words), 2 * len(words)) + struct.pack(f">{len(words)}H", *words)
                ),
                st.integers(0, 50),
                st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=20),
            ),
            st.binary(min_size=1, max_size=30),
        ),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(requests=REQUESTS, cuts=st.lists(st.integers(0, 2000), max_size=20))
def test_any_segmentation_gives_the_same_answers(requests, cuts):
    stream = b"".join(frame(pdu, tid, unit) for tid, unit, pdu in requests)
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    chunks = [stream[a:b] for a, b in itertools.pairwise(edges)]
    bank = make_bank()
    expected = b"".join(frame(answer(bank, unit, pdu), tid, unit) for tid, unit, pdu in requests)
    wire, protocol = talk(chunks)
    assert wire.sent == expected
    assert not wire.is_closed
    assert protocol._rest == b""


@settings(max_examples=300, deadline=None)
@given(chunks=st.lists(st.binary(max_size=600), max_size=10), honest=st.booleans())
def test_garbage_never_raises_and_is_not_kept(chunks, honest):
    if honest:
        chunks = [frame(b"\x03\x00\x00\x00\x01"), *chunks]
    wire, protocol = talk(chunks)
    assert len(protocol._rest) < 260
    if honest:
        assert wire.sent.startswith(frame(b"\x03\x02\x03\xe8"))


@pytest.mark.parametrize("header", ["000100010006", "000100000001", "0001000000ff"])
def test_a_header_that_is_not_modbus_closes_the_connection(header):
    wire, _ = talk([bytes.fromhex(header) + b"\x01" * 300])
    assert wire.is_closed
    assert wire.sent == b""
