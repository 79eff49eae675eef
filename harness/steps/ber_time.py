"""The bit error rate of links, proved by time: so many bits without an error show a limit at a confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.ber import Proved, proved, seconds_needed
from harness.analysis.links import Counted
from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    Duration,
    LimitName,
    LocatedError,
    Name,
    Percent,
    QuantityField,
    ResolvedLimit,
    SignalInfo,
    StepContext,
    step,
)
from harness.steps.counting import count
from harness.steps.measuring import check_limit
from harness.steps.ports import PortParams, ports_of

_OCTETS = "octets_in"


class BerTime(PortParams):
    """Parameters of `ber_time`."""

    errors: Name = "errors_in"
    """Column of a port that counts frames with errors."""
    limit: LimitName | Bounds
    """Of the bit error rate after error correction; its `max` is what is proved."""
    confidence: Percent = 95.0
    """How sure the proof of one port is."""
    rate: QuantityField
    """Rate of a link, `400 Gb/s`."""
    traffic: Percent = 100.0
    """Share of the rate that runs while it is counted. With less than that the time does not reach."""
    for_: Annotated[Duration, Field(alias="for")]
    """How long is counted: at least -ln(1 - confidence) / (limit x rate x traffic)."""

    @property
    def measures(self) -> tuple[str, ...]:
        """The ports."""
        return (self.ports or (self.wiring.name if self.wiring is not None else ""),)

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it says, and the looks at the begin and the end."""
        return self.for_ + 2.0

    @property
    def bits_per_second(self) -> float:
        """What a link is expected to receive."""
        return self.rate.to("b/s") * self.traffic / 100.0

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """The time must be long enough to prove the limit, were there no error."""
        self.check_ports(catalog, self.errors, _OCTETS)
        if not 50.0 <= self.confidence < 100.0:
            raise LocatedError("a confidence is at least 50 % and less than 100 %", "confidence")
        if not 0.0 < self.traffic <= 100.0:
            raise LocatedError("a share of the rate is more than 0 % and at most 100 %", "traffic")
        try:
            is_rate = self.rate.to("b/s") > 0
        except ValueError as error:
            raise LocatedError(str(error), "rate") from None
        if not is_rate:
            raise LocatedError("a link has a rate", "rate")
        check_limit(self.limit, limits, SignalInfo(name="bit error rate", unit=""), "limit")
        named = limits.get(self.limit) if isinstance(self.limit, str) else None
        bounds = named.limit if named is not None else self.limit
        if not isinstance(bounds, Bounds):
            return  # said with the other references
        if bounds.max is None or bounds.max.value <= 0:
            raise LocatedError("a bit error rate has a `max` above 0, that is what can be proved", "limit")
        needed = seconds_needed(bounds.max.value, self.confidence / 100.0, self.bits_per_second)
        if needed > self.for_:
            message = (
                f"{self.for_:g} s are too short: {bounds.max.value:g} takes {needed:.0f} s without an error at "
                f"{self.bits_per_second / 1e9:g} Gb/s and {self.confidence:g} %"
            )
            raise LocatedError(message, "for")


@step("ber_time", version=1)
async def ber_time(ctx: StepContext, p: BerTime) -> None:
    """Prove that every link keeps a bit error rate: PASS and FAIL when proved, else how long it still takes."""
    ports = ports_of(ctx, p)
    lacking = [f"{port}.{each}" for port in ports for each in (p.errors, _OCTETS) if not ctx.signals(f"{port}.{each}")]
    if lacking or not ports:
        raise BadValueError(f"the device has no {lacking[0] if lacking else p.ports}", operation="ber_time")
    found = await count(ctx, ports, [p.errors, _OCTETS], p.for_)
    limit = ctx.resolve_number(p.limit)
    for port, result in found.items():
        _judge(ctx, p, port, result, limit)


def _judge(ctx: StepContext, p: BerTime, port: str, result: Counted, limit: ResolvedLimit) -> None:
    errors, octets = result.counts
    bits = 8.0 * octets
    shown: Proved = proved(round(errors), bits, float(limit.check.high), p.confidence / 100.0)
    value = shown.least if shown.is_beyond else shown.most
    why = ""
    if shown.missing:
        rate = bits / result.seconds if result.seconds else 0.0
        takes = (
            f"{shown.missing / rate:.0f} s more at the {rate / 1e9:.3g} Gb/s there were"
            if rate
            else "bits, and none came"
        )
        why = f"{errors:.0f} errors in {bits:.3g} bits prove {shown.most:.3g}; {limit.check} takes {takes}"
    ctx.measure(
        f"{ctx.title}: {port}",
        f"{port}.{p.errors}",
        value if math.isfinite(value) else math.nan,
        limit,
        samples=round(bits),
        coverage=bits / (bits + shown.missing) if bits > 0 else 0.0,
        needed=1.0 if shown.missing else 0.0,
        why=why,
    )
