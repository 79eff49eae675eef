"""HiSLIP server of the simulator (IVI-6.1, version 1.1, synchronised mode).

```
 header  "HS" (2)  type (1)  control code (1)  message parameter (4)  payload length (8)   then the payload

 client                       sync channel            async channel
 Initialize           ------> InitializeResponse (session id)
 AsyncInitialize (session id) ----------------------> AsyncInitializeResponse
 Data*, DataEnd (id)  ------> Data*, DataEnd (same id)
 AsyncDeviceClear             ----------------------> AsyncDeviceClearAcknowledge
 DeviceClearComplete  ------> DeviceClearAcknowledge
```
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

from sim.servers.host import PacedProtocol
from sim.servers.scpi import MESSAGE_AVAILABLE, ScpiDevice, StatusDevice

_HEADER = struct.Struct(">2sBBIQ")

VERSION = 0x0101
VENDOR = int.from_bytes(b"HX", "big")
MAX_MESSAGE = 1 << 20
"""Bytes of payload this server takes in one message, and in one program message of several."""

INITIALIZE, INITIALIZE_RESPONSE, FATAL_ERROR, ERROR, ASYNC_LOCK, ASYNC_LOCK_RESPONSE = range(6)
DATA, DATA_END, CLEAR_COMPLETE, CLEAR_ACKNOWLEDGE, REMOTE_LOCAL, REMOTE_LOCAL_RESPONSE = range(6, 12)
TRIGGER, INTERRUPTED, ASYNC_INTERRUPTED, MAX_SIZE, MAX_SIZE_RESPONSE, ASYNC_INITIALIZE = range(12, 18)
ASYNC_INITIALIZE_RESPONSE, ASYNC_CLEAR, SERVICE_REQUEST, STATUS_QUERY, STATUS_RESPONSE = range(18, 23)
ASYNC_CLEAR_ACKNOWLEDGE, LOCK_INFO, LOCK_INFO_RESPONSE = range(23, 26)

POOR_HEADER, CHANNEL_MISSING, BAD_INITIALIZATION, TOO_MANY_CLIENTS = 1, 2, 3, 4
"""Codes of fatal errors."""
UNKNOWN_TYPE, UNKNOWN_CONTROL, TOO_LARGE = 1, 2, 4
"""Codes of errors that the session survives."""


def _message(kind: int, control: int = 0, parameter: int = 0, payload: bytes = b"") -> bytes:
    return _HEADER.pack(b"HS", kind, control, parameter, len(payload)) + payload


class _Session:
    """Two channels of one client."""

    def __init__(self, number: int, sync: _Channel) -> None:
        self.number = number
        self.sync = sync
        self.asynchronous: _Channel | None = None
        self.client_max = 256
        self.program = bytearray()
        self.is_overrun = False
        self.is_clearing = False
        # The client has not yet said (RMT-delivered) that it has read the whole of the last response.
        self.is_response_pending = False


class HislipServer:
    """One device over HiSLIP: `host.serve_stream(server.channel)`; both channels of a client come to the same port.

    `tamper` (program message, honest reply) -> bytes sent instead (empty: nothing) is where a device lies.
    """

    def __init__(
        self, device: ScpiDevice, *, sub_addresses: tuple[str, ...] = ("hislip0", ""), sessions: int = 64
    ) -> None:
        self.device = device
        self.sub_addresses = sub_addresses
        self.max_sessions = sessions
        self.tamper: Callable[[str, str | None], bytes] | None = None
        self._sessions: dict[int, _Session] = {}
        self._last_number = 0
        self._exclusive: _Session | None = None
        self._shared: dict[_Session, bytes] = {}
        self._waiting: list[tuple[_Session, bytes, asyncio.TimerHandle]] = []

    def channel(self) -> asyncio.Protocol:
        """A protocol for one connection, synchronous or asynchronous: its first message tells."""
        return _Channel(self)

    def begin(self, sync: _Channel) -> _Session | None:
        """Open a session; None when there are too many."""
        if len(self._sessions) >= self.max_sessions:
            return None
        while True:
            self._last_number = self._last_number % 0xFFFF + 1
            if self._last_number not in self._sessions:
                break
        session = self._sessions[self._last_number] = _Session(self._last_number, sync)
        return session

    def join(self, number: int, channel: _Channel) -> _Session | None:
        """Add the asynchronous channel to a session."""
        session = self._sessions.get(number)
        if session is None or session.asynchronous is not None:
            return None
        session.asynchronous = channel
        return session

    def end(self, session: _Session) -> None:
        """Close both channels, and give the locks back."""
        if self._sessions.pop(session.number, None) is None:
            return
        for channel in (session.sync, session.asynchronous):
            if channel is not None:
                channel.transport.close()
        for waiter in [each for each in self._waiting if each[0] is session]:
            waiter[2].cancel()
            self._waiting.remove(waiter)
        self.release(session)

    # -- locks (IVI-6.1, 6.5) --------------------------------------------------------------------------------------

    def is_barred(self, session: _Session) -> bool:
        """Whether another session's lock keeps this one from the device."""
        if self._exclusive is not None:
            return self._exclusive is not session
        return bool(self._shared) and session not in self._shared

    @property
    def lock_info(self) -> tuple[int, int]:
        """(1 when locked exclusively, sessions that hold a lock)."""
        holders = set(self._shared) | ({self._exclusive} if self._exclusive is not None else set())
        return int(self._exclusive is not None), len(holders)

    def _try_lock(self, session: _Session, name: bytes) -> bool:
        others = {each: key for each, key in self._shared.items() if each is not session}
        if self._exclusive is not None or any(key != name for key in others.values()):
            return False
        if name:
            self._shared[session] = name
        elif others:
            return False
        else:
            self._exclusive = session
        return True

    def lock(self, session: _Session, name: bytes, timeout_ms: int) -> None:
        """Grant now, or when the holder lets go, or refuse after the timeout: 1 success, 0 failure, 3 error."""
        if self._exclusive is session or (name and session in self._shared):
            _reply(session, _message(ASYNC_LOCK_RESPONSE, 3))
        elif self._try_lock(session, name):
            _reply(session, _message(ASYNC_LOCK_RESPONSE, 1))
        elif timeout_ms == 0:
            _reply(session, _message(ASYNC_LOCK_RESPONSE, 0))
        else:
            timer = asyncio.get_running_loop().call_later(timeout_ms / 1000, self._lock_timeout, session)
            self._waiting.append((session, name, timer))

    def _lock_timeout(self, session: _Session) -> None:
        self._waiting = [each for each in self._waiting if each[0] is not session]
        _reply(session, _message(ASYNC_LOCK_RESPONSE, 0))

    def release(self, session: _Session) -> int:
        """Let go of the exclusive lock, else the shared one: 1, 2, or 3 when none was held."""
        if self._exclusive is session:
            self._exclusive = None
            outcome = 1
        elif self._shared.pop(session, None) is not None:
            outcome = 2
        else:
            return 3
        for waiter in list(self._waiting):
            if self._try_lock(waiter[0], waiter[1]):
                waiter[2].cancel()
                self._waiting.remove(waiter)
                _reply(waiter[0], _message(ASYNC_LOCK_RESPONSE, 1))
        for other in list(self._sessions.values()):
            other.sync.resume()
        return outcome

    # -- the device ------------------------------------------------------------------------------------------------

    def push_error(self, code: int) -> None:
        """Put an error into the device's queue, if it has one."""
        if isinstance(self.device, StatusDevice):
            self.device.push_error(code)

    def status_byte(self, session: _Session) -> int:
        """The status byte with MAV of this session."""
        byte = self.device.status_byte() if isinstance(self.device, StatusDevice) else 0
        return byte | (MESSAGE_AVAILABLE if session.is_response_pending else 0)

    def clear(self) -> None:
        """Clear the device's input and output."""
        if isinstance(self.device, StatusDevice):
            self.device.device_clear()

    def answer(self, program: bytes) -> bytes:
        """Obey a program message (one line or several); the response message with its LF."""
        out = b""
        for line in program.decode("latin-1").split("\n"):
            text = line.removesuffix("\r")
            if not text:
                continue
            reply = self.device.handle(text)
            if self.tamper is not None:
                out += self.tamper(text, reply)
            elif reply is not None:
                out += reply.encode("latin-1", "replace") + b"\n"
        return out


def _reply(session: _Session, message: bytes) -> None:
    if session.asynchronous is not None:
        session.asynchronous.transport.write(message)


class _Channel(PacedProtocol):
    """One connection: frames, and what the messages of its channel mean."""

    def __init__(self, server: HislipServer) -> None:
        self._server = server
        self._buffer = bytearray()
        self._skip = 0
        self._is_over = False
        self._session: _Session | None = None
        self._handler: Callable[[int, int, int, bytes], None] = self._first_message

    def data_received(self, data: bytes) -> None:
        if not self._is_over:
            self._buffer += data
            self._process()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._is_over = True
        self._buffer.clear()
        if self._session is not None:
            self._server.end(self._session)

    def resume(self) -> None:
        """Go on after a lock of another session went away."""
        if self._buffer and not self._is_over:
            self._process()
        if not self._is_over:
            self.transport.resume_reading()

    def _process(self) -> None:
        buffer = self._buffer
        while not self._is_over:
            if self._skip:
                skipped = min(self._skip, len(buffer))
                del buffer[:skipped]
                self._skip -= skipped
            if len(buffer) < _HEADER.size:
                return
            prologue, kind, control, parameter, length = _HEADER.unpack_from(buffer)
            if prologue != b"HS":
                self._fatal(POOR_HEADER, "poorly formed message header")
                return
            if length > MAX_MESSAGE:
                del buffer[: _HEADER.size]
                self._skip = length
                self._error(TOO_LARGE, "message too large")
                continue
            if len(buffer) < _HEADER.size + length:
                return
            if kind in (DATA, DATA_END, TRIGGER) and self._session and self._server.is_barred(self._session):
                self.transport.pause_reading()
                return
            payload = bytes(buffer[_HEADER.size : _HEADER.size + length])
            del buffer[: _HEADER.size + length]
            self._handler(kind, control, parameter, payload)

    def _fatal(self, code: int, text: str) -> None:
        self._is_over = True
        self._buffer.clear()
        self.transport.write(_message(FATAL_ERROR, code, 0, text.encode()))
        self.transport.close()

    def _error(self, code: int, text: str) -> None:
        self.transport.write(_message(ERROR, code, 0, text.encode()))

    def _first_message(self, kind: int, _control: int, parameter: int, payload: bytes) -> None:
        """Initialize makes this the synchronous channel of a new session, AsyncInitialize the other of an old one."""
        if kind == INITIALIZE:
            if payload.decode("latin-1").lower() not in self._server.sub_addresses:
                self._fatal(BAD_INITIALIZATION, "no such sub-address")
                return
            self._session = self._server.begin(self)
            if self._session is None:
                self._fatal(TOO_MANY_CLIENTS, "maximum number of clients exceeded")
                return
            version = min(VERSION, parameter >> 16)
            self._handler = self._sync_message
            self.transport.write(_message(INITIALIZE_RESPONSE, 0, version << 16 | self._session.number))
        elif kind == ASYNC_INITIALIZE:
            self._session = self._server.join(parameter & 0xFFFF, self)
            if self._session is None:
                self._fatal(BAD_INITIALIZATION, "no session of this number waits for its asynchronous channel")
                return
            self._handler = self._async_message
            self.transport.write(_message(ASYNC_INITIALIZE_RESPONSE, 0, VENDOR))
        else:
            self._fatal(BAD_INITIALIZATION, "invalid initialization sequence")

    # -- synchronous channel ---------------------------------------------------------------------------------------

    def _sync_message(self, kind: int, control: int, parameter: int, payload: bytes) -> None:
        session = self._session
        assert session is not None
        if session.asynchronous is None:
            self._fatal(CHANNEL_MISSING, "both channels must be established")
        elif kind == CLEAR_COMPLETE:
            session.is_clearing = False
            session.program.clear()
            session.is_overrun = session.is_response_pending = False
            self._server.clear()
            self.transport.write(_message(CLEAR_ACKNOWLEDGE))
        elif session.is_clearing:
            return  # abandoned with everything else that was under way
        elif kind in (DATA, DATA_END, TRIGGER):
            self._take(session, kind, is_delivered=bool(control & 1), identifier=parameter, payload=payload)
        else:
            self._error(UNKNOWN_TYPE, "unrecognized message type")

    def _take(self, session: _Session, kind: int, *, is_delivered: bool, identifier: int, payload: bytes) -> None:
        """A piece of a program message. A client that asks again without having read the answer is interrupted."""
        if session.is_response_pending and not is_delivered:
            self._server.push_error(-410)
            self.transport.write(_message(INTERRUPTED, 0, identifier))
            _reply(session, _message(ASYNC_INTERRUPTED, 0, identifier))
        session.is_response_pending = False
        if kind == TRIGGER:
            self._server.answer(b"*TRG")
            return
        if len(session.program) + len(payload) > MAX_MESSAGE:
            session.is_overrun = True
        else:
            session.program += payload
        if kind == DATA:
            return
        program, session.program = bytes(session.program), bytearray()
        if session.is_overrun:
            session.is_overrun = False
            self._server.push_error(-363)
            return
        response = self._server.answer(program)
        if response:
            self._respond(session, identifier, response)

    def _respond(self, session: _Session, identifier: int, response: bytes) -> None:
        session.is_response_pending = True
        room = max(1, session.client_max - _HEADER.size)
        pieces = [response[start : start + room] for start in range(0, len(response), room)]
        out = [_message(DATA, 0, identifier, piece) for piece in pieces[:-1]]
        self.transport.write(b"".join(out) + _message(DATA_END, 0, identifier, pieces[-1]))

    # -- asynchronous channel --------------------------------------------------------------------------------------

    def _async_message(self, kind: int, control: int, parameter: int, payload: bytes) -> None:
        session, server = self._session, self._server
        assert session is not None
        if kind == MAX_SIZE and len(payload) == 8:
            session.client_max = min(int.from_bytes(payload, "big"), MAX_MESSAGE)
            self.transport.write(_message(MAX_SIZE_RESPONSE, 0, 0, MAX_MESSAGE.to_bytes(8, "big")))
        elif kind == STATUS_QUERY:
            if control & 1:
                session.is_response_pending = False
            self.transport.write(_message(STATUS_RESPONSE, server.status_byte(session)))
        elif kind == ASYNC_CLEAR:
            session.is_clearing = True
            self.transport.write(_message(ASYNC_CLEAR_ACKNOWLEDGE))
        elif kind == ASYNC_LOCK and control == 1:
            server.lock(session, payload, parameter)
        elif kind == ASYNC_LOCK and control == 0:
            self.transport.write(_message(ASYNC_LOCK_RESPONSE, server.release(session)))
        elif kind == LOCK_INFO:
            is_exclusive, holders = server.lock_info
            self.transport.write(_message(LOCK_INFO_RESPONSE, is_exclusive, holders))
        elif kind == REMOTE_LOCAL and control <= 6:
            self.transport.write(_message(REMOTE_LOCAL_RESPONSE))
        elif kind in (ASYNC_LOCK, REMOTE_LOCAL):
            self._error(UNKNOWN_CONTROL, "unrecognized control code")
        else:
            self._error(UNKNOWN_TYPE, "unrecognized message type")
