"""An instrument that speaks SCPI: one query for all signals that share it, errors drained after every setting."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import cast

from harness.device.link import PlainLink, Reply, raw_value
from harness.device.points import ControlPoint, Expansion, SignalPoint, fill
from harness.device.scpi.channel import ScpiChannel
from harness.device.texts import printable
from harness.device.wire import Command, Read, carry_out, number_of
from harness.errors import RefusedError
from harness.quantity import Quality
from harness.schema.profiles.scpi import ScpiControl, ScpiProfile, ScpiSignal
from harness.transport.visa.instrument import Instrument

_LONGEST_SHOWN = 48
_BEGINS = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?")
_COMMA = re.compile(r",[0-9]+$")
_NOT_A_NUMBER = 9.905e37
_OVERFLOW = 9.9e37
"""IEEE 488.2 / SCPI-99: 9.9E37 and above mean infinity (overload), 9.91E37 not a number."""


class _Place:
    """Where a point is in the answer to its query, and what its words mean."""

    def __init__(self, k: int, point: SignalPoint) -> None:
        spec = self.spec = _scpi(point)
        self.k = k
        self.index = -1
        """The field of a list; -1: the whole answer."""
        if spec.parse in ("list", "field"):
            self.index = spec.index + spec.stride * max(0, point.row - 1)
        codes = {shown: code for code, shown in spec.words().items()}
        self.codes = {text.upper(): codes[word] for word, text in spec.answers.items() if word in codes}
        """The code of each answer, in capitals."""


class ScpiReadPlan:
    """Queries in a fixed order, each with the points it serves."""

    def __init__(self, link: ScpiLink, points: Sequence[SignalPoint]) -> None:
        self._link = link
        self._count = len(points)
        self._queries: dict[str, list[_Place]] = {}
        for k, point in enumerate(points):
            self._queries.setdefault(link.query(point), []).append(_Place(k, point))

    async def read(self, *, is_urgent: bool = False) -> Reply:  # noqa: ARG002 (every query is asked every time)
        """Ask every query once."""
        reply = Reply.empty(self._count)
        for query, members in self._queries.items():
            answer = (await self._link.instrument.query(query)).strip()
            parts = answer.split(",")
            for place in members:
                self._take(reply, place, answer, parts)
        return reply

    @staticmethod
    def _take(reply: Reply, place: _Place, answer: str, parts: Sequence[str]) -> None:
        k, spec, part = place.k, place.spec, answer
        if place.index >= 0:
            if place.index >= len(parts):
                reply.qualities[k] = Quality.BAD_MISSING
                reply.reasons[k] = f"it answers {_shown(answer)}, of which there is no value number {place.index + 1}"
                return
            part = parts[place.index].strip()
        if spec.is_text:
            reply.texts[k] = printable(part.strip('"').encode())
        elif spec.parse == "word":
            code = place.codes.get(part.upper())
            if code is None:
                reply.qualities[k] = Quality.BAD_DECODE
                reply.reasons[k] = f"it answers {_shown(part)}, which is none of {', '.join(place.codes)}"
            else:
                reply.raw[k] = code
        elif spec.suffix and not part.endswith(spec.suffix):
            reply.qualities[k] = Quality.BAD_DECODE
            reply.reasons[k] = f"it answers {_shown(part)}, without the {spec.suffix!r} that its profile expects"
        else:
            number = reply.raw[k] = _number(part.removesuffix(spec.suffix))
            if number != number:
                reply.qualities[k] = Quality.BAD_NAN
                reply.reasons[k] = f"it answers {_shown(part)}, {_no_number(part)}"


def _shown(answer: str) -> str:
    """An answer as it came, short."""
    return repr(answer[:_LONGEST_SHOWN] + ("..." if len(answer) > _LONGEST_SHOWN else ""))


def _no_number(part: str) -> str:
    """Why an answer is no measurement."""
    value = number_of(part)
    if value == value:
        return "which means not a number" if abs(value) >= _NOT_A_NUMBER else "which means overload"
    found = _BEGINS.match(part)
    if found is None:
        return "which is no number"
    rest = part[found.end() :]
    if _COMMA.match(rest):
        return "a decimal comma: set the instrument to decimal points"
    return f"a number with {rest.strip()!r} behind it: its profile expects no unit there (`suffix`)"


class ScpiLink(PlainLink):
    """One instrument."""

    def __init__(
        self, profile: ScpiProfile, expansion: Expansion, instrument: Instrument, parameters: Mapping[str, int]
    ) -> None:
        self.profile = profile
        self.instrument = instrument
        self._expansion = expansion
        self._parameters = {**profile.parameters, **parameters}
        self._is_configured = False

    async def open(self) -> Sequence[SignalPoint]:
        """Open the session, clear the error queue, and put the instrument under remote control as the profile says."""
        await self.instrument.open()
        await self._configure()
        return list(self._expansion.signals.values())

    async def _configure(self) -> None:
        options = self.profile.scpi
        for command in options.at_open:
            await self.instrument.write(fill(command, 0, self._parameters))
        self._is_configured = True
        errors = await self.instrument.drain_errors(options.error_query) if options.error_query else []
        if errors and "*CLS" in options.at_open:  # without it these may be errors of somebody else's, of long ago
            raise RefusedError(
                f"the instrument refused its configuration: {'; '.join(errors[:3])}",
                operation="configure",
                vendor_code=errors[0],
                hint="see at_open in the profile; an option or a card may be missing",
            )

    def query(self, point: SignalPoint) -> str:
        """The query text of a point."""
        return fill(_scpi(point).query, self._channel(point), self._parameters)

    def _channel(self, point: SignalPoint | ControlPoint) -> int:
        return self.profile.repeat[point.group].first + point.row - 1 if point.group else 0

    def plan(self, points: Sequence[SignalPoint]) -> ScpiReadPlan:
        """Group the points by query."""
        return ScpiReadPlan(self, points)

    @property
    def channel(self) -> ScpiChannel:
        """The instrument, for compiled commands."""
        return ScpiChannel(self.instrument)

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:
        """What goes over the wire: one line, and the query that its errors are drained with."""
        spec = cast("ScpiControl", control.spec)
        if word in spec.texts:
            line = spec.texts[word]
        else:
            line = spec.set.replace("{value}", f"{raw_value(control, value, word):.9g}")
        line = fill(line, self._channel(control), self._parameters)
        return [Command("say", text=line, errors=self.profile.scpi.error_query)]

    async def write(self, control: ControlPoint, value: float, word: str) -> None:
        """Send a setting and drain the error queue; an error there means refused. See `Link.write`."""
        await carry_out(self.channel, await self.commands(control, value, word))

    def reading(self, point: SignalPoint) -> Read:
        """How one signal is read on its own, before scaling."""
        spec = _scpi(point)
        codes = {word: code for code, word in spec.words().items()}
        answers = {text.upper(): codes[word] for word, text in spec.answers.items() if word in codes}
        return Read(
            type=spec.parse,
            query=self.query(point),
            index=spec.index + spec.stride * max(0, point.row - 1),
            answers=answers if spec.parse == "word" else None,
            suffix=spec.suffix,
        )

    async def keep_alive(self, wall_ns: int, now: float) -> None:  # noqa: ARG002
        """Configure the instrument again when it was away: it may have been switched off. See `Link.keep_alive`."""
        if not self._is_configured:
            await self._configure()

    def renew(self) -> None:
        """The instrument may have forgotten its configuration; see `Link.renew`."""
        self._is_configured = False

    async def close(self) -> None:
        """Close the session."""
        await self.instrument.close()

    def health(self) -> Mapping[str, int]:
        """Counters of the session."""
        return asdict(self.instrument.counters)


def _scpi(point: SignalPoint) -> ScpiSignal:
    return cast("ScpiSignal", point.spec)


def _number(text: str) -> float:
    value = number_of(text)
    return value if abs(value) < _OVERFLOW else math.nan
