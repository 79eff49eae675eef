"""The names that plans use: signals and controls that every device of a class has under the same name.

A plan that says `pdu.power` or `cdu.flow_setpoint` runs on any device of the class. A profile that lacks one of these
is usable, but not everywhere; those that ship have all of them (over Redfish, which is only read: all signals).
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.schema.profile import Profile

SIGNALS: Mapping[str, tuple[str, ...]] = {
    "pdu": ("power",),
    "cdu": (
        *("flow", "supply_temperature", "return_temperature", "supply_pressure", "return_pressure", "leak"),
        *("pump", "mode", "flow_setpoint", "pump_speed", "level"),
    ),
    "load": ("voltage", "current", "power", "current_setpoint", "input"),
    "meter": ("power", "phase.voltage", "phase.current", "phase.power"),
    "hipot": ("test", "result"),
    "chamber": ("temperature", "temperature_setpoint", "run"),
    "environment": ("temperature", "humidity"),
    "valve": ("position",),
    "switch": ("port.state",),
    "tray": ("power", "power_state", "leak"),
    "gas": ("pressure", "temperature_1", "temperature_2", "fill", "isolation", "vent"),
}
CONTROLS: Mapping[str, tuple[str, ...]] = {
    "cdu": ("pump", "mode", "flow_setpoint", "pump_speed"),
    "load": ("current", "input"),
    "hipot": ("start", "stop"),
    "chamber": ("temperature_setpoint", "run"),
    "gas": ("pressure_setpoint", "fill", "isolation", "vent"),
}


def missing_names(profile: Profile) -> tuple[list[str], list[str]]:
    """The signals and the controls of its class that a profile lacks; one that is only read lacks no controls."""
    have = {*profile.signals}
    for group, repeat in profile.repeat.items():
        have |= {f"{group}.{column}" for column in repeat.signals}
    signals = [name for name in SIGNALS.get(profile.class_, ()) if name not in have]
    needed = () if profile.is_read_only else CONTROLS.get(profile.class_, ())
    controls = [name for name in needed if name not in profile.controls]
    return signals, controls
