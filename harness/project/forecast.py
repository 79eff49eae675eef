"""What a plan will take: time, energy, the most power and coolant. From what its steps say of themselves; no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from harness.project.model import Group, PlannedStep, Project
from harness.quantity import parse_quantity


@dataclass(slots=True)
class Forecast:
    """Of a step, or of all that stands in a construct."""

    title: str
    kind: str
    """The step's kind, or that of the construct."""
    path: str = ""
    seconds: float = 0.0
    """In branches beside each other the longest counts."""
    is_known: bool = True
    """Whether the plan decides how long it takes; else it is at least so long."""
    energy: float | None = None
    """kWh; None where nothing is known of the rack."""
    peak: float | None = None
    """kW."""
    flow: float | None = None
    """The most coolant that is set, L/min."""
    note: str = ""
    parts: list[Forecast] = field(default_factory=list)

    def add(self, part: Forecast, *, beside: bool = False) -> None:
        """Take in what stands inside."""
        self.parts.append(part)
        self.seconds = max(self.seconds, part.seconds) if beside else self.seconds + part.seconds
        self.is_known = self.is_known and part.is_known
        if part.energy is not None:
            self.energy = (self.energy or 0.0) + part.energy
        self.peak = _most(self.peak, part.peak)
        self.flow = _most(self.flow, part.flow)


def forecast(project: Project) -> Forecast:
    """The whole plan, a part for each section that has steps."""
    whole = Forecast(project.plan.title or project.plan.plan, "plan")
    state = _State(project)
    for section, steps in groupby(project.steps, key=lambda step: step.section):
        part = Forecast(section, "section", section)
        _fill(part, list(steps), 0, state)
        whole.add(part)
    return whole


def _fill(into: Forecast, steps: Sequence[PlannedStep], depth: int, state: _State) -> None:
    beside = into.kind == "parallel"
    for group, inside in _by_group(steps, depth):
        if group is None:
            for step in inside:
                into.add(state.after(step), beside=beside)
            continue
        part = Forecast(group.title or group.path.rpartition("/")[2], group.kind, group.path, note=_note(group))
        _fill(part, inside, depth + 1, state)
        if group.unless is not None:  # it may be left out: at least what comes before is needed
            part.seconds, part.energy, part.is_known = 0.0, None if part.energy is None else 0.0, False
        into.add(part, beside=beside)


def _by_group(steps: Sequence[PlannedStep], depth: int) -> Iterator[tuple[Group | None, list[PlannedStep]]]:
    def path(step: PlannedStep) -> str:
        return step.groups[depth].path if len(step.groups) > depth else ""

    for key, found in groupby(steps, key=path):
        inside = list(found)
        yield (inside[0].groups[depth] if key else None), inside


def _note(group: Group) -> str:
    needs = [f"when {need.name} is {' or '.join(need.verdicts)}" for need in group.needs]
    return "; ".join([*needs, *(["as long as needed"] if group.unless is not None else [])])


class _State:
    """What is on and set while one goes through the steps."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._on: set[str] = set()
        self._level = 0.0
        self._flow: float | None = None
        uut = project.plan.uut
        self._idle = uut.idle_power.to("kW") if uut is not None else None
        self._full = uut.power.to("kW") if uut is not None else 0.0

    def _power(self, level: float) -> float | None:
        """KW at a workload in %."""
        if self._idle is None:
            return None
        return self._idle + 0.01 * level * (self._full - self._idle) if self._on else 0.0

    def after(self, step: PlannedStep) -> Forecast:
        """The forecast of the next step."""
        catalog = self._project.catalog
        seconds = step.params.planned_seconds(catalog)
        before, level = self._power(self._level), self._level
        for reference, value in step.params.leaves(catalog).items():
            self._set(reference, value)
        after = self._power(self._level)
        mean = step.params.mean_level
        power = self._power(mean) if mean is not None else None
        if power is None and before is not None and after is not None:
            power = before if level == self._level else (before + after) / 2
        needs = "; ".join(f"when {need.name} is {' or '.join(need.verdicts)}" for need in step.needs)
        return Forecast(
            title=step.entry.title,
            kind=step.definition.name,
            path=step.path,
            seconds=seconds or 0.0,
            is_known=seconds is not None,
            energy=None if power is None else power * (seconds or 0.0) / 3600,
            peak=_most(before, after),
            flow=self._flow,
            note=needs,
        )

    def _set(self, reference: str, value: str) -> None:
        catalog = self._project.catalog
        for device, control in catalog.find_controls(reference):
            name = f"{device}.{control.name}"
            if control.spec.energises:
                self._on.add(name) if value == "on" else self._on.discard(name)
            elif catalog.profiles[device].class_ == "load" and control.spec.unit == "%":
                self._level = parse_quantity(value).to("%")
            elif control.spec.unit == "L/min" and value[:1].isdigit():
                self._flow = parse_quantity(value).to("L/min")


def _most(one: float | None, other: float | None) -> float | None:
    known = [each for each in (one, other) if each is not None]
    return max(known) if known else None
