"""Faults of a simulated station, written `NAME[:ARG][@TIME]`: those of devices as a whole, and those of the plant."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from harness.errors import ConfigError
from sim.fault_table import TABLE
from sim.physics import FAULTS
from sim.physics.faults.arguments import seconds_of, split

DEVICE_FAULTS = frozenset(TABLE) - FAULTS.keys()
"""Those of a device as a whole."""
_DEFAULT_S = {"device_slow": 2.0, "meter_refresh": 3.0}
SENSOR_FAULTS = ("sensor_offset", "sensor_stuck", "sensor_nan")


@dataclass(frozen=True)
class StationFault:
    """A fault with its argument, and when it begins in seconds since the start of the simulation (None: now)."""

    name: str
    argument: str = ""
    at: float | None = None


def fault_names() -> dict[str, str]:
    """Every fault and a line that says what it does and which argument it takes."""
    return {name: fault.does for name, fault in TABLE.items()}


def parse_fault(text: str) -> StationFault:
    """`NAME[:ARG][@TIME]`, TIME in s or with a unit; ConfigError names the nearest when there is no such fault."""
    try:
        name, argument, at = split(text)
    except ValueError as error:
        raise ConfigError(str(error), hint="write NAME:ARG@10s") from None
    known = fault_names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"unknown fault {name!r}", hint=f"{hint}Known: {', '.join(sorted(known))}")
    return StationFault(name, argument, at)


def device_argument(fault: StationFault, devices: Collection[str]) -> tuple[str, float]:
    """(device, seconds) of a device fault; ConfigError for an unknown device or a bad time."""
    name, equals, value = fault.argument.partition("=")
    if name not in devices:
        near = difflib.get_close_matches(name, devices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(devices)}"
        raise ConfigError(f"fault {fault.name} needs a device of the station, got {name!r}", hint=hint)
    if equals and fault.name not in _DEFAULT_S:
        raise ConfigError(f"fault {fault.name} takes a device only, got {fault.argument!r}")
    try:
        return name, seconds_of(value) if equals else _DEFAULT_S.get(fault.name, 0.0)
    except ValueError:
        raise ConfigError(f"fault {fault.name}: {value!r} is no time", hint="write it like 2s") from None
