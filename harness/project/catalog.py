"""What a station offers, known without contacting it: every signal and control by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.device.points import ControlPoint, Expansion, expand
from harness.limits.derived import FUNCTIONS
from harness.limits.uncertainty import Accuracy, accuracy_of
from harness.quantity import Quantity, SignalInfo, unit
from harness.schema.fields import LocatedError, one_by_one
from harness.schema.profile import Profile
from harness.schema.station import Derived, DeviceEntry
from harness.spelling import Guesses


@dataclass(slots=True)
class Catalog:
    """Signals and controls of a station."""

    signals: dict[str, SignalInfo] = field(default_factory=dict)
    banks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """`pdu.outlet.current` -> (`pdu.outlet[1].current`, ...)."""
    expansions: dict[str, Expansion] = field(default_factory=dict)
    profiles: dict[str, Profile] = field(default_factory=dict)
    derived: dict[str, Derived] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    """signal -> device; derived signals belong to `derived`."""
    polls: dict[str, float] = field(default_factory=dict)
    """device -> seconds between its frames."""
    accuracy: dict[str, Accuracy] = field(default_factory=dict)
    """signal -> the limit of its error, where the station declares it."""
    unknown: set[str] = field(default_factory=set)
    """Devices that stand in the station file but could not be loaded."""
    guesses: Guesses = field(default_factory=Guesses)
    """What misspelt names probably meant, as far as one check has time for it."""

    def add_device(self, name: str, entry: DeviceEntry, profile: Profile) -> None:
        """Take in a device's signals and controls."""
        expansion = expand(profile, entry.counts)
        self.expansions[name] = expansion
        self.profiles[name] = profile
        self.polls[name] = entry.poll
        for point in expansion.signals.values():
            info = point.info(name)
            self.signals[info.name] = info
            self.owner[info.name] = name
            if point.row:
                column = point.name.partition("].")[2]
                bank = f"{name}.{point.group}.{column}"
                self.banks[bank] = (*self.banks.get(bank, ()), info.name)

    def add_derived(self, name: str, derived: Derived) -> None:
        """Take in a derived signal. ValueError when its function, inputs or units do not fit."""
        function = FUNCTIONS.get(derived.function)
        if function is None:
            raise ValueError(f"unknown function {derived.function!r}{did_you_mean(derived.function, FUNCTIONS)}")
        if name in self.signals:
            raise ValueError(f"{name} is already a signal")
        if misfit := function.misfit(derived.inputs):
            raise ValueError(f"{derived.function} {misfit}")
        first: str | None = None
        for key, reference in derived.inputs.items():
            info = self.signals.get(reference)
            if info is None:
                raise LocatedError(
                    f"unknown signal {reference!r}{self.guesses.hint(reference, self.signals)}", "inputs", key
                )
            first = info.unit if first is None else first
            function.refuse(key, info, first)
        own = function.result_unit(first or "")
        if derived.unit and unit(derived.unit).kind != unit(own).kind:
            raise LocatedError(
                f"{derived.unit!r} is a {unit(derived.unit).kind}, "
                f"but {derived.function} gives a {unit(own).kind} here; "
                f"write {own or 'no unit'}, or another of that kind",
                "unit",
            )
        self.derived[name] = derived
        self.owner[name] = "derived"
        result = derived.unit or own
        description = derived.description or function.description
        self.signals[name] = SignalInfo(name, result, valid=function.valid_in(result), description=description)

    def add_accuracy(self, reference: str, error: Quantity) -> None:
        """Take in what a signal, or each of a bank, may be out by. ValueError when it fits it not."""
        for name in self.find_signals(reference):
            self.accuracy[name] = accuracy_of(error, self.signals[name])

    def find_signals(self, reference: str) -> tuple[str, ...]:
        """The signals that a reference stands for: itself, a bank, or rows of one; () when any is unknown."""
        if reference in self.signals:
            return (reference,)
        rows = one_by_one(reference)
        if len(rows) > 1:
            return tuple(rows) if all(row in self.signals for row in rows) else ()
        return self.banks.get(reference, ())

    def period(self, signal: str) -> float:
        """Seconds between samples; derived signals come with the slowest device that any of them is made from."""
        if self.owner[signal] != "derived":
            return self.polls[self.owner[signal]]
        inputs = {each for derived in self.derived.values() for each in derived.inputs.values()}
        return max(self.polls[self.owner[each]] for each in inputs if self.owner[each] != "derived")

    def find_controls(self, reference: str) -> tuple[tuple[str, ControlPoint], ...]:
        """(device, control) pairs of a reference: itself, a bank, or rows of one; () when any is unknown."""
        device, _, name = reference.partition(".")
        expansion = self.expansions.get(device)
        if expansion is None:
            return ()
        found = [expansion.bank(each) for each in one_by_one(name)]
        return tuple((device, point) for points in found for point in points) if all(found) else ()

    def load_control(self) -> str:
        """The control of the rack's load in %: `level` of a device of class load. ValueError unless there is one."""
        found = [
            f"{name}.level"
            for name, profile in self.profiles.items()
            if profile.class_ == "load" and "level" in self.expansions[name].controls
        ]
        if len(found) != 1:
            raise ValueError(
                f"the station has {len(found)} workload controls (`level` on a device of class load), one is needed; "
                "name the control in the step with `load_control:`"
            )
        return found[0]

    def control_names(self) -> list[str]:
        """Every control and bank of controls."""
        names: dict[str, None] = {}
        for device, expansion in self.expansions.items():
            for point in expansion.controls.values():
                names[f"{device}.{point.name}"] = None
                if point.row:
                    names[f"{device}.{point.group}"] = None
        return list(names)

    def signal_problem(self, reference: str) -> str:
        """Why a reference is no signal, with the nearest name."""
        device = reference.partition(".")[0]
        if missing := [row for row in one_by_one(reference) if row != reference and row not in self.signals]:
            return self.signal_problem(missing[0])
        if device not in self.expansions and not any(name.startswith(f"{device}.") for name in self.derived):
            return f"unknown device {device!r}{self.guesses.hint(device, self.expansions)}"
        if reference in self.derived:
            return f"{reference!r} is a derived signal; read its inputs, or use harness watch"
        if (rows := self.banks.get(reference)) is not None:
            return f"{reference!r} is a column of {len(rows)} signals, name one: {rows[0]}"
        return f"unknown signal {reference!r}{self.guesses.hint(reference, [*self.signals, *self.banks])}"

    def control_problem(self, reference: str) -> str:
        """Why a reference is no control, with the nearest name."""
        device = reference.partition(".")[0]
        if device not in self.expansions:
            return f"unknown device {device!r}{self.guesses.hint(device, self.expansions)}"
        if missing := [row for row in one_by_one(reference) if row != reference and not self.find_controls(row)]:
            return self.control_problem(missing[0])
        return f"unknown control {reference!r}{self.guesses.hint(reference, self.control_names())}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`, did you mean 'x'?` for the nearest of the known names, or ''."""
    return Guesses().hint(name, known)
