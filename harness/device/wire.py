"""Commands and read-backs as they go over the wire: no profile, no units, nothing left to look up.

A control is compiled to these once. The devices send them, and the guardian gets them as JSON and sends exactly the
same, with nothing but a transport under it (so this module imports no numpy, no YAML and no models).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeVar

from harness.device import modbus_types, redfish_values
from harness.errors import RefusedError
from harness.transport.modbus import ModbusClient
from harness.transport.redfish import RedfishClient
from harness.transport.snmp import Kind, SnmpClient, VarBind
from harness.transport.visa.instrument import Instrument

T = TypeVar("T", bound="Command | Read | Expect")
ModbusUnit = tuple[ModbusClient, int]
"""A connection and the unit behind it."""
Channel = ModbusUnit | SnmpClient | Instrument | RedfishClient
_OVERFLOW = 9.9e37
"""SCPI-99 volume 1, 7.2.1.5: 9.9E37 and above mean infinity (overload), 9.91E37 not a number."""
_NUMBERS = (Kind.INTEGER, Kind.COUNTER32, Kind.GAUGE32, Kind.TIMETICKS, Kind.COUNTER64, Kind.OPAQUE)


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


async def carry_out(channel: Channel, commands: Sequence[Command]) -> None:
    """Send commands in order, none repeated. Returning means acknowledged; for errors see `Link.write`."""
    for command in commands:
        if command.do == "pause":
            await asyncio.sleep(command.seconds)
        elif isinstance(channel, SnmpClient):
            await channel.set(*_object(command))
        elif isinstance(channel, Instrument):
            await channel.write(command.text)
            if command.errors and (errors := await channel.drain_errors(command.errors)):
                raise RefusedError(
                    f"the instrument answered {'; '.join(errors[:3])} to {command.text!r}",
                    operation="write",
                    vendor_code=errors[0],
                )
        elif isinstance(channel, RedfishClient):
            raise RefusedError("Redfish is read here, never written", operation="write")
        else:
            await _write(*channel, command)


def can_share(commands: Sequence[Command]) -> bool:
    """Whether these commands may share one message: each writes one SNMP object."""
    return bool(commands) and all(command.do == "set" and bool(command.oid) for command in commands)


async def carry_out_together(channel: Channel, commands: Sequence[Command]) -> None:
    """Send commands in one message, once. After any error read all of them back: some may have been done."""
    if not isinstance(channel, SnmpClient):
        raise RefusedError("the device takes one command at a time", operation="write")
    await channel.set_many([_object(command) for command in commands])


def _object(command: Command) -> tuple[str, Kind, int | bytes]:
    kind = Kind(command.kind)
    return command.oid, kind, command.text.encode() if kind is Kind.OCTET_STRING else command.words[0]


async def _write(client: ModbusClient, unit: int, command: Command) -> None:
    if command.do == "coil":
        await client.write_coil(unit, command.address, bool(command.words[0]))
    elif command.do == "coils":
        await client.write_coils(unit, command.address, [bool(word) for word in command.words])
    elif command.do == "mask":
        await client.mask_register(unit, command.address, keep=0xFFFF & ~command.mask, put=command.words[0])
    elif command.do == "registers":
        await client.write_registers(unit, command.address, list(command.words))
    elif command.do == "merge":
        now = int.from_bytes(await client.read(unit, 3, command.address, 1), "big")
        merged = (now & ~command.mask) | (command.words[0] & command.mask)
        await client.write_register(unit, command.address, merged)
    else:
        await client.write_register(unit, command.address, command.words[0])


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


async def look(channel: Channel, reads: Sequence[Read]) -> list[float | str]:
    """Read signals now; NaN is what is not a measurement. DeviceError when the device as a whole does not answer."""
    if isinstance(channel, SnmpClient):
        return await _look_snmp(channel, reads)
    if isinstance(channel, Instrument):
        answers = {query: await channel.query(query) for query in dict.fromkeys(read.query for read in reads)}
        return [_of_scpi(read, answers[read.query].strip()) for read in reads]
    if isinstance(channel, RedfishClient):
        paths = (place.partition("#")[0] for read in reads for place in read.join)
        found, problem = await redfish_values.fetch(channel, paths)
        if problem is not None:
            raise problem
        return [_of_redfish(read, found) for read in reads]
    client, unit = channel
    places = dict.fromkeys((read.function, read.address, read.count) for read in reads)
    data: dict[tuple[int, int, int], bytes] = {}
    for place in places:
        try:
            data[place] = await client.read(unit, *place)
        except RefusedError:
            data[place] = b""
    return [_of_modbus(read, data[read.function, read.address, read.count]) for read in reads]


async def _look_snmp(client: SnmpClient, reads: Sequence[Read]) -> list[float | str]:
    places = [(read.oid, *read.join, *read.status) for read in reads]
    binds = iter(await client.get([oid for place in places for oid in place]))
    return [_of_snmp(read, [next(binds) for _ in place]) for read, place in zip(reads, places, strict=True)]


def _scaled(read: Read, raw: float) -> float:
    value = read.offset + read.factor * raw
    if read.invert and 0.0 <= value < 2.0**64:
        value = float(int(value) ^ read.invert)
    is_one = math.isfinite(value) and raw not in read.sentinels and read.low <= value <= read.high
    return value if is_one else math.nan


def _of_modbus(read: Read, data: bytes) -> float | str:
    if not data:
        return "" if read.is_text else math.nan
    if read.function in (1, 2):
        return _scaled(read, float(data[0] & 1))
    if read.is_text:
        swap = read.swap_string
        return modbus_types.text(read.type, data, read.order, swapped=swap, characters=read.characters)
    number = modbus_types.number(read.type, data, read.order, magnitude=read.magnitude)
    if read.bit is None and read.mask is None:
        return _scaled(read, number)
    raw = int(number)
    if read.bit is not None:
        raw = (raw >> read.bit) % (1 << read.width)
    if read.mask is not None:
        raw = int(raw & read.mask != 0)
    return _scaled(read, float(raw))


def _of_snmp(read: Read, binds: Sequence[VarBind]) -> float | str:
    told = binds[len(binds) - len(read.status) :]
    binds = binds[: len(binds) - len(read.status)]
    first = binds[0]
    if any(bind.problem for bind in binds) or not is_valid(told, read.accepted):
        return "" if read.is_text else math.nan
    if read.is_text:
        return cut(":".join(_snmp_text(bind, read.type) for bind in binds), *read.between)
    value = first.value
    if first.is_missing or value is None:
        return math.nan
    if read.type == "sum":
        numbers = [bind.value for bind in binds if bind.kind in _NUMBERS and bind.value not in read.sentinels]
        total = sum(number for number in numbers if isinstance(number, int | float))
        return _scaled(read, float(total)) if len(numbers) == len(binds) else math.nan
    if read.type == "decibels":
        watts = read.factor * value if isinstance(value, int | float) and value not in read.sentinels else 0.0
        decibels = 10.0 * math.log10(1000.0 * watts) if watts > 0.0 else math.nan
        return decibels if read.low <= decibels <= read.high else math.nan
    if read.type == "decimal_text" and isinstance(value, bytes):
        parts = value.decode("latin-1").split()
        return _scaled(read, number_of(parts[0])) if parts else math.nan
    if isinstance(value, int | float) and first.kind in _NUMBERS:
        return _scaled(read, float(value))
    return math.nan


def is_valid(told: Sequence[VarBind], accepted: Sequence[str]) -> bool:
    """What the objects beside a value say of it; one that the agent does not have says nothing."""
    said = [each for each in told if not (each.is_missing or each.kind is Kind.NULL)]
    return all(not each.problem and _snmp_text(each, "text") in accepted for each in said)


def cut(text: str, start: str, end: str) -> str:
    """The part of a text between two marks ('': its beginning, its end); the whole when the first is not found."""
    rest = text.partition(start)[2] if start else text
    if start and start not in text:
        return text
    return (rest.partition(end)[0] if end else rest).strip()


def _snmp_text(bind: VarBind, kind: str) -> str:
    value = bind.value
    if isinstance(value, bytes):
        if kind == "octets":
            return ":".join(f"{byte:02x}" for byte in value)
        return value.decode("utf-8", "replace").rstrip("\0").strip()
    return "" if value is None else str(value)


def _of_scpi(read: Read, answer: str) -> float | str:
    part = answer
    if read.type in ("list", "field"):
        parts = answer.split(",", read.index + 1)
        if read.index >= len(parts):
            return "" if read.is_text else math.nan
        part = parts[read.index].strip()
    if read.is_text:
        return part.strip('"')
    if read.answers is not None:
        return read.answers.get(part.upper(), math.nan)
    if not part.endswith(read.suffix):
        return math.nan
    number = number_of(part.removesuffix(read.suffix))
    return _scaled(read, number) if abs(number) < _OVERFLOW else math.nan


def _of_redfish(read: Read, resources: Mapping[str, Any]) -> float | str:
    states = read.accepted or None
    places = [place.partition("#") for place in read.join]
    values = [redfish_values.value_at(resources[path], pointer, states) for path, _, pointer in places]
    if read.is_text:
        return redfish_values.text(values[0])[0]
    raw, _ = redfish_values.number(read.type, values, read.answers, read.sentinels)
    return _scaled(read, raw) if raw == raw else math.nan


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
