"""The one owner of a connection to a Redfish service (DSP0266). It reads resources and writes none.

```
 closed --get()--> connect --> [log in] --> GET --200, JSON, right @odata.id--> open
   ^                                         |-- 401 with an old token: log in once more, ask again
   |                                         |-- 401, 403, 404 ---------> open      RefusedError
   |                                         |-- 429, 5xx --------------> open      RefusedError, is_busy
   |                                         |-- 200, and no resource --> open      NoResourceError
   |                                         |-- anything else ---------> closed    ProtocolViolationError
   |                                         '-- deadline, end ---------> closed    UnreachableError
   '------ DELETE of the session, when there is one <---- close()
```

The only things ever sent beside GET are the POST that opens a session and the DELETE that ends it.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from harness.clock import HarnessLoop
from harness.errors import DeviceError, ProtocolViolationError, RefusedError, Trouble, UnreachableError
from harness.secret import Secret
from harness.transport.counters import Counters
from harness.transport.foreign import unreachable
from harness.transport.network import Network
from harness.transport.pacing import Pacing
from harness.transport.redfish.connection import Connection, IdleClosed
from harness.transport.redfish.http import BadResponse, Response
from harness.transport.redfish.resource import FEW_VALUES, SHORT, JsonObject, is_path, parse_resource, same_path, weight
from harness.transport.redfish.session import Session
from harness.transport.redfish.tls import Tls

SESSIONS = "/redfish/v1/SessionService/Sessions"
_GOODBYE_S = 1.0
_MAX_PAGES = 50
_SHOWN = 200
"""Characters shown of what a service sends."""
_UNAUTHORISED = 401


class NoResourceError(ProtocolViolationError):
    """A whole response with the right status, and what it holds is no resource: it costs this one, not the others."""


class SlowError(UnreachableError):
    """The service is there, and did not answer one request in time."""


class LostError(UnreachableError):
    """The connection was lost before the response had come whole."""


_Kind = TypeVar("_Kind", SlowError, LostError)


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
        self._session = Session()
        self._good_path = ""
        self._denied: set[str] = set()
        """Resources that the service says 401 to although the session is good."""
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
        """One resource. RefusedError (`vendor_code` is the HTTP status), UnreachableError, ProtocolViolationError.

        NoResourceError is the violation that concerns only this resource.
        """
        return await self._read(path, path)

    async def _read(self, address: str, path: str) -> JsonObject:
        """The resource `path` from `address` (the same, or a page of it), as who we are."""
        async with self._turn:
            if not self._uses_session:
                return await self._resource(path, await self._exchange("GET", address, self._proof()))
            session = self._session
            if session.is_doubtful(self._now()):
                await self._replace()
                session.failed(self._now(), is_refused=False)  # not again for every loss that follows
            elif not session.token:
                await self._log_in()
            response = await self._exchange("GET", address, self._proof())
            if response.status == _UNAUTHORISED and session.is_proven and path not in self._denied:
                await self._replace()  # it has timed out at the service: that is no refusal
                response = await self._exchange("GET", address, self._proof())
                if response.status == _UNAUTHORISED and await self._is_answered_elsewhere(path):
                    self._denied.add(path)
            if response.status != _UNAUTHORISED:
                self._good_path = path
                self._denied.discard(path)
                session.answered()
            elif path not in self._denied:
                session.failed(self._now(), is_refused=True)
                await self._end(session.path, self._proof())
                session.dropped()
            return await self._resource(path, response)

    async def _is_answered_elsewhere(self, path: str) -> bool:
        """Whether the token is good for what was read before, so that only this resource is denied to the user."""
        if not self._good_path or self._good_path == path:
            return False
        return (await self._exchange("GET", self._good_path, self._proof())).status != _UNAUTHORISED

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    async def members(self, path: str) -> list[str]:
        """The paths of a collection's members, in the service's order, over all its pages."""
        found: dict[str, None] = {}
        page: object = path
        for _ in range(_MAX_PAGES):
            collection = await self._read(str(page), path)
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

    async def close(self) -> None:
        """End the session, if there is one, within a second; close for good."""
        self._is_shut = True
        if self._turn.locked() and self._connection is not None:
            self._connection.abort()  # whoever waits there for an answer waits no longer
        async with self._turn:
            await self._end(self._session.path, self._proof())
            self._session.dropped()
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.abort()
                await connection.wait_closed()

    # --- proving who asks

    def _proof(self) -> Mapping[str, str]:
        if self._session.token:
            return {"X-Auth-Token": self._session.token.reveal()}
        if self._user and not self._uses_session:
            pair = f"{self._user}:{self._password.reveal()}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return {}

    async def _log_in(self) -> None:
        if wait := self._session.wait(self._now()):
            raise RefusedError(
                f"the log-in was refused or not answered; the next try is in {wait:.0f} s",
                device=self.name,
                operation="log in",
                hint="check the user and the password, and how many sessions the service allows",
                trouble=Trouble.CREDENTIALS,
                vendor_code=_UNAUTHORISED,
            )
        body = json.dumps({"UserName": self._user, "Password": self._password.reveal()}).encode()
        try:
            response = await self._exchange("POST", SESSIONS, {}, body)
        except DeviceError:
            self._session.failed(self._now(), is_refused=False)
            raise
        if response.status != 201:
            self._session.failed(self._now(), is_refused=response.status in (400, 401, 403))
            raise self._refused(SESSIONS, response, "log in")
        token = response.headers.get("x-auth-token", "")
        session = urlsplit(response.headers.get("location", "")).path
        if not token or not token.isascii() or not token.isprintable() or not is_path(session):
            self._session.failed(self._now(), is_refused=True)
            raise self._violation(BadResponse("a session without a token, or at no place"), "log in")
        self._session.opened(token, session)

    async def _replace(self) -> None:
        """Log in again, and close the session before: a service holds few, and forgets them late."""
        old = self._session.dropped()
        await self._log_in()
        await self._end(old, self._proof())

    async def _end(self, session: str, proof: Mapping[str, str]) -> None:
        """Close a session of ours, within a second; what comes of it does not matter: it times out at the service."""
        if session:
            with contextlib.suppress(DeviceError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await self._exchange("DELETE", session, proof, is_last=True)

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
                raise self._of_kind(SlowError, error, path, what) from error
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

    async def _resource(self, path: str, response: Response) -> JsonObject:
        if path in self._denied:
            response.status = 403
        if response.status != 200:
            raise self._refused(path, response, path)
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if kind != "application/json":
                raise BadResponse(f"expected application/json, got {kind[:48]!r}")
            resource = await _parsed(response.body)
        except BadResponse as error:
            raise self._no_resource(error, path) from error
        named = resource.get("@odata.id")
        if not isinstance(named, str):
            raise self._no_resource(BadResponse("a resource without a name (@odata.id)"), path)
        if not same_path(named, path):
            raise self._violation(BadResponse(f"expected the resource {path}, got {named[:96]!r}"), path)
        return resource

    def _no_resource(self, error: BadResponse, path: str) -> NoResourceError:
        self.counters.violations += 1
        return NoResourceError(str(error), device=self.name, operation=path)

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

    def _lost(self, error: Exception, operation: str) -> LostError:
        self.counters.lost += 1
        self._session.lost()
        return self._of_kind(LostError, error, operation, "the connection was lost")

    def _of_kind(self, kind: type[_Kind], error: Exception, operation: str, what: str) -> _Kind:
        found = unreachable(error, device=self.name, operation=operation, what=what)
        return kind(found.message, device=self.name, operation=operation, hint=found.hint, trouble=found.trouble)


async def _parsed(body: bytes) -> JsonObject:
    """The JSON of a body; one that may take more than 10 ms is parsed beside the loop, which has a rack to watch."""
    loop = asyncio.get_running_loop()
    is_small = len(body) <= SHORT and weight(body) <= FEW_VALUES
    if is_small or (isinstance(loop, HarnessLoop) and loop.is_virtual):
        return parse_resource(body)
    return await asyncio.to_thread(parse_resource, body)
