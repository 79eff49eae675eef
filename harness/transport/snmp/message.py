"""The SNMP message around a PDU, and the plain one of version 2c (RFC 1901, RFC 3416).

```
 SEQUENCE { INTEGER version, OCTET STRING community, PDU }
 PDU = [tag] { INTEGER request-id, INTEGER error-status, INTEGER error-index, SEQUENCE of bindings }
```
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple, Protocol

from harness.transport.snmp.ber import (
    INTEGER,
    MAX_MESSAGE,
    OCTET_STRING,
    SEQUENCE,
    BerError,
    expect,
    header,
    read_integer,
    read_octets,
    tlv,
)
from harness.transport.snmp.types import SnmpCredentials


class PduType(IntEnum):
    """The tags of RFC 3416 that a manager sends or gets."""

    GET = 0xA0
    GET_NEXT = 0xA1
    RESPONSE = 0xA2
    SET = 0xA3
    GET_BULK = 0xA5
    REPORT = 0xA8


ERROR_WORDS = (
    *("noError", "tooBig", "noSuchName", "badValue", "readOnly", "genErr"),
    *("noAccess", "wrongType", "wrongLength", "wrongEncoding", "wrongValue", "noCreation", "inconsistentValue"),
    *("resourceUnavailable", "commitFailed", "undoFailed", "authorizationError", "notWritable", "inconsistentName"),
)
"""error-status as words, RFC 3416 section 3."""


class WrongIdError(BerError):
    """A well-formed answer, but not to the request that is waiting."""

    def __init__(self, request_id: int) -> None:
        super().__init__(f"an answer to request {request_id}, which nobody is waiting for")
        self.request_id = request_id


class MismatchError(BerError):
    """An answer to the request that is waiting, but not one that can be believed."""


class BindingsMismatchError(MismatchError):
    """An answer whose envelope can be believed, and whose bindings cannot."""


class Reply(NamedTuple):
    """An answer whose envelope is right: error-status, error-index, and where its bindings lie in `data`."""

    data: bytes
    error_status: int
    error_index: int
    start: int
    stop: int


@dataclass(slots=True)
class Pdu:
    """A request without its id: everything behind the id is encoded once.

    `body` holds error-status, error-index (or GETBULK's two numbers) and the bindings; `count` is how many of those;
    `accept` decodes the bindings of the answer and raises BerError unless they are what was asked.
    """

    tag: PduType
    body: bytes
    count: int
    operation: str
    accept: Callable[[bytes, int, int], Any]

    def encode(self, request_id: int) -> bytes:
        """The whole PDU; ids have 31 bits with the top byte not zero, so that the length never changes."""
        return tlv(self.tag, b"\x02\x04" + request_id.to_bytes(4, "big") + self.body)


class Security(Protocol):
    """Puts PDUs into messages and takes them out again: the one thing that differs between the versions."""

    @property
    def is_ready(self) -> bool:
        """Whether the next packet will carry the request itself (and not first ask who is there)."""
        ...

    def pack(self, pdu: Pdu, request_id: int, now: float) -> bytes:
        """The datagram to send."""
        ...

    def unpack(self, data: bytes, request_id: int, now: float) -> Reply:
        """The answer in a datagram; BerError (WrongIdError, MismatchError, or plain: no answer at all)."""
        ...

    def redact(self, data: bytes) -> bytes:
        """The datagram without what must not be shown."""
        ...

    def forget(self) -> None:
        """Ask again who is there before the next request."""
        ...


def open_message(data: bytes) -> tuple[int, int, str]:
    """Start and end of the content of the outermost SEQUENCE, and what is wrong with its length ('' if nothing).

    A wrong length is not raised at once: with the request id it tells more than without.
    """
    if len(data) > MAX_MESSAGE:
        raise BerError(f"{len(data)} bytes are longer than a datagram can be")
    if len(data) < 2 or data[0] != SEQUENCE:
        raise BerError("not an SNMP message")
    start = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    if data[1] == 0x80 or start > 6 or start > len(data):
        raise BerError("not an SNMP message: bad length")
    size = int.from_bytes(data[2:start], "big") if data[1] & 0x80 else data[1]
    if start + size < len(data):
        return start, start + size, f"{len(data) - start - size} bytes behind the end of the message"
    if start + size > len(data):
        return start, len(data), f"cut short: {size} bytes announced, {len(data) - start} came"
    return start, start + size, ""


def read_reply(data: bytes, position: int, limit: int, request_id: int, problem: str) -> Reply:
    """The RESPONSE at `position`, which must fill up to `limit` and answer `request_id`.

    `problem` is what was wrong with the envelope: it counts once the id shows that this is the answer.
    """
    tag, start, stop = header(data, position, limit) if not problem else _loose_header(data, position, limit)
    found, position = read_integer(data, start, stop, "request-id")
    if found != request_id:
        raise WrongIdError(found)
    if problem:
        raise MismatchError(problem)
    try:
        if tag != PduType.RESPONSE:
            raise BerError(f"a RESPONSE expected, got a PDU of type 0x{tag:02x}")
        if stop != limit:
            raise BerError(f"{limit - stop} bytes behind the PDU")
        status, position = read_integer(data, position, stop, "error-status")
        index, position = read_integer(data, position, stop, "error-index")
        start, end = expect(data, position, stop, SEQUENCE, "bindings")
        if end != stop:
            raise BerError(f"{stop - end} bytes behind the bindings")
        if not 0 <= status < len(ERROR_WORDS):
            raise BerError(f"error-status {status} does not exist")
    except BerError as error:
        raise MismatchError(str(error)) from None
    return Reply(data, status, index, start, end)


def _loose_header(data: bytes, position: int, limit: int) -> tuple[int, int, int]:
    """As `header`, for a message that is known to be cut short: the end is wherever the data ends."""
    if position + 2 > limit:
        raise BerError("cut short before the PDU")
    size = data[position + 1]
    return data[position], position + 2 + (size & 0x7F if size & 0x80 else 0), limit


class Community:
    """Version 2c: the community in the clear, and nothing else."""

    is_ready = True

    def __init__(self, credentials: SnmpCredentials) -> None:
        self._community = credentials.community.reveal().encode()
        self._head = b"\x02\x01\x01" + tlv(OCTET_STRING, self._community)

    def pack(self, pdu: Pdu, request_id: int, now: float) -> bytes:  # noqa: ARG002 (only version 3 has a clock)
        """The datagram to send."""
        return tlv(SEQUENCE, self._head + pdu.encode(request_id))

    def unpack(self, data: bytes, request_id: int, now: float) -> Reply:  # noqa: ARG002
        """The answer in a datagram; see `Security`."""
        start, limit, problem = open_message(data)
        if not problem and data.startswith(self._head, start, limit):
            return read_reply(data, start + len(self._head), limit, request_id, "")
        if data[start : start + 1] != bytes((INTEGER,)):
            raise BerError("not an SNMP message: no version")
        version, position = read_integer(data, start, limit, "version")
        community, position = read_octets(data, position, limit, "community")
        if version != 1:
            problem = problem or f"version 2c (1) expected, got {version}"
        elif community != self._community:
            problem = problem or "the answer carries another community"
        return read_reply(data, position, limit, request_id, problem)

    def forget(self) -> None:
        """Nothing to forget."""

    def redact(self, data: bytes) -> bytes:
        """The datagram with the community starred."""
        return data.replace(self._community, b"*" * len(self._community))
