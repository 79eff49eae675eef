"""Watches armed files: who beats behind each of them, and since when nobody does."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.engine.systemd import Notifier
from harness.safety import armed
from harness.safety.lease import Lease
from harness.safety.names import state_of
from harness.supervisor.rescue import Rescued, rescue

TICK_S = 0.25
STILL_TICKS = 12
"""Looks in a row at which neither runner nor guardian had moved: three seconds. They are counted, not timed: a machine
that was paused as a whole must find everybody alive when it goes on."""
GONE_TICKS = 4
"""As many are enough when the system says of both that they are gone or stopped."""
_GONE = ("", "Z", "T", "t")
PERSIST_S = 600.0
"""How long one rescue tries before it is begun again (connections made again, credentials read again), seconds."""


@dataclass(slots=True)
class Watched:
    """One armed file."""

    path: Path
    lease: Lease | None
    pids: tuple[int, ...]
    run: str
    beats: tuple[int, int] = (-1, -1)
    still: int = 0

    def is_alone(self) -> str:
        """Why nobody acts for it any more; '' as long as somebody does."""
        if self.lease is None:
            # no page: the machine was started again, or its folder was cleared under a run that lives
            alive = [pid for pid in self.pids if state_of(pid) not in _GONE]
            return "" if alive else "neither the run nor its guardian is there any more"
        beats = self.lease.beats()
        self.still = self.still + 1 if beats == self.beats else 0
        self.beats = beats
        if self.still < GONE_TICKS:
            return ""
        if self.still < STILL_TICKS and any(state_of(pid) not in _GONE for pid in self.pids):
            return ""
        states = ", ".join(f"process {pid} {_words(pid)}" for pid in self.pids)
        return f"neither the run nor its guardian moves ({states})"


def _words(pid: int) -> str:
    letter = state_of(pid)
    return "is gone" if letter in ("", "Z") else "is stopped" if letter in ("T", "t") else "hangs"


class Supervisor:
    """Supervises one folder of armed files."""

    def __init__(self, folder: Path, notifier: Notifier) -> None:
        self.folder = folder
        self._notifier = notifier
        self._watched: dict[Path, Watched] = {}
        self._work: dict[Path, asyncio.Task[Rescued]] = {}
        self._unreadable: set[Path] = set()
        self.is_stopping = False

    async def run(self) -> None:
        """Look four times a second, until told to stop and nothing is being made safe."""
        while not (self.is_stopping and not self._work):
            self._take_in()
            for path, each in self._watched.items():
                if path not in self._work and (cause := each.is_alone()):
                    _tell(f"{each.run}: {cause}; making the rack safe")
                    self._work[path] = asyncio.ensure_future(rescue(path, cause, PERSIST_S))
            self._finish()
            self._notifier.alive(f"{len(self._watched)} armed, {len(self._work)} being made safe")
            await asyncio.sleep(TICK_S)

    def _take_in(self) -> None:
        there = set(armed.listed(self.folder))
        for path in self._watched.keys() - there:
            gone = self._watched.pop(path)
            if gone.lease is not None:
                gone.lease.close()
        for path in there - self._watched.keys():
            try:
                content = armed.read(path)
                # process numbers of another start of the machine belong to others now
                pids = tuple(int(pid) for pid in content["pids"]) if content["boot"] == armed.boot() else ()
                self._watched[path] = Watched(path, Lease.open(content["live"]), pids, str(content["run"]))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError) as error:
                if path not in self._unreadable:
                    self._unreadable.add(path)
                    _tell(f"{path.name} cannot be used, what it armed is NOT supervised: {error}")

    def _finish(self) -> None:
        for path, work in list(self._work.items()):
            if not work.done():
                continue
            del self._work[path]
            run = self._watched[path].run if path in self._watched else path.name
            if (error := work.exception()) is not None:
                _tell(f"{run}: {error!r}; begun again")
            elif work.result().unconfirmed:
                _tell(f"{run}: NOT CONFIRMED: {'; '.join(work.result().unconfirmed)}; begun again")
            elif not work.result().is_busy:
                _tell(f"{run}: safe, confirmed")


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def supervise(folder: Path) -> int:
    """Supervise a folder for as long as the service manager wants. 6 when another supervisor has it."""
    handle = os.open(folder / armed.SUPERVISOR, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(handle, "r+b") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            _tell(f"{folder} has a supervisor already")
            return 6
        lock.truncate(0)
        lock.write(json.dumps({"pid": os.getpid(), "uid": os.getuid()}).encode())
        lock.flush()
        notifier = Notifier()
        supervisor = Supervisor(folder, notifier)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _stop, supervisor)
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, _stop, supervisor)
        notifier.ready()
        _tell(f"supervising {folder}: {len(armed.listed(folder))} armed")
        await supervisor.run()
        notifier.close()
    return 0


def _stop(supervisor: Supervisor) -> None:
    supervisor.is_stopping = True
