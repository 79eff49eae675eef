"""A device on Modbus: coalesced reads, confirmed-size writes, refused registers learnt and left out."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict

import numpy as np

from harness.device.link import Reply, printable, raw_value
from harness.device.modbus_plan import FUNCTION, Decoder, Span, coalesce, low_mask
from harness.device.points import ControlPoint, Expansion, SignalPoint, modbus_address
from harness.device.wire import Command, Read, carry_out
from harness.errors import RefusedError
from harness.quantity import Quality
from harness.schema.profile import ModbusControl, ModbusProfile, ModbusSignal
from harness.transport.modbus import ModbusClient

_ILLEGAL = (1, 2, 3)
"""Exception codes that mean: not this register, not ever (until the device comes back)."""


class ModbusReadPlan:
    """Spans and their decode for a list of points. A span that is refused is split; a point refused alone is BAD."""

    def __init__(self, link: ModbusLink, points: Sequence[SignalPoint]) -> None:
        self._link = link
        self._asked = len(points)
        names = {point.name for point in points}
        hidden = {_modbus(p).scale_from for p in points} - names - {""}
        self._points = [*points, *(link.known[name] for name in sorted(hidden))]
        order = {point.name: k for k, point in enumerate(self._points)}
        self._scales = [(k, order[_modbus(p).scale_from]) for k, p in enumerate(self._points) if _modbus(p).scale_from]
        self._alone: set[int] = set()
        self._refused: set[int] = set()
        self._compile()

    def _compile(self) -> None:
        live = [k for k in range(len(self._points)) if k not in self._refused]
        points = [self._points[k] for k in live]
        alone = frozenset(position for position, k in enumerate(live) if k in self._alone)
        self._live = np.array(live, dtype=np.intp)
        self._spans = coalesce(self._link.profile, points, alone=alone)
        self._decoder = Decoder(self._link.profile, points, self._spans)
        self._raw = np.zeros(len(points))

    @property
    def spans(self) -> Sequence[Span]:
        """The requests of one read."""
        return self._spans

    async def read(self) -> Reply:
        """Ask for all spans and decode them at once."""
        missing: set[int] = set()
        for span in self._spans:
            try:
                data = await self._link.client.read(self._link.unit, span.function, span.address, span.count)
            except RefusedError as error:
                missing.update(self._learn(span, error))
                continue
            self._decoder.store(span, data)
        reply = Reply.empty(len(self._points))
        self._decoder.decode(self._raw)
        reply.raw[self._live] = self._raw
        for k, place, length, swapped in self._decoder.texts:
            text = self._decoder.text(place, length, swapped=swapped)
            reply.texts[int(self._live[k])] = printable(text.encode("latin-1"))
        for k, scale in self._scales:
            reply.raw[k] *= 10.0 ** reply.raw[scale]
        lost = missing | self._refused
        if lost:
            for k in lost:
                reply.qualities[k], reply.raw[k] = Quality.BAD_REFUSED, np.nan
                reply.texts.pop(k, None)
        if missing:
            self._compile()
        if self._asked != len(self._points):
            kept = {k: text for k, text in reply.texts.items() if k < self._asked}
            return Reply(reply.raw[: self._asked], reply.qualities[: self._asked], kept)
        return reply

    def _learn(self, span: Span, error: RefusedError) -> set[int]:
        members = {int(self._live[member]) for member in span.members}
        if error.vendor_code in _ILLEGAL:
            if len(members) > 1:
                self._alone |= members
            else:
                self._refused |= members
        return members


class ModbusLink:
    """One unit behind a Modbus connection (which other units may share)."""

    def __init__(
        self,
        profile: ModbusProfile,
        expansion: Expansion,
        client: ModbusClient,
        unit: int,
        release: Callable[[ModbusClient], Awaitable[None]],
    ) -> None:
        self._release = release
        self.profile = profile
        self.client = client
        self.unit = unit
        self.known = expansion.signals

    async def open(self) -> Sequence[SignalPoint]:
        """Connect. A Modbus map has what the profile says."""
        await self.client.open()
        return list(self.known.values())

    def plan(self, points: Sequence[SignalPoint]) -> ModbusReadPlan:
        """Coalesce the points into spans."""
        return ModbusReadPlan(self, points)

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:
        """What goes over the wire: a register, several, a bit of one, or a coil, with what unlocks it."""
        spec = control.spec
        assert isinstance(spec, ModbusControl)
        commands = []
        for unlock in spec.unlock:
            place = unlock.address - self.profile.modbus.address_base
            commands.append(Command("coil" if unlock.table == "coil" else "register", place, (unlock.value,)))
        address = modbus_address(self.profile, spec, control.row)
        raw = raw_value(control, value, word)
        commands.append(self._command(spec, address, raw))
        if spec.pulse:
            commands += [Command("pause", seconds=spec.pulse), self._command(spec, address, 0)]
        return commands

    def _command(self, spec: ModbusControl, address: int, raw: float) -> Command:
        if spec.table == "coil":
            return Command("coil", address, (int(bool(raw)),))
        mask = (1 << spec.bit) if spec.bit is not None else spec.mask
        if mask is not None:
            wanted = (int(raw) << spec.bit) if spec.bit is not None else int(raw)
            return Command("merge", address, (wanted,), mask)
        words = tuple(self._words(spec, raw))
        return Command("registers" if spec.write == "multiple" or len(words) > 1 else "register", address, words)

    def _words(self, spec: ModbusControl, raw: float) -> list[int]:
        kinds = {"u16": ">H", "bool": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "f32": ">f"}
        data = struct.pack(kinds[spec.type], raw if spec.type == "f32" else round(raw))
        words = [int.from_bytes(data[k : k + 2], "big") for k in range(0, len(data), 2)]
        order = spec.order or self.profile.modbus.order
        if order in ("CDAB", "DCBA"):
            words.reverse()
        if order in ("BADC", "DCBA"):
            words = [(word & 0xFF) << 8 | word >> 8 for word in words]
        return words

    async def write(self, control: ControlPoint, value: float, word: str) -> None:
        """Write a control; see `Link.write`."""
        await carry_out((self.client, self.unit), await self.commands(control, value, word))

    def reading(self, point: SignalPoint) -> Read:
        """How one signal is read on its own, before scaling."""
        spec = _modbus(point)
        address = modbus_address(self.profile, spec, point.row)
        return Read(
            function=FUNCTION[spec.table],
            address=address,
            count=spec.words_long,
            type=spec.type,
            order=spec.order or self.profile.modbus.order,
            bit=spec.bit,
            width=spec.width,
            mask=spec.mask,
            invert=low_mask(spec),
            magnitude=spec.sign == "magnitude",
            swap_string=spec.swap_string,
        )

    async def close(self) -> None:
        """Give the connection back; its last user closes it."""
        await self._release(self.client)

    def health(self) -> Mapping[str, int]:
        """Counters of the connection."""
        return asdict(self.client.counters)


def _modbus(point: SignalPoint) -> ModbusSignal:
    assert isinstance(point.spec, ModbusSignal)
    return point.spec
