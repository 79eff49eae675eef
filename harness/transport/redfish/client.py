"""The one owner of a connection to a Redfish service (DSP0266). It reads resources and writes none.

```
 closed --get()--> connect --> [log in] --> GET --200, JSON, right @odata.id--> open
   ^                                         |-- 401 with an old token: log in once more, ask again
   |                                         |-- 401, 403, 404 ---------> open      RefusedError
   |                                         |-- 429, 5xx --------------> open      RefusedError, is_busy
   |                                         |-- anything else ---------> closed    ProtocolViolationError
   |                                         '-- deadline, end ---------> closed    UnreachableError
   '------ DELETE of the session, when there is one <---- close()
```

The only things ever sent beside GET are the POST that opens a session and the DELETE that ends it.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.errors import DeviceError, ProtocolViolationError, RefusedError, Trouble, UnreachableError
from harness.secret import Secret
from harness.transport.counters import Counters
from harness.transport.foreign import unreachable
from harness.transport.network import Network
from harness.transport.pacing import Pacing
from harness.transport.redfish.connection import Connection, IdleClosed
from harness.transport.redfish.http import BadResponse, Response
from harness.transport.redfish.resource import JsonObject, is_path, parse_resource, same_path

SESSIONS = "/redfish/v1/SessionService/Sessions"
_GOODBYE_S = 1.0
_MAX_PAGES = 50
_SHOWN = 200
"""Characters shown of what a service sends."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How the service proves who it is: by the system's authorities, by one file of them, or by its fingerprint."""

    ca: str = ""
    """File of certificates (PEM) to trust instead of the system's."""
    fingerprint: str = ""
    """SHA-256 of the service's own certificate, 64 hexadecimal digits: for certificates that sign themselves."""
    unchecked: bool = False
    """Anybody may answer: encrypted, but not proved."""

    def context(self) -> ssl.SSLContext:
        """As asyncio wants it. OSError when the file cannot be read."""
        context = ssl.create_default_context(cafile=self.ca or None)
        if self.fingerprint or self.unchecked:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


class RedfishClient:
    """GETs resources one at a time over one connection that is kept open.

    `timeout` [s] runs from the request to the last byte of its response. Without `user` nothing is proved to the
    service; with one a session is opened (and closed at the end), or the password is sent with every request
    (`uses_session` false).
    """

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        *,
        tls: Tls | None = None,
        user: str = "",
        password: Secret | None = None,
        uses_session: bool = True,
        name: str = "",
        timeout: float = 2.0,
        connect_timeout: float = 3.0,
    ) -> None:
        self.name = name or f"{host}:{port}"
        self.timeout = timeout
        self.counters = Counters()
        self._network = network
        self._host, self._port = host, port
        self._tls = tls
        self._context: ssl.SSLContext | None = None
        self._user, self._password = user, password or Secret()
        self._uses_session = uses_session and bool(user)
        self._connect_timeout = connect_timeout
        self._connection: Connection | None = None
        self._token = Secret()
        self._session = ""
        self._pacing = Pacing()
        self._turn = asyncio.Lock()
        self._is_shut = False

    @property
    def is_open(self) -> bool:
        """Whether the connection is up right now. It need not be: requests open it."""
        return self._connection is not None and self._connection.is_open

    async def open(self) -> None:
        """Connect, log in if there is a user, and see that the service root is one."""
        self._is_shut = False
        await self.get("/redfish/v1/")

    async def get(self, path: str) -> JsonObject:
        """One resource. RefusedError (`vendor_code` is the HTTP status), ProtocolViolationError, UnreachableError."""
        async with self._turn:
            for may_log_in in (True, False):
                had_token = bool(self._token)
                if self._uses_session and not had_token:
                    await self._log_in()
                response = await self._exchange("GET", path, self._proof())
                if response.status == 401 and had_token and may_log_in:
                    self._token, self._session = Secret(), ""  # the session has timed out: that is no refusal
                    continue
                break
            return self._resource(path, response)

    async def members(self, path: str) -> list[str]:
        """The paths of a collection's members, in the service's order, over all its pages."""
        found: dict[str, None] = {}
        page: object = path
        for _ in range(_MAX_PAGES):
            collection = await self._page(str(page), path)
            members = collection.get("Members")
            ids = [each.get("@odata.id") if isinstance(each, dict) else None for each in members or ()]
            if not isinstance(members, list) or not all(map(is_path, ids)):
                raise self._violation(BadResponse("a collection without Members that can be asked for"), path)
            found.update(dict.fromkeys(map(str, ids)))
            page = collection.get("Members@odata.nextLink")
            if page is None:
                return list(found)
            if not isinstance(page, str) or not is_path(page.partition("?")[0]) or not page.isprintable():
                raise self._violation(BadResponse(f"a next page at {str(page)[:64]!r}"), path)
        raise self._violation(BadResponse(f"a collection of more than {_MAX_PAGES} pages"), path)

    async def _page(self, page: str, path: str) -> JsonObject:
        if page == path:
            return await self.get(path)
        async with self._turn:
            return self._resource(path, await self._exchange("GET", page, self._proof()))

    async def close(self) -> None:
        """End the session, if there is one, within a second; close for good."""
        self._is_shut = True
        if self._turn.locked() and self._connection is not None:
            self._connection.abort()  # whoever waits there for an answer waits no longer
        async with self._turn:
            if self._session and self.is_open:
                try:
                    async with asyncio.timeout(_GOODBYE_S):
                        await self._exchange("DELETE", self._session, self._proof(), is_last=True)
                except (DeviceError, TimeoutError):
                    pass  # it times out at the service
            self._token, self._session = Secret(), ""
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.abort()
                await connection.wait_closed()

    # --- proving who asks

    def _proof(self) -> Mapping[str, str]:
        if self._token:
            return {"X-Auth-Token": self._token.reveal()}
        if self._user and not self._uses_session:
            pair = f"{self._user}:{self._password.reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}

    async def _log_in(self) -> None:
        body = json.dumps({"UserName": self._user, "Password": self._password.reveal()}).encode()
        response = await self._exchange("POST", SESSIONS, {}, body)
        if response.status != 201:
            raise self._refused(SESSIONS, response, "log in")
        token = response.headers.get("x-auth-token", "")
        session = urlsplit(response.headers.get("location", "")).path
        if not token or not token.isascii() or not token.isprintable() or not is_path(session):
            raise self._violation(BadResponse("a session without a token, or at no place"), "log in")
        self._token, self._session = Secret(token), session

    # --- one exchange

    async def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", *, is_last: bool = False
    ) -> Response:
        """Send one request. A GET is sent once more when a kept connection was closed before it was answered."""
        request = self._request(method, path, headers, body)
        connection = self._connection
        if connection is not None and connection.violation is not None:
            self.counters.violations += 1
        for is_fresh in (False, True):
            was_open = self._connection is not None and self._connection.is_open
            connection = self._connection if was_open else await self._dial(path, is_last=is_last)
            assert connection is not None
            self.counters.requests += 1
            try:
                response = await connection.ask(request, asyncio.get_running_loop().time() + self.timeout)
            except IdleClosed as error:
                if was_open and connection.is_used and not is_fresh and method == "GET":
                    continue
                raise self._lost(error, path) from error
            except BadResponse as error:
                raise self._violation(error, path) from error
            except TimeoutError as error:
                self.counters.timeouts += 1
                what = f"no whole answer within {self.timeout:g} s"
                raise unreachable(error, device=self.name, operation=path, what=what) from error
            except (OSError, EOFError) as error:
                raise self._lost(error, path) from error
            self._pacing.answered()
            return response
        raise AssertionError("the second try either answers or raises")

    def _request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        host = f"[{self._host}]" if ":" in self._host else self._host
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}:{self._port}", "Accept: application/json"]
        lines += ["Accept-Encoding: identity", "OData-Version: 4.0", "User-Agent: rack-harness"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    async def _dial(self, operation: str, *, is_last: bool) -> Connection:
        if self._is_shut and not is_last:
            raise UnreachableError("the link is closed", device=self.name, operation=operation, trouble=Trouble.OURS)
        await self._pacing.wait()
        connection = Connection()
        try:
            if self._tls is not None and self._context is None:
                self._context = self._tls.context()
            async with asyncio.timeout(self._connect_timeout):
                fingerprint = self._tls.fingerprint if self._tls is not None else ""
                await connection.open(self._network, self._host, self._port, self._context, fingerprint)
        except (OSError, EOFError, UnicodeError, OverflowError) as error:
            connection.abort()
            self.counters.connect_failures += 1
            what = f"cannot connect to {self._host}:{self._port} within {self._connect_timeout:g} s"
            raise unreachable(error, device=self.name, operation=operation, what=what) from error
        except BaseException:
            connection.abort()
            raise
        self.counters.connects += 1
        self._connection = connection
        return connection

    # --- judging a response

    def _resource(self, path: str, response: Response) -> JsonObject:
        if response.status != 200:
            raise self._refused(path, response, path)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if kind != "application/json":
                raise BadResponse(f"expected application/json, got {kind[:48]!r}")
            resource = parse_resource(response.body)
            named = resource.get("@odata.id")
            if not isinstance(named, str) or not same_path(named, path):
                raise BadResponse(f"expected the resource {path}, got {str(named)[:96]!r}")
        except BadResponse as error:
            raise self._violation(error, path) from error
        return resource

    def _refused(self, path: str, response: Response, operation: str) -> DeviceError:
        """What a status other than the right one means (DSP0266, 8.6)."""
        status = response.status
        is_busy = status == 429 or status >= 500
        if 300 <= status < 400:
            return self._redirected(path, response, operation)
        if status not in (401, 403, 404) and not is_busy:
            return self._violation(BadResponse(f"status {status} to a request for {path}"), operation)
        self.counters.refused += 1
        hint = self._what_to_prove(status)
        return RefusedError(
            f"the service answered status {status}",
            device=self.name,
            operation=operation,
            hint=hint,
            trouble=Trouble.CREDENTIALS if status == 401 else Trouble.UNKNOWN,
            vendor_code=status,
            is_busy=is_busy,
        )

    def _what_to_prove(self, status: int) -> str:
        """What to do about a refusal that is about who asks."""
        if status == 401 and not self._user:
            return "it wants a log-in: name a credentials file in the station file"
        whose = f"of user {self._user!r}" if self._user else "without a log-in"
        return {401: f"check the user and the password {whose}", 403: f"reading this is not allowed {whose}"}.get(
            status, ""
        )

    def _redirected(self, path: str, response: Response, operation: str) -> DeviceError:
        """A redirect is never followed: what it names may be another device, and the password would go there."""
        self._count_violation()
        place = response.headers.get("location", "")[:_SHOWN]
        hint = "write the scheme, host and port that it names into the address"
        if operation == "log in":
            hint = f"{hint}, or `method: basic` into the credentials file: then nothing logs in"
        return ProtocolViolationError(
            f"status {response.status} to a request for {path}: it redirects to {place!r}, which is not followed",
            device=self.name,
            operation=operation,
            hint=hint,
            trouble=Trouble.REDIRECTS,
        )

    def _count_violation(self) -> None:
        self.counters.violations += 1
        if self._connection is not None:
            self._connection.abort()

    def _violation(self, error: BadResponse, operation: str) -> ProtocolViolationError:
        self._count_violation()
        return ProtocolViolationError(str(error), device=self.name, operation=operation)

    def _lost(self, error: Exception, operation: str) -> UnreachableError:
        self.counters.lost += 1
        return unreachable(error, device=self.name, operation=operation, what="the connection was lost")
