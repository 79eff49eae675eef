"""Import of device profiles of openbmc/phosphor-modbus (rtu/profiles/*.json, Apache-2.0).

Such a map knows more than where things are: the unit by the type of a sensor, the text or number by which the model is
known, the class of every alarm. Values come out as phosphor-modbus computes them, big-endian: shift + scale * raw /
2**precision for FixedPoint and Float32, the plain number for Integer. Each alarm word becomes flags, and one state for
every class of its alarms (`status_leak_detected_critical`: dry or wet), so that a plan can watch a class.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.device.register_maps.writing import flags_of, flow, identifier, needed, unique
from harness.errors import ConfigError

UNITS = {
    "FanTach": "RPM", "LiquidFlow": "L/min", "Power": "W", "Pressure": "Pa", "Temperature": "degC", "Voltage": "V",
    "Current": "A", "Altitude": "m", "Energy": "J", "Frequency": "Hz", "Humidity": "%RH", "Utilization": "%",
    "Valve": "%", "Charge": "Ah", "RotationalPosition": "rad", "ValveClosedDuration": "s", "ValveOpenDuration": "s",
}  # fmt: skip
"""Type of a sensor or metric: the unit of its value."""
CONVERTED = {"Airflow": ("L/s", 0.4719474432, "CFM")}
"""Type of a sensor in a unit that is not one of ours: ours, what it is multiplied with, the map's."""
CLASSES = {
    "BatteryBackupUnit": "shelf", "CapacitorBankUnit": "shelf", "PowerMonitorModule": "shelf", "PowerShelf": "shelf",
    "PowerSupplyUnit": "shelf", "ReservoirPumpUnit": "cdu", "HeatExchanger": "cooling", "FlowMeter": "cooling",
    "Valve": "valve",
}  # fmt: skip
"""Type of a device: its class here."""
STATES = {
    "LeakDetectedCritical": ("dry", "wet"),
    "LeakDetectedWarning": ("dry", "wet"),
    "SensorReadingCritical": ("ok", "critical"),
    "SensorReadingWarning": ("ok", "warning"),
    "PowerFault": ("ok", "fault"),
}
"""Class of an alarm: what it is called when it is not there, and when it is; others are ok and failed."""
_PARITY = {"None": "N", "Even": "E", "Odd": "O"}
_INVENTORY = {"PartNumber": "part_number", "SparePartNumber": "spare_part_number", "SerialNumber": "serial"}
_LISTS = ("InventoryRegisters", "FirmwareRegisters", "SensorRegisters", "MetricRegisters", "StatusRegisters")
_MOST_WORDS = 4
"""Registers of a number at most, as there."""


def import_phosphor(data: Any, class_: str = "") -> tuple[str, list[str]]:
    """Turn a device profile (the parsed JSON) into the text of one of ours, and notes on what it cannot express.

    `class_` is the class of device; '' takes the one that the map's type of device belongs to. ConfigError when the
    data is no such profile.
    """
    if not isinstance(data, Mapping) or "DeviceModel" not in data or "ProbeRegister" not in data:
        raise ConfigError(
            "not a phosphor-modbus profile", hint='it must be an object with "DeviceModel" and "ProbeRegister"'
        )
    return _Import(data, class_).text()


class _Import:
    """One map on its way."""

    def __init__(self, data: Mapping[str, Any], class_: str) -> None:
        self.data = data
        self.notes: list[str] = []
        self.signals: dict[str, dict[str, Any]] = {}
        self.identity: dict[str, Any] = {}
        self._charges: list[str] = []
        self.model = str(needed(data, "DeviceModel", str, "the map"))
        self.kind = str(data.get("DeviceType", ""))
        self.class_ = class_ or CLASSES.get(self.kind, "")
        if not self.class_:
            raise ConfigError(f"DeviceType {self.kind!r} is none that is known", hint="name the class with --class")

    def text(self) -> tuple[str, list[str]]:
        """The profile and the notes."""
        options = self._options()
        for each in self._list("InventoryRegisters"):
            self._inventory(each)
        for each in self._list("FirmwareRegisters"):
            self._firmware(each)
        for each in (*self._list("SensorRegisters"), *self._list("MetricRegisters")):
            self._sensor(each)
        for each in self._list("StatusRegisters"):
            self._status(each)
        self._probe()
        if self._charges:
            shown = f"{self._charges[0]} and {len(self._charges) - 1} more" if self._charges[1:] else self._charges[0]
            self.notes.append(f"{shown}: whole Ah, as the type says; batteries that count in mAh are more usual")
        vendor, rest = _vendor(self.model)
        lines = [
            "# Imported from a phosphor-modbus profile. Read the notes of the import, then say which ranges are",
            "# possible and what may be written (controls): a map does not tell.",
            "schema: 1",
            f"profile: {self.class_}/{identifier(f'{vendor}_{rest}')}",
            f"title: {json.dumps(f'{vendor} {rest} {_spaced(self.kind).lower()}'.strip())}",
            f"class: {self.class_}",
            "protocol: modbus",
            f"source: {json.dumps(f'openbmc/phosphor-modbus rtu/profiles/{self.model}{self.kind}.json (Apache-2.0)')}",
            "unverified: imported from a register map; not yet tried on a unit",
            f"modbus: {flow(options)}",
            f"identity: {flow(self.identity)}",
            "",
            "signals:",
            *(f"  {key}: {flow(spec)}" for key, spec in self.signals.items()),
        ]
        return "\n".join(lines) + "\n", self.notes

    def _list(self, key: str) -> Sequence[Mapping[str, Any]]:
        found = self.data.get(key, [])
        if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
            raise ConfigError(f"{key} must be a list of objects")
        return found

    # --- the device

    def _options(self) -> dict[str, Any]:
        data = self.data
        parity = _PARITY.get(str(data.get("Parity")))
        if parity is None:
            raise ConfigError(f"Parity {data.get('Parity')!r} is not None, Even or Odd")
        options: dict[str, Any] = {"max_gap": 0, "baud": needed(data, "BaudRate", int, "the map"), "parity": parity}
        for each in self._list("ConfigRegisters"):
            self._config(options, each)
        known = {"DeviceType", "DeviceModel", "Parity", "BaudRate", "ProbeRegister", "ConfigRegisters", *_LISTS}
        self.notes += [f"{key}: unknown key of the map, left out" for key in data if key not in known]
        self.notes.append("the map does not say which unit the device is; the profile has 1, stations name their own")
        return options

    def _config(self, options: dict[str, Any], entry: Mapping[str, Any]) -> None:
        """What is written to the device: the clock is kept, everything else is only named."""
        kind, address = str(entry.get("Type")), _offset(entry, "ConfigRegisters")
        if kind == "UnixTime" and entry.get("Size", 2) == 2 and "clock" not in options:
            options["clock"] = {"address": address, "every": f"{int(entry.get('Period') or 3600)} s"}
            return
        name = entry.get("Name", kind)
        what = f"{name} at {address} is written there ({kind}, {entry.get('Default', 'no value given')})"
        self.notes.append(f"ConfigRegisters: {what}; here nothing is, make it a control")

    def _probe(self) -> None:
        """By what the model is known: the rule of the identity."""
        entry = needed(self.data, "ProbeRegister", dict, "the map")
        address, words = _offset(entry, "ProbeRegister"), _size(entry, "ProbeRegister")
        expected = entry.get("ExpectedValue")
        if isinstance(expected, bool) or not isinstance(expected, str | int) or expected == "":
            raise ConfigError(f"ProbeRegister: ExpectedValue must be a text or a whole number, not {expected!r}")
        kind = "string" if isinstance(expected, str) else f"u{16 * words}"
        same = _plain(address, words, kind)
        key = next((key for key, spec in self.signals.items() if same.items() <= spec.items()), "")
        key = key or self._add("probe", same | {"description": "By what the model is known."})
        self.identity = {"match": [{"signal": key, "equals": expected}], **self.identity}

    # --- the registers

    def _inventory(self, entry: Mapping[str, Any]) -> None:
        kind = needed(entry, "Type", str, "InventoryRegisters")
        where = f"InventoryRegisters: {kind}"
        is_text = entry.get("Format", "String") == "String"
        spec = _plain(_offset(entry, where), _size(entry, where), "string" if is_text else "")
        key = self._add(_INVENTORY.get(kind, _spaced(kind)), spec | {"description": _spaced(kind).capitalize()})
        if is_text and kind in ("Model", "SerialNumber"):
            self.identity.setdefault("serial" if kind == "SerialNumber" else "model", key)

    def _firmware(self, entry: Mapping[str, Any]) -> None:
        name = needed(entry, "Name", str, "FirmwareRegisters")
        where = f"FirmwareRegisters: {name}"
        if entry.get("Type") != "Version":
            self.notes.append(f"{where} ({entry.get('Type')}) is written to change firmware; it is left out")
            return
        is_text = entry.get("Format", "String") == "String"
        spec = _plain(_offset(entry, where), _size(entry, where), "string" if is_text else "")
        key = self._add(name, spec | {"description": name})
        if is_text:
            self.identity.setdefault("firmware", key)

    def _sensor(self, entry: Mapping[str, Any]) -> None:
        name = needed(entry, "Name", str, "SensorRegisters")
        where = f"SensorRegisters: {name}"
        words, kind, form = _size(entry, where), str(entry.get("Type")), entry.get("Format")
        is_signed = bool(entry.get("IsSigned", False))
        if words > _MOST_WORDS:
            self.notes.append(f"{where}: {words} registers are no number; left out, as there")
            return
        if words == 3 and is_signed:
            self.notes.append(f"{where}: a signed number of three registers is read without a sign, as there")
            is_signed = False
        spec: dict[str, Any] = {"address": _offset(entry, where)}
        spec["type"] = "f32" if form == "Float32" else f"{'i' if is_signed else 'u'}{16 * words}"
        if form not in ("FixedPoint", "FloatingPoint", "Float32", "Integer"):
            raise ConfigError(f"{where}: Format {form!r} is not FixedPoint, Float32 or Integer")
        if form == "Float32" and words != 2:
            raise ConfigError(f"{where}: a Float32 takes 2 registers, not {words}")
        self._scale(spec, entry, where, kind, is_whole=form == "Integer")
        if kind.endswith("Duration"):
            spec["poll"] = "slow"
        self._add(name, spec | {"description": name})

    def _scale(self, spec: dict[str, Any], entry: Mapping[str, Any], where: str, kind: str, *, is_whole: bool) -> None:
        scale, shift = _number(entry, "Scale", 1.0, where), _number(entry, "Shift", 0.0, where)
        precision = int(_number(entry, "Precision", 0, where))
        if is_whole and (scale != 1.0 or shift or precision):
            self.notes.append(f"{where}: scale, shift and precision of an Integer are ignored, as there")
        if is_whole:
            scale, shift, precision = 1.0, 0.0, 0
        if kind in CONVERTED:
            unit, factor, theirs = CONVERTED[kind]
            self.notes.append(f"{where}: {theirs} is not one of our units; the values are multiplied to {unit}")
            scale, shift, spec["unit"] = scale * factor, shift * factor, unit
        elif kind in UNITS:
            spec["unit"] = UNITS[kind]
        else:
            self.notes.append(f"{where}: the type {kind!r} is none that is known; the signal has no unit")
        if kind == "Charge" and scale == 1.0:
            self._charges.append(str(entry["Name"]))
        given = (("precision", precision, 0), ("scale", scale, 1.0), ("offset", shift, 0.0))
        spec |= {key: value for key, value, usual in given if value != usual}

    def _status(self, entry: Mapping[str, Any]) -> None:
        address = _offset(entry, "StatusRegisters")
        name = str(entry.get("Name") or f"status_{address:x}")
        where = f"StatusRegisters: {name} at {address}"
        bits = entry.get("Bits")
        if not isinstance(bits, list) or not bits or not all(isinstance(each, Mapping) for each in bits):
            raise ConfigError(f"{where}: needs Bits, a list of objects")
        flags, notes = flags_of(((_bit(each, where), needed(each, "Name", str, where)) for each in bits), where)
        self.notes += notes
        low = sorted({_bit(each, where) for each in bits if each.get("Value") is False})
        classes: dict[str, list[int]] = {}
        for each in bits:
            classes.setdefault(needed(each, "Type", str, where), []).append(_bit(each, where))
        spec: dict[str, Any] = {"address": address, "type": "u16", "flags": flags}
        if low:
            spec["active_low"] = [word for word, bit in flags.items() if bit in low]
        words = {bit: word for word, bit in flags.items()}
        said = "; ".join(f"{_spaced(kind)}: {', '.join(words[b] for b in each)}" for kind, each in classes.items())
        self._add(name, spec | {"description": said})
        for key, state in self._classes(name, where, address, classes, low):
            self._add(key, state)

    def _classes(
        self, name: str, where: str, address: int, classes: Mapping[str, list[int]], low: Sequence[int]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """A state for every class of the alarms of a word."""
        for kind, bits in classes.items():
            if left := [bit for bit in bits if bit in low]:
                self.notes.append(f"{where}: bits {left} of {kind} mean an alarm when 0; only the flags show them")
            mask = sum(1 << bit for bit in set(bits) - set(low))
            if mask:
                absent, there = STATES.get(kind, ("ok", "failed"))
                spec = {"address": address, "type": "u16", "mask": mask, "enum": {absent: 0, there: 1}}
                yield f"{name}_{_spaced(kind)}", spec | {"description": f"Any alarm of the class {_spaced(kind)}."}

    def _add(self, name: str, spec: dict[str, Any]) -> str:
        key = unique(identifier(name), self.signals)
        if key != identifier(name):
            self.notes.append(f"{name} at {spec['address']}: the name is taken, it is called {key}")
        self.signals[key] = spec
        return key


def _plain(address: int, words: int, kind: str) -> dict[str, Any]:
    """A text or a whole number that is read once. `kind` '': a number of so many registers."""
    length = {"length": words} if kind == "string" else {}
    return {"address": address, "type": kind or f"u{16 * words}", **length, "poll": "once"}


def _vendor(model: str) -> tuple[str, str]:
    """`DeltaECD17020037` -> Delta, ECD17020037."""
    found = re.fullmatch(r"([A-Z][a-z]+)(.+)", model)
    return (found[1], found[2]) if found else ("", model)


def _spaced(name: str) -> str:
    """`SensorReadingCritical` -> sensor_reading_critical, with spaces instead."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).lower()


def _offset(entry: Mapping[str, Any], where: str) -> int:
    """An address, written as a hexadecimal text or as a number; ConfigError when it is none."""
    given = entry.get("Offset")
    try:
        address = int(given, 16) if isinstance(given, str) else given
    except ValueError:
        address = None
    if isinstance(address, bool) or not isinstance(address, int) or not 0 <= address <= 0xFFFF:
        raise ConfigError(f"{where}: Offset must be an address like '0x9202', not {given!r}")
    return address


def _size(entry: Mapping[str, Any], where: str) -> int:
    words = int(needed(entry, "Size", int, where))
    if not 1 <= words <= 125:
        raise ConfigError(f"{where}: Size {words} is not one read of 1 to 125 registers")
    return words


def _number(entry: Mapping[str, Any], key: str, usual: float, where: str) -> float:
    value = entry.get(key, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{where}: {key} must be a number, not {value!r}")
    return float(value)


def _bit(entry: Mapping[str, Any], where: str) -> int:
    bit = int(needed(entry, "BitPosition", int, where))
    if not 0 <= bit <= 15:
        raise ConfigError(f"{where}: BitPosition {bit} is not 0 to 15")
    return bit
