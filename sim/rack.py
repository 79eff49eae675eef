"""The rack that a station file describes: its class, the PDUs that feed it, and what the twins see of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.errors import ConfigError
from harness.schema.profile import Profile
from harness.schema.station import DeviceEntry, Station
from sim.physics import Plant, RackParameters
from sim.physics.bench import SUPPLY_BENCH, supply_bench
from sim.physics.feeds import ALL, Feed, wired
from sim.physics.gas import ROOM_PRESSURE
from sim.physics.rack_classes import for_power
from sim.twins.sources import Sources

_OUTLET, _BATTERY = "outlet[", "battery["


def parameters_of(rack: str) -> RackParameters:
    """The parameters of a rack class such as `132kW`; ConfigError when it is none."""
    if rack == SUPPLY_BENCH:
        return supply_bench()
    try:
        return for_power(float(rack.removesuffix("kW")))
    except ValueError:
        raise ConfigError(f"{rack!r} is not a rack class", hint="write it like '132kW'") from None


def rack_of(station: Station, profiles: Mapping[str, Profile]) -> RackParameters:
    """The rack of a station. It has batteries when the station says so, or has a device that shows one."""
    parameters = parameters_of(station.simulation.rack)
    batteries = station.simulation.batteries
    if batteries is None:
        shown = [profiles[entry.profile] for entry in station.devices.values() if entry.profile in profiles]
        has_one = any(_BATTERY in template for profile in shown for template in _signal_bindings(profile))
        batteries = parameters.shelves_needed if has_one else 0
    return replace(parameters, batteries=batteries)


def feeds_of(station: Station, profiles: Mapping[str, Profile], shelves: int) -> list[Feed]:
    """The PDUs of a station in its order, and which shelf hangs on each of their outlets.

    ConfigError when `simulation.feeds` names what is no PDU, outlets that it does not have, or a shelf beyond the rack.
    """
    outlets = {
        name: count
        for name, entry in station.devices.items()
        if entry.profile in profiles
        and (count := _outlets(profiles[entry.profile], entry, shelves, is_wired=name in station.simulation.feeds))
        is not None
    }
    feeds = wired(outlets, shelves)
    for name, given in station.simulation.feeds.items():
        where = f"{station.station}: simulation.feeds.{name}"
        if name not in outlets:
            known = ", ".join(outlets) or "none"
            raise ConfigError(f"{name} is no PDU of the station", where=where, hint=f"its PDUs: {known}")
        if len(given) > outlets[name]:
            raise ConfigError(f"{len(given)} outlets, but {name} has {outlets[name]}", where=where)
        if max(given, default=0) > shelves:
            raise ConfigError(f"there is no shelf {max(given)}, the rack has {shelves}", where=where)
        wiring = (*given, *(0 for _ in range(outlets[name] - len(given))))
        feeds = [Feed(name, wiring) if feed.name == name else feed for feed in feeds]
    return feeds


def scope_of(device: str, feeds: Sequence[Feed]) -> str:
    """What the names begin with that a device has in the plant: see `Twin.pdu`."""
    if len(feeds) < 2:
        return ""
    return device if any(feed.name == device for feed in feeds) else ALL


def _outlets(profile: Profile, entry: DeviceEntry, shelves: int, *, is_wired: bool) -> int | None:
    """How many outlets a device has: what the station counts, else one for each shelf; None for what is no PDU.

    What only reads outlets, and switches none, is another view of the first PDU unless the station wires it.
    """
    for repeat, group in profile.repeat.items():
        switches = group.control is not None or bool(group.controls)
        if (switches or is_wired) and any(_OUTLET in template for template in _bindings(group)):
            return min(entry.counts.get(repeat, shelves), group.count)
    return None


def _bindings(group: Any) -> list[str]:
    controls = [*group.controls.values(), *((group.control,) if group.control is not None else ())]
    return [*(spec.sim.of for spec in group.signals.values() if spec.sim), *(spec.sim for spec in controls)]


def _signal_bindings(profile: Profile) -> list[str]:
    return [spec.sim.of for spec in profile.signals.values() if spec.sim]


def make_sources(plant: Plant) -> Sources:
    """What twins see of a plant, with the settings that its controls have at the start."""
    p = plant.parameters
    defaults = {
        "pump.run": 1.0,
        "pump.mode": 1.0,
        "trays": 1.0,
        "gas.vent": 1.0,
        "gas.setpoint": ROOM_PRESSURE,
        "flow.setpoint": p.design_flow,
        "supply_temperature.setpoint": p.supply_setpoint,
    }
    for name in plant.commands():
        if name.endswith(".voltage_setpoint"):
            defaults[name] = p.bus_voltage
        elif name.endswith(".maximum_discharge"):
            defaults[name] = p.battery_time
        elif name.endswith((".admin", ".run")):
            defaults[name] = 1.0
    scopes = [pdu.scope for pdu in plant.pdus]
    return Sources(plant, plant.commands(), defaults, scopes if len(scopes) == 1 else [*scopes, ALL])
