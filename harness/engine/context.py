"""What a step may do: observe, command, wait, measure. Nothing else of the harness is in its reach."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from harness.device.corrections import Corrections
from harness.device.points import ControlPoint
from harness.device.setting import Setting, resolve_setting
from harness.device.signal_store import Listener
from harness.engine.border import ours
from harness.engine.judging import (
    Data,
    Excused,
    ResolvedLimit,
    Told,
    blemish,
    in_short,
    judged,
    judgement,
    resolved,
)
from harness.engine.provoked import Provoked, T
from harness.engine.refreshing import refresh
from harness.engine.run_context import RunContext
from harness.engine.view import DeviceView, Folders
from harness.errors import ConfigError, HarnessError, NotConfirmedError, RefusedError, SafetyError
from harness.events import EventKind
from harness.limits.check import Check
from harness.limits.uncertainty import Zero
from harness.limits.verdict import Verdict
from harness.limits.window import Window, statistic_info
from harness.project.step import StepFailedError
from harness.quantity import Reading, SignalInfo
from harness.record.result import Measurement, excused_text, measurement_event
from harness.schema.conditions import Bounds
from harness.utf8 import utf8

CHECKPOINT_EVERY_S = 10.0
"""Longest time of a soak that is lost to an interruption, seconds."""


@dataclass(frozen=True, slots=True)
class Interruption:
    """The run died in this step's last attempt: for how long nobody ran it, and its last checkpoint.

    `gap_s` is infinite when no clock proves how long it was; `gap` says it in words.
    """

    gap_s: float
    checkpoint: Mapping[str, Any]
    gap: str


class StepContext:
    """The run as one step sees it."""

    def __init__(self, context: RunContext, title: str, path: str = "", attempt: int = 1) -> None:
        self._at: RunContext | None = context
        self.title = title
        self.path = path
        self.attempt = attempt
        self.clock = context.step_clock or context.clock
        """The step's clock: it stands still while the operator holds the run."""
        self.measurements: list[Measurement] = []
        self.stopping: set[Verdict] = set()
        """What measurements without their PASS came to whose limits do not say `on_fail: continue`."""
        self.interruption: Interruption | None = None
        """Set when the run died in this step and is now resumed; a step that does not look at it begins again."""
        self.owed: list[Provoked[Any]] = []
        """What the step has provoked and not given back yet."""
        self._checkpoint_at = -math.inf

    @property
    def _context(self) -> RunContext:
        if self._at is None:
            raise SafetyError(f"step {self.title!r} is over: what it left running can do nothing more")
        return self._at

    def close(self) -> None:
        """The step is over."""
        self._at = None

    # --- observing ---------------------------------------------------------------------------------------------------

    def observe(self, signal: str) -> Reading:
        """The latest reading of a signal, without its zero; STALE or BAD when there is none to believe."""
        return self._context.corrections.reading(self._context.store.latest(signal))

    def info(self, signal: str) -> SignalInfo:
        """Unit, words and valid band of a signal."""
        return self._context.store.info(signal)

    def period(self, signal: str) -> float:
        """Seconds between samples."""
        return self._context.store.period(signal)

    def signals(self, reference: str) -> list[str]:
        """The signals that a reference stands for: of a bank, the rows that the device has."""
        return [name for name in self._context.project.catalog.find_signals(reference) if self._context.store.has(name)]

    async def refresh(self, signals: Iterable[str]) -> None:
        """Have their devices read now what they read slowly, and wait for it (two frames); silence ends it too."""
        await refresh(self._context.store, self._context.devices, self.clock, signals)

    @property
    def is_paused(self) -> bool:
        """Whether the operator holds the run."""
        return self._context.pause_gate is not None and not self._context.pause_gate.is_open

    @contextmanager
    def listening(
        self, signal: str, listener: Listener, *, while_paused: bool = False, as_shown: bool = False
    ) -> Iterator[None]:
        """Be told every sample of a signal while the block lasts; those of a pause, and as shown, only if asked for."""
        corrections = self._context.corrections

        def told(mono: float, value: float, quality: int) -> None:
            if self._at is not None and (while_paused or not self.is_paused):
                listener(mono, value if quality or as_shown else corrections.value(signal, value), quality)

        end = self._context.store.listen(signal, told)
        try:
            yield
        finally:
            end()

    @contextmanager
    def collecting(self, signal: str, *, as_shown: bool = False) -> Iterator[Window]:
        """Collect the samples of a signal for as long as the block lasts; `as_shown`: see `listening`."""
        window = Window()
        with self.listening(signal, window.take, as_shown=as_shown):
            yield window

    @property
    def corrections(self) -> Corrections:
        """What the run takes off signals (steps see them without it), and how well their values are known."""
        return self._context.corrections

    def take_off(self, signal: str, zero: Zero) -> None:
        """From here on steps see the signal without this offset; it is recorded, and kept by a resumed run."""
        text = self._context.corrections.add(signal, zero)
        self._context.log.event(EventKind.ZERO, text, step=self.title, signal=signal, **asdict(zero))

    @property
    def devices(self) -> Mapping[str, DeviceView]:
        """The station's devices as they are now, to read their identity, role and health. Nothing more."""
        return {name: DeviceView.of(device) for name, device in self._context.devices.items()}

    @property
    def folders(self) -> Folders:
        """Where files of this step are found or kept."""
        return Folders(self._context.log.journal.path.parent, self._context.project.on.base)

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self.clock.sleep(seconds)

    def progress(self, fraction: float, text: str = "") -> None:
        """Tell the screen how far the step is, 0 to 1."""
        self._context.progress = (min(1.0, max(0.0, fraction)), text)

    @property
    def is_checkpoint_due(self) -> bool:
        """Whether `checkpoint` would write: what it is given need not be gathered before."""
        return self.clock.monotonic() - self._checkpoint_at >= CHECKPOINT_EVERY_S

    def checkpoint(self, **state: Any) -> None:
        """Journal how far the step is (JSON values), at most every 10 s; `interruption` gives it back after a death."""
        now = self.clock.monotonic()
        if now - self._checkpoint_at >= CHECKPOINT_EVERY_S:
            self._checkpoint_at = now
            journal = self._context.log.journal
            journal.add_event(EventKind.CHECKPOINT, step=self.title, path=self.path, attempt=self.attempt, **state)

    @contextmanager
    def showing(self, checks: Mapping[str, tuple[Check, str]]) -> Iterator[None]:
        """Put watched limits on the screen for as long as the block lasts."""
        watched = self._context.watched
        watched.update(checks)
        try:
            yield
        finally:
            for signal in checks:
                watched.pop(signal, None)

    # --- commanding --------------------------------------------------------------------------------------------------

    def controls(self, reference: str) -> list[tuple[str, ControlPoint]]:
        """(device, control) pairs that a reference stands for."""
        return list(self._context.project.catalog.find_controls(reference))

    async def act(self, reference: str | Sequence[str], to: str | float, within: float | None = None) -> None:
        """Set a control, all of a bank, or several of them together, and see it confirmed.

        RefusedError when the device said no, NotConfirmedError when the read-back does not agree in time: both are
        the station's fault, and the run ends with ERROR.
        """
        pairs = []
        references = [reference] if isinstance(reference, str) else reference
        found = {f"{device}.{each.name}": (device, each) for one in references for device, each in self.controls(one)}
        for device, control in found.values():
            try:
                pairs.append((device, control, resolve_setting(control, to)))
            except ValueError as error:
                raise RefusedError(str(error), device=device, operation="set") from error
        await self.act_on(pairs, within)

    async def act_on(self, pairs: Sequence[tuple[str, ControlPoint, Setting]], within: float | None = None) -> None:
        """Set resolved controls; see `act`. Controls that nothing confirms count as done when acknowledged."""
        if self._context.pause_gate is not None:
            await self._context.pause_gate.passed()
        with ours():
            outcomes = await self._context.act(pairs, within)
        for device, control, setting in pairs:
            outcome = outcomes[f"{device}.{control.name}"]
            confirmable = control.spec.confirm is not None
            if outcome.is_confirmed or (not confirmable and not outcome.error.startswith(("refused", "unclear"))):
                continue
            wanted = setting.show(control.spec.unit)
            found = str(outcome.reading) if outcome.reading is not None else outcome.error
            source = control.confirm_by or "the device"
            raise NotConfirmedError(
                f"{control.name} was set to {wanted} but is not confirmed: {source} says {found}",
                device=device,
                hint=f"check {device} by hand ({outcome.error or 'the device accepted the command'})",
            )

    @asynccontextmanager
    async def provoking(
        self, give_back: Callable[[], Awaitable[T]], by_hand: Sequence[str] = ()
    ) -> AsyncIterator[Provoked[T]]:
        """Within the block the step takes something away from the rack, or provokes it; `give_back` undoes that.

        It is called when the block ends and when StepFailedError leaves it; when the step is cut short otherwise, by
        the run, unless that ends: the safe state waits for nobody. It may be called again where it was cut short.
        `by_hand`: what a person is asked to do in it, which stays done then; the result says so.
        """
        provoked = Provoked(self.owed, give_back, by_hand)
        try:
            yield provoked
        except StepFailedError as failed:
            if provoked.is_owed:
                try:
                    await provoked.give_back()
                except HarnessError:  # it ends the run, which must not hide why
                    self.tell(f"it had failed before: {failed}")
                    raise
            raise
        if provoked.is_owed:
            await provoked.give_back()

    def allow_restart(self, signal: str) -> None:
        """A restart was seen that this step allows for: what it took away from the signal's device may come back."""
        if self._context.external is not None:
            self._context.external.restarted(signal.partition(".")[0])

    @property
    def is_away(self) -> bool:
        """Whether a restart has taken away something that was set, and it has not come back yet."""
        return self._context.external is not None and self._context.external.is_away

    async def set_again(self) -> None:
        """Set again the quantities that a restart took away, as soon as they can be read; see `act`."""
        pairs = self._context.external.to_set_again() if self._context.external is not None else []
        for device, control, setting in pairs:
            self.tell(f"{device} restarted: {control.name} is set to {setting.show(control.spec.unit)} again")
        if pairs:
            await self.act_on(pairs)

    def load_control(self) -> str:
        """The control that sets the rack's load in %: the one named `level` on a device of class load."""
        try:
            return self._context.project.catalog.load_control()
        except ValueError as error:
            raise HarnessError(str(error)) from None

    # --- judging -----------------------------------------------------------------------------------------------------

    def resolve(self, limit: str | Bounds | None, signal: str, statistic: str = "") -> ResolvedLimit:
        """A limit (by name or inline) compiled against a signal; differences of temperatures are in K."""
        return resolved(limit, statistic_info(self.info(signal), statistic), self._context.project.limits)

    def resolve_number(self, limit: str | Bounds | None, unit: str = "") -> ResolvedLimit:
        """A limit (by name or inline) of a number that no signal shows, in a unit or without one."""
        return resolved(limit, SignalInfo(name="", unit=unit), self._context.project.limits)

    def measure(
        self,
        name: str,
        signal: str,
        value: float,
        limit: ResolvedLimit,
        *,
        samples: int = 1,
        coverage: float = 1.0,
        needed: float = 0.0,
        needed_samples: int = 1,
        excused: Excused | None = None,
        why: str = "",
        guarded_by: float = 0.0,
        uncertainty: float | None = None,
    ) -> Verdict:
        """Record a value against its limit and return its verdict; `signal` is '' for a count that no signal shows.

        Too few good samples (`coverage` below `needed`, both 0 to 1, or fewer than `needed_samples`) or no number is
        INCONCLUSIVE, never PASS; `why` then says why. `excused` goes into the record beside what is judged, and
        `uncertainty` (U, k = 2). `guarded_by` its U the value passes or fails only where that is sure, and is
        INCONCLUSIVE else.
        """
        if signal and not self._context.store.has(signal) and signal not in self._context.project.catalog.signals:
            raise ConfigError(f"{name}: {self._context.project.catalog.signal_problem(signal)}")
        word, unread = "", ""
        if signal and self._context.store.has(signal):
            word, unread = self.info(signal).word(value), self._context.store.reason(signal)
        data, name = Data(samples, coverage, needed, needed_samples, guarded_by), utf8(name)
        known = uncertainty if uncertainty is not None else guarded_by or None
        told = Told(word, why, unread)
        measurement = judged(name, signal, value, limit, data, excused, told, known)
        if measurement.verdict is not Verdict.PASS and limit.on_fail == "stop":
            self.stopping.add(measurement.verdict)
        self.measurements.append(measurement)
        text = f"{in_short(measurement)} [{limit.check}] {measurement.verdict}{excused_text(measurement)}"
        stated = measurement_event(self.title, self.attempt, measurement)
        self._context.log.event(EventKind.MEASUREMENT, text, path=self.path, **stated)
        return measurement.verdict

    def judge(self, name: str, verdict: Verdict, why: str = "") -> None:
        """Record a judgement that no number shows (of what a program said): PASS, FAIL or INCONCLUSIVE, and why."""
        one = judgement(utf8(name), verdict, utf8(why))
        self.stopping |= {verdict} - {Verdict.PASS}
        self.measurements.append(one)
        text = f"{one.name}: {verdict}{f' - {why}' if why else ''}"
        stated = measurement_event(self.title, self.attempt, one)
        self._context.log.event(EventKind.MEASUREMENT, text, path=self.path, **stated)

    def earlier(self, name: str) -> Measurement | None:
        """The last measurement of a name that a step before this one has made in this run, before a death of it too."""
        found = [one for done in self._context.done for one in done.measurements if one.name == name]
        return found[-1] if found else None

    async def save(self) -> str:
        """Have all that was recorded durable on disk (TelemetryError: it cannot be); why the run is no PASS so far."""
        await self._context.log.journal.commit()
        return blemish(self._context.done, self.measurements) or self._context.stopped_by()

    def tell(self, text: str, **data: Any) -> None:
        """Put a line into the record and on the screen."""
        self._context.log.event(EventKind.NOTE, text, step=self.title, **data)

    @property
    def coverage_needed(self) -> float:
        """The plan's threshold, 0 to 1."""
        return self._context.project.plan.coverage / 100

    async def ask(self, question: str, answers: Sequence[str] = ()) -> str:
        """Ask the operator; HarnessError at once when nobody can answer."""
        if self._context.prompter is None:
            raise HarnessError(
                f"the plan asks the operator {question!r}, but there is no terminal to ask at",
                hint="run it at a terminal, or leave prompts out of unattended plans",
            )
        with ours():
            answer = await self._context.prompter(question, answers)
        self._context.log.event(
            EventKind.ANSWER, f"{question} -> {answer}", step=self.title, question=question, answer=answer
        )
        return answer
