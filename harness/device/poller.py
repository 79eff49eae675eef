"""Polling in shared time slots: waking once for many devices is several times cheaper than one timer a device."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from harness.clock import Clock
from harness.device.device import Device
from harness.quantity import Frame

SLOT_S = 0.1
_PER_SLOT = 12


class Poller:
    """Polls devices, each at its own period, and hands every frame on as soon as it is there.

    A device that is still busy with its last poll is skipped and counted, so that a slow or dead one never queues up
    and never delays another. Whatever a poll raises ends the polling: what devices do wrong is in their frames.
    """

    def __init__(self, devices: Sequence[Device], clock: Clock, on_frame: Callable[[Frame], None]) -> None:
        self._clock = clock
        self._on_frame = on_frame
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._slots: list[tuple[float, Device]] = []
        for k, device in enumerate(devices):
            self._slots.append(((k // _PER_SLOT) * SLOT_S % device.entry.poll, device))
        self._error: BaseException | None = None
        self._run: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Poll until cancelled; then wait for the polls under way to end."""
        self._run = asyncio.current_task()
        start = self._clock.monotonic()
        due = [(start + offset, k) for k, (offset, _) in enumerate(self._slots)]
        try:
            while due:
                now = self._clock.monotonic()
                for position, (when, k) in enumerate(due):
                    if when > now + 1e-6:
                        continue
                    device = self._slots[k][1]
                    self._launch(device)
                    period = device.entry.poll
                    behind = max(0, int((now - when) // period))
                    device.health.skipped += behind
                    due[position] = (when + period * (behind + 1), k)
                await self._clock.sleep_until(min(when for when, _ in due))
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if self._error is None:
                raise
            raise self._error from None
        finally:
            self._run = None
            for task in list(self._tasks.values()):
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _launch(self, device: Device) -> None:
        running = self._tasks.get(device.name)
        if running is not None and not running.done():
            device.health.skipped += 1
            return
        self._tasks[device.name] = asyncio.get_running_loop().create_task(self._poll(device))

    async def _poll(self, device: Device) -> None:
        try:
            frame = await device.poll()
            if frame is not None:
                self._on_frame(frame)
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError
        except BaseException as error:  # also one that would end the loop, and a cancellation that we did not ask for
            if self._run is not None and self._error is None:
                self._error = error
                self._run.cancel()
