"""What a public register map says of a device, in one form for both kinds of map.

rackmon: value = shift + scale * raw / 2**precision for FLOAT, raw for INTEGER; bits count from the least significant.
phosphor-modbus: the same for FixedPoint and Float32, raw for Integer; the unit follows from the type of the sensor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.maps import FOLDER

UNITS = {
    "Temperature": "degC", "Voltage": "V", "Current": "A", "Power": "W", "Pressure": "Pa", "FanTach": "RPM",
    "LiquidFlow": "L/min", "Energy": "J", "Charge": "Ah", "Utilization": "%", "Valve": "%", "Humidity": "%RH",
    "Frequency": "Hz", "Altitude": "m", "RotationalPosition": "rad",
    "ValveClosedDuration": "s", "ValveOpenDuration": "s",
}  # fmt: skip
"""Type of a phosphor-modbus sensor: its unit."""
SUFFIXES = {"C": "degC", "kPa": "kPa", "LPM": "L/min", "W": "W", "V": "V", "A": "A", "Pct": "%", "RPM": "RPM"}
"""Last word of a rackmon name: the unit that it speaks of."""
PARITY = {"EVEN": "E", "ODD": "O", "NONE": "N"}


@dataclass(frozen=True, slots=True)
class Register:
    """One entry of a map, a holding register; value = offset + factor * raw, in `unit`.

    `kind`: text, number, float, flags or raw.
    """

    name: str
    address: int
    words: int
    kind: str
    factor: float = 1.0
    offset: float = 0.0
    is_signed: bool = False
    is_big: bool = True
    unit: str = ""
    bits: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Map:
    """A whole map. `units` are the addresses that such devices have on the bus, where it says so."""

    name: str
    registers: tuple[Register, ...]
    baud: int
    parity: str
    clock: int | None
    units: tuple[tuple[int, int], ...] = ()
    probe: tuple[int, str | int] | None = None
    """Register by which a device of this model is known, and what it reads."""

    def at(self, address: int) -> Register | None:
        """The entry that begins at an address, or else holds it; of several that begin there the first."""
        holding = [r for r in self.registers if r.address <= address < r.address + r.words]
        return next((r for r in holding if r.address == address), holding[0] if holding else None)


def is_here(name: str) -> bool:
    """Whether the map of this name is on this machine."""
    return (FOLDER / f"{name}.json").is_file()


def read_map(name: str) -> Map:
    """A map by its name below the folder, `rackmon/orv3_rpu`."""
    data = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return _rackmon(name, data) if name.startswith("rackmon/") else _phosphor(name, data)


def _rackmon(name: str, data: Mapping[str, Any]) -> Map:
    clocks = [each["reg"] for each in data.get("special_handlers", ()) if each["info"].get("shell") == "date +%s"]
    return Map(
        name,
        tuple(map(_rackmon_register, data["registers"])),
        data["baudrate"],
        PARITY[data.get("parity", "EVEN")],
        clocks[0] if clocks else None,
        tuple((low, high) for low, high in data["address_range"]),
    )


def _rackmon_register(entry: Mapping[str, Any]) -> Register:
    kind = {"STRING": "text", "FLAGS": "flags", "INTEGER": "number", "FLOAT": "number", "RAW": "raw"}[entry["format"]]
    is_float = entry["format"] == "FLOAT"
    return Register(
        entry["name"],
        entry["begin"],
        entry["length"],
        kind,
        entry.get("scale", 1.0) / 2 ** entry.get("precision", 0) if is_float else 1.0,
        entry.get("shift", 0.0) if is_float else 0.0,
        entry.get("sign", False),
        entry.get("endian", "B") == "B",
        SUFFIXES.get(entry["name"].rpartition("_")[2], ""),
        dict(entry.get("flags", ())),
    )


def _phosphor(name: str, data: Mapping[str, Any]) -> Map:
    clocks = [int(each["Offset"], 16) for each in data.get("ConfigRegisters", ()) if each["Type"] == "UnixTime"]
    probe = data["ProbeRegister"]
    return Map(
        name,
        tuple(_phosphor_registers(data)),
        data["BaudRate"],
        data["Parity"][0],
        clocks[0] if clocks else None,
        probe=(int(probe["Offset"], 16), probe["ExpectedValue"]),
    )


def _phosphor_registers(data: Mapping[str, Any]) -> Iterator[Register]:
    for each in (*data.get("InventoryRegisters", ()), *data.get("FirmwareRegisters", ())):
        kind = "number" if each.get("Format") == "Integer" else "text"
        yield Register(each.get("Name", each["Type"]), int(each["Offset"], 16), each["Size"], kind)
    for each in data.get("ConfigRegisters", ()):
        yield Register(each.get("Name", each["Type"]), int(each["Offset"], 16), each.get("Size", 1), "number")
    for each in (*data.get("SensorRegisters", ()), *data.get("MetricRegisters", ())):
        is_whole = each["Format"] == "Integer"
        yield Register(
            each["Name"],
            int(each["Offset"], 16),
            each["Size"],
            "float" if each["Format"] == "Float32" else "number",
            1.0 if is_whole else each.get("Scale", 1.0) / 2 ** each.get("Precision", 0),
            0.0 if is_whole else each.get("Shift", 0.0),
            each.get("IsSigned", False),
            unit=UNITS[each["Type"]],
        )
    for each in data.get("StatusRegisters", ()):
        bits = {bit["BitPosition"]: bit["Name"] for bit in each["Bits"]}
        yield Register(each.get("Name", "status"), int(each["Offset"], 16), 1, "flags", bits=bits)
