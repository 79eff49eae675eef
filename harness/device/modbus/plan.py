"""The read plan of a Modbus device: requests coalesced into spans, and one vectorised decode of all their words.

All spans of a poll class land in one array of 16-bit words. Every number is then a weighted sum of at most four of
them (the weights carry word order), taken with one gather for the whole device. Floats are views of the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from harness.device.modbus import types as modbus_types
from harness.device.modbus.place import modbus_address
from harness.device.points import SignalPoint
from harness.device.scaling import Floats
from harness.schema.profiles.modbus import ModbusProfile, ModbusSignal

FUNCTION = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
"""Table -> function code that reads it."""


_FLOATS = {"f16": ">f2", "f32": ">f4", "f64": ">f8"}


@dataclass(frozen=True, slots=True)
class Span:
    """One read request: `count` registers (or bits) from `address` with `function`, stored at `start` in the words."""

    function: int
    address: int
    count: int
    start: int
    members: tuple[int, ...]
    """Positions of the points (in the plan's order) that the span serves."""


def coalesce(
    profile: ModbusProfile, points: Sequence[SignalPoint], *, alone: frozenset[int] = frozenset()
) -> list[Span]:
    """Merge the points' addresses into as few requests as the device's limits allow.

    Gaps of up to `max_gap` words are read over, never across a forbidden range. Points that clear on read, and the
    positions in `alone` (a merged read of them was refused), get a request of their own.
    """
    options = profile.modbus
    wanted = []
    for position, point in enumerate(points):
        spec = _spec(point)
        address = modbus_address(profile, spec, point.row)
        single = spec.clear_on_read or options.one_per_request or position in alone
        wanted.append((FUNCTION[spec.table], address, spec.words_long, position, single))
    wanted.sort()
    spans: list[Span] = []
    open_end, start = -1, 0
    for function, address, length, position, single in wanted:
        last = spans[-1] if spans else None
        limit = options.max_span * (16 if function in (1, 2) else 1)
        gap_ok = last is not None and address - open_end <= options.max_gap and not _crosses(profile, open_end, address)
        if last and not single and open_end >= 0 and last.function == function and gap_ok:
            end = max(open_end, address + length)
            if end - last.address <= limit:
                spans[-1] = Span(function, last.address, end - last.address, last.start, (*last.members, position))
                open_end = end
                continue
        start = _stored(spans)
        spans.append(Span(function, address, length, start, (position,)))
        open_end = -1 if single else address + length
    return spans


def _stored(spans: Sequence[Span]) -> int:
    return spans[-1].start + spans[-1].count if spans else 0


def _crosses(profile: ModbusProfile, low: int, high: int) -> bool:
    """Whether the registers from `low` up to `high` (excluded) must not be read over."""
    options = profile.modbus
    base = options.address_base
    if low < high and options.allowed and not any(f - base <= low and high <= n - base + 1 for f, n in options.allowed):
        return True
    return any(low <= last - base and first - base < high for first, last in options.forbidden)


def _spec(point: SignalPoint) -> ModbusSignal:
    return cast("ModbusSignal", point.spec)


class Decoder:
    """Decodes the words of a list of points at once into raw numbers (float64[n]) and texts."""

    def __init__(self, profile: ModbusProfile, points: Sequence[SignalPoint], spans: Sequence[Span]) -> None:
        self.size = _stored(spans)
        self.words = np.zeros(self.size, dtype=np.uint16)
        specs = [_spec(point) for point in points]
        places = _places(profile, points, spans)
        n = len(points)
        # words, then byte-swapped words, then one zero: indices below choose among them
        self._pool = np.zeros(2 * self.size + 1, dtype=np.float64)
        self._index = np.full((n, 4), 2 * self.size, dtype=np.intp)
        self._weight = np.zeros((n, 4))
        self._turn = np.zeros(n)
        self._signed_bytes: list[int] = []
        self._shift = np.ones(n)
        self._modulus = np.full(n, np.inf)
        self._bits: list[int] = []
        self._masks: list[tuple[int, int]] = []
        self._bcd: list[int] = []
        self._magnitude: list[tuple[int, float]] = []
        self._decimals: list[tuple[int, npt.NDArray[np.intp]]] = []
        self._floats: list[tuple[int, npt.NDArray[np.intp], str]] = []
        self.texts: list[tuple[int, int, ModbusSignal, str]] = []
        for k, spec in enumerate(specs):
            self._add(k, spec, places[k], spec.order or profile.modbus.order)
        self._coded = [*self._bcd, *(k for k, _ in self._decimals)]
        self._text_places = [k for k, *_ in self.texts]
        self._has_signed = bool(self._turn.any())
        self._has_swapped = any((spec.order or profile.modbus.order) in ("BADC", "DCBA") for spec in specs)

    def _add(self, k: int, spec: ModbusSignal, place: int, order: str) -> None:
        length = spec.words_long
        if spec.is_text:
            self.texts.append((k, place, spec, order))
            return
        chosen = self._word_order(place, length, order)
        if spec.type in _FLOATS:
            self._floats.append((k, chosen, _FLOATS[spec.type]))
            return
        base = 10000.0 if spec.type.startswith("m10k") else 65536.0
        self._index[k, :length] = chosen
        self._weight[k, :length] = [base ** (length - 1 - j) for j in range(length)]
        is_byte = spec.type[1:2] == "8"
        bits = 8 if is_byte else 16 * length
        if spec.type.startswith("i"):
            if spec.sign == "magnitude":
                self._magnitude.append((k, float(2 ** (bits - 1))))
            else:
                self._turn[k] = 0.0 if is_byte else 65536.0
            if is_byte:
                self._signed_bytes.append(k)
        first, width = (8 if spec.type.endswith("high") else 0, 8) if is_byte else (spec.bit, spec.width)
        if first is not None:
            self._shift[k], self._modulus[k] = float(2**first), float(2**width)
            self._bits.append(k)
        if spec.mask is not None:
            self._masks.append((k, spec.mask))
        if spec.type.startswith("bcd"):
            self._bcd.append(k)
        if base == 10000.0:
            self._decimals.append((k, chosen))

    def _word_order(self, place: int, length: int, order: str) -> npt.NDArray[np.intp]:
        base = place + (self.size if order in ("BADC", "DCBA") else 0)
        words = np.arange(base, base + length, dtype=np.intp)
        return words[::-1].copy() if order in ("CDAB", "DCBA") else words

    def store(self, span: Span, data: bytes) -> None:
        """Put the data bytes of a span's reply where the decode finds them."""
        target = self.words[span.start : span.start + span.count]
        if span.function in (1, 2):
            bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
            target[:] = bits[: span.count]
        else:
            target[:] = np.frombuffer(data, dtype=">u2")

    def decode(self, raw: Floats) -> list[int]:
        """Fill `raw` (float64[n]) from the stored words; gives the points whose words are no number of their type.

        Text points are no numbers: NaN.
        """
        size = self.size
        self._pool[:size] = self.words
        if self._has_swapped:
            self._pool[size : 2 * size] = self.words.byteswap()
        words = self._pool[self._index]
        if self._has_signed:  # two's complement: the first word counts negative, before rounding to 53 bits
            words[:, 0] -= self._turn * (words[:, 0] >= 32768.0)
        np.einsum("ij,ij->i", words, self._weight, out=raw)
        if self._bits:
            chosen = self._bits
            raw[chosen] = np.floor(raw[chosen] / self._shift[chosen]) % self._modulus[chosen]
        for k in self._signed_bytes:
            raw[k] -= 256.0 * (raw[k] >= 128.0)
        for k, half in self._magnitude:
            raw[k] = half - raw[k] if raw[k] >= half else raw[k]
        for k, mask in self._masks:
            raw[k] = float(int(raw[k]) & mask != 0)
        for k in self._bcd:
            raw[k] = _bcd(int(raw[k]))
        for k, groups in self._decimals:
            if self._pool[groups].max() > 9999.0:
                raw[k] = np.nan
        undecodable = [k for k in self._coded if raw[k] != raw[k]]
        for k, index, dtype in self._floats:
            content = self._pool[index].astype(">u2")
            raw[k] = float(np.frombuffer(content.tobytes(), dtype=dtype)[0])
        raw[self._text_places] = np.nan
        return undecodable

    def text(self, place: int, spec: ModbusSignal, order: str) -> str:
        """The text of a point, trailing NULs and blanks cut; one byte a character."""
        data = self.words[place : place + spec.words_long].astype(">u2").tobytes()
        return modbus_types.text(spec.type, data, order, swapped=spec.swap_string, characters=spec.characters)


def _places(profile: ModbusProfile, points: Sequence[SignalPoint], spans: Sequence[Span]) -> Mapping[int, int]:
    places: dict[int, int] = {}
    for span in spans:
        for member in span.members:
            address = modbus_address(profile, _spec(points[member]), points[member].row)
            places[member] = span.start + address - span.address
    return places


def _bcd(raw: int) -> float:
    digits = f"{raw:x}"
    return float(digits) if digits.isdigit() else float("nan")
