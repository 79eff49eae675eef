"""The end of a run: made safe, cleaned up, put back - whatever happened before, and whatever happens meanwhile."""

from __future__ import annotations

import asyncio

from harness.engine.layers import Layers
from harness.engine.run_context import RunContext
from harness.engine.state import RunState
from harness.engine.step_runner import StepRunner
from harness.events import EventKind
from harness.faultpoint import fault_point
from harness.safety.actions import CompiledSequence
from harness.safety.device_reach import DeviceReach
from harness.safety.power_state import Switches, read_switches
from harness.safety.precedence import DEFAULT, Stop
from harness.safety.sequence import ActionReport, SafeReport, cool_down, make_safe

_AGAIN = 5
"""How often a safe state is begun again at most: somebody who keeps switching on is not outlasted by us."""


class Shutdown:
    """Ends one run."""

    def __init__(self, run: RunState, layers: Layers, step_runner: StepRunner) -> None:
        self._run = run
        self._layers = layers
        self._step_runner = step_runner

    async def end(self) -> None:
        """Clean up, make safe, close. Runs to its end whatever happened before."""
        self._run.operator.release()
        context = self._run.context
        if context is None:
            if self._run.summary.stop is None or not self._run.summary.stop.is_refused:
                await self._look_at_switches()
            await self._layers.disarm()
            await self._run.close()
            return
        self._run.summary.coverage = self._run.coverage_now(context)
        stop = self._run.summary.stop
        if stop is not None:
            await self._make_safe(stop)
        context.energising_allowed = False
        await self._clean_up()
        late = self._run.summary.stop
        if stop is None or (
            late is not None and late.trip is not None and late.trip.sequence != self._run.safe_sequence
        ):
            await self._make_safe(late)
        await self._put_back(context)
        if self._run.interlocks is not None:
            self._run.interlocks.disarm()
            self._run.interlocks.close()
        if self._run.summary.armed_at is not None:
            self._run.summary.armed_s = self._run.clock.monotonic() - self._run.summary.armed_at
        await self._layers.disarm()
        await self._run.close()

    async def _look_at_switches(self) -> None:
        """A run that never began commands nothing, but it switches off what it finds on (a run before it died)."""
        found = await read_switches(self._run.devices, self._run.clock, self._run.project.on.stays_on)
        self._run.summary.unread = found.unknown
        if found.on:
            self._run.log.event(
                EventKind.FOUND, f"{Switches(found.on)}, and this run cannot watch the rack: it is made safe"
            )
            await self._make_safe(self._run.summary.stop)

    async def _clean_up(self) -> None:
        report = self._run.summary.safe
        if report is not None and (not report.is_confirmed or self._run.kind_of(report.sequence) == "leak"):
            # cleanup may stop or start coolant: not under what may be live, not into a leak
            self._run.log.event(
                EventKind.NOTE, "cleanup is left out: the safe state is as it must stay until somebody has looked"
            )
            return
        for step in [each for each in self._run.project.steps if each.section == "cleanup"]:
            try:
                await self._step_runner.run_step(step)
            except Exception as error:
                self._run.log.event(EventKind.BUG, f"cleanup {step.title!r}: {error!r}")

    async def _make_safe(self, stop: Stop | None) -> None:
        decided = stop.trip.frame_mono if stop is not None and stop.trip is not None else self._run.clock.monotonic()
        self._run.log.forget_commands()
        report = await self._apply_safe_state(stop)
        for _ in range(_AGAIN):
            if not self._run.escalated.is_set():
                break
            self._run.escalated.clear()
            stop = self._run.summary.stop
            report = await self._apply_safe_state(stop)
        if report.is_confirmed:
            # a wait for the coolant may lie between the confirmation and this moment: look once more
            again = await read_switches(self._run.devices, self._run.clock, self._run.project.on.stays_on)
            report.actions += [ActionReport(f"{name} off", False, "it is on again") for name in again.on]
        left_at = self._run.log.first_command_at
        self._run.summary.safe_latency_s = left_at - decided if left_at is not None else None
        self._run.summary.safe = report
        word = "SAFE CONFIRMED" if report.is_confirmed else "SAFE NOT CONFIRMED"
        why = "; ".join([*report.unconfirmed, *(f"not reached: {wait}" for wait in report.unreached)])
        fault_point("safe-done")
        self._run.log.event(EventKind.SAFE, f"{word}: {why}" if why else word, confirmed=report.is_confirmed)

    async def _apply_safe_state(self, stop: Stop | None) -> SafeReport:
        """Apply the sequence that a stop asks for; given up half-way for another one when the rack gets worse.

        A run that nothing stopped ends calmly, where the station says how; what that leaves is for `default`.
        """
        run = self._run
        if run.sequences is None:
            await run.compile_safe_state()
            assert run.sequences is not None
        calm = next((name for name, each in run.sequences.by_name.items() if each.kind == "end"), "")
        name = stop.sequence if stop is not None else calm or DEFAULT
        cause = stop.reason if stop is not None else "end of the run"
        tripped = stop.trip.signals if stop is not None and stop.trip is not None else ()
        report = await self._carry_out(run.sequences.chosen(name, list(run.energised), tripped), cause)
        if name == calm and not report.is_confirmed and not run.escalated.is_set():
            run.log.event(EventKind.NOTE, f"{'; '.join(report.unconfirmed)}: the calm end is followed by {DEFAULT}")
            report = await self._carry_out(run.sequences.chosen(DEFAULT, list(run.energised)), cause)
        return report

    async def _carry_out(self, sequence: CompiledSequence, cause: str) -> SafeReport:
        run = self._run
        run.safe_sequence = sequence.name
        work = asyncio.ensure_future(self._apply(sequence, cause))
        escalated = asyncio.ensure_future(run.escalated.wait())
        await asyncio.wait({work, escalated}, return_when=asyncio.FIRST_COMPLETED)
        escalated.cancel()
        if work.done():
            return work.result()
        run.log.event(EventKind.NOTE, f"safe state {sequence.name} is left for a graver one")
        work.cancel()
        await asyncio.wait({work})
        return SafeReport(sequence.name, cause, [ActionReport(sequence.name, False, "left for a graver sequence")])

    async def _apply(self, sequence: CompiledSequence, cause: str) -> SafeReport:
        reach = DeviceReach(self._run.devices)
        report = await make_safe(sequence, cause, reach, self._run.log, bus_was_live=self._run.saw_bus_live)
        await cool_down(sequence, reach, self._run.log, report)
        return report

    async def _put_back(self, context: RunContext) -> None:
        """Set what the safe state does not cover as it was before, when all is safe. Switches went off with it.

        What stays as a step has set it, after a trip all of it, is named in the result.
        """
        report = self._run.summary.safe
        tripped = self._run.summary.stop is not None and self._run.summary.stop.trip is not None
        covered: set[tuple[str, str]] = set()
        for action in self._run.project.on.station.actions_of(report.sequence if report else DEFAULT):
            reference = action.set or action.keep or ""
            covered.update((device, point.name) for device, point in self._run.project.catalog.find_controls(reference))
        if not tripped and (report is None or report.is_confirmed):
            for (device, name), (control, setting) in reversed(list(context.undo.items())):
                if (device, name) not in covered and not control.spec.energises:
                    await context.act([(device, control, setting)])
        self._run.summary.still_set = context.still_set.lines(context.undo, covered)
        for line in self._run.summary.still_set:
            self._run.log.event(EventKind.NOTE, f"still set: {line}")
