"""First contact with a device: read every signal of a profile once, write nothing, and show it as a table.

Nothing of the table is a secret or says where the device is: it can be pasted into a bug report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.device.device import Device
from harness.device.evidence import NO_MEASUREMENT, NO_MEASUREMENT_HINT, can_measure, is_measurement
from harness.device.points import SignalPoint
from harness.device.protocol import protocol
from harness.device.scaling import Scaling
from harness.errors import DeviceError, IdentityError
from harness.quantity import Quality

_BATCH = 200
"""Signals asked for together: what fails as a whole takes no more than these with it."""
_SHORT = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: raw number ('' for texts), value with word or text, unit, quality."""

    signal: str
    raw: str
    value: str
    unit: str
    quality: str
    is_measurement: bool = False
    """Whether it says something of the rack, not only of the device's name and clock."""

    @property
    def is_good(self) -> bool:
        """Whether the value is a measurement."""
        return self.quality == Quality.GOOD.word


@dataclass(slots=True)
class FirstContact:
    """What a device said. `problem` is why it cannot be used with this profile ('' when it can)."""

    problem: str = ""
    hint: str = ""
    identity: dict[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    """Signals of the profile that this device does not have."""
    left_alone: list[str] = field(default_factory=list)
    """Signals whose reading would change the device (clear on read)."""
    unsent: tuple[str, ...] = ()
    """Configuration that a run sends at open and that was left out here."""


async def first_contact(device: Device) -> FirstContact:
    """Open a device and read all of its signals once. A wrong identity is reported, and they are read all the same.

    UnreachableError and ProtocolViolationError when nobody answers as the protocol wants it. The caller closes.
    """
    contact = FirstContact()
    try:
        await device.open()
    except IdentityError as error:
        contact.problem, contact.hint = error.message, error.advice
    names = [info.name.partition(".")[2] for info in device.signals]
    points = [device.expansion.signals[name] for name in names]
    there = {_column(point) for point in points}  # fewer outlets than the profile counts is nothing to tell
    contact.absent = [name for name, point in device.expansion.signals.items() if _column(point) not in there]
    contact.left_alone = [point.name for point in points if point.spec.is_cleared_by_reading]
    asked = [point for point in points if not point.spec.is_cleared_by_reading]
    step = 1 if protocol(device.profile.protocol).asks_one_by_one else _BATCH
    for start in range(0, len(asked), step):
        contact.rows += await _rows(device, asked[start : start + step])
    shown = {row.signal: row.value for row in contact.rows}
    rules = device.profile.identity
    measured = [row for row in contact.rows if row.is_measurement]
    if not contact.problem and not any(row.is_good for row in measured) and can_measure(device):
        contact.problem, contact.hint = NO_MEASUREMENT, NO_MEASUREMENT_HINT
    for key, name in (("model", rules.model), ("serial", rules.serial), ("firmware", rules.firmware)):
        if shown.get(name):
            contact.identity[key] = shown[name]
    return contact


def _column(point: SignalPoint) -> tuple[str, str]:
    return point.group, point.name.partition("].")[2] if point.group else point.name


async def _rows(device: Device, points: Sequence[SignalPoint]) -> list[Row]:
    try:
        reply = await device.link.plan(points).read()
    except DeviceError as error:
        bad = f"BAD ({error.message})"
        return [Row(p.name, "", "", p.spec.unit, bad, is_measurement(device.profile, p)) for p in points]
    values = np.empty(len(points))
    qualities = np.empty(len(points), dtype=np.uint8)
    Scaling([point.spec for point in points]).apply(reply.raw, values, qualities, reply.gain, reply.shift)
    rows = []
    for k, point in enumerate(points):
        info = point.info("")
        why = f": {reply.reasons[k]}" if k in reply.reasons else ""
        quality = Quality(int(reply.qualities[k])) or (Quality.GOOD if info.is_text else Quality(int(qualities[k])))
        raw, value = float(reply.raw[k]), float(values[k])
        if info.is_text:
            row = Row(point.name, "", reply.texts.get(k, ""), "", quality.word + why)
        else:
            shown = info.word(value) or ("" if math.isnan(value) else f"{value:.6g}")
            text = "" if math.isnan(raw) else f"{raw:.10g}"
            row = Row(point.name, text, shown, info.unit, quality.word, is_measurement(device.profile, point))
        rows.append(row)
    return rows


def table(contact: FirstContact, secrets: Sequence[str] = ()) -> list[str]:
    """The lines of the table; the serial number and every text of `secrets` are replaced by ***."""
    head = Row("signal", "raw", "value", "unit", "quality")
    rows = [head, *contact.rows]
    wide = [max(len(getattr(row, name)) for row in rows) for name in ("signal", "raw", "value", "unit")]
    lines = [
        f"{row.signal:<{wide[0]}}  {row.raw:>{wide[1]}}  {row.value:>{wide[2]}}  {row.unit:<{wide[3]}}  {row.quality}"
        for row in rows
    ]
    return [hide(line, contact, secrets).rstrip() for line in lines]


def hide(line: str, contact: FirstContact, secrets: Sequence[str]) -> str:
    """A line without the serial number and the secrets; texts of fewer than four characters stay: they say nothing."""
    serial = contact.identity.get("serial", "")
    if serial in (contact.identity.get("model"), contact.identity.get("firmware")):
        serial = ""  # the profile is for another model: all of them were read from the same text
    hidden = {text for text in (*secrets, serial) if len(text) > _SHORT}
    for text in sorted(hidden, key=len, reverse=True):
        line = line.replace(text, "***")
    return line
