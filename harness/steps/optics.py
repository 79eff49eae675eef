"""Optics: light, bias and temperature of the modules, inside the thresholds that the modules themselves hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from harness.analysis.optics import Band, own_band, worst
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    Check,
    DurationOrZero,
    LimitName,
    LocatedError,
    ResolvedLimit,
    StepContext,
    step,
)
from harness.steps.counting import number
from harness.steps.measuring import check_limit
from harness.steps.ports import PortParams, ports_of

Quantity = Literal["rx_power", "tx_power", "tx_bias", "module_temperature"]
QUANTITIES: tuple[Quantity, ...] = ("rx_power", "tx_power", "tx_bias", "module_temperature")
EVERY_S = 5.0


class Optics(PortParams):
    """Parameters of `optics`."""

    over: DurationOrZero = 0.0
    """How long to look; the worst reading counts. With 0 s once."""
    own: bool = True
    """Whether the warning thresholds that the modules hold are limits, where the switch shows them."""
    limits: dict[Quantity, LimitName | Bounds] = {}  # noqa: RUF012  a model never changes
    """Limits for all ports: for switches that show no thresholds, or beside these. What is named here must be shown."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The ports."""
        return (self.ports or (self.wiring.name if self.wiring is not None else ""),)

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it says, and one look."""
        return self.over + 2.0

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """There must be something to judge by, and limits must fit what they judge."""
        self.check_ports(catalog, *self.limits)
        for port in self.planned(catalog)[:1]:
            for key, limit in self.limits.items():
                check_limit(limit, limits, catalog.signals[f"{port}.{key}"], "limits", key)
        if self.limits:
            return
        has_own = any(self.has_column(catalog, f"{each}_{side}_warning") for each in QUANTITIES for side in _SIDES)
        if not (self.own and has_own):
            why = "the profile shows no thresholds of modules" if self.own else "`own` is false"
            raise LocatedError(f"there is nothing to judge by: {why}, and no `limits` are given", "limits")


_SIDES = ("low", "high")


@step("optics", version=1)
async def optics(ctx: StepContext, p: Optics) -> None:
    """Compare the readings of every optical module with its own warning thresholds, and with limits."""
    ports = ports_of(ctx, p)
    lacking = [f"{port}.{key}" for port in ports for key in p.limits if not ctx.signals(f"{port}.{key}")]
    if lacking or not ports:
        raise BadValueError(f"the device has no {lacking[0] if lacking else p.ports}", operation="optics")
    columns = (*QUANTITIES, *(f"{each}_{side}_warning" for each in QUANTITIES for side in _SIDES))
    signals = [name for port in ports for column in columns for name in ctx.signals(f"{port}.{column}")]
    seen: dict[str, list[float]] = {}
    started = ctx.clock.monotonic()
    while True:
        await ctx.refresh(signals)
        for port in ports:
            for key in QUANTITIES:
                for name in ctx.signals(f"{port}.{key}"):
                    value = number(ctx, name)
                    seen.setdefault(name, []).append(math.nan if value is None else value)
        left = started + p.over - ctx.clock.monotonic()
        if left <= 0:
            break
        ctx.progress(1 - left / p.over)
        await ctx.sleep(min(EVERY_S, left))
    judged = sum(_judge(ctx, p, port, key, seen.get(f"{port}.{key}", [])) for port in ports for key in QUANTITIES)
    if not judged:
        hint = "judge them by limits of the datasheet"
        raise BadValueError("no module shows thresholds of its own", operation="optics", hint=hint)


def _judge(ctx: StepContext, p: Optics, port: str, key: Quantity, values: list[float]) -> int:
    """Measure one quantity of one module; how many limits there were."""
    signal, judged = f"{port}.{key}", 0
    low, high = (number(ctx, f"{signal}_{side}_warning") for side in _SIDES)
    band = own_band(math.nan if low is None else low, math.nan if high is None else high)
    if p.own and band is not None and values:
        check = Check(
            low=band.low if math.isfinite(band.low) else -math.inf,
            high=band.high if math.isfinite(band.high) else math.inf,
            unit=ctx.info(signal).unit,
            shown=_shown(band),
        )
        own = ResolvedLimit(check, provenance="the module's own warning thresholds", on_fail="stop")
        ctx.measure(f"{ctx.title}: {signal}, own thresholds", signal, worst(values, band), own, samples=len(values))
        judged += 1
    if (limit := p.limits.get(key)) is not None:
        resolved = ctx.resolve(limit, signal)
        given = Band(resolved.check.low, resolved.check.high)
        ctx.measure(f"{ctx.title}: {signal}", signal, worst(values, given), resolved, samples=len(values))
        judged += 1
    return judged


def _shown(band: Band) -> str:
    if not math.isfinite(band.low):
        return f"<= {band.high:g}"
    return f">= {band.low:g}" if not math.isfinite(band.high) else f"{band.low:g} to {band.high:g}"
