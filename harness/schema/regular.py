"""Files of people and of records, read whole: only regular ones, only so long, and never with a wait."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from harness.schema.problems import Problem, ProblemsError


class IrregularError(OSError):
    """What stands there is no regular file."""


def open_regular(path: Path, *, follow: bool = True) -> BufferedReader:
    """A regular file, opened to be read; IrregularError for anything else, OSError as the system has it.

    Waits for nobody (FIFO) and touches no device. Without `follow` a link is none either: a record may come from
    anywhere, and what stands in it may be anything.
    """
    # O_NONBLOCK: opening a FIFO that nobody writes must not wait.
    links = 0 if follow else os.O_NOFOLLOW
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | links)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise IrregularError("this is a folder" if stat.S_ISDIR(mode) else "this is not a regular file")


def read_regular(path: Path, most: int, name: str = "") -> bytes:
    """The bytes of a regular file of at most `most` bytes; ProblemsError calls it `name`.

    Never reads without end: by length, for what stat says about a growing or synthetic file need not be true.
    """
    name = name or str(path)
    try:
        file = open_regular(path)
    except FileNotFoundError:
        raise refused(name, "HX-1001", "no such file") from None
    except PermissionError:
        raise refused(name, "HX-1001", "permission denied") from None
    except IrregularError as error:
        raise refused(name, "HX-1001", str(error)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise refused(name, "HX-1001", f"cannot be opened ({reason})") from None
    with file:
        try:
            found = file.read(most + 1)
        except OSError as error:
            raise refused(name, "HX-1001", f"cannot be read ({error.strerror})") from None
    if len(found) > most:
        raise refused(name, "HX-1003", f"the file is longer than {most // 1024} KiB")
    return found


def refused(name: str, code: str, message: str) -> ProblemsError:
    """What is wrong with a file as a whole."""
    return ProblemsError([Problem(name, 0, 0, code, message)])


def is_regular(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
