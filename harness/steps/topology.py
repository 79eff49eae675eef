"""Topology: what every port of the switches sees by LLDP, against the wiring plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis.wiring import Finding, Kind, Seen, Wired, compare
from harness.api import (
    BadValueError,
    Catalog,
    Check,
    Duration,
    InputFile,
    Params,
    Quantity,
    ResolvedLimit,
    StepContext,
    StepFailedError,
    step,
)
from harness.steps.ports import SPEED_UNIT, PortParams, WiringPlan

__all__ = ["Topology", "topology"]

LOOK_EVERY_S = 5.0
"""Neighbours are read slowly by themselves; a switch is asked this often while they are not yet right."""


class Topology(Params):
    """Parameters of `topology`."""

    wiring: InputFile[WiringPlan]
    """The wiring plan: a file beside the plan."""
    within: Duration = 150.0
    """How long to wait for all neighbours: LLDP tells them every 30 s, and forgets old ones after 120 s."""
    unexpected: bool = True
    """Whether a neighbour at a port that the wiring plan leaves free is wrong too."""

    def planned_seconds(self, _catalog: Catalog) -> None:
        """The switch decides: at once where all is right."""

    @property
    def measures(self) -> tuple[str, ...]:
        """What the ports see."""
        return tuple(f"{port}.neighbor" for port in self.wiring.content.links)

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """Every port of the wiring plan must be one of the station, whose neighbour and speed can be read."""
        links = self.wiring.content.links
        PortParams(wiring=self.wiring).check_ports(catalog, "neighbor")
        for port in links:
            if self.wiring.content.speed_of(port) is not None and f"{port}.speed" not in catalog.signals:
                raise self.wiring.wrong(f"{port}.speed is no signal of the station", "links", port, key=True)


@step("topology", version=1)
async def topology(ctx: StepContext, p: Topology) -> None:
    """Compare what every port sees by LLDP with the wiring plan; whatever differs is named."""
    wiring = p.wiring.content
    plan = {port: Wired(link.to, wiring.speed_of(port)) for port, link in wiring.links.items()}
    started, pause = ctx.clock.monotonic(), 0.0
    while True:
        unread = _unread(ctx, plan)
        found = compare(plan, _seen(ctx, plan, p), _own(ctx, plan))
        left = started + p.within - ctx.clock.monotonic()
        if not (found or unread) or left <= 0:
            break
        ctx.progress(1 - left / p.within, f"{len(found)} not yet right")
        await ctx.sleep(min(pause, left))
        await ctx.refresh(f"{port}.neighbor" for port in plan if ctx.signals(f"{port}.neighbor"))
        pause = LOOK_EVERY_S
    blind = set(unread)
    found = [each for each in found if not blind & set(each.ports)]  # what cannot be read accuses nobody
    for each in found:
        ctx.tell(str(each))
    if unread and not found:
        raise BadValueError(f"{unread[0]}.neighbor cannot be read", operation="topology", hint="check the switch")
    source = f"wiring plan {wiring.wiring} {wiring.version}"
    none_wrong = ResolvedLimit(Check(high=0.0, shown="<= 0"), provenance=source, on_fail="stop")
    ctx.measure(f"{ctx.title}: number wrong", "", float(len(found)), none_wrong, samples=len(plan))
    for kind in Kind:
        of_kind = [each for each in found if each.kind is kind]
        if of_kind:
            ctx.tell(f"{kind.value}: {len(of_kind)}", links=[list(each.ports) for each in of_kind])
    if found:
        raise StepFailedError(_few(found), hint=f"put the cables as {p.wiring.name} has them")


def _unread(ctx: StepContext, plan: Mapping[str, Wired]) -> list[str]:
    """Ports that the switch has and whose neighbour or speed cannot be read now."""
    found = []
    for port, wired in plan.items():
        columns = ("neighbor", "speed") if wired.speed is not None else ("neighbor",)
        there = [name for column in columns for name in ctx.signals(f"{port}.{column}")]
        if any(not ctx.observe(name).is_good for name in there):
            found.append(port)
    return found


def _seen(ctx: StepContext, plan: Mapping[str, Wired], p: Topology) -> dict[str, Seen]:
    ports = dict.fromkeys(plan)
    if p.unexpected:
        for bank in dict.fromkeys(f"{port.partition('[')[0]}.neighbor" for port in plan):
            ports.update(dict.fromkeys(name.rpartition(".")[0] for name in ctx.signals(bank)))
    return {port: _shown(ctx, port) for port in ports}


def _shown(ctx: StepContext, port: str) -> Seen:
    far = _text(ctx, f"{port}.neighbor")
    speed = next((ctx.observe(name) for name in ctx.signals(f"{port}.speed")), None)
    known = speed is not None and speed.is_good
    return Seen(far, Quantity(speed.value, speed.unit).to(SPEED_UNIT) if speed is not None and known else None)


def _own(ctx: StepContext, plan: Mapping[str, Wired]) -> dict[str, str]:
    """How each port shows itself to others: the name of its switch and its own."""
    own = {}
    for port in plan:
        system, name = _text(ctx, f"{port.partition('.')[0]}.name"), _text(ctx, f"{port}.name")
        if system and name:
            own[port] = f"{system}:{name}"
    return own


def _text(ctx: StepContext, signal: str) -> str:
    for name in ctx.signals(signal):
        reading = ctx.observe(name)
        return reading.text if reading.is_good else ""
    return ""


def _few(found: Sequence[Finding]) -> str:
    more = f"; and {len(found) - 3} more" if len(found) > 3 else ""
    return "; ".join(str(each) for each in found[:3]) + more
