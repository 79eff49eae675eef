"""The guardian's part of the record: one line of JSON for each thing it saw and did, synced to the disk.

Writing happens in a thread: a disk that hangs or is full must not keep the rack from being made safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import queue
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.events import EventKind
from harness.utf8 import all_utf8

_HOLD_TRIES = 20

_MODE = 0o640


class GuardianLog:
    """Appends to `path`. `note` never blocks and never raises; what could not be written is counted in `lost`."""

    def __init__(self, path: Path | None) -> None:
        self.lost = 0
        self._path = path
        self._started = time.monotonic()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._write, name="guardian_log", daemon=True)
        self._thread.start()

    def note(self, kind: EventKind, /, **data: Any) -> None:
        """Write one line: wall time (UTC), seconds since the guardian's start, kind, and what belongs to it."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        entry = {"at": at, "t": round(time.monotonic() - self._started, 4), "kind": kind, **data}
        self._lines.put(json.dumps(all_utf8(entry), ensure_ascii=False, default=str).encode() + b"\n")

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """A line for each command that is about to be sent. The disk is not waited for."""
        for control, to in commands.items():
            self.note(EventKind.COMMAND, device=device, control=control, to=to)

    async def close(self, within: float = 5.0) -> None:
        """Wait until all is on the disk, at most `within` seconds."""
        self._lines.put(None)
        deadline = time.monotonic() + within
        while not self._done.is_set() and time.monotonic() < deadline:  # noqa: ASYNC110 (a thread sets it)
            await asyncio.sleep(0.01)

    def _write(self) -> None:
        handle = -1
        ending = False
        while not ending:
            first = self._lines.get()
            lines = [] if first is None else [first]
            ending = first is None
            with contextlib.suppress(queue.Empty):
                while True:
                    more = self._lines.get_nowait()
                    if more is None:
                        ending = True
                    else:
                        lines.append(more)
            if not lines or self._path is None:
                continue
            try:
                if handle < 0:
                    handle = _opened(self._path)
                    _hold(handle)
                data = b"".join(lines)
                while data:
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
            except OSError:
                self.lost += len(lines)
        if handle >= 0:
            os.close(handle)
        self._done.set()


def _hold(handle: int) -> None:
    """Lock the guardian's log for as long as this process lives: the record says that its guardian is still at work."""
    for _ in range(_HOLD_TRIES):  # somebody may be looking at it
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.01)
        else:
            return


def _opened(path: Path) -> int:
    """The guardian's log, open for appending, with the mode of a record's files; never through a link."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    os.fchmod(handle, _MODE)
    return handle
