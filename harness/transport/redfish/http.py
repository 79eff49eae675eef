"""HTTP/1.1 responses (RFC 9112) as they come over the wire, believed only when they are exactly right.

Whatever two readers could understand differently is refused: two lengths, a length beside chunks, bare line feeds,
folded headers. A whole response counts whatever follows it, and so does the status of a refusal whose body never comes
whole; the connection is not used again then. Every bound on size has one on pieces beside it: a megabyte in chunks of
one byte costs seconds. No I/O happens here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_HEAD = 32 * 1024
"""Longest status line and headers together, bytes."""
MAX_BODY = 1024 * 1024
"""Longest body, bytes: a resource of a device is some kilobytes."""
MAX_FIELDS = 100
"""Most headers, and most trailers."""
MAX_PIECES = 8192
"""Most pieces in which a response arrives."""
MAX_CHUNKS = 2048
"""Most chunks of a body: half a kilobyte each for the longest; more may come in one piece and cost 7 us each."""
_CHUNK_LINE = 256
_LINE = 1024
"""Longest status line of which a refusal is believed, bytes."""
_BLANK = 4
"""Line ends before a status line that are no part of a response: some services send one behind every response."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_DIGITS = re.compile(r"[0-9]{1,12}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e]*)?")


class BadResponse(Exception):  # noqa: N818 (what has come, mapped to an error by the client)
    """The bytes are no response that can be trusted."""


@dataclass(slots=True)
class Response:
    """One whole response. Header names are in lower case; a repeated header is joined with ', '."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    keeps_open: bool = False
    """Whether the connection may carry another request."""


class ResponseParser:
    """Takes the bytes of one response, in drips or at once."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._response: Response | None = None
        self._body = bytearray()
        self._left = 0
        self._mode = "head"
        self._pieces = 0
        self._chunks = 0
        self._trailers = 0
        self._blanks = 0
        self.has_begun = False

    def feed(self, data: bytes) -> Response | None:
        """The response once it is whole; it does not keep the connection open when bytes follow it.

        BadResponse when it is none.
        """
        self.has_begun = self.has_begun or bool(data)
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            raise BadResponse(f"the response comes in more than {MAX_PIECES} pieces")
        self._buffer += data
        while True:
            before = self._mode, len(self._buffer), len(self._body)
            whole = self._step()
            if whole is not None:
                whole.keeps_open = whole.keeps_open and not self._buffer and not self._blanks
                return whole
            if before == (self._mode, len(self._buffer), len(self._body)):
                return None

    def refusal(self) -> Response | None:
        """What is known of a response that will not come whole, when its status says no: that much is believed."""
        response = self._response
        if response is None:
            line, end, _ = bytes(self._buffer[:_LINE]).partition(b"\r\n")
            match = _STATUS.fullmatch(line)
            response = Response(int(match[2])) if end and match is not None else Response(0)
        return Response(response.status, response.headers) if response.status >= 400 else None

    def end(self) -> Response | None:
        """The peer has closed: the response, when its end is marked by just that; None when it is not whole."""
        response = self._response
        if self._mode != "rest" or response is None:
            return None
        response.body = bytes(self._body)
        return response

    def _step(self) -> Response | None:
        if self._mode == "head":
            return self._take_head()
        if self._mode == "length":
            self._take(self._left)
            return self._done() if self._left == 0 else None
        if self._mode == "rest":
            self._take(len(self._buffer))
            return None
        return self._take_chunked()

    def _take(self, most: int) -> None:
        part = self._buffer[:most]
        del self._buffer[: len(part)]
        self._left -= len(part)
        self._body += part
        if len(self._body) > MAX_BODY:
            raise BadResponse(f"the body is longer than {MAX_BODY} bytes")

    def _done(self) -> Response:
        assert self._response is not None
        self._response.body = bytes(self._body)
        return self._response

    # --- the head

    def _take_head(self) -> Response | None:
        while self._blanks < _BLANK and self._buffer.startswith((b"\r", b"\n")):
            del self._buffer[:1]
            self._blanks += 1
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadResponse(f"the headers are longer than {MAX_HEAD} bytes")
            if self._buffer and not b"HTTP/1.".startswith(self._buffer[:7]):
                raise BadResponse(f"expected an HTTP/1.x response, got {bytes(self._buffer[:32])!r}")
            return None
        if end > MAX_HEAD:
            raise BadResponse(f"the headers are longer than {MAX_HEAD} bytes")
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        response, minor = self._status(lines[0])
        self._response = response
        if len(lines) > MAX_FIELDS:
            raise BadResponse(f"more than {MAX_FIELDS} headers")
        for line in lines[1:]:
            self._header(response, line)
        return self._frame(response, minor)

    def _status(self, line: bytes) -> tuple[Response, int]:
        match = _STATUS.fullmatch(line)
        if match is None:
            raise BadResponse(f"expected an HTTP/1.x status line, got {line[:64]!r}")
        if match[2].startswith(b"1"):
            raise BadResponse(f"status {match[2].decode()} was not asked for")
        return Response(int(match[2])), int(match[1])

    def _header(self, response: Response, line: bytes) -> None:
        name, value = _field(line, "header")
        known = response.headers.get(name)
        if known is not None and name in ("content-length", "transfer-encoding", "content-type", "x-auth-token"):
            raise BadResponse(f"two headers {name}")
        response.headers[name] = value if known is None else f"{known}, {value}"

    def _frame(self, response: Response, minor: int) -> Response | None:
        """How the end of the body is told (RFC 9112, 6.3)."""
        headers = response.headers
        wishes = {wish.strip().lower() for wish in headers.get("connection", "").split(",")}
        response.keeps_open = "close" not in wishes and (minor == 1 or "keep-alive" in wishes)
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise BadResponse(f"the body is {headers['content-encoding'][:32]!r}, which was not asked for")
        if coding is not None:
            if length is not None:
                raise BadResponse("a length and chunks at the same time")
            if coding.lower() != "chunked" or minor == 0:
                raise BadResponse(f"unknown transfer coding {coding[:32]!r}")
            self._mode = "chunk"
            return None
        if length is not None:
            if _DIGITS.fullmatch(length) is None:
                raise BadResponse(f"the length is {length[:32]!r}")
            self._left = int(length)
            if self._left > MAX_BODY:
                raise BadResponse(f"the body is to be {self._left} bytes, the most is {MAX_BODY}")
            if response.status == 204 and self._left:
                raise BadResponse("status 204 with a body")
            self._mode = "length"
            return None
        if response.status in (204, 304):
            return response
        if response.keeps_open:
            raise BadResponse("neither a length nor chunks nor a close tell where the body ends")
        self._mode = "rest"  # cut off, a JSON object cannot be read as another: its last brace is missing
        return None

    # --- chunks

    def _take_chunked(self) -> Response | None:
        if self._mode == "data":
            self._take(self._left)
            if self._left == 0:
                self._mode = "gap"
            return None
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _CHUNK_LINE:
                raise BadResponse("a chunk without a size")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        if self._mode == "gap":
            if line:
                raise BadResponse("a chunk is longer than its size")
            self._mode = "chunk"
        elif self._mode == "trailer":
            if not line:
                return self._done()
            _field(line, "trailer")
            self._trailers += 1
            if self._trailers > MAX_FIELDS:
                raise BadResponse(f"more than {MAX_FIELDS} trailers")
        else:
            match = _CHUNK.fullmatch(line)
            if match is None:
                raise BadResponse(f"a chunk without a size: {line[:32]!r}")
            self._left = int(match[1], 16)
            self._chunks += 1
            if self._chunks > MAX_CHUNKS:
                raise BadResponse(f"the body comes in more than {MAX_CHUNKS} chunks")
            if self._left + len(self._body) > MAX_BODY:
                raise BadResponse(f"the body is longer than {MAX_BODY} bytes")
            self._mode = "data" if self._left else "trailer"
        return None


def _field(line: bytes, what: str) -> tuple[str, str]:
    """Name in lower case and value of a header line; in time that grows with its length and no faster."""
    name, colon, value = line.partition(b":")
    if not colon or _NAME.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
        raise BadResponse(f"a {what} that is none: {line[:64]!r}")
    return name.decode().lower(), value.strip(b" \t").decode("latin-1")
