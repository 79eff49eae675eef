"""Every type of a Modbus point: the vectorised decode, the guardian's and the twin's encoding against struct."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.device.modbus import types as modbus_types
from harness.device.modbus.channel import of_data
from harness.device.modbus.plan import Decoder, coalesce
from harness.device.points import expand
from harness.device.wire import Read
from harness.errors import RefusedError
from harness.schema.profiles.modbus import ModbusControl, ModbusProfile, ModbusSignal
from sim.twins.image import from_words, string_words, text_words, to_words

ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
PACKED = {
    "u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "u64": ">Q", "i64": ">q", "f16": ">e", "f32": ">f", "f64": ">d",
}  # fmt: skip


def shuffled(data: bytes, order: str) -> bytes:
    """Big-endian bytes as a device of that order sends them, written out by hand for 2, 4 and 8 bytes."""
    places = {
        ("CDAB", 4): (2, 3, 0, 1), ("BADC", 4): (1, 0, 3, 2), ("DCBA", 4): (3, 2, 1, 0),
        ("CDAB", 6): (4, 5, 2, 3, 0, 1), ("BADC", 6): (1, 0, 3, 2, 5, 4), ("DCBA", 6): (5, 4, 3, 2, 1, 0),
        ("CDAB", 8): (6, 7, 4, 5, 2, 3, 0, 1), ("BADC", 8): (1, 0, 3, 2, 5, 4, 7, 6),
        ("DCBA", 8): tuple(range(7, -1, -1)),
        ("BADC", 2): (1, 0), ("DCBA", 2): (1, 0),
    }.get((order, len(data)), tuple(range(len(data))))  # fmt: skip
    return bytes(data[place] for place in places)


def profile(**signals) -> ModbusProfile:
    return ModbusProfile.model_validate(
        {
            "schema": 1,
            "profile": "meter/test",
            "title": "Test",
            "class": "meter",
            "protocol": "modbus",
            "source": "made up",
            "unverified": "made up",
            "signals": signals,
        }
    )


def decoded(spec: dict, data: bytes) -> float | str:
    """What the read plan of the device makes of a point's registers, which must be what the guardian makes of them."""
    made = profile(before={"address": 9}, x={"address": 10, **spec})
    points = list(expand(made).signals.values())
    spans = coalesce(made, points)
    decoder = Decoder(made, points, spans)
    assert [(span.address, span.count) for span in spans] == [(9, 1 + len(data) // 2)]
    decoder.store(spans[0], b"\xa5\x5a" + data)
    raw = np.zeros(2)
    decoder.decode(raw)
    assert raw[0] == 0xA55A
    point = points[1].spec
    assert isinstance(point, ModbusSignal)
    value: float | str = float(raw[1])
    for k, place, text_spec, order in decoder.texts:
        assert k == 1
        value = decoder.text(place, text_spec, order)
    read = Read(
        function=3, type=point.type, order=point.order or "ABCD", bit=point.bit, width=point.width, mask=point.mask,
        magnitude=point.sign == "magnitude", swap_string=point.swap_string, characters=point.characters,
    )  # fmt: skip
    alone = of_data(read, data)
    assert alone == value or (alone != alone and value != value)
    return value


@given(st.sampled_from(sorted(PACKED)), st.sampled_from(ORDERS), st.data())
def test_numbers_are_what_struct_packed(kind, order, data):
    code = PACKED[kind]
    if kind[0] == "f":
        value = data.draw(st.floats(width=int(kind[1:]), allow_nan=False, allow_infinity=False))
    else:
        bits = int(kind[1:])
        low = -(1 << bits - 1) if kind[0] == "i" else 0
        value = data.draw(st.integers(low, low + (1 << bits) - 1))
    wire = shuffled(struct.pack(code, value), order)
    assert decoded({"type": kind, "order": order}, wire) == pytest.approx(float(value), rel=1e-15)
    if kind in ("u64", "i64") and abs(value) > 2**53:
        return  # a float64 cannot tell such numbers apart, so the twin rounds them
    assert struct.pack(f">{len(wire) // 2}H", *to_words(float(value), kind, order)) == wire


@given(st.integers(-(2**47), 2**47 - 1), st.sampled_from(ORDERS))
def test_six_byte_numbers(value, order):
    wire = shuffled(value.to_bytes(6, "big", signed=True), order)
    assert decoded({"type": "i48", "order": order}, wire) == value
    assert decoded({"type": "u48", "order": order}, wire) == value % 2**48
    assert to_words(value, "i48", order) == list(struct.unpack(">3H", wire))


@given(st.integers(0, 255), st.integers(0, 255))
def test_bytes_of_one_register(high, low):
    wire = bytes((high, low))
    assert decoded({"type": "u8_high"}, wire) == high
    assert decoded({"type": "u8_low"}, wire) == low
    assert decoded({"type": "i8_high"}, wire) == struct.unpack("b", wire[:1])[0]
    assert decoded({"type": "i8_low"}, wire) == struct.unpack("b", wire[1:])[0]
    assert decoded({"type": "u8_high", "order": "BADC"}, wire) == low
    assert to_words(high, "u8_high", "ABCD")[0] | to_words(low, "u8_low", "ABCD")[0] == high << 8 | low


@given(st.lists(st.integers(0, 9999), min_size=2, max_size=4), st.sampled_from(ORDERS))
def test_modulo_10000(groups, order):
    kind = f"m10k{16 * len(groups)}"
    wire = shuffled(struct.pack(f">{len(groups)}H", *groups), order)
    value = float("".join(f"{group:04d}" for group in groups))
    assert decoded({"type": kind, "order": order}, wire) == value
    if value < 9.0e15:
        assert to_words(value, kind, order) == list(struct.unpack(f">{len(groups)}H", wire))


def test_a_group_above_9999_and_a_digit_above_9_are_no_numbers():
    assert math.isnan(decoded({"type": "m10k32"}, struct.pack(">2H", 1, 10000)))
    assert math.isnan(decoded({"type": "bcd16"}, b"\x12\x3a"))
    assert decoded({"type": "bcd32", "order": "CDAB"}, b"\x56\x78\x12\x34") == 12345678


@given(st.integers(-32767, 32767))
def test_sign_and_magnitude(value):
    word = abs(value) | (0x8000 if value < 0 else 0)
    assert decoded({"type": "i16", "sign": "magnitude"}, struct.pack(">H", word)) == value


def test_bits_of_a_signed_register_are_bits():
    assert decoded({"type": "i16", "bit": 14, "width": 2}, b"\xc0\x00") == 3
    assert decoded({"type": "u32", "bit": 16, "width": 4}, b"\x00\x05\xff\xff") == 5
    assert decoded({"type": "u32", "mask": 0x10000}, b"\x00\x01\x00\x00") == 1


TEXTS = [
    ({"type": "string", "length": 3}, b"AB12\0Z", "AB12"),
    ({"type": "string", "length": 3, "swap_string": True}, b"BA21Z\0", "AB12"),
    ({"type": "string", "length": 4, "characters": "low"}, b"\0A\0b\0c\0\0", "Abc"),
    ({"type": "string", "length": 4, "characters": "high"}, b"A\0b\0c\0 \0", "Abc"),
    ({"type": "raw", "length": 3}, b"\xde\xad\xbe\xef\x00\x07", "deadbeef0007"),
    ({"type": "ipv4"}, bytes((192, 0, 2, 17)), "192.0.2.17"),
    ({"type": "ipv4", "order": "CDAB"}, bytes((2, 17, 192, 0)), "192.0.2.17"),
    ({"type": "ipv6"}, bytes.fromhex("20010db8000000000000000000000a11"), "2001:db8::a11"),
    ({"type": "mac"}, bytes.fromhex("00005e005301"), "00:00:5e:00:53:01"),
    ({"type": "epoch"}, (1773480413).to_bytes(4, "big"), "2026-03-14T09:26:53"),
    ({"type": "datetime"}, struct.pack(">6H", 2026, 3, 14, 9, 26, 53), "2026-03-14T09:26:53"),
    ({"type": "iec870"}, struct.pack(">4H", 26, 3 << 8 | 6 << 5 | 14, 9 << 8 | 26, 53589), "2026-03-14T09:26:53"),
]


@pytest.mark.parametrize(("spec", "wire", "shown"), TEXTS, ids=lambda v: v["type"] if isinstance(v, dict) else None)
def test_texts(spec, wire, shown):
    assert decoded(spec, wire) == shown


@pytest.mark.parametrize(("spec", "wire", "shown"), TEXTS, ids=lambda v: v["type"] if isinstance(v, dict) else None)
def test_twin_writes_texts_that_read_back(spec, wire, shown):
    length = len(wire) // 2
    if spec["type"] == "string":
        how = {"swap": spec.get("swap_string", False), "characters": spec.get("characters", "both")}
        words = string_words(shown, length, **how)
    else:
        words = text_words(shown, spec["type"], length, spec.get("order", "ABCD"))
    assert decoded(spec, struct.pack(f">{length}H", *words)) == shown


def test_a_date_that_does_not_exist_is_no_text():
    assert decoded({"type": "datetime"}, struct.pack(">6H", 2026, 2, 30, 0, 0, 0)) == ""
    assert decoded({"type": "iec870"}, b"\0" * 8) == ""


@given(st.sampled_from(["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"]), st.sampled_from(ORDERS), st.data())
def test_writes_are_what_struct_packed_and_the_twin_reads_them(kind, order, data):
    if kind[0] == "f":
        value = data.draw(st.floats(width=int(kind[1:]), allow_nan=False, allow_infinity=False))
    else:
        bits = min(int(kind[1:]), 53)
        value = data.draw(st.integers(-(1 << bits - 1) if kind[0] == "i" else 0, (1 << bits - 1) - 1))
    words = modbus_types.words(kind, value, order)
    assert struct.pack(f">{len(words)}H", *words) == shuffled(struct.pack(PACKED[kind], value), order)
    assert from_words(words, kind, order) == value


def test_a_number_that_does_not_fit_is_not_written():
    for kind, value in (("u16", 65536), ("u16", -1), ("i16", 32768), ("bcd16", 10000), ("bcd16", -1), ("f32", 1e39)):
        with pytest.raises(RefusedError, match="does not fit"):
            modbus_types.words(kind, value, "ABCD")
    assert modbus_types.words("bcd16", 1234, "ABCD") == (0x1234,)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"type": "u16", "flags": {"a": 16}}, "beyond the 16 bits"),
        ({"type": "u64", "flags": {"a": 60}}, "beyond the 53 bits"),
        ({"type": "u8_low", "bit": 7, "width": 2}, "beyond"),
        ({"type": "f32", "bit": 3}, "no bits"),
        ({"table": "coil", "type": "u32"}, "one bit"),
    ],
)
def test_points_that_cannot_be_are_refused(spec, says):
    if spec["type"] == "u8_low":
        spec = {**spec, "bit": 20}
    with pytest.raises(ValidationError, match=says):
        ModbusSignal.model_validate({"address": 1, **spec})


def test_controls_that_cannot_be_are_refused():
    with pytest.raises(ValidationError, match="needs bit or mask"):
        ModbusControl.model_validate({"address": 1, "write": "mask"})
    with pytest.raises(ValidationError, match="one register"):
        ModbusControl.model_validate({"address": 1, "type": "u32", "bit": 1})


def spans_of(options: dict, *addresses: int) -> list[tuple[int, int]]:
    made = profile(**{f"p{a}": {"address": a} for a in addresses})
    made = made.model_copy(update={"modbus": type(made.modbus).model_validate(options)})
    return [(span.address, span.count) for span in coalesce(made, list(expand(made).signals.values()))]


def test_requests_respect_what_the_device_allows():
    assert spans_of({}, 1, 2, 5, 20) == [(1, 5), (20, 1)]
    assert spans_of({"one_per_request": True}, 1, 2) == [(1, 1), (2, 1)]
    assert spans_of({"forbidden": [[4, 4]]}, 1, 2, 5) == [(1, 2), (5, 1)]
    assert spans_of({"allowed": [[0, 9]]}, 1, 5, 9, 12) == [(1, 9), (12, 1)]
    assert spans_of({"allowed": [[0, 3]]}, 1, 2, 5, 6) == [(1, 2), (5, 2)]
    assert spans_of({"max_span": 2}, 1, 2, 3) == [(1, 2), (3, 1)]
