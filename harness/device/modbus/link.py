"""A device on Modbus: coalesced reads, confirmed-size writes, refused registers learnt and left out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import cast

import numpy as np

from harness.device.link import PlainLink, Reply, raw_value
from harness.device.modbus import types as modbus_types
from harness.device.modbus.channel import ModbusChannel
from harness.device.modbus.place import modbus_address
from harness.device.modbus.plan import FUNCTION, Decoder, Span, coalesce
from harness.device.modbus.refusals import Refusals
from harness.device.points import ControlPoint, Expansion, SignalPoint
from harness.device.texts import printable
from harness.device.wire import Command, Read, carry_out
from harness.errors import RefusedError, UnreachableError
from harness.quantity import Quality
from harness.schema.profiles.modbus import ModbusControl, ModbusProfile, ModbusSignal
from harness.transport.modbus import ModbusClient

_BUS_SHARE = 0.2
"""Share of a serial bus' time that silent units may take together."""
_UNIT_DOWN = (10, 11)
"""Exception codes by which a gateway says that the unit behind it does not answer."""
_MOST_DIGITS = 10
"""Powers of ten that a scale register may hold (SunSpec: -10 to 10); anything else means that there is no scale."""
_ILLEGAL = (1, 2, 3)
"""Exception codes that mean: not this register, at present."""


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
        self._refusals = Refusals([point.name for point in self._points])
        self._age = link.age
        self._compile(self._refusals.live(0.0))

    def _compile(self, live: list[int]) -> None:
        points = [self._points[k] for k in live]
        alone = frozenset(position for position, k in enumerate(live) if k in self._refusals.alone)
        self._live = np.array(live, dtype=np.intp)
        self._spans = coalesce(self._link.profile, points, alone=alone)
        self._members = [frozenset(live[member] for member in span.members) for span in self._spans]
        self._decoder = Decoder(self._link.profile, points, self._spans)
        self._raw = np.zeros(len(points))
        self._compiled = live, self._refusals.changes
        self._left_out = set(range(len(self._points))) - set(live)

    @property
    def spans(self) -> Sequence[Span]:
        """The requests of one read."""
        return self._spans

    def _prepare(self, *, is_urgent: bool) -> None:
        """Compile again for what is due by now, if that has changed."""
        if self._age != self._link.age:
            self._age = self._link.age
            self._refusals.hasten()
        live = self._refusals.live(asyncio.get_running_loop().time(), is_urgent=is_urgent)
        if self._compiled != (live, self._refusals.changes):
            self._compile(live)

    async def read(self, *, is_urgent: bool = False) -> Reply:
        """Ask for all spans and decode them at once; again in single pieces, when a span was wider than the device."""
        self._prepare(is_urgent=is_urgent)
        reply = await self._ask()
        if self._refusals.take_too_wide():
            self._prepare(is_urgent=is_urgent)
            first, reply = reply, await self._ask()
            reply.notes[:0] = first.notes
            reply.refusals += first.refusals
        return self._asked_part(reply)

    async def _ask(self) -> Reply:
        """One round of requests."""
        missing: set[int] = set()
        reply = Reply.empty(len(self._points))
        for span, members in zip(self._spans, self._members, strict=True):
            try:
                data = await self._link.client.read(self._link.unit, span.function, span.address, span.count)
            except RefusedError as error:
                if error.vendor_code in _UNIT_DOWN:
                    raise UnreachableError(
                        f"the gateway cannot reach unit {self._link.unit}: {error.message}",
                        operation=error.operation,
                        hint="the gateway answers: check the unit behind it, its number, its power and its bus",
                    ) from error
                reply.refusals += 1
                missing |= members
                if error.vendor_code in _ILLEGAL:
                    reply.notes += self._refusals.refused(span, members, f"{error.message} at address {span.address}")
                continue
            reply.notes += self._refusals.read(span, members)
            self._decoder.store(span, data)
        self._refusals.settle()
        self._decode(reply)
        for k in missing | self._left_out:
            reply.qualities[k], reply.raw[k] = Quality.BAD_REFUSED, np.nan
            reply.texts.pop(k, None)
        return reply

    def _decode(self, reply: Reply) -> None:
        undecodable = self._decoder.decode(self._raw)
        reply.raw[self._live] = self._raw
        for k in undecodable:
            reply.qualities[self._live[k]] = Quality.BAD_DECODE
        for k, place, spec, order in self._decoder.texts:
            text = self._decoder.text(place, spec, order)
            reply.texts[int(self._live[k])] = printable(text.encode("latin-1"))
        if self._scales:
            reply.gain, reply.shift = np.ones(len(self._points)), np.zeros(len(self._points))
            for k, scale in self._scales:
                exponent = reply.raw[scale]
                reply.gain[k] = 10.0**exponent if abs(exponent) <= _MOST_DIGITS else np.nan

    def _asked_part(self, reply: Reply) -> Reply:
        """The reply without the scales that were read along."""
        if self._asked == len(self._points):
            return reply
        kept = {k: text for k, text in reply.texts.items() if k < self._asked}
        asked = slice(self._asked)
        gain, shift = (None if each is None else each[asked] for each in (reply.gain, reply.shift))
        return Reply(reply.raw[asked], reply.qualities[asked], kept, gain, shift, reply.notes, reply.refusals)


class ModbusLink(PlainLink):
    """One unit behind a Modbus connection (which other units may share)."""

    def __init__(
        self,
        profile: ModbusProfile,
        expansion: Expansion,
        client: ModbusClient,
        unit: int,
        release: Callable[[ModbusClient], Awaitable[None]],
        sharers: Callable[[ModbusClient], int] = lambda _: 1,
    ) -> None:
        """`sharers` says how many units use the client."""
        self._release = release
        self._sharers = sharers
        self._clock_set = self._fed = -math.inf
        self._beats = 0
        self.age = 0
        """How often the device came back: read plans ask for what was refused when it changes."""
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

    @property
    def channel(self) -> ModbusChannel:
        """The client and the unit, for compiled commands."""
        return ModbusChannel(self.client, self.unit)

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:
        """What goes over the wire: a register, several, a bit of one, or a coil, with what unlocks it."""
        spec = cast("ModbusControl", control.spec)
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
            return Command("coils" if spec.write == "multiple" else "coil", address, (int(bool(raw)),))
        mask = (1 << spec.bit) if spec.bit is not None else spec.mask
        if mask is not None:
            wanted = (int(raw) << spec.bit) if spec.bit is not None else int(raw)
            return Command("mask" if spec.write == "mask" else "merge", address, (wanted,), mask)
        words = modbus_types.words(spec.type, raw, spec.order or self.profile.modbus.order)
        return Command("registers" if spec.write == "multiple" or len(words) > 1 else "register", address, words)

    async def keep_alive(self, wall_ns: int, now: float) -> None:
        """Set the device's clock and feed its watchdog when they are due; see `Link.keep_alive`."""
        clock, watchdog = self.profile.modbus.clock, self.profile.modbus.watchdog
        base = self.profile.modbus.address_base
        if clock is not None and now - self._clock_set >= clock.every:
            words = modbus_types.words("u32", wall_ns // 1_000_000_000, clock.order or self.profile.modbus.order)
            await self.client.write_registers(self.unit, clock.address - base, words)
            self._clock_set = now
        if watchdog is not None and now - self._fed >= watchdog.every - 0.05:
            self._beats = self._beats % 0xFFFF + 1
            beat = self._beats if watchdog.value is None else watchdog.value
            await self.client.write_register(self.unit, watchdog.address - base, beat)
            self._fed = now

    def renew(self) -> None:
        """Ask again at once for what was refused; see `Link.renew`."""
        self.age += 1
        self._clock_set = self._fed = -math.inf

    @property
    def patience(self) -> float:
        """On a serial bus: so long that all its units, were they silent, would take a fifth of its time."""
        sharers = self._sharers(self.client)
        if self.client.framing == "tcp" or sharers < 2:
            return 0.0
        return 2 * self.client.timeout * sharers / _BUS_SHARE

    async def write(self, control: ControlPoint, value: float, word: str) -> None:
        """Write a control; see `Link.write`."""
        await carry_out(self.channel, await self.commands(control, value, word))

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
            magnitude=spec.sign == "magnitude",
            swap_string=spec.swap_string,
            characters=spec.characters,
        )

    async def close(self) -> None:
        """Give the connection back; its last user closes it."""
        await self._release(self.client)

    def health(self) -> Mapping[str, int]:
        """Counters of the connection."""
        return asdict(self.client.counters)


def _modbus(point: SignalPoint) -> ModbusSignal:
    return cast("ModbusSignal", point.spec)
