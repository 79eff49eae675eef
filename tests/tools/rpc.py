"""ONC remote procedure calls for the simulator: XDR (RFC 4506), RPC version 2 (RFC 5531), port mapper (RFC 1833).

```
 record   last-fragment bit and length (4), fragment ... until the last one          (TCP only)
 call     xid  0  rpc version = 2  program  version  procedure  credential  verifier  arguments
 reply    xid  1  0 (accepted)  verifier  accept status  results
```
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping

from sim.servers.host import PacedProtocol

SUCCESS, PROGRAM_UNAVAILABLE, PROGRAM_MISMATCH, PROCEDURE_UNAVAILABLE, GARBAGE_ARGUMENTS = range(5)

PORTMAPPER_PROGRAM, PORTMAPPER_VERSION, PORTMAPPER_PORT = 100000, 2, 111
TCP, UDP = 6, 17

_WORD = struct.Struct(">I")
_LAST = 0x80000000


class XdrReader:
    """Takes XDR values off a message; ValueError when it is too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def unsigned(self) -> int:
        """A 32-bit unsigned integer; enumerations and booleans too."""
        return int.from_bytes(self._take(4), "big")

    def opaque(self) -> bytes:
        """Bytes of variable length."""
        size = self.unsigned()
        data = self._take(size)
        self._take(-size % 4)
        return data

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise ValueError("the message is too short")
        data = self._data[self._at : end]
        self._at = end
        return data


def words(*values: int) -> bytes:
    """32-bit integers in XDR."""
    return b"".join(_WORD.pack(value & 0xFFFFFFFF) for value in values)


def opaque(data: bytes) -> bytes:
    """Bytes of variable length in XDR."""
    return _WORD.pack(len(data)) + data + bytes(-len(data) % 4)


Respond = Callable[[bytes], None]
Procedure = Callable[[XdrReader, Respond], None]
"""Reads its arguments (ValueError: garbage) and responds with its results, now or later, once."""


class Program:
    """One version of one RPC program. Procedure 0 answers nothing, as the standard asks."""

    def __init__(self, number: int, version: int, procedures: Mapping[int, Procedure]) -> None:
        self.number = number
        self.version = version
        self.procedures = {0: _null, **procedures}


def _null(_: XdrReader, respond: Respond) -> None:
    respond(b"")


def serve_call(message: bytes, programs: Mapping[int, Program], send: Respond) -> bool:
    """Serve one call; `send` gets the reply message. False when this is not a call at all."""
    reader = XdrReader(message)
    try:
        xid, kind, rpc_version = reader.unsigned(), reader.unsigned(), reader.unsigned()
        if kind != 0:
            return False
        if rpc_version != 2:
            send(words(xid, 1, 1, 0, 2, 2))  # denied: RPC_MISMATCH, we speak 2 to 2
            return True
        number, version, procedure = reader.unsigned(), reader.unsigned(), reader.unsigned()
        for _ in range(2):  # credential and verifier: nobody is asked who he is
            reader.unsigned()
            reader.opaque()
    except ValueError:
        return False

    def accept(status: int, results: bytes = b"") -> None:
        send(words(xid, 1, 0, 0, 0, status) + results)

    program = programs.get(number)
    if program is None:
        accept(PROGRAM_UNAVAILABLE)
    elif version != program.version:
        accept(PROGRAM_MISMATCH, words(program.version, program.version))
    elif procedure not in program.procedures:
        accept(PROCEDURE_UNAVAILABLE)
    else:
        try:
            program.procedures[procedure](reader, lambda results: accept(SUCCESS, results))
        except ValueError:
            accept(GARBAGE_ARGUMENTS)
    return True


class RpcStream(PacedProtocol):
    """RPC over TCP with record marking. What is not a call, or longer than `most` bytes, ends the connection."""

    def __init__(self, programs: tuple[Program, ...], most: int = 4096) -> None:
        self._programs = {program.number: program for program in programs}
        self._most = most
        self._buffer = bytearray()
        self._record = bytearray()
        self.is_over = False

    def data_received(self, data: bytes) -> None:
        """Collect fragments to records, and serve them in order."""
        if self.is_over:
            return
        self._buffer += data
        while not self.is_over and len(self._buffer) >= 4:
            (mark,) = _WORD.unpack_from(self._buffer)
            size = mark & ~_LAST
            if len(self._record) + size > self._most or (size == 0 and not mark & _LAST):
                self._end()
                return
            if len(self._buffer) < 4 + size:
                return
            self._record += self._buffer[4 : 4 + size]
            del self._buffer[: 4 + size]
            if mark & _LAST:
                message = bytes(self._record)
                self._record.clear()
                if not serve_call(message, self._programs, self._send):
                    self._end()

    def _send(self, message: bytes) -> None:
        if not self.is_over:
            self.transport.write(_WORD.pack(_LAST | len(message)) + message)

    def _end(self) -> None:
        self.is_over = True
        self._buffer.clear()
        self.transport.close()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Send nothing more."""
        self.is_over = True


class RpcDatagram(asyncio.DatagramProtocol):
    """RPC over UDP: one message a datagram; what is not a call is ignored."""

    def __init__(self, programs: tuple[Program, ...]) -> None:
        self._programs = {program.number: program for program in programs}
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Serve one call."""
        transport = self._transport
        if transport is not None:
            serve_call(data, self._programs, lambda message: transport.sendto(message, addr))


class Portmapper:
    """Tells the port of a program: `host.serve_stream(mapper.stream, 111)`, and `serve_datagram(mapper.datagram, 111)`.

    Port 111 is privileged and one address has one: a loopback alias (127.0.0.2) gives an instrument its own.
    """

    def __init__(self) -> None:
        self.ports: dict[tuple[int, int, int], int] = {}
        self._program = Program(PORTMAPPER_PROGRAM, PORTMAPPER_VERSION, {3: self._get_port, 4: self._dump})

    def register(self, program: int, version: int, port: int, protocol: int = TCP) -> None:
        """Announce a program."""
        self.ports[program, version, protocol] = port

    def stream(self) -> asyncio.Protocol:
        """A protocol for one TCP connection."""
        return RpcStream((self._program,))

    def datagram(self) -> asyncio.DatagramProtocol:
        """The protocol of the UDP port."""
        return RpcDatagram((self._program,))

    def _get_port(self, reader: XdrReader, respond: Respond) -> None:
        program, version, protocol, _ = (reader.unsigned() for _ in range(4))
        respond(words(self.ports.get((program, version, protocol), 0)))

    def _dump(self, _: XdrReader, respond: Respond) -> None:
        respond(b"".join(words(1, *key, port) for key, port in self.ports.items()) + words(0))
