"""Going on with a run that died: what its journal says was done, whether it may go on, and what must be done again.

```
 folder not sealed -> INTERRUPTED          journal: steps that ended, commands, soak checkpoints, identities, coverage
 resume: inputs as they were? same hardware?  no -> refused with a diff, nothing is changed
         controls as the completed steps left them?  no -> these steps are done again, as new attempts
```

No command is ever replayed from the journal: the hardware is read, compared, and the plan's own step decides what to
send.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import __version__
from harness.clock import Clock, iso
from harness.device.build import DeviceBuilder
from harness.device.confirm import agrees
from harness.device.device import Device, resolve_setting
from harness.engine.options import RunOptions
from harness.engine.project import PlannedStep, Project
from harness.engine.switches import Switches, read_switches
from harness.errors import DeviceError, HarnessError, RunError
from harness.limits.verdict import Verdict
from harness.record.folder import RUN_ID, RunFolder
from harness.record.result import DeviceCoverage, Measurement, StepResult
from harness.telemetry.reading import JournalReader, open_for_reading
from harness.telemetry.rows import StoredEvent

COVERAGE = "coverage"
_OPEN_S = 4.5
_CONDITIONS = ("wait_until", "settle")
_TIMED = ("soak",)
"""Steps that are their time: once completed, hours at full load are not asked for again."""
"""Steps that only wait for a state: they are done again behind a step that had to be."""


def key_of(step: PlannedStep) -> str:
    """A step by its place in the plan, which its title may not be unique for."""
    return f"{step.section}[{step.index}]"


@dataclass(slots=True)
class PastStep:
    """What the journal says of one step of the plan."""

    attempts: list[StepResult] = field(default_factory=list)
    is_open: bool = False
    """Begun and not ended: the run died in it."""
    goes_on: bool = False
    """Whether the run went on after its last attempt."""
    commands: dict[tuple[str, str], str] = field(default_factory=dict)
    """(device, control) -> setting as it was last commanded in this step."""
    checkpoint: dict[str, Any] = field(default_factory=dict)

    @property
    def is_done(self) -> bool:
        """Whether its last attempt ended in a way that the run went on from."""
        return not self.is_open and self.goes_on


@dataclass(slots=True)
class Past:
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
    damage: list[str] = field(default_factory=list)
    gap_s: float = 0.0
    redo: set[str] = field(default_factory=set)
    """Completed steps that are done again, because what they had set no longer holds."""
    restore: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    """Completed steps whose time counts: only what they had set, (device, control, setting), is set again."""

    @property
    def run(self) -> str:
        """The run id."""
        return self.folder.name


def read_past(folder: Path, now_ns: int) -> Past:
    """Read what a dead run left; `now_ns` is the UTC time.

    RunError when it was sealed, is no run, or its journal cannot be read.
    """
    if RunFolder(folder).is_sealed:
        raise RunError(f"{folder.name} ended and is sealed: there is nothing to resume", hint="start a new run")
    past = Past(folder)
    with open_for_reading(folder / "journal.db") as reader:
        if not reader.is_open or not reader.meta:
            raise RunError(f"the journal of {folder.name} cannot be read: {'; '.join(reader.damage)}")
        past.meta = dict(reader.meta)
        _Story(past).read(reader)
        for frame in _last_frames(reader):
            past.last_wall_ns = max(past.last_wall_ns, frame)
        past.damage = list(reader.damage)
    past.gap_s = max(0.0, (now_ns - past.last_wall_ns) / 1e9)
    return past


def _last_frames(reader: JournalReader) -> list[int]:
    """The stamps of the newest frames, without reading all of them."""
    newest = 0
    for row in reader._select("SELECT max(wall_ns) FROM frame"):
        newest = row[0] if isinstance(row[0], int) else 0
    return [newest]


class _Story:
    """Reads the events of a run in their order and fills a `Past`."""

    def __init__(self, past: Past) -> None:
        self._past = past
        self._current: PastStep | None = None
        self._measured: list[Measurement] = []
        self._begun: dict[str, Any] = {}

    def read(self, reader: JournalReader) -> None:
        """All of it."""
        past = self._past
        for event in reader.events():
            if not past.started_ns:
                past.started_ns = event.wall_ns
            past.last_wall_ns = max(past.last_wall_ns, event.wall_ns)
            handler = getattr(self, "_on_" + event.kind.replace(" ", "_"), None)
            if handler is not None:
                handler(event)
        self._die()

    def _die(self) -> None:
        """The run died here: a step that was not at its end was interrupted."""
        current, self._current = self._current, None
        if current is not None and current.is_open:
            result = self._result(Verdict.INTERRUPTED, "the run died in this step", self._past.last_wall_ns)
            current.attempts.append(result)
            self._past.order.append(result)

    def _on_resume(self, _: StoredEvent) -> None:
        self._die()
        self._past.resumed += 1

    def _on_stop(self, event: StoredEvent) -> None:
        self._past.stop = str(event.data.get("text", ""))

    def _on_device(self, event: StoredEvent) -> None:
        if isinstance(event.data.get("identity"), dict):
            self._past.identities[str(event.data["device"])] = dict(event.data["identity"])

    def _on_coverage(self, event: StoredEvent) -> None:
        self._past.coverage = {name: list(counts) for name, counts in event.data["devices"].items()}

    def _on_step(self, event: StoredEvent) -> None:
        self._current = current = self._past.steps.setdefault(str(event.data["key"]), PastStep())
        current.is_open, current.goes_on = True, False
        current.commands.clear()
        self._measured, self._begun = [], {**event.data, "at": iso(event.wall_ns)}

    def _on_measurement(self, event: StoredEvent) -> None:
        if self._current is not None:
            known = {key: value for key, value in event.data.items() if key in Measurement.model_fields}
            self._measured.append(Measurement.model_validate(known))

    def _on_intent(self, event: StoredEvent) -> None:
        if self._current is not None:
            device = str(event.data["device"])
            self._current.commands.update({(device, c): str(s) for c, s in event.data["commands"].items()})

    def _on_checkpoint(self, event: StoredEvent) -> None:
        if self._current is not None:
            self._current.checkpoint = dict(event.data)

    def _on_step_end(self, event: StoredEvent) -> None:
        current, self._current = self._current, None
        if current is None:
            return
        verdict = Verdict(str(event.data["verdict"]))
        result = self._result(verdict, str(event.data.get("reason", "")), event.wall_ns)
        current.attempts.append(result)
        current.is_open, current.goes_on = False, bool(event.data.get("goes_on"))
        self._past.order.append(result)
        if verdict is Verdict.FAIL and not current.goes_on:
            self._past.stop = f"step {result.name!r} failed: {result.reason}"

    def _result(self, verdict: Verdict, reason: str, ended_ns: int) -> StepResult:
        return StepResult(
            name=str(self._begun["step"]),
            step=str(self._begun["kind"]),
            attempt=int(self._begun["attempt"]),
            verdict=verdict,
            started=str(self._begun["at"]),
            ended=iso(ended_ns),
            reason=reason,
            measurements=tuple(self._measured),
        )


# --- may it go on? ---------------------------------------------------------------------------------------------------


def run_meta(project: Project, serial: str) -> dict[str, Any]:
    """What of a run must be the same when it is resumed."""
    return {
        "serial": serial,
        "station": project.on.station.station,
        "plan": project.plan.plan,
        "harness_version": __version__,
        "hashes": dict(project.on.hashes),
        "parameters": json.loads(json.dumps(project.parameters, default=str)),
    }


def refuse_if_changed(past: Past, project: Project, serial: str) -> None:
    """RunError with every difference between what the run was made from and what is here now."""
    now = run_meta(project, serial)
    differences = [
        f"{name}: was {past.meta.get(name)!r}, is {now[name]!r}"
        for name in ("serial", "station", "plan", "harness_version")
        if past.meta.get(name) != now[name]
    ]
    for what in ("hashes", "parameters"):
        was, is_ = past.meta.get(what) or {}, now[what]
        differences += [
            _difference(past.folder, project, what, name, was.get(name), is_.get(name))
            for name in sorted({*was, *is_})
            if was.get(name) != is_.get(name)
        ]
    if past.stop:
        differences.append(f"it had stopped already: {past.stop}")
    if differences:
        raise RunError(
            f"{past.run} cannot be resumed:\n  " + "\n  ".join(differences),
            hint="put back what it was started with, or start a new run",
        )


def _difference(folder: Path, project: Project, what: str, name: str, was: Any, is_: Any) -> str:
    if what == "parameters":
        return f"parameter {name}: was {was!r}, is {is_!r}"
    if was is None or is_ is None:
        return f"{name}: {'was not used' if was is None else 'is not used any more'}"
    line = f"{name} has changed"
    path = project.on.files.get(name)
    old = next((each for each in (folder / "inputs").glob("*") if _sha256(each) == was), None)
    if path is None or old is None:
        return line
    import difflib

    diff = difflib.unified_diff(
        old.read_text("utf-8", "replace").splitlines(),
        path.read_text("utf-8", "replace").splitlines(),
        lineterm="",
        n=0,
    )
    shown = [each for each in diff if not each.startswith(("---", "+++", "@@"))][:12]
    return "\n    ".join([line, *shown])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


async def refuse_unfit(past: Past, project: Project, options: RunOptions, clock: Clock) -> None:
    """Ask every device who it is, before anything of the run is touched; RunError when the run cannot go on.

    A refusal also says what is still switched on: nobody watches it any more.
    """
    builder = DeviceBuilder(clock, project.on.base, options.network)
    devices: dict[str, Device] = {}
    try:
        for name, entry in project.on.station.devices.items():
            address = options.addresses.get(name, "")
            devices[name] = builder.make(name, entry, project.catalog.profiles[name], address)
        failures = [text for text in await asyncio.gather(*(_open(each, clock) for each in devices.values())) if text]
        try:
            refuse_if_changed(past, project, options.serial)
            if failures:
                text = "\n  ".join(failures)
                raise RunError(f"{past.run} cannot be resumed now:\n  {text}", hint="check the devices")
            _refuse_other_units(past, devices)
        except RunError as error:
            found: Switches = await read_switches(devices, clock)
            if not found.on and not found.unknown:
                raise
            hint = f"nobody watches the rack: `harness safe STATION` makes it safe; {error.hint}"
            raise RunError(f"{error.message}\n  found: {found}", hint=hint) from error
    finally:
        await asyncio.gather(*(device.close() for device in devices.values()), return_exceptions=True)


async def _open(device: Device, clock: Clock) -> str:
    try:
        async with clock.timeout(_OPEN_S):
            await device.open()
    except TimeoutError:
        return f"{device.name}: no answer within {_OPEN_S:g} s"
    except HarnessError as error:
        return f"{device.name}: {error}"
    return ""


def _refuse_other_units(past: Past, devices: Mapping[str, Device]) -> None:
    """RunError when another unit answers than the run was begun with."""
    found = {name: device.identity for name, device in devices.items()}
    wrong = [
        f"{name}: was {_identity(was)}, is {_identity(found.get(name, {}))}"
        for name, was in past.identities.items()
        if found.get(name) != was
    ]
    if wrong:
        text = "\n  ".join(wrong)
        raise RunError(f"{past.run} cannot be resumed, the hardware is another:\n  {text}", hint="start a new run")


def _identity(fields: Mapping[str, str]) -> str:
    return " ".join(text for text in fields.values() if text) or "no identity"


# --- what must be done again? ----------------------------------------------------------------------------------------


async def reconcile(past: Past, project: Project, devices: Mapping[str, Device]) -> list[str]:
    """Compare the controls with what the completed steps left, and fill `past.redo`; returns what was found, in words.

    What cannot be read counts as changed.
    """
    owners: dict[tuple[str, str], tuple[str, str]] = {}
    for step in project.steps:
        known = past.steps.get(key_of(step))
        if known is not None and known.is_done and step.section != "cleanup":
            owners.update({control: (key_of(step), setting) for control, setting in known.commands.items()})
    lines = []
    timed = {key_of(step) for step in project.steps if step.definition.name in _TIMED}
    for (device, name), (key, shown) in owners.items():
        text, agreed = await _look(devices[device], name, shown)
        lines.append(f"{device}.{name} is {text}, the run had set it to {shown}")
        if not agreed and key in timed:
            past.restore.setdefault(key, []).append((device, name, shown))
        elif not agreed:
            past.redo.add(key)
    planned = [key_of(step) for step in project.steps if step.section != "cleanup"]
    if all(key in past.steps and past.steps[key].is_done for key in planned):
        past.redo.clear()  # nothing is left to do for which the rack would have to be as it was
        past.restore.clear()
        return lines
    again = False
    for step in project.steps:
        again = again or key_of(step) in past.redo or key_of(step) in past.restore
        if again and step.definition.name in _CONDITIONS and step.section != "cleanup":
            past.redo.add(key_of(step))
    return lines


async def _look(device: Device, name: str, shown: str) -> tuple[str, bool]:
    control = device.expansion.controls.get(name)
    if control is None or not control.confirm_by:
        return "not to be read", False
    try:
        (reading,) = await device.read([control.confirm_by])
        return str(reading), agrees(control, resolve_setting(control, shown), reading)
    except (DeviceError, ValueError) as error:
        return f"unknown ({error})", False


def coverage_before(past: Past | None, device: str) -> tuple[int, int, int]:
    """Polls (due, came, good) of a device before the interruption."""
    counts = past.coverage.get(device, [0, 0, 0]) if past is not None else [0, 0, 0]
    return counts[0], counts[1], counts[2]


def with_past(past: Past | None, coverage: DeviceCoverage) -> DeviceCoverage:
    """Coverage of the whole run: before and after the interruption."""
    due, came, good = coverage_before(past, coverage.device)
    received = coverage.received + came
    share = round(((coverage.good or 0.0) * coverage.received + good) / received, 6) if received else 0.0
    return DeviceCoverage(device=coverage.device, expected=coverage.expected + due, received=received, good=share)


# --- which runs died? ------------------------------------------------------------------------------------------------


def interrupted_runs(data_dir: Path, station: str) -> list[str]:
    """Ids of the runs of a station that were never sealed, oldest first. Only for the holder of the station's lock."""
    found = []
    for folder in sorted((data_dir / "runs").glob("*")):
        if RUN_ID.fullmatch(folder.name) and not RunFolder(folder).is_sealed:
            with open_for_reading(folder / "journal.db") as reader:
                if reader.meta.get("station") == station:
                    found.append(folder.name)
    return found
