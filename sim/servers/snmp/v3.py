"""SNMPv3 messages (RFC 3412) through the user-based security model (RFC 3414), as the authoritative engine.

```
SEQUENCE { INTEGER 3,
  SEQUENCE { msgID, msgMaxSize, OCTET STRING flags, INTEGER securityModel },
  OCTET STRING { SEQUENCE { engineID, boots, time, user, authParameters, privParameters } },
  SEQUENCE { contextEngineID, contextName, PDU }  or  OCTET STRING (the same, encrypted) }
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from sim.servers.snmp import ber, pdu, values
from sim.servers.snmp.ber import BerError
from sim.servers.snmp.pdu import Reply
from sim.servers.snmp.usm import LocalUser, UsmUser

AUTH, PRIV, REPORTABLE = 1, 2, 4
TIME_WINDOW_S = 150
MAX_BOOTS = 0x7FFFFFFF
USM_MODEL = 3

_USM_STATS = (1, 3, 6, 1, 6, 3, 15, 1, 1)
REPORTS: dict[str, tuple[int, ...]] = {
    "unsupported_security_level": (*_USM_STATS, 1, 0),
    "not_in_time_window": (*_USM_STATS, 2, 0),
    "unknown_user_name": (*_USM_STATS, 3, 0),
    "unknown_engine_id": (*_USM_STATS, 4, 0),
    "wrong_digest": (*_USM_STATS, 5, 0),
    "decryption_error": (*_USM_STATS, 6, 0),
    "unknown_context": (1, 3, 6, 1, 6, 3, 12, 1, 5, 0),
    "unknown_pdu_handler": (1, 3, 6, 1, 6, 3, 11, 2, 1, 3, 0),
}
"""Counter names (also keys of `SnmpResponder.counters`) and the OIDs that reports carry."""


class Dropped(Exception):  # noqa: N818 - not an error of the simulator: the message gets no answer
    """A message that RFC 3412 or 3414 discards without an answer; the argument is the counter."""


class Header:
    """What a message says before its scoped PDU."""

    __slots__ = (
        "boots", "engine_id", "flags", "mac_at", "mac_end", "max_size", "message_id", "priv_parameters", "time",
        "user_name",
    )  # fmt: skip

    def __init__(self, data: bytes, at: int, end: int) -> None:
        """Read the header data that start at `at`; leaves the span of the scoped PDU to `read`."""
        start, stop = ber.expect(data, at, end, 0x30)
        _, id_end = ber.read_int(data, start, stop)
        self.message_id = data[start:id_end]
        self.max_size, flags_at = ber.read_int(data, id_end, stop)
        flags_start, flags_end = ber.expect(data, flags_at, stop, 4)
        model, model_end = ber.read_int(data, flags_end, stop)
        if flags_end != flags_start + 1 or model_end != stop or self.max_size < 484:
            raise BerError("expected one octet of flags and a msgMaxSize of at least 484")
        if model != USM_MODEL:
            raise Dropped("unknown_security_model")
        self.flags = data[flags_start]
        if self.flags & PRIV and not self.flags & AUTH:
            raise Dropped("invalid_message")
        self.engine_id = self.priv_parameters = self.user_name = b""
        self.boots = self.time = self.mac_at = self.mac_end = 0

    @property
    def level(self) -> int:
        """0 noAuthNoPriv, 1 authNoPriv, 3 authPriv."""
        return self.flags & (AUTH | PRIV)

    def read(self, data: bytes, at: int, end: int) -> int:
        """Read the security parameters; returns where the scoped PDU starts."""
        outer, after = ber.expect(data, at, end, 4)
        start, stop = ber.expect(data, outer, after, 0x30)
        if stop != after:
            raise BerError("expected the security parameters to fill their string")
        engine_at, engine_end = ber.expect(data, start, stop, 4)
        self.engine_id = data[engine_at:engine_end]
        self.boots, time_at = ber.read_int(data, engine_end, stop)
        self.time, name_at = ber.read_int(data, time_at, stop)
        if self.boots < 0 or self.time < 0:
            raise BerError("expected boots and time of at least 0")
        name_start, name_end = ber.expect(data, name_at, stop, 4)
        self.user_name = data[name_start:name_end]
        self.mac_at, self.mac_end = ber.expect(data, name_end, stop, 4)
        priv_at, priv_end = ber.expect(data, self.mac_end, stop, 4)
        self.priv_parameters = data[priv_at:priv_end]
        if priv_end != stop:
            raise BerError("expected six security parameters")
        return after


class Engine:
    """The authoritative engine: its identity, its time and its users with their localised keys."""

    def __init__(
        self, users: Sequence[UsmUser], engine_id: bytes, boots: int, clock: Callable[[], float], counters: Counter[str]
    ) -> None:
        self.users = tuple(users)
        self.boots = boots
        self.counters = counters
        self._clock = clock
        self._booted_at = clock()
        self._salt = 0
        self.engine_id = b""
        self.local: dict[bytes, LocalUser] = {}
        self.change_id(engine_id)

    def change_id(self, engine_id: bytes) -> None:
        """Take another engine ID (a card was replaced); all keys are localised again."""
        if not 5 <= len(engine_id) <= 32:
            raise ValueError(f"expected an engine ID of 5 to 32 octets, got {len(engine_id)}")
        self.engine_id = engine_id
        self.local = {user.name.encode(): LocalUser(user, engine_id) for user in self.users}

    def reboot(self, boots: int | None = None) -> None:
        """Start again: boots + 1, latched at its end (or `boots`: agents that forget it stay at one value), time 0."""
        self.boots = min(self.boots + 1, MAX_BOOTS) if boots is None else boots
        self._booted_at = self._clock()

    def jump(self, seconds: float) -> None:
        """Step the engine time without a reboot."""
        self._booted_at -= seconds

    def time(self) -> int:
        """snmpEngineTime: whole seconds since the boot."""
        return max(0, int(self._clock() - self._booted_at))

    def authenticate(self, header: Header, data: bytes) -> LocalUser | str:
        """The user of a message, or the name of the report to answer with (RFC 3414 section 3.2, steps 3 to 7)."""
        if header.engine_id != self.engine_id:
            return "unknown_engine_id"
        user = self.local.get(header.user_name)
        if user is None:
            return "unknown_user_name"
        if header.level & ~user.user.level:
            return "unsupported_security_level"
        if header.level & AUTH:
            blank = data[: header.mac_at] + bytes(header.mac_end - header.mac_at) + data[header.mac_end :]
            if user.mac(blank) != data[header.mac_at : header.mac_end]:
                return "wrong_digest"
            is_near = abs(header.time - self.time()) <= TIME_WINDOW_S
            if header.boots != self.boots or self.boots == MAX_BOOTS or not is_near:
                return "not_in_time_window"
        return user

    def open(self, header: Header, user: LocalUser, data: bytes, at: int, end: int) -> bytes:
        """The scoped PDU in the clear; ValueError when it cannot be decrypted."""
        if not header.level & PRIV:
            return data[at:end]
        start, stop = ber.expect(data, at, end, 4)
        if stop != end:
            raise BerError("expected one encrypted PDU, got octets after it")
        return user.decrypt(data[start:stop], header.boots, header.time, header.priv_parameters)

    def seal(self, header: Header, user: LocalUser | None, level: int, context: bytes, reply: Reply) -> bytes:
        """The message that answers `header`; `context` is the encoded contextEngineID and contextName."""
        now = self.time()
        scoped = ber.tlv(0x30, context + reply.encode())
        parameters = b""
        if user and level & PRIV:
            self._salt += 1
            secret, parameters = user.encrypt(scoped, self.boots, now, self._salt)
            scoped = ber.tlv(4, secret)
        mac = bytes(user.mac_octets) if user and level & AUTH else b""
        tail = ber.tlv(4, parameters)
        security = ber.tlv(
            0x30,
            ber.tlv(4, self.engine_id)
            + ber.tlv(2, ber.encode_int(self.boots))
            + ber.tlv(2, ber.encode_int(now))
            + ber.tlv(4, header.user_name)
            + ber.tlv(4, mac)
            + tail,
        )
        about = header.message_id + b"\x02\x03\x00\xff\xe3\x04\x01" + bytes((level,)) + b"\x02\x01\x03"
        message = ber.tlv(0x30, b"\x02\x01\x03" + ber.tlv(0x30, about) + ber.tlv(4, security) + scoped)
        if user and mac:
            at = len(message) - len(scoped) - len(tail) - len(mac)
            message = message[:at] + user.mac(message) + message[at + len(mac) :]
        return message

    def report(self, header: Header, name: str, request_id: bytes = b"\x02\x01\x00") -> bytes:
        """Count and build a report; only notInTimeWindows is authenticated (RFC 3414 section 3.2)."""
        self.counters[name] += 1
        if not header.flags & REPORTABLE:
            raise Dropped("not_reportable")
        user = self.local.get(header.user_name) if name == "not_in_time_window" else None
        level = AUTH if user else 0
        value = values.encode(values.COUNTER32, self.counters[name])
        binding = pdu.binding(ber.encode_oid(REPORTS[name]), value)
        reply = Reply(request_id, [binding], kind=pdu.REPORT)
        return self.seal(header, user, level, ber.tlv(4, self.engine_id) + b"\x04\x00", reply)
