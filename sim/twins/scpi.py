"""The SCPI twin: an instrument whose queries and commands are those of a profile."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from harness.schema.profiles.scpi import ScpiControl, ScpiProfile, ScpiSignal
from sim.servers.scpi import Call, Function, ScpiError, ScpiInterpreter, Talk
from sim.servers.scpi_values import split
from sim.twins.points import Point, Twin, command_value, controls, points

EXECUTION_ERROR = -200
OUT_OF_RANGE = -222
OVERLOAD = 9.9e37


class Instrument(ScpiInterpreter):
    """An interpreter that also knows whole lines.

    Compound commands such as `CHAN 2;:CURR 5` mean something only together: the first part chooses what the second
    part sets.
    """

    def __init__(self) -> None:
        super().__init__("SIMULATED")
        self._lines: dict[str, Function] = {}
        self._harmless: set[Function] = set()
        self._ready: dict[str, tuple[Function, Call] | None] = {}
        self._settings: list[tuple[str, str, Function]] = []

    def declare(self, line: str, function: Function) -> None:
        """Declare a command or query as the profile writes it; `{value}` is its parameter."""
        self._ready.clear()
        if ";" not in line:
            self.on(_header(line), function)
        elif "{value}" in line:
            before, _, after = _plain(line).partition("{VALUE}")
            self._settings.append((before, after, function))
        else:
            self._lines[_plain(line)] = function

    def declare_query(self, line: str, function: Function) -> None:
        """Declare a query that changes nothing in the instrument."""
        self._harmless.add(function)
        self.declare(line, function)

    def answer(self, line: str) -> str | None:
        """The answer to a query that changes nothing; None for any other line, and for one that is an error."""
        if line not in self._ready:
            self._ready[line] = self._resolve(line)
        found = self._ready[line]
        if found is None:
            return None
        function, call = found
        try:
            return str(function(call))
        except ScpiError:
            return None

    def _resolve(self, line: str) -> tuple[Function, Call] | None:
        """The harmless function that `handle` would call for a line, and what it would call it with."""
        text = _plain(line)
        function = self._lines.get(text)
        if function is not None:
            return (function, Call(text, (), ())) if function in self._harmless else None
        if ";" in line:
            return None
        header, _, rest = line.strip().partition(" ")
        try:
            function, _, suffixes = self._find(header.upper().removeprefix(":"))
        except ScpiError:
            return None
        parameters = tuple(part.strip() for part in split(rest, ",")) if rest.strip() else ()
        return (function, Call(header, parameters, suffixes)) if function in self._harmless else None

    def answer_errors(self, query: str) -> None:
        """Let `query` take the oldest entry of the error queue, whatever this maker calls it."""
        self.on(_header(query), self._next_error)

    def handle(self, line: str) -> str | None:
        """Obey one line."""
        text = _plain(line)
        function = self._lines.get(text)
        parameters: tuple[str, ...] = ()
        for before, after, setter in self._settings if function is None and ";" in text else ():
            if text.startswith(before) and text.endswith(after) and len(text) > len(before) + len(after):
                function, parameters = setter, (text[len(before) : len(text) - len(after)].strip(),)
                break
        if function is None:
            return super().handle(line)
        try:
            value = function(Call(text, parameters, ()))
        except ScpiError as error:
            self.push_error(error.code, str(error))
            return None
        return None if value is None else str(value)


def _plain(line: str) -> str:
    """A line in capitals with single spaces."""
    return " ".join(line.upper().split())


def instrument(twin: Twin) -> ScpiInterpreter:
    """An interpreter with every query and command of the twin's profile."""
    profile = twin.profile
    if not isinstance(profile, ScpiProfile):
        raise TypeError(f"expected a SCPI profile, got {profile.profile}")
    device = Instrument()
    if profile.scpi.error_query:
        device.answer_errors(profile.scpi.error_query)
    for command in profile.scpi.at_open:
        if not command.startswith("*"):
            device.declare(twin.fill(command, None), lambda _: None)
    elements: dict[str, dict[int, _Field]] = {}
    for point in points(twin).values():
        spec: ScpiSignal = point.spec
        first = _first(profile, point.name)
        index = spec.index + (0 if point.index is None else (point.index - first) * spec.stride)
        elements.setdefault(twin.fill(spec.query, point.index), {})[index] = _answer(point, spec)
    by_header: dict[str, dict[str, Function]] = {}
    for query, parts in elements.items():
        header, _, rest = (query, "", "") if ";" in query else query.partition(" ")
        by_header.setdefault(header, {})[_squeezed(rest)] = _reply(twin, parts)
    for header, replies in by_header.items():
        device.declare_query(header, _one_of(replies))
    for _, _, number, control, _ in controls(twin):
        _add_control(device, twin, control, number)
    return device


def talk(profile: ScpiProfile) -> Talk:
    """What the profile's instrument says besides its answers."""
    said = profile.scpi
    prompt = said.prompt.encode()
    lines = b"".join(line.encode() + b"\r\n" for line in said.greeting or ())
    acknowledge = b"" if said.acknowledge is None else said.acknowledge.encode() + b"\r\n"
    return Talk(b"" if said.greeting is None else lines + prompt, prompt, acknowledge, said.echo)


def _first(profile: ScpiProfile, name: str) -> int:
    repeat = profile.repeat.get(name.partition("[")[0])
    return repeat.first if repeat is not None else 0


def _header(line: str) -> str:
    """The header of a command line, in capitals as written: the short and the only form."""
    return line.split(" ", 1)[0].upper().lstrip(":")


def _zero() -> float:
    return 0.0


class _Field(NamedTuple):
    """One field of an answer: how to read its number, and how to show it (a text shows itself)."""

    read: Callable[[], float]
    show: Callable[[float], str]


_NOTHING = _Field(_zero, lambda _: "0")


def _answer(point: Point, spec: ScpiSignal) -> _Field:
    if point.text is not None:
        text = point.text
        return _Field(_zero, lambda _: text())
    read = point.number if point.number is not None else _zero
    if spec.parse == "word":
        raw = {float(each[0] if isinstance(each, tuple) else each): word for word, each in spec.enum.items()}
        words = raw or {float(n): word for n, word in enumerate(spec.answers)}
        return _Field(read, lambda value: spec.answers.get(words.get(value, ""), ""))
    absent = spec.sentinels[0] if spec.sentinels else OVERLOAD
    slope, is_whole = 2.0**spec.precision / spec.scale, bool(spec.counter or point.is_raw)
    is_plain = point.is_raw or (slope == 1.0 and not spec.offset)

    def number(value: float) -> str:
        if math.isnan(value):
            value = absent
        elif not is_plain:
            value = (value - spec.offset) * 2.0**spec.precision / spec.scale
        if is_whole:
            return f"{value:.0f}{spec.suffix}"
        return f"{value:+.8E}{spec.suffix}"

    return _Field(read, number)


def _squeezed(parameters: str) -> str:
    return parameters.replace(" ", "").upper()


def _one_of(replies: dict[str, Function]) -> Function:
    """The reply to the parameters that a query comes with; a query that is known without any takes whatever comes."""

    def reply(call: Call) -> object:
        found = replies.get(_squeezed(",".join(call.parameters))) or replies.get("")
        if found is None:
            raise ScpiError(OUT_OF_RANGE)
        return found(call)

    return reply


def _reply(twin: Twin, parts: dict[int, _Field]) -> Function:
    fields = [parts.get(at, _NOTHING) for at in range(max(parts) + 1)]
    numbers = twin.shown.together([field.read for field in fields])
    shown = [field.show for field in fields]

    def reply(_: Call) -> str:
        if twin.refuses:
            raise ScpiError(EXECUTION_ERROR)
        twin.sources.refresh()
        return ",".join([show(value) for show, value in zip(shown, numbers().tolist(), strict=True)])

    return reply


def _add_control(device: Instrument, twin: Twin, control: ScpiControl, index: int | None) -> None:
    plant = twin.variable(control.sim, index)
    if control.set:
        line = twin.fill(control.set, index)
        device.declare(line, _setter(twin, control, plant, line))
        return
    by_header: dict[str, dict[str, str]] = {}
    for word, text in control.texts.items():
        if ";" in text:
            device.declare(twin.fill(text, index), _fixed(twin, control, plant, word))
            continue
        header, _, rest = twin.fill(text, index).partition(" ")
        by_header.setdefault(_header(header), {})[rest.strip().upper()] = word
    for header, words in by_header.items():
        device.on(header, _chooser(twin, control, plant, words))


def _setter(twin: Twin, control: ScpiControl, plant: str, line: str) -> Callable[[Call], object]:
    """`CURR {value},(@1)`: the number is the parameter where {value} stands."""
    places = line.partition(" ")[2].split(",") if ";" not in line else ["{value}"]
    place = next((at for at, part in enumerate(places) if "{value}" in part), 0)

    def obey(call: Call) -> None:
        number = call.number(place)
        word = next((word for word, code in control.commands.items() if code == number), "")
        if word:
            _command(twin, plant, command_value(control, word, number), "")
            return
        value = control.offset + control.scale * number / 2.0**control.precision
        if control.range is not None and not control.range[0] - 1e-9 <= value <= control.range[1] + 1e-9:
            raise ScpiError(OUT_OF_RANGE)
        _command(twin, plant, value, control.unit)

    return obey


def _chooser(twin: Twin, control: ScpiControl, plant: str, words: dict[str, str]) -> Callable[[Call], object]:
    """`LOAD ON`, `LOAD OFF`: the parameters say the word."""

    def obey(call: Call) -> None:
        word = words.get(",".join(call.parameters).upper())
        if word is None:
            raise ScpiError(-141)
        _choose(twin, control, plant, word)

    return obey


def _fixed(twin: Twin, control: ScpiControl, plant: str, word: str) -> Callable[[Call], object]:
    """A whole line that stands for one word."""
    return lambda _: _choose(twin, control, plant, word)


def _choose(twin: Twin, control: ScpiControl, plant: str, word: str) -> None:
    """Tell the plant a word; without a number of its own it is the word's place in the profile."""
    _command(twin, plant, command_value(control, word, float(list(control.texts).index(word))), "")


def _command(twin: Twin, plant: str, value: float, unit: str) -> None:
    if twin.refuses:
        raise ScpiError(EXECUTION_ERROR)
    if plant:
        try:
            twin.command(plant, value, unit)
        except ValueError:
            raise ScpiError(OUT_OF_RANGE) from None
