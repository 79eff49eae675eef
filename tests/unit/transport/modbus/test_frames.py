"""Frames as pure functions, against frames built by hand: no bytes make them hang, crash or believe a wrong reply."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.transport.modbus.frames import Mismatch, Refusal, RtuFraming, TcpFraming, data_of
from harness.transport.modbus.requests import (
    read_request,
    write_coils_request,
    write_register_request,
    write_registers_request,
)

TCP, RTU = TcpFraming(), RtuFraming()

words = st.integers(0, 0xFFFF)
units = st.integers(0, 255)
transactions = st.integers(1, 0xFFFF)


@st.composite
def reads(draw):
    function = draw(st.sampled_from([1, 2, 3, 4]))
    count = draw(st.integers(1, 2000 if function < 3 else 125))
    address = draw(st.integers(0, 65536 - count))
    return read_request(draw(units), function, address, count)


def crc(data: bytes) -> bytes:
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value.to_bytes(2, "little")


def reply_of(request, draw_data: bytes) -> bytes:
    return bytes([request.function, request.data_bytes]) + draw_data


def decode(framing, data, request, transaction=1, given_up=()):
    """As the link does: bytes to data, or the exception."""
    used, pdu, stale = framing.decode(data, request, transaction, given_up)
    return used, None if pdu is None else data_of(pdu, request), stale


@given(reads(), transactions, st.data())
def test_transport_modbus_frames_tcp_request_and_reply_are_the_specification_s(request, transaction, data):
    frame = TCP.stamp(TCP.prepare(request), transaction)
    assert struct.unpack(">HHHB", frame[:7]) == (transaction, 0, 6, request.unit)
    assert frame[7] == request.function
    payload = data.draw(st.binary(min_size=request.data_bytes, max_size=request.data_bytes))
    pdu = reply_of(request, payload)
    reply = struct.pack(">HHHB", transaction, 0, len(pdu) + 1, request.unit) + pdu
    assert decode(TCP, reply, request, transaction) == (len(reply), payload, 0)
    cut = data.draw(st.integers(0, len(reply) - 1))
    assert decode(TCP, reply[:cut], request, transaction)[1] is None


@given(reads(), st.data())
def test_transport_modbus_frames_rtu_request_and_reply_are_the_specification_s(request, data):
    frame = RTU.stamp(RTU.prepare(request), 0)
    assert frame[-2:] == crc(frame[:-2])
    assert frame[:2] == bytes([request.unit, request.function])
    payload = data.draw(st.binary(min_size=request.data_bytes, max_size=request.data_bytes))
    body = bytes([request.unit]) + reply_of(request, payload)
    reply = body + crc(body)
    assert decode(RTU, reply, request) == (len(reply), payload, 0)
    cut = data.draw(st.integers(0, len(reply) - 1))
    assert decode(RTU, reply[:cut], request)[1] is None
    flipped = bytearray(reply)
    flipped[data.draw(st.integers(0, len(reply) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(Mismatch, Refusal):
        assert decode(RTU, bytes(flipped), request)[1] is None, "a damaged frame was believed"


@given(reads(), transactions, st.binary(max_size=300), st.sampled_from([TCP, RTU]))
def test_transport_modbus_frames_any_bytes_wait_mismatch_or_refuse(request, transaction, data, framing):
    try:
        used, answer, _ = decode(framing, data, request, transaction)
    except (Mismatch, Refusal) as error:
        used, answer, text = 0, None, str(error)
    else:
        text = "fine"
    assert 0 < len(text) < 400
    if text == "fine":
        assert 0 <= used <= len(data)
        assert answer is None or len(answer) == request.data_bytes


@given(reads(), transactions, st.data())
def test_transport_modbus_frames_tcp_one_changed_byte_of_the_head_is_never_believed(request, transaction, data):
    pdu = reply_of(request, bytes(request.data_bytes))
    reply = bytearray(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, request.unit) + pdu)
    reply[data.draw(st.integers(0, 8))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(Mismatch, Refusal):
        assert decode(TCP, bytes(reply), request, transaction)[1] is None


@given(reads(), st.lists(transactions, min_size=1, max_size=5, unique=True), st.data())
def test_transport_modbus_frames_stale_replies_are_skipped_whatever_they_hold(request, numbers, data):
    *late, transaction = numbers
    stream = b""
    for number in late:
        pdu = data.draw(st.binary(min_size=2, max_size=253))
        stream += struct.pack(">HHHB", number, 0, len(pdu) + 1, data.draw(units)) + pdu
    pdu = reply_of(request, bytes(request.data_bytes))
    stream += struct.pack(">HHHB", transaction, 0, len(pdu) + 1, request.unit) + pdu
    assert decode(TCP, stream, request, transaction, late) == (len(stream), bytes(request.data_bytes), len(late))


@given(units, st.integers(0, 65000), st.lists(words, min_size=1, max_size=123), transactions)
def test_transport_modbus_frames_writes_carry_their_values(unit, address, values, transaction):
    request = write_registers_request(unit, address, values)
    expected = struct.pack(f">BHHB{len(values)}H", 16, address, len(values), 2 * len(values), *values)
    assert request.pdu == expected
    assert TCP.stamp(TCP.prepare(request), transaction)[7:] == expected
    assert request.echo == expected[:5]
    one = write_register_request(unit, address, values[0])
    assert one.pdu == one.echo == struct.pack(">BHH", 6, address, values[0])


@given(st.lists(st.booleans(), min_size=1, max_size=1968))
def test_transport_modbus_frames_coils_are_packed_lowest_first(values):
    request = write_coils_request(1, 3, values)
    assert request.pdu[:5] == struct.pack(">BHH", 15, 3, len(values))
    assert request.pdu[5] == len(request.pdu) - 6 == (len(values) + 7) // 8
    unpacked = [bool(request.pdu[6 + index // 8] >> index % 8 & 1) for index in range(8 * request.pdu[5])]
    assert unpacked[: len(values)] == values
    assert not any(unpacked[len(values) :])


@pytest.mark.parametrize("framing", [TCP, RTU])
def test_transport_modbus_frames_nothing_asked_means_nothing_believed(framing):
    with pytest.raises(Mismatch) as caught:
        framing.decode(b"\x00\x01\x00\x00\x00\x05\x01\x03\x02\x00\x07", None, 1, ())
    assert caught.value.kind == "unasked"
