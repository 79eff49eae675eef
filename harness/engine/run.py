"""One run from folder to verdict: the record is opened first and sealed last, and only then is the verdict said."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

from harness.clock import Clock, iso
from harness.engine.border import Border
from harness.engine.database_copy import watch_copy
from harness.engine.inputs import read_inputs
from harness.engine.layers import third_layer
from harness.engine.options import RunOptions, RunOutcome
from harness.engine.reception import Reception, twin_text
from harness.engine.resume.gap import boot_event
from harness.engine.resume.refusal import refuse_unfit, run_meta
from harness.engine.resume.replay import InterruptedRun, read_past
from harness.engine.runner import Runner
from harness.engine.seal import Conducted, seal
from harness.engine.state import RunState
from harness.engine.traps import serve_traps
from harness.events import VERSION as EVENTS
from harness.events import EventKind
from harness.faultpoint import fault_point
from harness.project.model import Project
from harness.record.aftermath import GUARDIAN_LOG
from harness.record.claim import claimed
from harness.record.folder import RunFolder
from harness.record.index import interrupted_runs
from harness.record.log import RunLog
from harness.record.result import Header, in_words
from harness.safety.bay import station_keys
from harness.safety.guardian_client import BEAT_S, GuardianConfig
from harness.safety.lock import RackLock, tell_twins
from harness.telemetry.journal import Journal
from harness.telemetry.outbox import Outbox, run_tags
from harness.utf8 import utf8
from harness.version import RELEASED


async def execute(
    project: Project, options: RunOptions, clock: Clock, on_start: Callable[[RunState], None] | None = None
) -> RunOutcome:
    """Carry out a plan and leave its record. Raises only when not even a record could be opened.

    RunError when the station is in use. Simulated devices are the run's own: they need no lock.
    """
    wall = time.time_ns()
    station = project.on.station.station
    is_real = not options.is_simulated and options.network is None
    keys = station_keys(project.on, options.addresses) if is_real else []
    armed, unarmed = third_layer(project) if is_real else (None, "")
    about = {
        "station": station,
        "plan": project.plan.plan,
        "serial": options.serial,
        "on": "rack" if is_real else "simulation",
    }
    lock = RackLock.take("run", keys, **about)
    reception = Reception(lock)
    try:
        copies = read_inputs(project)
        if not clock.is_virtual:
            await reception.open()
        if options.resume is not None:
            folder = RunFolder(options.resume)
        else:
            folder = RunFolder.create(options.data_dir, options.serial, wall)
        with claimed(folder.path):
            if not clock.is_virtual:
                lock.take_name(folder.run)
                await reception.open()
            past = None
            if options.resume is not None:
                past = read_past(folder.path, clock)
                await refuse_unfit(past, project, options, clock)
            else:
                for name, content in copies.items():
                    folder.write(name, content)
            third = (armed, unarmed, tuple(key.what for key in keys))
            run = await _prepare(project, options, clock, folder, wall, lock, reception, past, third)
            return await _to_its_end(run, reception, on_start)
    finally:
        reception.close()
        lock.release()


async def _to_its_end(run: Conducted, reception: Reception, on_start: Callable[[RunState], None] | None) -> RunOutcome:
    """Wait for a run, whatever becomes of the task that waits: a cancelled one stops the run and does not lose it."""
    work = asyncio.ensure_future(_carry_out(run, reception, on_start))
    while not work.done():
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError as error:
            run.state.broken("the run was cut off", error)
    return work.result()


async def _carry_out(run: Conducted, reception: Reception, on_start: Callable[[RunState], None] | None) -> RunOutcome:
    border = Border(run.state.broken)
    with border.around():
        try:
            if on_start is not None:
                on_start(run.state)
        except BaseException as error:
            run.state.broken("the screen failed", error)
        await _conduct(run.state, reception)
        border.look_back()
        return await seal(run)


async def _prepare(
    project: Project,
    options: RunOptions,
    clock: Clock,
    folder: RunFolder,
    wall: int,
    lock: RackLock,
    reception: Reception,
    past: InterruptedRun | None,
    third: tuple[Path | None, str, tuple[str, ...]],
) -> Conducted:
    """Open the record, and make the run that it is of. Nothing is contacted yet."""
    header = Header(run=folder.run, host=utf8(socket.gethostname()), recorded_at=iso(past.started_ns if past else wall))
    meta = {"run": folder.run, "events": EVENTS, "operator": options.operator, **run_meta(project, options.serial)}
    was_behind = past is not None and clock.go_on_behind(past.last_wall_ns)
    if past is None:
        journal = await Journal.create(folder.journal, clock, meta)
    else:
        journal = await Journal.reopen(folder.journal, clock)
    journal.add_event(EventKind.BOOT, **boot_event(clock))
    fault_point("journal-created")
    log = RunLog(clock, journal)
    log.observers.extend(options.observers)
    state = RunState(project, options, clock, journal, log)
    state.past = past
    state.lock, state.open_doors = lock, reception.open
    state.unarmed = third[1]
    if not clock.is_virtual and options.network is None:
        state.guardian_config = GuardianConfig(
            station=project.on.station.station,
            run=folder.run,
            serial=options.serial,
            epoch=wall // 1_000_000_000,
            guardian_log=folder.path / GUARDIAN_LOG,
            lock=lock,
            keys=third[2],
            armed=third[0],
            is_simulated=options.is_simulated,
            interval=BEAT_S * max(1.0, 1.0 / clock.rate),
        )
    if options.influxdb is not None and not clock.is_virtual:
        state.outbox = Outbox.to_influxdb(journal, options.influxdb, clock, run_tags(meta))
        state.attach(state.outbox.run())
        state.attach(watch_copy(state))
    started = iso(past.started_ns if past is not None else clock.wall_ns())
    began = clock.monotonic() - ((past.last_wall_ns - past.started_ns) / 1e9 if past is not None else 0.0)
    _announce(project, options.serial, log)
    if past is not None:
        text = f"INTERRUPTED at {iso(past.last_wall_ns)}, {past.gap} ago; the run goes on"
        past.damage += journal.damage
        log.event(
            EventKind.INTERRUPTED, "; ".join([text, *past.damage[:3]]), gap_s=past.gap.seconds, damage=past.damage
        )
        log.event(EventKind.GUARDIAN, past.aftermath)
    if was_behind and not clock.is_virtual:
        log.event(
            EventKind.CLOCK, "the system's clock stands before the end of what was recorded; stamps go on behind it"
        )
    if not clock.is_virtual and iso(wall)[:10] < RELEASED:
        log.event(EventKind.CLOCK, f"the system's clock says {iso(wall)}, this harness is of {RELEASED}: set the clock")
    if past is None and not options.is_simulated:
        for run in interrupted_runs(options.data_dir, project.on.station.station)[-3:]:
            if run != folder.run:
                log.event(
                    EventKind.INTERRUPTED, f"{run} on this station was INTERRUPTED; `--resume {run}` goes on with it"
                )
    return Conducted(state, folder, header, started, began)


def _announce(project: Project, serial: str, log: RunLog) -> None:
    """What runs, with what is not the plan's own and what that makes of it."""
    log.event(EventKind.RUN, f"{project.plan.plan} on {project.on.station.station}, serial {serial}")
    for line in in_words(project.parameters, project.replaced):
        log.event(EventKind.SET, line)
    for path, why in project.left_out.items():
        text = f"{path.partition('/')[2]} is left out: {why}"
        log.event(EventKind.LEFT_OUT, text, path=path, step=path.partition("/")[2], reason=why)
    for why in project.engineering:
        log.event(EventKind.ENGINEERING, f"no certificate of {project.plan.plan}: {why}")


async def _conduct(state: RunState, reception: Reception) -> None:
    """The run itself, with its reception and the receiver of traps beside it."""
    try:
        reception.attach(state)
        await _tell_twins(state)
        state.traps = await serve_traps(state)
    except BaseException as error:
        state.broken("the run could not be begun", error)
    await Runner(state).conduct()
    try:
        if state.traps is not None:
            await state.traps.close()
    except BaseException as error:
        state.broken("the receiver of traps could not be closed", error)
    reception.detach()


async def _tell_twins(state: RunState) -> None:
    """Say, here and in the other record, when this serial number is in another run of this machine right now."""
    if state.options.is_simulated or state.clock.is_virtual or state.lock is None:
        return
    about = {**state.lock.about, "serial": state.options.serial}
    for twin in await state.clock.blocking(None, tell_twins, about):
        who = twin.said
        state.twin(twin_text(about["serial"], who.get("run", ""), who.get("station", ""), twin.who))
