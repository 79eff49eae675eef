"""What a write-ahead log holds behind the part that SQLite believes: a torn or flipped tail, kept as evidence.

SQLite stops reading its log at the first page whose checksum does not match and says nothing about what lay behind it.
Here it is said, and the bytes are kept: https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from harness.telemetry.files import create_file

_HEADER = 32
_FRAME = 24
_PAGE = 4096
"""What a page is taken for when the header cannot be believed, bytes."""


def quarantine_tail(journal: Path, believed: int) -> str:
    """Keep what lies behind the first `believed` frames of the journal's log beside it, durably; '' when that is none.

    Frames of an earlier round of the log (other salts) are no loss. Call before anything is written to the journal;
    OSError when the copy cannot be made.
    """
    log = journal.with_name(journal.name + "-wal")
    data = log.read_bytes() if log.is_file() else b""
    frames = _lost_frames(data, believed)
    if not frames:
        return ""
    target = next(path for k in range(1, 10_000) if not (path := journal.with_name(f"journal-cut-{k}.bin")).exists())
    with os.fdopen(create_file(target), "wb") as file:
        file.write(data[_behind(data, believed) :])
        file.flush()
        os.fsync(file.fileno())
    what = "torn, damaged or of a commit that did not finish"
    return f"{frames} pages at the end of the journal's log are {what}: cut, kept as {target.name}"


def _behind(data: bytes, believed: int) -> int:
    return _HEADER + believed * (_FRAME + int.from_bytes(data[8:12], "big")) if believed else 0


def _lost_frames(data: bytes, believed: int) -> int:
    """How many frames of this round of the log (a part of one counts) are not believed."""
    if len(data) <= _HEADER:
        return 0
    if not believed and not _is_header(data):
        return 1 + (len(data) - _HEADER) // (_FRAME + _PAGE)
    size = _FRAME + int.from_bytes(data[8:12], "big")
    starts = range(_HEADER + believed * size, len(data), size)
    ours = [k for k, start in enumerate(starts) if data[start + 8 : start + 16] == data[16:24]]
    return ours[-1] + 1 if ours else 0


def _is_header(data: bytes) -> bool:
    """Whether the log's header matches its checksum."""
    magic = int.from_bytes(data[:4], "big")
    order = ">" if magic & 1 else "<"
    first = second = 0
    for one, two in struct.iter_unpack(f"{order}II", data[:24]):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + two + first) & 0xFFFFFFFF
    return magic >> 1 == 0x377F0682 >> 1 and struct.pack(">II", first, second) == data[24:32]
