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
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from harness.clock import Clock
from harness.device.build import DeviceBuilder
from harness.device.device import Device, Setting, puts_power_on, tree_report
from harness.device.opening import open_device
from harness.device.points import ControlPoint
from harness.device.poller import Poller
from harness.device.safestate import LEAK
from harness.engine.context import Bench
from harness.engine.desk import Desk
from harness.engine.ending import Ending
from harness.engine.findings import Findings, Stop
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
from harness.engine.stepping import Stepping
from harness.errors import HarnessError, SafetyError
from harness.faultpoint import fault_point
from harness.limits.verdict import Verdict
from harness.quantity import Frame
from harness.record.result import DeviceCoverage
from harness.telemetry.journal import COMMIT_EVERY_S, VIRTUAL_COMMIT_EVERY_S, Journal
from harness.telemetry.outbox import Outbox
from harness.telemetry.rows import SignalInfo as JournalSignal

_FIRST_FRAMES_S = 5.0
_TICK_S = 0.25
_COVERAGE_EVERY_S = 60.0
_LOOK_AT_DIARY = "look at guardian.jsonl in the run's folder"
_FOREIGN = "foreign control"


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
        self.stepping = Stepping(self)
        self._notifier = Notifier()
        self.stopping = asyncio.Event()
        self.hurrying = asyncio.Event()
        self.worse = asyncio.Event()
        """Set when an interlock trips during the safe state that asks for another sequence than the one under way."""
        self.safe_sequence = ""
        """The safe-state sequence that is under way, or was applied last."""
        self._tasks: list[asyncio.Task[None]] = []

    # --- from outside ------------------------------------------------------------------------------------------------

    def request_stop(self, verdict: Verdict, reason: str, *, hint: str = "", by_signal: str = "") -> None:
        """Ask the run to stop and make the rack safe. The first reason counts; asking again never skips anything."""
        if self.found.stop is not None:
            self.log.tell("note", f"{reason}: already stopping, the safe state goes on")
            self.hurrying.set()
            return
        self.halt(Stop(verdict, reason, hint, by_signal=by_signal))

    def halt(self, stop: Stop) -> None:
        """Stop the run: the first reason counts, unless the rack gets worse while it is being made safe."""
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
        if self.safe_sequence and stop.trip is not None and asked is not None:
            is_foreign = stop.trip.interlock == _FOREIGN  # what was off already is on again
            if asked.sequence != self.safe_sequence or is_foreign:
                self.worse.set()
        if self.bench is not None:
            self.bench.energising_allowed = False
        if self.guard is not None and asked is not None:
            self.guard.sequence = asked.sequence
        self.stopping.set()

    # --- the whole ---------------------------------------------------------------------------------------------------

    async def conduct(self) -> None:
        """Carry the run out; what it found is in `found`."""
        builder = DeviceBuilder(self.clock, self.project.on.base, self.options.network)
        try:
            for name, entry in self.project.on.station.devices.items():
                profile = self.project.catalog.profiles[name]
                self.devices[name] = builder.make(name, entry, profile, self.options.addresses.get(name, ""))
            if await self._open() and await self._get_guarded() and await self._begin():
                await self.stepping.work()
        except HarnessError as error:
            self.halt(Stop(Verdict.ERROR, str(error), error.hint))
        except Exception as error:
            self.log.tell("bug", "".join(traceback.format_exception(error)))
            self.halt(Stop(Verdict.ERROR, f"the harness failed: {error!r}", "report this as a bug"))
        finally:
            await Ending(self).end()

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
            self.halt(Stop(Verdict.ERROR, reason, "check power, cable and address of the devices named"))
        return not failures

    async def _open_one(self, device: Device) -> Exception | None:
        try:
            await open_device(device, self.clock)
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
        self.halt(Stop(Verdict.ERROR, reason, _LOOK_AT_DIARY))

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
            self.halt(Stop(Verdict.ERROR, f"a part of the harness failed: {error!r}", "report this as a bug"))

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
                    self.halt(Stop(Verdict.ERROR, f"{reason} ({device.health.last_error})", f"check {device.name}"))
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
            self.halt(Stop(Verdict.ERROR, f"the journal cannot be written: {error}", "check the disk"))

    def _tripped(self, trip: Trip) -> None:
        if trip.is_silence:  # the rack showed nothing bad: what watches it is gone, which is the station's fault
            reason = f"interlock {trip.interlock!r} has lost sight: {trip.reason}"
            self.halt(Stop(Verdict.ERROR, reason, "check the device that the interlock watches", trip=trip))
            return
        self.halt(Stop(Verdict.TRIPPED, f"interlock {trip.interlock!r}: {trip.reason}", trip=trip))

    # --- the end -----------------------------------------------------------------------------------------------------

    def coverage_now(self, bench: Bench) -> list[DeviceCoverage]:
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
            for name, coverage in bench.store.coverage.items()
        ]

    async def _note_coverage(self) -> None:
        """Journal once a minute how complete the data are: an interrupted run must not begin to count anew."""
        assert self.bench is not None
        while True:
            await self.clock.sleep(_COVERAGE_EVERY_S)
            counts = {
                each.device: [each.expected, each.received, round((each.good or 0.0) * each.received)]
                for each in self.coverage_now(self.bench)
            }
            self.journal.add_event(COVERAGE, devices=counts)

    async def close(self) -> None:
        """End the background work, the guardian and the connections."""
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
