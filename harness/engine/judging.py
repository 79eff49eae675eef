"""Judging a value: the limit that it is held against, the verdict, and what is said when it is not PASS."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.limits.check import Check, compile_check
from harness.limits.verdict import Verdict, judge
from harness.project.model import NamedLimit
from harness.quantity import SignalInfo, difference_unit
from harness.record.result import Measurement, StepResult
from harness.schema.conditions import Bounds, Watch


@dataclass(slots=True)
class ResolvedLimit:
    """A limit against a signal: its check, and what the record says of it."""

    check: Check
    name: str = ""
    provenance: str = ""
    guard_band: float = 0.0
    on_fail: str = "stop"


@dataclass(frozen=True, slots=True)
class Excused:
    """What a watch saw beside what it judged: the worst value of all, and the share (0 to 1) of samples outside."""

    worst: float | None
    outside: float


@dataclass(frozen=True, slots=True)
class Data:
    """How much there was to judge by: good samples and the share of the due ones (0 to 1), and what is needed."""

    samples: int = 1
    coverage: float = 1.0
    needed: float = 0.0
    needed_samples: int = 1
    guarded_by: float = 0.0
    """Expanded uncertainty of the value, in its unit: a limit that is nearer is not decided."""


def resolved(limit: str | Bounds | None, info: SignalInfo, limits: Mapping[str, NamedLimit]) -> ResolvedLimit:
    """A limit, by its name among `limits` or inline, compiled against a signal; differences are in K."""
    if limit is None:
        return ResolvedLimit(Check(unit=info.unit, shown="recorded only"))
    if isinstance(limit, str):
        named = limits[limit]
        guard_band = named.limit.uncertainty.to(difference_unit(info.unit)) if named.limit.uncertainty else 0.0
        provenance = f"{named.source}: {named.limit.provenance}"
        return ResolvedLimit(compile_check(named.limit, info), limit, provenance, guard_band, named.limit.on_fail)
    on_fail = limit.on_fail if isinstance(limit, Watch) else "stop"
    return ResolvedLimit(compile_check(limit, info), provenance="plan", on_fail=on_fail)


def verdict_of(value: float, limit: ResolvedLimit, data: Data) -> Verdict:
    """Too little data or no number is INCONCLUSIVE, never PASS."""
    check = limit.check
    if value != value or data.coverage < data.needed:
        return Verdict.INCONCLUSIVE
    if check.codes is not None or check.mask is not None:
        return Verdict.PASS if check.holds(value) else Verdict.FAIL
    if data.guarded_by:
        band = max(limit.guard_band, data.guarded_by)
        if judge(value, check.low, check.high, band) is Verdict.PASS:
            return Verdict.PASS
        return Verdict.INCONCLUSIVE if judge(value, check.low, check.high, -band) is Verdict.PASS else Verdict.FAIL
    return judge(value, check.low, check.high, limit.guard_band)


def too_little(value: float, signal: str, check: Check, data: Data, excused: Excused | None) -> str:
    """Why a value is INCONCLUSIVE, in words."""
    if value == value and data.guarded_by and data.coverage >= data.needed:
        return f"{value:.6g} {check.unit} is uncertain by {data.guarded_by:.3g}: that does not decide {check}"
    if value == value:
        return f"only {100 * data.coverage:.1f} % of the samples were good, {100 * data.needed:g} % are needed"
    if excused is not None and excused.worst is not None:
        return f"{signal} was never {check}, though not for long enough to fail"
    if data.samples:
        return f"{data.samples} good samples of {signal}, {data.needed_samples} are needed"
    return f"no good sample of {signal}"


def judgement(name: str, verdict: Verdict, why: str) -> Measurement:
    """A judgement that is no number, as the record has it: 0 of at most 0 is a PASS, 1 a FAIL."""
    value = {Verdict.PASS: 0.0, Verdict.FAIL: 1.0}.get(verdict)
    reason = "" if verdict is Verdict.PASS else f"{name}: {why or verdict}"
    samples = 0 if value is None else 1
    return Measurement(
        name=name, signal="", value=value, high=0.0, provenance="plan", verdict=verdict, samples=samples, reason=reason
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of a value beside the number."""

    word: str = ""
    """What the signal calls it."""
    why: str = ""
    """Why it decides nothing, as the step says it."""
    unread: str = ""
    """What is wrong with the signal now."""


def judged(
    name: str,
    signal: str,
    value: float,
    limit: ResolvedLimit,
    data: Data,
    excused: Excused | None,
    told: Told,
    uncertainty: float | None,
) -> Measurement:
    """A value held against its limit; `uncertainty` is what the record says of it."""
    check = limit.check
    verdict = verdict_of(value, limit, data)
    reason = ""
    if verdict is Verdict.INCONCLUSIVE:
        short = told.why or too_little(value, signal, check, data, excused)
        reason = f"{name}: {short}{f' ({signal}: {told.unread})' if told.unread else ''}"
    elif verdict is Verdict.FAIL:
        reason = f"{name}: {outside(value, told.word, limit)}"
    margin = check.margin(value) - max(limit.guard_band, data.guarded_by) if value == value else math.nan
    return Measurement(
        name=name,
        signal=signal,
        value=value,
        unit=check.unit,
        low=check.low,
        high=check.high,
        limit=limit.name,
        provenance=limit.provenance,
        verdict=verdict,
        margin=margin if math.isfinite(margin) else None,
        samples=data.samples,
        coverage=data.coverage,
        reason=reason,
        worst=excused.worst if excused is not None else None,
        outside=excused.outside if excused is not None else None,
        uncertainty=uncertainty,
    )


def in_short(one: Measurement) -> str:
    """A measurement in words, without its limit."""
    shown = f"{one.value:.6g} {one.unit}".rstrip() if one.value is not None else "no value"
    return f"{one.name}: {shown}" + (f" +- {one.uncertainty:.2g}" if one.uncertainty is not None else "")


def outside(value: float, word: str, limit: ResolvedLimit) -> str:
    """What a value is and what it should have been, in words; `word`: what the signal calls it."""
    check = limit.check
    shown = word or f"{value:.6g} {check.unit}".rstrip()
    band = f" (guard band {limit.guard_band:g} {difference_unit(check.unit)})" if limit.guard_band else ""
    return f"{shown}, limit {check}{band}"


def blemish(done: Sequence[StepResult], measurements: Sequence[Measurement]) -> str:
    """The first attempt of a step, or the first measurement, that is no PASS, in words; '' when all are."""
    tried: Sequence[StepResult | Measurement] = (*done, *measurements)
    return next((f"{each.name}: {each.verdict}" for each in tried if each.verdict is not Verdict.PASS), "")
