"""Profiles of devices on Modbus: points of every usual type, how the device wants to be asked and written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from harness.schema.fields import Duration, DurationOrZero, LocatedError, Model
from harness.schema.profile import Control, Idle, Profile, Repeat, Signal

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


def raw_span(kind: str, bits: int = 0, *, magnitude: bool = False) -> tuple[int, int] | None:
    """Smallest and largest raw number of a type, or of `bits` bits of it; None for texts and floats."""
    if bits or kind == "bool":
        return 0, (1 << max(bits, 1)) - 1
    family, digits = kind[:1], "".join(each for each in kind if each.isdigit())
    if family == "u":
        return 0, (1 << int(digits)) - 1
    if family == "i" and kind not in MODBUS_TEXTS:
        half = 1 << int(digits) - 1
        return (1 - half if magnitude else -half), half - 1
    if kind.startswith(("bcd", "m10k")):
        return 0, 10 ** (MODBUS_WORDS.get(kind, 1) * 4) - 1
    return None


def _fits(span: tuple[int, int] | None, key: str, table: Mapping[Any, Any], what: str) -> None:
    """Refuse what the type can never hold: no device shows it, and one that is told it is told something else."""
    if span is None:
        return
    for place, values in table.items():
        for value in values if isinstance(values, tuple) else (values,):
            if not span[0] <= value <= span[1]:
                raise LocatedError(f"{value:g} is no number that {what} can hold ({span[0]} to {span[1]})", key, place)


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

    @model_validator(mode="after")
    def _words_can_come(self) -> ModbusSignal:
        if self.table in ("coil", "discrete") or self.mask is not None:
            span, what = raw_span("bool"), "one bit"
        elif self.bit is not None:
            span, what = raw_span(self.type, self.width), f"{self.width} bit{'s' * (self.width > 1)}"
        else:
            span, what = raw_span(self.type, magnitude=self.sign == "magnitude"), f"type {self.type}"
        _fits(span, "enum", self.enum, what)
        _fits(span, "sentinels", dict(enumerate(self.sentinels)), what)
        return self

    @property
    def is_text(self) -> bool:
        """Whether the signal is a text instead of a number."""
        return self.type in MODBUS_TEXTS

    @property
    def is_cleared_by_reading(self) -> bool:
        """Whether reading it changes the device."""
        return self.clear_on_read

    @property
    def exponent_signal(self) -> str:
        """The signal of the device that holds a power of ten to multiply this one with; '': none."""
        return self.scale_from

    @property
    def words_long(self) -> int:
        """Registers (or bits, for coils and discrete inputs) that the point takes."""
        return self.length if self.type in ("string", "raw") else MODBUS_WORDS.get(self.type, 1)

    def idle(self, *, is_row: bool) -> Idle:
        """Keys that the others leave nothing to do."""
        yield from super().idle(is_row=is_row)
        if self.type not in ("string", "raw"):
            yield ("length",), f"a {self.type} has its own length"
        if self.type != "string":
            yield ("swap_string", "characters"), "they belong to type string"
        if self.bit is None:
            yield ("width",), "it counts from bit, and there is none"
        if not self.type.startswith("i") or self.is_text:
            yield ("sign",), f"a {self.type} has no sign"
        if self.shows_words or self.is_text:
            yield ("scale_from",), "the signal is no number"
        if not is_row:
            yield ("stride",), "nothing is repeated"


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

    @model_validator(mode="after")
    def _words_can_go(self) -> ModbusControl:
        if self.table == "coil" or self.bit is not None:
            _fits(raw_span("bool"), "commands", self.commands, "one bit")
        else:
            _fits(raw_span(self.type), "commands", self.commands, f"type {self.type}")
        return self

    @property
    def words_long(self) -> int:
        """Registers that a write takes."""
        return MODBUS_WORDS.get(self.type, 1)

    def idle(self, *, is_row: bool) -> Idle:
        """Keys that the others leave nothing to do."""
        yield from super().idle(is_row=is_row)
        if not is_row:
            yield ("stride",), "nothing is repeated"


class ModbusRepeat(Repeat):
    """Points that repeat: `outlet[1].current` ... `outlet[count].current`."""

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


class ModbusProfile(Profile):
    """A device on Modbus TCP or RTU."""

    protocol: Literal["modbus"]
    modbus: ModbusOptions = ModbusOptions()
    signals: dict[str, ModbusSignal] = Field(default_factory=dict)
    controls: dict[str, ModbusControl] = Field(default_factory=dict)
    repeat: dict[str, ModbusRepeat] = Field(default_factory=dict)

    @property
    def default_unit(self) -> int | None:
        """The unit, where the address names none."""
        return self.modbus.unit
