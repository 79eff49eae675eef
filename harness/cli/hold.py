"""The rack, held for as long as it is made safe by hand: no run begins, and the one that goes on is told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence

from harness.cli.ui.aside import aside
from harness.device.device import Device
from harness.errors import HarnessError
from harness.project.model import StationProject
from harness.safety.bay import serial_keys, station_keys
from harness.safety.keys import Key
from harness.safety.lock import RackLock, tell_users
from harness.safety.names import Doors


class Hold:
    """Holds one rack for one sequence. Whatever goes wrong with that, the rack is made safe all the same."""

    def __init__(self, on: StationProject, sequence: str) -> None:
        self._on = on
        self._sequence = sequence
        self._lock = RackLock("safe", {"station": on.station.station, "text": sequence})
        self._doors = Doors(self._lock.answer)
        self._reported: set[tuple[int, str | None]] = set()
        self._one_by_one = asyncio.Lock()
        self._tasks: list[asyncio.Future[None]] = []

    def begin(self) -> asyncio.Future[None]:
        """Keep new runs out, and tell the one that goes on; says who was told."""
        return self._beside(self._take)

    def extend(self, devices: Mapping[str, Device]) -> asyncio.Future[None]:
        """The same by the serial numbers of open devices: a run may reach them by another way."""
        keys = [key for key in serial_keys(devices, self._commanded()) if key.alone]
        return self._beside(lambda: self._add(keys))

    def _beside(self, work: Callable[[], Sequence[socket.socket]]) -> asyncio.Future[None]:
        self._tasks.append(asyncio.ensure_future(self._carefully(work)))
        return self._tasks[-1]

    async def _carefully(self, work: Callable[[], Sequence[socket.socket]]) -> None:
        try:
            async with self._one_by_one:
                await self._doors.add(await asyncio.get_running_loop().run_in_executor(None, work))
        except (HarnessError, OSError) as error:
            aside(f"other processes cannot be told: {error}")

    def _take(self) -> Sequence[socket.socket]:
        return self._add([key for key in station_keys(self._on, {}, self._commanded()) if key.alone])

    def _commanded(self) -> set[str]:
        """The devices that the sequence commands: nobody else commands them meanwhile."""
        actions = self._on.station.sequences[self._sequence].actions
        return {(action.set or "").partition(".")[0] for action in actions}

    def _add(self, keys: list[Key]) -> Sequence[socket.socket]:
        new = self._lock.add(keys)
        for holder in tell_users(keys, "safe", self._sequence):
            if (holder.pid, holder.said.get("run")) in self._reported:
                continue
            self._reported.add((holder.pid, holder.said.get("run")))
            ends = "a run goes on and ends as ABORTED: it is " if holder.doing == "run" else ""
            aside(f"{ends}{holder}")
            if not holder.said:
                aside(holder.hint)
        return new

    async def release(self) -> None:
        """Let runs in again."""
        await asyncio.gather(*self._tasks)
        self._doors.close()
        self._lock.release()
