"""Links: up at their rated speed in time, and from then on never down."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.links import LinkWatch
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    Check,
    Duration,
    DurationOrZero,
    LimitName,
    LocatedError,
    Quantity,
    ResolvedLimit,
    SignalInfo,
    StepContext,
    StepFailedError,
    step,
)
from harness.steps.counting import number
from harness.steps.measuring import check_limit
from harness.steps.ports import SPEED_UNIT, PortParams, ports_of

_NEVER = Bounds(max=Quantity(0.0, ""))


class LinkCheck(PortParams):
    """Parameters of `link_check`."""

    speed: LimitName | Bounds | None = None
    """Of the speed of every link; a wiring plan has that of each of its own."""
    within: Duration = 60.0
    """How long the links may take to come up at their speed."""
    for_: Annotated[DurationOrZero, Field(alias="for")] = 0.0
    """How long they are watched from then on."""
    flaps: LimitName | Bounds = _NEVER
    """Of how often each link goes down while it is watched."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The ports."""
        return (self.ports or (self.wiring.name if self.wiring is not None else ""),)

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as the links are watched; how long they take to come up, the rack decides."""
        return self.for_ + 3.0

    def rated(self, port: str) -> float | None:
        """The speed that the wiring plan has at a port, Mb/s."""
        return self.wiring.content.speed_of(port) if self.wiring is not None else None

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Ports must show their state and speed, limits must fit."""
        self.check_ports(catalog, "state", "speed")
        for port in self.planned(catalog)[:1]:
            check_limit(self.speed, limits, catalog.signals[f"{port}.speed"], "speed")
            up = catalog.signals[f"{port}.state"].labels
            if not up or "up" not in up.values():
                raise LocatedError(f"{port}.state never says `up`", "ports" if self.ports else "wiring")
        check_limit(self.flaps, limits, SignalInfo(name="flaps", unit=""), "flaps")


@step("link_check", version=1)
async def link_check(ctx: StepContext, p: LinkCheck) -> None:
    """Wait until all links are up at their speed, then see that none goes down."""
    ports = ports_of(ctx, p)
    lacking = [f"{port}.state" for port in ports if not ctx.signals(f"{port}.state")]
    if not ports:
        raise BadValueError(f"the device has no {p.ports}", operation="link_check")
    await _come_up(ctx, p, ports, lacking)
    if p.for_:
        await _stay_up(ctx, p, ports)


async def _come_up(ctx: StepContext, p: LinkCheck, ports: Sequence[str], lacking: Sequence[str]) -> None:
    speeds = [name for port in ports for name in ctx.signals(f"{port}.speed")]
    started = ctx.clock.monotonic()
    is_refreshed = False
    while True:
        unread, down = _states(ctx, [port for port in ports if f"{port}.state" not in lacking])
        wrong = [f"the switch has no {name}" for name in lacking] + down
        left = started + p.within - ctx.clock.monotonic()
        if not (unread or wrong):
            if not is_refreshed:  # speeds are read slowly, and say nothing of a link that has just come up
                await ctx.refresh(speeds)
                is_refreshed = True
                continue
            unread, wrong = _speeds(ctx, p, ports)
        if not (unread or wrong) or left <= 0:
            break
        ctx.progress(1 - left / p.within, f"{len(wrong) + len(unread)} not yet right")
        await ctx.sleep(min(1.0, left))
        is_refreshed = False
    if unread and not wrong:
        raise BadValueError(f"{unread[0]} cannot be read", operation="link_check", hint="check the switch")
    for line in wrong:
        ctx.tell(line)
    none_wrong = ResolvedLimit(Check(high=0.0, shown="<= 0"), provenance="plan", on_fail="stop")
    ctx.measure(f"{ctx.title}: number wrong", "", float(len(wrong)), none_wrong, samples=len(ports))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise StepFailedError("; ".join(wrong[:3]) + more, hint="look at the cable and at both its ends")


def _states(ctx: StepContext, ports: Sequence[str]) -> tuple[list[str], list[str]]:
    readings = [ctx.observe(f"{port}.state") for port in ports]
    unread = [reading.signal for reading in readings if not reading.is_good]
    down = [each for each in readings if each.is_good and each.text != "up"]
    return unread, [f"{each.signal} is {each.text}, must be up" for each in down]


def _speeds(ctx: StepContext, p: LinkCheck, ports: Sequence[str]) -> tuple[list[str], list[str]]:
    unread, wrong = [], []
    for port in ports:
        reading = ctx.observe(f"{port}.speed")
        if not reading.is_good:
            unread.append(reading.signal)
            continue
        rated = p.rated(port)
        if rated is not None and Quantity(reading.value, reading.unit).to(SPEED_UNIT) != rated:
            wrong.append(f"{reading.signal} is {reading}, must be {rated:.0f} {SPEED_UNIT}")
        limit = ctx.resolve(p.speed, reading.signal)
        if not limit.check.holds(reading.value):
            wrong.append(f"{reading.signal} is {reading}, must be {limit.check}")
    return unread, wrong


async def _stay_up(ctx: StepContext, p: LinkCheck, ports: Sequence[str]) -> None:
    slow = [name for port in ports for column in ("last_change", "flaps") for name in ctx.signals(f"{port}.{column}")]
    await ctx.refresh(slow)
    before = {port: _marks(ctx, port) for port in ports}
    watches = {port: LinkWatch() for port in ports}
    good = dict.fromkeys(ports, 0)

    def sample(port: str, up: float, _mono: float, value: float, quality: int) -> None:
        if quality == 0:
            good[port] += 1
            watches[port].sample(is_up=value == up)

    with ExitStack() as stack:
        for port in ports:
            labels = ctx.info(f"{port}.state").labels or {}
            up = next(code for code, word in labels.items() if word == "up")
            listener = partial(sample, port, float(up))
            stack.enter_context(ctx.listening(f"{port}.state", listener, while_paused=True))
        started = ctx.clock.monotonic()
        while (left := started + p.for_ - ctx.clock.monotonic()) > 0:
            ctx.progress(1 - left / p.for_)
            await ctx.sleep(min(1.0, left))
        await ctx.refresh(slow)
    limit = ctx.resolve_number(p.flaps)
    for port in ports:
        (uptime, changes, restarts), (_, now, now_restarts) = before[port], _marks(ctx, port)
        grown = now - changes if now is not None and changes is not None else None
        last = number(ctx, f"{port}.last_change") if restarts == 0 else None  # else uptime is not that of the switch
        downs = watches[port].downs(since=math.inf if uptime is None else uptime, last_change=last, changes=grown)
        due = max(1, math.floor(p.for_ / ctx.period(f"{port}.state") + 1e-6))
        ctx.measure(
            f"{ctx.title}: {port} went down",
            "",
            float(downs),
            limit,
            samples=good[port],
            coverage=min(1.0, good[port] / due) if now_restarts == restarts else 0.0,
            needed=ctx.coverage_needed if due >= 20 else 0.5,
            why="the switch restarted meanwhile" if now_restarts != restarts else "",
        )


def _marks(ctx: StepContext, port: str) -> tuple[float | None, float | None, int]:
    """Uptime of the switch, its count of changes of the link, and how often it restarted."""
    device = port.partition(".")[0]
    return number(ctx, f"{device}.uptime"), number(ctx, f"{port}.flaps"), ctx.devices[device].restarts
