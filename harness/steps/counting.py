"""Looking at the counters of ports for a time, in pieces: a piece over which they began anew is left out."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

from harness.analysis.links import Counted, Point, counted
from harness.api import StepContext

PIECES = 12
SHORTEST_S = 5.0


async def count(ctx: StepContext, ports: Sequence[str], columns: Sequence[str], seconds: float) -> dict[str, Counted]:
    """What the counters of each port counted in a time, looked at some twelve times."""
    signals = [name for port in ports for column in columns for name in ctx.signals(f"{port}.{column}")]
    every = max(SHORTEST_S, seconds / PIECES)
    points: dict[str, list[Point]] = {port: [] for port in ports}
    await ctx.refresh(signals)
    started = ctx.clock.monotonic()
    while True:
        for port in ports:
            points[port].append(_look(ctx, port, columns))
        left = started + seconds - ctx.clock.monotonic()
        if left <= 0:
            break
        ctx.progress(1 - left / seconds)
        await ctx.sleep(min(every, left) if left < 1.5 * every else every)
        await ctx.refresh(signals)
    return {port: counted(points[port]) for port in ports}


def _look(ctx: StepContext, port: str, columns: Sequence[str]) -> Point:
    device = ctx.devices[port.partition(".")[0]]
    seconds, counts = ctx.clock.monotonic(), []
    for column in columns:
        value = number(ctx, f"{port}.{column}")
        counts.append(math.nan if value is None else value)
    cleared = number(ctx, f"{port}.discontinuity")
    mark: Hashable = (device.restarts, device.resets if cleared is None else cleared)
    return Point(seconds, tuple(counts), mark)


def number(ctx: StepContext, signal: str) -> float | None:
    """The latest good value of a signal; None where there is none, or the device has no such signal."""
    for name in ctx.signals(signal):
        reading = ctx.observe(name)
        return reading.value if reading.is_good else None
    return None
