"""The SCPI interpreter, and what the line, HiSLIP and RPC framings do with pieces and with garbage."""

from __future__ import annotations

import asyncio
import itertools
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.servers.scpi import MAX_LINE, ScpiError, ScpiInterpreter, ScpiServer
from sim.servers.scpi_values import boolean, channels, number, reply, split
from tests.tools.hislip import HislipServer
from tests.tools.rpc import Portmapper
from tests.tools.vxi11 import Vxi11Server


class Wire(asyncio.Transport):
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

    def pause_reading(self):
        pass

    resume_reading = pause_reading


def feed(protocol, chunks):
    wire = Wire()
    protocol.connection_made(wire)
    for chunk in chunks:
        if not wire.is_closed:
            protocol.data_received(chunk)
    return wire


def pieces(stream, cuts):
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


def make_device():
    device = ScpiInterpreter("ACME,PSU,1,2")
    device.seen = []
    device.on("[SOURce:]VOLTage[:LEVel][:IMMediate]", lambda c: device.seen.append(("volt", c.number(0, unit="V"))))
    device.on("[SOURce:]VOLTage[:LEVel][:IMMediate]?", lambda c: 12.0)
    device.on("[SOURce:]VOLTage:PROTection", lambda c: device.seen.append(("ovp", c.number(0, unit="V", maximum=60))))
    device.on("OUTPut#[:STATe]", lambda c: device.seen.append((c.suffixes[0], c.boolean())), parameters=1)
    device.on("MEASure:CURRent?", lambda c: [float(n) for n in c.channels((1,))])
    device.on("FUNCtion", lambda c: device.seen.append(c.word(0, "VOLTage", "CURRent")))
    device.on("DISPlay:TEXT", lambda c: device.seen.append(c.text()))
    return device


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("VOLT 5", [("volt", 5.0)]),
        ("source:voltage:level:immediate 5000 mV", [("volt", 5.0)]),
        ("SOUR:VOLT:LEV 1;IMM 2", [("volt", 1.0), ("volt", 2.0)]),
        ("VOLT:LEV 1;PROT 2", [("volt", 1.0), ("ovp", 2.0)]),
        ("SOUR:VOLT 1;VOLT:PROT 2", [("volt", 1.0), ("ovp", 2.0)]),
        ("SOUR:VOLT 1;*OPC;VOLT 3", [("volt", 1.0), ("volt", 3.0)]),
        ("SOUR:VOLT 1;:OUTP ON", [("volt", 1.0), (1, True)]),
        ("OUTP2:STAT 0;:OUTPUT13 ON", [(2, False), (13, True)]),
        ("VOLT:PROT MAX", [("ovp", 60.0)]),
        ("FUNC curr;FUNC VOLTAGE", ["CURRent", "VOLTage"]),
        ("DISP:TEXT 'a;b, c'", ["a;b, c"]),
        ('DISP:TEXT "say ""hi"""', ['say "hi"']),
        ("  ;; VOLT\t7 ;", [("volt", 7.0)]),
    ],
)
def test_headers_follow_the_tree_rules(line, seen):
    device = make_device()
    assert device.handle(line) is None
    assert device.seen == seen


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("VOLTA 5", -113),
        ("VOLT? ;NOPE?", -113),
        ("SYST:ERR?;VOLT 5", -113),
        ("VOLT", -109),
        ("OUTP", -109),
        ("OUTP 1,2", -108),
        ("VOLT five", -104),
        ("VOLT 5 A", -131),
        ("VOLT:PROT 61", -222),
        ("VOLT MAX", -224),
        ("FUNC POW", -141),
        ("MEAS:CURR? (@1:2:3)", -171),
        ("MEAS:CURR? (@1:999999)", -224),
        ("VOLT " + "1" * 5000, -104),
    ],
)
def test_mistakes_go_to_the_queue_under_their_numbers(line, code):
    device = make_device()
    device.handle(line)
    assert [error[0] for error in device.errors] == [code]
    assert device.handle("*ESR?") == str(0x80 | (0x20 if code > -200 else 0x10))
    assert device.seen == []


def test_a_command_error_drops_the_rest_of_the_line_and_keeps_the_answers():
    device = make_device()
    assert device.handle("VOLT?;NOPE;:VOLT 9") == "+1.200000E+01"
    assert device.seen == []
    assert device.handle("VOLT:PROT 99;:VOLT 9;*OPC?") == "1"
    assert device.seen == [("volt", 9.0)]


def test_the_error_queue_is_first_in_first_out_and_says_when_it_was_full():
    device = make_device()
    for _ in range(25):
        device.handle("VOLT five")
    device.handle("NOPE")
    assert device.handle("SYST:ERR:COUNT?") == "20"
    answers = [device.handle("SYST:ERR?") for _ in range(21)]
    assert answers[:19] == ['-104,"Data type error"'] * 19
    assert answers[19:] == ['-350,"Queue overflow"', '0,"No error"']


def test_status_registers_summarise():
    device = make_device()
    assert device.handle("*ESR?;*ESR?") == "128;0"
    device.handle("*ESE 32;*SRE 255")
    assert device.handle("*SRE?;*STB?") == "191;0"
    device.handle("NOPE")
    assert device.handle("*STB?") == str(4 | 32 | 64)
    device.handle("*CLS;STAT:QUES:ENAB 16")
    assert device.handle("*STB?") == "0"
    device.questionable.condition = 16
    device.questionable.condition = 0
    assert device.handle("*STB?;STAT:QUES:COND?;EVEN?;EVEN?;*STB?") == "72;0;16;0;0"
    device.questionable.condition = 16
    assert device.handle("STAT:QUES?;:STAT:QUES:COND?;ENAB?") == "16;16;16"
    resets = []
    device.on_reset = lambda: resets.append(1)
    assert device.handle("*RST;*WAI;*OPC;*OPC?;*TST?;*ESE?;:SYST:VERS?") == "1;0;32;1999.0"
    assert resets == [1]
    assert device.handle("*ESR?") == "1"


def test_values_are_parsed_as_written_in_the_standard():
    assert number("1.5kW", unit="W") == 1500
    assert number("10 MHZ", unit="HZ") == 10e6
    assert number("10MA", unit="A") == 0.01
    assert number("2 MAW", unit="W") == 2e6
    assert number("-.5e+1") == -5
    assert number("#hFF") == 255
    assert number("#B101") == 5
    assert number("#Q17") == 15
    assert number("def", default=3) == 3
    assert number("INF") == float("inf")
    assert (boolean("on"), boolean("OFF"), boolean("0.4"), boolean("2")) == (True, False, False, True)
    assert channels("(@101:103, 105)") == (101, 102, 103, 105)
    assert channels("(@3:1)") == (3, 2, 1)
    assert split("a,'b,c',(@1,2),d", ",") == ["a", "'b,c'", "(@1,2)", "d"]
    values = [True, 7, 1.25, "x", float("nan"), float("-inf")]
    assert reply(values) == "1,7,+1.250000E+00,x,9.91E+37,-9.9E+37"
    for text in ("nan", "1e", "#HXY", "#H_1", "", "1..2", "0x10", "1 2"):
        with pytest.raises(ScpiError):
            number(text)


def test_a_pattern_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="no meaning"):
        make_device().on("VOLT;CURR", lambda c: None)


LINES = st.lists(
    st.sampled_from(["*IDN?", "VOLT?", "VOLT 3", "NOPE", "SYST:ERR?", "", "MEAS:CURR? (@1,2)", "*STB?"])
    | st.text(st.characters(codec="latin-1", exclude_characters="\n\r"), max_size=40),
    max_size=10,
)


@settings(max_examples=150, deadline=None)
@given(lines=LINES, cuts=st.lists(st.integers(0, 500), max_size=10), end=st.sampled_from(["\n", "\r\n"]))
def test_lines_in_any_pieces_give_the_same_answers(lines, cuts, end):
    stream = "".join(line + end for line in lines).encode("latin-1")
    device = make_device()
    expected = b""
    for line in lines:
        answer = device.handle(line)
        expected += b"" if answer is None else answer.encode("latin-1", "replace") + b"\n"
    assert feed(ScpiServer(make_device()).tcp(), pieces(stream, cuts)).sent == expected


@pytest.mark.parametrize("step", [1000, MAX_LINE, MAX_LINE + 1, 10**7])
def test_a_line_without_end_is_not_kept(step):
    stream = b"A" * (3 * MAX_LINE) + b"\nSYST:ERR?\n"
    protocol = ScpiServer(make_device()).tcp()
    wire = Wire()
    protocol.connection_made(wire)
    for start in range(0, len(stream), step):
        protocol.data_received(stream[start : start + step])
        assert len(protocol._rest) <= MAX_LINE
    assert wire.sent == b'-363,"Input buffer overrun"\n'


def test_tamper_has_the_last_word():
    server = ScpiServer(make_device())
    server.tamper = lambda line, answer: b"" if answer is None else answer.encode() + b"!\n" + line.encode()
    assert feed(server.tcp(), [b"VOLT 3\nVOLT?\n"]).sent == b"+1.200000E+01!\nVOLT?"


def hislip(kind, control=0, parameter=0, payload=b""):
    return struct.pack(">2sBBIQ", b"HS", kind, control, parameter, len(payload)) + payload


def hislip_session(server):
    sync, asynchronous = server.channel(), server.channel()
    sync_wire = feed(sync, [hislip(0, 0, 0x01000000, b"hislip0")])
    assert sync_wire.sent == hislip(1, 0, 0x01000001)
    async_wire = feed(asynchronous, [hislip(17, 0, 1)])
    assert async_wire.sent[:4] == b"HS\x12\x00"
    sync_wire.sent = async_wire.sent = b""
    return sync, sync_wire, asynchronous, async_wire


def test_hislip_clear_abandons_what_comes_before_its_completion():
    """IVI-6.1, 6.12: messages between AsyncDeviceClear and DeviceClearComplete are dropped."""
    device = make_device()
    sync, sync_wire, asynchronous, async_wire = hislip_session(HislipServer(device))
    asynchronous.data_received(hislip(19))
    sync.data_received(hislip(7, 0, 2, b"VOLT 8"))
    assert async_wire.sent == hislip(23)
    sync.data_received(hislip(8))
    sync.data_received(hislip(7, 0, 4, b"VOLT?"))
    assert sync_wire.sent == hislip(9) + hislip(7, 0, 4, b"+1.200000E+01\n")
    assert device.seen == []


def test_hislip_errors_are_told_and_survived():
    sync, sync_wire, _, async_wire = hislip_session(HislipServer(make_device()))
    sync.data_received(hislip(200, 0, 0, b"??"))
    assert sync_wire.sent[:4] == b"HS\x03\x01"
    sync_wire.sent = b""
    sync.data_received(struct.pack(">2sBBIQ", b"HS", 7, 0, 0, 1 << 40))
    sync.data_received(b"x" * 100_000)
    assert sync_wire.sent[:4] == b"HS\x03\x04"
    assert len(sync._buffer) == 0
    assert not sync_wire.is_closed
    other = HislipServer(make_device()).channel()
    other_wire = feed(other, [hislip(0, 0, 0x01000000, b"hislip0") + hislip(7, 0, 0, b"*IDN?")])
    assert other_wire.sent[16:20] == b"HS\x02\x02"
    assert other_wire.is_closed
    del async_wire


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.sampled_from([b"*IDN?", b"VOLT?", b"VOLT 3", b"NOPE", b"SYST:ERR?"]), max_size=6),
    cuts=st.lists(st.integers(0, 500), max_size=10),
)
def test_hislip_in_any_pieces_gives_the_same_answers(lines, cuts):
    device = make_device()
    stream = expected = b""
    is_delivered = False
    for index, line in enumerate(lines):
        identifier = 0xFFFFFF00 + 2 * index
        stream += hislip(6, int(is_delivered), identifier, line[:2]) + hislip(
            7, int(is_delivered), identifier, line[2:]
        )
        answer = device.handle(line.decode())
        is_delivered = answer is not None
        if answer is not None:
            expected += hislip(7, 0, identifier, answer.encode() + b"\n")
    sync, wire, *_ = hislip_session(HislipServer(make_device()))
    for piece in pieces(stream, cuts):
        sync.data_received(piece)
    assert wire.sent == expected


@settings(max_examples=200, deadline=None)
@given(chunks=st.lists(st.binary(max_size=300), max_size=8), is_framed=st.booleans(), kind=st.integers(0, 3))
def test_garbage_never_raises_and_is_not_kept(chunks, is_framed, kind):
    protocol = [
        lambda: ScpiServer(make_device()).tcp(),
        lambda: HislipServer(make_device()).channel(),
        lambda: Vxi11Server(make_device()).channel(),
        lambda: Portmapper().stream(),
    ][kind]()
    if is_framed and kind == 1:
        chunks = [hislip(chunk[0] % 30, 1, 1, chunk[1:]) if chunk else b"" for chunk in chunks]
    if is_framed and kind >= 2:
        head = struct.pack(">6I", 7, 0, 2, 0x0607AF if kind == 2 else 100000, 1 if kind == 2 else 2, 12) + bytes(16)
        chunks = [struct.pack(">I", 0x80000000 | len(head + chunk)) + head + chunk for chunk in chunks]
    feed(protocol, chunks)
    protocol.connection_lost(None)
    held = getattr(protocol, "_buffer", b"")
    assert len(held) < 5000


def test_rpc_refuses_as_the_standard_says():
    def call(*words):
        body = b"".join(word.to_bytes(4, "big") for word in words)
        wire = feed(Portmapper().stream(), [(0x80000000 | len(body)).to_bytes(4, "big") + body])
        sent = wire.sent[4:]
        return [int.from_bytes(sent[at : at + 4], "big") for at in range(0, len(sent), 4)], wire.is_closed

    assert call(9, 0, 2, 100000, 2, 0, 0, 0, 0, 0) == ([9, 1, 0, 0, 0, 0], False)
    assert call(9, 0, 3, 100000, 2, 0, 0, 0, 0, 0) == ([9, 1, 1, 0, 2, 2], False)
    assert call(9, 0, 2, 100001, 2, 0, 0, 0, 0, 0) == ([9, 1, 0, 0, 0, 1], False)
    assert call(9, 0, 2, 100000, 4, 0, 0, 0, 0, 0) == ([9, 1, 0, 0, 0, 2, 2, 2], False)
    assert call(9, 0, 2, 100000, 2, 9, 0, 0, 0, 0) == ([9, 1, 0, 0, 0, 3], False)
    assert call(9, 0, 2, 100000, 2, 3, 0, 0, 0, 0, 1) == ([9, 1, 0, 0, 0, 4], False)
    assert call(9, 1, 2) == ([], True)
