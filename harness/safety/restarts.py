"""Restarts of the rack that nobody in this run asked for: they undo what the run had set, whatever it watches.

A restart shows in the uptime of a device (its heartbeat), which falls, in a counter of restarts, which rises, or,
before either, in a state that says so (`running: starting`). A run asks for one with its own switches, with a word to
the rack (`trays: on`), or by a step that allows for it (`restart_on`). What it asked for may show for `boots_within` of
the device; a device that could not be read in that time is taken as it comes back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.device.device import Device
from harness.quantity import Frame

COUNTERS = ("reboots", "restarts", "power_cycles", "outages")
"""Signals that count restarts, by the names they have in every profile."""
UP = ("idle", "running")
"""Words of such a signal for a rack that has started."""
STATES = {"running": "starting"}
"""Signals that say that a restart is under way, and the word for it: the count may come a minute later."""


@dataclass(slots=True)
class _Seen:
    """What one device of the rack has shown."""

    device: Device
    counters: Mapping[str, int]
    """Signal -> its place in a frame."""
    states: Mapping[str, tuple[int, float]]
    """Signal -> its place in a frame, and the value that says that the rack starts."""
    up: frozenset[float]
    """Values of such a signal that say that it has started."""
    may_until: float = -math.inf
    """Until when it may show a restart that this run asked for."""
    is_known: bool = False
    """Whether it was read after that."""
    is_up: bool = False
    """Whether a state said since then that the start is over: who starts again does so unasked."""


class Restarts:
    """Watches the devices of the rack under test."""

    def __init__(self, devices: Mapping[str, Device], is_expected: Callable[[str], bool]) -> None:
        self._is_expected = is_expected
        self._now = -math.inf
        self._seen: dict[str, _Seen] = {}
        self._last: dict[str, float] = {}
        """Signal, or device for its uptime -> how many restarts it had shown."""
        for name, device in devices.items():
            if device.entry.role == "uut":
                places = {info.name: k for k, info in enumerate(device.signals)}
                counters = {full: places[full] for each in COUNTERS if (full := f"{name}.{each}") in places}
                self._seen[name] = _Seen(device, counters, dict(_states_of(device)), _up(device))

    def asked(self, now: float) -> None:
        """This run does now what a rack may restart by."""
        for seen in self._seen.values():
            seen.may_until, seen.is_known, seen.is_up = now + seen.device.entry.boots_within, False, False

    def sees(self, device: str) -> bool:
        """Whether a restart would show in a device."""
        seen = self._seen.get(device)
        return seen is not None and bool(seen.counters or seen.states or seen.device.profile.heartbeat)

    def after_frame(self, frame: Frame) -> tuple[str, str] | None:
        """(signal, what happened) of a restart that nobody asked for; None: there was none."""
        seen = self._seen.get(frame.device)
        if seen is None or frame.qualities.all():  # nothing is GOOD, which is 0
            return None
        counts = {frame.device: float(seen.device.restarts)}
        for signal, place in seen.counters.items():
            if not frame.qualities[place]:
                counts[signal] = float(frame.values[place])
        is_again = False
        for signal, (place, starting) in seen.states.items():
            if not frame.qualities[place]:
                is_starting = float(frame.values[place]) == starting
                counts[signal] = float(is_starting)
                is_again = is_again or (is_starting and seen.is_up)
                seen.is_up = seen.is_up or float(frame.values[place]) in seen.up
        more = [name for name, count in counts.items() if count > self._last.get(name, math.inf)]
        self._last.update(counts)
        is_told = "boots_within" in seen.device.entry.model_fields_set  # this rack may begin more than once
        is_due = (frame.mono < seen.may_until or not seen.is_known) and (is_told or not is_again)
        is_asked = is_due or any(map(self._is_expected, self._seen))
        seen.is_known = frame.mono >= seen.may_until
        return (more[0], _said(more[0], frame.device, counts)) if more and not is_asked else None


def _states_of(device: Device) -> Iterator[tuple[str, tuple[int, float]]]:
    for place, info in enumerate(device.signals):
        word = STATES.get(info.name.removeprefix(f"{device.name}."))
        for value, label in info.labels.items():
            if label == word:
                yield info.name, (place, value)


def _up(device: Device) -> frozenset[float]:
    labels = [info.labels for info in device.signals if info.name.removeprefix(f"{device.name}.") in STATES]
    return frozenset(value for each in labels for value, word in each.items() if word in UP)


def _said(signal: str, device: str, counts: Mapping[str, float]) -> str:
    if signal == device:
        how = f"its uptime fell ({device})"
    elif (word := STATES.get(signal.removeprefix(f"{device}."))) is not None:
        how = f"{signal} is {word}"
    else:
        how = f"{signal} rose to {counts[signal]:g}"
    return f"{device} restarted, and nothing in this run had asked for that: {how}"
