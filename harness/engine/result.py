"""The result of a run, made of what it found: what the record seals."""

from __future__ import annotations

from harness.clock import iso
from harness.device.address import parse_address
from harness.engine.database_copy import telemetry_of
from harness.engine.inputs import inputs_of
from harness.engine.state import RunState
from harness.engine.summary import RunSummary
from harness.limits.verdict import Verdict
from harness.project.model import Project
from harness.record.result import (
    ClockInfo,
    DeviceRecord,
    Header,
    InterlockResult,
    Result,
    SafeState,
    SafeStateAction,
    StepResult,
)
from harness.safety.power_state import Switches
from harness.version import __version__


def build_result(
    state: RunState, header: Header, started: str, verdict: Verdict, reason: str, duration: float
) -> Result:
    """Everything that is known of a run, with its verdict. `duration` in seconds."""
    project, options, clock, found = state.project, state.options, state.clock, state.summary
    station = project.on.station
    mode = "virtual" if clock.is_virtual else "real" if clock.rate == 1.0 else "fast"
    return Result(
        header=header,
        serial=options.serial,
        operator=options.operator,
        station=station.station,
        plan=project.plan.plan,
        plan_version=project.plan.version,
        title=project.plan.title,
        harness_version=__version__,
        inputs=inputs_of(project),
        parameters=project.parameters,
        replaced=project.replaced,
        engineering=project.engineering,
        clock=ClockInfo(mode=mode, speed=clock.rate, seed=options.seed, is_simulated=options.is_simulated),
        started=started,
        ended=iso(clock.wall_ns()),
        duration_s=round(duration, 3),
        verdict=verdict,
        reason=reason,
        devices=tuple(_devices(state)),
        steps=tuple(found.steps) + tuple(_skipped(project, found)),
        begun_at=project.begin_at,
        left_out={**project.left_out, **{path: why for path, (_, why) in found.left_out.items()}},
        interlocks=tuple(_interlocks(project, state)),
        safe_state=_safe_state(state),
        coverage_required=project.plan.coverage / 100,
        coverage=tuple(found.coverage),
        telemetry=telemetry_of(state),
        people=(*(state.past.people if state.past is not None else ()), *state.operator.people),
        events=tuple(state.log.entries),
        still_set=tuple(found.still_set),
        twins=tuple(found.twins),
        notes=tuple(_notes(state)),
    )


def _devices(state: RunState) -> list[DeviceRecord]:
    devices = []
    for name, entry in state.project.on.station.devices.items():
        device = state.devices.get(name)
        identity = dict(device.identity) if device is not None else {}
        # the address of the station file: simulated ports differ from run to run and are of no interest
        address = str(parse_address(entry.address))
        firmware = identity.get("firmware", "")
        devices.append(
            DeviceRecord(
                name=name,
                profile=entry.profile,
                address=address,
                identity=identity,
                firmware=firmware,
                evidence=state.project.catalog.profiles[name].evidence,
            )
        )
    return devices


def _skipped(project: Project, found: RunSummary) -> list[StepResult]:
    ran = {step.path for step in found.steps} | set(found.left_out)
    return [
        StepResult(
            name=step.title,
            path=step.path,
            step=step.definition.name,
            version=step.definition.version,
            package=step.package,
            verdict=Verdict.SKIPPED,
            reason="not carried out",
        )
        for step in project.steps
        if step.path not in ran
    ]


def _interlocks(project: Project, state: RunState) -> list[InterlockResult]:
    trips = {trip.interlock: trip for trip in (state.interlocks.trips if state.interlocks is not None else [])}
    results = []
    for spec in project.interlocks:
        trip = trips.get(spec.name)
        results.append(
            InterlockResult(
                name=spec.name,
                signal=", ".join(spec.all_signals),
                armed_s=round(state.summary.armed_s, 3),
                is_proved=spec.name in state.summary.proved,
                is_tripped=trip is not None,
                at=iso(trip.wall_ns) if trip is not None else "",
                reason=trip.reason if trip is not None else "",
            )
        )
    results += [InterlockResult(name=name, bypassed=why) for name, why in project.bypassed.items()]
    planned = {spec.name for spec in project.interlocks}
    results += [
        InterlockResult(name=trip.interlock, is_tripped=True, at=iso(trip.wall_ns), reason=trip.reason)
        for trip in trips.values()
        if trip.interlock not in planned
    ]
    return results


def is_safe(state: RunState) -> bool:
    """Whether the rack was made safe, confirmed; a run that commanded nothing has nothing to undo."""
    return state.summary.safe.is_confirmed if state.summary.safe is not None else not state.log.commands


def _safe_state(state: RunState) -> SafeState:
    found = state.summary
    if found.safe is None and state.log.commands:
        return SafeState(confirmed=False, name="the run ended before the safe state was applied")
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


def _notes(state: RunState) -> list[str]:
    notes = [f"warning of {name!r}: {reason}" for name, reason in state.summary.warnings.items()]
    if state.past is not None:
        lost = f"{state.past.gap} before it went on"
        notes.append(f"interrupted and resumed {state.past.resumed + 1} time(s), the last time {lost}")
        notes += [f"journal: {each}" for each in state.past.damage[:3]]
    if state.log.left_out:
        notes.append(f"{state.log.left_out} more events are in the journal only")
    if state.summary.safe_latency_s is not None:
        cause = "the sample that tripped" if state.interlocks and state.interlocks.trips else "the decision"
        took = f"{1000 * state.summary.safe_latency_s:.1f} ms"
        notes.append(f"safe state: first command {took} after {cause}; control loop at most {_lag(state)} late")
    for device in state.devices.values():
        if device.health.by_kind:
            counts = ", ".join(f"{count} {kind}" for kind, count in sorted(device.health.by_kind.items()))
            notes.append(f"{device.name}: {counts} in {device.health.polls} polls")
    return notes + state.project.on.station.exceptions


def _lag(state: RunState) -> str:
    return f"{1000 * state.summary.loop_lag_s:.0f} ms"
