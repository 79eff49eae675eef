"""What lying Modbus devices and instruments say: one function a lie, to be set as a server's `tamper`.

SNMP agents lie in `tests.tools.snmp_misbehaviour`. Table M of the measured lies is here entirely: other transaction,
unit, protocol, length, function, count, echo; and what instruments do: late answers, two answers, none, overload.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

ModbusLie = Callable[[bytes, bytes], bytes]
"""(request frame, honest reply frame) -> what is sent."""
ScpiLie = Callable[[str, str | None], bytes]
"""(line, honest reply) -> bytes sent, terminator included."""


def _body(reply: bytes, pdu: bytes) -> bytes:
    """The reply's header around another PDU."""
    return reply[:4] + struct.pack(">H", len(pdu) + 1) + reply[6:7] + pdu


def _is_read(reply: bytes) -> bool:
    return reply[7] in (1, 2, 3, 4)


def _fewer(_: bytes, reply: bytes) -> bytes:
    pdu = reply[7:]
    return _body(reply, bytes((pdu[0], pdu[1] - 2)) + pdu[2:-2]) if _is_read(reply) and pdu[1] > 2 else b""


def _more(_: bytes, reply: bytes) -> bytes:
    pdu = reply[7:]
    return _body(reply, bytes((pdu[0], pdu[1] + 2)) + pdu[2:] + b"\x12\x34") if _is_read(reply) else reply + b"\0\1"


def _odd(_: bytes, reply: bytes) -> bytes:
    pdu = reply[7:]
    return _body(reply, bytes((pdu[0], pdu[1] - 1)) + pdu[2:-1]) if _is_read(reply) else reply[:-1]


def _other_function(_: bytes, reply: bytes) -> bytes:
    return reply[:7] + bytes((reply[7] ^ 7,)) + reply[8:]


def _other_echo(_: bytes, reply: bytes) -> bytes:
    return reply[:-1] + bytes((reply[-1] ^ 0x55,)) if not _is_read(reply) else _other_function(_, reply)


def _other_address(_: bytes, reply: bytes) -> bytes:
    return reply[:9] + bytes((reply[9] ^ 1,)) + reply[10:] if not _is_read(reply) else _fewer(_, reply)


def _other_exception(_: bytes, reply: bytes) -> bytes:
    return _body(reply, bytes(((reply[7] ^ 7) | 0x80, 2)))


def _refuses(_: bytes, reply: bytes) -> bytes:
    return _body(reply, bytes((reply[7] | 0x80, 4)))


class StaleReply:
    """Answers every request with the answer to the one before (the first with nothing)."""

    def __init__(self, *, then_honest: bool = False, fresh_header: bool = False) -> None:
        self._last = b""
        self._then_honest = then_honest
        self._fresh_header = fresh_header

    def __call__(self, _: bytes, reply: bytes) -> bytes:
        """The old answer; with its old transaction, unless `fresh_header`."""
        old, self._last = self._last, reply
        if self._fresh_header and old:
            old = reply[:2] + old[2:]
        return old + reply if self._then_honest else old


def modbus_lies() -> dict[str, ModbusLie]:
    """Every lie of a Modbus TCP device, by name."""
    return {
        "silence": lambda _, __: b"",
        "another transaction": lambda _, r: bytes((r[0] ^ 0x40,)) + r[1:],
        "transaction 0": lambda _, r: b"\0\0" + r[2:],
        "another protocol": lambda _, r: r[:2] + b"\0\1" + r[4:],
        "another length": lambda _, r: r[:4] + struct.pack(">H", len(r) - 4) + r[6:],
        "a length of 60000": lambda _, r: r[:4] + struct.pack(">H", 60000) + r[6:],
        "another unit": lambda _, r: r[:6] + bytes((r[6] ^ 1,)) + r[7:],
        "fewer registers": _fewer,
        "more registers": _more,
        "odd bytes": _odd,
        "another function": _other_function,
        "another echo": _other_echo,
        "another address echoed": _other_address,
        "exception for another function": _other_exception,
        "exception 4 after acting": _refuses,
        "truncated": lambda _, r: r[: max(1, len(r) // 2)],
        "garbage": lambda _, __: bytes(range(200, 240)),
        "yesterday's answer": StaleReply(),
        "yesterday's answer and today's": StaleReply(then_honest=True),
        "twice": lambda _, r: r + r,
    }


def rtu_lies() -> dict[str, ModbusLie]:
    """The lies of a Modbus RTU device: those of the PDU with a right checksum, and those of the line.

    A frame without a transaction number has fewer ways to lie, and an old answer of the right shape looks fresh: what
    came late is kept out by the silence of the line, not by the frame.
    """
    lies: dict[str, ModbusLie] = {
        "silence": lambda _, __: b"",
        "another checksum": lambda _, r: r[:-1] + bytes((r[-1] ^ 1,)),
        "no checksum": lambda _, r: r[:-2],
        "another unit": lambda _, r: _checked(bytes((r[0] ^ 1,)) + r[1:-2]),
        "truncated": lambda _, r: r[: max(1, len(r) // 2)],
        "garbage": lambda _, __: bytes(range(200, 240)),
        "a flipped bit": lambda _, r: r[:3] + bytes((r[3] ^ 4,)) + r[4:],
        "twice": lambda _, r: r + r,
        "the request echoed first": lambda q, r: q + r,
    }
    in_pdu = ("fewer registers", "more registers", "odd bytes", "another function", "another echo")
    of_tcp = modbus_lies()
    for name in (*in_pdu, "another address echoed", "exception for another function", "exception 4 after acting"):
        lies[name] = _in_rtu(of_tcp[name])
    return lies


def _checked(frame: bytes) -> bytes:
    """A frame with its checksum behind it (Modbus over serial line 1.02, appendix B)."""
    crc = 0xFFFF
    for byte in frame:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return frame + crc.to_bytes(2, "little")


def _in_rtu(lie: ModbusLie) -> ModbusLie:
    """A lie about the PDU of a TCP frame, told in an RTU frame."""

    def tell(request: bytes, reply: bytes) -> bytes:
        told = lie(bytes(6) + request[:-2], bytes(4) + struct.pack(">H", len(reply) - 2) + reply[:-2])
        return _checked(told[6:]) if told else b""

    return tell


class LateLine:
    """Answers come one query late: today's question gets yesterday's answer (pyvisa-py issue 376)."""

    def __init__(self, *, then_honest: bool = False) -> None:
        self._last = b""
        self._then_honest = then_honest

    def __call__(self, _: str, reply: str | None) -> bytes:
        """The old answer, if there is one."""
        if reply is None:
            return b""
        old, self._last = self._last, reply.encode("latin-1") + b"\n"
        return old + self._last if self._then_honest else old


def _always(text: bytes) -> ScpiLie:
    return lambda _, reply: b"" if reply is None else text


def scpi_lies() -> dict[str, ScpiLie]:
    """Every lie of an instrument on a raw socket, by name."""
    return {
        "silence": lambda _, __: b"",
        "no terminator": lambda _, reply: b"" if reply is None else reply.encode("latin-1"),
        "empty line": _always(b"\n"),
        "garbage": _always(bytes(range(128, 160)) + b"\n"),
        "words for a number": _always(b"HELLO\n"),
        "NaN": _always(b"NAN\n"),
        "9.9E37": _always(b"9.9E37\n"),
        "two numbers": lambda _, reply: b"" if reply is None else f"{reply},1.25\n".encode("latin-1"),
        "half a number": _always(b"1.2.3\n"),
        "one query late": LateLine(),
        "yesterday's answer and today's": LateLine(then_honest=True),
        "twice": lambda _, reply: b"" if reply is None else f"{reply}\n{reply}\n".encode("latin-1"),
        "a line of 100 kB": _always(b"7" * 100_000 + b"\n"),
        "unasked line": lambda _, reply: b"0\n" if reply is None else f"{reply}\n".encode("latin-1"),
    }
