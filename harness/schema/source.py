"""Loading of input files: bytes -> plain data with positions -> checked models, with every mistake at once.

    source = read_source("plan.yaml")          # ProblemsError: unreadable, or not YAML
    plan = validate(source, Plan)              # ProblemsError: everything else, all at once

Mistakes after which loading can go on (duplicate keys, tags, aliases, NaN...) wait in `source.problems` until
`validate` raises them with its own, or until `source.check()`.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.schema.document import Loc, Source
from harness.schema.parameters import substitute
from harness.schema.problems import Problem, ProblemsError
from harness.schema.regular import read_regular, refused
from harness.schema.validation import validate, validate_part
from harness.schema.yaml_loader import HIDDEN, load_yaml
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
    return _parse(read_regular(Path(path), MAX_BYTES, name), name, Path(path))


def parse_source(text: bytes, name: str) -> Source:
    """Load the bytes of a file called `name`; ProblemsError when they are not YAML."""
    if len(text) > MAX_BYTES:
        raise refused(name, "HX-1003", f"the file is longer than {MAX_BYTES // 1024} KiB")
    return _parse(text, name, None)


def _parse(text: bytes, name: str, path: Path | None) -> Source:
    composed, is_complete = load_yaml(_decode(text, name), name)
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
