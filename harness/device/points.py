"""Expansion of a profile into concrete points: `repeat` unrolled, names and addresses filled in.

No I/O happens here, so that a plan can be checked against it before anything is contacted.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from harness.quantity import SignalInfo, difference_unit
from harness.schema.profile import Control, Profile, Signal

LOADED = {"A": 0.5, "W": 100.0, "kW": 0.1, "VA": 100.0}
"""What a switch must carry to count as loaded, in the unit of the signal that shows it."""


@dataclass(frozen=True, slots=True)
class SignalPoint:
    """One concrete signal of a device: `outlet[7].current`. `row` is its repetition (1, 2, ...), 0 when none."""

    name: str
    spec: Signal
    group: str = ""
    row: int = 0

    def info(self, device: str) -> SignalInfo:
        """What is known of the signal without asking the device."""
        spec = self.spec
        return SignalInfo(
            name=f"{device}.{self.name}",
            unit=spec.unit,
            labels=spec.words(),
            flags={bit: word for word, bit in spec.flags.items()},
            is_text=spec.is_text,
            valid=spec.range or (-math.inf, math.inf),
            description=spec.description,
        )


@dataclass(frozen=True, slots=True)
class ControlPoint:
    """One concrete control of a device: `outlet[7]`. `confirm_by` is the name of the signal that confirms it."""

    name: str
    spec: Control
    group: str = ""
    row: int = 0
    confirm_by: str = ""
    shown_by: tuple[str, ...] = ()
    """The signals that show what the control really does."""

    @property
    def is_momentary(self) -> bool:
        """Whether it only does something once (`clear`): what its signal shows later is news, nobody undid anything."""
        return len(self.spec.takes) == 1 and not self.spec.energises


@dataclass(frozen=True, slots=True)
class Expansion:
    """All points of a device, by name."""

    signals: Mapping[str, SignalPoint]
    controls: Mapping[str, ControlPoint]
    absent: frozenset[str] = frozenset()
    """Controls of rows that the device was found not to have (8 outlets where the profile counts 48)."""

    def bank(self, name: str) -> list[ControlPoint]:
        """The controls that `name` stands for: itself, or all of a repetition (`outlet` -> outlet[1], ...).

        A bank holds the rows that the device has; all of the profile's when it has none, so that commanding the bank
        is refused instead of doing nothing.
        """
        if name in self.controls:
            return [self.controls[name]]
        bank = [point for point in self.controls.values() if point.row and point.name == f"{name}[{point.row}]"]
        return [point for point in bank if point.name not in self.absent] or bank


def expand(profile: Profile, counts: Mapping[str, int] | None = None) -> Expansion:
    """Unroll a profile; `counts` says how many of a repetition this device has (never more than the profile's)."""
    counts = counts or {}
    signals: dict[str, SignalPoint] = {name: SignalPoint(name, spec) for name, spec in profile.signals.items()}
    controls: dict[str, ControlPoint] = {
        name: ControlPoint(
            name,
            spec,
            confirm_by=spec.confirm.signal if spec.confirm else "",
            shown_by=tuple(signal for name in spec.shown for signal in _column(name, (), profile) or (name,)),
        )
        for name, spec in profile.controls.items()
    }
    for group, repeat in profile.repeat.items():
        own = {"": repeat.control} if repeat.control is not None else {}
        own |= {f".{column}": spec for column, spec in repeat.controls.items()}
        elsewhere = {name: _column(name, repeat.signals, profile) for spec in own.values() for name in spec.shown}
        for row in range(1, min(repeat.count, counts.get(group, repeat.count)) + 1):
            for column, spec in repeat.signals.items():
                name = f"{group}[{row}].{column}"
                signals[name] = SignalPoint(name, spec, group, row)
            for tail, control in own.items():
                confirm_by = _in_row(control.confirm.signal, group, row, repeat.signals) if control.confirm else ""
                shown = [elsewhere[name] or (_in_row(name, group, row, repeat.signals),) for name in control.shown]
                name = f"{group}[{row}]{tail}"
                controls[name] = ControlPoint(name, control, group, row, confirm_by, tuple(itertools.chain(*shown)))
    return Expansion(signals, controls)


def targets(controls: Mapping[str, ControlPoint], reference: str) -> list[ControlPoint]:
    """The controls of a device that `heartbeat`, `outlet` (a whole repetition) or `outlet.lease` (a column) mean."""
    if reference in controls:
        return [controls[reference]]
    group, _, column = reference.partition(".")
    tail = f".{column}" if column else ""
    return [point for point in controls.values() if point.row and point.name == f"{group}[{point.row}]{tail}"]


def _in_row(signal: str, group: str, row: int, columns: Collection[str]) -> str:
    """A signal of the same row where the repetition has it as a column, else one of the whole device."""
    return f"{group}[{row}].{signal}" if signal in columns else signal


def _column(name: str, columns: Collection[str], profile: Profile) -> tuple[str, ...]:
    """The signals of all rows of another repetition, where `name` means its column; () where it means one signal."""
    group, _, column = name.partition(".")
    repeat = profile.repeat.get(group) if name not in columns else None
    if repeat is None or column not in repeat.signals:
        return ()
    return tuple(f"{group}[{row}].{column}" for row in range(1, repeat.count + 1))


def fill(template: str, row: object, parameters: Mapping[str, int]) -> str:
    """Replace {i}, {i.0}, {i.1} ... and {name} in an OID, query or binding. Nothing is ever formatted or evaluated.

    {i} is `row`, an index such as `1.7`; {i.0} is its first number.
    """
    if "{" not in template:
        return template
    text = template.replace("{i}", str(row))
    if "{i." in text:
        for part, number in enumerate(str(row).split(".")):
            text = text.replace(f"{{i.{part}}}", number)
    for name, value in parameters.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def profile_problems(profile: Profile, plan: Expansion) -> list[tuple[tuple[str | int, ...], str]]:
    """What a profile's parts say of each other that cannot be: (location, message). `plan` is all of its points."""
    problems: list[tuple[tuple[str | int, ...], str]] = []
    problems += _match_problems(profile, plan)
    for field in ("model", "serial", "firmware"):
        name = getattr(profile.identity, field)
        if name and name not in plan.signals:
            problems.append((("identity", field), f"{name!r} is not a signal of this profile"))
    if profile.heartbeat and profile.heartbeat not in plan.signals:
        problems.append((("heartbeat",), f"{profile.heartbeat!r} is not a signal of this profile"))
    problems += _motion_problems(profile, plan)
    seen: set[str] = set()
    for point in plan.controls.values():
        where: tuple[str | int, ...] = ("repeat", point.group) if point.group else ("controls", point.name)
        if point.confirm_by and point.confirm_by not in plan.signals and (key := str(where)) not in seen:
            seen.add(key)
            problems.append((where, f"{point.name} is confirmed by {point.confirm_by!r}, which is no signal here"))
        if (why := _cannot_show(point, plan)) and (key := f"{where} shown") not in seen:
            seen.add(key)
            problems.append((where, f"{point.name} is shown by what cannot show it: {why}"))
    return problems


def _match_problems(profile: Profile, plan: Expansion) -> list[tuple[tuple[str | int, ...], str]]:
    """What the rules of the identity ask that no signal of the profile can answer."""
    problems: list[tuple[tuple[str | int, ...], str]] = []
    for k, rule in enumerate(profile.identity.match):
        where = ("identity", "match", k)
        found = {name: names_meant(name, plan.signals)[:1] for name in rule.signal}
        problems += [((*where, "signal"), f"{name!r} is no signal here") for name, known in found.items() if not known]
        specs = [plan.signals[name].spec for known in found.values() for name in known]
        if (rule.texts or rule.without) and not any(spec.is_text or spec.enum for spec in specs):
            problems.append(((*where, "signal"), f"{' and '.join(rule.signal)} shows no text to compare with"))
        if (rule.numbers or rule.range) and all(spec.is_text for spec in specs):
            problems.append(((*where, "signal"), f"{' and '.join(rule.signal)} shows no number to compare with"))
        cleared = [
            name for name in rule.signal if any(plan.signals[each].spec.is_cleared_by_reading for each in found[name])
        ]
        problems += [((*where, "signal"), f"reading {name} would clear it: it can prove nothing") for name in cleared]
    return problems


def names_meant(signal: str, names: Collection[str]) -> list[str]:
    """The signals that a rule of the identity means by one name: itself, or the column of a repetition, in its rows."""
    if signal in names:
        return [signal]
    group, _, column = signal.partition(".")
    return [name for name in names if name.startswith(f"{group}[") and name.endswith(f"].{column}")] if column else []


def _cannot_show(point: ControlPoint, plan: Expansion) -> str:
    """Why what `shown_by` names shows nothing of a control; '' when it does, or names nothing."""
    units = set(LOADED) if point.spec.energises else {point.spec.unit}
    for name in point.shown_by:
        spec = plan.signals[name].spec if name in plan.signals else None
        if spec is None or spec.is_text or spec.unit not in units or (point.spec.takes and not point.spec.energises):
            wanted = f"in {', '.join(units)}" if point.spec.energises else f"in the unit of {point.name}, a quantity"
            return f"{name!r} is no signal here {wanted}"
    return ""


def movers_of(point: SignalPoint, names: Collection[str], name: str) -> list[str]:
    """The signals of a device that `name` stands for beside one of its signals: itself, of its row, or a column."""
    if point.row and (own := f"{point.group}[{point.row}].{name}") in names:
        return [own]
    if name in names:
        return [name]
    group, _, column = name.partition(".")
    return [each for each in names if each.startswith(f"{group}[") and each.endswith(f"].{column}")]


def _motion_problems(profile: Profile, plan: Expansion) -> list[tuple[tuple[str | int, ...], str]]:
    """What the noise, movers and stamps of a profile name that is not there, or cannot be compared."""
    problems: dict[tuple[str | int, ...], str] = {}
    if profile.heartbeat in plan.signals and plan.signals[profile.heartbeat].spec.poll == "once":
        problems[("heartbeat",)] = f"{profile.heartbeat!r} is read once only; it can show no life"
    for point in plan.signals.values():
        key = point.name.rpartition(".")[2]
        where = ("repeat", point.group, "signals", key) if point.group else ("signals", point.name)
        for index, mover in enumerate(point.spec.moves_with):
            found = movers_of(point, plan.signals, mover.signal)
            place = (*where, "moves_with", index)
            if not found or point.name in found:
                problems[(*place, "signal")] = f"{mover.signal!r} is no other signal of this profile"
                continue
            spec = plan.signals[found[0]].spec
            if spec.is_text or spec.enum or spec.flags:
                problems[(*place, "signal")] = f"{mover.signal!r} shows words; name a number"
                continue
            try:
                mover.by.to(difference_unit(spec.unit))
            except ValueError as error:
                problems[(*place, "by")] = str(error)
        stamp = point.spec.stamp
        if stamp is not None:
            found = movers_of(point, plan.signals, stamp.signal)
            if len(found) != 1 or found == [point.name]:
                problems[(*where, "stamp", "signal")] = f"{stamp.signal!r} is no other signal of this profile"
            elif plan.signals[found[0]].spec.poll == "once":
                problems[(*where, "stamp", "signal")] = f"{stamp.signal!r} is read once only; it stamps nothing"
    return list(problems.items())
