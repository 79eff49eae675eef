"""Field types that the file models share, each with a plain-word message for what it refuses.

The values keep the meaning the file gave them: durations become seconds, percentages become numbers of percent, and
quantities keep their unit, because only the place they are used in knows which kind of unit is right.
"""

from __future__ import annotations

import string
from datetime import date
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from harness.quantity import Quantity, parse_duration, parse_quantity, parse_rate
from harness.schema.described import descriptions
from harness.schema.problems import shown

_LOWER = frozenset(string.ascii_lowercase)
_WORD = _LOWER | frozenset(string.digits) | {"_"}
_SERIAL = frozenset(string.ascii_letters + string.digits + "._-")
MAX_NAME = 64
MAX_REFERENCE = 128
MAX_TITLE = 200


class LocatedError(ValueError):
    """Raised by the validator of a model: what is wrong, and at which of its keys (`("watch", 2, "max")`)."""

    def __init__(self, message: str, *loc: str | int, key: bool = False) -> None:
        super().__init__(message)
        self.loc = loc
        self.key = key


class Model(BaseModel):
    """Base of every file model: unknown keys are refused and a loaded model never changes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,  # a command uses a few of the models: only those are built
    )

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in descriptions(cls).items():
            part = properties.get(cls.model_fields[name].alias or name)
            if part is not None:
                part.setdefault("description", text)
        return schema


class FileRef(Model):
    """Where a secret stands: a file (mode 0600), or an environment variable. Never the secret itself."""

    file: str = ""
    env: str = ""

    @model_validator(mode="after")
    def _one(self) -> FileRef:
        if bool(self.file) == bool(self.env):
            raise ValueError("give either file or env; a secret itself never stands in a station file")
        return self


def is_name(text: str) -> bool:
    """Whether `text` is an identifier: a-z first, then a-z, 0-9 or _, at most 64 characters."""
    return 0 < len(text) <= MAX_NAME and text[0] in _LOWER and all(char in _WORD for char in text)


def is_reference(text: str) -> bool:
    """Whether it names signals or controls: `cdu.flow`, `pdu.outlet`, `pdu.outlet[7].current`, `pdu.outlet[1-3]`."""
    if len(text) > MAX_REFERENCE:
        return False
    device, dot, rest = text.partition(".")
    return bool(dot) and is_name(device) and all(_is_part(part) for part in rest.split("."))


def _is_part(part: str) -> bool:
    name, bracket, index = part.partition("[")
    if not is_name(name):
        return False
    if not bracket:
        return True
    return index.endswith("]") and bool(_rows(index[:-1]))


MAX_ROWS = 1000
_ROW_DIGITS = 6


def _rows(text: str) -> list[int]:
    """The rows of `7`, `1-8` or `1,3,5-8`, in the order written; [] for anything else."""
    rows: dict[int, None] = {}
    for part in text.split(","):
        first, dash, last = part.partition("-")
        ends = [first, last] if dash else [first]
        if not all(end.isascii() and end.isdigit() and len(end) <= _ROW_DIGITS for end in ends):
            return []
        low, high = int(ends[0]), int(ends[-1])
        if high < low or high - low >= MAX_ROWS:
            return []
        rows.update(dict.fromkeys(range(low, high + 1)))
    return list(rows)


def one_by_one(reference: str) -> list[str]:
    """The single names of a reference with a range or list of rows: `pdu.outlet[1-2].power` names two."""
    head, bracket, rest = reference.partition("[")
    inner, closed, tail = rest.partition("]")
    rows = _rows(inner) if bracket and closed else []
    return [f"{head}[{row}]{tail}" for row in rows] if len(rows) > 1 else [reference]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        word = f", or write {'on' if value else 'off'}" if isinstance(value, bool) else ""
        raise ValueError(f'expected text, found {shown(value)}; quote it: "{shown(value)}"{word}')
    raise ValueError(f"expected text, found {_kind(value)}")


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else shown(value)


def _duration_or_zero(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not a duration; write a unit, like '30 s' or '4 h'")
    return parse_duration(value)


def _duration(value: Any) -> float:
    seconds = _duration_or_zero(value)
    if seconds <= 0:
        raise ValueError(f"{shown(value)} is not longer than zero")
    return seconds


def _quantity(value: Any) -> Quantity:
    if isinstance(value, Quantity):
        return value
    if isinstance(value, bool | dict | list) or value is None:
        raise ValueError(f"expected a quantity, found {_kind(value)}; write a number and a unit, like '45 degC'")
    return parse_quantity(value)


def _percent(value: Any) -> float:
    if isinstance(value, str):
        quantity = parse_quantity(value)
        if quantity.unit == "%":
            return quantity.value
    raise ValueError(f"{shown(value)} is not a percentage; write it like '99.5 %'")


def _coverage(value: Any) -> float:
    percent = _percent(value)
    if not 0 < percent <= 100:
        raise ValueError(f"{percent:g} % is not a share of the samples; more than 0 % and at most 100 %")
    return percent


def _rate(value: Any) -> tuple[Quantity, float]:
    if isinstance(value, bool) or not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not a rate; write it like '0.1 K/min'")
    return parse_rate(value)


def _name(value: Any) -> str:
    text = _text(value)
    if not is_name(text):
        raise ValueError(f"{shown(text)} is not a name; use a-z, 0-9 and _, with a letter first")
    return text


def _title(value: Any) -> str:
    text = _text(value)
    if not text.strip() or len(text) > MAX_TITLE or not text.isprintable():
        raise ValueError(f"{shown(text)} is not a title; write one line of 1 to {MAX_TITLE} characters")
    return text.strip()


def _signal(value: Any) -> str:
    text = _text(value)
    if not is_reference(text):
        like = _rows_meant(text) or "; write device.signal, like 'cdu.supply_temperature'"
        raise ValueError(f"{shown(text)} is not a signal{like}")
    return text


def _control(value: Any) -> str:
    text = _text(value)
    if not is_reference(text):
        like = _rows_meant(text) or "; write device.control, like 'pdu.outlet[7]'"
        raise ValueError(f"{shown(text)} is not a control{like}")
    return text


def _rows_meant(text: str) -> str:
    """How rows of a bank are written; '' for what names none."""
    bank = text.partition("[")[0]
    if not is_reference(bank) or bank == text:
        return ""
    return f"; rows are written like {bank}[7], {bank}[1-8] or {bank}[1,3,5-8], all of them are {bank}"


def _day(value: Any) -> date:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(_text(value))
    except ValueError:
        raise ValueError(f"{shown(value)} is not a day; write it like 2026-12-31") from None


def _serial(value: Any) -> str:
    text = _text(value)
    if not 0 < len(text) <= MAX_NAME or not all(char in _SERIAL for char in text):
        raise ValueError(f"{shown(text)} is not a serial number; use 1 to {MAX_NAME} of A-Z, a-z, 0-9, '.', '_', '-'")
    return text


def _json(kind: str | list[str], **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, **more})


Duration = Annotated[float, PlainValidator(_duration), _json("string", examples=["30 s", "4 h", "1 h 30 min"])]
"""Seconds, more than 0 and at most 14 days, written with a unit."""

DurationOrZero = Annotated[float, PlainValidator(_duration_or_zero), _json("string", examples=["0 s", "2 s"])]
"""Seconds, 0 to 14 days, written with a unit."""

QuantityField = Annotated[
    Quantity,
    PlainValidator(_quantity),
    PlainSerializer(str, return_type=str),
    _json(["string", "number"], examples=["45 degC", "1.5 bar", 3]),
]
"""A finite number with its unit; a bare number has the unit ''."""

Percent = Annotated[float, PlainValidator(_percent), _json("string", examples=["99.5 %"])]
"""A number of percent; whoever uses it bounds it."""

Coverage = Annotated[float, PlainValidator(_coverage), _json("string", examples=["99 %"])]
"""A share of expected samples, more than 0 and at most 100 %."""

Rate = Annotated[tuple[Quantity, float], PlainValidator(_rate), _json("string", examples=["0.1 K/min"])]
"""(change, per how many seconds)."""

Name = Annotated[str, BeforeValidator(_name), _json("string", pattern=f"^[a-z][a-z0-9_]{{0,{MAX_NAME - 1}}}$")]
"""An identifier: a-z, 0-9 and _, with a letter first."""

Day = Annotated[date, PlainValidator(_day), _json("string", examples=["2026-12-31"])]
"""A day, as year-month-day; it ends at midnight UTC."""

Title = Annotated[str, BeforeValidator(_title), _json("string", minLength=1, maxLength=MAX_TITLE)]
"""One line of free text, spaces allowed."""

SignalRef = Annotated[str, BeforeValidator(_signal), _json("string", examples=["cdu.supply_temperature"])]
"""`device.signal`, as in `pdu.outlet[7].current`."""

ControlRef = Annotated[str, BeforeValidator(_control), _json("string", examples=["pdu.outlet[7]"])]
"""`device.control`, as in `pdu.outlet[7]`."""

Serial = Annotated[str, BeforeValidator(_serial), _json("string", pattern=f"^[A-Za-z0-9._-]{{1,{MAX_NAME}}}$")]
"""A serial number that is safe in paths, tags and pages."""

StrictText = Annotated[str, BeforeValidator(_text), _json("string")]
"""Text; a number, date-like number or true/false must be quoted."""
