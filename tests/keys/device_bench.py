"""A device of a profile over the wire of its protocol, in virtual time: what it reads, what the other side is asked.

The other side is a server with hand-made contents, not the twin: a twin is made from the same profile and would follow
every change of it. What the files may hold beside `profile`:

```
 entry    keys of the device's entry in the station file; the address SERVER is that of the other side
 polls    how many polls, one a second; default 1
 wire     [[second, place, value], ...]: what the other side shows from then on
 do       [[control or bank, value], ...]: commanded after the polls, each confirmed
```
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.clock import Clock, run
from harness.device.actuate import actuate
from harness.device.build import DeviceBuilder
from harness.device.confirm import Outcome
from harness.device.device import Device
from harness.device.freeze import Freeze
from harness.device.registry import load_profile
from harness.device.setting import resolve_setting
from harness.errors import HarnessError
from harness.quantity import Frame, Quality, SignalInfo
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from tests.keys.rows import Files, written

FILES = ("parent", "snmp", "redfish")
"""What may lie beside the profile: one that it extends, and credentials."""


class Server(Protocol):
    """The other side. `asked` and `told` are (second, what) of every read and write."""

    address: str
    asked: list[tuple[float, Any]]
    told: list[tuple[float, Any]]

    async def start(self, network: MemoryNetwork) -> None:
        """Listen, and count seconds from now."""

    def show(self, place: Any, value: Any) -> None:
        """Put something else at a place."""

    async def close(self) -> None:
        """Listen no more."""


@dataclass
class Seen:
    """What came of a profile. After a refusal all else is empty and `error` says why."""

    error: str = ""
    frames: list[dict[str, Any]] = field(default_factory=list)
    """Value, word or text of every signal; the name of the quality where it is not GOOD."""
    asked: list[tuple[float, Any]] = field(default_factory=list)
    told: list[tuple[float, Any]] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    identity: dict[str, str] = field(default_factory=dict)
    infos: dict[str, SignalInfo] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    device: Any = None
    """The device, closed by now."""
    truth: dict[str, float] = field(default_factory=dict)
    """What the simulated plant is in, where there is one."""
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def intent(self, device: str, commands: Any) -> None:
        """As `harness.device.actuate.Notes`."""
        self.notes.append(("intent", {"device": device, **commands}))

    def note(self, kind: str, /, **data: Any) -> None:
        """As `harness.device.actuate.Notes`."""
        self.notes.append((kind, data))


def device_bench(make: Callable[[], Server]) -> Callable[[Path, Files], Seen]:
    """A bench of one protocol."""

    def bench(folder: Path, files: Files) -> Seen:
        path, *_ = written(folder, files, "profile", *(each for each in FILES if each in files))
        seen = Seen()
        try:
            run(lambda: _session(path, files, make(), seen), rate=float("inf"))
        except HarnessError as error:
            seen.error = str(error)
        return seen

    return bench


async def _session(path: Path, files: Files, server: Server, seen: Seen) -> None:
    profile, _ = load_profile(path)
    network, clock = MemoryNetwork(direct=False), Clock()
    await server.start(network)
    try:
        given = {"profile": "it", "address": "SERVER", **files.get("entry", {})}
        given["address"] = given["address"].replace("SERVER", server.address)
        entry = DeviceEntry.model_validate(given)
        device = DeviceBuilder(clock, path.parent, network).make("it", entry, profile)
        seen.asked, seen.told = server.asked, server.told
        try:
            await used(device, files, server, clock, seen)
        finally:
            await device.close()
    finally:
        await server.close()


async def used(device: Device, files: Files, server: Server | None, clock: Clock, seen: Seen) -> None:
    """Open it, poll it, command it, as the files say."""
    seen.device = device
    await device.open()
    seen.identity = device.identity
    seen.infos = {info.name.partition(".")[2]: info for info in device.signals}
    freeze = Freeze([device], {info.name for info in device.signals}, {}, lambda _, text: seen.events.append(text))
    wire = list(files.get("wire", ()))
    for second in range(files.get("polls", 1)):
        for _, place, shown in [each for each in wire if each[0] == second]:
            assert server is not None
            server.show(place, shown)
        frame = await device.poll()
        assert frame is not None
        freeze.judge(frame, {"it": frame})
        seen.frames.append(dict(_shown(device, frame)))
        await clock.sleep(1)
    for name, to in files.get("do", ()):
        bank = device.expansion.bank(name)
        if not bank:
            seen.error = f"no control {name}"
            return
        try:
            wanted = [(control, resolve_setting(control, to)) for control in bank]
        except ValueError as error:
            seen.error = str(error)
            return
        seen.outcomes |= await actuate(device, wanted, clock, seen)
    seen.events += device.events


def _shown(device: Device, frame: Frame) -> Iterator[tuple[str, Any]]:
    for k, info in enumerate(device.signals):
        quality, value = Quality(int(frame.qualities[k])), float(np.round(frame.values[k], 9))
        shown = frame.texts.get(k, "") if info.is_text else info.word(value) or value
        yield info.name.partition(".")[2], shown if quality is Quality.GOOD else quality.name


# --- what rows look at


def value(name: str, poll: int = -1) -> Callable[[Seen], Any]:
    """What a signal shows, at the last poll or another; why not, after a refusal."""
    return lambda seen: seen.frames[poll].get(name, "no such signal") if seen.frames else seen.error


def ever(name: str, shown: Any) -> Callable[[Seen], Any]:
    """Whether a signal ever shows this."""
    return lambda seen: any(frame[name] == shown for frame in seen.frames)


def error(seen: Seen) -> str:
    """Why it was refused."""
    return seen.error


def asked(seen: Seen) -> list[Any]:
    """What the other side was asked, in order."""
    return [what for _, what in seen.asked]


def told(seen: Seen) -> list[Any]:
    """What the other side was told, in order."""
    return seen.error or [what for _, what in seen.told]


def told_at(seen: Seen) -> list[float]:
    """When the other side was told something."""
    return [round(second, 3) for second, _ in seen.told]


def asked_at(seen: Seen) -> list[float]:
    """When the other side was asked something."""
    return [round(second, 3) for second, _ in seen.asked]


def confirmed(name: str) -> Callable[[Seen], Any]:
    """Whether a control was confirmed."""
    return lambda seen: seen.outcomes[name].is_confirmed
