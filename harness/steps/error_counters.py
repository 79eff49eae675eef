"""Errors of links: what the switch counted in a time, and how many that is for each bit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from pydantic import Field

from harness.api import (
    BadValueError,
    Bounds,
    Catalog,
    Duration,
    LimitName,
    LocatedError,
    Name,
    SignalInfo,
    StepContext,
    step,
)
from harness.steps.counting import count
from harness.steps.measuring import check_limit
from harness.steps.ports import PortParams, ports_of

_OCTETS = "octets_in"


class ErrorCounters(PortParams):
    """Parameters of `error_counters`."""

    counters: Annotated[tuple[Name, ...], Field(min_length=1, max_length=16)] = ("errors_in",)
    """Columns of a port that count what must not be: `errors_in`, `fcs_errors`..."""
    for_: Annotated[Duration, Field(alias="for")]
    """How long is counted."""
    limit: LimitName | Bounds | None = None
    """Of what each counter of each port counts in the time."""
    rate: LimitName | Bounds | None = None
    """Of the same for each bit that the port received. `ber_time` says how many bits such a limit needs."""

    @property
    def judges(self) -> bool:
        """Without a limit it is only recorded."""
        return self.limit is not None or self.rate is not None

    @property
    def measures(self) -> tuple[str, ...]:
        """The ports, where there is a limit."""
        where = self.ports or (self.wiring.name if self.wiring is not None else "")
        return (where,) if self.judges else ()

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it says, and the looks at the begin and the end."""
        return self.for_ + 2.0

    def check_against(self, catalog: Catalog, limits: Mapping[str, Any]) -> None:
        """The counters must be there, and limits numbers."""
        self.check_ports(catalog, *self.counters, *([_OCTETS] if self.rate is not None else []))
        for port in self.planned(catalog)[:1]:
            for index, column in enumerate(self.counters):
                info = catalog.signals[f"{port}.{column}"]
                if info.unit or info.is_text:
                    raise LocatedError(f"{column} counts nothing: it is in {info.unit or 'words'}", "counters", index)
        check_limit(self.limit, limits, SignalInfo(name="count", unit=""), "limit")
        check_limit(self.rate, limits, SignalInfo(name="rate", unit=""), "rate")


@step("error_counters", version=1)
async def error_counters(ctx: StepContext, p: ErrorCounters) -> None:
    """Count the errors of every port for a time; what was cleared or restarted meanwhile does not count."""
    ports = ports_of(ctx, p)
    columns = {port: [each for each in p.counters if ctx.signals(f"{port}.{each}")] for port in ports}
    blind = [port for port in ports if not columns[port]]
    if blind or not ports:
        raise BadValueError(f"no counters at {blind[0] if blind else p.ports}", operation="error_counters")
    wanted = [*p.counters, *([_OCTETS] if p.rate is not None else [])]
    for column in wanted:
        lacking = [port for port in ports if not ctx.signals(f"{port}.{column}")]
        if lacking:
            raise BadValueError(f"the device has no {lacking[0]}.{column}", operation="error_counters")
    found = await count(ctx, ports, wanted, p.for_)
    limit, rate = ctx.resolve_number(p.limit), ctx.resolve_number(p.rate)
    for port, result in found.items():
        why = f"its counters began anew, {result.lost:.0f} s of {p.for_:.0f} s do not count" if result.lost else ""
        judge = partial(ctx.measure, coverage=result.share, needed=ctx.coverage_needed, why=why)
        for index, column in enumerate(p.counters):
            errors = result.counts[index] if result.seconds else math.nan
            name = f"{ctx.title}: {port}.{column}"
            judge(name, f"{port}.{column}", errors, limit)
            if p.rate is not None:
                bits = 8.0 * result.counts[-1]
                share = errors / bits if bits > 0 else math.nan
                judge(f"{name} for each bit", f"{port}.{column}", share, rate)
        if why:
            ctx.tell(f"{port}: {why}")
