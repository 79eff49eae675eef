"""How a profile proves that the device behind an address is the model that it was written for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.schema.fields import Model, StrictText


@dataclass(frozen=True, slots=True)
class Shown:
    """What a device shows of one signal: its text or word, its number (NaN: no measurement), whether it has it.

    `why` says why it shows nothing, where that is known.
    """

    text: str = ""
    number: float = math.nan
    is_there: bool = False
    why: str = ""


def _each(value: Any) -> Any:
    """One of a list may be written without the list."""
    if isinstance(value, list):
        return tuple(value)
    return (value,) if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def _text_or_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("expected a text or a number")
    if value == "":
        raise ValueError("an empty text proves nothing")
    return value


def _some_text(value: Any) -> Any:
    if value == "":
        raise ValueError("an empty text proves nothing")
    return value


def _object_identifier(value: Any) -> Any:
    if not isinstance(value, str) or not all(part.isascii() and part.isdigit() for part in value.split(".")):
        raise ValueError("expected an object identifier: numbers with dots between, none at the ends")
    return value


_Text = Annotated[StrictText, BeforeValidator(_some_text)]
_Value = Annotated[str | int | float, BeforeValidator(_text_or_number)]
_Oid = Annotated[StrictText, BeforeValidator(_object_identifier)]


class Match(Model):
    """One rule of the identity: what a signal must read. Of all that it says one must hold, for one of its signals.

    A signal that the device does not have, an empty text and a number that is no measurement satisfy no rule.
    """

    signal: Annotated[tuple[_Text, ...], BeforeValidator(_each), Field(min_length=1, max_length=16)]
    """A signal, or several of which one is enough. `outlet.state` means the rows of a repetition that the device has,
    the first eight of them."""
    equals: _Value | None = None
    """A text, the word of a signal that shows words, or a number."""
    one_of: Annotated[tuple[_Value, ...], BeforeValidator(_each)] = ()
    starts_with: Annotated[tuple[_Text, ...], BeforeValidator(_each)] = ()
    """One text, or several of which one is enough; `contains` and `under` likewise."""
    contains: Annotated[tuple[_Text, ...], BeforeValidator(_each)] = ()
    under: Annotated[tuple[_Oid, ...], BeforeValidator(_each)] = ()
    """An object identifier that is this one or below it: 1.3.6.1.4.1.318.1.3.4 and not 1.3.6.1.4.1.318.1.3.40."""
    without: Annotated[tuple[_Text, ...], BeforeValidator(_each)] = ()
    """None of these may occur in the text, whatever else the rule says; alone: any other text will do."""
    range: tuple[float, float] | None = None
    """Lowest and highest number, in the unit of the signal."""
    present: Literal[True] | None = None
    """The device has it, whatever it reads: objects that only devices of this family have."""

    @model_validator(mode="after")
    def _says_something(self) -> Match:
        compares = bool(self.texts or self.without or self.numbers or self.range is not None)
        if compares == bool(self.present):
            known = "equals, one_of, starts_with, contains, under, without, range"
            raise ValueError(f"give `present: true`, or some of {known}")
        if self.range is not None and self.range[0] > self.range[1]:
            raise ValueError(f"range {list(self.range)} is empty: write [lowest, highest]")
        return self

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts that the rule compares with."""
        values = tuple(each for each in (self.equals, *self.one_of) if isinstance(each, str))
        return (*values, *self.starts_with, *self.contains, *self.under)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers that the rule compares with."""
        return tuple(float(each) for each in (self.equals, *self.one_of) if isinstance(each, int | float))

    def holds(self, shown: Shown) -> bool:
        """Whether what the device shows of one of the signals satisfies the rule."""
        if not shown.is_there or any(part in shown.text for part in self.without):
            return False
        if self.present or (self.without and shown.text and not self.texts):
            return True
        return self._fits_text(shown.text) or self._fits_number(shown.number)

    def _fits_text(self, text: str) -> bool:
        return bool(text) and (
            text in (self.equals, *self.one_of)
            or text.startswith(self.starts_with or ("\0",))
            or any(part in text for part in self.contains)
            or any(f"{text.strip('.')}.".startswith(f"{oid}.") for oid in self.under)
        )

    def _fits_number(self, number: float) -> bool:
        if any(math.isclose(number, each, rel_tol=1e-9) for each in self.numbers):
            return True
        return self.range is not None and self.range[0] <= number <= self.range[1]

    def __str__(self) -> str:
        words = [str(each) for each in (self.equals, *self.one_of) if each is not None]
        words += [f"{each}..." for each in self.starts_with] + [f"...{each}..." for each in self.contains]
        words += [f"{each} and below" for each in self.under]
        words += [f"{self.range[0]:g} to {self.range[1]:g}"] if self.range is not None else []
        words = [" or ".join(words)] if words else []
        words += [f"what is without {' and '.join(self.without)}"] if self.without else []
        return ", ".join(words)


class Identity(Model):
    """How to prove that the device behind an address is the model that the profile was written for."""

    match: tuple[Match, ...] = ()
    """Rules that must all hold before anything is written."""
    model: str = ""
    """Names of the text signals that hold the model, serial number and firmware."""
    serial: str = ""
    firmware: str = ""
    sys_object_id: tuple[str, ...] = ()
    """SNMP: beginnings of sysObjectID.0 by which this family is known; `harness probe` suggests the profile by them.
    A suggestion only: the identity is proved by `match`."""
    sys_description: tuple[str, ...] = ()
    """SNMP: words of sysDescr.0, one of which must occur as well, where a sysObjectID says too little."""
