"""The device profile: what a vendor's table says about one device model, as data.

A profile names its source, says how to prove the identity of the device, and lists signals (readable, with unit) and
controls (writable, with range and confirmation). `repeat` expands outlets, phases, pumps and ports: the same fact is
never typed twice. There is no code, shell or regular expression in a profile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from harness.quantity import parse_quantity, unit
from harness.schema.fields import Duration, DurationOrZero, Model, StrictText

SCHEMA = 1
Order = Literal["ABCD", "CDAB", "BADC", "DCBA"]
ModbusType = Literal[
    "bool", "u8_high", "u8_low", "i8_high", "i8_low",
    "u16", "i16", "u32", "i32", "u48", "i48", "u64", "i64",
    "f16", "f32", "f64", "bcd16", "bcd32", "m10k32", "m10k48", "m10k64",
    "string", "raw", "ipv4", "ipv6", "mac", "epoch", "datetime", "iec870",
]  # fmt: skip
MODBUS_WORDS = {
    "u32": 2, "i32": 2, "f32": 2, "bcd32": 2, "m10k32": 2, "ipv4": 2, "epoch": 2,
    "u48": 3, "i48": 3, "m10k48": 3, "mac": 3,
    "u64": 4, "i64": 4, "f64": 4, "m10k64": 4, "iec870": 4,
    "datetime": 6, "ipv6": 8,
}  # fmt: skip
"""Registers that a type takes, where it is not one; `string` and `raw` take as many as `length` says."""
MODBUS_TEXTS = frozenset({"string", "raw", "ipv4", "ipv6", "mac", "epoch", "datetime", "iec870"})
"""Types that read as a text."""
Poll = Literal["fast", "slow", "once"]


def _known_unit(name: str) -> str:
    return unit(name).name


UnitName = Annotated[str, AfterValidator(_known_unit)]
Words = dict[str, int | tuple[int, ...]]


class SimFlag(Model):
    """When the simulated twin sets one flag: a variable of the plant is not 0, or is beyond a threshold."""

    of: StrictText
    above: float | None = None
    below: float | None = None
    """In the unit of the variable."""


class SimBinding(Model):
    """Where the simulated twin gets the value from: a variable of the plant, a number or a text."""

    of: str = ""
    factor: float = 1.0
    """Share of the variable, where the device measures a part of it (one supply of a shelf)."""
    value: float | None = None
    text: str = ""
    words: dict[str, float] = Field(default_factory=dict)
    """For enumerated signals: the value of the variable that each word stands for; the nearest word is shown."""
    flags: dict[str, SimFlag] = Field(default_factory=dict)
    """For flags: what sets each of them; the others stay clear."""

    @field_validator("flags", mode="before")
    @classmethod
    def _short_flags(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: {"of": flag} if isinstance(flag, str) else flag for name, flag in value.items()}


class Signal(Model):
    """What every readable quantity has, whatever the protocol."""

    unit: UnitName = ""
    description: str = ""
    scale: float = 1.0
    offset: float = 0.0
    precision: Annotated[int, Field(ge=0, le=32)] = 0
    """Binary fraction bits of a fixed-point number: value = offset + scale * raw / 2**precision."""
    sentinels: tuple[float, ...] = ()
    """Raw values by which the device says: not available. They make a reading BAD."""
    range: tuple[float, float] | None = None
    """Physically possible values, in `unit`. Outside is BAD, not a failed limit."""
    enum: Words = Field(default_factory=dict)
    """word: raw value (or values)."""
    flags: dict[str, Annotated[int, Field(ge=0, le=63)]] = Field(default_factory=dict)
    """name: bit number, counted from the least significant bit."""
    active_low: tuple[str, ...] = ()
    """Flags that are set when their bit is 0."""
    sticky: bool = False
    """The device latches it until an operator clears it."""
    counter: Literal[0, 16, 32, 64] = 0
    """Width in bits of a counter that wraps; 0: not a counter."""
    poll: Poll = "fast"
    sim: SimBinding | None = None

    @field_validator("sim", mode="before")
    @classmethod
    def _short_sim(cls, value: Any) -> Any:
        if isinstance(value, bool) or value is None or isinstance(value, Mapping):
            return value
        if isinstance(value, int | float):
            return {"value": float(value)}
        return {"of": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> Signal:
        if self.enum and self.flags:
            raise ValueError("a signal has either enum or flags, not both")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range {list(self.range)} is empty: write [lowest, highest]")
        unknown = [name for name in self.active_low if name not in self.flags]
        if unknown:
            raise ValueError(f"active_low names {unknown[0]!r}, which is not one of the flags")
        return self

    @property
    def is_text(self) -> bool:
        """Whether the signal is a text instead of a number."""
        return False

    def words(self) -> dict[float, str]:
        """Raw value -> word."""
        table: dict[float, str] = {}
        for word, raw in self.enum.items():
            for each in raw if isinstance(raw, tuple) else (raw,):
                table[float(each)] = word
        return table


class Confirm(Model):
    """How a control proves that it happened: a signal of the same group that must come to agree."""

    signal: StrictText
    within: Duration = 10.0
    delay: DurationOrZero = 0.0
    tolerance: str = ""
    """Largest difference, e.g. `2 %` or `0.5 L/min`; '' means one quantisation step, or the same word."""
    words: dict[str, str] = Field(default_factory=dict)
    """commanded word: word that the signal then shows, where they differ."""

    @field_validator("tolerance")
    @classmethod
    def _is_quantity(cls, value: str) -> str:
        if value:
            parse_quantity(value)
        return value


class Control(Model):
    """What every writable quantity has."""

    unit: UnitName = ""
    description: str = ""
    range: tuple[float, float] | None = None
    step: Annotated[float, Field(gt=0)] | None = None
    rate: Annotated[float, Field(gt=0)] | None = None
    """Largest change a second, in `unit`; bigger changes are walked."""
    scale: float = 1.0
    offset: float = 0.0
    precision: Annotated[int, Field(ge=0, le=32)] = 0
    commands: dict[str, int] = Field(default_factory=dict)
    """word: raw value written."""
    confirm: Confirm | None = None
    danger: bool = False
    """Energises something or stops cooling: needs a plan, or a confirmation at the terminal."""
    energises: bool = False
    """Word `on` puts power on the rack."""
    wear: Literal["none", "eeprom"] = "none"
    sim: str = ""
    """Input of the plant that a write moves."""
    sim_words: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Control:
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range {list(self.range)} is empty: write [lowest, highest]")
        return self


class Match(Model):
    """One rule of the identity: a text signal that must read as said."""

    signal: StrictText
    equals: str = ""
    starts_with: str = ""
    contains: str = ""
    one_of: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_rule(self) -> Match:
        given = [bool(self.equals), bool(self.starts_with), bool(self.contains), bool(self.one_of)]
        if sum(given) != 1:
            raise ValueError("give exactly one of equals, starts_with, contains, one_of")
        return self

    def holds(self, text: str) -> bool:
        """Whether the text read from the device satisfies the rule."""
        if self.equals:
            return text == self.equals
        if self.starts_with:
            return text.startswith(self.starts_with)
        if self.contains:
            return self.contains in text
        return text in self.one_of

    def __str__(self) -> str:
        if self.one_of:
            return f"one of {', '.join(self.one_of)}"
        return self.equals or (f"{self.starts_with}..." if self.starts_with else f"...{self.contains}...")


class Identity(Model):
    """How to prove that the device behind an address is the model that the profile was written for."""

    match: tuple[Match, ...] = ()
    model: str = ""
    """Names of the text signals that hold the model, serial number and firmware."""
    serial: str = ""
    firmware: str = ""
    sys_object_id: tuple[str, ...] = ()
    """SNMP: beginnings of sysObjectID.0 by which this family is known; `harness probe` suggests the profile by them.
    A suggestion only: the identity is proved by `match`."""
    sys_description: tuple[str, ...] = ()
    """SNMP: words of sysDescr.0, one of which must occur as well, where a sysObjectID says too little."""


class Verified(Model):
    """A device that the profile was tried on."""

    model: StrictText
    firmware: StrictText
    date: StrictText


class Health(Model):
    """When a device counts as dormant, and how often it is asked again."""

    dormant_after: Annotated[int, Field(ge=1, le=1000)] = 5
    probe_every: Duration = 1.0


class ProfileBase(Model):
    """What every profile has, whatever the protocol."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    profile: StrictText
    extends: str = ""
    """Another profile whose keys hold here too, unless given again: mappings are merged, everything else is replaced,
    and `null` takes a key away."""
    title: StrictText
    class_: Annotated[
        Literal["pdu", "cdu", "cooling", "shelf", "switch", "load", "meter", "daq", "hipot", "chamber", "environment"],
        Field(alias="class"),
    ]
    source: StrictText
    unverified: str = ""
    verified_on: tuple[Verified, ...] = ()
    identity: Identity = Identity()
    heartbeat: str = ""
    """A signal that must change while the device lives (uptime); unchanged means STALE."""
    health: Health = Health()
    timeout: Duration = 1.0
    parameters: dict[str, int] = Field(default_factory=dict)
    """Named integers that addresses and OIDs may use as {name}; a station may override them."""

    @model_validator(mode="after")
    def _is_honest(self) -> ProfileBase:
        if bool(self.unverified) == bool(self.verified_on):
            raise ValueError("give either verified_on (model, firmware, date) or unverified (why)")
        return self


# --- Modbus ----------------------------------------------------------------------------------------------------------


class ModbusSignal(Signal):
    """A readable point of a Modbus map."""

    address: Annotated[int, Field(ge=0, le=65535)]
    stride: Annotated[int, Field(ge=0, le=1000)] = 0
    """Distance in addresses to the next repetition; 0: the type's own length."""
    table: Literal["holding", "input", "coil", "discrete"] = "holding"
    type: ModbusType = "u16"
    """Numbers: u16 ... i64 two's complement, u8_high/u8_low one byte of a register, f16/f32/f64 IEEE 754, bcd16/bcd32
    four bits a digit, m10k32/48/64 four decimal digits a register (modulo 10000), bool. Texts: string, raw (hex),
    ipv4, ipv6, mac, epoch (u32 seconds since 1970), datetime (six registers: year, month, day, hour, minute, second),
    iec870 (four registers packed as in IEC 60870-5-4); dates read as 2026-03-14T09:26:53."""
    length: Annotated[int, Field(ge=1, le=125)] = 1
    """Registers of a string or raw point."""
    order: Order | None = None
    """Bytes of a number of two registers as they come over the wire; longer ones accordingly: CDAB and DCBA have the
    last register first, BADC and DCBA the low byte of each register first."""
    swap_string: bool = False
    """The low byte of each word comes first in a string."""
    characters: Literal["both", "high", "low"] = "both"
    """Which bytes of a string's registers hold characters."""
    bit: Annotated[int, Field(ge=0, le=63)] | None = None
    width: Annotated[int, Field(ge=1, le=16)] = 1
    mask: Annotated[int, Field(ge=1)] | None = None
    """The value is 1 when any bit of the mask is set, else 0."""
    sign: Literal["two", "magnitude"] = "two"
    scale_from: str = ""
    """A signal that holds a power of ten to multiply with (SunSpec)."""
    clear_on_read: bool = False
    """Never read speculatively or in a span of its neighbours."""

    @model_validator(mode="after")
    def _bits_exist(self) -> ModbusSignal:
        bits = [*self.flags.values(), *([] if self.bit is None else [self.bit + self.width - 1])]
        bits += [] if self.mask is None else [self.mask.bit_length() - 1]
        most = min(16 * self.words_long, 53)  # a float64 holds 53 bits exactly
        if bits and max(bits) >= most:
            raise ValueError(f"bit {max(bits)} is beyond the {most} bits that a {self.type} can tell apart")
        if bits and (self.is_text or self.type.startswith(("f", "bcd", "m10k"))):
            raise ValueError(f"a {self.type} has no bits to take")
        if self.table in ("coil", "discrete") and self.words_long != 1:
            raise ValueError(f"a {self.table} is one bit; {self.type} needs registers")
        return self

    @property
    def is_text(self) -> bool:
        """Whether the signal is a text instead of a number."""
        return self.type in MODBUS_TEXTS

    @property
    def words_long(self) -> int:
        """Registers (or bits, for coils and discrete inputs) that the point takes."""
        return self.length if self.type in ("string", "raw") else MODBUS_WORDS.get(self.type, 1)


class ModbusWrite(Model):
    """One raw write, for unlock sequences."""

    address: Annotated[int, Field(ge=0, le=65535)]
    value: Annotated[int, Field(ge=0, le=65535)]
    table: Literal["holding", "coil"] = "holding"


class ModbusControl(Control):
    """A writable point of a Modbus map."""

    address: Annotated[int, Field(ge=0, le=65535)]
    stride: Annotated[int, Field(ge=0, le=1000)] = 0
    table: Literal["holding", "coil"] = "holding"
    type: Literal["u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "bcd16", "bcd32", "bool"] = "u16"
    order: Order | None = None
    bit: Annotated[int, Field(ge=0, le=15)] | None = None
    """Only this bit is changed: read, merged, written. The raw value is 0 or 1."""
    mask: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Only the bits of this mask are changed: read, merged, written. The raw value stands in place, not shifted."""
    write: Literal["auto", "single", "multiple", "mask"] = "auto"
    """Function: single 5 or 6, multiple 15 or 16, mask 22 (the device itself merges the bits; else they are read,
    merged and written). auto: single for one register, multiple for more."""
    unlock: tuple[ModbusWrite, ...] = ()
    pulse: DurationOrZero = 0.0
    """The word's value is written, and after this time 0."""

    @model_validator(mode="after")
    def _merges_once(self) -> ModbusControl:
        if self.bit is not None and self.mask is not None:
            raise ValueError("a control changes either one bit or the bits of a mask, not both")
        takes_bits = self.bit is not None or self.mask is not None
        if self.write == "mask" and not takes_bits:
            raise ValueError("write: mask needs bit or mask: which bits of the register are this control's")
        if takes_bits and self.words_long > 1:
            raise ValueError("bits are changed in one register, so the type must be u16")
        return self

    @property
    def words_long(self) -> int:
        """Registers that a write takes."""
        return MODBUS_WORDS.get(self.type, 1)


class ModbusRepeat(Model):
    """Points that repeat: `outlet[1].current` ... `outlet[count].current`."""

    count: Annotated[int, Field(ge=1, le=512)]
    signals: dict[str, ModbusSignal] = Field(default_factory=dict)
    controls: dict[str, ModbusControl] = Field(default_factory=dict)
    control: ModbusControl | None = None
    """The control that bears the name of the repetition itself: `outlet[7]`."""


class ModbusClock(Model):
    """A register pair that the harness keeps at the present time: u32 seconds since 1970, UTC."""

    address: Annotated[int, Field(ge=0, le=65535)]
    every: Duration = 3600.0
    order: Order | None = None


class ModbusWatchdog(Model):
    """A register that must be written again and again, else the device falls back to its own safe behaviour."""

    address: Annotated[int, Field(ge=0, le=65535)]
    every: Duration = 5.0
    value: Annotated[int, Field(ge=0, le=65535)] | None = None
    """What is written; without it a number that counts up, 1 to 65535, for devices that want to see a change."""


class ModbusOptions(Model):
    """How the device wants to be asked."""

    unit: Annotated[int, Field(ge=0, le=255)] = 1
    max_span: Annotated[int, Field(ge=1, le=125)] = 120
    max_gap: Annotated[int, Field(ge=0, le=124)] = 8
    """Registers that nobody wants but that may be read over to merge two requests."""
    one_per_request: bool = False
    """Every point is asked for on its own, for devices that refuse what is not one whole point."""
    order: Order = "ABCD"
    address_base: Annotated[int, Field(ge=0, le=40001)] = 0
    min_gap: DurationOrZero = 0.0
    pause_after_connect: DurationOrZero = 0.0
    forbidden: tuple[tuple[int, int], ...] = ()
    """Address ranges [first, last] that are never read over."""
    allowed: tuple[tuple[int, int], ...] = ()
    """When given, gaps are read over only inside one of these ranges [first, last]."""
    baud: Annotated[int, Field(ge=300, le=1_000_000)] = 19200
    parity: Literal["N", "E", "O"] = "E"
    stop: Literal[1, 2] = 1
    clock: ModbusClock | None = None
    watchdog: ModbusWatchdog | None = None


class ModbusProfile(ProfileBase):
    """A device on Modbus TCP or RTU."""

    protocol: Literal["modbus"]
    modbus: ModbusOptions = ModbusOptions()
    signals: dict[str, ModbusSignal] = Field(default_factory=dict)
    controls: dict[str, ModbusControl] = Field(default_factory=dict)
    repeat: dict[str, ModbusRepeat] = Field(default_factory=dict)


# --- SNMP ------------------------------------------------------------------------------------------------------------


class SnmpBind(Model):
    """Find the row of a table by its label, at open: for tables whose indices differ from device to device.

    With `bind`, `oid`, `digits`, `scale_from`, `factor_from` and the `oid` of `unit_from` are columns: the index that
    was found is appended to them. Of rows with the same label and several units (degC and degF), the one in the
    signal's own unit is taken, else one that can be converted.
    """

    labels: StrictText
    """Column of labels to walk."""
    equals: tuple[str, ...]
    """Labels that mean this signal, compared without regard to case, in the order of preference."""


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


class SnmpRepeat(Model):
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
    """Leave out rows that signals of the profile are bound to by name (`bind`): those are not told twice."""
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
    any_source: bool = False


class SnmpProfile(ProfileBase):
    """A device with an SNMP agent."""

    protocol: Literal["snmp"]
    snmp: SnmpOptions = SnmpOptions()
    signals: dict[str, SnmpSignal] = Field(default_factory=dict)
    controls: dict[str, SnmpControl] = Field(default_factory=dict)
    repeat: dict[str, SnmpRepeat] = Field(default_factory=dict)


# --- SCPI ------------------------------------------------------------------------------------------------------------


class ScpiSignal(Signal):
    """A quantity that a query answers. Signals with the same query share one request."""

    query: StrictText
    parse: Literal["number", "list", "word", "text", "field"] = "number"
    """number: the whole answer; list: one number of a comma-separated answer; word: one of `answers`; text: the whole
    answer as it is; field: one text of a comma-separated answer."""
    index: Annotated[int, Field(ge=0, le=999)] = 0
    """Which element of a comma-separated answer, counted from 0."""
    stride: Annotated[int, Field(ge=0, le=99)] = 0
    """In a repetition: elements from one repetition to the next, so that all share one query."""
    answers: dict[str, str] = Field(default_factory=dict)
    """word: the text the instrument answers for it (for parse: word)."""
    suffix: str = ""
    """Unit that the instrument writes behind the number (`12.50 V`); an answer without it is no measurement."""

    @property
    def is_text(self) -> bool:
        """Whether the signal is a text instead of a number."""
        return self.parse in ("text", "field")


class ScpiControl(Control):
    """A quantity that a command sets; `{value}` stands for the number, `commands` map words to whole commands."""

    set: str = ""
    texts: dict[str, str] = Field(default_factory=dict)
    """word: the whole command."""

    @model_validator(mode="after")
    def _has_target(self) -> ScpiControl:
        if bool(self.set) == bool(self.texts):
            raise ValueError("give set (with {value}), or texts with one command a word")
        if self.set and "{value}" not in self.set:
            raise ValueError("set needs {value} where the number goes")
        return self


class ScpiRepeat(Model):
    """Channels of an instrument; {i} is the channel number."""

    count: Annotated[int, Field(ge=1, le=512)]
    first: int = 1
    signals: dict[str, ScpiSignal] = Field(default_factory=dict)
    controls: dict[str, ScpiControl] = Field(default_factory=dict)
    control: ScpiControl | None = None


class ScpiOptions(Model):
    """How the instrument wants to be talked to."""

    at_open: tuple[str, ...] = ("*CLS",)
    """Sent at every open, and again after a loss. A configuration that is refused here fails the open."""
    error_query: str = "SYST:ERR?"
    """'': the instrument has no error queue; then only the read-back tells that a setting was refused."""
    terminator: Literal["\\n", "\\r\\n"] = "\\n"


class ScpiProfile(ProfileBase):
    """An instrument that speaks SCPI over VISA."""

    protocol: Literal["scpi"]
    scpi: ScpiOptions = ScpiOptions()
    signals: dict[str, ScpiSignal] = Field(default_factory=dict)
    controls: dict[str, ScpiControl] = Field(default_factory=dict)
    repeat: dict[str, ScpiRepeat] = Field(default_factory=dict)


Profile = ModbusProfile | SnmpProfile | ScpiProfile
PROFILES: Mapping[str, type[ModbusProfile | SnmpProfile | ScpiProfile]] = {
    "modbus": ModbusProfile,
    "snmp": SnmpProfile,
    "scpi": ScpiProfile,
}
