"""Having devices read now what they read slowly: a step that counts over a time begins and ends with fresh numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.clock import Clock
from harness.device.device import Device
from harness.device.signal_store import SignalStore

_PERIODS = 5
"""After so many of them without a frame a device is not waited for."""


async def refresh(store: SignalStore, devices: Mapping[str, Device], clock: Clock, signals: Iterable[str]) -> None:
    """Have the devices of signals read all of them, and wait until that has come; silence ends it too."""
    periods = {store.device_of(signal): store.period(signal) for signal in signals}
    reads = {name: devices[name].slow_read_at for name in periods if name in devices}
    waiting = {name: read_at for name, read_at in reads.items() if read_at is not None}
    for name in waiting:
        devices[name].hasten()
    deadline = clock.monotonic() + _PERIODS * max(periods.values(), default=0.0)
    while waiting and clock.monotonic() < deadline:
        await clock.sleep(0.25 * min(periods[name] for name in waiting))
        for name, before in list(waiting.items()):
            read_at, frame = devices[name].slow_read_at, store.frame(name)
            if read_at is not None and read_at != before and frame is not None and frame.mono >= read_at:
                del waiting[name]
