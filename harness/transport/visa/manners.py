"""What an instrument may say to one line, and in which order. Pure: no I/O happens here.

```
 connected    [greeting lines] [prompt]
 a query      [echo] answer [prompt]
 a setting    [echo] [acknowledgement] [prompt]
```
What stands in brackets is allowed only where the profile says so, and is then awaited. Anything else is refused: it
could be the answer to another question.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from harness.transport.foreign import hexed

MAX_REPLY = 1 << 18
"""Bytes of the longest line: 256 KiB of text."""

_LOOKED_AT = 1024
"""Bytes of what was said unasked that tell how the instrument talks."""


class Unasked(Exception):  # noqa: N818 (it never leaves the transport)
    """The instrument spoke without being asked, or said something else than it may."""

    def __init__(self, what: str, data: bytes = b"") -> None:
        super().__init__(f"{what} [{hexed(data)}]")
        self.data = data


@dataclass(frozen=True, slots=True)
class Manners:
    """What an instrument says besides its answers, on sockets and serial lines; nothing by default."""

    greeting: tuple[str, ...] | None = None
    """How the lines begin that it says when it is connected to (sockets only), '' for an empty line; None: none, and
    no prompt either."""
    prompt: str = ""
    """What it writes behind the greeting, every answer and every setting."""
    echo: bool = False
    """Whether it says every line again that it is sent."""
    acknowledge: str | None = None
    """The line that it says to a setting, '' for an empty one; None: none."""

    def welcome(self) -> Turn:
        """What comes when it is connected to."""
        if self.greeting is None:
            return Turn([], "")
        return Turn([("greeting", text.encode()) for text in self.greeting], self.prompt)

    def turn(self, line: bytes, *, is_query: bool) -> Turn:
        """What comes when it is sent a line."""
        lines = [("echo", line)] if self.echo else []
        if is_query:
            lines.append(("answer", b""))
        elif self.acknowledge is not None:
            lines.append(("acknowledgement", self.acknowledge.encode()))
        return Turn(lines, self.prompt)


class Turn:
    """Takes what the instrument says, in drips or at once, until all of it has come."""

    def __init__(self, lines: Sequence[tuple[str, bytes]], prompt: str) -> None:
        self.answer = b""
        self._left = deque(lines)
        self._prompt = prompt.encode()
        self._buffer = bytearray()
        self._scanned = 0
        self._last = b""

    @property
    def is_silent(self) -> bool:
        """Whether nothing may be said at all."""
        return not self._left and not self._prompt

    def feed(self, data: bytes) -> bool:
        """Whether all has come. `Unasked` for what may not be said."""
        self._buffer += data
        while self._left:
            end = self._buffer.find(b"\n", self._scanned)
            if max(end, len(self._buffer) if end < 0 else 0) > MAX_REPLY:
                raise Unasked(f"an answer longer than {MAX_REPLY} bytes", bytes(self._buffer[:64]))
            if end < 0:
                self._scanned = len(self._buffer)
                return False
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            self._scanned = 0
            self._last = line
            self._take(line.removesuffix(b"\r"))
        return self._is_prompted()

    def _take(self, line: bytes) -> None:
        kind, text = self._left.popleft()
        if kind == "answer":
            self.answer = line
        elif line != text and not (kind == "greeting" and text and line.startswith(text)):
            raise Unasked(f"expected the {kind} {text.decode()!r}, got", line + b"\n")

    def _is_prompted(self) -> bool:
        rest = bytes(self._buffer)
        if self._prompt.startswith(rest):
            return rest == self._prompt
        what = f"expected the prompt {self._prompt.decode()!r}" if self._prompt else "expected one line"
        raise Unasked(f"{what}, got more", self._last[-MAX_REPLY:] + b"\n" + rest)

    @property
    def missing(self) -> str:
        """What has not come yet, and what has come of it; '' when nothing has come at all."""
        if not self._buffer and not self._last:
            return ""
        what = f"the {self._left[0][0]}" if self._left else f"the prompt {self._prompt.decode()!r}"
        came = f", only [{hexed(bytes(self._buffer))}]" if self._buffer else ""
        return f"{what} did not come{came}"


def suggested(data: bytes, said: Sequence[bytes]) -> str:
    """What to write into the profile of an instrument that said `data` unasked, after the lines `said`; '' unknown."""
    data = data[:_LOOKED_AT]
    if not data or any(byte > 0x7E for byte in data):
        return ""
    lines = data.replace(b"\r", b"").split(b"\n")
    tail, first = lines[-1].decode(), lines[0].decode()
    if any(line == first.encode() for line in said):
        keys = "`echo: true`"
    elif tail:
        keys = f"`prompt: {json.dumps(tail)}`"
    elif len(lines) > 2:
        return ""
    else:
        keys = f"`acknowledge: {json.dumps(first)}`"
        if len(said) <= 2:
            keys = f"`greeting: [{json.dumps(first)}]` or {keys}"
    return f"it answers, so power and cable are fine; its profile may need {keys} under `scpi`"
