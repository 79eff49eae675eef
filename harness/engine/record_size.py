"""How long a plan will take, as far as its parameters say, and how much its record will then hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.project.model import Project
from harness.telemetry.rows import pack_values

if TYPE_CHECKING:
    from harness.device.device import Device
    from harness.device.signal_store import SignalStore

WORTH_TELLING = 50e6
"""A record of fewer bytes is written without a word."""
_PAGES = 1.4
"""Bytes of a journal for a byte of frames (measured): rows are laid in pages of 4 KiB."""
_ROW = 60


def planned_total(project: Project) -> float:
    """Seconds that all steps of known length take together."""
    return sum(step.params.planned_seconds(project.catalog) or 0.0 for step in project.steps)


def bytes_per_second(devices: Iterable[Device], store: SignalStore) -> float:
    """What the journal grows by, from the frames that the devices have given so far."""
    frames = ((device, store.frame(device.name)) for device in devices)
    return sum((_PAGES * len(pack_values(frame)) + _ROW) / device.entry.poll for device, frame in frames if frame)


def record_size(project: Project, devices: Iterable[Device], store: SignalStore, folder: Path) -> tuple[str, str]:
    """(how much will be written where, why that cannot be): '' for what is not worth a word."""
    seconds, rate = planned_total(project), bytes_per_second(devices, store)
    size, free = seconds * rate, shutil.disk_usage(folder).free
    if size < WORTH_TELLING:
        return "", ""
    text = (
        f"the record will take about {in_bytes(size)} ({in_bytes(rate)}/s for {seconds / 3600:.3g} h) in {folder}, "
        f"{in_bytes(free)} are free"
    )
    return text, f"{text}: not enough" if size > free else ""


def in_bytes(count: float) -> str:
    """A number of bytes as people say it."""
    for size, word in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.3g} {word}"
    return f"{count:.0f} bytes"
