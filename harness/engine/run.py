"""One run from folder to verdict: the record is opened first and sealed last, and only then is the verdict said."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

from harness import __version__
from harness.clock import Clock, iso
from harness.device.address import parse_address
from harness.engine.control import ControlSocket
from harness.engine.findings import Findings
from harness.engine.guarding import BEAT_S, Charge
from harness.engine.lock import StationLock, runtime_dir
from harness.engine.log import RunLog
from harness.engine.options import RunOptions, RunOutcome
from harness.engine.project import Project
from harness.engine.resuming import (
    Past,
    interrupted_runs,
    read_past,
    refuse_unfit,
    run_meta,
)
from harness.engine.runner import Runner
from harness.engine.switches import Switches
from harness.engine.trapping import serve_traps
from harness.errors import HarnessError, RunError, TelemetryError
from harness.faultpoint import fault_point
from harness.limits.verdict import Verdict, worst
from harness.record.folder import RunFolder
from harness.record.result import (
    ClockInfo,
    Device,
    Header,
    InputFile,
    InterlockResult,
    Result,
    SafeState,
    SafeStateAction,
    StepResult,
)
from harness.record.verification import latest
from harness.telemetry.journal import Journal
from harness.telemetry.outbox import Outbox, run_tags

GUARDIAN_DIARY = "guardian.jsonl"
DRAIN_S = 10.0
"""Longest wait for the database at the end of a run, seconds; what is left goes later with `harness push`."""


async def execute(
    project: Project, options: RunOptions, clock: Clock, on_start: Callable[[Runner], None] | None = None
) -> RunOutcome:
    """Carry out a plan and leave its record. Raises only when not even a record could be opened.

    RunError when the station is in use. Simulated devices are the run's own: they need no lock.
    """
    wall = time.time_ns()
    station = project.on.station.station
    lock = None
    if not options.is_simulated:
        switches = _switch_addresses(project, options)
        lock = StationLock.take(station, options.data_dir, serial=options.serial, switches=switches)
    try:
        past = None
        if options.resume is not None:
            past = read_past(options.resume, clock.wall_ns())
            await refuse_unfit(past, project, options, clock)
            folder = RunFolder(past.folder)
        else:
            folder = RunFolder.create(options.data_dir, options.serial, wall)
        if lock is not None:
            lock.describe(station, folder.run, options.serial)
        return await _execute(project, options, clock, folder, wall, lock, past, on_start)
    finally:
        if lock is not None:
            lock.release()


def _switch_addresses(project: Project, options: RunOptions) -> list[str]:
    """The addresses of the devices that put power on the rack."""
    return [
        str(parse_address(options.addresses.get(name) or entry.address))
        for name, entry in project.on.station.devices.items()
        if any(point.spec.energises for point in project.on.catalog.expansions[name].controls.values())
    ]


async def _execute(
    project: Project,
    options: RunOptions,
    clock: Clock,
    folder: RunFolder,
    wall: int,
    lock: StationLock | None,
    past: Past | None,
    on_start: Callable[[Runner], None] | None,
) -> RunOutcome:
    header = Header(run=folder.run, host=socket.gethostname(), recorded_at=iso(past.started_ns if past else wall))
    meta = {"run": folder.run, "operator": options.operator, **run_meta(project, options.serial)}
    if past is None:
        for name, path in project.on.files.items():
            folder.write(f"inputs/{_safe_name(name)}", path.read_bytes())
        journal = await Journal.create(folder.journal, clock, meta)
    else:
        journal = await Journal.reopen(folder.journal, clock)
    fault_point("journal-created")
    log = RunLog(clock, journal)
    log.observers.extend(options.observers)
    runner = Runner(project, options, clock, journal, log)
    runner.past = past
    if not clock.is_virtual and options.network is None:
        runner.charge = Charge(
            station=project.on.station.station,
            run=folder.run,
            epoch=lock.epoch if lock is not None else 1,
            diary=folder.path / GUARDIAN_DIARY,
            lock=lock.guardian_path if lock is not None else None,
            is_simulated=options.is_simulated,
            interval=BEAT_S * max(1.0, 1.0 / clock.rate),
        )
    outbox = None
    if options.influxdb is not None and not clock.is_virtual:
        outbox = Outbox.to_influxdb(journal, options.influxdb, clock, run_tags(meta))
        runner.attach(outbox.run())
        runner.outbox = outbox
    started = iso(past.started_ns if past is not None else clock.wall_ns())
    began = clock.monotonic() - ((past.last_wall_ns - past.started_ns) / 1e9 if past is not None else 0.0)
    log.tell("run", f"{project.plan.plan} on {project.on.station.station}, serial {options.serial}")
    if past is not None:
        text = f"INTERRUPTED at {iso(past.last_wall_ns)}, {past.gap_s:.0f} s ago; the run goes on"
        past.damage += journal.damage
        log.tell("interrupted", "; ".join([text, *past.damage[:3]]), gap_s=past.gap_s, damage=past.damage)
    elif lock is not None:
        for run in interrupted_runs(options.data_dir, project.on.station.station)[-3:]:
            if run != folder.run:
                log.tell("interrupted", f"{run} on this station was INTERRUPTED; `--resume {run}` goes on with it")
    if on_start is not None:
        on_start(runner)
    await _conduct(runner)
    found = runner.found
    verdict, reason = decide(project, found, journal)
    log.tell("verdict", f"{verdict}: {reason}", verdict=str(verdict), reason=reason)
    fault_point("verdict-told")
    try:
        await journal.commit()
    except TelemetryError as error:
        verdict, reason = _not_saved(verdict, reason, error)
    if outbox is not None:
        await outbox.drain(DRAIN_S)
        await outbox.close()
    result = _result(project, options, runner, header, started, clock, verdict, reason, clock.monotonic() - began)
    is_sealed = False
    verdict, reason = await _close(journal, verdict, reason)
    result = result.model_copy(update={"verdict": verdict, "reason": reason})
    try:
        fault_point("journal-closed")
        await clock.blocking(None, folder.seal, result)
        is_sealed = True
        fault_point("sealed")
    except TelemetryError as error:
        verdict, reason = _not_saved(verdict, reason, error)
        result = result.model_copy(update={"verdict": verdict, "reason": reason})
        with contextlib.suppress(HarnessError, OSError):
            folder.write("result.json", result.to_bytes())
    hints = [found.stop.hint] if found.stop is not None and found.stop.hint else found.hints
    return RunOutcome(
        verdict=verdict,
        reason=reason,
        folder=folder.path,
        result=result,
        is_safe=result.safe_state.confirmed,
        unsafe=found.safe.unconfirmed if found.safe is not None else [],
        is_sealed=is_sealed,
        hint="; ".join(dict.fromkeys(hints)),
        by_signal=found.stop.by_signal if found.stop is not None else "",
    )


async def _conduct(runner: Runner) -> None:
    """The run itself, with the operator's socket and the receiver of traps beside it."""
    control = await _serve_control(runner)
    traps = await serve_traps(runner)
    try:
        await runner.conduct()
    finally:
        if traps is not None:
            await traps.close()
        if control is not None:
            await control.close()


async def _serve_control(runner: Runner) -> ControlSocket | None:
    """The operator's socket; a run without one goes on and says so. None in virtual time, which waits for nobody."""
    if runner.clock.is_virtual:
        return None
    try:
        return await ControlSocket.serve(runner, runtime_dir(runner.options.data_dir))
    except RunError as error:
        runner.log.tell("note", f"`harness ctl` cannot reach this run: {error}")
        return None


async def _close(journal: Journal, verdict: Verdict, reason: str) -> tuple[Verdict, str]:
    """Close the journal. One that failed is sealed all the same, from the reserve: evidence, though never of a PASS."""
    try:
        await journal.close()
    except TelemetryError as error:
        if verdict is Verdict.PASS or not journal.is_failed:
            return _not_saved(verdict, reason, error)
    return verdict, reason


def _not_saved(verdict: Verdict, reason: str, error: TelemetryError) -> tuple[Verdict, str]:
    note = f"the record could not be saved: {error}"
    if verdict is Verdict.PASS:
        return Verdict.ERROR, note
    return verdict, f"{reason}; {note}"


def decide(project: Project, found: Findings, journal: Journal) -> tuple[Verdict, str]:
    """The verdict of a run. PASS needs every step, every measurement, the data, the record and a safe rack."""
    stop = found.stop
    counted = latest(found.steps)
    verdicts = [step.verdict for step in counted]
    planned = sum(1 for step in project.steps if step.section != "cleanup")
    done = [step for step in counted if step.verdict is not Verdict.SKIPPED]
    if stop is not None:
        verdict = worst([*verdicts, stop.verdict])
        return verdict, stop.reason
    verdict = worst(verdicts)
    causes = (verdict, Verdict.SKIPPED) if verdict is Verdict.INCONCLUSIVE else (verdict,)
    reason = next((_said(step) for step in counted if step.verdict in causes), "")
    if verdict is not Verdict.PASS:
        return verdict, reason or "a step did not pass"
    if found.safe is not None and not found.safe.is_confirmed:
        return Verdict.ERROR, f"the safe state is not confirmed: {'; '.join(found.safe.unconfirmed)}"
    if journal.is_failed:
        return Verdict.ERROR, f"the journal failed: {journal.failure}"
    for device in found.coverage:
        share = device.received / device.expected * (device.good or 0.0) if device.expected else 1.0
        if share < project.plan.coverage / 100:
            text = f"{device.device} delivered {100 * share:.2f} % of its data, {project.plan.coverage:g} % are needed"
            return Verdict.INCONCLUSIVE, text
    if len(done) < planned:
        return Verdict.INCONCLUSIVE, f"only {len(done)} of {planned} steps were carried out"
    count = sum(len(step.measurements) for step in counted)
    if not count:
        return Verdict.PASS, f"{_many(len(done), 'step')} carried out, nothing was measured"
    return Verdict.PASS, f"{_many(len(done), 'step')}, {_many(count, 'measurement')}, all within limits"


def _many(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _said(step: StepResult) -> str:
    """What a step found, with its name before it, once."""
    return step.reason if step.reason.startswith(f"{step.name}:") else f"{step.name}: {step.reason}"


def _result(
    project: Project,
    options: RunOptions,
    runner: Runner,
    header: Header,
    started: str,
    clock: Clock,
    verdict: Verdict,
    reason: str,
    duration: float,
) -> Result:
    found = runner.found
    station = project.on.station
    mode = "virtual" if clock.is_virtual else "real" if clock.rate == 1.0 else "fast"
    return Result(
        header=header,
        serial=options.serial,
        operator=options.operator,
        station=station.station,
        plan=project.plan.plan,
        title=project.plan.title,
        harness_version=__version__,
        inputs=tuple(
            InputFile(role=_role(name, project), name=name, sha256=h) for name, h in project.on.hashes.items()
        ),
        parameters=project.parameters,
        clock=ClockInfo(mode=mode, speed=clock.rate, seed=options.seed, is_simulated=options.is_simulated),
        started=started,
        ended=iso(clock.wall_ns()),
        duration_s=round(duration, 3),
        verdict=verdict,
        reason=reason,
        devices=tuple(_devices(runner)),
        steps=tuple(found.steps) + tuple(_skipped(project, found)),
        interlocks=tuple(_interlocks(project, runner)),
        safe_state=_safe_state(found),
        coverage_required=project.plan.coverage / 100,
        coverage=tuple(found.coverage),
        events=tuple(runner.log.entries),
        notes=tuple(_notes(runner)),
    )


def _devices(runner: Runner) -> list[Device]:
    devices = []
    for name, entry in runner.project.on.station.devices.items():
        device = runner.devices.get(name)
        identity = dict(device.identity) if device is not None else {}
        # the address of the station file: simulated ports differ from run to run and are of no interest
        address = str(parse_address(entry.address))
        firmware = identity.get("firmware", "")
        devices.append(Device(name=name, profile=entry.profile, address=address, identity=identity, firmware=firmware))
    return devices


def _skipped(project: Project, found: Findings) -> list[StepResult]:
    ran = {(step.step, step.name) for step in found.steps}
    return [
        StepResult(name=step.title, step=step.definition.name, verdict=Verdict.SKIPPED, reason="not carried out")
        for step in project.steps
        if (step.definition.name, step.title) not in ran
    ]


def _interlocks(project: Project, runner: Runner) -> list[InterlockResult]:
    trips = {trip.interlock: trip for trip in (runner.interlocks.trips if runner.interlocks is not None else [])}
    results = []
    for spec in project.interlocks:
        trip = trips.get(spec.name)
        results.append(
            InterlockResult(
                name=spec.name,
                signal=", ".join(spec.all_signals),
                armed_s=round(runner.found.armed_s, 3),
                is_proved=spec.name in runner.found.proved,
                is_tripped=trip is not None,
                at=iso(trip.wall_ns) if trip is not None else "",
                reason=trip.reason if trip is not None else "",
            )
        )
    planned = {spec.name for spec in project.interlocks}
    results += [
        InterlockResult(name=trip.interlock, is_tripped=True, at=iso(trip.wall_ns), reason=trip.reason)
        for trip in trips.values()
        if trip.interlock not in planned
    ]
    return results


def _safe_state(found: Findings) -> SafeState:
    if found.safe is None:
        unread = f"; {Switches(unknown=found.unread)}" if found.unread else ""
        return SafeState(confirmed=True, name=f"nothing was commanded{unread}")
    actions = tuple(
        SafeStateAction(
            action=each.action, is_confirmed=each.is_confirmed, took_s=round(each.seconds, 3), reason=each.detail
        )
        for each in found.safe.actions
    )
    return SafeState(confirmed=found.safe.is_confirmed, name=found.safe.sequence, actions=actions)


def _notes(runner: Runner) -> list[str]:
    notes = []
    if runner.past is not None:
        lost = f"{runner.past.gap_s:.0f} s before it went on"
        notes.append(f"interrupted and resumed {runner.past.resumed + 1} time(s), the last time {lost}")
        notes += [f"journal: {each}" for each in runner.past.damage[:3]]
    if runner.log.left_out:
        notes.append(f"{runner.log.left_out} more events are in the journal only")
    if runner.found.safe_latency_s is not None:
        cause = "the sample that tripped" if runner.interlocks and runner.interlocks.trips else "the decision"
        took = f"{1000 * runner.found.safe_latency_s:.1f} ms"
        notes.append(f"safe state: first command {took} after {cause}; control loop at most {_lag(runner)} late")
    for device in runner.devices.values():
        if device.health.by_kind:
            counts = ", ".join(f"{count} {kind}" for kind, count in sorted(device.health.by_kind.items()))
            notes.append(f"{device.name}: {counts} in {device.health.polls} polls")
    return notes


def _lag(runner: Runner) -> str:
    return f"{1000 * runner.found.loop_lag_s:.0f} ms"


def _role(name: str, project: Project) -> str:
    if name == project.source.name:
        return "plan"
    if name == project.on.source.name:
        return "station"
    return "limits" if name in project.plan.limit_files else "profile"


def _safe_name(name: str) -> str:
    flat = "".join(char if char.isalnum() or char in "._-" else "_" for char in name.lstrip("./"))
    return flat if flat.endswith((".yaml", ".yml")) else f"{flat}.yaml"
