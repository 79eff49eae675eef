"""The device profile: what a vendor's table says about one device model, as data; here what all protocols share.

A profile names its source, says how to prove the identity of the device, and lists signals (readable, with unit) and
controls (writable, with range and confirmation). `repeat` expands outlets, phases, pumps and ports: the same fact is
never typed twice. There is no code, shell or regular expression in a profile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, Field, field_validator, model_validator

from harness.quantity import parse_quantity, unit
from harness.schema.dead_man import DeadMan
from harness.schema.fields import Duration, DurationOrZero, LocatedError, Model, StrictText
from harness.schema.identity import Identity
from harness.schema.motion import Mover, Noise, Stamp

Poll = Literal["fast", "slow", "once"]
DeviceClass = Literal[
    "pdu", "relay", "cdu", "cooling", "valve", "shelf", "switch", "load", "meter", "daq", "hipot", "chamber",
    "environment", "tray", "gas", "source",
]  # fmt: skip
CLASSES: tuple[str, ...] = get_args(DeviceClass)
"""Every class of devices."""


def _known_unit(name: str) -> str:
    return unit(name).name


UnitName = Annotated[str, AfterValidator(_known_unit)]
Words = dict[str, int | tuple[int, ...]]
Idle = Iterator[tuple[tuple[str, ...], str]]
"""Keys that have no effect where they stand, and why."""
_NUMBER = ("unit", "scale", "offset", "precision", "range")


def once_each(key: str, table: Mapping[str, Any], what: str) -> None:
    """Refuse a value that two words of `table` (the key `key` of a signal) stand for: only one would ever be shown.

    Of texts the case does not count, as it does not when a device is read.
    """
    taken: dict[Any, str] = {}
    for word, values in table.items():
        for value in values if isinstance(values, tuple) else (values,):
            same = value.casefold() if isinstance(value, str) else value
            if same in taken:
                other = taken[same]
                both = "twice" if other == word else f"{other!r} and {word!r}"
                raise LocatedError(f"{what} {value!r} is {both}: a value has one word", key, word)
            taken[same] = word


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
    counter: Literal[0, 16, 32, 64] = 0
    """Width in bits of a counter that wraps; 0: not a counter."""
    poll: Poll = "fast"
    noise: Noise | None = None
    """How live readings scatter; nothing said: standing still is never held against the signal for itself."""
    moves_with: tuple[Mover, ...] = ()
    """Signals of the same device that cannot move for long while this one stands still."""
    stamp: Stamp | None = None
    """What the device changes with every new measurement of this signal."""
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
        once_each("flags", self.flags, "bit")
        misread = next((name for name in self.flags if name == "none" or "+" in name), None)
        if misread is not None:  # flags are shown as `a+b`, and as `none` where no bit is set
            raise LocatedError(
                f"{misread!r} cannot be told from what is shown of flags; write another name", "flags", misread
            )
        once_each("enum", self.enum, "raw value")
        if not self.scale:
            raise ValueError("scale: 0 would make every value the same")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range {list(self.range)} is empty: write [lowest, highest]")
        if (self.enum or self.flags or self.is_text) and (self.noise is not None or self.moves_with):
            raise ValueError("noise and moves_with belong to a number: words and flags rightly stand still")
        unknown = [name for name in self.active_low if name not in self.flags]
        if unknown:
            raise ValueError(f"active_low names {unknown[0]!r}, which is not one of the flags")
        return self

    @property
    def is_text(self) -> bool:
        """Whether the signal is a text instead of a number."""
        return False

    @property
    def is_cleared_by_reading(self) -> bool:
        """Whether reading it changes the device."""
        return False

    @property
    def exponent_signal(self) -> str:
        """The signal of the device that holds a power of ten to multiply this one with; '': none."""
        return ""

    def idle(self, *, is_row: bool) -> Idle:  # noqa: ARG002 (for those of a protocol)
        """Keys that the others leave nothing to do. `is_row`: it stands in a repetition."""
        if self.is_text:
            yield (*_NUMBER, "sentinels", "enum", "flags", "counter"), "the signal is a text"
        elif self.shows_words:
            yield (*_NUMBER, "counter"), "the signal shows words"

    @property
    def shows_words(self) -> bool:
        """Whether its numbers stand for words."""
        return bool(self.enum or self.flags)

    @property
    def resolution(self) -> float:
        """The smallest step that the device shows, in `unit`: as `noise` says, else one raw step."""
        return (self.noise.resolution if self.noise is not None else 0.0) or abs(self.scale) / 2**self.precision

    @property
    def low_bits(self) -> int:
        """The bits of a flags signal that are set when 0."""
        return sum(1 << self.flags[name] for name in self.active_low)

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

    def cannot_tell(self, one: str, other: str) -> bool:
        """Whether two commanded words are confirmed by the same shown word."""
        return self.words.get(one, one) == self.words.get(other, other)

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
    """Largest change a second, in `unit`; bigger ones are walked, from what `confirm` reads. Not so in a safe state:
    what makes the rack safe goes out at once."""
    scale: float = 1.0
    offset: float = 0.0
    precision: Annotated[int, Field(ge=0, le=32)] = 0
    commands: dict[str, int] = Field(default_factory=dict)
    """word: raw value written."""
    confirm: Confirm | None = None
    shown_by: StrictText | tuple[StrictText, ...] = ()
    """What shows what the control really does. Of a quantity: a signal in the same unit, the load that runs, where
    `confirm` shows the load that was asked for; less than half of what a run had set is undone, and ends the run. Of
    what energises: the current or power that flows through it, or through several of them together (`[power,
    phase.current]`); what carried load and carries none while others do is undone, whatever `confirm` shows."""
    danger: bool = False
    """Energises something or stops cooling: needs a plan, or a confirmation at the terminal."""
    energises: bool = False
    """Puts power on the rack, by every word but `off`. It is switched off by the word `off`."""
    sim: str = ""
    """Input of the plant that a write moves."""
    sim_words: dict[str, float] = Field(default_factory=dict)

    @property
    def shown(self) -> tuple[str, ...]:
        """What `shown_by` names."""
        return (self.shown_by,) if isinstance(self.shown_by, str) else self.shown_by

    @model_validator(mode="after")
    def _consistent(self) -> Control:
        if not self.scale:
            raise ValueError("scale: 0 leaves no way back from a value to a raw number")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError(f"range {list(self.range)} is empty: write [lowest, highest]")
        once_each("commands", self.commands, "raw value")
        if self.confirm is not None and {"on", "off"} <= {*self.takes} and self.confirm.cannot_tell("on", "off"):
            raise LocatedError("on and off are confirmed by the same word", "confirm", "words")
        if not self.energises and len(self.shown) > 1:
            raise ValueError("shown_by: a quantity is shown by one signal")
        if self.rate is not None and (self.takes or self.confirm is None):
            raise ValueError("rate: only a quantity can be walked, and only from where `confirm` says that it is")
        return self

    @property
    def takes(self) -> tuple[str, ...]:
        """The words that it may be set to; () where it takes a quantity."""
        return tuple(self.commands)

    def idle(self, *, is_row: bool) -> Idle:  # noqa: ARG002 (for those of a protocol)
        """Keys that the others leave nothing to do. `is_row`: it stands in a repetition."""
        if self.takes:
            yield (*_NUMBER, "step"), "the control takes words"
        else:
            yield ("sim_words",), "the control takes a quantity"


class Repeat(Model):
    """Rows that a device has several of: outlets, phases, pumps, ports."""

    count: Annotated[int, Field(ge=1, le=512)]
    signals: Mapping[str, Signal] = Field(default_factory=dict)
    controls: Mapping[str, Control] = Field(default_factory=dict)
    control: Control | None = None


class Verified(Model):
    """A device that the profile was tried on."""

    model: StrictText
    firmware: StrictText
    date: StrictText


class Judge(Model):
    """What others made and the profile was compared with, point by point: a register map, or a captured device."""

    map: str = ""
    capture: str = ""
    source: StrictText
    """The project that it comes from."""
    edition: StrictText
    """Date or commit by which that state of it is found again."""

    @model_validator(mode="after")
    def _one_thing(self) -> Judge:
        if bool(self.map) == bool(self.capture):
            raise ValueError("give either map or capture, by the name that its source has for it")
        return self

    def __str__(self) -> str:
        what = f"map {self.map}" if self.map else f"capture {self.capture}"
        return f"{what} ({self.source}, {self.edition})"


class Health(Model):
    """When a device counts as dormant, and how often it is asked again."""

    dormant_after: Annotated[int, Field(ge=1, le=1000)] = 5
    probe_every: Duration = 1.0


class Profile(Model):
    """What every profile has, whatever the protocol."""

    is_read_only: ClassVar[bool] = False
    """Whether nothing is ever written over the protocol."""
    schema_version: Annotated[Literal[1], Field(alias="schema")]
    profile: StrictText
    extends: str = ""
    """Another profile whose keys hold here too, unless given again: mappings are merged, everything else is replaced,
    and `null` takes a key away."""
    title: StrictText
    class_: Annotated[DeviceClass, Field(alias="class")]
    source: StrictText
    unverified: str = ""
    verified_on: tuple[Verified, ...] = ()
    """Devices that it was tried on. Not inherited by `extends`."""
    judged_by: tuple[Judge, ...] = ()
    """What others made and this table was compared with. Without it, and not tried on a device either, nothing outside
    has judged the profile, and that is said wherever it is used. Not inherited by `extends`."""
    identity: Identity = Identity()
    heartbeat: str = ""
    """A signal that must change while the device lives (uptime); unchanged means STALE."""
    health: Health = Health()
    dead_man: DeadMan | None = None
    """What the device itself does when the run is dead; see docs/how-to/run-as-a-service.md."""
    timeout: Duration = 1.0
    parameters: dict[str, int] = Field(default_factory=dict)
    """Named integers that addresses and OIDs may use as {name}; a station may override them."""

    protocol: str
    signals: Mapping[str, Signal] = Field(default_factory=dict)
    controls: Mapping[str, Control] = Field(default_factory=dict)
    repeat: Mapping[str, Repeat] = Field(default_factory=dict)

    @property
    def default_unit(self) -> int | None:
        """The number of the device behind its address where that gives none; None: there is one device."""
        return None

    @property
    def sent_at_open(self) -> tuple[str, ...]:
        """What a run sends the device when it opens it."""
        return ()

    def without_configuration(self) -> Self:
        """The same profile, telling the device nothing when it is opened and clearing none of its errors."""
        return self

    @property
    def is_judged(self) -> bool:
        """Whether anything but this project's own simulation has judged the profile."""
        return bool(self.verified_on or self.judged_by)

    @property
    def evidence(self) -> str:
        """What speaks for the profile, in words."""
        said = [f"tried on {one.model}, firmware {one.firmware}, {one.date}" for one in self.verified_on]
        if self.judged_by:
            said.append(f"compared with {', '.join(map(str, self.judged_by))}")
        return "; ".join(said) or "nothing outside this project has judged it"

    @model_validator(mode="after")
    def _is_honest(self) -> Profile:
        if bool(self.unverified) == bool(self.verified_on):
            raise ValueError("give either verified_on (model, firmware, date) or unverified (why)")
        return self

    @model_validator(mode="after")
    def _keeps_cooling(self) -> Profile:
        if self.dead_man is not None and self.dead_man.acts == "off" and self.class_ in ("cdu", "cooling"):
            raise LocatedError(
                "a device that cools must not be told to switch itself off: whatever is hot behind it stays hot",
                "dead_man",
                "acts",
            )
        return self
