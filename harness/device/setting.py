"""What a control is to be set to: a word, or a value in its unit."""

from __future__ import annotations

import math
from dataclasses import dataclass

from harness.device.points import ControlPoint
from harness.quantity import parse_quantity


@dataclass(frozen=True, slots=True)
class Setting:
    """A control's wanted state, resolved: a word, or a value in the control's unit."""

    value: float = math.nan
    word: str = ""

    def show(self, unit: str) -> str:
        """As a person reads it."""
        return self.word or f"{self.value:g} {unit}".rstrip()


def puts_power_on(control: ControlPoint, setting: Setting) -> bool:
    """Whether a setting may energise something: `on`, and every other word (`cycle`) that is not `off`."""
    return control.spec.energises and setting.word not in ("", "off")


def resolve_setting(control: ControlPoint, to: str | float) -> Setting:
    """What `to:` means for a control: one of its words, or a quantity within its range. ValueError says what not."""
    spec = control.spec
    words = sorted({*spec.takes})
    if isinstance(to, str) and to in words:
        return Setting(word=to)
    if words:
        raise ValueError(f"{control.name} takes {' or '.join(words)}, not {to!r}")
    quantity = parse_quantity(to)
    if quantity.unit == "" and spec.unit and not isinstance(to, str):
        raise ValueError(f"{control.name} needs a unit: write '{to:g} {spec.unit}'")
    value = quantity.to(spec.unit)
    if spec.range is not None and not spec.range[0] <= value <= spec.range[1]:
        raise ValueError(f"{quantity} is outside {spec.range[0]:g} to {spec.range[1]:g} {spec.unit} of {control.name}")
    if spec.step:
        value = round(value / spec.step) * spec.step
    return Setting(value=value)
