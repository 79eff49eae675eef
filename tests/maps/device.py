"""A device made from public maps alone: it has the registers that they know and refuses every other.

Nothing of the profile goes in but the ranges that numbers are chosen from.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

from harness.quantity import convert
from harness.schema.profiles.modbus import ModbusProfile, ModbusSignal
from sim.servers.modbus_bank import HOLDING
from tests.cases.registers import SparseBank
from tests.maps.points import Point, points_of
from tests.maps.registers import Map, Register

UNIT = 11


class MapDevice:
    """Texts say where they stand, numbers and flags are drawn by `dice`, the model is known by what its map says."""

    def __init__(self, profile: ModbusProfile, maps: Sequence[Map], dice: random.Random, model: str = "") -> None:
        self.bank = SparseBank()
        self.raw: dict[int, str | float] = {}
        self._points = {point.address: point for point in points_of(profile) if not point.is_control}
        self._profile = profile
        known = {each.probe[0]: each.probe[1] for each in maps if each.probe}
        if model and "model" in profile.signals:
            known.setdefault(profile.signals["model"].address, model)
        for each in maps:
            for entry in each.registers:
                if entry.address not in self.raw:
                    self._put(entry, known.get(entry.address) or self._said(entry) or self._drawn(entry, dice))

    def _put(self, entry: Register, value: str | float) -> None:
        size = 2 * entry.words
        if isinstance(value, str):
            data = value.encode()[:size].ljust(size, b"\0")
            value = value[:size]
        elif isinstance(value, float):
            data = struct.pack(">f", value)
            (value,) = struct.unpack(">f", data)
        else:
            data = (value % (1 << 8 * size)).to_bytes(size, "big")
        self.raw[entry.address] = value
        self.bank.put(HOLDING, entry.address, [int.from_bytes(data[at : at + 2], "big") for at in range(0, size, 2)])

    def _said(self, entry: Register) -> str:
        """The text of a register: one that the rules of the profile ask for, else where it stands."""
        if entry.kind != "text":
            return ""
        named = {name for name, spec in self._profile.signals.items() if spec.address == entry.address}
        rules = self._profile.identity.match
        return next((rule.texts[0] for rule in rules if named & set(rule.signal) and rule.texts), f"T{entry.address}")

    def _drawn(self, entry: Register, dice: random.Random) -> float:
        if entry.kind == "flags":
            return sum(1 << bit for bit in entry.bits if dice.random() < 0.4)
        if entry.kind == "float":
            return dice.uniform(0.0, 10.0)  # inside every range
        top = 1 << min(16 * entry.words, 31) - entry.is_signed
        drawn = [dice.randrange(-top if entry.is_signed else 0, top - 1) for _ in range(2000)]
        point = self._points.get(entry.address)
        if point is None:
            return drawn[0]
        low, high = self._range(point)
        unit = common(entry, point)
        values = (raw for raw in drawn if low <= convert(entry.offset + entry.factor * raw, unit, point.unit) <= high)
        return next(values, 0)

    def _range(self, point: Point) -> tuple[float, float]:
        group, _, column = point.name.partition("[].")
        profile = self._profile
        spec: ModbusSignal = profile.repeat[group].signals[column] if column else profile.signals[point.name]
        low, high = spec.range or (-1e9, 1e9)
        for rule in profile.identity.match:
            if rule.range is not None and point.name.replace("[].", ".") in rule.signal:
                low, high = max(low, rule.range[0]), min(high, rule.range[1])
        return low, high


def common(entry: Register, point: Point) -> str:
    """The unit that values are compared in: the map's, unless the profile claims none."""
    return entry.unit if entry.unit and point.unit else point.unit
