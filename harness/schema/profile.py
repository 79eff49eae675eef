"""The device profile: what a vendor's table says about one device model, as data.

A profile names its source, says how to prove the identity of the device, and lists signals (readable, with unit) and
controls (writable, with range and confirmation). `repeat` expands outlets, phases, pumps and ports: the same fact is
never typed twice. There is no code, shell or regular expression in a profile.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.schema.identity import Identity, Match, Shown
from harness.schema.profile_base import (
    SCHEMA,
    Confirm,
    Control,
    Health,
    Judge,
    Poll,
    ProfileBase,
    Signal,
    SimBinding,
    SimFlag,
    UnitName,
    Verified,
    Words,
)
from harness.schema.profile_modbus import (
    MODBUS_TEXTS,
    MODBUS_WORDS,
    ModbusClock,
    ModbusControl,
    ModbusOptions,
    ModbusProfile,
    ModbusRepeat,
    ModbusSignal,
    ModbusType,
    ModbusWatchdog,
    ModbusWrite,
    Order,
)
from harness.schema.profile_redfish import (
    RedfishFind,
    RedfishOptions,
    RedfishProfile,
    RedfishRepeat,
    RedfishSignal,
    RedfishWhere,
)
from harness.schema.profile_scpi import (
    ScpiControl,
    ScpiOptions,
    ScpiProfile,
    ScpiRepeat,
    ScpiSignal,
)
from harness.schema.profile_snmp import (
    SnmpBind,
    SnmpCommand,
    SnmpControl,
    SnmpFallback,
    SnmpLookup,
    SnmpOptions,
    SnmpProfile,
    SnmpRepeat,
    SnmpSignal,
    SnmpUnits,
    SnmpWhere,
)

__all__ = [
    "MODBUS_TEXTS",
    "MODBUS_WORDS",
    "PROFILES",
    "SCHEMA",
    "Confirm",
    "Control",
    "Health",
    "Identity",
    "Judge",
    "Match",
    "ModbusClock",
    "ModbusControl",
    "ModbusOptions",
    "ModbusProfile",
    "ModbusRepeat",
    "ModbusSignal",
    "ModbusType",
    "ModbusWatchdog",
    "ModbusWrite",
    "Order",
    "Poll",
    "Profile",
    "ProfileBase",
    "RedfishFind",
    "RedfishOptions",
    "RedfishProfile",
    "RedfishRepeat",
    "RedfishSignal",
    "RedfishWhere",
    "ScpiControl",
    "ScpiOptions",
    "ScpiProfile",
    "ScpiRepeat",
    "ScpiSignal",
    "Shown",
    "Signal",
    "SimBinding",
    "SimFlag",
    "SnmpBind",
    "SnmpCommand",
    "SnmpControl",
    "SnmpFallback",
    "SnmpLookup",
    "SnmpOptions",
    "SnmpProfile",
    "SnmpRepeat",
    "SnmpSignal",
    "SnmpUnits",
    "SnmpWhere",
    "UnitName",
    "Verified",
    "Words",
]

Profile = ModbusProfile | SnmpProfile | ScpiProfile | RedfishProfile
PROFILES: Mapping[str, type[ModbusProfile | SnmpProfile | ScpiProfile | RedfishProfile]] = {
    "modbus": ModbusProfile,
    "snmp": SnmpProfile,
    "scpi": ScpiProfile,
    "redfish": RedfishProfile,
}
