"""From the events of the YAML parser to plain data with positions, refusing what input files may not contain.

The events have exact marks (`harness.schema.yaml_events`); building the data is done here, without recursion and
without a constructor that a tag could reach. Mistakes after which the rest still makes sense are collected; only a
syntax error, a bound or a second document ends the loading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.schema.document import Loc, Place
from harness.schema.problems import MAX_PROBLEMS, Problem, shown
from harness.schema.scalars import resolve
from harness.schema.yaml_events import events

MAX_DEPTH = 32
MAX_NODES = 20_000
MAX_SCALAR_BYTES = 8 * 1024

_NODES = ("Scalar", "MappingStart", "SequenceStart", "Alias")
# Terminal escapes and text that reads in another order than it is stored have no place in a file that is shown.
HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
"""Characters that have no place in an input file, neither as they are nor as an escape."""


@dataclass(slots=True)
class Composed:
    """What came out: data, positions, collected problems and the places they refuse."""

    data: Any
    places: dict[Loc, Place]
    problems: list[Problem]
    refused: set[Loc]


@dataclass(slots=True)
class _Frame:
    """A mapping or list that is still open. `key` waits for its value; None asks for a key."""

    loc: Loc
    container: dict[str, Any] | list[Any]
    key: str | None = None
    key_at: tuple[int, int] = (1, 1)
    is_dropped: bool = False
    """The children are read for their own mistakes only: the container itself was refused as a key or duplicate."""
    is_full: bool = False
    """What follows belongs to an entry of a list of its own, whose '- ' is missing."""


class _StopError(Exception):
    """Loading cannot go on; the reason is already among the problems."""


class _Composer:
    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self.out = Composed(None, {}, [], set())
        self.stack: list[_Frame] = []
        self.lines: list[str] = []
        self.nodes = 0
        self.documents = 0

    def run(self) -> Composed:
        for event in self._events():
            self._take(event)
        if self.documents == 0:
            self._note((1, 1), "HX-1101", "the file is empty")
        return self.out

    def _events(self) -> Iterator[Any]:
        try:
            yield from events(self.text)
        except Exception as error:  # foreign code fed with hostile text: what it stumbles over is a mistake of the file
            from harness.schema.yaml_messages import explained

            self._stop(*explained(error, self.text))

    def _take(self, event: Any) -> None:
        mark = event.start_mark
        at = (mark.line + 1, mark.column + 1)
        kind = type(event).__name__.removesuffix("Event")
        if kind in _NODES:
            self.nodes += 1
            if self.nodes > MAX_NODES:
                self._stop(at, "HX-1003", f"more than {MAX_NODES} values", "split the file")
        if kind == "Alias":
            self._note(at, "HX-1103", f"aliases (*{event.anchor}) are not allowed", "write the value again")
            self._place(None, at, is_refused=True)
        elif kind in _NODES:
            self._properties(event, at)
            if kind == "Scalar":
                self._scalar(event, at)
            else:
                self._open({} if kind == "MappingStart" else [], at)
        elif kind in ("MappingEnd", "SequenceEnd"):
            self.stack.pop()
        elif kind == "DocumentStart":
            self._document(event, at)

    def _document(self, event: Any, at: tuple[int, int]) -> None:
        self.documents += 1
        if self.documents > 1:
            self._stop(at, "HX-1107", "a second document begins here", "write one document to a file")
        if event.version is not None and tuple(event.version) != (1, 2):
            version = ".".join(str(part) for part in event.version)
            self._note(
                (1, 1), "HX-1107", f"YAML {version} is not read here", "remove the %YAML line; the rules are 1.2"
            )
        if event.tags:
            self._note((1, 1), "HX-1104", "%TAG is not allowed", "remove the line")

    def _properties(self, event: Any, at: tuple[int, int]) -> None:
        if event.anchor is not None:
            self._note(at, "HX-1103", f"anchors (&{event.anchor}) are not allowed", "remove it")
        if event.tag is not None:
            written = str(event.tag).replace("tag:yaml.org,2002:", "!!", 1)
            self._note(at, "HX-1104", f"tags ({shown(written)[1:-1]}) are not allowed", "remove it, and quote text")

    def _open(self, container: dict[str, Any] | list[Any], at: tuple[int, int]) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self._stop(at, "HX-1003", f"nested deeper than {MAX_DEPTH} levels")
        loc, is_dropped = self._place(container, at)
        self.stack.append(_Frame(loc, container, is_dropped=is_dropped))

    def _scalar(self, event: Any, at: tuple[int, int]) -> None:
        text: str = event.value
        is_refused = False
        value: Any = text
        if len(text) > MAX_SCALAR_BYTES or len(text.encode("utf-8", "replace")) > MAX_SCALAR_BYTES:
            self._note(at, "HX-1003", f"a text of more than {MAX_SCALAR_BYTES // 1024} KiB")
            value, is_refused = None, True
        elif found := HIDDEN.search(text):
            code = f"U+{ord(found[0]):04X}"
            self._note(at, "HX-1002", f"the hidden character {code} is not allowed in a text")
            value, is_refused = None, True
        elif event.tag is None and not event.style:
            try:
                value = resolve(text)
            except ValueError as error:
                self._note(at, "HX-1105", str(error), "quote it if it is meant as text")
                value, is_refused = None, True
        if self._wants_key():
            self._key(text, value, not event.style, at, is_refused=is_refused)
        else:
            frame = self.stack[-1] if self.stack else None
            if not text and not event.style and frame is not None and frame.key and frame.key_at != (0, 0):
                at = frame.key_at  # the scanner marks a missing value at the next word, lines below
            self._place(value, at, is_refused=is_refused)

    def _wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].container, dict) and self.stack[-1].key is None

    def _key(self, text: str, value: Any, is_plain: bool, at: tuple[int, int], *, is_refused: bool) -> None:  # noqa: FBT001
        frame = self.stack[-1]
        if frame.is_full:
            is_refused = True
        elif is_plain and text == "<<":
            self._note(at, "HX-1103", "merge keys (<<) are not allowed", "write the values again")
            is_refused = True
        elif is_plain and self._is_decimal_comma(text, at):
            *_, last = frame.container
            number = self._line(at)[: at[1] - 2].split()[-1].rpartition(":")[2]
            self._note(at, "HX-1105", f"a decimal comma: {number},{text}", f"write {number}.{text}")
            self.out.refused.add((*frame.loc, last))
            is_refused = True
        elif not isinstance(value, str) and not is_refused:
            what = "an empty key" if value is None and not text else f"the key {text} is not text"
            self._note(at, "HX-1106", what, f'quote it: "{text}"' if text else "write a name before the ':'")
            is_refused = True
        elif not is_refused and text in frame.container:
            first = self.out.places.get((*frame.loc, text))
            where = f", first in line {first[2]}" if first and not frame.is_dropped else ""
            frame.is_full = self._begins_entry(frame, text)
            hint = "begin each entry of the list with '- '" if frame.is_full else "keep one of them"
            self._note(at, "HX-1102", f"the key {shown(text)} is given twice{where}", hint)
            is_refused = True
        # A refused key keeps its value's mistakes visible but puts nothing into the data.
        frame.key = "" if is_refused else text
        frame.key_at = (0, 0) if is_refused else at

    def _begins_entry(self, frame: _Frame, key: str) -> bool:
        """Whether a mapping is an entry of a list, and began with this key."""
        is_entry = len(self.stack) > 1 and isinstance(self.stack[-2].container, list)
        return is_entry and next(iter(frame.container)) == key

    def _line(self, at: tuple[int, int]) -> str:
        if not self.lines:
            self.lines = self.text.split("\n")
        return self.lines[at[0] - 1]

    def _is_decimal_comma(self, text: str, at: tuple[int, int]) -> bool:
        """Whether what looks like a key are the digits behind a comma: `{max: 45,5 degC}`."""
        if not text[:1].isdigit() or at[1] < 3:
            return False
        before = self._line(at)[at[1] - 3 : at[1] - 1]
        return before[:1].isdigit() and before[1:] == ","

    def _place(self, value: Any, at: tuple[int, int], *, is_refused: bool = False) -> tuple[Loc, bool]:
        """Put a value where the open container expects it; (its place, whether it was dropped)."""
        if not self.stack:
            self.out.data = value
            return self._put((), at, at, is_refused=is_refused), False
        frame = self.stack[-1]
        if isinstance(frame.container, list):
            loc = (*frame.loc, len(frame.container))
            frame.container.append(value)
            if frame.is_dropped:
                return loc, True
            return self._put(loc, at, at, is_refused=is_refused), False
        if frame.key is None:
            # A mapping, list or alias where a key should be.
            if isinstance(value, dict | list):
                self._note(at, "HX-1106", "a key must be text, not a mapping or a list", "did you forget quotes?")
            frame.key, frame.key_at = "", (0, 0)
            return frame.loc, True
        key, key_at = frame.key, frame.key_at
        frame.key = None
        loc = (*frame.loc, key)
        if key_at == (0, 0):
            return loc, True
        frame.container[key] = value
        if frame.is_dropped:
            return loc, True
        return self._put(loc, at, key_at, is_refused=is_refused), False

    def _put(self, loc: Loc, at: tuple[int, int], key_at: tuple[int, int], *, is_refused: bool) -> Loc:
        self.out.places[loc] = (*at, *key_at)
        if is_refused:
            self.out.refused.add(loc)
        return loc

    def _note(self, at: tuple[int, int], code: str, message: str, hint: str = "") -> None:
        self.out.problems.append(Problem(self.name, at[0], at[1], code, message, hint))
        if len(self.out.problems) >= MAX_PROBLEMS:
            raise _StopError

    def _stop(self, at: tuple[int, int], code: str, message: str, hint: str = "") -> None:
        self.out.problems.append(Problem(self.name, at[0], at[1], code, message, hint))
        raise _StopError


@lru_cache(maxsize=128)
def load_yaml(text: str, name: str) -> tuple[Composed, bool]:
    """Compose one document; (what came out, whether loading got to the end). Nobody changes what came out.

    Composing costs 10 to 100 ms a profile; a process that loads many stations meets the same few profiles again.
    """
    composer = _Composer(text, name)
    try:
        return composer.run(), True
    except _StopError:
        return composer.out, False
