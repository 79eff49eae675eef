"""What faults are made of: their arguments, and changes that can be taken back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from harness.quantity import parse_duration
from sim.physics.ambient import Ambient
from sim.physics.bus import Bus
from sim.physics.gas import Gas
from sim.physics.loop import Loop
from sim.physics.network import Switch
from sim.physics.parameters import RackParameters
from sim.physics.pdu import Pdu
from sim.physics.rack import Rack
from sim.physics.sensors import Sensors
from sim.physics.shelf import Shelves
from sim.physics.workload import Calculation

T = TypeVar("T")
Undo = Callable[[], None]
Apply = Callable[[], Undo]


class Plant(Protocol):
    """What faults reach of a plant."""

    parameters: RackParameters
    time: float
    ambient: Ambient
    bus: Bus
    gas: Gas
    calculation: Calculation
    loop: Loop
    rack: Rack
    sensors: Sensors
    shelves: Shelves
    switch: Switch

    @property
    def faults(self) -> tuple[str, ...]:
        """Labels of the faults that are on."""
        ...

    def names(self) -> Mapping[str, str]:
        """Every variable with its unit."""
        ...

    def pdu(self, which: str) -> Pdu:
        """The PDU of a feed."""
        ...

    def sensed(self, name: str) -> float:
        """What the sensor of a variable shows."""
        ...

    def schedule(self, at: float, action: Callable[[], None], *, disturbs: bool = True) -> None:
        """Do something at a plant time."""
        ...

    def clear(self, fault: str) -> None:
        """End a fault."""
        ...


Maker = Callable[[Plant, str], Apply]
"""Checks the argument of a fault (ValueError) and gives what applies it."""


def split(text: str) -> tuple[str, str, float | None]:
    """Name, argument and time in s (`90`, `90 s`, `5 min`; None without) of `name[:arg][@time]`; ValueError."""
    body, at, when = text.strip().partition("@")
    name, _, argument = body.partition(":")
    if not at:
        return name.strip(), argument.strip(), None
    try:
        return name.strip(), argument.strip(), seconds_of(when)
    except ValueError:
        raise ValueError(f"fault {text!r}: {when!r} is no time, write it like 90 s, 5 min or 1 h") from None


def seconds_of(text: str) -> float:
    """A time with its unit, or in seconds; ValueError."""
    return parse_duration(text if text.strip()[-1:].isalpha() else f"{text} s")


def index_of(arg: str, count: int, what: str) -> int:
    """A number 1..count as an index 0..count-1; empty means 1."""
    try:
        number = int(arg or "1")
    except ValueError:
        number = 0
    if not 1 <= number <= count:
        raise ValueError(f"{what} must be 1 to {count}, got {arg!r}")
    return number - 1


def number_of(arg: str, default: float, low: float, high: float, what: str) -> float:
    """A number low..high; empty means the default."""
    try:
        value = float(arg) if arg else default
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise ValueError(f"{what} must be {low:g} to {high:g}, got {arg!r}")
    return value


def put(target: object, name: str, value: object) -> Undo:
    """Set an attribute and return what sets it back."""
    before = getattr(target, name)
    setattr(target, name, value)
    return lambda: setattr(target, name, before)


def put_item(values: list[T], index: int, value: T) -> Undo:
    """Set an element of a list and return what sets it back."""
    before = values[index]
    values[index] = value

    def undo() -> None:
        values[index] = before

    return undo


def without_argument(arg: str, apply: Apply) -> Apply:
    """`apply`; ValueError when an argument is given."""
    if arg:
        raise ValueError(f"takes no argument, got {arg!r}")
    return apply
