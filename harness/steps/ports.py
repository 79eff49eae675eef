"""The ports of switches: the file that says how a rack is wired, and which ports a step is about.

All profiles of switches call the columns of a port alike (`state`, `speed`, `neighbor`, `rx_power`...), so a step names
a repetition (`switch.port`), or the wiring plan, whose ports are those in use.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.api import (
    Catalog,
    InputFile,
    LocatedError,
    Model,
    Params,
    QuantityField,
    SignalRef,
    StepContext,
    StrictText,
)

SPEED_UNIT = "Mb/s"


class WiredTo(Model):
    """The far end of a link; its name alone is short for `{to: ...}`."""

    to: StrictText
    """System and port as LLDP tells them, `tray-01:eth0`."""
    speed: QuantityField | None = None
    """Speed of this link, where it is another than that of the file."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"to": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_both(self) -> WiredTo:
        system, _, port = self.to.partition(":")
        if not system.strip() or not port.strip():
            raise LocatedError(f"{self.to!r} is no far end; write system:port, like 'tray-01:eth0'", "to")
        _speed(self.speed)
        return self


class WiringPlan(Model):
    """How a rack is wired: which far end belongs at each port of its switches."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    wiring: StrictText
    """Name of the wiring plan."""
    version: StrictText
    speed: QuantityField | None = None
    """Speed of every link that says no other."""
    links: Annotated[dict[SignalRef, WiredTo], Field(min_length=1)]
    """A port of a switch, as the station calls it, and what is at its other end."""

    @model_validator(mode="after")
    def _each_once(self) -> WiringPlan:
        _speed(self.speed)
        ends: dict[str, str] = {}
        for port, link in self.links.items():
            if link.to.lower() in ends:
                raise LocatedError(f"{link.to} is at {ends[link.to.lower()]} already", "links", port)
            ends[link.to.lower()] = port
        return self

    def speed_of(self, port: str) -> float | None:
        """The speed that the link at a port must have, Mb/s; None where the file says none."""
        speed = self.links[port].speed or self.speed
        return None if speed is None else speed.to(SPEED_UNIT)


def _speed(speed: Any) -> None:
    if speed is None:
        return
    try:
        is_one = speed.to(SPEED_UNIT) > 0
    except ValueError as error:
        raise LocatedError(str(error), "speed") from None
    if not is_one:
        raise LocatedError(f"{speed} is no speed of a link", "speed")


class PortParams(Params):
    """Which ports a step looks at: those of a repetition, or those of a wiring plan."""

    ports: StrictText | None = None
    """A repetition of a switch, `switch.port`: every port that the switch has."""
    wiring: InputFile[WiringPlan] | None = None
    """A wiring plan beside the plan: only the ports that it has."""

    @model_validator(mode="after")
    def _one_of_them(self) -> PortParams:
        if (self.ports is None) == (self.wiring is None):
            raise ValueError("give `ports` (all of a switch) or `wiring` (those of a wiring plan)")
        return self

    def has_column(self, catalog: Catalog, column: str) -> bool:
        """Whether the ports of the station may have a column (a profile offers it)."""
        return any(f"{port}.{column}" in catalog.signals for port in self.planned(catalog))

    def planned(self, catalog: Catalog) -> list[str]:
        """The ports, as far as profiles tell: a switch may have fewer."""
        if self.wiring is not None:
            return list(self.wiring.content.links)
        bank = next((name for name in catalog.banks if name.rpartition(".")[0] == self.ports), "")
        return [name.rpartition(".")[0] for name in catalog.banks.get(bank, ())]

    def check_ports(self, catalog: Catalog, *columns: str) -> None:
        """The ports must be ports of the station that have these columns."""
        for port in self.planned(catalog):
            for column in columns:
                if f"{port}.{column}" in catalog.signals:
                    continue
                message = f"{port}.{column} is no signal of the station"
                if self.wiring is not None:
                    raise self.wiring.wrong(message, "links", port, key=True)
                raise LocatedError(message, "ports")
        if not self.planned(catalog):
            known = [name.rpartition(".")[0] for name in catalog.banks if name.endswith(".neighbor")]
            raise LocatedError(f"{self.ports} is no repetition of a device{_like(known)}", "ports")


def _like(known: list[str]) -> str:
    return f"; ports are {', '.join(known)}" if known else ""


def ports_of(ctx: StepContext, p: PortParams) -> list[str]:
    """The ports that there are: of a wiring plan all that it has, of a switch those that it has."""
    if p.wiring is not None:
        return list(p.wiring.content.links)
    found: dict[str, None] = {}
    for column in ("state", "neighbor", "speed"):
        found.update({name.rpartition(".")[0]: None for name in ctx.signals(f"{p.ports}.{column}")})
    return list(found)
