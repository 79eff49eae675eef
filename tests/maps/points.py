"""What a Modbus profile says of a device, point by point, in the form that it is compared in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.device.modbus.place import modbus_address
from harness.device.points import expand
from harness.schema.profiles.modbus import ModbusControl, ModbusProfile, ModbusSignal


@dataclass(frozen=True, slots=True)
class Point:
    """A signal or a control. `name` is without the number of its row, `row` that number (0: none).

    `kind`: text, number, float, flags (every bit has a word) or bits (some bits of a word). `bits` are the bits that it
    speaks of: bit -> the word for it ("" where it has none).
    """

    name: str
    row: int
    is_control: bool
    address: int
    words: int
    kind: str
    factor: float
    offset: float
    is_signed: bool
    is_big: bool
    """Most significant byte first, or a single register in plain order."""
    is_holding: bool
    unit: str
    bits: dict[int, str]

    @property
    def title(self) -> str:
        """The name, by which a control can be told from the signal that confirms it."""
        return f"{self.name} (control)" if self.is_control else self.name


def points_of(profile: ModbusProfile) -> list[Point]:
    """Every signal and control of the profile, repetitions unrolled."""
    return list(_points(profile))


def _points(profile: ModbusProfile) -> Iterator[Point]:
    plan = expand(profile)
    for point in (*plan.signals.values(), *plan.controls.values()):
        spec = point.spec
        assert isinstance(spec, ModbusSignal | ModbusControl)
        is_control = isinstance(spec, ModbusControl)
        bits = _bits(spec)
        yield Point(
            re.sub(r"\[\d+\]", "[]", point.name),
            point.row,
            is_control,
            modbus_address(profile, spec, point.row),
            spec.words_long,
            _kind(spec, bits),
            spec.scale / 2**spec.precision,
            spec.offset,
            spec.type.startswith("i"),
            (spec.order or profile.modbus.order) == "ABCD" and not getattr(spec, "swap_string", False),
            spec.table == "holding",
            spec.unit,
            bits,
        )


def _kind(spec: ModbusSignal | ModbusControl, bits: dict[int, str]) -> str:
    if isinstance(spec, ModbusSignal) and spec.flags:
        return "flags"
    if bits:
        return "bits"
    return {"string": "text", "raw": "text", "f32": "float"}.get(spec.type, "number")


def _bits(spec: ModbusSignal | ModbusControl) -> dict[int, str]:
    """The bits that a point speaks of, with their words where each has one."""
    if isinstance(spec, ModbusSignal) and spec.flags:
        return {bit: word for word, bit in spec.flags.items()}
    if spec.bit is not None:
        width = spec.width if isinstance(spec, ModbusSignal) else 1
        return dict.fromkeys(range(spec.bit, spec.bit + width), "")
    if spec.mask is not None:
        return {bit: "" for bit in range(spec.mask.bit_length()) if spec.mask >> bit & 1}
    return {}
