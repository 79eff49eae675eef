"""The start of a run: devices opened, a guardian at its side, interlocks proved and armed. Nothing is energised."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from harness.device.connect import open_device, reasons, to_do, tree_report
from harness.device.device import Device
from harness.device.freeze import Freeze
from harness.device.poller import Poller
from harness.device.signal_store import SignalStore
from harness.device.uncounted import uncounted_switches
from harness.engine.layers import Layers
from harness.engine.needs import refuse_missing
from harness.engine.record_size import record_size
from harness.engine.resume.reconcile import reconcile
from harness.engine.resume.replay import InterruptedRun
from harness.engine.run_context import RunContext
from harness.engine.state import STANDS_POLLS, RunState
from harness.engine.watch import Watch
from harness.errors import HarnessError, RunError
from harness.events import EventKind
from harness.faultpoint import fault_point
from harness.limits.verdict import Verdict
from harness.project.checks.stillness import watched_signals
from harness.safety.bay import serial_keys
from harness.safety.external_changes import ExternalChanges
from harness.safety.guardian_client import energised_now, guard_run
from harness.safety.interlocks import Interlocks
from harness.safety.precedence import Stop
from harness.safety.proof_test import prove
from harness.telemetry.rows import SignalInfo as JournalSignal

_FIRST_FRAMES_S = 5.0
_NO_SERIAL = ("", "unknown", "none", "n/a", "not available", "default string", "to be filled by o.e.m.")


def same_unit(devices: Mapping[str, Device]) -> tuple[str, str] | None:
    """Two entries behind which one unit answers: of one model (or profile), with one serial number.

    What units say that were never given a number does not count.
    """
    seen: dict[tuple[str, str], str] = {}
    for name, device in devices.items():
        serial = device.identity.get("serial", "").strip()
        if serial.lower() in _NO_SERIAL or len(set(serial)) == 1:
            continue
        for kind in {device.profile.profile, device.identity.get("model", "").strip()} - {""}:
            other = seen.setdefault((kind, serial), name)
            if other != name:
                return other, name
    return None


class Start:
    """Starts one run."""

    def __init__(self, run: RunState, layers: Layers) -> None:
        self._run = run
        self._layers = layers

    async def begin(self) -> bool:
        """Open the devices and arm what guards them; False when the run must not go on."""
        if not await self._layers.rescue():
            return False
        self._say_unjudged()
        return await self._open() and await self._get_guarded() and await self._begin()

    def _say_unjudged(self) -> None:
        """Name the devices whose tables only this project's own simulation has judged."""
        profiles = self._run.project.catalog.profiles
        unjudged = {name: each.profile for name, each in profiles.items() if not each.is_judged}
        if unjudged:
            shown = ", ".join(f"{name} ({profile})" for name, profile in unjudged.items())
            self._run.log.event(
                EventKind.UNJUDGED, f"nothing outside has judged the profiles of {shown}", devices=unjudged
            )

    async def _open(self) -> bool:
        run = self._run
        run.log.event(EventKind.NOTE, f"opening {len(run.devices)} devices")
        results = await asyncio.gather(*(self._open_one(device) for device in run.devices.values()))
        failures = {name: error for name, error in zip(run.devices, results, strict=True) if error is not None}
        if not await self._claim():
            return False
        if failures:
            shown = {name: (run.address(name), error) for name, error in failures.items()}
            count = f"{len(failures)} of {len(run.devices)} devices"
            report = tree_report(f"{count} cannot be used; nothing was energised", shown)
            run.log.event(EventKind.REPORT, report)
            run.stop_with(Stop(Verdict.ERROR, f"{count} cannot be used: {reasons(shown)}", to_do(shown)))
            return False
        pair = same_unit(run.devices)
        if pair is not None:
            one, other = pair
            serial = run.devices[one].identity["serial"]
            reason = f"{one} and {other} are one device: both answer with the serial number {serial}"
            addresses = f"{run.address(one)} and {run.address(other)}"
            run.stop_with(Stop(Verdict.ERROR, reason, f"correct one of the addresses: {addresses}"))
        for line in [line for device in run.devices.values() for line in uncounted_switches(device)]:
            run.stop_with(Stop(Verdict.ERROR, line, "correct `counts` in the station file; nothing was energised"))
        return run.summary.stop is None

    async def _claim(self) -> bool:
        """Lock the devices by their own serial numbers too; False when another run reaches one of them otherwise."""
        run = self._run
        if run.lock is None or run.open_doors is None or run.options.is_simulated or run.options.network is not None:
            return True
        try:
            run.lock.add(serial_keys(run.devices))
            await run.open_doors()
        except RunError as error:
            run.stop_with(Stop(Verdict.ERROR, error.message, error.hint, is_refused=True))
            return False
        return True

    async def _open_one(self, device: Device) -> HarnessError | None:
        run = self._run
        try:
            await open_device(device, run.clock)
        except HarnessError as error:
            return error
        run.project.catalog.expansions[device.name] = device.expansion
        identity = " ".join(text for text in device.identity.values() if text) or "no identity"
        run.log.event(EventKind.DEVICE, f"{device.name}: {identity}", device=device.name, identity=device.identity)
        return None

    async def _get_guarded(self) -> bool:
        run = self._run
        fault_point("devices-open")
        for name, device in run.devices.items():
            device.before_command = partial(run.before_command, name)
        plan = await run.compile_safe_state()
        if problem := _not_to_be_switched_off(plan, run.devices):
            run.stop_with(Stop(Verdict.ERROR, problem, "nothing was energised: it could not be switched off again"))
            return False
        if run.guardian_config is not None:
            run.guardian = await guard_run(
                run.guardian_config, plan, run.project, run.devices, run.options.addresses, run.guardian_lost
            )
            fault_point("guarded")
            run.log.event(EventKind.GUARDIAN, f"guarded by process {run.guardian.pid}", epoch=run.guardian_config.epoch)
            for name, problem in run.guardian.problems.items():
                text = f"the guardian has no connection of its own to {name} yet: {problem}"
                run.log.event(EventKind.GUARDIAN, text, device=name)
        await self._layers.arm()
        self._layers.say()
        return True

    async def _begin(self) -> bool:
        run = self._run
        catalog = run.project.catalog
        devices = list(run.devices.values())
        movers = run.project.on.station.moves_with
        freeze = Freeze(devices, watched_signals(run.project), movers, self._tell_frozen)
        store = SignalStore(devices, catalog.derived, run.clock, freeze)
        for name, signals in store.schemas.items():
            profile = catalog.profiles.get(name)
            rows = [JournalSignal(i.name, i.unit, {int(k): word for k, word in i.labels.items()}) for i in signals]
            run.journal.declare(name, rows, profile.class_ if profile else "derived")
        run.context = RunContext(run.project, run.devices, store, run.clock, run.log, run.options.prompter)
        run.context.pause_gate = run.operator.pause_gate
        run.context.step_clock = run.operator.step_clock
        run.context.done = run.summary.steps
        run.context.stopped_by = lambda: str(run.summary.stop.verdict) if run.summary.stop is not None else ""
        refuse_missing(run.project, store)
        ages = {signal: store.max_age(signal) for each in run.project.interlocks for signal in each.all_signals}
        leaks = [name for name, given in run.project.on.station.sequences.items() if given.kind == "leak"]
        run.interlocks = Interlocks(run.project.interlocks, store, run.clock, ages, run.tripped, leaks, run.warned)
        if run.past is not None:
            await self._restore_steps(run.past)
        excused, proof = run.restart_within, run.project.on.station.de_energised
        buses = dict.fromkeys(proof.bus, proof.under_voltage) if proof is not None else {}
        run.external = ExternalChanges(
            run.devices, store, run.clock, run.log, run.changed_by_others, run.undone, excused, buses
        )
        run.context.external = run.external
        run.watch_bus(store)
        run.attach(Poller(list(run.devices.values()), run.clock, run.on_frame).run())
        run.attach(Watch(run, self._layers.tick).run())
        run.attach(run.keep_journal())
        run.attach(run.note_coverage())
        await self._first_frames(store)
        if not self._say_size(store):
            return False
        store.begin(again=run.past is not None)
        run.summary.armed_at = run.clock.monotonic()
        on = energised_now(run.devices, store, run.project.on.stays_on)
        run.answer_for(*on)
        await self._layers.hold(on)
        run.notifier.ready()
        await self._prove_interlocks(store)
        await self._fresh_frames(store)
        await run.see_moving(STANDS_POLLS)
        names = run.interlocks.names
        run.log.event(
            EventKind.ARMED, f"{len(names)} interlocks armed: {', '.join(names)}" if names else "no interlocks"
        )
        fault_point("armed")
        run.interlocks.arm()
        return run.summary.stop is None

    def _say_size(self, store: SignalStore) -> bool:
        """Say how much will be written before it is; False when there is no room for it."""
        run = self._run
        size, why_not = record_size(run.project, run.devices.values(), store, run.options.data_dir)
        if size:
            run.log.event(EventKind.NOTE, size)
        if why_not:
            run.stop_with(Stop(Verdict.ERROR, why_not, "make room, or name another folder with --data"))
        return not why_not

    def _tell_frozen(self, signal: str, text: str) -> None:
        self._run.log.event(EventKind.FROZEN, text, signal=signal)

    async def _prove_interlocks(self, store: SignalStore) -> None:
        """Make every interlock trip once, beside the run; one that does not would not protect it."""
        run = self._run
        proofs = await prove(run.project.interlocks, store)
        failed = [f"{proof.interlock!r}: {proof.failure}" for proof in proofs if proof.failure]
        if failed:
            raise HarnessError(f"interlocks failed their proof test: {'; '.join(failed)}", hint="nothing was energised")
        run.summary.proved = [proof.interlock for proof in proofs]
        slowest = max((proof.decision_s for proof in proofs), default=0.0)
        took = "" if run.clock.is_virtual else f", {1000 * slowest:.2f} ms from frame to decision at most"
        if proofs:
            run.log.event(EventKind.PROVED, f"{len(proofs)} interlocks tripped in their proof test{took}")

    async def _fresh_frames(self, store: SignalStore) -> None:
        """Wait until every signal that interlocks look at is good and fresh, or has had the time to become silent."""
        run = self._run
        signals = {signal for interlock in run.project.interlocks for signal in interlock.all_signals}
        ages = {signal: store.max_age(signal) for signal in signals}
        deadline = run.clock.monotonic() + max(ages.values(), default=0.0)
        for signal, age in ages.items():
            while (now := run.clock.monotonic()) < deadline:
                if store.latest(signal).is_good and store.fresh_until(signal) - now > age / 2:
                    break
                await run.clock.sleep(0.05)

    async def _restore_steps(self, past: InterruptedRun) -> None:
        """Show what the hardware is like after the interruption, and decide what is done again."""
        run = self._run
        run.summary.steps.extend(past.order)
        assert run.context is not None
        for signal, zero in past.zeros.items():
            run.context.corrections.add(signal, zero)
        for line in await reconcile(past, run.project, run.devices):
            run.log.event(EventKind.FOUND, line)
        again = [step.title for step in run.project.steps if step.path in past.redo]
        done = sum(1 for step in run.project.steps if step.path in past.steps and past.steps[step.path].is_done)
        text = f"{done} steps were completed; done again: {', '.join(again) or 'none of them'}"
        run.log.event(EventKind.RESUME, f"{text}; lost: {past.gap}", gap_s=past.gap.seconds, again=again)

    async def _first_frames(self, store: SignalStore) -> None:
        run = self._run
        deadline = run.clock.monotonic() + _FIRST_FRAMES_S
        while run.clock.monotonic() < deadline:
            if all(coverage.good for coverage in store.coverage.values()):
                return
            await run.clock.sleep(0.05)


def _not_to_be_switched_off(plan: Mapping[str, Any], devices: Mapping[str, Device]) -> str:
    """Which switch of an open device has no command that would switch it off, and why; '' when all have."""
    for key, put in plan["off"].items():
        if put["problem"] and devices[put["device"]].is_open:
            return f"{key} cannot be switched off: {put['problem']}"
    return ""
