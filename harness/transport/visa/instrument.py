"""SCPI instruments: one owner, one query at a time, a deadline on everything, never the answer to another question.

pyvisa hands a late answer to the next query, and stays one answer behind for ever. So after anything but a clean
answer the session is closed and another one is opened before the next query; `clear()` is never called (pyvisa-py's
loops for ever when the peer has closed).

Two kinds of session carry the text: `PyvisaSession` (any VISA resource, in a thread of its own) and `SocketSession`
(SCPI over TCP through the `Network` seam, on the loop, so that virtual time works).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from harness.errors import ConfigError, DeviceError, ProtocolViolationError, RefusedError, Trouble, UnreachableError
from harness.transport.counters import Counters
from harness.transport.foreign import hexed, unreachable
from harness.transport.pacing import Pacing
from harness.transport.visa.manners import Unasked, suggested
from harness.transport.visa.session import Abandoned, IdleClosed, Session, Unfinished

MAX_ABANDONED = 8
"""Blocked driver threads an instrument may leave behind before it is given up."""
MAX_ERRORS_DRAINED = 32
MAX_ERROR_TEXT = 256
"""Characters kept of one error entry; SCPI-99 allows 255."""
_TEXT = bytes(range(0x20, 0x7F)) + b"\t"


_NEVER_HEARD = (
    "it takes connections, so power and network are fine, but it has never said a word: check the port, and whether it "
    "speaks SCPI with lines ending in LF there"
)


class Instrument:
    """A strict SCPI session with one instrument. `timeout` [s] covers a whole query, reopening not included."""

    def __init__(
        self, session_factory: Callable[[], Session], *, name: str, timeout: float = 3.0, connects: bool = False
    ) -> None:
        """`connects`: whether an open session proves that somebody is there (a socket does, a serial line does not)."""
        self.name = name
        self._connects = connects
        self._is_connected = False
        self._has_answered = False
        self.timeout = timeout
        self.counters = Counters()
        self._make_session = session_factory
        self._session: Session | None = None
        self._turn = asyncio.Lock()
        self._pacing = Pacing()
        self._left_behind: list[Session] = []
        self._is_shut = False
        self._said: deque[bytes] = deque(maxlen=3)
        """The last lines sent in this session."""

    @property
    def is_open(self) -> bool:
        """Whether a session is up. It need not be: queries open one."""
        return self._session is not None

    async def open(self) -> None:
        """Connect now. UnreachableError when nobody answers."""
        self._is_shut = False
        async with self._turn:
            await self._opened("open")

    async def close(self) -> None:
        """Close the session; a query in progress is not waited for, it ends with UnreachableError."""
        self._is_shut = True
        await self._drop()

    async def query(self, text: str, timeout: float | None = None) -> str:
        """Send `text` and return the one line of printable ASCII that answers it, without surrounding blanks."""
        if (session := self._session) is not None and not self._turn.locked():
            known = session.at_once(text)
            if known is not None and known.isascii() and known.isprintable():
                self.counters.requests += 1
                self._pacing.answered()
                return known.strip()
        line = _checked(text)
        limit = self.timeout if timeout is None else timeout
        async with self._turn:
            answer = await self._carried(lambda session: session.ask(line, limit), text, limit)
            self._pacing.answered()
            self._has_answered = True
            if odd := answer.translate(None, _TEXT):
                await self._drop()
                what = f"expected one line of printable ASCII, got byte {odd[0]:#04x} [{hexed(answer)}]"
                raise self._violation(what, text)
            return answer.decode("ascii").strip()

    async def write(self, text: str) -> None:
        """Send `text`, which has no answer. Returning means sent, not obeyed: drain the errors or read back."""
        line = _checked(text)
        async with self._turn:
            await self._carried(lambda session: session.write(line, self.timeout), text, self.timeout)

    async def drain_errors(self, query: str = "SYST:ERR?") -> list[str]:
        """Read the instrument's error queue until it says 0 (at most 32 entries); the entries, oldest first.

        Source: SCPI-99 volume 2, 21.8: `<number>,"<text>"`, 0 means empty. RefusedError when it never empties.
        """
        errors: list[str] = []
        for _ in range(MAX_ERRORS_DRAINED):
            entry = await self.query(query)
            number = entry.split(",", 1)[0].strip()
            try:
                is_empty = int(number) == 0
            except ValueError:
                await self._drop()
                hint = suggested(entry.encode() + b"\n", self._said)
                if hint:
                    hint += ", or another `error_query`"
                raise self._violation(
                    f"expected an error number, got {entry[:MAX_ERROR_TEXT]!r}", query, hint
                ) from None
            if is_empty:
                return errors
            errors.append(entry[:MAX_ERROR_TEXT])
        raise RefusedError(
            f"the error queue still has entries after {MAX_ERRORS_DRAINED}, the last: {errors[-1]}",
            device=self.name,
            operation=query,
            hint="look at it, and at `error_query`",
            vendor_code=errors[-1],
        )

    async def _carried(
        self, work: Callable[[Session], Coroutine[Any, Any, bytes | None]], operation: str, limit: float
    ) -> bytes:
        """Do one thing with the session; once more with a new one if the old was closed before anything was sent."""
        session = await self._opened(operation)
        self.counters.requests += 1
        self._said.append(operation.encode())
        try:
            answer = await self._guarded(work(session), operation, limit)
        except IdleClosed:
            session = await self._opened(operation)
            try:
                answer = await self._guarded(work(session), operation, limit)
            except IdleClosed as error:
                raise self._error(error, operation, limit) from error
        if self._session is not session:
            raise self._closed_here("the session was closed meanwhile", operation)
        return answer

    async def _opened(self, operation: str) -> Session:
        """The session that is up, or a new one."""
        if self._is_shut:
            raise self._closed_here("the instrument is closed", operation)
        if self._session is not None:
            return self._session
        self._left_behind = [session for session in self._left_behind if session.is_blocked]
        if max(self.counters.abandoned, len(self._left_behind)) > MAX_ABANDONED:
            raise UnreachableError(
                f"given up: its driver blocked more than {MAX_ABANDONED} times",
                device=self.name,
                operation=operation,
                hint="check the instrument and its interface, then start again",
            )
        await self._pacing.wait()
        session = self._session = self._make_session()
        self._said.clear()
        self._is_connected = False
        try:
            await self._guarded(session.open(self.timeout), operation, self.timeout)
        except DeviceError:
            self.counters.connect_failures += 1
            raise
        self.counters.connects += 1
        self._is_connected = self._connects
        return session

    async def _guarded(self, work: Coroutine[Any, Any, bytes | None], operation: str, limit: float) -> bytes:
        """Run one session call. Whatever goes wrong, cancellation included, costs the session."""
        is_clean = False
        try:
            done = await work
            is_clean = True
        except IdleClosed:
            raise
        except (Unasked, Abandoned, OSError, EOFError) as error:
            raise self._error(error, operation, limit) from error
        finally:
            if not is_clean:
                await self._drop()
        return done or b""

    def _error(self, error: Exception, operation: str, limit: float) -> DeviceError:
        """The one place where what went wrong in a session becomes an error of the harness."""
        if isinstance(error, Unasked):
            return self._violation(str(error), operation, suggested(error.data, self._said))
        if isinstance(error, Abandoned):
            self.counters.abandoned += 1
            self.counters.timeouts += 1
            return UnreachableError(
                f"the driver did not come back within {limit:g} s and was left behind "
                f"({self.counters.abandoned} of at most {MAX_ABANDONED})",
                device=self.name,
                operation=operation,
                hint="check the instrument and its interface",
            )
        if isinstance(error, TimeoutError) and not error.errno:
            self.counters.timeouts += 1
            whole = " whole" if isinstance(error, Unfinished) else ""
            what = f"no{whole} answer within {limit:g} s"
            lost = unreachable(error, device=self.name, operation=operation, what=what)
            lost.trouble = Trouble.OTHERWISE if whole else Trouble.SILENT
            if self._is_connected and not whole and not self._has_answered:
                lost.hint = _NEVER_HEARD
            return lost
        self.counters.lost += 1
        return unreachable(error, device=self.name, operation=operation, what="the session was lost")

    def _violation(self, what: str, operation: str, hint: str = "") -> ProtocolViolationError:
        self.counters.violations += 1
        return ProtocolViolationError(what, device=self.name, operation=operation, hint=hint)

    def _closed_here(self, what: str, operation: str) -> UnreachableError:
        return UnreachableError(what, device=self.name, operation=operation, trouble=Trouble.OURS)

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            if session.is_blocked:
                self._left_behind.append(session)


def _checked(text: str) -> bytes:
    """One line of SCPI as bytes."""
    line = text.encode("ascii", errors="replace")
    if not line.strip() or not text.isascii() or any(byte not in _TEXT for byte in line):
        raise ConfigError(f"{text!r} is not one line of printable ASCII")
    return line
