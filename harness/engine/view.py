"""What a step sees of a device (who it is and how it does; nothing can be commanded through it) and of folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from harness.device.device import Device


class Folders(NamedTuple):
    """Folders of a run: that of its record, and that of the station file."""

    record: Path
    station: Path


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device at the moment that it was asked for."""

    name: str
    role: str
    """`station`, or `uut`: the rack under test."""
    identity: Mapping[str, str]
    """manufacturer, model, serial, firmware, as far as the device says."""
    polls: int
    failed: int
    """Polls that failed."""
    last_error: str
    restarts: int = 0
    """How often it was seen to have started again since the run began."""
    resets: int = 0
    """How often counters of it were seen to have started again from zero."""

    @classmethod
    def of(cls, device: Device) -> DeviceView:
        """What is known of a device now."""
        health = device.health
        identity = MappingProxyType(dict(device.identity))
        again = (device.restarts, device.resets)
        return cls(device.name, device.entry.role, identity, health.polls, health.failed, health.last_error, *again)
