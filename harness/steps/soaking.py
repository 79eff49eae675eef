"""The soak: full load for hours or days, limits watched, the clock restarted when the rack rebooted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from harness.api import (
    Bounds,
    Catalog,
    ControlRef,
    Coverage,
    Duration,
    LimitName,
    LocatedError,
    Model,
    Params,
    Percent,
    Resume,
    SignalRef,
    StepContext,
    StepFailedError,
    Watch,
    statistic_info,
    step,
)
from harness.steps.excursions import Excursion, Excursions, InProfile, Profile, check_excursions, check_profile
from harness.steps.measuring import check_limit
from harness.steps.setting import possible
from harness.steps.watching import Tick, Watching, check_watches


class RestartOn(Model):
    """What restarts the clock of a soak."""

    signal: SignalRef
    when: Literal["changes", "decreases", "increases"] = "changes"
    within: Duration = 120.0
    """How long a restart may take until the signal shows it. What went before that with no restart to explain it ends
    the run with ERROR."""


class Cycle(Model):
    """A load cycle inside the soak: every so often, down to `low` for a time."""

    every: Duration
    low: Percent
    for_: Annotated[Duration, Field(alias="for")]


class Delta(Model):
    """How much a signal (or each of a column) may change from the begin to the end of the soak."""

    signal: SignalRef
    limit: LimitName | Bounds


class Soak(Params):
    """Parameters of `soak`."""

    for_: Annotated[Duration, Field(alias="for")]
    load: Percent | None = None
    """Workload of the rack; default: leave it as it is."""
    load_control: ControlRef | None = None
    watch: tuple[Watch, ...] = ()
    restart_on: tuple[RestartOn, ...] = ()
    """Signals that restart the clock: a reboot counter that changes, an uptime that decreases."""
    max_restarts: Annotated[int, Field(ge=0, le=100)] = 3
    cycle: Cycle | None = None
    excursions: tuple[Excursion, ...] = ()
    profile: tuple[InProfile, ...] = ()
    deltas: tuple[Delta, ...] = ()
    coverage: Coverage | None = None
    """Share of good samples that each watched signal needs; default: the plan's."""
    on_interruption: Literal["credit", "restart", "fail"] = "restart"
    """What the time before an interruption counts in a resumed run: all of it, nothing, or the soak has failed."""
    longest_gap: Duration = 600.0
    """With `credit`: after a longer gap the soak starts again, the rack has cooled down."""
    after_resume: ClassVar[Resume] = Resume.TIME

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it says, when nothing restarts it."""
        return self.for_

    def leaves(self, catalog: Catalog) -> Mapping[str, str]:
        """The workload, where one is given."""
        if self.load is None:
            return {}
        return {self.load_control or catalog.load_control(): f"{self.load:g} %"}

    @property
    def mean_level(self) -> float | None:
        """That of its cycles."""
        if self.load is None or self.cycle is None:
            return self.load
        return self.load - (self.load - self.cycle.low) * self.cycle.for_ / self.cycle.every

    @property
    def sets_load(self) -> bool:
        """Where a workload is given."""
        return self.load is not None

    @property
    def judges(self) -> bool:
        """Only what is watched or compared can be bad."""
        return bool(self.watch or self.deltas or self.profile)

    @property
    def measures(self) -> tuple[str, ...]:
        """What is watched or compared."""
        compared = (each.signal for each in self.deltas)
        return (*(each.signal for each in (*self.watch, *self.profile)), *compared)

    @property
    def watches(self) -> tuple[Watch, ...]:
        """As it says."""
        return self.watch

    @property
    def least_coverage(self) -> float | None:
        """As it says."""
        return self.coverage

    @property
    def restart_within(self) -> Mapping[str, float]:
        """What restarts its clock."""
        return {each.signal: each.within for each in self.restart_on}

    @field_validator("restart_on", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, list | tuple):
            return tuple({"signal": each} if isinstance(each, str) else each for each in value)
        return value

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Watches and deltas must bind; a cycle must fit into its period; a load needs a control that takes it."""
        check_watches(self.watch, self.for_, catalog)
        check_excursions(self.excursions, self.for_, catalog)
        check_profile(self.profile, catalog)
        for index, delta in enumerate(self.deltas):
            for name in catalog.find_signals(delta.signal)[:1]:
                info = statistic_info(catalog.signals[name], "delta")
                check_limit(delta.limit, limits, info, "deltas", index, "limit")
        if self.cycle is not None and self.cycle.for_ >= self.cycle.every:
            raise LocatedError("the cycle is as long as its period", "cycle", "for")
        if self.cycle is not None and self.load is None:
            raise LocatedError("a cycle needs `load:`, the level it comes back to", "cycle")
        if self.load is None:
            return
        control = self.load_control or catalog.load_control()
        for _, point in catalog.find_controls(control)[:1]:
            possible(point, f"{self.load:g} %", "load")
            if self.cycle is not None:
                possible(point, f"{self.cycle.low:g} %", "cycle", "low")


class _Restarts:
    """Notices what restarts the clock."""

    def __init__(self, ctx: StepContext, specs: tuple[RestartOn, ...], most: int) -> None:
        self._ctx = ctx
        self._specs = specs
        self._most = most
        self._last: dict[str, float] = {}
        self.count = 0

    def check(self, now: float) -> float:
        """`now` when the clock must start again, else 0."""
        for spec in self._specs:
            reading = self._ctx.observe(spec.signal)
            if not reading.is_good:
                continue
            before = self._last.get(spec.signal, reading.value)
            self._last[spec.signal] = reading.value
            moved = {"changes": reading.value != before, "decreases": reading.value < before}
            if moved.get(spec.when, reading.value > before):
                self.count += 1
                self._ctx.allow_restart(spec.signal)
                self._ctx.tell(f"{spec.signal} went from {before:g} to {reading.value:g}: the soak starts again")
                if self.count > self._most:
                    raise StepFailedError(
                        f"{spec.signal} restarted the soak {self.count} times, {self._most} are allowed",
                        hint="find out why the rack reboots",
                    )
                return now
        return 0.0


class _Deltas:
    """What signals were when the soak began, and how far they have moved when it is over."""

    def __init__(self, ctx: StepContext, specs: tuple[Delta, ...]) -> None:
        self._ctx = ctx
        self._specs = specs
        self.first: dict[str, float] = {}
        """Signal -> value at the beginning."""
        self.begin()

    def begin(self) -> None:
        """Take the values at the beginning; also when the clock starts again."""
        self.first = {name: self._good(name) for spec in self._specs for name in self._ctx.signals(spec.signal)}

    def restore(self, first: Mapping[str, float | None]) -> None:
        """The values at the beginning, from a checkpoint."""
        self.first.update({name: math.nan if value is None else value for name, value in first.items()})

    def _good(self, signal: str) -> float:
        reading = self._ctx.observe(signal)
        return reading.value if reading.is_good else math.nan

    def report(self) -> None:
        """Record one measurement a signal; without a good value at either end it is INCONCLUSIVE."""
        for spec in self._specs:
            for name in self._ctx.signals(spec.signal):
                limit = self._ctx.resolve(spec.limit, name, "delta")
                self._ctx.measure(f"change of {name}", name, self._good(name) - self.first[name], limit)


def _credited(ctx: StepContext, p: Soak) -> float:
    """Seconds of the soak that were spent before the run died and still count; StepFailedError when none may."""
    interruption = ctx.interruption
    if interruption is None:
        return 0.0
    if p.on_interruption == "fail":
        raise StepFailedError(
            f"the soak was interrupted for {interruption.gap}, and the plan allows no interruption",
            hint="start a new run",
        )
    spent = min(p.for_, float(interruption.checkpoint.get("credited_s", 0.0)))
    if p.on_interruption == "restart" or interruption.gap_s > p.longest_gap:
        why = "the plan says so" if p.on_interruption == "restart" else f"the longest gap is {p.longest_gap:g} s"
        ctx.tell(f"interrupted for {interruption.gap} after {spent:.0f} s: the soak starts again ({why})")
        return 0.0
    ctx.tell(f"interrupted for {interruption.gap}: {spent:.0f} s of the soak are credited", credited_s=spent)
    return spent


@step("soak", version=1)
async def soak(ctx: StepContext, p: Soak) -> None:
    """Hold the load for the whole time with every watched limit kept and enough data."""
    control = p.load_control or (ctx.load_control() if p.load is not None else "")
    if p.load is not None:
        await ctx.act(control, f"{p.load:g} %")
    restarts = _Restarts(ctx, p.restart_on, p.max_restarts)
    deltas, excursions, profile = _Deltas(ctx, p.deltas), Excursions(ctx, p.excursions), Profile(ctx, p.profile)

    credited = _credited(ctx, p)
    began = ctx.clock.monotonic() - credited

    async def each_tick(now: float) -> float:
        nonlocal began
        again = restarts.check(now) or (now if ctx.is_away else 0.0)  # time without load is no time of the soak
        if again:
            await ctx.set_again()
            began = again
            deltas.begin()
            profile.begin(again)
        await excursions.follow(now - began)
        if ctx.is_checkpoint_due:
            seen = watching.state()
            ctx.checkpoint(
                credited_s=now - began, watched=seen, restarts=restarts.count, deltas=deltas.first,
                profile=profile.state(),
            )  # fmt: skip
        return again

    least = None if p.coverage is None else p.coverage / 100
    async with ctx.provoking(excursions.give_back):
        with Watching(ctx, p.watch, least) as watching, profile:
            if credited and ctx.interruption is not None:
                kept = ctx.interruption.checkpoint
                watching.restore(credited, kept.get("watched", {}))
                restarts.count = int(kept.get("restarts", 0))
                deltas.restore(kept.get("deltas", {}))
                profile.restore(kept.get("profile", {}), credited)
            if p.cycle is None:
                await watching.wait(p.for_, each_tick, credited=credited)
            else:
                await _cycled(ctx, p, p.cycle, control, watching, each_tick, credited)
    watching.report()
    profile.report()
    deltas.report()


async def _cycled(
    ctx: StepContext,
    p: Soak,
    cycle: Cycle,
    control: str,
    watching: Watching,
    each_tick: Tick,
    credited: float = 0.0,
) -> None:
    """High, low, high, low until the whole time has passed since the begin or the last restart."""
    clock = ctx.clock
    started = clock.monotonic() - credited

    async def tick(now: float) -> float:
        nonlocal started
        again = await each_tick(now)
        started = again or started
        return again

    def left() -> float:
        return started + p.for_ - clock.monotonic()

    while left() > 0:
        await watching.wait(min(cycle.every - cycle.for_, left()), tick, text=f"load {p.load:g} %")
        if left() <= 0:
            return
        await ctx.act(control, f"{cycle.low:g} %")
        ctx.tell(f"cycle: load {cycle.low:g} % for {cycle.for_:g} s")
        await watching.wait(min(cycle.for_, left()), tick, text=f"load {cycle.low:g} %")
        await ctx.act(control, f"{p.load:g} %")
