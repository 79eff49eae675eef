"""pyvisa (with pyvisa-py) in a thread of its own per session: a blocked driver harms nobody else.

The thread is a daemon fed by a queue, not an executor: an executor's threads are joined at interpreter exit, and a
driver that never comes back would keep the station from ending.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import queue
import select
import socket as sockets
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from harness.transport.visa.manners import MAX_REPLY, Manners, Turn, Unasked
from harness.transport.visa.session import Abandoned, IdleClosed, Unfinished

T = TypeVar("T")
_GRACE_S = 0.25
"""How much longer than its own deadline a driver call may take before it is left behind."""
_opening = threading.Lock()
"""pyvisa's resource manager is one per process and is not made for threads; opening is the only time it is shared."""


def mapped(error: Exception) -> Exception:
    """What pyvisa and pyvisa-py raise, as OSError (TimeoutError among them): the one place where it crosses over.

    Everything is mapped, also what is not known: pyvisa-py raises bare `Exception` when it cannot connect.
    """
    from pyvisa import constants, errors

    if isinstance(error, Unasked | EOFError):
        return error
    if isinstance(error, errors.VisaIOError):
        code = error.error_code
        if code == constants.StatusCode.error_timeout:
            return TimeoutError("the instrument did not answer")
        if code == constants.StatusCode.error_connection_lost:
            return ConnectionError("the connection was lost")
        return ConnectionError(f"VISA says {error.abbreviation}: {error.description}")
    if isinstance(error, OSError) and not isinstance(error, errors.Error):
        return error
    return ConnectionError(f"the VISA driver failed: {type(error).__name__}: {error}")


class Worker:
    """One daemon thread that does one thing after another and can be left behind."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, work: Callable[[], T], timeout: float) -> T:
        """Do `work` in the thread. `Abandoned` when it is not back `timeout` seconds after being asked."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def job() -> None:
            try:
                result = work()
            except Exception as error:
                _tell(loop, done, None, error)
            else:
                _tell(loop, done, result, None)

        self._jobs.put(job)
        try:
            finished, _ = await asyncio.wait([done], timeout=timeout)
        finally:
            done.cancel()  # does nothing to what is done; else (also when cancelled here) nobody waits any more
        if not finished:
            raise Abandoned(f"not back after {timeout:g} s")
        return done.result()

    def end(self, last: Callable[[], None]) -> asyncio.Future[None]:
        """Do `last` when the thread is free again, whenever that is, then end it; the future tells."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        self._jobs.put(last)
        self._jobs.put(lambda: _tell(loop, ended, None, None))
        self._jobs.put(None)
        return ended

    def join(self) -> None:
        """After `end` has told: the thread is in its last instruction."""
        self._thread.join(0.1)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _tell(loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    """Hand the outcome to the loop, unless nobody waits any more or the loop is gone."""

    def finish() -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    try:
        loop.call_soon_threadsafe(finish)
    except RuntimeError:  # the loop is closed: the harness has ended and this thread was left behind
        return


def _real(seconds: float) -> float:
    """Seconds of the loop's clock as seconds of a driver's, which knows nothing of a loop that runs faster."""
    rate = getattr(asyncio.get_running_loop(), "rate", 1.0)
    return seconds / rate if 0 < rate < float("inf") else seconds


class PyvisaSession:
    """One pyvisa resource from open to close, owned by one thread."""

    def __init__(self, resource: str, manners: Manners = Manners()) -> None:  # noqa: B008 (frozen)
        self._name = resource
        self._manners = manners
        self._is_line_based = resource.upper().endswith("::SOCKET") or resource.upper().startswith("ASRL")
        self._worker: Worker | None = None
        self._resource: Any = None
        self._is_busy = False

    async def open(self, timeout: float) -> None:
        """Open the resource."""
        real = _real(timeout)
        self._worker = Worker(f"visa {self._name}")
        await self._do(lambda: self._open(real), timeout)

    async def write(self, line: bytes, timeout: float) -> None:
        """Send one line."""
        real = _real(timeout)
        await self._do(lambda: self._write(line, real), timeout)

    def at_once(self, text: str) -> None:
        """None: a real instrument takes its time."""

    async def ask(self, line: bytes, timeout: float) -> bytes:
        """Send one line, return the line that answers it."""
        real = _real(timeout)
        return await self._do(lambda: self._ask(line, real), timeout)

    @property
    def is_blocked(self) -> bool:
        """Whether the thread is still inside the driver."""
        return self._is_busy

    async def close(self) -> None:
        """Close in the thread. A thread that is inside the driver closes when it comes back; that is not awaited."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        ended = worker.end(self._close)
        if not self._is_busy:
            finished, _ = await asyncio.wait([ended], timeout=_GRACE_S)
            if finished:
                worker.join()

    async def _do(self, work: Callable[[], T], timeout: float) -> T:
        if self._worker is None:
            raise EOFError("the session is not open")

        def counted() -> T:
            self._is_busy = True
            try:
                return work()
            finally:
                self._is_busy = False

        self._is_busy = True
        try:
            return await self._worker.do(counted, timeout + _GRACE_S)
        except Abandoned:
            raise
        except Exception as error:
            raise mapped(error) from error

    def _open(self, timeout: float) -> None:
        import pyvisa

        options: dict[str, Any] = {}
        if self._is_line_based:
            options = {"read_termination": "\n", "write_termination": "\n"}
        if not _opening.acquire(timeout=timeout):
            raise TimeoutError("another instrument's driver blocks opening")
        try:
            manager = pyvisa.ResourceManager("@py")
        finally:
            _opening.release()
        unregister = getattr(manager, "_atexit_handler", None)
        if unregister is not None:  # closing everything at exit would wait for instruments that do not answer
            atexit.unregister(unregister)
        self._resource = manager.open_resource(self._name, open_timeout=int(timeout * 1000), **options)
        self._resource.timeout = timeout * 1000
        socket = self._socket()
        if socket is not None:
            number = socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_ERROR)  # pyvisa-py takes refused for connected
            if number:
                raise OSError(number, os.strerror(number))
            self._hear(self._manners.welcome(), time.monotonic() + timeout)

    def _write(self, line: bytes, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        self._send(line, timeout)
        if self._is_line_based:
            self._hear(self._manners.turn(line, is_query=False), deadline)

    def _send(self, line: bytes, timeout: float) -> None:
        try:
            waiting = self._unread()
        except (EOFError, ConnectionError) as error:
            raise IdleClosed(str(error)) from error
        if waiting:
            raise Unasked("nothing was asked, but it said", waiting)
        self._resource.timeout = timeout * 1000
        self._resource.write_raw(line + b"\n")  # IEEE 488.2, 7.5: NL with END suits every instrument

    def _ask(self, line: bytes, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        self._send(line, timeout)
        if not self._is_line_based:
            return self._message(deadline)
        turn = self._manners.turn(line, is_query=True)
        self._hear(turn, deadline)
        with contextlib.suppress(EOFError, ConnectionError):  # one that hangs up after its answer has answered
            if more := self._unread():
                turn.feed(more)
        return turn.answer

    def _hear(self, turn: Turn, deadline: float) -> None:
        """Wait until all has come that the instrument may say, before `deadline` (of time.monotonic)."""
        from pyvisa.errors import VisaIOError

        is_whole = turn.is_silent
        while not is_whole:
            try:
                is_whole = turn.feed(self._receive(deadline)[0])
            except (TimeoutError, VisaIOError) as error:
                failure = mapped(error)
                if isinstance(failure, TimeoutError) and turn.missing:
                    raise Unfinished(turn.missing) from error
                raise

    def _message(self, deadline: float) -> bytes:
        """One whole message of a resource that marks its end, at most `MAX_REPLY` bytes."""
        from pyvisa.constants import StatusCode

        answer = bytearray()
        status = StatusCode.success_max_count_read
        while status == StatusCode.success_max_count_read:
            part, status = self._receive(deadline)
            answer += part
            if len(answer) > MAX_REPLY:
                raise Unasked(f"an answer longer than {MAX_REPLY} bytes", bytes(answer[:64]))
        line = bytes(answer).removesuffix(b"\n").removesuffix(b"\r")
        if b"\n" in line:
            raise Unasked("expected one line, got more", line)
        return line

    def _receive(self, deadline: float) -> tuple[bytes, Any]:
        """What has come, at least a byte: up to the end of a line, of what is there, or of the message."""
        from pyvisa.constants import StatusCode

        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the instrument did not answer")
        self._resource.timeout = max(1.0, left * 1000)
        count = self._waiting(left) if self._is_line_based else 65536
        with self._resource.ignore_warning(StatusCode.success_max_count_read):
            part: tuple[bytes, Any] = self._resource.visalib.read(self._resource.session, count)
        return part

    def _waiting(self, timeout: float) -> int:
        """How many bytes can be read now; on a serial line one at least, which the driver waits for."""
        if self._socket() is None:
            return max(1, min(int(self._resource.bytes_in_buffer), 65536))
        return len(self._pending()) or self._wait_for_socket(timeout)

    def _pending(self) -> bytes:
        """What pyvisa-py has taken from the socket and not yet handed on."""
        return bytes(getattr(self._session(), "_pending_buffer", b""))

    def _wait_for_socket(self, timeout: float) -> int:
        """How many bytes can be read from the socket.

        Sees at once that the peer has closed: pyvisa-py would spin on the dead socket until the deadline.
        """
        socket = self._socket()
        if not _is_readable(socket, timeout):
            raise TimeoutError("the instrument did not answer")
        count = len(socket.recv(65536, sockets.MSG_PEEK))
        if not count:
            raise EOFError("the instrument closed the connection")
        return count

    def _unread(self) -> bytes:
        """What waits to be read when nothing may; `EOFError` when the instrument has closed the connection."""
        socket = self._socket()
        if socket is not None:
            waiting = self._pending()
            if not waiting and _is_readable(socket, 0.0):
                waiting = bytes(socket.recv(64, sockets.MSG_PEEK))
                if not waiting:
                    raise EOFError("the instrument closed the connection")
            return waiting
        count = int(self._resource.bytes_in_buffer) if self._is_line_based else 0
        return bytes(self._resource.read_bytes(min(count, 64))) if count else b""

    def _session(self) -> Any:
        return self._resource.visalib.sessions.get(self._resource.session)

    def _socket(self) -> Any:
        """The TCP socket under a `SOCKET` resource; None for other resources."""
        if not self._name.upper().endswith("::SOCKET"):
            return None
        return getattr(self._session(), "interface", None)

    def _close(self) -> None:
        resource, self._resource = self._resource, None
        if resource is None:
            return
        try:
            resource.close()
        except Exception:  # the session is given up: how it ends changes nothing
            return


def _is_readable(socket: Any, timeout: float) -> bool:
    """Whether a socket has something to read within `timeout` seconds (select ends at the file number 1023)."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(1000 * timeout))
