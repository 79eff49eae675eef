"""Event logs of devices: they hold exactly what the test provoked, and are cleared only once that is saved."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.event_log import Events, differences
from harness.api import (
    Accused,
    BadValueError,
    Catalog,
    Check,
    ControlRef,
    LocatedError,
    Params,
    Reading,
    ResolvedLimit,
    SignalInfo,
    SignalRef,
    StepContext,
    StepFailedError,
    StrictText,
    step,
)


class EventLog(Params):
    """Parameters of `event_log`."""

    log: Annotated[tuple[SignalRef, ...], Field(min_length=1, max_length=256)]
    """Signals, or whole columns, that are the log: words (the one of code 0 is none), flags, or counters."""
    words: dict[SignalRef, tuple[StrictText, ...]] = Field(default_factory=dict)
    """What the test provoked: signal: words or flags that it must show. All others must show none."""
    counts: dict[SignalRef, Annotated[int, Field(ge=0, le=1_000_000)]] = Field(default_factory=dict)
    """What the test provoked: counter: how many it must have counted. With `since` the others must have none."""
    since: StrictText | None = None
    """Name of an earlier `event_log` step: counters count from there. Without it those under `counts` count from zero,
    and of the others it is only recorded where they stand."""
    before_test: bool = False
    """Whether nothing has been tested yet: what stands in the log then is not of this rack, it is an ERROR."""
    clear: ControlRef | None = None
    """A control, or a bank of them, with the word `clear`: the log is cleared when it is as it must be and saved in the
    record, and nothing of the run has failed so far."""

    @property
    def accuses(self) -> Accused:  # type: ignore[override]
        """The station, before the test."""
        return Accused.STATION if self.before_test else Accused.PRODUCT

    def planned_seconds(self, _catalog: Catalog) -> float:
        """One look, and one more where it is cleared."""
        return 2.0 if self.clear is None else 4.0

    @property
    def measures(self) -> tuple[str, ...]:
        """The log."""
        return self.log

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """What was provoked must be in the log, as something that it can show; the control must clear."""
        there = {name for reference in self.log for name in catalog.find_signals(reference)}
        for key, given in (("words", self.words), ("counts", self.counts)):
            for signal in given:
                if signal in catalog.signals:  # else it is said with the other references
                    _check_provoked(key, signal, catalog.signals[signal], there)
        for signal, words in self.words.items():
            info = catalog.signals.get(signal)
            known = set((info.labels or info.flags or {}).values()) if info is not None else set(words)
            for index, word in enumerate(words):
                if word not in known:
                    message = f"{signal} never shows {word!r}, but {', '.join(sorted(known))}"
                    raise LocatedError(message, "words", signal, index)
        for index, reference in enumerate(self.log):
            for name in catalog.find_signals(reference)[:1]:
                if catalog.signals[name].is_text:
                    raise LocatedError(f"{name} is a free text, no log", "log", index)
        for _, control in catalog.find_controls(self.clear or "")[:1]:
            if "clear" not in control.spec.takes:
                raise LocatedError(f"{control.name} does not take `clear`", "clear")


def _check_provoked(key: str, signal: str, info: SignalInfo, there: Collection[str]) -> None:
    if signal not in there:
        raise LocatedError(f"{signal} is not in the log", key, signal, key=True)
    other = "counts" if key == "words" else "words"
    if _is_counter(info) != (key == "counts"):
        raise LocatedError(f"{signal} does not go under `{key}`, but under `{other}`", key, signal, key=True)


def _is_counter(info: SignalInfo) -> bool:
    return not (info.labels or info.flags)


@step("event_log", version=1)
async def event_log(ctx: StepContext, p: EventLog) -> None:
    """Compare the logs of devices with what was provoked, save them in the record, and clear them where all is well."""
    logged = await _look(ctx, p)
    provoked: dict[str, Events] = {signal: dict.fromkeys(words, 1) for signal, words in p.words.items()}
    provoked |= {signal: {"": count} for signal, count in p.counts.items()}
    found = differences(provoked, logged)
    for line in found:
        ctx.tell(line)
    none_wrong = ResolvedLimit(Check(high=0.0, shown="<= 0"), provenance="plan", on_fail="stop")
    ctx.measure(f"{ctx.title}: number wrong", "", float(len(found)), none_wrong, samples=len(logged))
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise StepFailedError("; ".join(found[:3]) + more, hint="the log is as it was: look at it before it is cleared")
    if p.clear is not None:
        await _clear(ctx, p.clear)


async def _look(ctx: StepContext, p: EventLog) -> dict[str, Events]:
    """What the log holds now; each of its signals goes into the record."""
    names = [name for reference in p.log for name in ctx.signals(reference)]
    lacking = [name for name in (*p.words, *p.counts) if name not in names]
    if lacking or not names:
        raise BadValueError(f"the device has no {(lacking or list(p.log))[0]}", operation="event_log")
    await ctx.refresh(names)
    readings = [ctx.observe(name) for name in names]
    unread = [each for each in readings if not each.is_good]
    if unread:
        raise BadValueError(f"{unread[0].signal} cannot be read: {unread[0].quality.word}", operation="event_log")
    for each in readings:
        ctx.measure(f"{ctx.title}: {each.signal}", each.signal, each.value, ctx.resolve(None, each.signal))

    def is_judged(signal: str) -> bool:
        return p.since is not None or signal in p.counts or not _is_counter(ctx.info(signal))

    return {each.signal: _events(ctx, p, each) for each in readings if is_judged(each.signal)}


def _events(ctx: StepContext, p: EventLog, reading: Reading) -> Events:
    info = ctx.info(reading.signal)
    if info.flags:
        return {word: 1 for bit, word in info.flags.items() if int(reading.value) >> bit & 1}
    if info.labels:
        return {reading.text: 1} if reading.value else {}
    began = 0.0
    if p.since is not None:
        before = ctx.earlier(f"{p.since}: {reading.signal}")
        if before is None or before.value is None:
            message = f"no step {p.since!r} before this one has seen {reading.signal}"
            raise BadValueError(
                message, operation="event_log", hint="name an event_log step that was carried out before"
            )
        began = float(before.value)
    return {"": round(reading.value - began)}


async def _clear(ctx: StepContext, control: str) -> None:
    """Clear the log, once what it held is on disk; not when anything of the run has failed."""
    if why := await ctx.save():
        ctx.tell(f"the log is not cleared: {why}")
        return
    await ctx.act(control, "clear")  # confirmed: an alarm that stands sets its entry again at once
    ctx.tell("the log is saved in the record, and cleared")
