"""The seam between a device and its protocol.

A link opens the connection, finds out which rows of the profile's tables exist, and makes read plans. A read plan
answers a fixed list of points with one reply: raw numbers, qualities and texts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.clock import Clock
from harness.device.address import Address
from harness.device.points import ControlPoint, Expansion, SignalPoint
from harness.device.scaling import Floats, Qualities, Scaling
from harness.device.setting import Setting
from harness.device.wire import Channel, Command, Read
from harness.errors import RefusedError
from harness.schema.fields import FileRef
from harness.transport.network import Network


@dataclass(slots=True)
class Reply:
    """What one execution of a read plan gave: raw numbers float64[n], qualities uint8[n], texts by position.

    `gain` and `shift` (float64[n] each, or None) are what the device itself says of its scales: the profile's scale is
    applied to `gain * raw + shift`, its sentinels to `raw`.
    """

    raw: Floats
    qualities: Qualities
    texts: dict[int, str] = field(default_factory=dict)
    gain: Floats | None = None
    shift: Floats | None = None
    notes: list[str] = field(default_factory=list)
    """What was learnt of the device on the way and is worth telling (a register that it refuses)."""
    refusals: int = 0
    """Requests that the device refused."""
    reasons: dict[int, str] = field(default_factory=dict)
    """Why a value is none, by position, where more is known than its quality says."""

    @classmethod
    def empty(cls, count: int) -> Reply:
        """A reply of `count` points, all NaN and GOOD."""
        raw = np.empty(count)
        raw.fill(np.nan)
        return cls(raw, np.zeros(count, dtype=np.uint8))


class ReadPlan(Protocol):
    """A compiled list of points."""

    async def read(self, *, is_urgent: bool = False) -> Reply:
        """Ask the device. Raises UnreachableError or ProtocolViolationError when the device as a whole failed.

        What the device has refused is asked for again from time to time; with `is_urgent` (something depends on this
        one reading), now.
        """
        ...


class Group:
    """The points of one poll class, their plan and their place in the device's arrays."""

    def __init__(self, points: Sequence[SignalPoint], start: int) -> None:
        self.points = points
        self.part = slice(start, start + len(points))
        self.scaling = Scaling([point.spec for point in points])
        self.plan: ReadPlan | None = None
        self.read_at = -math.inf


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """What a protocol makes a device's link from."""

    name: str
    profile: Any
    """A profile of the protocol's own model."""
    expansion: Expansion
    where: Address
    parameters: Mapping[str, int]
    credentials: FileRef | None
    base: Path
    """Where credential files are found."""
    network: Network
    clock: Clock
    shared: dict[str, Any]
    """What the links of one station have in common, by the name of their protocol: a connection, a serial line."""


class Link(Protocol):
    """One device's use of its protocol."""

    async def open(self) -> Sequence[SignalPoint]:
        """Connect, discover, and return the points that this device really has, in order."""
        ...

    def plan(self, points: Sequence[SignalPoint]) -> ReadPlan:
        """Compile a list of points into requests."""
        ...

    async def write(self, control: ControlPoint, value: float, word: str) -> None:
        """Send one command: `word` when the control has words, else `value` in the control's unit. Never retried.

        Returns when the device acknowledged. RefusedError: it said no. UnreachableError and ProtocolViolationError:
        unclear, read back before deciding anything.
        """
        ...

    @property
    def channel(self) -> Channel:
        """The connection that compiled commands and reads go over."""
        ...

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:
        """What `write` sends, ready for the wire (the guardian gets a copy)."""
        ...

    def reading(self, point: SignalPoint) -> Read:
        """How one signal is read on its own, before scaling (the guardian gets a copy)."""
        ...

    async def keep_alive(self, wall_ns: int, now: float) -> None:
        """Write what the device must be told again and again (its clock, a watchdog), when it is due.

        `wall_ns` is UTC, `now` monotonic seconds. Called before a poll, with the identity proven. Errors as `write`.
        """
        ...

    def renew(self) -> None:
        """The device is back after a loss: what was learnt of it (refused registers) may no longer hold."""
        ...

    @property
    def max_batch(self) -> int:
        """How many switches one message may switch off; 1: one after the other."""
        ...

    async def write_batch(self, wanted: Sequence[tuple[ControlPoint, float, str]]) -> None:
        """Send several commands (control, value, word) with one message, once.

        Errors as `write`, for all of them: whatever it is, read all of them back before deciding anything.
        """
        ...

    @property
    def rows_found(self) -> Mapping[str, int]:
        """Repetition: rows of the device, also those beyond what profile and station count; {}: it does not say."""
        ...

    @property
    def patience(self) -> float:
        """Seconds at least between two tries of a dormant device: where silence costs others time on a shared bus."""
        ...

    async def close(self) -> None:
        """Close the connection (or this device's share of it)."""
        ...

    def health(self) -> Mapping[str, int]:
        """Counters of the transport, by kind."""
        ...


class PlainLink:
    """A link that keeps nothing alive, has a connection of its own, sends one command a message, and counts no rows."""

    async def keep_alive(self, wall_ns: int, now: float) -> None:
        """Nothing has to be written again and again."""

    @property
    def max_batch(self) -> int:
        """One after the other."""
        return 1

    async def write_batch(self, wanted: Sequence[tuple[ControlPoint, float, str]]) -> None:
        """RefusedError: there is no such message."""
        raise RefusedError(f"the device takes one command at a time, not {len(wanted)}", operation="write")

    @property
    def rows_found(self) -> Mapping[str, int]:
        """It does not say."""
        return {}

    @property
    def patience(self) -> float:
        """No other device waits for this one."""
        return 0.0


def raw_value(control: ControlPoint, value: float, word: str) -> int | float:
    """The number that goes over the wire for a word, or for a value in the control's unit."""
    spec = control.spec
    if word:
        return spec.commands[word]
    return (value - spec.offset) / spec.scale * float(2**spec.precision)


class Fed(Protocol):
    """What is fed on the way to a poll, and told what is commanded: the device's own dead-man."""

    async def keep_alive(self, now: float) -> None:
        """Feed it when it is time, in seconds of the clock. DeviceError as a write."""

    async def commanded(self, wanted: Sequence[tuple[ControlPoint, Setting]]) -> None:
        """Settings went out and were acknowledged."""
