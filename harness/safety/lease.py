"""The page of memory that a run shares with its guardian, and with the supervisor where there is one.

```
 0       whether the run's epoch is revoked, and by whom: from then on it energises nothing
 1       which of the two notes counts
 8, 16   beats of the runner, of the guardian: what stands still is dead or frozen
 64      two notes in turns: what the run answers for, and which sequence fits
```

Memory, not a disk: a full or hanging disk keeps nobody from revoking or from asking, and asking waits for nothing.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

GUARDIAN, SUPERVISOR = 1, 2
"""Who revoked."""
SIZE = 64 * 1024
_SHARED = Path("/dev/shm")  # noqa: S108 (a file that is ours alone, made new)
_BEATS = {"runner": 8, "guardian": 16}
_NOTES = 64
_NOTE_SIZE = (SIZE - _NOTES) // 2


class Lease:
    """The page, as one of the processes has it. `path` is '' when only those who inherit it can have it."""

    def __init__(self, memory: mmap.mmap, path: str = "", handle: int = -1) -> None:
        self.path = path
        self.handle = handle
        """File descriptor to leave to the guardian; -1 when it is not needed any more."""
        self._memory = memory

    @classmethod
    def create(cls, *, is_named: bool) -> Lease:
        """A new page. Named, a process of the same user can open it by `path`. OSError when there is no memory."""
        path = ""
        if is_named:
            path = str(_SHARED / f"harness-{os.getpid()}-{os.urandom(6).hex()}")
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        elif hasattr(os, "memfd_create"):
            handle = os.memfd_create("guardian-lease")
        else:
            with tempfile.TemporaryFile() as file:
                handle = os.dup(file.fileno())
        try:
            os.posix_fallocate(handle, 0, SIZE)  # a page that cannot be had later would end the process
            return cls(mmap.mmap(handle, SIZE), path, handle)
        except BaseException:
            os.close(handle)
            if path:
                os.unlink(path)
            raise

    @classmethod
    def inherited(cls, handle: int) -> Lease:
        """The guardian's."""
        return cls(mmap.mmap(handle, SIZE), "", handle)

    @classmethod
    def open(cls, path: str) -> Lease | None:
        """The supervisor's; None when there is none any more: the machine was started again."""
        try:
            handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            found = os.fstat(handle)
            if found.st_uid not in (os.getuid(), 0) or found.st_size < SIZE:
                return None
            return cls(mmap.mmap(handle, SIZE), path)
        except (OSError, ValueError):
            return None
        finally:
            os.close(handle)

    @property
    def is_open(self) -> bool:
        """Whether this process still has it."""
        return not self._memory.closed

    @property
    def revoked_by(self) -> int:
        """0, GUARDIAN or SUPERVISOR."""
        return self._memory[0]

    def revoke(self, by: int) -> None:
        """Take the right to energise away."""
        self._memory[0] = by

    def beat(self, who: Literal["runner", "guardian"]) -> None:
        """One more sign of life."""
        at = _BEATS[who]
        (count,) = struct.unpack_from("<Q", self._memory, at)
        struct.pack_into("<Q", self._memory, at, count + 1)

    def beats(self) -> tuple[int, int]:
        """How often runner and guardian have given a sign of life."""
        runner, guardian = struct.unpack_from("<QQ", self._memory, _BEATS["runner"])
        return runner, guardian

    def note(self, armed: Sequence[str], sequence: str) -> None:
        """Write down what the run answers for, and the sequence that fits."""
        data = json.dumps({"armed": list(armed), "sequence": sequence}).encode()
        if len(data) > _NOTE_SIZE - 4:  # more switches than fit: all of the station count
            data = json.dumps({"armed": None, "sequence": sequence}).encode()
        other = 1 - self._memory[1] % 2
        at = _NOTES + other * _NOTE_SIZE
        struct.pack_into("<I", self._memory, at, len(data))
        self._memory[at + 4 : at + 4 + len(data)] = data
        self._memory[1] = other

    def noted(self) -> dict[str, Any] | None:
        """What was written down last; None when nothing (legible) was."""
        at = _NOTES + self._memory[1] % 2 * _NOTE_SIZE
        (size,) = struct.unpack_from("<I", self._memory, at)
        try:
            found = json.loads(self._memory[at + 4 : at + 4 + min(size, _NOTE_SIZE - 4)])
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def close_handle(self) -> None:
        """The guardian has it now."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1

    def close(self) -> None:
        """Let go of it; the others keep it."""
        self.close_handle()
        self._memory.close()
