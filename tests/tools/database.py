"""A database that answers writes as a script says: statuses, headers, delays, lies and dropped connections.

Written against the line protocol reference, not against the harness: it splits lines and identifies points by itself,
so that two points which the harness takes for different but a database would merge are seen here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

Point = tuple[bytes, int]
"""What identifies a point: measurement with its tag set, and the stamp in ns."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer.

    `stores` keeps the lines before answering (default: exactly when the status is 204). `drop` closes the connection
    without an answer, after storing if `stores`.
    """

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    drop: bool = False
    stores: bool | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def lines(self) -> list[bytes]:
        """The lines of the body."""
        return self.body.split(b"\n")


def split_line(line: bytes) -> tuple[bytes, bytes, int]:
    """Series (measurement and tags), fields and stamp of a line; ValueError when it is not line protocol."""
    parts: list[bytes] = []
    current = bytearray()
    is_escaped = is_quoted = False
    for byte in line:
        if is_escaped:
            is_escaped = False
        elif byte == 0x5C:
            is_escaped = True
        elif byte == 0x22 and len(parts) == 1:
            is_quoted = not is_quoted
        elif byte == 0x20 and not is_quoted:
            parts.append(bytes(current))
            current.clear()
            continue
        current.append(byte)
    parts.append(bytes(current))
    if len(parts) != 3 or is_quoted or not parts[0] or b"=" not in parts[1]:
        raise ValueError(f"not line protocol: {line[:80]!r}")
    return parts[0], parts[1], int(parts[2])


class ScriptedDatabase:
    """An HTTP server on a free loopback port: `with ScriptedDatabase([Reply(503), Reply(204)]) as database`.

    Replies are used up in order; after the last one everything is stored and answered with 204. `refuses` (a predicate
    on a line) makes it answer 400 to every request that holds such a line, the way InfluxDB refuses a whole batch, or
    422 with `is_partial`, when the good lines are stored. `limit` is the largest body it takes (else 413).
    """

    def __init__(
        self,
        script: Sequence[Reply] = (),
        *,
        refuses: Callable[[bytes], bool] | None = None,
        is_partial: bool = False,
        limit: int | None = None,
        port: int = 0,
    ) -> None:
        self.script = list(script)
        self.refuses = refuses
        self.is_partial = is_partial
        self.limit = limit
        self.requests: list[Request] = []
        self.points: dict[Point, bytes] = {}
        self.conflicts: list[Point] = []
        self.port = port
        self.pause = threading.Event()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Listen; after `stop`, on the same port again."""
        database = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                reply = database.judge(Request(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                if reply.delay:
                    database.pause.wait(reply.delay)
                if reply.drop:
                    self.close_connection = True
                    return
                self.send_response(reply.status)
                for name, text in reply.headers.items():
                    self.send_header(name, text)
                if reply.status != 204:
                    self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                if reply.status != 204:
                    try:
                        self.wfile.write(reply.body)
                    except OSError:  # the client had enough of a huge body
                        self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it so)
                """Say nothing: the requests are kept instead."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: object, client_address: object) -> None:
                """A client that goes away is part of the tests."""

        self.pause.clear()
        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="scripted-database")
        self._thread.start()

    def stop(self) -> None:
        """Close the port; connections are refused from now on."""
        if self._server is None or self._thread is None:
            return
        self.pause.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._server = self._thread = None

    def judge(self, request: Request) -> Reply:
        """Decide on a request and keep what is to be kept."""
        with self._lock:
            self.requests.append(request)
            reply = self.script.pop(0) if self.script else self._normal(request)
            if reply.stores if reply.stores is not None else reply.status == 204 and not reply.drop:
                self._store(request.lines)
            return reply

    def _normal(self, request: Request) -> Reply:
        if self.limit is not None and len(request.body) > self.limit:
            return Reply(413, body=b'{"code":"request too large"}')
        bad = [line for line in request.lines if self._is_bad(line)]
        if not bad:
            return Reply()
        if self.is_partial:
            self._store([line for line in request.lines if line not in bad])
        return Reply(422 if self.is_partial else 400, body=b'{"code":"invalid","message":"unable to parse a line"}')

    def _is_bad(self, line: bytes) -> bool:
        if self.refuses is not None and self.refuses(line):
            return True
        try:
            split_line(line)
        except ValueError:
            return True
        return False

    def _store(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            try:
                series, fields, stamp = split_line(line)
            except ValueError:
                continue
            if self.points.setdefault((series, stamp), fields) != fields:
                self.conflicts.append((series, stamp))
