"""Checking: identities and firmware, links and words, and the wiring against its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from pydantic import Field, model_validator

from harness.api import (
    BadValueError,
    Catalog,
    Check,
    Condition,
    Debounce,
    DeviceError,
    DurationOrZero,
    LocatedError,
    Params,
    ResolvedLimit,
    SignalRef,
    StepContext,
    StepFailedError,
    StrictText,
    compile_check,
    step,
)


class CheckParams(Params):
    """Parameters of `check`."""

    firmware: dict[str, tuple[StrictText, ...]] = Field(default_factory=dict)
    """device: firmware versions that are accepted."""
    conditions: tuple[Condition, ...] = ()
    """What signals (or whole columns, like `switch.port.state`) must show now; with `for`, and have shown for so long
    since the step began."""
    texts: dict[SignalRef, StrictText] = Field(default_factory=dict)
    """signal: text it must show, e.g. the neighbour that the wiring plan has at a port."""
    within: DurationOrZero = 0.0
    """How long to wait for it (LLDP neighbours take up to a minute)."""

    def planned_seconds(self, _catalog: Catalog) -> float | None:
        """Where it may wait, the rack decides."""
        return None if self.within else 1.0

    @property
    def measures(self) -> tuple[str, ...]:
        """Everything that it looks at."""
        return (*self.firmware, *(each.signal for each in self.conditions), *self.texts)

    @model_validator(mode="after")
    def _checks_something(self) -> CheckParams:
        if not (self.firmware or self.conditions or self.texts):
            raise ValueError("there is nothing to check: give firmware, conditions or texts")
        return self

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Devices must exist, conditions fit their signals, texts be texts."""
        for index, condition in enumerate(self.conditions):
            if self.within and condition.for_ >= self.within:
                message = "`for` is as long as `within`: that could never be reached in time"
                raise LocatedError(message, "conditions", index, "for")
        for name in self.firmware:
            if name not in catalog.expansions:
                message = f"unknown device {name!r}{catalog.guesses.hint(name, catalog.expansions)}"
                raise LocatedError(message, "firmware", name)
        for signal in self.texts:
            if not catalog.find_signals(signal):
                continue  # said with the other references
            if signal not in catalog.signals:
                raise LocatedError(catalog.signal_problem(signal), "texts", signal)
            if not catalog.signals[signal].is_text:
                raise LocatedError(f"{signal} is not a text; put it under `conditions`", "texts", signal)


@step("check", version=1)
async def check(ctx: StepContext, p: CheckParams) -> None:
    """Check identities, words and texts; every difference is said, not only the first."""
    if unfit := _firmware(ctx, p, "station"):  # says nothing about the rack, and does not mend itself
        raise DeviceError(_few(unfit), operation="check", hint="bring the station up to date, or accept it in the plan")
    started = ctx.clock.monotonic()
    with ExitStack() as stack:
        held = _Held(ctx, p.conditions, stack)
        deadline = started + (p.within or held.longest)
        while True:
            wrong = [*_firmware(ctx, p, "uut"), *_conditions(ctx, p), *_texts(ctx, p)]
            unread = _unreadable(ctx, p)
            lasting = [] if wrong or unread else held.missing()
            left = deadline - ctx.clock.monotonic()
            if not (wrong or unread or lasting) or left <= 0 or ((wrong or unread) and not p.within):
                break
            ctx.progress(1 - left / (deadline - started), f"{len(wrong) + len(unread) + len(lasting)} not yet right")
            await ctx.sleep(min(1.0, left))
    wrong += lasting
    if unread and not wrong:  # nothing is known to be wrong with the rack: the station cannot see it
        raise BadValueError(_few(unread), operation="check", hint="check the device that should show it")
    total = len(p.firmware) + len(p.texts) + sum(len(ctx.signals(c.signal)) for c in p.conditions)
    none_wrong = ResolvedLimit(Check(high=0.0, shown="<= 0"), provenance="plan", on_fail="stop")
    for line in wrong:
        ctx.tell(line)
    if total:  # a number of its own, of no signal: its name is the same in every run, how many were looked at is not
        ctx.measure(f"{ctx.title}: number wrong", "", float(len(wrong)), none_wrong, samples=total)
    if wrong:
        raise StepFailedError(_few(wrong))


class _Held:
    """Since when each condition with a `for` has held without interruption."""

    def __init__(self, ctx: StepContext, conditions: Sequence[Condition], stack: ExitStack) -> None:
        self._ctx = ctx
        self._levels: list[tuple[str, Check, Debounce]] = []
        self.longest = 0.0
        """How long the step must last at least for all of them to be seen, seconds."""
        for condition in conditions:
            for signal in ctx.signals(condition.signal) if condition.for_ else ():
                self.longest = max(self.longest, condition.for_ + ctx.period(signal))
                check, holding = compile_check(condition, ctx.info(signal)), Debounce(condition.for_)
                stack.enter_context(ctx.listening(signal, partial(_take, check, holding), while_paused=True))
                self._levels.append((signal, check, holding))

    def missing(self) -> list[str]:
        """What has not held for long enough by now, in words."""
        now = self._ctx.clock.monotonic()
        short = [
            (signal, check, holding, now - (now if holding.since is None else holding.since))
            for signal, check, holding in self._levels
        ]
        return [
            f"{signal} has been {check} for {lasts:.3g} s, must be for {holding.hold_s:g} s"
            for signal, check, holding, lasts in short
            if lasts < holding.hold_s
        ]


def _take(check: Check, holding: Debounce, mono: float, value: float, quality: int) -> None:
    holding.update(mono, is_bad=check.holds(value, quality))


def _firmware(ctx: StepContext, p: CheckParams, role: str) -> list[str]:
    wrong = []
    for name, accepted in p.firmware.items():
        if ctx.devices[name].role != role:
            continue
        found = ctx.devices[name].identity.get("firmware", "")
        if found not in accepted:
            wrong.append(f"{name} has firmware {found or 'unknown'!r}, accepted: {', '.join(accepted)}")
    return wrong


def _conditions(ctx: StepContext, p: CheckParams) -> list[str]:
    wrong = []
    for condition in p.conditions:
        for signal in ctx.signals(condition.signal):
            bound = compile_check(condition, ctx.info(signal))
            reading = ctx.observe(signal)
            if reading.is_good and not bound.holds(reading.value, reading.quality):
                wrong.append(f"{signal} is {reading}, must be {bound}")
        if not ctx.signals(condition.signal):
            wrong.append(f"the device has no {condition.signal}")
    return wrong


def _unreadable(ctx: StepContext, p: CheckParams) -> list[str]:
    names = dict.fromkeys([*(s for c in p.conditions for s in ctx.signals(c.signal)), *p.texts])
    readings = (ctx.observe(name) for name in names)
    return [f"{reading.signal} cannot be read: {reading.quality.word}" for reading in readings if not reading.is_good]


def _few(lines: Sequence[str]) -> str:
    more = f" and {len(lines) - 3} more" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + more


def _texts(ctx: StepContext, p: CheckParams) -> list[str]:
    found = {signal: ctx.observe(signal) for signal in p.texts}
    by_text = {reading.text: signal for signal, reading in found.items() if reading.text}
    wrong = []
    for signal, wanted in p.texts.items():
        reading = found[signal]
        if not reading.is_good or reading.text == wanted:
            continue
        if not reading.text:
            wrong.append(f"{signal}: nothing there, the plan has {wanted}")
        elif reading.text in p.texts.values():
            other = by_text.get(wanted)
            swapped = f" (swapped with {other})" if other else ""
            wrong.append(f"{signal}: shows {reading.text}, the plan has {wanted}{swapped}")
        else:
            wrong.append(f"{signal}: unexpected {reading.text}, the plan has {wanted}")
    return wrong
