"""Profiles of devices with an SNMP agent: objects, tables walked and bound by label, commands."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.schema.fields import Model, StrictText
from harness.schema.profile import Control, Idle, Profile, Repeat, Signal, UnitName


class SnmpBind(Model):
    """Find the row of a table by its label, at open: for tables whose indices differ from device to device.

    With `bind`, `oid`, `digits`, `scale_from`, `factor_from` and the `oid` of `unit_from` are columns: the index that
    was found is appended to them. Of rows with the same label and several units (degC and degF), the one in the
    signal's own unit is taken, else one that can be converted.
    """

    labels: StrictText
    """Column of labels to walk."""
    equals: tuple[str, ...]
    """Labels that mean this signal, compared without regard to case, in the order of preference; {i} is the row."""


class SnmpUnits(Model):
    """The unit of a value is said by another object: Sentry4's temperature scale, ENTITY-SENSOR types, unit texts."""

    oid: StrictText
    words: dict[int | str, UnitName]
    """What that object reads: the unit it means. Units of the signal's own kind are converted, W becomes dBm; a value
    in a unit that is not listed is BAD."""


class SnmpFallback(Model):
    """Another OID for the same quantity, with a scale of its own (an older column of coarser resolution)."""

    oid: StrictText
    scale: float


class SnmpWhere(Model):
    """A rule for rows: the text or number of a column in the same row. One of the given must hold."""

    column: StrictText
    one_of: tuple[int | str, ...] = ()
    """May be `{name}` of a parameter."""
    starts_with: tuple[str, ...] = ()
    ends_with: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    absent: bool = False
    """A row without this column belongs to the repetition too."""

    @model_validator(mode="after")
    def _has_rule(self) -> SnmpWhere:
        if not (self.one_of or self.starts_with or self.ends_with or self.contains):
            raise ValueError("give one_of, starts_with, ends_with or contains")
        return self

    def holds(self, text: str) -> bool:
        """Whether a row with this text belongs to the repetition."""
        return (
            text in map(str, self.one_of)
            or text.startswith(self.starts_with or ("\0",))
            or text.endswith(self.ends_with or ("\0",))
            or any(part in text for part in self.contains)
        )


class SnmpLookup(Model):
    """Find the instance of a column that belongs to a row of the repetition, where the two are indexed differently.

    Examples: LLDP neighbours (index timeMark.localPort.remIndex), optics sensors (index of ENTITY-MIB). The columns
    are walked at open and again with the slow polls. With a lookup, `oid`, `join`, `scale_from`, `precision_from` and
    `digits` are columns: the index that was found is appended to them. `{label}` is the text of the repetition's
    `walk` column in this row.
    """

    part: Annotated[int, Field(ge=0, le=127)] = 0
    """Which number of the instance's index is compared, counted from 0."""
    labels: str = ""
    """Column, indexed by that number alone, whose text must be one of `equals`; '': the number is the row's index."""
    equals: tuple[str, ...] = ("{label}",)
    """Texts that mean this row, compared without regard to case, in the order of preference."""
    join: tuple[str, ...] = ()
    """Further columns whose texts are appended, with ':' between."""


class SnmpValidity(Model):
    """An object beside a value that says whether the value is one (the operational status of a sensor)."""

    oid: StrictText
    """Written as the signal's own `oid`: with {i}, or as a column where the signal is bound or looked up."""
    one_of: Annotated[tuple[int | str, ...], Field(min_length=1)]
    """What it reads while the value counts; anything else makes the value BAD (missing). An agent without this object
    says nothing against the value."""


_SENSOR_STATUS = {
    "1.3.6.1.2.1.99.1.1.1.4": "1.3.6.1.2.1.99.1.1.1.5",
    "1.3.6.1.4.1.9.9.91.1.1.1.1.4": "1.3.6.1.4.1.9.9.91.1.1.1.1.5",
}
"""Value column: status column, ok(1), of ENTITY-SENSOR-MIB (RFC 3433) and of Cisco's table before it."""


_FROM_DEVICE = ("digits", "scale_from", "precision_from", "factor_from", "divisor_from", "unit_from")
"""Keys by which the device itself says what a number means."""


class SnmpSignal(Signal):
    """A readable object of an SNMP agent."""

    oid: str = ""
    """{i} stands for the row's index, {i.0} for its first number, {i.1} for the second, and {name} for a parameter."""
    fallbacks: tuple[str | SnmpFallback, ...] = ()
    """OIDs that hold the same, tried at open in this order where the device does not have `oid`."""
    first_row: bool = False
    """`oid` is a column; its first row is meant, whatever its index."""
    sum_of: str = ""
    """Instead of `oid`: the sum over all rows of a repetition's column (`cord.power`); BAD when one of them is."""
    type: Literal["number", "text", "decimal_text", "octets"] = "number"
    """decimal_text: a number written as a text ('23.4', '23.4 C')."""
    between: tuple[str, str] | None = None
    """Only the part of the text between these two marks ('': from its beginning, to its end), where the first of them
    is found."""
    digits: str = ""
    """OID that holds the count of decimal digits: value = raw / 10**digits."""
    scale_from: str = ""
    """OID of an ENTITY-SENSOR scale code (9 = units, 8 = milli ...)."""
    precision_from: str = ""
    """OID of an ENTITY-SENSOR precision (decimal digits)."""
    factor_from: str = ""
    """OID of a factor: the value is multiplied by a positive and divided by a negative one."""
    divisor_from: str = ""
    """OID of a divisor."""
    unit_from: SnmpUnits | None = None
    bind: SnmpBind | None = None
    lookup: SnmpLookup | None = None
    """Only in a repetition with `walk`. A text whose walk finds no instance reads as '' (no neighbour), a number is
    left out or BAD as `optional` says."""
    optional: bool = False
    """The model may lack it; then it is left out instead of BAD."""
    validity: SnmpValidity | Literal["ignored"] | None = None
    """The object that says whether the value is one, where the table has such a column. The status of ENTITY-SENSOR
    and of Cisco's sensors is looked at by itself; `ignored`: the value counts whatever stands beside it."""

    @model_validator(mode="after")
    def _has_one_source(self) -> SnmpSignal:
        if bool(self.oid) == bool(self.sum_of):
            raise ValueError("give either oid or sum_of")
        if self.sum_of and (self.scale != 1.0 or self.offset or self.sentinels or self.is_text or self.bind):
            raise ValueError("a sum takes scale, sentinels and labels from its column: give none here")
        if self.first_row and (self.bind or self.lookup):
            raise ValueError("first_row, bind and lookup exclude each other")
        return self

    @property
    def is_text(self) -> bool:
        """Whether the signal is a text instead of a number."""
        return self.type in ("text", "octets")

    def idle(self, *, is_row: bool) -> Idle:
        """Keys that the others leave nothing to do."""
        yield from super().idle(is_row=is_row)
        if not self.is_text:
            yield ("between",), "it is a part of a text"
        if self.is_text or self.shows_words:
            yield _FROM_DEVICE, "the signal is no number"
        if self.sum_of:
            yield (*_FROM_DEVICE, "type", "first_row", "fallbacks", "lookup"), "a sum has all that from its column"
        if self.lookup is not None:
            yield ("fallbacks",), "what is looked up is found or not there"

    @property
    def status(self) -> SnmpValidity | None:
        """What says whether the value is one: as the profile says it, or as the table of its column has it."""
        if isinstance(self.validity, SnmpValidity) or self.validity == "ignored" or self.is_text:
            return self.validity if isinstance(self.validity, SnmpValidity) else None
        for values, states in _SENSOR_STATUS.items():
            if self.oid == values or self.oid.startswith(f"{values}."):
                return SnmpValidity(oid=states + self.oid.removeprefix(values), one_of=(1,))
        return None


class SnmpCommand(Model):
    """A command that has an object of its own (Eaton: write the delay to another OID)."""

    oid: StrictText
    value: int


class SnmpControl(Control):
    """A writable object of an SNMP agent."""

    oid: str = ""
    type: Literal["integer", "gauge", "text", "unsigned"] = "integer"
    command_oids: dict[str, SnmpCommand] = Field(default_factory=dict)
    digits: str = ""
    at_signal: str = ""
    """Instead of `oid`: write where this (numeric) signal is read, in the scale and unit that the device reads it in;
    for tables that are bound by label."""

    @model_validator(mode="after")
    def _has_target(self) -> SnmpControl:
        if sum(map(bool, (self.oid, self.command_oids, self.at_signal))) != 1 and not (self.oid and self.command_oids):
            raise ValueError("give oid, at_signal, or command_oids with one OID a word")
        return self

    @property
    def takes(self) -> tuple[str, ...]:
        """The words that it may be set to; () where it takes a quantity."""
        return (*self.commands, *self.command_oids)

    def idle(self, *, is_row: bool) -> Idle:
        """Keys that the others leave nothing to do."""
        yield from super().idle(is_row=is_row)
        if self.at_signal:
            yield ("digits",), "at_signal knows the scale of the signal"
        if not self.oid and not self.at_signal:
            yield ("commands", "type", "digits"), "each word has an object of its own (see command_oids)"


class SnmpRepeat(Repeat):
    """Rows of a table: a fixed count, or found at open by walking a column."""

    count: Annotated[int, Field(ge=1, le=1024)]
    """Rows (with `walk`: at most)."""
    first: int = 1
    """Index of the first row."""
    walk: tuple[str, ...] = ()
    """Columns whose instances are the rows (those of all of them together); {i} is then the row's index, which may
    have several numbers. Rows are counted from 1 in the order of their indices. `COLUMN.*.1` means: of the indices
    only those that end in .1, without it (tables that are indexed by row and kind of sensor)."""
    where: tuple[SnmpWhere, ...] = ()
    """Only rows for which all of these hold."""
    others: bool = False
    """Leave out rows that signals of the profile are bound to by name (`bind`): those are not reported twice."""
    labels: str = ""
    """Column of the rows' names, for `lookup`; '': the first of `walk`."""
    signals: dict[str, SnmpSignal] = Field(default_factory=dict)
    controls: dict[str, SnmpControl] = Field(default_factory=dict)
    control: SnmpControl | None = None
    sim_rows: Annotated[int, Field(ge=0, le=1024)] = 0
    """Rows that the simulated twin has; 0: as many as the plant."""
    sim_index: str = "{i}"
    """What index the twin's row {i} has on the wire."""

    @field_validator("walk", mode="before")
    @classmethod
    def _one_column(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _is_walked(self) -> SnmpRepeat:
        if not self.walk and (self.where or self.labels or self.others):
            raise ValueError("where, others and labels need walk")
        return self


class SnmpOptions(Model):
    """How the agent wants to be asked."""

    max_oids: Annotated[int, Field(ge=1, le=128)] = 40
    max_repetitions: Annotated[int, Field(ge=1, le=100)] = 20
    max_sets: Annotated[int, Field(ge=1, le=64)] = 1
    """How many switches one SET may switch off together; 1: one after the other."""
    any_source: bool = False


class SnmpProfile(Profile):
    """A device with an SNMP agent."""

    protocol: Literal["snmp"]
    snmp: SnmpOptions = SnmpOptions()
    signals: dict[str, SnmpSignal] = Field(default_factory=dict)
    controls: dict[str, SnmpControl] = Field(default_factory=dict)
    repeat: dict[str, SnmpRepeat] = Field(default_factory=dict)
