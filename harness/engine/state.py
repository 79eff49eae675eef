"""The state of one run, shared by all that carry it out: what it is made of, what it has found, why it stops."""

from __future__ import annotations

import asyncio
import contextlib
import math
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.clock import Clock
from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.setting import Setting, puts_power_on
from harness.device.signal_store import Listener, SignalStore
from harness.engine.border import origin, whose
from harness.engine.operator import OperatorRequests
from harness.engine.options import RunOptions
from harness.engine.resume.replay import InterruptedRun, with_past
from harness.engine.run_context import RunContext
from harness.engine.summary import RunSummary
from harness.engine.systemd import Notifier
from harness.errors import HarnessError, SafetyError
from harness.events import EventKind
from harness.in_words import shown
from harness.limits.verdict import Verdict
from harness.project.checks.guarded import covered_by, unwatched
from harness.project.hazards import WORDS, leaves
from harness.project.model import PlannedStep, Project
from harness.quantity import Frame, Quality
from harness.record.log import RunLog
from harness.record.result import DeviceCoverage
from harness.safety.actions import Sequences
from harness.safety.compile import compile_plan
from harness.safety.external_changes import ExternalChanges
from harness.safety.guardian_client import GuardianClient, GuardianConfig
from harness.safety.interlocks import Interlocks
from harness.safety.lock import RackLock
from harness.safety.precedence import CHANGED_BY_OTHERS, DEFAULT, Stop, Trip, decide
from harness.telemetry.journal import COMMIT_EVERY_S, VIRTUAL_COMMIT_EVERY_S, Journal
from harness.telemetry.outbox import Outbox

if TYPE_CHECKING:
    from harness.device.snmp.traps import TrapReceiver

_COVERAGE_EVERY_S = 60.0
_ENDS_WITHIN_S = 5.0
"""How long what goes on beside a run may take to end when it is cancelled, seconds."""
_BUS_RISES_S = 10.0
"""Within this a busbar is up after the first switch went on, seconds: supplies start softly."""
STANDS_POLLS = 4
"""Polls for which a signal of an interlock may have shown one value when a run begins and when it ends."""
_MOVES_WITHIN_S = 60.0
"""How long it is waited for: noise that a profile declares shows within a few polls."""
_LOOK_AT_GUARDIAN_LOG = "look at guardian.jsonl in the run's folder"


@dataclass(frozen=True, slots=True)
class Active:
    """A step that is carried out now."""

    step: PlannedStep
    attempt: int
    since: float
    """When it began, monotonic seconds."""


class RunState:
    """What there is to know of one run while it goes on, and what can happen to it."""

    def __init__(self, project: Project, options: RunOptions, clock: Clock, journal: Journal, log: RunLog) -> None:
        self.project = project
        self.options = options
        self.clock = clock
        self.journal = journal
        self.log = log
        self.summary = RunSummary()
        self.devices: dict[str, Device] = {}
        self.context: RunContext | None = None
        self.interlocks: Interlocks | None = None
        self.active: dict[str, Active] = {}
        """The steps that are carried out now, by path; several in a parallel group."""
        self.halted: set[str] = set()
        """Paths of parallel groups in which no other step begins, because one of them must not be followed."""
        self.held_after: PlannedStep | None = None
        """The step that just ended, while the run is held before the next."""
        self.trouble: Stop | None = None
        """Why a step could not be judged, while people may mend it and have it done again."""
        self.started = clock.monotonic()
        self.outbox: Outbox | None = None
        self.guardian_config: GuardianConfig | None = None
        """What the run's guardian is told; None: there is none (virtual time)."""
        self.guardian: GuardianClient | None = None
        self.lock: RackLock | None = None
        """What this run has for itself."""
        self.open_doors: Callable[[], Awaitable[None]] | None = None
        """Answers at the names that the lock has got meanwhile; None: nobody is answered (virtual time)."""
        self.unarmed = ""
        """Why there is no third layer; '' when there is one."""
        self.traps: TrapReceiver | None = None
        self.operator = OperatorRequests(clock, log)
        self.external: ExternalChanges | None = None
        self.past: InterruptedRun | None = None
        """The run that this one goes on with; None: a new run."""
        self.notifier = Notifier()
        self.stop_requested = asyncio.Event()
        self.cleanup_cancelled = asyncio.Event()
        self.escalated = asyncio.Event()
        """Set when an interlock trips during the safe state that asks for another sequence than the one under way."""
        self.safe_sequence = ""
        """The safe-state sequence that is under way, or was applied last."""
        self.covered = covered_by(project.on, project.interlocks)
        """What interlocks that are always armed would switch off, by `device.control`: nothing else is energised."""
        written = [*project.on.station.interlocks, *project.plan.interlocks]
        self.unwatched = unwatched(project.on, written)
        """Hazards that nothing watches: `check` lets no step have a switch then, and here none gets at one it names."""
        self.is_bus_live = False
        """Whether what proves the rack dead has shown it live."""
        self._energised_at = math.inf
        self.energised: dict[str, None] = {}
        """Every switch that this run has switched on or found on, by `device.control`: it goes off in the end."""
        self.sequences: Sequences | None = None
        """The station's safe state, compiled for the wire."""
        self._tasks: list[asyncio.Task[None]] = []
        self.is_closing = False
        """The rack is as it is left; what is still running only has to come to its end."""

    @property
    def running(self) -> PlannedStep | None:
        """The step that is carried out now; of several, the one that began first."""
        return next((each.step for each in self.active.values()), None)

    @property
    def attempt_now(self) -> Active | None:
        """Which attempt of it, and since when."""
        return next(iter(self.active.values()), None)

    @property
    def doing(self) -> str:
        """The names of the steps that are carried out now; '' between steps."""
        return " + ".join(each.step.title for each in self.active.values())

    # --- from outside ------------------------------------------------------------------------------------------------

    def request_stop(self, verdict: Verdict, reason: str, *, hint: str = "", by_signal: str = "") -> None:
        """Ask the run to stop and make the rack safe. The first reason counts; asking again never skips anything."""
        if self.summary.stop is not None:
            self.log.event(EventKind.NOTE, f"{reason}: already stopping, the safe state goes on")
            self.cleanup_cancelled.set()
            return
        self.stop_with(Stop(verdict, reason, hint, by_signal=by_signal))

    def stop_with(self, stop: Stop) -> None:
        """Stop the run: the first reason counts, unless the rack gets worse while it is being made safe."""
        if self.guardian is not None and self.guardian.revocation and self.summary.stop is None:
            # what else is found out after a freeze (stale data, missed deadlines) only follows from it
            stop = Stop(Verdict.ERROR, self.guardian.revocation, _LOOK_AT_GUARDIAN_LOG)
        decision = decide(self.summary.stop, stop, self.safe_sequence, self.kind_of, self.scope_of)
        self.summary.stop = decision.stop
        if decision.is_news:
            self.log.event(EventKind.STOP, f"{stop.verdict}: {stop.reason}", verdict=str(stop.verdict))
        if decision.restarts:
            self.escalated.set()
        if self.context is not None:
            self.context.energising_allowed = False
        if self.guardian is not None:
            self.guardian.sequence = decision.stop.sequence
        self.stop_requested.set()

    def broken(self, what: str, error: BaseException) -> None:
        """Code failed that nobody waited for, or that must not fail: the run stops with ERROR."""
        self.log.event(EventKind.BUG, "".join(traceback.format_exception(error)))
        if isinstance(error, asyncio.CancelledError):
            text = f"{what}: cancelled, though nobody asked for that"
        else:
            text = f"{what}: {shown(error)}"
        self.stop_with(Stop(Verdict.ERROR, text, whose(origin(error))))

    def guardian_lost(self, reason: str) -> None:
        """The guardian died, froze or took over."""
        self.stop_with(Stop(Verdict.ERROR, reason, _LOOK_AT_GUARDIAN_LOG))

    def before_command(self, name: str, control: ControlPoint, setting: Setting) -> None:
        """The last look before a command leaves: the guardian knows of it, and nothing is energised after a stop."""
        if self.guardian is not None:
            self.guardian.arm(f"{name}.{control.name}")
        if puts_power_on(control, setting):
            if f"{name}.{control.name}" not in self.covered:
                raise SafetyError(f"{name}.{control.name} is not energised: no armed interlock would switch it off")
            if self.unwatched:
                missing = ", ".join(WORDS[hazard] for hazard in self.unwatched)
                raise SafetyError(f"{name}.{control.name} is not energised: no interlock watches {missing}")
            if self.interlocks is not None and (against := self.interlocks.against_power()):
                raise SafetyError(f"{name}.{control.name} is not energised: {against}")
            self._energised_at = min(self._energised_at, self.clock.monotonic())
            self.energised[f"{name}.{control.name}"] = None
            if self.context is not None and not self.context.energising_allowed:
                raise SafetyError(f"{name}.{control.name} is not energised any more in this run")
            if self.guardian is not None:
                self.guardian.check()
        if self.interlocks is not None and control.spec.energises:
            self.interlocks.commanded(f"{name}.{control.name}", is_on=puts_power_on(control, setting))
        if self.external is not None:
            self.external.commanded(name, control, setting)

    def restart_within(self, device: str) -> float:
        """How long the running steps allow for a restart of a device to show (`restart_on`), seconds; 0: for none."""
        allowed = [each.step.params.restart_within.items() for each in self.active.values()]
        waits = [within for items in allowed for name, within in items if name.partition(".")[0] == device]
        return max(waits, default=0.0)

    @property
    def saw_bus_live(self) -> bool:
        """Whether the busbar's readings can prove the rack dead: they were live, or had no time to be.

        A reading that stays at 0 V while power is on the rack belongs to a sensor that stands still.
        """
        return self.is_bus_live or self.clock.monotonic() - self._energised_at < _BUS_RISES_S or not self.energised

    def watch_bus(self, store: SignalStore) -> None:
        """Look whether what proves the rack dead ever shows it live."""
        proof = self.project.on.station.de_energised
        if proof is None:
            return

        def look(least: float) -> Listener:
            def seen(_mono: float, value: float, quality: int) -> None:
                self.is_bus_live = self.is_bus_live or (quality == Quality.GOOD and value >= least)

            return seen

        for name in [name for each in proof.bus for name in self.project.catalog.find_signals(each)]:
            if store.has(name):
                store.listen(name, look(proof.under_voltage.to(store.info(name).unit)))

    def answer_for(self, *switches: str) -> None:
        """Switches that are on although this run did not switch them on: it switches them off in the end."""
        self.energised.update(dict.fromkeys(switches))
        if self.guardian is not None:
            self.guardian.arm(*switches)

    def address(self, name: str) -> str:
        """Where a device is reached in this run."""
        return self.options.addresses.get(name) or self.project.on.station.devices[name].address

    def changed_by_others(self, control: str, reason: str, mono: float) -> None:
        """Somebody else energised the rack: it is made safe. What stays on anyway is only reported."""
        if control in self.project.on.stays_on:
            return
        self.answer_for(control)
        trip = Trip(CHANGED_BY_OTHERS, DEFAULT, reason, self.clock.monotonic(), self.clock.wall_ns(), mono)
        assert self.interlocks is not None
        self.interlocks.trips.append(trip)
        self.tripped(trip)

    def undone(self, control: str, what: str, _mono: float) -> None:
        """What this run had set is gone: nothing that is seen from now on says anything about the rack under test."""
        if self.context is not None and self.context.energising_allowed:
            hint = f"find out who or what undid it ({control}: another person or program, a breaker, a lost feed)"
            self.stop_with(Stop(Verdict.ERROR, what, hint))

    def twin(self, text: str) -> None:
        """Another run of this serial number goes on: said now, and beside the verdict."""
        self.summary.twins.append(text)
        self.log.event(EventKind.TWIN, text)

    def attach(self, work: Coroutine[Any, Any, None]) -> None:
        """Let background work live as long as the run; its failure is the run's."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._guarded(work)))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except BaseException as error:
            if not self.is_closing:
                self.broken("a part of the run failed", error)

    # --- frames ------------------------------------------------------------------------------------------------------

    def on_frame(self, frame: Frame) -> None:
        """Take a frame in: interlocks first, then the journal."""
        assert self.context is not None
        assert self.interlocks is not None
        derived = self.context.store.take(frame)
        self.interlocks.after_frame(frame.device)
        if derived is not None:
            self.interlocks.after_frame(derived.device)
        if self.external is not None and (self.guardian is None or not self.guardian.lost):
            self.external.after_frame(frame)
        self.journal.add_frame(frame)
        if derived is not None:
            self.journal.add_frame(derived)

    async def see_moving(self, repeats: int) -> None:
        """Wait until what interlocks look at moves, where its noise must move it, or is found to be frozen.

        What was frozen before the run began, or has been for its last seconds, would guard nothing unseen. `repeats`:
        how many polls in a row it may have shown one value.
        """
        assert self.context is not None
        store, catalog = self.context.store, self.project.catalog
        looked_at = {signal for interlock in self.project.interlocks for signal in interlock.all_signals}
        behind = {leaf for signal in looked_at for leaf in leaves(catalog, signal)}
        deadline = self.clock.monotonic() + _MOVES_WITHIN_S
        while (still := store.unproved(behind, repeats)) and self.summary.stop is None:
            if self.clock.monotonic() > deadline:
                reason = f"{still[0]} has not moved for {_MOVES_WITHIN_S:g} s, and its noise ought to move it"
                self.stop_with(Stop(Verdict.ERROR, reason, f"check {still[0].partition('.')[0]}"))
                return
            await self.clock.sleep(0.1)

    async def compile_safe_state(self) -> Mapping[str, Any]:
        """Compile the station's safe state for the wire; what comes of it is carried out by run and guardian alike."""
        plan = await compile_plan(self.project.on.station, self.devices, self.project.catalog.derived)
        self.sequences = Sequences.of(plan)
        return plan

    def kind_of(self, sequence: str) -> str:
        """Of what kind a safe-state sequence of the station is."""
        found = self.project.on.station.sequences.get(sequence)
        return found.kind if found is not None else "heat"

    def scope_of(self, sequence: str) -> str:
        """How far a leak reaches that a safe-state sequence of the station is for."""
        found = self.project.on.station.sequences.get(sequence)
        return found.scope if found is not None else "loop"

    async def keep_journal(self) -> None:
        """Commit the journal for as long as the run lives."""
        try:
            await self.journal.run(VIRTUAL_COMMIT_EVERY_S if self.clock.is_virtual else COMMIT_EVERY_S)
        except HarnessError as error:
            self.stop_with(Stop(Verdict.ERROR, f"the journal cannot be written: {error}", "check the disk"))

    def warned(self, interlock: str, reason: str) -> None:
        """An interlock that only warns: reported when it begins, and it stays with the verdict."""
        self.log.event(EventKind.WARNING, f"{interlock}: {reason}", interlock=interlock)
        self.summary.warnings.setdefault(interlock, reason)

    def tripped(self, trip: Trip) -> None:
        """An interlock fired."""
        if trip.is_silence:  # the rack showed nothing bad: what watches it is gone, which is the station's fault
            reason = f"interlock {trip.interlock!r} has lost sight: {trip.reason}"
            self.stop_with(Stop(Verdict.ERROR, reason, "check the device that the interlock watches", trip=trip))
            return
        self.stop_with(Stop(Verdict.TRIPPED, f"interlock {trip.interlock!r}: {trip.reason}", trip=trip))

    # --- the end -----------------------------------------------------------------------------------------------------

    def coverage_now(self, context: RunContext) -> list[DeviceCoverage]:
        """How complete the data of each device are, an interrupted run's before it included."""
        now = self.clock.monotonic()
        return [
            with_past(
                self.past,
                DeviceCoverage(
                    device=name,
                    expected=coverage.expected(now),
                    received=coverage.received,
                    good=round(coverage.good / coverage.received, 6) if coverage.received else 0.0,
                ),
            )
            for name, coverage in context.store.coverage.items()
        ]

    async def note_coverage(self) -> None:
        """Journal once a minute how complete the data are: an interrupted run must not begin to count again."""
        assert self.context is not None
        while True:
            await self.clock.sleep(_COVERAGE_EVERY_S)
            counts = {
                each.device: [each.expected, each.received, round((each.good or 0.0) * each.received)]
                for each in self.coverage_now(self.context)
            }
            self.journal.add_event(EventKind.COVERAGE, devices=counts)

    async def close(self) -> None:
        """End the guardian, the background work and the connections, in this order.

        The control loop lives until the guardian has gone, but judges nothing any more: the rack is as it was left, and
        a partner that is slow to end does not change what the run has found.
        """
        self.is_closing = True
        if self.guardian is not None:
            await self.guardian.close(self.summary.safe.unconfirmed if self.summary.safe is not None else ())
        self.notifier.stopping()
        self.notifier.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:  # one that is deaf to it is left behind: the verdict does not wait for it
            await asyncio.wait(self._tasks, timeout=_ENDS_WITHIN_S)
        closing = [device.close() for device in self.devices.values()]
        with contextlib.suppress(TimeoutError):
            async with self.clock.timeout(5.0):
                await asyncio.gather(*closing, return_exceptions=True)
