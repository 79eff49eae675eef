"""Which run is alive, and which was made last: `run.lock` in the folder of each run.

The number in it counts the runs of the data folder in the order in which they were made: clocks can be wrong, and run
ids are made of them. The lock on it (`flock`) is held by the process that carries the run out, and dies with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import RunError, TelemetryError
from harness.schema.regular import open_regular
from harness.telemetry.files import FILE_MODE, atomic_write

CLAIM = "run.lock"
_WAIT_S = 2.0
"""How long a lock may be in the way that is only being looked at, seconds."""


def made(folder: Path) -> int:
    """Which run of its data folder this was, counted from 1; 0 for one that does not say."""
    with contextlib.suppress(OSError, ValueError), open_regular(folder / CLAIM, follow=False) as file:
        content = json.loads(file.read(4096))
        number = content.get("made") if isinstance(content, dict) else None
        if isinstance(number, int) and not isinstance(number, bool) and number > 0:
            return number
    return 0


def in_order(folders: Iterable[Path]) -> list[Path]:
    """Run folders in the order in which they were made; those that do not say come first, by name."""
    return sorted(folders, key=lambda folder: (made(folder), folder.name))


@contextlib.contextmanager
def numbering(runs: Path) -> Iterator[int]:
    """The number of the next run below a folder; nobody else is given one while the block lasts."""
    handle = os.open(runs, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield 1 + max((made(Path(entry.path)) for entry in os.scandir(runs)), default=0)
    finally:
        os.close(handle)


def write_number(folder: Path, number: int) -> None:
    """Keep a new run's number, durably."""
    atomic_write(folder / CLAIM, json.dumps({"made": number}).encode() + b"\n")


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a run for as long as the block lasts; RunError when another process carries it out."""
    path = folder / CLAIM
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        handle = os.open(path, flags, FILE_MODE)
    except OSError as error:
        raise TelemetryError(f"cannot open {CLAIM}: {error.strerror}", where=str(folder)) from error
    try:
        if not _lock(handle):
            raise RunError(f"{folder.name} is still running", hint="wait for its end, or stop it")
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    deadline = time.monotonic() + _WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


def is_running(folder: Path) -> bool:
    """Whether a living process carries the run out."""
    return is_held(folder / CLAIM)


def is_held(path: Path) -> bool:
    """Whether a living process holds a lock on a file. Looking takes a shared one for a moment."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False
