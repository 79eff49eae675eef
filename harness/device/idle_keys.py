"""Keys of a profile that other keys beside them leave nothing to do: `width` without `bit`, `scale` of a text.

Each key for itself does something; together with these it would be read and have no effect, and whoever wrote it would
believe that it had. So it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.schema.profile import (
    Control,
    ModbusControl,
    ModbusSignal,
    Profile,
    ScpiControl,
    ScpiSignal,
    Signal,
    SnmpControl,
    SnmpSignal,
)

Place = tuple[str | int, ...]
Rules = Iterator[tuple[tuple[str, ...], str]]
"""Keys that have no effect here, and why."""

_NUMBER = ("unit", "scale", "offset", "precision", "range")
_FROM_DEVICE = ("digits", "scale_from", "precision_from", "factor_from", "divisor_from", "unit_from")
"""Keys of SNMP by which the device itself says what a number means."""


def idle_keys(profile: Profile) -> list[tuple[Place, str]]:
    """(location, message) of every key that has no effect where it stands."""
    return [
        ((*place, key), f"{key} has no effect here: {why}")
        for place, spec, is_row in _specs(profile)
        for keys, why in (
            _of_signal(spec, is_row=is_row) if isinstance(spec, Signal) else _of_control(spec, is_row=is_row)
        )
        for key in keys
        if key in spec.model_fields_set
    ]


def _specs(profile: Profile) -> Iterator[tuple[Place, Signal | Control, bool]]:
    """Every signal and control, where it stands, and whether it is repeated."""
    for part, found in (("signals", profile.signals), ("controls", profile.controls)):
        yield from (((part, name), spec, False) for name, spec in found.items())
    for group, repeat in profile.repeat.items():
        for part, columns in (("signals", repeat.signals), ("controls", repeat.controls)):
            yield from ((("repeat", group, part, name), spec, True) for name, spec in columns.items())
        if repeat.control is not None:
            yield ("repeat", group, "control"), repeat.control, True


def _of_signal(spec: Signal, *, is_row: bool) -> Rules:
    has_words = bool(spec.enum or spec.flags or getattr(spec, "answers", None))
    if spec.is_text:
        yield (*_NUMBER, "sentinels", "enum", "flags", "counter"), "the signal is a text"
    elif has_words:
        yield (*_NUMBER, "counter"), "the signal shows words"
    if isinstance(spec, ModbusSignal):
        yield from _of_modbus_signal(spec, is_row=is_row, has_words=has_words)
    elif isinstance(spec, ScpiSignal):
        yield from _of_scpi_signal(spec, is_row=is_row)
    elif isinstance(spec, SnmpSignal):
        yield from _of_snmp_signal(spec, has_words=has_words)


def _of_modbus_signal(spec: ModbusSignal, *, is_row: bool, has_words: bool) -> Rules:
    if spec.type not in ("string", "raw"):
        yield ("length",), f"a {spec.type} has its own length"
    if spec.type != "string":
        yield ("swap_string", "characters"), "they belong to type string"
    if spec.bit is None:
        yield ("width",), "it counts from bit, and there is none"
    if not spec.type.startswith("i") or spec.is_text:
        yield ("sign",), f"a {spec.type} has no sign"
    if has_words or spec.is_text:
        yield ("scale_from",), "the signal is no number"
    if not is_row:
        yield ("stride",), "nothing is repeated"


def _of_scpi_signal(spec: ScpiSignal, *, is_row: bool) -> Rules:
    if spec.parse not in ("list", "field"):
        yield ("index", "stride"), "the whole answer is taken (see parse)"
    elif not is_row:
        yield ("stride",), "nothing is repeated"
    if spec.parse != "word":
        yield ("answers",), "they belong to parse: word"
    if spec.parse not in ("number", "list"):
        yield ("suffix",), "it stands behind numbers"


def _of_snmp_signal(spec: SnmpSignal, *, has_words: bool) -> Rules:
    if not spec.is_text:
        yield ("between",), "it is a part of a text"
    if spec.is_text or has_words:
        yield _FROM_DEVICE, "the signal is no number"
    if spec.sum_of:
        yield (*_FROM_DEVICE, "type", "first_row", "fallbacks", "lookup"), "a sum has all that from its column"
    if spec.lookup is not None:
        yield ("fallbacks",), "what is looked up is found or not there"


def _of_control(spec: Control, *, is_row: bool) -> Rules:
    if spec.takes:
        yield (*_NUMBER, "step"), "the control takes words"
    else:
        yield ("sim_words",), "the control takes a quantity"
    if isinstance(spec, ModbusControl) and not is_row:
        yield ("stride",), "nothing is repeated"
    if isinstance(spec, ScpiControl) and spec.texts:
        yield ("commands",), "its words are those of texts"
    if isinstance(spec, SnmpControl):
        yield from _of_snmp_control(spec)


def _of_snmp_control(spec: SnmpControl) -> Rules:
    if spec.at_signal:
        yield ("digits",), "at_signal knows the scale of the signal"
    if not spec.oid and not spec.at_signal:
        yield ("commands", "type", "digits"), "each word has an object of its own (see command_oids)"
