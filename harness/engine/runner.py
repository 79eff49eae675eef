"""The run: open, arm, set up, step, clean up, make safe, seal - whatever happens in between.

```
 open all devices --any fails--> ERROR, nothing energised
      |
 first frames -> interlocks armed -> setup -> steps ----------------> cleanup -> safe state -> sealed -> verdict
                                        |                               ^
                 trip, abort, device lost, journal failed: safe state --'   (energising refused from here on)
```
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from harness.clock import Clock, iso
from harness.device.build import DeviceBuilder
from harness.device.device import Device, Setting, puts_power_on, tree_report
from harness.device.points import ControlPoint
from harness.device.poller import Poller
from harness.device.safestate import LEAK, ActionReport, SafeReport, apply, compile_sequence
from harness.engine.context import Bench, Interruption, StepContext
from harness.engine.desk import Desk
from harness.engine.foreign import ForeignControl
from harness.engine.guarding import Charge, Guard, energised_now, guard_run
from harness.engine.interlocks import Interlocks, Trip
from harness.engine.log import RunLog
from harness.engine.notify import Notifier
from harness.engine.options import RunOptions
from harness.engine.project import PlannedStep, Project
from harness.engine.proving import prove
from harness.engine.resuming import COVERAGE, Past, key_of, reconcile, with_past
from harness.engine.signals import SignalStore
from harness.engine.step import StepFailedError
from harness.engine.switches import Switches, read_switches
from harness.errors import DeviceError, HarnessError, SafetyError
from harness.faultpoint import fault_point
from harness.limits.verdict import Verdict, worst
from harness.quantity import Frame
from harness.record.result import DeviceCoverage, StepResult
from harness.telemetry.journal import COMMIT_EVERY_S, VIRTUAL_COMMIT_EVERY_S, Journal
from harness.telemetry.outbox import Outbox
from harness.telemetry.rows import SignalInfo as JournalSignal

OPEN_WITHIN_S = 4.5
_FIRST_FRAMES_S = 5.0
_TICK_S = 0.25
_COVERAGE_EVERY_S = 60.0
_LOOK_AT_DIARY = "look at guardian.jsonl in the run's folder"
_STEP_CANCEL_S = 2.0
_CLEANUP_S = 60.0
"""Longest time for one cleanup step of a run that was stopped: the rack is safe already."""
_FOREIGN = "foreign control"
_AGAIN = 5
"""How often a safe state is begun anew at most: somebody who keeps switching on is not outlasted by us."""


@dataclass(slots=True)
class Stop:
    """Why a run stops before its end."""

    verdict: Verdict
    reason: str
    hint: str = ""
    trip: Trip | None = None
    by_signal: str = ""


@dataclass(slots=True)
class Findings:
    """What a run has found, for its record."""

    steps: list[StepResult] = field(default_factory=list)
    stop: Stop | None = None
    safe: SafeReport | None = None
    coverage: list[DeviceCoverage] = field(default_factory=list)
    armed_at: float | None = None
    armed_s: float = 0.0
    safe_latency_s: float | None = None
    """From the sample that tripped (or the end of the steps) to the first command of the safe state."""
    loop_lag_s: float = 0.0
    """How late the control loop was at most."""
    proved: list[str] = field(default_factory=list)
    """Interlocks that tripped in their proof test at the start."""
    hints: list[str] = field(default_factory=list)
    unread: tuple[str, ...] = ()
    """Switches of which a run that commanded nothing could not tell whether they are on."""


class Runner:
    """Conducts one run of a project. `conduct` never raises for what devices or steps do."""

    def __init__(self, project: Project, options: RunOptions, clock: Clock, journal: Journal, log: RunLog) -> None:
        self.project = project
        self.options = options
        self.clock = clock
        self.journal = journal
        self.log = log
        self.found = Findings()
        self.devices: dict[str, Device] = {}
        self.bench: Bench | None = None
        self.interlocks: Interlocks | None = None
        self.running: PlannedStep | None = None
        self.held_after: PlannedStep | None = None
        """The step that just ended, while the run is held before the next."""
        self.step_started = 0.0
        self.started = clock.monotonic()
        self.outbox: Outbox | None = None
        self.charge: Charge | None = None
        """What the run's guardian is told; None: there is none (virtual time)."""
        self.guard: Guard | None = None
        self.desk = Desk(clock)
        self.foreign: ForeignControl | None = None
        self.past: Past | None = None
        """The run that this one goes on with; None: a new run."""
        self._notifier = Notifier()
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._worse = asyncio.Event()
        """Set when an interlock trips during the safe state that asks for another sequence than the one under way."""
        self._safe_sequence = ""
        """The safe-state sequence that is under way, or was applied last."""
        self._tasks: list[asyncio.Task[None]] = []

    # --- from outside ------------------------------------------------------------------------------------------------

    def request_stop(self, verdict: Verdict, reason: str, *, hint: str = "", by_signal: str = "") -> None:
        """Ask the run to stop and make the rack safe. The first reason counts; asking again never skips anything."""
        if self.found.stop is not None:
            self.log.tell("note", f"{reason}: already stopping, the safe state goes on")
            self._hurry.set()
            return
        self._halt(Stop(verdict, reason, hint, by_signal=by_signal))

    def _halt(self, stop: Stop) -> None:
        if self.guard is not None and self.guard.revocation and self.found.stop is None:
            # what else is found out after a freeze (stale data, missed deadlines) only follows from it
            stop = Stop(Verdict.ERROR, self.guard.revocation, _LOOK_AT_DIARY)
        first = self.found.stop
        if first is None:
            self.found.stop = stop
            self.log.tell("stop", f"{stop.verdict}: {stop.reason}", verdict=str(stop.verdict))
        elif stop.trip is not None and not stop.trip.is_silence:
            # the rack got worse while it was being stopped: its own sequence follows at once, and it is the verdict
            self.log.tell("stop", f"{stop.verdict}: {stop.reason}", verdict=str(stop.verdict))
            if first.trip is None or first.trip.sequence != LEAK or stop.trip.sequence == LEAK:
                self.found.stop = replace(stop, reason=f"{stop.reason} (while stopping: {first.reason})")
            # else: what a leak brings with it (no flow, low pressure) must not keep the coolant running onto live parts
        asked = self.found.stop.trip if self.found.stop is not None else None
        if self._safe_sequence and stop.trip is not None and asked is not None:
            is_foreign = stop.trip.interlock == _FOREIGN  # what was off already is on again
            if asked.sequence != self._safe_sequence or is_foreign:
                self._worse.set()
        if self.bench is not None:
            self.bench.energising_allowed = False
        if self.guard is not None and asked is not None:
            self.guard.sequence = asked.sequence
        self._stop.set()

    # --- the whole ---------------------------------------------------------------------------------------------------

    async def conduct(self) -> None:
        """Carry the run out; what it found is in `found`."""
        builder = DeviceBuilder(self.clock, self.project.on.base, self.options.network)
        try:
            for name, entry in self.project.on.station.devices.items():
                profile = self.project.catalog.profiles[name]
                self.devices[name] = builder.make(name, entry, profile, self.options.addresses.get(name, ""))
            if await self._open() and await self._get_guarded() and await self._begin():
                await self._work()
        except HarnessError as error:
            self._halt(Stop(Verdict.ERROR, str(error), error.hint))
        except Exception as error:
            self.log.tell("bug", "".join(traceback.format_exception(error)))
            self._halt(Stop(Verdict.ERROR, f"the harness failed: {error!r}", "report this as a bug"))
        finally:
            await self._end()

    async def _open(self) -> bool:
        self.log.tell("note", f"opening {len(self.devices)} devices")
        results = await asyncio.gather(*(self._open_one(device) for device in self.devices.values()))
        failures = {name: error for name, error in zip(self.devices, results, strict=True) if error is not None}
        if failures:
            shown = {name: (self._address(name), error) for name, error in failures.items()}
            count = f"{len(failures)} of {len(self.devices)} devices"
            report = tree_report(f"{count} cannot be used; nothing was energised", shown)
            self.log.tell("report", report)
            first = next(iter(failures))
            reason = f"{count} cannot be used: {first} at {self._address(first)}: {failures[first]}"
            self._halt(Stop(Verdict.ERROR, reason, "check power, cable and address of the devices named"))
        return not failures

    async def _open_one(self, device: Device) -> Exception | None:
        try:
            async with self.clock.timeout(OPEN_WITHIN_S):
                await device.open()
        except TimeoutError:
            return DeviceError(f"did not come up within {OPEN_WITHIN_S:g} s", device=device.name, operation="open")
        except HarnessError as error:
            return error
        self.project.catalog.expansions[device.name] = device.expansion
        identity = " ".join(text for text in device.identity.values() if text) or "no identity"
        self.log.tell("device", f"{device.name}: {identity}", device=device.name, identity=device.identity)
        return None

    async def _get_guarded(self) -> bool:
        fault_point("devices-open")
        for name, device in self.devices.items():
            device.gate = partial(self._gate, name)
        if self.charge is not None:
            self.guard = await guard_run(
                self.charge, self.project, self.devices, self.options.addresses, self._guardian_lost
            )
            fault_point("guarded")
            self.log.tell("guardian", f"guarded by process {self.guard.pid}", epoch=self.charge.epoch)
            for name, problem in self.guard.problems.items():
                text = f"the guardian has no connection of its own to {name} yet: {problem}"
                self.log.tell("guardian", text, device=name)
        return True

    def _guardian_lost(self, reason: str) -> None:
        self._halt(Stop(Verdict.ERROR, reason, _LOOK_AT_DIARY))

    def _gate(self, name: str, control: ControlPoint, setting: Setting) -> None:
        """The last look before a command leaves: the guardian knows of it, and nothing is energised after a stop."""
        if self.guard is not None:
            self.guard.arm(f"{name}.{control.name}")
        if puts_power_on(control, setting):
            if self.bench is not None and not self.bench.energising_allowed:
                raise SafetyError(f"{name}.{control.name} is not energised any more in this run")
            if self.guard is not None:
                self.guard.check()
        if self.foreign is not None:
            self.foreign.commanded(name, control, setting)

    def _address(self, name: str) -> str:
        return self.options.addresses.get(name) or self.project.on.station.devices[name].address

    async def _begin(self) -> bool:
        catalog = self.project.catalog
        store = SignalStore(list(self.devices.values()), catalog.derived, self.clock)
        for name, signals in store.schemas.items():
            profile = catalog.profiles.get(name)
            rows = [JournalSignal(i.name, i.unit, {int(k): word for k, word in i.labels.items()}) for i in signals]
            self.journal.declare(name, rows, profile.class_ if profile else "derived")
        self.bench = Bench(self.project, self.devices, store, self.clock, self.log, self.options.prompter)
        self.bench.gate = self.desk.gate
        self.bench.step_clock = self.desk.step_clock
        ages = {name: device.max_age for name, device in self.devices.items()}
        for interlock in self.project.interlocks:
            for signal in interlock.all_signals:
                if not store.has(signal):
                    raise HarnessError(f"interlock {interlock.name!r} needs {signal}, which the device does not have")
        self.interlocks = Interlocks(self.project.interlocks, store, self.clock, ages, self._tripped)
        if self.past is not None:
            await self._take_up(self.past)
        self.foreign = ForeignControl(self.devices, store, self.clock, self.log, self._foreign_hand)
        self.attach(Poller(list(self.devices.values()), self.clock, self._on_frame).run())
        self.attach(self._watch())
        self.attach(self._keep_journal())
        self.attach(self._note_coverage())
        await self._first_frames(store)
        store.restart_coverage()
        self.found.armed_at = self.clock.monotonic()
        if self.guard is not None:
            self.guard.arm(*energised_now(self.devices, store))
        self._notifier.ready()
        self._prove_interlocks()
        names = self.interlocks.names
        self.log.tell("armed", f"{len(names)} interlocks armed: {', '.join(names)}" if names else "no interlocks")
        fault_point("armed")
        self.interlocks.arm()
        return self.found.stop is None

    def _prove_interlocks(self) -> None:
        """Make every interlock trip once, beside the run; one that does not would not protect it."""
        proofs = prove(self.project.interlocks, list(self.devices.values()), self.project.catalog.derived)
        failed = [f"{proof.interlock!r}: {proof.failure}" for proof in proofs if proof.failure]
        if failed:
            raise HarnessError(f"interlocks failed their proof test: {'; '.join(failed)}", hint="nothing was energised")
        self.found.proved = [proof.interlock for proof in proofs]
        slowest = max((proof.decision_s for proof in proofs), default=0.0)
        took = "" if self.clock.is_virtual else f", {1000 * slowest:.2f} ms from frame to decision at most"
        if proofs:
            self.log.tell("proved", f"{len(proofs)} interlocks tripped in their proof test{took}")

    async def _take_up(self, past: Past) -> None:
        """Show what the hardware is like after the interruption, and decide what is done again."""
        self.found.steps.extend(past.order)
        for line in await reconcile(past, self.project, self.devices):
            self.log.tell("found", line)
        again = [step.title for step in self.project.steps if key_of(step) in past.redo]
        done = sum(1 for step in self.project.steps if key_of(step) in past.steps and past.steps[key_of(step)].is_done)
        text = f"{done} steps were completed; done again: {', '.join(again) or 'none of them'}"
        self.log.tell("resume", f"{text}; {past.gap_s:.0f} s were lost", gap_s=past.gap_s, again=again)

    def _is_behind(self, step: PlannedStep) -> bool:
        """Whether the interrupted run had completed a step, and it still holds."""
        known = self.past.steps.get(key_of(step)) if self.past is not None else None
        return known is not None and known.is_done and self.past is not None and key_of(step) not in self.past.redo

    def _foreign_hand(self, control: str, reason: str, mono: float) -> None:
        """Somebody else energised the rack: it is made safe."""
        if self.guard is not None:
            self.guard.arm(control)
        trip = Trip(_FOREIGN, "default", reason, self.clock.monotonic(), self.clock.wall_ns(), mono)
        assert self.interlocks is not None
        self.interlocks.trips.append(trip)
        self._tripped(trip)

    async def _first_frames(self, store: SignalStore) -> None:
        deadline = self.clock.monotonic() + _FIRST_FRAMES_S
        while self.clock.monotonic() < deadline:
            if all(coverage.good for coverage in store.coverage.values()):
                return
            await self.clock.sleep(0.05)

    def attach(self, work: Coroutine[Any, Any, None]) -> None:
        """Let background work live as long as the run; its failure is the run's."""
        self._tasks.append(asyncio.get_running_loop().create_task(self._guarded(work)))

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.log.tell("bug", "".join(traceback.format_exception(error)))
            self._halt(Stop(Verdict.ERROR, f"a part of the harness failed: {error!r}", "report this as a bug"))

    # --- frames ------------------------------------------------------------------------------------------------------

    def _on_frame(self, frame: Frame) -> None:
        assert self.bench is not None
        assert self.interlocks is not None
        derived = self.bench.store.take(frame)
        self.interlocks.after_frame(frame.device)
        if derived is not None:
            self.interlocks.after_frame(derived.device)
        if self.foreign is not None and (self.guard is None or not self.guard.lost):
            self.foreign.after_frame(frame)
        self.journal.add_frame(frame)
        if derived is not None:
            self.journal.add_frame(derived)

    def _quiet_for(self) -> float:
        """Seconds until silence is looked for again. In virtual time not before there can be any, or for a second."""
        if not self.clock.is_virtual or self.interlocks is None or self.guard is not None:
            return _TICK_S
        first = min(device.health.last_good + device.entry.grace for device in self.devices.values())
        first = min(first, self.interlocks.silent_at())
        return min(4 * _TICK_S, max(_TICK_S, first - self.clock.monotonic() + 1e-6))

    async def _watch(self) -> None:
        """Notice silence, lost devices and a stepped clock."""
        step_s = 0.0
        while True:
            due = self.clock.monotonic() + self._quiet_for()
            await self.clock.sleep_until(due)
            self.found.loop_lag_s = max(self.found.loop_lag_s, self.clock.monotonic() - due)
            if self.guard is not None:
                self.guard.beat()
                for event in self.guard.events:
                    self.log.tell("guardian", event)
                self.guard.events.clear()
            self._notifier.alive(self.running.title if self.running is not None else "")
            if self.interlocks is not None:
                self.interlocks.evaluate()
            now = self.clock.monotonic()
            for device in self.devices.values():
                for event in device.events:
                    self.log.tell("device", f"{device.name}: {event}", device=device.name)
                device.events.clear()
                silent = now - max(device.health.last_good, self.found.armed_at or now)
                if silent > device.entry.grace and device.entry.needed == "control":
                    reason = f"{device.name} at {self._address(device.name)} has not answered for {silent:.0f} s"
                    self._halt(Stop(Verdict.ERROR, f"{reason} ({device.health.last_error})", f"check {device.name}"))
            moved = self.clock.wall_step_s()
            if abs(moved - step_s) > 0.5:
                self.log.tell(
                    "clock", f"the system's clock was stepped by {moved - step_s:+.3f} s; stamps go on evenly"
                )
                step_s = moved

    async def _keep_journal(self) -> None:
        try:
            await self.journal.run(VIRTUAL_COMMIT_EVERY_S if self.clock.is_virtual else COMMIT_EVERY_S)
        except HarnessError as error:
            self._halt(Stop(Verdict.ERROR, f"the journal cannot be written: {error}", "check the disk"))

    def _tripped(self, trip: Trip) -> None:
        if trip.is_silence:  # the rack showed nothing bad: what watches it is gone, which is the station's fault
            reason = f"interlock {trip.interlock!r} has lost sight: {trip.reason}"
            self._halt(Stop(Verdict.ERROR, reason, "check the device that the interlock watches", trip=trip))
            return
        self._halt(Stop(Verdict.TRIPPED, f"interlock {trip.interlock!r}: {trip.reason}", trip=trip))

    # --- steps -------------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        setup = [step for step in self.project.steps if step.section == "setup"]
        main = [step for step in self.project.steps if step.section == "steps"]
        if await self._run_steps(setup):
            await self._run_steps(main)

    async def _run_steps(self, steps: Sequence[PlannedStep]) -> bool:
        """Run steps in order; False when the ones after must not run."""
        for step in steps:
            if self._stop.is_set():
                return False
            if self._is_behind(step):
                continue
            if not await self._carry_out(step):
                return False
        return not self._stop.is_set()

    async def _carry_out(self, step: PlannedStep) -> bool:
        """One step, again as often as the operator asks for it; its attempts are recorded side by side."""
        known = self.past.steps.get(key_of(step)) if self.past is not None else None
        attempt = 1 + (known.attempts[-1].attempt if known is not None and known.attempts else 0)
        while True:
            goes_on = await self._run_step(step, attempt)
            if not goes_on and self.options.hold_on_fail and not self._stop.is_set():
                self.desk.gate.close()
                self.log.tell("operator", f"held: {step.title} failed; retry, skip or continue?", step=step.title)
            self.held_after = step
            await self.desk.pass_gate(self._stop)
            self.held_after = None
            wish = self.desk.hear()
            if self._stop.is_set():
                return False
            if wish != "retry":
                return goes_on or wish == "skip"
            attempt += 1

    async def _run_step(self, step: PlannedStep, attempt: int = 1) -> bool:
        assert self.bench is not None
        assert self.interlocks is not None
        context = StepContext(self.bench, step.title, attempt)
        if self.past is not None and (known := self.past.steps.get(key_of(step))) is not None and known.is_open:
            context.interruption = Interruption(self.past.gap_s, known.checkpoint)
            known.is_open = False  # an attempt that the operator asks for begins anew
        self.running, self.step_started = step, self.clock.monotonic()
        self.bench.progress = (0.0, "")
        began = iso(self.clock.wall_ns())
        self.log.tell(
            "step",
            f"{step.title}: started",
            step=step.title,
            kind=step.definition.name,
            section=step.section,
            key=key_of(step),
            attempt=attempt,
        )
        fault_point("step-begun")
        self.interlocks.enter_step(step.title)
        verdict, reason = await self._outcome(step, context)
        self.interlocks.enter_step("")
        result = StepResult(
            name=step.title,
            step=step.definition.name,
            attempt=context.attempt,
            verdict=verdict,
            started=began,
            ended=iso(self.clock.wall_ns()),
            reason=reason,
            measurements=tuple(context.measurements),
        )
        self.found.steps.append(result)
        goes_on = verdict in (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.SKIPPED)
        if verdict is Verdict.FAIL:
            by_itself = "stop" if not context.measurements or context.stop_after_fail else "continue"
            goes_on = (step.entry.on_fail or by_itself) == "continue"
        text = f"{step.title}: {verdict}{f' - {reason}' if reason else ''}"
        self.log.tell("step end", text, **_dump(result), goes_on=goes_on)
        fault_point("step-ended")
        self.running = None
        return goes_on

    async def _outcome(self, step: PlannedStep, context: StepContext) -> tuple[Verdict, str]:
        work = asyncio.ensure_future(step.definition.run(context, step.params))
        is_cleanup = step.section == "cleanup"
        halted = asyncio.ensure_future(self._hurry.wait() if is_cleanup else self._stop.wait())
        asked = asyncio.ensure_future(self.desk.asked.wait())
        limit = _CLEANUP_S if is_cleanup and self._stop.is_set() else None
        try:
            waits: set[asyncio.Future[Any]] = {work, halted} if is_cleanup else {work, halted, asked}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=limit)
        finally:
            halted.cancel()
            asked.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait({work}, timeout=_STEP_CANCEL_S)
            stop = self.found.stop
            if stop is None and not is_cleanup:
                return self.desk.verdict()
            if is_cleanup or stop is None:
                return Verdict.ERROR, "cut short: the run was stopped"
            return stop.verdict, stop.reason
        return self._judge(step, context, work)

    def _judge(self, step: PlannedStep, context: StepContext, work: asyncio.Future[None]) -> tuple[Verdict, str]:
        error = None if work.cancelled() else work.exception()
        measured = [m for m in context.measurements if m.verdict is not Verdict.PASS]
        if error is None:
            verdict = worst([Verdict.PASS, *(m.verdict for m in measured)])
            return verdict, "; ".join(m.reason for m in measured[:3])
        if isinstance(error, StepFailedError):
            if error.hint:
                self.found.hints.append(error.hint)
            return Verdict.FAIL, error.message
        if isinstance(error, HarnessError):
            self._halt(Stop(Verdict.ERROR, f"step {step.title!r}: {error}", error.hint))
            return Verdict.ERROR, str(error)
        self.log.tell("bug", "".join(traceback.format_exception(error)))
        self._halt(Stop(Verdict.ERROR, f"step {step.title!r} failed inside: {error!r}", "report this as a bug"))
        return Verdict.ERROR, repr(error)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _end(self) -> None:
        """Clean up, make safe, close. Runs to its end whatever happened before."""
        bench = self.bench
        if bench is None:
            await self._look_at_switches()
            await self._close()
            return
        self.found.coverage = self._coverage(bench)
        stop = self.found.stop
        if stop is not None:
            await self._make_safe(stop)
        bench.energising_allowed = False
        await self._clean_up()
        late = self.found.stop
        if stop is None or (late is not None and late.trip is not None and late.trip.sequence != self._safe_sequence):
            await self._make_safe(late)
        await self._put_back(bench)
        if self.interlocks is not None:
            self.interlocks.disarm()
            self.interlocks.close()
        if self.found.armed_at is not None:
            self.found.armed_s = self.clock.monotonic() - self.found.armed_at
        await self._close()

    async def _look_at_switches(self) -> None:
        """A run that never began commands nothing, but what it finds switched on (a run before it died) it puts off."""
        found = await read_switches(self.devices, self.clock)
        self.found.unread = found.unknown
        if found.on:
            self.log.tell("found", f"{Switches(found.on)}, and this run cannot watch the rack: it is made safe")
            await self._make_safe(self.found.stop)

    async def _clean_up(self) -> None:
        report = self.found.safe
        if report is not None and (not report.is_confirmed or report.sequence == LEAK):
            # cleanup may stop or start coolant: not under what may be live, not into a leak
            self.log.tell("note", "cleanup is left out: the safe state is as it must stay until somebody has looked")
            return
        for step in [each for each in self.project.steps if each.section == "cleanup"]:
            try:
                await self._run_step(step)
            except Exception as error:
                self.log.tell("bug", f"cleanup {step.title!r}: {error!r}")

    async def _make_safe(self, stop: Stop | None) -> None:
        decided = stop.trip.frame_mono if stop is not None and stop.trip is not None else self.clock.monotonic()
        self.log.forget_commands()
        report = await self._apply_safe_state(stop)
        for _ in range(_AGAIN):
            if not self._worse.is_set():
                break
            self._worse.clear()
            stop = self.found.stop
            report = await self._apply_safe_state(stop)
        if report.is_confirmed:
            # a wait for the coolant may lie between the confirmation and this moment: look once more
            again = await read_switches(self.devices, self.clock)
            report.actions += [ActionReport(f"{name} off", False, "it is on again") for name in again.on]
        left_at = self.log.first_command_at
        self.found.safe_latency_s = left_at - decided if left_at is not None else None
        self.found.safe = report
        word = "SAFE CONFIRMED" if report.is_confirmed else f"SAFE NOT CONFIRMED: {'; '.join(report.unconfirmed)}"
        fault_point("safe-done")
        self.log.tell("safe", word, confirmed=report.is_confirmed)

    async def _apply_safe_state(self, stop: Stop | None) -> SafeReport:
        """Apply the sequence that a stop asks for; given up half-way for another one when the rack gets worse."""
        name = stop.trip.sequence if stop is not None and stop.trip is not None else "default"
        cause = stop.reason if stop is not None else "end of the run"
        self._safe_sequence = name
        actions = self.project.on.station.safe_state.get(name, ())
        sequence = compile_sequence(actions, self.devices, self.project.catalog.derived)
        work = asyncio.ensure_future(apply(name, cause, sequence, self.devices, self.clock, self.log))
        worse = asyncio.ensure_future(self._worse.wait())
        await asyncio.wait({work, worse}, return_when=asyncio.FIRST_COMPLETED)
        worse.cancel()
        if not work.done():
            self.log.tell("note", f"safe state {name} is left for a graver one")
            work.cancel()
            await asyncio.wait({work})
            return SafeReport(name, cause, [ActionReport(name, False, "left for a graver sequence")])
        return work.result()

    async def _put_back(self, bench: Bench) -> None:
        """Undo what the safe state does not cover: energised things off; settings as before when all is safe."""
        report = self.found.safe
        covered: set[tuple[str, str]] = set()
        for action in self.project.on.station.safe_state.get(report.sequence if report else "default", ()):
            reference = action.set or action.keep or ""
            covered.update((device, point.name) for device, point in self.project.catalog.find_controls(reference))
        tripped = self.found.stop is not None and self.found.stop.trip is not None
        for (device, name), (control, setting) in reversed(list(bench.undo.items())):
            if (device, name) in covered or (tripped and not control.spec.energises):
                continue
            if not control.spec.energises and report is not None and not report.is_confirmed:
                continue
            outcomes = await bench.act([(device, control, setting)])
            outcome = outcomes[f"{device}.{name}"]
            if control.spec.energises and report is not None:
                report.actions.append(ActionReport(f"{device}.{name} off", outcome.is_confirmed, outcome.error))

    def _coverage(self, bench: Bench) -> list[DeviceCoverage]:
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
            for name, coverage in bench.store.coverage.items()
        ]

    async def _note_coverage(self) -> None:
        """Journal once a minute how complete the data are: an interrupted run must not begin to count anew."""
        assert self.bench is not None
        while True:
            await self.clock.sleep(_COVERAGE_EVERY_S)
            counts = {
                each.device: [each.expected, each.received, round((each.good or 0.0) * each.received)]
                for each in self._coverage(self.bench)
            }
            self.journal.add_event(COVERAGE, devices=counts)

    async def _close(self) -> None:
        if self.guard is not None:
            await self.guard.close()
        self._notifier.stopping()
        self._notifier.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        closing = [device.close() for device in self.devices.values()]
        with contextlib.suppress(TimeoutError):
            async with self.clock.timeout(5.0):
                await asyncio.gather(*closing, return_exceptions=True)


def _dump(result: StepResult) -> dict[str, object]:
    return {"step": result.name, "kind": result.step, "verdict": str(result.verdict), "reason": result.reason}
