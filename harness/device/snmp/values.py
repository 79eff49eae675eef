"""What the agent answered for an object as a raw number or text, and whether it is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.device.snmp.channel import cut, decimal
from harness.device.texts import printable
from harness.quantity import Quality
from harness.schema.profiles.snmp import SnmpSignal
from harness.transport.snmp import Kind, VarBind

WHOLE_NUMBERS = (Kind.INTEGER, Kind.COUNTER32, Kind.GAUGE32, Kind.TIMETICKS, Kind.COUNTER64)


@dataclass(frozen=True, slots=True)
class Part:
    """One summand of a sum: value = offset + gain * raw, none of `sentinels`."""

    gain: float
    offset: float
    sentinels: tuple[float, ...]


def quality_of(answer: VarBind) -> Quality:
    """GOOD when the agent gave a value, else why there is none."""
    if answer.kind is Kind.UNDECODABLE:
        return Quality.BAD_DECODE
    if answer.kind is Kind.REFUSED:
        return Quality.BAD_REFUSED
    return Quality.BAD_MISSING if answer.is_missing or answer.kind is Kind.NULL else Quality.GOOD


def number(answer: VarBind, kind: str, unit: str = "", scale: float = 1.0, offset: float = 0.0) -> float:
    """A raw number, `offset + scale * raw` in `unit`; NaN when the value is none. `kind` as in the profile."""
    value = answer.value
    if kind == "decimal_text" and isinstance(value, bytes):
        return decimal(value, unit, scale, offset)
    if isinstance(value, int | float) and (answer.kind in WHOLE_NUMBERS or answer.kind is Kind.OPAQUE):
        return float(value)
    return math.nan


def total(parts: Sequence[Part], answers: Sequence[VarBind]) -> tuple[float, Quality]:
    """The sum of parts, each scaled as its own row says; a part that is no measurement makes the sum none."""
    found = 0.0
    for part, answer in zip(parts, answers, strict=True):
        if quality := quality_of(answer):
            return math.nan, quality
        if not isinstance(answer.value, int | float):
            return math.nan, Quality.BAD_DECODE
        if answer.value in part.sentinels:
            return math.nan, Quality.BAD_SENTINEL
        found += part.offset + part.gain * answer.value
    return found, Quality.GOOD


def decibels(factor: float, raw: float, sentinels: Sequence[float]) -> tuple[float, Quality]:
    """A power, factor * raw in W, as dBm. No light at all has no level in dBm."""
    if raw in sentinels:
        return math.nan, Quality.BAD_SENTINEL
    watts = factor * raw
    return (10.0 * math.log10(1000.0 * watts), Quality.GOOD) if watts > 0.0 else (math.nan, Quality.BAD_RANGE)


def text(answers: Sequence[VarBind], spec: SnmpSignal) -> tuple[str, Quality]:
    """A text and those that are appended to it; a NULL is an empty one."""
    for each in answers:
        if each.problem:
            return "", quality_of(each)
    shown = ":".join(_text(each, spec) for each in answers)
    return shown, Quality.BAD_MISSING if answers[0].is_missing else Quality.GOOD


def _text(answer: VarBind, spec: SnmpSignal) -> str:
    value = answer.value
    if value is None:
        return ""
    if isinstance(value, bytes):
        shown = ":".join(f"{byte:02x}" for byte in value) if spec.type == "octets" else printable(value)
    else:
        shown = printable(str(value).encode())
    return cut(shown, *spec.between) if spec.between else shown


def label_of(answer: VarBind) -> str:
    """An object as text, for comparing and showing."""
    return printable(answer.value) if isinstance(answer.value, bytes) else str(answer.value)
