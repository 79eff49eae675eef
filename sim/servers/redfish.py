"""A Redfish service (DSP0266) over plain HTTP/1.1: a tree of resources, sessions, and nothing that can be changed.

Written apart from the harness' client. `tamper` turns it into a liar, see `tests.tools.redfish_misbehaviour`.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.servers.listener import PacedProtocol

ROOT = "/redfish/v1"
SESSIONS = f"{ROOT}/SessionService/Sessions"
MAX_REQUEST = 64 * 1024
REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    404: "Not Found", 405: "Method Not Allowed", 413: "Content Too Large", 503: "Service Unavailable",
}  # fmt: skip

Resource = dict[str, Any]
Tamper = Callable[["Request", bytes], bytes]
"""(request, the honest response's bytes) -> what is sent."""


@dataclass(frozen=True)
class Request:
    """One request, its header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass
class Answer:
    """What is sent back."""

    status: int
    body: Resource | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def encode(self, *, closes: bool) -> bytes:
        """As bytes, with the length of the body."""
        content = b"" if self.body is None else json.dumps(self.body, allow_nan=False).encode()
        lines = [f"HTTP/1.1 {self.status} {REASONS[self.status]}", "OData-Version: 4.0", "Cache-Control: no-cache"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if content:
            lines.append("Content-Type: application/json;charset=utf-8")
        if self.status != 204:
            lines.append(f"Content-Length: {len(content)}")
        if closes:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode() + content


class RedfishService:
    """Serves the resources that `look` gives by path (None: there is none). `http` makes a protocol for a connection.

    With `user` everything but the service root needs the password or a session's token.
    """

    def __init__(
        self,
        look: Callable[[str], Resource | None],
        *,
        user: str = "",
        password: str = "",
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self.look = look
        self.user, self.password = user, password
        self.max_sessions = 4
        self.is_busy = is_busy
        self.sessions: dict[str, str] = {}
        """Path of a session: its token."""
        self.log: list[tuple[str, str]] = []
        """(method, path) of the last requests."""
        self.tamper: Tamper | None = None
        self._numbers = itertools.count(1)

    def http(self) -> HttpProtocol:
        """The protocol of one connection."""
        return HttpProtocol(self)

    def handle(self, request: Request) -> Answer:
        """Answer one request."""
        self.log = [*self.log[-99:], (request.method, request.path)]
        path = request.path.partition("?")[0].rstrip("/")
        if request.method == "POST" and path == SESSIONS:
            return self._log_in(request)
        if path != ROOT and not self._knows(request):
            return error(401, "Base.1.18.NoValidSession", {"WWW-Authenticate": "Basic"})
        if request.method == "DELETE" and path in self.sessions:
            del self.sessions[path]
            return Answer(204)
        if request.method != "GET":
            return error(405, "Base.1.18.ActionNotSupported", {"Allow": "GET"})
        if self.is_busy():
            return error(503, "Base.1.18.ServiceTemporarilyUnavailable", {"Retry-After": "1"})
        resource = self.look(path)
        return error(404, "Base.1.18.ResourceMissingAtURI") if resource is None else Answer(200, resource)

    def _knows(self, request: Request) -> bool:
        if not self.user:
            return True
        if request.headers.get("x-auth-token", "") in self.sessions.values():
            return True
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return request.headers.get("authorization", "") == f"Basic {pair}"

    def _log_in(self, request: Request) -> Answer:
        try:
            given = json.loads(request.body)
            pair = given["UserName"], given["Password"]
        except (ValueError, TypeError, KeyError):
            return error(400, "Base.1.18.MalformedJSON")
        if pair != (self.user, self.password):
            return error(401, "Base.1.18.ResourceAtUriUnauthorized")
        if len(self.sessions) >= self.max_sessions:
            return error(503, "Base.1.18.SessionLimitExceeded")
        number = next(self._numbers)
        path = f"{SESSIONS}/{number}"
        token = base64.urlsafe_b64encode(f"token {number} of {self.user}".encode()).decode().rstrip("=")
        self.sessions[path] = token
        body: Resource = {"@odata.id": path, "@odata.type": "#Session.v1_7_0.Session", "Id": str(number)}
        body |= {"Name": "Session", "UserName": self.user, "Password": None}
        return Answer(201, body, {"Location": path, "X-Auth-Token": token})


def error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """An extended error (DSP0266, 8.7)."""
    body = {"error": {"code": message, "message": "See @Message.ExtendedInfo.", "@Message.ExtendedInfo": []}}
    return Answer(status, body, dict(headers or {}))


class HttpProtocol(PacedProtocol):
    """Requests in, answers out, in order."""

    def __init__(self, service: RedfishService) -> None:
        self._service = service
        self._buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._buffer += data
        while (request := self._next()) is not None:
            closes = "close" in request.headers.get("connection", "").lower()
            sent = self._service.handle(request).encode(closes=closes)
            if self._service.tamper is not None:
                sent = self._service.tamper(request, sent)
            self.transport.write(sent)
            if closes or self.transport.is_closing():
                self.transport.close()
                return
        if len(self._buffer) > MAX_REQUEST:
            self._refuse(413)

    def _next(self) -> Request | None:
        head, end, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not end:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        parts = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = headers.get("content-length", "0")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1.") or not length.isdigit() or "host" not in headers:
            self._refuse(400)
            return None
        if len(rest) < int(length):
            return None
        del self._buffer[: len(head) + 4 + int(length)]
        return Request(parts[0], parts[1], headers, rest[: int(length)])

    def _refuse(self, status: int) -> None:
        self._buffer.clear()
        self.transport.write(error(status, "Base.1.18.GeneralError").encode(closes=True))
        self.transport.close()
