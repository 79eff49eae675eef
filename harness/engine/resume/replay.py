"""What the journal of a run that died says was done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from harness.clock import Clock, iso
from harness.engine.resume.gap import Gap, measure_gap
from harness.errors import RunError
from harness.events import EventKind
from harness.limits.uncertainty import Zero
from harness.limits.verdict import Verdict
from harness.record.aftermath import aftermath
from harness.record.folder import RunFolder
from harness.record.result import DeviceCoverage, Intervention, Measurement, StepResult
from harness.telemetry.reading import JournalReader, open_for_reading
from harness.telemetry.rows import StoredEvent


@dataclass(slots=True)
class PastStep:
    """What the journal says of one step of the plan."""

    attempts: list[StepResult] = field(default_factory=list)
    is_open: bool = False
    """Begun and not ended: the run died in it."""
    goes_on: bool = False
    """Whether the run went on after its last attempt."""
    power: bool = True
    """Whether something could be energised after that."""
    commands: dict[tuple[str, str], str] = field(default_factory=dict)
    """(device, control) -> setting as it was last commanded in this step."""
    checkpoint: dict[str, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether its last attempt ended in a way that the run went on from."""
        return not self.is_open and self.goes_on


@dataclass(slots=True)
class InterruptedRun:
    """A run that died, as its journal tells it."""

    folder: Path
    meta: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, PastStep] = field(default_factory=dict)
    order: list[StepResult] = field(default_factory=list)
    identities: dict[str, dict[str, str]] = field(default_factory=dict)
    coverage: dict[str, list[int]] = field(default_factory=dict)
    """device -> [due, came, good], up to the last checkpoint of them."""
    started_ns: int = 0
    last_wall_ns: int = 0
    resumed: int = 0
    """How often it has been resumed before."""
    stop: str = ""
    """What it had decided to stop for, if it had."""
    zeros: dict[str, Zero] = field(default_factory=dict)
    """What it took off signals, by signal."""
    people: list[Intervention] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    boot: Mapping[str, Any] = field(default_factory=dict)
    boot_ns: int = 0
    """What its last life noted of the boot of its computer, and when."""
    gap: Gap = field(default_factory=Gap)
    aftermath: str = ""
    """What its guardian did of it."""
    redo: set[str] = field(default_factory=set)
    """Completed steps that are done again, because what they had set no longer holds."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Path of what `when` or `until` left out -> why."""
    restore: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    """Completed steps whose time counts: only what they had set, (device, control, setting), is set again."""

    @property
    def run(self) -> str:
        """The run id."""
        return self.folder.name


def read_past(folder: Path, clock: Clock) -> InterruptedRun:
    """Read what a dead run left, and for how long it has been dead.

    RunError when it was sealed, is no run, or its journal cannot be read.
    """
    if RunFolder(folder).is_sealed:
        raise RunError(f"{folder.name} ended and is sealed: there is nothing to resume", hint="start a new run")
    past = InterruptedRun(folder, aftermath=aftermath(folder))
    with open_for_reading(folder / "journal.db") as reader:
        if not reader.is_open or not reader.meta:
            raise RunError(f"the journal of {folder.name} cannot be read: {'; '.join(reader.damage)}")
        past.meta = dict(reader.meta)
        _Story(past).read(reader)
        for frame in _last_frames(reader):
            past.last_wall_ns = max(past.last_wall_ns, frame)
        past.damage = list(reader.damage)
    past.gap = measure_gap(past.boot, past.boot_ns, past.last_wall_ns, clock)
    return past


def _last_frames(reader: JournalReader) -> list[int]:
    """The stamps of the newest frames, without reading all of them."""
    newest = 0
    for row in reader._select("SELECT max(wall_ns) FROM frame"):
        newest = row[0] if isinstance(row[0], int) else 0
    return [newest]


@dataclass(slots=True)
class _Open:
    """An attempt that was begun and has not ended yet."""

    step: PastStep
    begun: dict[str, Any]
    measured: list[Measurement] = field(default_factory=list)

    def result(self, verdict: Verdict, reason: str, ended_ns: int) -> StepResult:
        """What became of it."""
        begun = self.begun
        return StepResult(
            name=str(begun["step"]),
            path=str(begun["path"]),
            step=str(begun["kind"]),
            version=int(begun.get("version", 0)),
            package=str(begun.get("package", "")),
            attempt=int(begun["attempt"]),
            allowed=begun.get("allowed"),
            asked_by=str(begun.get("asked_by", "")),
            verdict=verdict,
            started=str(begun["at"]),
            ended=iso(ended_ns),
            reason=reason,
            measurements=tuple(self.measured),
        )


class _Story:
    """Reads the events of a run in their order and fills a `InterruptedRun`; steps may go on beside each other."""

    def __init__(self, past: InterruptedRun) -> None:
        self._past = past
        self._open: dict[str, _Open] = {}
        self._failed = ""
        """Path of the step whose FAIL is why the run had stopped."""

    def read(self, reader: JournalReader) -> None:
        """All of it."""
        past = self._past
        handlers: dict[str, Callable[[StoredEvent], None]] = {
            EventKind.RESUME: self._on_resume,
            EventKind.BOOT: self._on_boot,
            EventKind.STOP: self._on_stop,
            EventKind.DEVICE: self._on_device,
            EventKind.PERSON: self._on_person,
            EventKind.COVERAGE: self._on_coverage,
            EventKind.STEP: self._on_step,
            EventKind.LEFT_OUT: self._on_left_out,
            EventKind.MEASUREMENT: self._on_measurement,
            EventKind.INTENT: self._on_intent,
            EventKind.CHECKPOINT: self._on_checkpoint,
            EventKind.STEP_END: self._on_step_end,
            EventKind.NOTE: self._on_note,
            EventKind.ZERO: self._on_zero,
        }
        for event in reader.events():
            if not past.started_ns:
                past.started_ns = event.wall_ns
            past.last_wall_ns = max(past.last_wall_ns, event.wall_ns)
            handler = handlers.get(event.kind)
            if handler is not None:
                handler(event)
        self._die()

    def _die(self) -> None:
        """The run died here: steps that were not at their end were interrupted."""
        for each in self._open.values():
            result = each.result(Verdict.INTERRUPTED, "the run died in this step", self._past.last_wall_ns)
            each.step.attempts.append(result)
            self._past.order.append(result)
        self._open.clear()

    def _of(self, event: StoredEvent) -> _Open | None:
        """The attempt that an event belongs to."""
        return self._open.get(str(event.data.get("path", "")))

    def _on_resume(self, _: StoredEvent) -> None:
        self._die()
        self._past.resumed += 1

    def _on_boot(self, event: StoredEvent) -> None:
        self._past.boot, self._past.boot_ns = event.data, event.wall_ns

    def _on_stop(self, event: StoredEvent) -> None:
        self._past.stop = str(event.data.get("text", ""))

    def _on_device(self, event: StoredEvent) -> None:
        if isinstance(event.data.get("identity"), dict):
            self._past.identities[str(event.data["device"])] = dict(event.data["identity"])

    def _on_person(self, event: StoredEvent) -> None:
        self._past.people.append(Intervention.model_validate(event.data["intervention"]))

    def _on_coverage(self, event: StoredEvent) -> None:
        self._past.coverage = {name: list(counts) for name, counts in event.data["devices"].items()}

    def _on_left_out(self, event: StoredEvent) -> None:
        self._past.left_out[str(event.data["path"])] = str(event.data["reason"])

    def _on_step(self, event: StoredEvent) -> None:
        path = str(event.data["path"])
        step = self._past.steps.setdefault(path, PastStep())
        self._done_again(path)
        step.is_open, step.goes_on = True, False
        step.commands.clear()
        self._open[path] = _Open(step, {**event.data, "at": iso(event.wall_ns)})

    def _on_measurement(self, event: StoredEvent) -> None:
        if (current := self._of(event)) is not None:
            known = {key: value for key, value in event.data.items() if key in Measurement.model_fields}
            current.measured.append(Measurement.model_validate(known))

    def _on_intent(self, event: StoredEvent) -> None:
        if (current := self._of(event)) is not None:
            device = str(event.data["device"])
            current.step.commands.update({(device, c): str(s) for c, s in event.data["commands"].items()})

    def _on_checkpoint(self, event: StoredEvent) -> None:
        if (current := self._of(event)) is not None:
            current.step.checkpoint = dict(event.data)

    def _on_zero(self, event: StoredEvent) -> None:
        self._past.zeros[str(event.data["signal"])] = Zero(**{key.name: event.data[key.name] for key in fields(Zero)})

    def _on_step_end(self, event: StoredEvent) -> None:
        current = self._open.pop(str(event.data.get("path", "")), None)
        if current is None:
            return
        verdict, step = Verdict(str(event.data["verdict"])), current.step
        result = current.result(verdict, str(event.data.get("reason", "")), event.wall_ns)
        step.attempts.append(result)
        step.is_open, step.goes_on = False, bool(event.data.get("goes_on"))
        step.power = bool(event.data.get("power", True))
        self._past.order.append(result)
        if verdict is Verdict.FAIL and not step.goes_on:
            self._past.stop, self._failed = f"step {result.name!r} failed: {result.reason}", result.path

    def _on_note(self, event: StoredEvent) -> None:
        if event.data.get("is_done_again"):
            self._done_again(str(event.data.get("path", "")))

    def _done_again(self, path: str) -> None:
        """The step whose FAIL would have ended the run gets another attempt."""
        if path and path == self._failed:
            self._past.stop = self._failed = ""


def coverage_before(past: InterruptedRun | None, device: str) -> tuple[int, int, int]:
    """Polls (due, came, good) of a device before the interruption."""
    counts = past.coverage.get(device, [0, 0, 0]) if past is not None else [0, 0, 0]
    return counts[0], counts[1], counts[2]


def with_past(past: InterruptedRun | None, coverage: DeviceCoverage) -> DeviceCoverage:
    """Coverage of the whole run: before and after the interruption."""
    due, came, good = coverage_before(past, coverage.device)
    received = coverage.received + came
    share = round(((coverage.good or 0.0) * coverage.received + good) / received, 6) if received else 0.0
    return DeviceCoverage(device=coverage.device, expected=coverage.expected + due, received=received, good=share)
