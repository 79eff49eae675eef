"""A profile laid out as flat points: every repetition written out, every binding turned into something to call."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.quantity import unit as unit_of
from harness.schema.identity import Shown
from harness.schema.profile import Control, Profile, Signal, SimFlag
from sim.physics.feeds import scoped
from sim.twins.holding import Holding
from sim.twins.sources import Read, Sources

PLAUSIBLE = {
    "temperature": 25.0,
    "pressure": 100.0,
    "voltage": 230.0,
    "frequency": 50.0,
    "ratio": 50.0,
    "humidity": 45.0,
}
"""What an unbound signal of a kind shows, in its canonical unit."""

OWN = "own."
"""Begins the names of states that the device itself keeps, such as a setting without effect on the plant."""

WRONG_MODEL = "ANOTHER MODEL 9000"


@dataclass
class Twin:
    """The parts of a simulated device that no plant knows: who it is, since when it runs, and how it misbehaves."""

    name: str
    profile: Profile
    sources: Sources
    parameters: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    serial: str = ""
    pdu: str = ""
    """The PDU of the plant that this device is, by its name; `mains` for what sees all of them, "" for the only one."""
    booted_at: float = 0.0
    reboots: int = 0
    refuses: bool = False
    wrong_model: bool = False
    frozen_at: float = math.nan
    """When everything that it shows came to stand still, plant time in s; NaN: it did not."""
    sticks: bool = False
    """Commands are acknowledged and nothing happens."""
    shown: Holding = field(init=False)
    """The plant as this device shows it; commands and time go past it."""
    memory: dict[str, float] = field(default_factory=dict)
    """States that no plant knows (`own.remote`): as commanded, before that as the profile's binding says."""

    def __post_init__(self) -> None:
        self.parameters = {**self.profile.parameters, **self.parameters}
        self.serial = self.serial or f"SIM-{self.name}"
        self.shown = Holding(self.sources)

    def fill(self, template: str, index: int | None) -> str:
        """A template of the profile with {i} and the parameters put in."""
        text = template if index is None else template.replace("{i}", str(index))
        for name, value in self.parameters.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def variable(self, template: str, index: int | None) -> str:
        """What a binding of the profile is called in the plant."""
        return scoped(self.pdu, self.fill(template, index))

    def command(self, name: str, value: float, unit: str) -> None:
        """Move an input of the plant, or a state of the device's own; ValueError when it is out of range."""
        if self.sticks:
            return
        if name.startswith(OWN):
            self.memory[name] = value
        else:
            self.sources.command(name, value, unit)

    def uptime(self) -> float:
        """Seconds since the device started."""
        now = self.sources.now() if math.isnan(self.frozen_at) else self.frozen_at
        return max(0.0, now - self.booted_at)

    def freeze(self) -> None:
        """Show what it shows now for ever, its uptime too."""
        self.frozen_at = self.sources.now()
        self.shown.hold(math.inf, everything=True)

    def thaw(self) -> None:
        """Show what is."""
        self.frozen_at = math.nan
        self.shown.hold(0.0, everything=False)

    def reboot(self) -> None:
        """Start the device again: uptime from 0."""
        self.booted_at = self.sources.now()
        self.reboots += 1

    def indices(self, repeat: str) -> range:
        """The numbers of a repetition's rows; with `walk` those that the plant has."""
        spec = self.profile.repeat[repeat]
        first = int(getattr(spec, "first", 1))
        count = spec.count if repeat not in self.counts else min(self.counts[repeat], spec.count)
        if rows := getattr(spec, "sim_rows", 0):
            return range(first, first + min(rows, count))
        if getattr(spec, "walk", "") and repeat not in self.counts:
            bound = [s.sim.of for s in spec.signals.values() if s.sim and "{i}" in s.sim.of]
            present = [n for n in range(first, first + count) if any(self._is_there(of, n) for of in bound)]
            count = len(present) if bound else min(count, 8)
        return range(first, first + count)

    def row(self, repeat: str, index: int | None) -> str:
        """What a row of a repetition is called: by its place from 1, whatever index it has on the wire."""
        first = int(getattr(self.profile.repeat[repeat], "first", 1))
        return f"{repeat}[{(index or 0) - first + 1}]"

    def _is_there(self, template: str, index: int) -> bool:
        return self.sources.knows(self.variable(template, index))


@dataclass(frozen=True)
class Point:
    """One signal of the twin. `number` gives the value in the signal's unit, or raw when `is_raw`; or `text`."""

    name: str
    key: str
    spec: Any
    index: int | None
    variable: str
    number: Read | None
    text: Callable[[], str] | None
    is_raw: bool


def layout(twin: Twin) -> Iterator[tuple[str, str, int | None, Any, str]]:
    """Every (name, key in its group, index, signal, repetition) of the twin's profile."""
    for name, spec in twin.profile.signals.items():
        yield name, name, None, spec, ""
    for repeat, group in twin.profile.repeat.items():
        for index in twin.indices(repeat):
            for key, spec in group.signals.items():
                yield f"{twin.row(repeat, index)}.{key}", key, index, spec, repeat


def controls(twin: Twin) -> Iterator[tuple[str, str, int | None, Any, str]]:
    """Every (name, key in its group, index, control, repetition) of the twin's profile."""
    for name, spec in twin.profile.controls.items():
        yield name, name, None, spec, ""
    for repeat, group in twin.profile.repeat.items():
        for index in twin.indices(repeat):
            if group.control is not None:
                yield twin.row(repeat, index), "", index, group.control, repeat
            for key, spec in group.controls.items():
                yield f"{twin.row(repeat, index)}.{key}", key, index, spec, repeat


def points(twin: Twin) -> dict[str, Point]:
    """All signals of the twin by name."""
    return {name: bind_point(twin, name, key, spec, index) for name, key, index, spec, _ in layout(twin)}


def bind_point(twin: Twin, name: str, key: str, spec: Signal, index: int | None) -> Point:
    """One signal with what it shows; ConfigError for a variable that is not there, ValueError for a wrong unit."""
    of = twin.variable(spec.sim.of, index) if spec.sim else ""
    if of.startswith(OWN) and spec.sim is not None:
        twin.memory.setdefault(of, spec.sim.value or 0.0)
    if spec.is_text:
        return Point(name, key, spec, index, of, None, _text(twin, name, spec, index, of), is_raw=False)
    if spec.flags:
        return Point(name, key, spec, index, of, _flags(twin, name, spec, index), None, is_raw=True)
    if spec.enum or getattr(spec, "answers", None):
        return Point(name, key, spec, index, of, _enum(twin, name, spec, of), None, is_raw=True)
    return Point(name, key, spec, index, of, _number(twin, name, spec, of), None, is_raw=False)


def _variable(twin: Twin, of: str, unit: str, where: str) -> Read:
    if of.startswith(OWN):
        twin.memory.setdefault(of, 0.0)
        return lambda: twin.memory[of]
    if of == "twin.uptime":
        return twin.uptime
    if of == "twin.reboots":
        return _reboots(twin)
    if of == "twin.workload":
        return _workload(twin)
    return twin.shown.reader(of, unit, f"{twin.profile.profile} {where}")


def _reboots(twin: Twin) -> Read:
    """Restarts of the device and, after its first start, of the rack."""
    uptime = twin.shown.reader("rack.uptime", "s", twin.name)
    started: float | None = None
    seen = 0

    def count() -> float:
        nonlocal started, seen
        lived = uptime()
        if lived > 0.0:
            start = twin.sources.now() - lived
            if started is not None and start > started + 1.0:
                seen += 1
            started = start
        return float(twin.reboots + seen)

    return count


def _workload(twin: Twin) -> Read:
    """0: no power, 1: idle, 2: computing, 3: the trays start."""
    is_on = twin.shown.reader("rack.on", "", twin.name)
    is_booting = twin.shown.reader("rack.booting", "", twin.name)
    load = twin.shown.reader("rack.load", "%", twin.name)

    def state() -> float:
        if is_on() < 0.5:
            return 0.0
        if is_booting() > 0.5:
            return 3.0
        return 2.0 if load() > 0.5 else 1.0

    return state


def _number(twin: Twin, name: str, spec: Signal, of: str) -> Read:
    sim = spec.sim
    if of:
        read = _variable(twin, of, spec.unit, name)
        factor = sim.factor if sim else 1.0
        return twin.shown.scaled(read, factor)
    if sim is not None and sim.value is not None:
        constant = sim.value
    else:
        known = unit_of(spec.unit)
        constant = (PLAUSIBLE.get(known.kind, 0.0) - known.offset) / known.factor
        if spec.range is not None:
            constant = min(max(constant, spec.range[0]), spec.range[1])
    return _identifying(twin, name, spec, constant)


def _identifying(twin: Twin, name: str, spec: Signal, constant: float) -> Read:
    """The number of an unbound signal: one by which the device is known, and another when it is to be another."""
    rules = [rule for rule in twin.profile.identity.match if rule.signal == (name,) and rule.numbers]
    if not rules:
        return lambda: constant
    if spec.sim is None:
        constant = rules[0].numbers[0]
    other = max(rules[0].numbers) + spec.resolution
    return lambda: other if twin.wrong_model else constant


def _enum(twin: Twin, name: str, spec: Signal, of: str) -> Read:
    """Raw value of the word that is nearest to the variable."""
    raw = {word: float(each[0] if isinstance(each, tuple) else each) for word, each in spec.enum.items()}
    words = raw or {word: float(n) for n, word in enumerate(getattr(spec, "answers", {}))}
    if not of:
        chosen = spec.sim.text if spec.sim and spec.sim.text else next(iter(words))
        constant = spec.sim.value if spec.sim and spec.sim.value is not None else words[chosen]
        return lambda: constant
    read = _variable(twin, of, "", name)
    table = [(value, words[word]) for word, value in spec.sim.words.items()] if spec.sim else []
    if not table:
        return read

    exact = dict(table)

    def nearest() -> float:
        value = read()
        code = exact.get(value)
        if code is not None:
            return code
        if value != value:  # the sensor behind it is dead
            return words.get("fault", table[0][1])
        return min(table, key=lambda entry: abs(entry[0] - value))[1]

    return nearest


def _flags(twin: Twin, name: str, spec: Signal, index: int | None) -> Read:
    idle = sum(1 << spec.flags[flag] for flag in spec.active_low)
    rules: list[tuple[int, Callable[[], bool]]] = []
    for flag, rule in (spec.sim.flags if spec.sim else {}).items():
        rules.append((1 << spec.flags[flag], _is_set(twin, name, rule, index)))

    def word() -> float:
        value = idle
        for bit, is_set in rules:
            if is_set():
                value ^= bit
        return float(value)

    return word


def _is_set(twin: Twin, name: str, rule: SimFlag, index: int | None) -> Callable[[], bool]:
    read = _variable(twin, twin.variable(rule.of, index), "", name)
    above, below = rule.above, rule.below
    if above is None and below is None:
        return lambda: read() != 0.0
    high = float("inf") if above is None else above
    low = float("-inf") if below is None else below
    return lambda: not low <= read() <= high


def _text(twin: Twin, name: str, spec: Signal, index: int | None, of: str) -> Callable[[], str]:
    if of == "twin.serial":
        return lambda: twin.serial
    if of:
        read = _variable(twin, of, "", name)
        return lambda: neighbor(read())
    constant = twin.fill(spec.sim.text, index) if spec.sim and spec.sim.text else "SIM"
    rules = [rule for rule in twin.profile.identity.match if name in rule.signal and rule.texts]
    misfit = (
        rule.texts[0] for rule in rules if rule.signal == (name,) and not rule.holds(Shown(constant, is_there=True))
    )
    constant = next(misfit, constant)
    if rules:
        return lambda: WRONG_MODEL if twin.wrong_model else constant
    return lambda: constant


def neighbor(number: float) -> str:
    """System name of the other end of a cable by its number in the plant; '' when there is none."""
    return f"tray-{number:02.0f}" if number >= 0.5 else ""


def command_value(control: Control, word: str, value: float) -> float:
    """What the plant is told for a word (`sim_words`) or a number."""
    return control.sim_words.get(word, value) if word else value
