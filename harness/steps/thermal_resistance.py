"""Thermal resistance of each tray, junction to coolant, and the one that is not like the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.peers import LEAST_PEERS, Peer, from_median, thermal_resistance
from harness.api import (
    Bounds,
    Catalog,
    Duration,
    DurationOrZero,
    LimitName,
    LocatedError,
    Model,
    Params,
    Quantity,
    QuantityField,
    SignalRef,
    StepContext,
    Title,
    convert,
    step,
)
from harness.steps.conditions import check_number, check_units, collect, coverage_of, guarded, in_unit


class Tray(Model):
    """One tray, or one accelerator: its junction temperature and its power."""

    name: Title
    junction: SignalRef
    power: SignalRef


class ThermalResistance(Params):
    """Parameters of `thermal_resistance`."""

    trays: Annotated[tuple[Tray, ...], Field(min_length=LEAST_PEERS, max_length=1000)]
    coolant: SignalRef
    """Temperature of the coolant to the trays."""
    least_power: QuantityField
    """A tray with less power says nothing of its resistance: INCONCLUSIVE."""
    over: Duration = 30.0
    """How long one window is."""
    windows: Annotated[int, Field(ge=2, le=100)] = 4
    """How many; their scatter, pooled over all trays, says how well a tray is known."""
    apart: DurationOrZero = 0.0
    """Time between windows: slow wander is seen only by windows apart."""
    limit: LimitName | Bounds | None = None
    """Of each resistance away from the median of all, %. Its expanded uncertainty (k = 2) is the guard band."""
    resistance: LimitName | Bounds | None = None
    """Of each resistance itself, K/kW."""

    @property
    def judges(self) -> bool:
        """Without limits resistances are only recorded."""
        return self.limit is not None or self.resistance is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """The junctions, where there is a limit."""
        return tuple(each.junction for each in self.trays) if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """All windows and what is between them."""
        return self.windows * self.over + (self.windows - 1) * self.apart

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """Units fit, and each tray stands there once."""
        check_units(catalog, {"coolant": (self.coolant, "degC")})
        if not in_unit(self.least_power, "kW", "least_power") > 0:
            raise LocatedError("without power there is no resistance", "least_power")
        names = [each.name for each in self.trays]
        for index, each in enumerate(self.trays):
            if each.name in names[:index]:
                raise LocatedError(f"two trays are named {each.name!r}", "trays", index, "name")
            for key, name, unit in (("junction", each.junction, "degC"), ("power", each.power, "kW")):
                if name in catalog.signals:
                    in_unit(Quantity(1.0, catalog.signals[name].unit), unit, "trays", index, key)
        check_number(self.limit, limits, "%", "limit")
        check_number(self.resistance, limits, "K/kW", "resistance")


@step("thermal_resistance", version=1)
async def thermal_resistance_(ctx: StepContext, p: ThermalResistance) -> None:
    """Find R = (T_junction - T_coolant) / P of each tray in several windows, and judge it against the median of all."""
    names = [p.coolant, *(name for each in p.trays for name in (each.junction, each.power))]
    least = in_unit(p.least_power, "kW")
    found: dict[str, list[float]] = {each.name: [] for each in p.trays}
    share, good = 1.0, 0
    for number in range(p.windows):
        if number and p.apart:
            await ctx.sleep(p.apart)
        windows = await collect(ctx, names, p.over, f"window {number + 1} of {p.windows}")
        means = {name: window.statistic("mean") for name, window in windows.items()}
        share, good = min(share, coverage_of(ctx, windows, p.over)), min(w.good for w in windows.values())
        for each in p.trays:
            power = convert(means[each.power], ctx.info(each.power).unit, "kW")
            junction = convert(means[each.junction], ctx.info(each.junction).unit, "degC")
            value = thermal_resistance(junction, means[p.coolant], power) if power >= least else math.nan
            found[each.name].append(value)
    _judge(ctx, p, found, share, good)


def _judge(ctx: StepContext, p: ThermalResistance, found: Mapping[str, list[float]], share: float, good: int) -> None:
    by_share, by_value = ctx.resolve_number(p.limit, "%"), ctx.resolve_number(p.resistance, "K/kW")
    known = {name: values for name, values in found.items() if all(map(math.isfinite, values))}
    try:
        peers, why = from_median(known), ""
    except ValueError as error:
        peers, why = {}, str(error)
    for name in found:
        lacks = why if name in known else f"{name} has less power than {p.least_power}, or cannot be read"
        peer = peers.get(name, Peer(math.nan, math.nan, math.nan))
        expanded = 2 * peer.u if name in peers else None
        title, needed = f"{ctx.title}: {name}", ctx.coverage_needed
        ctx.measure(title, "", peer.value, by_value, samples=good, coverage=share, needed=needed, why=lacks)
        ctx.measure(
            f"{title} from the median", "", peer.away, guarded(by_share, expanded or 0.0),
            samples=good, coverage=share, needed=needed, uncertainty=expanded, why=lacks,
        )  # fmt: skip
