"""Files of people, read whole: only regular ones, only so long, and never with a wait."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from harness.schema.problems import Problem, ProblemsError


def read_regular(path: Path, most: int, name: str = "") -> bytes:
    """The bytes of a regular file of at most `most` bytes; ProblemsError calls it `name`.

    Never waits (FIFO), never reads without end (/dev/zero), and touches no device.
    """
    name = name or str(path)
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes must not wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise refused(name, "HX-1001", "no such file") from None
    except PermissionError:
        raise refused(name, "HX-1001", "permission denied") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refused(name, "HX-1001", f"cannot be opened ({reason})") from None
    try:
        return _whole(descriptor, most, name)
    except OSError as error:
        raise refused(name, "HX-1001", f"cannot be read ({error.strerror})") from None
    finally:
        os.close(descriptor)


def _whole(descriptor: int, most: int, name: str) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise refused(name, "HX-1001", f"this is {kind}")
    chunks, length = [], 0
    # By length: what stat says about a growing or synthetic file need not be true.
    while length <= most and (chunk := os.read(descriptor, most + 1 - length)):
        chunks.append(chunk)
        length += len(chunk)
    if length > most:
        raise refused(name, "HX-1003", f"the file is longer than {most // 1024} KiB")
    return b"".join(chunks)


def refused(name: str, code: str, message: str) -> ProblemsError:
    """What is wrong with a file as a whole."""
    return ProblemsError([Problem(name, 0, 0, code, message)])
