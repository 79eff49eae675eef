"""VXI-11 server of the simulator (VXI-11 TCP/IP Instrument Protocol 1.0): the core channel, with its abort channel.

Both programs are served on one port. A client finds it through the port mapper (`rpc.Portmapper`), or is told it
(pyvisa-py: `TCPIP::host,port::inst0::INSTR`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sim.servers.scpi import MESSAGE_AVAILABLE, ScpiDevice, StatusDevice
from tests.tools.rpc import Program, Respond, RpcStream, XdrReader, opaque, words

CORE_PROGRAM, ABORT_PROGRAM, VERSION = 0x0607AF, 0x0607B0, 1

NO_ERROR, NOT_ACCESSIBLE, INVALID_LINK, PARAMETER, NO_CHANNEL, NOT_SUPPORTED, OUT_OF_RESOURCES = 0, 3, 4, 5, 6, 8, 9
LOCKED, NO_LOCK, TIMEOUT, ABORTED = 11, 12, 15, 23
"""Device_ErrorCode of VXI-11, table B.2."""

FLAG_WAIT_LOCK, FLAG_END, FLAG_TERMCHAR = 1, 8, 128
REASON_COUNT, REASON_CHARACTER, REASON_END = 1, 2, 4

MAX_RECEIVE = 64 * 1024
"""Bytes of one device_write."""
MAX_PROGRAM = 1 << 20
"""Bytes of one program message of several writes."""
MAX_WAIT = 3600.0
"""Seconds; no client waits longer for a lock or an answer."""


class _Link:
    """What one client has opened."""

    def __init__(self, number: int, owner: _CoreChannel) -> None:
        self.number = number
        self.owner = owner
        self.program = bytearray()
        self.response = b""
        self.reading: tuple[asyncio.TimerHandle, Callable[[int], None]] | None = None

    def end_reading(self, error: int) -> None:
        """Answer a read that waits for a response which does not come."""
        if self.reading is not None:
            timer, refuse = self.reading
            self.reading = None
            timer.cancel()
            refuse(error)


class Vxi11Server:
    """One device over VXI-11: `host.serve_stream(server.channel)`, then `server.abort_port = listener.port`.

    `tamper` (program message, honest reply) -> bytes read instead (empty: the read times out) is where a device lies.
    """

    def __init__(self, device: ScpiDevice, *, names: tuple[str, ...] = ("inst0",), links: int = 64) -> None:
        self.device = device
        self.names = names
        self.max_links = links
        self.abort_port = 0
        self.tamper: Callable[[str, str | None], bytes] | None = None
        self._links: dict[int, _Link] = {}
        self._last_number = 0
        self._holder: _Link | None = None
        self._waiting: list[tuple[_Link, asyncio.TimerHandle, Callable[[], None]]] = []

    def channel(self) -> asyncio.Protocol:
        """A protocol for one connection, core or abort."""
        return _CoreChannel(self)

    def programs(self, channel: _CoreChannel) -> tuple[Program, ...]:
        """The procedures as one connection sees them (VXI-11, B.6)."""

        def create_link(reader: XdrReader, respond: Respond) -> None:
            self._create_link(channel, reader, respond)

        core = {
            10: create_link,
            11: self._write,
            12: self._read,
            13: self._read_status,
            14: self._trigger,
            15: self._clear,
            16: self._remote_or_local,
            17: self._remote_or_local,
            18: self._lock,
            19: self._unlock,
            20: lambda _, respond: respond(words(NOT_SUPPORTED)),
            22: lambda _, respond: respond(words(NOT_SUPPORTED) + opaque(b"")),
            23: self._destroy_link,
            25: lambda _, respond: respond(words(NOT_SUPPORTED)),
            26: lambda _, respond: respond(words(NO_CHANNEL)),
        }
        return Program(CORE_PROGRAM, VERSION, core), Program(ABORT_PROGRAM, VERSION, {1: self._abort})

    def drop(self, channel: _CoreChannel) -> None:
        """Destroy the links of a connection that ended."""
        for link in [each for each in self._links.values() if each.owner is channel]:
            self._destroy(link)

    def _destroy(self, link: _Link) -> None:
        del self._links[link.number]
        if link.reading is not None:
            link.reading[0].cancel()
            link.reading = None
        for waiter in [each for each in self._waiting if each[0] is link]:
            waiter[1].cancel()
            self._waiting.remove(waiter)
        if self._holder is link:
            self._release()

    # -- locks -----------------------------------------------------------------------------------------------------

    def _is_free_for(self, link: _Link) -> bool:
        return self._holder is None or self._holder is link

    def _release(self) -> None:
        self._holder = None
        waiting, self._waiting = self._waiting, []
        for link, timer, action in waiting:
            if self._is_free_for(link):
                timer.cancel()
                action()
            else:
                self._waiting.append((link, timer, action))

    def _when_free(
        self, link: _Link, flags: int, wait_ms: int, action: Callable[[], None], refuse: Callable[[int], None]
    ) -> None:
        """Act now if no other link holds the lock; else refuse, or wait for it when the flags say so."""
        if self._is_free_for(link):
            action()
        elif not flags & FLAG_WAIT_LOCK:
            refuse(LOCKED)
        else:

            def give_up() -> None:
                self._waiting = [each for each in self._waiting if each[1] is not timer]
                refuse(LOCKED)

            timer = asyncio.get_running_loop().call_later(min(wait_ms / 1000, MAX_WAIT), give_up)
            self._waiting.append((link, timer, action))

    def _lock(self, reader: XdrReader, respond: Respond) -> None:
        number, flags, wait_ms = (reader.unsigned() for _ in range(3))
        link = self._links.get(number)
        if link is None:
            respond(words(INVALID_LINK))
        elif self._holder is link:
            respond(words(LOCKED))
        else:

            def take() -> None:
                self._holder = link
                respond(words(NO_ERROR))

            self._when_free(link, flags, wait_ms, take, lambda error: respond(words(error)))

    def _unlock(self, reader: XdrReader, respond: Respond) -> None:
        link = self._links.get(reader.unsigned())
        if link is None:
            respond(words(INVALID_LINK))
        elif self._holder is not link:
            respond(words(NO_LOCK))
        else:
            respond(words(NO_ERROR))
            self._release()

    # -- links -----------------------------------------------------------------------------------------------------

    def _create_link(self, channel: _CoreChannel, reader: XdrReader, respond: Respond) -> None:
        _client, is_locked, wait_ms = (reader.unsigned() for _ in range(3))
        name = reader.opaque().decode("latin-1")

        def refuse(error: int) -> None:
            respond(words(error, 0, 0, 0))

        if name.lower() not in self.names:
            refuse(NOT_ACCESSIBLE)
            return
        if len(self._links) >= self.max_links:
            refuse(OUT_OF_RESOURCES)
            return
        self._last_number = self._last_number % 0x7FFFFFFF + 1
        link = self._links[self._last_number] = _Link(self._last_number, channel)

        def done() -> None:
            if is_locked:
                self._holder = link
            respond(words(NO_ERROR, link.number, self.abort_port, MAX_RECEIVE))

        def locked(error: int) -> None:
            self._destroy(link)
            refuse(error)

        if is_locked:
            self._when_free(link, FLAG_WAIT_LOCK, wait_ms, done, locked)
        else:
            done()

    def _destroy_link(self, reader: XdrReader, respond: Respond) -> None:
        link = self._links.get(reader.unsigned())
        if link is None:
            respond(words(INVALID_LINK))
        else:
            self._destroy(link)
            respond(words(NO_ERROR))

    # -- input and output ------------------------------------------------------------------------------------------

    def _write(self, reader: XdrReader, respond: Respond) -> None:
        number, _, wait_ms, flags = (reader.unsigned() for _ in range(4))
        data = reader.opaque()
        link = self._links.get(number)
        if link is None:
            respond(words(INVALID_LINK, 0))
        elif len(data) > MAX_RECEIVE or len(link.program) + len(data) > MAX_PROGRAM:
            link.program.clear()
            respond(words(PARAMETER, 0))
        else:

            def take() -> None:
                link.program += data
                if flags & FLAG_END:
                    program, link.program = bytes(link.program), bytearray()
                    self._obey(link, program)
                respond(words(NO_ERROR, len(data)))

            self._when_free(link, flags, wait_ms, take, lambda error: respond(words(error, 0)))

    def _obey(self, link: _Link, program: bytes) -> None:
        """A whole program message. An answer that was not read is lost, which is an error (IEEE 488.2, 6.3.2.3)."""
        if link.response:
            link.response = b""
            if isinstance(self.device, StatusDevice):
                self.device.push_error(-410)
        for line in program.decode("latin-1").split("\n"):
            text = line.removesuffix("\r")
            if not text:
                continue
            reply = self.device.handle(text)
            if self.tamper is not None:
                link.response += self.tamper(text, reply)
            elif reply is not None:
                link.response += reply.encode("latin-1", "replace") + b"\n"

    def _read(self, reader: XdrReader, respond: Respond) -> None:
        number, size, io_ms, wait_ms, flags, character = (reader.unsigned() for _ in range(6))
        link = self._links.get(number)

        def refuse(error: int) -> None:
            respond(words(error, 0) + opaque(b""))

        if link is None:
            refuse(INVALID_LINK)
            return

        def take() -> None:
            if link.response:
                reason, data = self._piece(link, size, character if flags & FLAG_TERMCHAR else None)
                respond(words(NO_ERROR, reason) + opaque(data))
                return

            def silence() -> None:
                link.reading = None
                refuse(TIMEOUT)

            link.end_reading(ABORTED)
            timer = asyncio.get_running_loop().call_later(min(io_ms / 1000, MAX_WAIT), silence)
            link.reading = timer, refuse

        self._when_free(link, flags, wait_ms, take, refuse)

    def _piece(self, link: _Link, size: int, character: int | None) -> tuple[int, bytes]:
        """The next bytes of the response and why they end (all reasons that hold)."""
        data = link.response[:size]
        reason = 0
        if character is not None and (found := data.find(bytes((character & 0xFF,)))) >= 0:
            data = data[: found + 1]
            reason |= REASON_CHARACTER
        link.response = link.response[len(data) :]
        reason |= REASON_COUNT if len(data) == size else 0
        reason |= 0 if link.response else REASON_END
        return reason, data

    def _generic(self, reader: XdrReader, respond: Respond, act: Callable[[_Link], bytes], size: int = 1) -> None:
        """The procedures with Device_GenericParms: `act` gives the words after the error; `size` words in all."""
        number, flags, wait_ms, _ = (reader.unsigned() for _ in range(4))
        link = self._links.get(number)

        def refuse(error: int) -> None:
            respond(words(error, *([0] * (size - 1))))

        if link is None:
            refuse(INVALID_LINK)
        else:
            self._when_free(link, flags, wait_ms, lambda: respond(words(NO_ERROR) + act(link)), refuse)

    def _read_status(self, reader: XdrReader, respond: Respond) -> None:
        def status(link: _Link) -> bytes:
            byte = self.device.status_byte() if isinstance(self.device, StatusDevice) else 0
            return words(byte | (MESSAGE_AVAILABLE if link.response else 0))

        self._generic(reader, respond, status, 2)

    def _trigger(self, reader: XdrReader, respond: Respond) -> None:
        def trigger(_: _Link) -> bytes:
            self.device.handle("*TRG")
            return b""

        self._generic(reader, respond, trigger)

    def _clear(self, reader: XdrReader, respond: Respond) -> None:
        def clear(link: _Link) -> bytes:
            link.program.clear()
            link.response = b""
            link.end_reading(ABORTED)
            if isinstance(self.device, StatusDevice):
                self.device.device_clear()
            return b""

        self._generic(reader, respond, clear)

    def _remote_or_local(self, reader: XdrReader, respond: Respond) -> None:
        self._generic(reader, respond, lambda _: b"")

    def _abort(self, reader: XdrReader, respond: Respond) -> None:
        link = self._links.get(reader.unsigned())
        if link is None:
            respond(words(INVALID_LINK))
        else:
            link.end_reading(ABORTED)
            respond(words(NO_ERROR))


class _CoreChannel(RpcStream):
    """One connection; its links end with it."""

    def __init__(self, server: Vxi11Server) -> None:
        super().__init__(server.programs(self), MAX_RECEIVE + 1024)
        self._server = server

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server.drop(self)
