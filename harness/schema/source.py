"""Loading of input files: bytes -> plain data with positions -> checked models, with every mistake at once.

    source = read_source("plan.yaml")          # ProblemsError: unreadable, or not YAML
    plan = validate(source, Plan)              # ProblemsError: everything else, all at once

Mistakes after which loading can go on (duplicate keys, tags, aliases, NaN...) wait in `source.problems` until
`validate` raises them with its own, or until `source.check()`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from harness.schema.compose import HIDDEN, compose
from harness.schema.document import Loc, Source
from harness.schema.parameters import substitute
from harness.schema.problems import Problem, ProblemsError
from harness.schema.validation import validate, validate_part
from harness.utf8 import utf8

__all__ = ["MAX_BYTES", "Loc", "Source", "parse_source", "read_source", "substitute", "validate", "validate_part"]

MAX_BYTES = 256 * 1024
"""Longest file."""

_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\xef\xbb\xbf", "a byte order mark"),
)


def read_source(path: Path | str) -> Source:
    """Read one file; ProblemsError when it cannot be read or is not YAML. Problems name the path as given."""
    name = utf8(str(path))
    return _parse(_read(Path(path), name), name, Path(path))


def parse_source(text: bytes, name: str) -> Source:
    """Load the bytes of a file called `name`; ProblemsError when they are not YAML."""
    if len(text) > MAX_BYTES:
        raise _refused(name, "HX-1003", _too_long())
    return _parse(text, name, None)


def _parse(text: bytes, name: str, path: Path | None) -> Source:
    composed, is_complete = compose(_decode(text, name), name)
    if not is_complete or not composed.places:
        raise ProblemsError(composed.problems)
    return Source(
        path=path,
        name=name,
        sha256=hashlib.sha256(text).hexdigest(),
        data=composed.data,
        places=composed.places,
        problems=tuple(composed.problems),
        refused=frozenset(composed.refused),
    )


def _too_long() -> str:
    return f"the file is longer than {MAX_BYTES // 1024} KiB"


def _refused(name: str, code: str, message: str, hint: str = "") -> ProblemsError:
    return ProblemsError([Problem(name, 0, 0, code, message, hint)])


def _read(path: Path, name: str) -> bytes:
    """The bytes of a regular file; never waits (FIFO), never reads without end (/dev/zero)."""
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes must not wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise _refused(name, "HX-1001", "no such file") from None
    except PermissionError:
        raise _refused(name, "HX-1001", "permission denied") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(name, "HX-1001", f"cannot be opened ({reason})") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise _refused(name, "HX-1001", f"this is {kind}")
        chunks, length = [], 0
        # By length: what stat says about a growing or synthetic file need not be true.
        while length <= MAX_BYTES and (chunk := os.read(descriptor, MAX_BYTES + 1 - length)):
            chunks.append(chunk)
            length += len(chunk)
    except OSError as error:
        raise _refused(name, "HX-1001", f"cannot be read ({error.strerror})") from None
    finally:
        os.close(descriptor)
    if length > MAX_BYTES:
        raise _refused(name, "HX-1003", _too_long())
    return b"".join(chunks)


def _decode(text: bytes, name: str) -> str:
    for mark, encoding in _ENCODINGS:
        if text.startswith(mark):
            raise ProblemsError(
                [Problem(name, 1, 1, "HX-1002", f"the file begins with {encoding}", "save it as UTF-8 without BOM")]
            )
    try:
        decoded = text.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = _position(text[: error.start].decode("utf-8"))
        problem = Problem(
            name, line, column, "HX-1002", f"byte 0x{text[error.start]:02X} is not UTF-8", "save as UTF-8"
        )
        raise ProblemsError([problem]) from None
    if found := HIDDEN.search(decoded):
        line, column = _position(decoded[: found.start()])
        message = f"the hidden character U+{ord(found[0]):04X} is not allowed"
        raise ProblemsError([Problem(name, line, column, "HX-1002", message, "remove it")])
    return decoded


def _position(before: str) -> tuple[int, int]:
    lines = before.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return len(lines), len(lines[-1]) + 1
