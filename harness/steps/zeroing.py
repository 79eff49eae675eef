"""The zero of instruments, found where the truth is known: what they show beside it is taken off for the run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Annotated, Any

from pydantic import Field, model_validator

from harness.analysis.coolant import rho_cp
from harness.analysis.trend import fit_trend
from harness.analysis.zero import (
    LEAST_SAMPLES,
    Mean,
    SensorZero,
    apart,
    friction_rise,
    steady_mean,
    zero_to,
    zero_together,
)
from harness.api import (
    Accuracy,
    Accused,
    Catalog,
    Check,
    Duration,
    LocatedError,
    Params,
    Percent,
    QuantityField,
    Rate,
    ResolvedLimit,
    SignalRef,
    StepContext,
    StepFailedError,
    Verdict,
    Watch,
    Window,
    Zero,
    convert,
    difference_unit,
    step,
)
from harness.steps.settling import in_words
from harness.steps.watching import Watching, check_watches


class ZeroParams(Params):
    """Parameters of `zero`.

    Bring the station into the state first: heat off and flow for thermometers, pumps stopped for pressures, outlets off
    for power.
    """

    signals: Annotated[tuple[SignalRef, ...], Field(min_length=1, max_length=100)]
    """The instruments. Each needs an `accuracy` in the station file."""
    to: QuantityField | None = None
    """What each must show in this state. Left out: they must all show the same, and their mean is held to be right."""
    warmed: tuple[SignalRef, ...] = ()
    """Thermometers behind the rack: friction warms the coolant by the pressure drop over its volumetric heat capacity
    (propylene glycol 25 %), 0.015 K at 60 kPa. So much more they show rightly."""
    pressure_drop: SignalRef | None = None
    """Of the rack, for `warmed`."""
    over: Duration = 180.0
    """How long is measured."""
    slope: Rate | None = None
    """Whoever changes faster in that time is not in the state of a zero: the step fails."""
    watch: tuple[Watch, ...] = ()
    """What makes the state, e.g. no power: it must hold as long as is measured."""
    remains: Percent = 30.0
    """Share of the accuracy that a zero does not take off: gain, linearity, drift until the end of the run."""
    beyond: Percent = 200.0
    """An instrument that is out by more than this share of its accuracy is not zeroed: the station is at fault. Without
    `to`: that is away from the others by more than this share of what all their accuracies make of it together."""
    most: QuantityField | None = None
    """In the place of `beyond`: an amount for each, for instruments whose accuracy is a share of the reading."""
    product: bool = False
    """Whether the instruments belong to what is tested, as sensors of a unit that is accepted: then it is at fault."""

    @property
    def accuses(self) -> Accused:  # type: ignore[override]
        """Whose the instruments are."""
        return Accused.PRODUCT if self.product else Accused.STATION

    @property
    def measures(self) -> tuple[str, ...]:
        """The instruments."""
        return self.signals

    @property
    def watches(self) -> tuple[Watch, ...]:
        """As it says."""
        return self.watch

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it measures."""
        return self.over

    @model_validator(mode="after")
    def _fits(self) -> ZeroParams:
        if self.to is not None and self.warmed:
            raise ValueError("`warmed` belongs to thermometers that are compared; with `to` nothing is")
        if self.warmed and self.pressure_drop is None:
            raise ValueError("`warmed` needs the `pressure_drop` that warms")
        if self.pressure_drop is not None and not self.warmed:
            raise ValueError("`pressure_drop` without `warmed` warms nobody")
        if not 0 <= self.remains <= 100:
            raise ValueError("remains: 0 to 100 %")
        if not 0 < self.beyond <= 300:
            raise ValueError("beyond: more than 0, at most 300 %")
        return self

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Every instrument has an accuracy, a unit that fits the others, and comes often enough."""
        names = [(index, name) for index, each in enumerate(self.signals) for name in catalog.find_signals(each)]
        if not names:
            return  # said with the other references
        unit = catalog.signals[names[0][1]].unit
        for index, name in names:
            if name not in catalog.accuracy:
                message = (
                    f"{name} has no `accuracy` in the station file: nobody could say whether its zero is too large"
                )
                raise LocatedError(message, "signals", index)
            if catalog.signals[name].unit != unit:
                other = f"{names[0][1]} in {unit or 'none'}"
                raise LocatedError(f"{name} is in {catalog.signals[name].unit or 'no unit'}, {other}", "signals", index)
            if self.most is None and not catalog.accuracy[name].absolute:
                raise LocatedError(
                    f"the accuracy of {name} is a share of its reading, which says nothing of its zero: give `most`",
                    *("signals", index),
                )
            if self.over / catalog.period(name) < LEAST_SAMPLES:
                every = f"one sample every {catalog.period(name):g} s"
                raise LocatedError(f"a zero needs {LEAST_SAMPLES} samples; of {name} there is {every}", "over")
        if self.to is None and len(names) < 2:
            raise LocatedError("one alone cannot show the same as others: give `to`, or more signals", "signals")
        self._check_units(catalog, unit, [name for _, name in names])
        check_watches(self.watch, self.over, catalog)

    def _check_units(self, catalog: Catalog, unit: str, names: list[str]) -> None:
        if self.to is not None:
            _to(self.to, unit, "to")
        if self.most is not None and not _to(self.most, difference_unit(unit), "most") > 0:
            raise LocatedError("nothing is out by less than that", "most")
        if self.slope is not None:
            _to(self.slope[0], difference_unit(unit), "slope")
        for index, each in enumerate(self.warmed):
            if each not in names:
                raise LocatedError(f"{each} is none of the signals", "warmed", index)
            if catalog.signals[each].unit != "degC":
                raise LocatedError(f"{each} is no temperature in degC", "warmed", index)
        if self.pressure_drop in catalog.signals and catalog.signals[self.pressure_drop or ""].unit != "kPa":
            raise LocatedError(f"{self.pressure_drop} is no pressure in kPa", "pressure_drop")


def _to(quantity: Any, unit: str, *key: str | int) -> float:
    try:
        return float(convert(quantity.value, quantity.unit, unit))
    except ValueError as error:
        raise LocatedError(str(error), *key) from None


@step("zero", version=1)
async def zero(ctx: StepContext, p: ZeroParams) -> None:
    """Find what instruments show beside the truth, and take it off for the rest of the run.

    Interlocks go on seeing what is shown. An instrument that is out by more than it may be is the station's fault.
    """
    names = [name for reference in p.signals for name in ctx.signals(reference)]
    beside = [p.pressure_drop] if p.pressure_drop is not None else []
    with ExitStack() as stack:
        windows = {name: stack.enter_context(ctx.collecting(name, as_shown=True)) for name in (*names, *beside)}
        watching = stack.enter_context(Watching(ctx, p.watch))
        await watching.wait(p.over, text="zero")
    watching.report()
    _refuse_changing(ctx, p, {name: windows[name] for name in names})
    means = {name: _mean(window) for name, window in windows.items()}
    rises = _rises(ctx, p, names, means)
    found = _found(ctx, p, names, means, rises)
    if p.to is not None:
        verdicts = [_judge(ctx, p, name, windows, (name,), *_own(ctx, p, name, found)) for name in names]
    else:
        verdicts = _judge_together(ctx, p, names, windows, found)
    if all(verdict is Verdict.PASS for verdict in verdicts):
        shared = "" if p.to is not None else f"mean of {', '.join(names)}"
        for name, each in found.items():
            ctx.take_off(name, Zero(each.offset, each.own_u, shared, each.shared_u))


def _refuse_changing(ctx: StepContext, p: ZeroParams, windows: Mapping[str, Window]) -> None:
    for name, window in windows.items() if p.slope is not None else ():
        if window.good < LEAST_SAMPLES or p.slope is None:
            continue
        unit = ctx.info(name).unit
        limit = abs(_to(p.slope[0], difference_unit(unit), "slope")) / p.slope[1]
        slope = fit_trend(window.times, window.values).slope
        if abs(slope) > limit:
            raise StepFailedError(
                f"{name} changes by {in_words(slope, unit)} meanwhile, limit {in_words(limit, unit)}",
                hint="let it settle first",
            )


def _mean(window: Window) -> Mean | None:
    return steady_mean(window.values) if window.good >= LEAST_SAMPLES else None


def _rises(ctx: StepContext, p: ZeroParams, names: list[str], means: Mapping[str, Mean | None]) -> list[float]:
    """What friction makes each of them show more, K."""
    drop, coolant = means.get(p.pressure_drop or ""), means[names[0]]
    if drop is None or coolant is None:
        return [0.0] * len(names)
    rise = friction_rise(drop.value, rho_cp(coolant.value))
    ctx.tell(f"friction warms the coolant by {rise:.3f} K", rise=rise)
    return [rise if name in p.warmed else 0.0 for name in names]


def _found(
    ctx: StepContext, p: ZeroParams, names: list[str], means: Mapping[str, Mean | None], rises: list[float]
) -> dict[str, SensorZero]:
    known = {name: mean for name, mean in means.items() if mean is not None}
    if len(known) < len(means):
        return {}
    limits = [_accuracy(ctx, name).limit(known[name].value) for name in names]
    remains = [_accuracy(ctx, name).absolute * p.remains / 100 for name in names]
    if p.to is not None:
        expected = [_to(p.to, ctx.info(name).unit) for name in names]
        return {n: zero_to(known[n], e, r) for n, e, r in zip(names, expected, remains, strict=True)}
    return dict(zip(names, zero_together([known[n] for n in names], rises, limits, remains), strict=True))


def _accuracy(ctx: StepContext, name: str) -> Accuracy:
    accuracy = ctx.corrections.accuracy(name)
    assert accuracy is not None, "check_against has refused it"
    return accuracy


def _most(ctx: StepContext, p: ZeroParams, name: str) -> float:
    """By how much one instrument may be out, in the unit of its differences."""
    if p.most is not None:
        return _to(p.most, difference_unit(ctx.info(name).unit))
    return _accuracy(ctx, name).absolute * p.beyond / 100


def _own(ctx: StepContext, p: ZeroParams, name: str, found: Mapping[str, SensorZero]) -> tuple[float, float, float]:
    """Offset, how far it may be out, and u."""
    zero = found.get(name, _UNKNOWN)
    return zero.offset, _most(ctx, p, name), zero.own_u


def _judge_together(
    ctx: StepContext, p: ZeroParams, names: list[str], windows: Mapping[str, Window], found: Mapping[str, SensorZero]
) -> list[Verdict]:
    """Each against the others; of two, the difference, for nothing says which of them is out."""
    zeros = [found.get(name, _UNKNOWN) for name in names]
    every = apart([zero.offset for zero in zeros], [_most(ctx, p, name) for name in names])
    if len(names) == 2:
        (one, other), by = names, every[0].by
        u = math.hypot(*(zero.own_u for zero in zeros))
        verdict = _judge(ctx, p, f"{one} less {other}", windows, names, by, every[0].limit, u)
        if verdict is Verdict.FAIL:
            words = in_words(abs(by), difference_unit(ctx.info(one).unit))
            ctx.tell(f"{one} and {other} differ by {words}: one of the two lies, and nothing here says which")
        return [verdict]
    verdicts = []
    for name, zero, each in zip(names, zeros, every, strict=True):
        u = math.hypot(zero.own_u, math.hypot(*(zeros[k].own_u for k in each.others)) / len(each.others))
        verdicts.append(_judge(ctx, p, name, windows, (name,), each.by, each.limit, u))
    return verdicts


_UNKNOWN = SensorZero(math.nan, math.nan)


def _judge(
    ctx: StepContext, p: ZeroParams, title: str, windows: Mapping[str, Window], names: Sequence[str],
    value: float, most: float, u: float,
) -> Verdict:  # fmt: skip
    unit = difference_unit(ctx.info(names[0]).unit)
    good = min(windows[name].good for name in names)
    shares = [windows[name].good / max(1, math.floor(p.over / ctx.period(name) + 1e-6)) for name in names]
    together = "" if p.to is not None else ", together with that of the others"
    allowed = ResolvedLimit(
        Check(-most, most, unit=unit, shown=f"{-most:.3g} to {most:.3g} {unit}"),
        provenance="plan" if p.most is not None else f"{p.beyond:g} % of its accuracy by the station file{together}",
    )
    return ctx.measure(
        f"{ctx.title}: {title}", names[0], value, allowed,
        samples=good, coverage=min(1.0, *shares), needed=ctx.coverage_needed,
        needed_samples=LEAST_SAMPLES, uncertainty=2 * u if math.isfinite(u) else None,
    )  # fmt: skip
