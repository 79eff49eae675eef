"""Thermal resistance of each tray, junction to coolant, and the one that is not like the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.heat import Known
from harness.analysis.peers import LEAST_PEERS, Peer, from_median, thermal_resistance
from harness.api import (
    Accuracy,
    Bounds,
    Catalog,
    Duration,
    DurationOrZero,
    LimitName,
    LocatedError,
    Model,
    Params,
    Percent,
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
    baseline: Title | None = None
    """The name of an earlier `thermal_resistance` at less power: R = (rise - rise there) / (P - P there), in which the
    offsets of junction sensors cancel. 2 K of a diode are 7 % of a rise of 30 K."""
    remains: Percent = 30.0
    """Share of the sensors' accuracy that `baseline` does not take off: they are not straight, and drift."""
    limit: LimitName | Bounds | None = None
    """Of each resistance away from the median of all, %. Its expanded uncertainty (k = 2) is the guard band: by the
    scatter of the windows, and by the sensors of the tray where the station declares how accurate they are."""
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
        if not 0 <= self.remains <= 100:
            raise LocatedError("0 to 100 %", "remains")
        if self.baseline is None and "remains" in self.model_fields_set:
            raise LocatedError("nothing is taken off without `baseline`", "remains")
        names = [each.name for each in self.trays]
        for index, each in enumerate(self.trays):
            if each.name in names[:index]:
                raise LocatedError(f"two trays are named {each.name!r}", "trays", index, "name")
            for key, name, unit in (("junction", each.junction, "degC"), ("power", each.power, "kW")):
                if name in catalog.signals:
                    in_unit(Quantity(1.0, catalog.signals[name].unit), unit, "trays", index, key)
        check_number(self.limit, limits, "%", "limit")
        check_number(self.resistance, limits, "K/kW", "resistance")


@dataclass(frozen=True, slots=True)
class At:
    """A tray at one power: its junction above the coolant, K, and its power, kW."""

    rise: Known
    power: Known


NOTHING = At(Known(0.0, 0.0), Known(0.0, 0.0))
"""Without a baseline: no power, no rise."""


@step("thermal_resistance", version=1)
async def thermal_resistance_(ctx: StepContext, p: ThermalResistance) -> None:
    """Find R = (T_junction - T_coolant) / P of each tray in several windows, and judge it against the median of all."""
    names = [p.coolant, *(name for each in p.trays for name in (each.junction, each.power))]
    seen: dict[str, list[tuple[float, float]]] = {each.name: [] for each in p.trays}
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
            seen[each.name].append((junction - means[p.coolant], power))
    data = {"samples": good, "coverage": share, "needed": ctx.coverage_needed}
    _judge(ctx, p, {each.name: _record(ctx, each, seen[each.name], data) for each in p.trays}, seen, data)


def _record(ctx: StepContext, tray: Tray, seen: Sequence[tuple[float, float]], data: Mapping[str, Any]) -> At:
    """What the tray was at, with the scatter of its windows, for the record and for steps that have it as baseline."""
    rise, power = (_mean([each[k] for each in seen]) for k in (0, 1))
    for word, value, unit in (("rise", rise, "K"), ("power", power, "kW")):
        ctx.measure(
            _title(ctx.title, tray, word), "", value.value, ctx.resolve_number(None, unit),
            uncertainty=2 * value.u if math.isfinite(value.u) else None, **data,
        )  # fmt: skip
    return At(rise, power)


def _mean(values: Sequence[float]) -> Known:
    if not all(map(math.isfinite, values)):
        return Known(math.nan, math.nan)
    return Known(fmean(values), stdev(values) / math.sqrt(len(values)))


def _title(title: str, tray: Tray, word: str) -> str:
    return f"{title}: {tray.name}: {word}"


def _baseline(ctx: StepContext, p: ThermalResistance, tray: Tray) -> At | None:
    """What the tray was at in the step that is the baseline; None: it has not measured it."""
    if p.baseline is None:
        return NOTHING
    known = []
    for word in ("rise", "power"):
        found = ctx.earlier(_title(p.baseline, tray, word))
        if found is None or found.value is None:
            return None
        known.append(Known(found.value, (found.uncertainty or 0.0) / 2))
    return At(*known)


def _own_u(ctx: StepContext, p: ThermalResistance, tray: Tray, at: At, base: At) -> float:
    """Relative standard uncertainty of a resistance by the tray's own sensors, and by the scatter of the baseline.

    An offset of the junction's sensor is in both rises alike; what is a share of a reading (gain) is not taken off. The
    coolant's thermometer is the same for all trays: it moves them alike.
    """
    rise, power = at.rise.value - base.rise.value, at.power.value - base.power.value
    if rise == 0.0:
        return math.inf
    left = 1.0 if p.baseline is None else p.remains / 100
    junction, meter = (ctx.corrections.accuracy(name) or Accuracy() for name in (tray.junction, tray.power))
    scale = convert(1.0, ctx.info(tray.power).unit, "kW")
    limits = (
        left * junction.absolute / rise,
        junction.relative,
        left * scale * meter.absolute / power,
        meter.relative,
    )
    return math.hypot(*(each / math.sqrt(3) for each in limits), base.rise.u / rise, base.power.u / power)


def _judge(
    ctx: StepContext, p: ThermalResistance, at: Mapping[str, At], seen: Mapping[str, Sequence[tuple[float, float]]],
    data: Mapping[str, Any],
) -> None:  # fmt: skip
    by_share, by_value = ctx.resolve_number(p.limit, "%"), ctx.resolve_number(p.resistance, "K/kW")
    least = in_unit(p.least_power, "kW")
    known: dict[str, list[float]] = {}
    own_u, lacks = {}, {}
    for tray in p.trays:
        base, here = _baseline(ctx, p, tray), at[tray.name]
        if base is None:
            lacks[tray.name] = f"no step {p.baseline!r} has measured {tray.name} before"
        elif not here.power.value - base.power.value >= least or not math.isfinite(here.rise.value - base.rise.value):
            more = "" if p.baseline is None else f" more than in {p.baseline!r}"
            lacks[tray.name] = f"{tray.name} has less power than {p.least_power}{more}, or cannot be read"
        else:
            points = seen[tray.name]
            known[tray.name] = [thermal_resistance(r, base.rise.value, w - base.power.value) for r, w in points]
            own_u[tray.name] = _own_u(ctx, p, tray, here, base)
    try:
        peers, why = from_median(known, own_u), ""
    except ValueError as error:
        peers, why = {}, str(error)
    for tray in p.trays:
        peer = peers.get(tray.name, Peer(math.nan, math.nan, math.nan))
        expanded = 2 * peer.u if tray.name in peers else None
        title, reason = f"{ctx.title}: {tray.name}", lacks.get(tray.name, why)
        ctx.measure(title, "", peer.value, by_value, why=reason, **data)
        guard = guarded(by_share, expanded or 0.0)
        ctx.measure(f"{title} from the median", "", peer.away, guard, uncertainty=expanded, why=reason, **data)
