"""The file seam: whole files that are either the old one or the new one, and a reserve for the last words.

Order matters more than anything: data, fsync, rename, fsync of the directory. A file that was written any other way
may be empty after a power cut although the program was told it was there.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from pathlib import Path

FOLDER_MODE = 0o750
FILE_MODE = 0o640
"""A record is for its owner to write and for the group of the data folder to read."""
RESERVE_BYTES = 1 << 20
"""Space that is set aside at the start of a run and given back when the disk is full."""


def sync_directory(folder: Path) -> None:
    """Make the entries of a directory durable (rename and create are not, until this returns)."""
    handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path, *, is_new: bool = False) -> None:
    """Make a folder and what is missing above it, all with `FOLDER_MODE`, whatever the umask. OSError as mkdir.

    One that is there stays as somebody has made it; with `is_new` that is FileExistsError.
    """
    missing = [path]
    missing += [each for each in path.parents if not each.exists()]
    for folder in reversed(missing):
        try:
            folder.mkdir(FOLDER_MODE)
        except FileExistsError:
            if folder == path and (is_new or not path.is_dir()):
                raise
            continue
        os.chmod(folder, FOLDER_MODE | (folder.stat().st_mode & stat.S_ISGID))


def create_file(path: Path) -> int:
    """Make a new file with `FILE_MODE`, whatever the umask, open for writing; FileExistsError, for a link too."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
    os.fchmod(handle, FILE_MODE)
    return handle


def atomic_write(path: Path, content: bytes, *, mode: int = FILE_MODE) -> None:
    """Replace `path` by `content`, durably: readers and power cuts see the old file or the new one, never a part.

    The temporary file is in the same folder, because a rename does not cross file systems. OSError when it fails;
    then `path` is what it was.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    sync_directory(path.parent)


class Reserve:
    """A preallocated file that `release` gives back, so that the final record fits on a disk that has run full."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, size: int = RESERVE_BYTES) -> None:
        """Allocate real blocks (not a hole); OSError when they are not there."""
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(handle, 0, size)
            else:
                os.write(handle, bytes(size))
        except OSError:
            os.close(handle)
            self.release()
            raise
        os.close(handle)

    def release(self) -> None:
        """Give the space back; harmless when it is already gone."""
        with contextlib.suppress(OSError):
            self.path.unlink()
