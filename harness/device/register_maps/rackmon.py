"""Import of rackmon register maps (facebook/openbmc, common/recipes-core/rackmon2) as profiles.

A map says where things are, not what proves the device's identity or how it is commanded; `import_rackmon` keeps all
that a profile can express and names the rest. Values come out as rackmon computes them:
shift + scale * raw / 2**precision for FLOAT (always big-endian), plain integers for INTEGER and LONG (endian L turns
all bytes round), bits counted from the least significant of the big-endian whole for FLAGS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.device.register_maps.name_units import notes_on
from harness.device.register_maps.writing import flags_of, flow, identifier, needed, unique
from harness.errors import ConfigError

UNITS = {
    "Amperes": "A", "AmpereHours": "Ah", "DegreesC": "degC", "Percent": "%", "Volts": "V", "Hertz": "Hz",
    "Joules": "J", "LPM": "L/min", "Meters": "m", "PercentRH": "%RH", "Pascals": "Pa", "RPMS": "RPM", "Watts": "W",
}  # fmt: skip
"""rackmon's unit -> ours."""
_PARITY = {"EVEN": "E", "ODD": "O", "NONE": "N"}
_FAST_S = 5
_TOP = frozenset(
    {"name", "address_range", "probe_register", "baudrate", "default_baudrate", "preferred_baudrate", "baud_config"}
    | {"parity", "max_span_length", "special_handlers", "time_sync", "registers"}
)
_REGISTER = frozenset(
    {"begin", "length", "name", "format", "endian", "sign", "precision", "scale", "shift", "flags", "keep"}
    | {"changes_only", "interval", "unit"}
)
_CHUNK = 2
"""Words of one signal when a row of flags is too long for one number."""


def import_rackmon(data: Any, class_: str = "shelf") -> tuple[str, list[str]]:
    """Turn a register map (the parsed JSON) into the text of a profile, and notes on what it cannot express.

    ConfigError when the data is no register map.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("registers"), Sequence) or not data["registers"]:
        raise ConfigError("not a rackmon register map", hint='it must be an object with "name" and "registers"')
    return _Import(data, class_).text()


class _Import:
    """One map on its way."""

    def __init__(self, data: Mapping[str, Any], class_: str) -> None:
        self.data = data
        self.class_ = class_
        self.notes: list[str] = []
        self.signals: dict[str, dict[str, Any]] = {}
        self._by_address: dict[int, str] = {}
        self._intervals: dict[int, int] = {}
        self._unitless: list[str] = []

    def text(self) -> tuple[str, list[str]]:
        name = str(needed(self.data, "name", str, "the map"))
        options = self._options()
        for register in self.data["registers"]:
            self._register(register)
        self._probe()
        self._say_leftovers()
        lines = [
            "# Imported from a rackmon register map. Read the notes of the import, then say how the device is known",
            "# (identity), which ranges are possible, and what may be written (controls): a map does not tell.",
            "schema: 1",
            f"profile: {self.class_}/{identifier(name)}",
            f"title: {json.dumps(name)}",
            f"class: {self.class_}",
            "protocol: modbus",
            f"source: {json.dumps(f'rackmon register map {name}')}",
            "unverified: imported from a register map; not yet tried on a unit",
            f"modbus: {flow(options)}",
            *self._identity(),
            "",
            "signals:",
            *(f"  {key}: {flow(spec)}" for key, spec in self.signals.items()),
        ]
        return "\n".join(lines) + "\n", self.notes

    # --- the device

    def _options(self) -> dict[str, Any]:
        data = self.data
        options: dict[str, Any] = {"max_gap": 0}
        ranges = data.get("address_range") or []
        if ranges:
            options["unit"] = int(ranges[0][0])
            shown = ", ".join(f"{low}-{high}" if low != high else f"{low}" for low, high in ranges)
            self.notes.append(
                f"address_range: units {shown}; the profile has {options['unit']}, stations name their own"
            )
        baud = data.get("baudrate", data.get("default_baudrate"))
        if baud is not None:
            options["baud"] = int(baud)
        for key in ("preferred_baudrate", "baud_config"):
            if key in data:
                self.notes.append(f"{key}: the baud rate is not switched; set the line to what the device is set to")
        if "parity" in data or baud is not None:
            parity = _PARITY.get(data.get("parity", "EVEN"))
            if parity is None:
                raise ConfigError(f"parity {data['parity']!r} is not EVEN, ODD or NONE")
            options["parity"] = parity
        options["max_span"] = int(data.get("max_span_length", 120))
        if sync := data.get("time_sync"):
            self._clock(options, sync.get("address", sync.get("reg")), sync.get("interval", sync.get("period")))
        for handler in data.get("special_handlers", ()):
            self._handler(options, handler)
        for key in data:
            if key not in _TOP:
                self.notes.append(f"{key}: unknown key of the map, left out")
        return options

    def _clock(self, options: dict[str, Any], address: Any, every: Any) -> None:
        options["clock"] = {"address": int(address)}
        if every is not None and int(every) > 0:
            options["clock"]["every"] = f"{int(every)} s"
        else:
            self.notes.append(f"time_sync: no interval given; the clock at {address} is set once an hour")

    def _handler(self, options: dict[str, Any], handler: Mapping[str, Any]) -> None:
        reg, length, period = int(handler["reg"]), int(handler.get("len", 1)), int(handler.get("period", -1))
        info = handler.get("info", {})
        where = f"special_handlers: the write to {reg}"
        shell, value = str(info.get("shell", "")).split(), info.get("value")
        if shell == ["date", "+%s"] and length == 2 and "clock" not in options:
            self._clock(options, reg, period)
        elif shell:
            self.notes.append(
                f"{where} takes the output of a command ({' '.join(shell)}); commands are never taken over"
            )
        elif period > 0 and length == 1 and str(value).isdigit() and "watchdog" not in options:
            options["watchdog"] = {"address": reg, "value": int(str(value)), "every": f"{period} s"}
        else:
            how = f"every {period} s" if period > 0 else "once"
            self.notes.append(f"{where} ({value!r}, {length} words, {how}) cannot be expressed; make it a control")

    def _identity(self) -> list[str]:
        found = {}
        for field in ("model", "serial", "firmware"):
            words = {"firmware": ("fw_rev", "firmware")}.get(field, (field,))
            texts = [key for key, spec in self.signals.items() if spec["type"] == "string"]
            if match := next((key for key in texts if any(word in key for word in words)), ""):
                found[field] = match
        self.notes.append("identity: a map knows devices by address only; add identity.match with the model's text")
        return [f"identity: {flow(found)}"] if found else []

    def _probe(self) -> None:
        probe = self.data.get("probe_register")
        if probe is None:
            return
        if int(probe) not in self._by_address:
            self._add(
                "probe", {"address": int(probe), "poll": "slow", "description": "Register that is always readable."}
            )

    # --- the registers

    def _register(self, register: Any) -> None:
        if not isinstance(register, Mapping):
            raise ConfigError(f"a register is an object, not {register!r}")
        name = str(needed(register, "name", str, "a register"))
        begin = int(needed(register, "begin", int, name))
        length = int(needed(register, "length", int, name))
        kind = register.get("format", "RAW")
        where = f"{name} at {begin}"
        if begin in self._by_address:
            self.notes.append(f"{where}: the address is {self._by_address[begin]!r} too; both are kept")
        self._remarks(register, where, kind)
        if not 1 <= length <= 125:
            self.notes.append(f"{where}: {length} words are not one read; left out")
            return
        spec: dict[str, Any] = {"address": begin}
        if kind in ("INTEGER", "LONG", "FLOAT") and length > 4:
            self.notes.append(f"{where}: {kind} of {length} words has no number type; it is kept as raw bytes")
            kind = "RAW"
        if kind == "FLAGS" and length > 3:
            self._long_flags(name, begin, length, register, where)
            return
        if kind == "RAW":
            spec |= {"type": "raw", "length": length}
        elif kind == "STRING":
            spec |= {"type": "string", "length": length, "poll": "once"}
        elif kind in ("INTEGER", "LONG", "FLOAT"):
            spec |= self._number(register, length, kind)
        elif kind == "FLAGS":
            spec |= {"type": f"u{16 * length}", "flags": self._flags(register, where)}
        else:
            raise ConfigError(f"{where}: format {kind!r} is not RAW, STRING, INTEGER, LONG, FLOAT or FLAGS")
        self._finish(spec, register, where)
        self._add(name, spec)

    def _number(self, register: Mapping[str, Any], length: int, kind: str) -> dict[str, Any]:
        spec: dict[str, Any] = {"type": f"{'i' if register.get('sign') else 'u'}{16 * length}"}
        if kind == "FLOAT":
            spec |= {"precision": int(needed(register, "precision", int, str(register["name"])))}
            spec |= {"scale": float(register.get("scale", 1.0)), "offset": float(register.get("shift", 0.0))}
        elif register.get("endian") == "L":
            spec["order"] = "DCBA"
        return spec

    def _finish(self, spec: dict[str, Any], register: Mapping[str, Any], where: str) -> None:
        if register.get("unit") is None and spec["type"] not in ("raw", "string") and "flags" not in spec:
            self._unitless.append(str(register["name"]).strip())
        if (word := register.get("unit")) is not None:
            if word in UNITS and spec["type"] not in ("raw", "string"):
                spec["unit"] = UNITS[word]
            else:
                self.notes.append(f"{where}: the unit {word!r} is not one of ours; the signal has none")
        interval = register.get("interval")
        if interval is not None:
            self._intervals[int(interval)] = self._intervals.get(int(interval), 0) + 1
            spec["poll"] = "fast" if int(interval) <= _FAST_S else "slow"
        spec["description"] = str(register["name"]).strip()

    def _flags(self, register: Mapping[str, Any], where: str) -> dict[str, int]:
        pairs = [(int(bit), str(word)) for bit, word in register.get("flags") or ()]
        if not pairs:
            raise ConfigError(f"{where}: format FLAGS needs flags [[bit, name], ...]")
        flags, notes = flags_of(pairs, where)
        self.notes += notes
        return flags

    def _long_flags(self, name: str, begin: int, length: int, register: Mapping[str, Any], where: str) -> None:
        """Flags over more than three words: a signal for every two words, counted from the least significant."""
        flags = self._flags(register, where)
        for low in range(0, 16 * length, 16 * _CHUNK):
            words = min(_CHUNK, length - low // 16)
            chosen = {key: bit - low for key, bit in flags.items() if low <= bit < low + 16 * words}
            if not chosen:
                continue
            spec: dict[str, Any] = {"address": begin + length - low // 16 - words, "type": f"u{16 * words}"}
            self._finish(spec | {"flags": chosen}, register, where)
            self._add(f"{name}_bits_{low}", spec | {"flags": chosen})
        self.notes.append(f"{where}: {length} words of flags became one signal for every {_CHUNK} words")

    def _remarks(self, register: Mapping[str, Any], where: str, kind: str) -> None:
        for key in register:
            if key not in _REGISTER:
                self.notes.append(f"{where}: unknown key {key!r}, left out")
        if register.get("endian") == "L" and kind not in ("INTEGER", "LONG"):
            self.notes.append(f"{where}: endian L of a {kind} is ignored, as rackmon does")
        if kind != "FLOAT" and any(key in register for key in ("scale", "shift", "precision")):
            self.notes.append(f"{where}: scale, shift and precision of a {kind} are ignored, as rackmon does")
        if register.get("unit") == "Pascals":
            self.notes.append(f"{where}: Pascals are taken at their word; maps have been seen that mean kPa")

    def _say_leftovers(self) -> None:
        registers = self.data["registers"]
        self.notes += notes_on(self._unitless)
        for key, what in (
            ("keep", "the journal keeps every reading, so the depth of a history is not needed"),
            ("changes_only", "every reading is kept"),
        ):
            count = sum(1 for register in registers if key in register)
            if count:
                self.notes.append(f"{key} (of {count} registers): {what}")
        if self._intervals:
            shown = ", ".join(f"{seconds} s" for seconds in sorted(self._intervals))
            self.notes.append(f"interval ({shown}): up to {_FAST_S} s became poll: fast, more poll: slow")

    def _add(self, name: str, spec: dict[str, Any]) -> None:
        key = unique(identifier(name), self.signals)
        if key != identifier(name):
            self.notes.append(f"{name} at {spec['address']}: the name is taken, it is called {key}")
        self.signals[key] = {"type": "u16", **spec} if "type" not in spec else spec
        self._by_address.setdefault(int(spec["address"]), key)
