"""Faults of a simulated station, written `NAME[:ARG][@TIME]`: those of devices as a whole, and those of the plant."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from harness.errors import ConfigError
from sim.physics import FAULTS
from sim.physics.faults.arguments import seconds_of, split

DEVICE_FAULTS = {
    "device_silent": "DEVICE accepts connections and never answers",
    "device_slow": "DEVICE=2s answers late by the time given (default 2 s)",
    "device_down": "DEVICE has no power: nobody listens",
    "device_refuses": "DEVICE answers every request with an error",
    "meter_refresh": "DEVICE=3s renews its quantities only this often (default 3 s); states and commands are not late",
    "values_frozen": "DEVICE shows the values of this moment for ever; it answers, obeys, and its uptime goes on",
    "device_frozen": "DEVICE answers for ever what it shows at this moment, its uptime too, as a controller that hangs",
    "wrong_model": "another model answers at the address of DEVICE",
    "device_reboot": "DEVICE is away for 3 s and starts again",
    "device_heal": "DEVICE is healthy again",
}
_DEFAULT_S = {"device_slow": 2.0, "meter_refresh": 3.0}
SENSOR_FAULTS = ("sensor_offset", "sensor_stuck", "sensor_nan")
DESCRIPTIONS = {
    "pump_stop": "N: pump N stops",
    "both_pumps_stop": "both pumps stop",
    "pump_degraded": "N[=0.5]: pump N has this share of its head left",
    "filter_clog": "[4]: the resistance of the loop is this many times the clean one",
    "flow_meter_zero": "the flow meter shows 0",
    "sensor_offset": "SIGNAL=DELTA: a sensor shows too much by DELTA (unit of the signal)",
    "sensor_stuck": "SIGNAL[=VALUE]: a sensor shows the same for ever",
    "sensor_nan": "SIGNAL: a sensor is broken, its device says so",
    "leak": "[ZONE=][2]: leak in rack or cdu, mL/s",
    "low_level": "[8]: the reservoir is down to this percentage",
    "over_pressure": "[180]: static pressure is higher by this many kPa",
    "air_in_loop": "[0.5]: share of air the pumps draw",
    "valve_stuck": "the facility water valve stays where it is",
    "hx_fouled": "[0.6]: lost share of the heat exchanger",
    "fws_step": "[6]: facility water is warmer by this many K",
    "fws_loss": "facility water stops",
    "dew_point_rise": "[34.5]: dew point of the room in degC",
    "tray_blocked": "N[=1]: this share of the way through tray N is blocked",
    "qd_half": "N[=4]: a coupling of tray N is half seated, its branch has so many times its resistance",
    "bypass": "[0.1]: this share of the rack's flow passes all trays by",
    "tim_bad": "N[=1.3]: so many times the thermal resistance between the plates of tray N and its junctions",
    "tray_off": "N: tray N is off by itself",
    "air_pocket": "N[=0.5]: air covers this share of the plates of tray N; flow carries it off in half an hour",
    "tray_leak": "N[=1]: leak in tray N, mL/s",
    "outlet_stuck": "[PDU.]N: the relay of outlet N does not move any more",
    "outlet_off": "[PDU.]N: outlet N opens by itself",
    "breaker_trip": "[PDU.]N: the breaker of outlet N trips",
    "phase_loss": "[PDU.]N: phase N is lost",
    "feed_loss": "[PDU]: a PDU (by name, or A, B in the order of the station) has no mains; it goes on answering",
    "psu_fail": "N[.K]: supply K of shelf N fails; without K the first that works",
    "holdup_weak": "N[=0.5]: the bulk capacitors of shelf N hold this share of what they should",
    "cords_swapped": "[PDU.]A-[PDU.]B: what hangs on outlet A hangs on B, and the other way round",
    "inrush_high": "[PDU.]N[=2]: what hangs on outlet N takes this many times the inrush that it should",
    "battery_low": "[5]: the batteries of the rack are down to this percentage of their charge",
    "meter_frozen": "[PDU]: the meter of a PDU shows the same for ever",
    "link_down": "N: cable of port N is broken",
    "link_flap": "N[=10]: link N goes up and down with this period in s",
    "speed_down": "N: port N negotiates a quarter of its speed",
    "lldp_swapped": "A-B: the cables of two ports are swapped",
    "counters_cleared": "N: somebody clears the counters of port N, which start again from zero",
    "optic_hot": "N: the optic of port N gets hot",
    "ber_drift": "N: the error rate of port N grows",
    "gas_leak": "[30]: the rack loses this many sccm of gas at 500 kPa absolute",
    "gas_step": "[2]: a coupling lets go of this many kPa of gas at once and holds again",
    "gas_valve_passes": "[isolate|fill][=20]: a closed valve of the leak tester lets this many sccm pass",
    "gas_thermometer_loose": "N[=0.3]: thermometer N has come off and follows this share of the gas temperature",
    "gas_wet": "[500]: this many mL of liquid are left in the rack",
    "sdc": "N[=0.3]: tray N computes this share of its rounds wrong",
    "rack_reboot": "[idle]: the trays restart; idle: and have forgotten the workload they were told to run",
}


@dataclass(frozen=True)
class StationFault:
    """A fault with its argument, and when it begins in seconds since the start of the simulation (None: now)."""

    name: str
    argument: str = ""
    at: float | None = None


def fault_names() -> dict[str, str]:
    """Every fault and a line that says what it does and which argument it takes."""
    physical = {name: DESCRIPTIONS[name] for name in FAULTS}
    return {**DEVICE_FAULTS, **physical}


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
