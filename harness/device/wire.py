"""Commands and read-backs as they go over the wire: no profile, no units, nothing left to look up.

A control is compiled to these once. The devices send them, and the guardian gets them as JSON and sends exactly the
same, with nothing but a transport under it (so this module and the channels import no numpy, no YAML and no models).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T", bound="Command | Read | Expect")
_TEXTS = frozenset({"string", "raw", "ipv4", "ipv6", "mac", "epoch", "datetime", "iec870", "text", "octets", "field"})
"""Types that read as a text, of all protocols."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to send. `words` are registers (or 0/1 for coils); merge and mask change only the bits of `mask`.

    merge reads, merges and writes; mask lets the device itself do it (function 22).
    """

    do: Literal["coil", "coils", "register", "registers", "merge", "mask", "pause", "set", "say"]
    address: int = 0
    words: tuple[int, ...] = ()
    mask: int = 0
    seconds: float = 0.0
    oid: str = ""
    kind: int = 0
    text: str = ""
    """The value of a text object, or the line that an instrument is told."""
    errors: str = ""
    """The query that an instrument's errors are drained with."""


def can_share(commands: Sequence[Command]) -> bool:
    """Whether these commands may share one message: each writes one SNMP object."""
    return bool(commands) and all(command.do == "set" and bool(command.oid) for command in commands)


@dataclass(frozen=True, slots=True)
class Read:
    """One signal to read: where, how its bytes become a number or a text, and which numbers are measurements.

    value = offset + factor * raw; a raw value among `sentinels`, or a value outside [low, high], is no measurement.
    """

    function: int = 0
    address: int = 0
    count: int = 0
    type: str = ""
    """Modbus: as in the profile. SNMP: number, decimal_text, text, octets. SCPI: the parse. Redfish: number, text,
    word, sum, max, worst."""
    order: str = "ABCD"
    bit: int | None = None
    width: int = 1
    mask: int | None = None
    magnitude: bool = False
    swap_string: bool = False
    characters: str = "both"
    oid: str = ""
    """Redfish: the places of the values, `path#pointer`, in `join`."""
    join: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    """SNMP: OIDs beside the value; unless each reads as one of `accepted`, the value is none."""
    accepted: tuple[str, ...] = ()
    """Redfish: values of Status.State in which a value counts, in folded case; none: in all."""
    between: tuple[str, str] = ("", "")
    """Only the part of an SNMP text between these two marks."""
    query: str = ""
    index: int = 0
    answers: Mapping[str, float] | None = None
    suffix: str = ""
    invert: int = 0
    """Bits of a word of flags that are set when 0."""
    factor: float = 1.0
    offset: float = 0.0
    sentinels: tuple[float, ...] = ()
    low: float = -math.inf
    high: float = math.inf

    @property
    def is_text(self) -> bool:
        """Whether it reads as a text."""
        return self.type in _TEXTS


class Channel(Protocol):
    """One protocol's way to one device, for what is compiled: the device's own connection, or one of the guardian's."""

    async def open(self) -> None:
        """Connect. UnreachableError when nobody answers."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...

    async def send(self, command: Command) -> None:
        """Send one command, once. Returning means acknowledged; for errors see `Link.write`."""
        ...

    async def send_batch(self, commands: Sequence[Command]) -> None:
        """Send commands in one message, once. After any error read all of them back: some may have been done.

        RefusedError where the protocol takes one command at a time.
        """
        ...

    async def read(self, reads: Sequence[Read]) -> list[float | str]:
        """Read signals now; NaN is what is no measurement. DeviceError when the device as a whole does not answer."""
        ...


async def carry_out(channel: Channel, commands: Sequence[Command]) -> None:
    """Send commands in order, none repeated. Returning means acknowledged; for errors see `Link.write`."""
    for command in commands:
        if command.do == "pause":
            await asyncio.sleep(command.seconds)
        else:
            await channel.send(command)


def scaled(read: Read, raw: float) -> float:
    """The value of a raw number; NaN when it is no measurement."""
    value = read.offset + read.factor * raw
    if read.invert and 0.0 <= value < 2.0**64:
        value = float(int(value) ^ read.invert)
    is_one = math.isfinite(value) and raw not in read.sentinels and read.low <= value <= read.high
    return value if is_one else math.nan


def number_of(text: str) -> float:
    """A number as devices write it (IEEE 488.2 NR1 to NR3); NaN for all else, and for what is not finite.

    Stricter than Python, which also reads 1_000 and the digits of other scripts.
    """
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


@dataclass(frozen=True, slots=True)
class Expect:
    """What a read-back must show: a number within [low, high], one of `codes`, no bits beyond `mask`, or a text."""

    low: float = -math.inf
    high: float = math.inf
    codes: tuple[float, ...] | None = None
    mask: int | None = None
    text: str | None = None

    def holds(self, value: float | str) -> bool:
        """Whether it does. NaN never does."""
        if isinstance(value, str) or self.text is not None:
            return value == self.text
        if value != value:
            return False
        if self.codes is not None:
            return value in self.codes
        if self.mask is not None:
            return int(value) & ~self.mask == 0
        return self.low <= value <= self.high


def packed(item: Command | Read | Expect) -> dict[str, Any]:
    """As JSON: only what differs from the default (infinities are defaults, JSON has none)."""
    default = {field.name: field.default for field in fields(item)}
    return {key: value for key, value in asdict(item).items() if value != default[key]}


def unpacked(kind: type[T], data: Mapping[str, Any]) -> T:
    """Back from JSON; TypeError for what is not such a thing."""
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in data.items()}
    return kind(**given)
