"""Files of a record, opened to be read: a record may come from anywhere, and what stands in it may be anything."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path


def open_part(path: Path) -> BufferedReader:
    """A regular file; OSError for anything else. Waits for nobody (FIFO), touches no device, follows no link."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path.name} is not a regular file")
    return os.fdopen(handle, "rb")


def read_part(path: Path) -> bytes:
    """The bytes of a regular file; OSError as `open_part`."""
    with open_part(path) as file:
        return file.read()
