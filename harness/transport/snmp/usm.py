"""Version 3 messages under the user-based security model (RFC 3412, RFC 3414).

```
 SEQUENCE {
   INTEGER 3
   SEQUENCE { msgID, maxSize, flags (1 auth, 2 priv, 4 reportable), model 3 }
   OCTET STRING { SEQUENCE { engineID, boots, time, user, code, salt } }
   scoped PDU, or OCTET STRING of it encrypted
 }
 scoped PDU = SEQUENCE { context engineID, context name, PDU }
```

The agent is the authority on the clock: `boots` and `time` are learned from it (unauthenticated when it is discovered,
confirmed by the first authenticated answer) and every answer is held against them.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harness.transport.snmp.ber import (
    OCTET_STRING,
    OID,
    SEQUENCE,
    BerError,
    decode_oid,
    encode_integer,
    expect,
    header,
    read_integer,
    read_octets,
    tlv,
)
from harness.transport.snmp.keys import AUTH, keys_for, sign
from harness.transport.snmp.message import MismatchError, Pdu, PduType, Reply, WrongIdError, open_message, read_reply
from harness.transport.snmp.types import SnmpCredentials

if TYPE_CHECKING:
    from harness.transport.snmp.aes import AesCfb

AUTH_FLAG, PRIV_FLAG, REPORTABLE = 1, 2, 4
TIME_WINDOW_S = 150
"""How far behind its own clock an answer may be, RFC 3414 section 2.2.3."""
MAX_BOOTS = 2**31 - 1
_MAX_SIZE = 65_507

_USM = "1.3.6.1.6.3.15.1.1."
REPORTS: dict[str, tuple[str, str]] = {
    _USM + "1.0": ("unsupportedSecLevels", "the agent does not allow this security level for this user"),
    _USM + "2.0": ("notInTimeWindows", "the agent's clock is not where it should be"),
    _USM + "3.0": ("unknownUserNames", "the agent does not know this user"),
    _USM + "4.0": ("unknownEngineIDs", "another SNMP engine answers at this address"),
    _USM + "5.0": ("wrongDigests", "the authentication password (or protocol) is wrong"),
    _USM + "6.0": ("decryptionErrors", "the encryption password (or protocol) is wrong"),
    "1.3.6.1.6.3.11.2.1.1.0": ("unknownSecurityModels", "the agent has no user-based security"),
    "1.3.6.1.6.3.11.2.1.2.0": ("invalidMsgs", "the agent finds the message invalid"),
    "1.3.6.1.6.3.11.2.1.3.0": ("unknownPDUHandlers", "the agent has no handler for this request"),
    "1.3.6.1.6.3.12.1.4.0": ("unavailableContexts", "the context is not available at present"),
    "1.3.6.1.6.3.12.1.5.0": ("unknownContexts", "the agent does not know this context"),
}
"""What an agent reports instead of an answer, by OID: the RFC's word and ours."""


class ReportError(MismatchError):
    """The agent answers with a report: it did not look at the request itself.

    `word` is the RFC's name of the counter; `is_resynchronised` says that the engine or its clock was adopted, so
    that the request may go out once more.
    """

    def __init__(self, word: str, reason: str, *, is_resynchronised: bool = False) -> None:
        super().__init__(reason)
        self.word = word
        self.is_resynchronised = is_resynchronised


class _Header(NamedTuple):
    """The security part of a received message."""

    flags: int
    engine_id: bytes
    boots: int
    time: int
    user: bytes
    code_start: int
    code: bytes
    salt: bytes
    scoped_start: int
    limit: int


@dataclass(slots=True)
class Engine:
    """What is known of the agent's engine; `anchor` is our clock when it said `time`."""

    engine_id: bytes
    boots: int
    time: int
    anchor: float
    is_confirmed: bool = False

    def now(self, clock: float) -> int:
        """The engine's time by our reckoning, s."""
        return self.time + int(clock - self.anchor)


class UserSecurity:
    """Packs and unpacks version 3 messages for one user at one agent, and keeps the agent's engine and clock."""

    def __init__(self, credentials: SnmpCredentials) -> None:
        self._credentials = credentials
        self._user = credentials.user.encode()
        self._context = tlv(OCTET_STRING, credentials.context.encode())
        self._context_name = credentials.context.encode()
        self._auth = credentials.auth_protocol
        self._flags = (AUTH_FLAG if self._auth else 0) | (PRIV_FLAG if credentials.priv_protocol else 0)
        self._code_size = AUTH[self._auth][1] if self._auth else 0
        self._engine: Engine | None = None
        self._auth_key = b""
        self._privacy: type[AesCfb] | None = None
        self._cipher: AesCfb | None = None
        if credentials.priv_protocol is not None:
            from harness.transport.snmp.aes import AesCfb

            self._privacy = AesCfb
        self._salt = secrets.randbits(64)

    @property
    def is_ready(self) -> bool:
        """Whether the engine is known."""
        return self._engine is not None

    @property
    def engine_id(self) -> bytes:
        """The agent's engineID, b'' before it is known."""
        return self._engine.engine_id if self._engine else b""

    def redact(self, data: bytes) -> bytes:
        """The datagram as it is: version 3 has no secret in the clear."""
        return data

    def forget(self) -> None:
        """Ask again who is there before the next request."""
        self._engine = None

    # --- out ---

    def pack(self, pdu: Pdu, request_id: int, now: float) -> bytes:
        """The datagram to send: the request, or the question for the engine when that is not known."""
        engine = self._engine
        if engine is None:
            return self._discovery(request_id)
        boots, time = engine.boots, engine.now(now)
        scoped = tlv(SEQUENCE, tlv(OCTET_STRING, engine.engine_id) + self._context + pdu.encode(request_id))
        salt = b""
        if self._cipher is not None:
            self._salt = (self._salt + 1) & 0xFFFFFFFFFFFFFFFF
            salt = self._salt.to_bytes(8, "big")
            scoped = tlv(OCTET_STRING, self._cipher.encrypt(scoped, boots, time, salt))
        security = (
            tlv(OCTET_STRING, engine.engine_id)
            + encode_integer(boots)
            + encode_integer(time)
            + tlv(OCTET_STRING, self._user)
            + tlv(OCTET_STRING, bytes(self._code_size))
            + tlv(OCTET_STRING, salt)
        )
        message = _envelope(request_id, self._flags | REPORTABLE, security, scoped)
        if self._auth is None:
            return message
        at = len(message) - len(scoped) - 2 - len(salt) - self._code_size
        return message[:at] + sign(self._auth, self._auth_key, message) + message[at + self._code_size :]

    def _discovery(self, request_id: int) -> bytes:
        """RFC 3414 section 4: a request to nobody, which the agent must answer with its engineID."""
        empty = tlv(OCTET_STRING, b"")
        pdu = tlv(PduType.GET, b"\x02\x04" + request_id.to_bytes(4, "big") + b"\x02\x01\x00\x02\x01\x00\x30\x00")
        security = empty + encode_integer(0) + encode_integer(0) + empty + empty + empty
        return _envelope(request_id, REPORTABLE, security, tlv(SEQUENCE, empty + empty + pdu))

    # --- in ---

    def unpack(self, data: bytes, request_id: int, now: float) -> Reply:
        """The answer in a datagram; see `Security`. ReportError when the agent's security refused the request."""
        start, limit, problem = open_message(data)
        message_id, flags, position = _read_global(data, start, limit)
        if message_id != request_id:
            raise WrongIdError(message_id)
        if problem:
            raise MismatchError(problem)
        try:
            head = _read_security(data, position, limit, flags)
            return self._unwrap(data, head, request_id, now)
        except (MismatchError, WrongIdError):
            raise
        except BerError as error:
            raise MismatchError(str(error)) from None

    def _unwrap(self, data: bytes, head: _Header, request_id: int, now: float) -> Reply:
        engine = self._engine
        if head.flags & AUTH_FLAG:
            if engine is None or head.engine_id != engine.engine_id or head.user != self._user or self._auth is None:
                raise BerError("authenticated by another engine or for another user")
            zeroed = data[: head.code_start] + bytes(len(head.code)) + data[head.code_start + len(head.code) :]
            if not hmac.compare_digest(head.code, sign(self._auth, self._auth_key, zeroed)):
                raise BerError("the authentication code is wrong")
        scoped, position, stop = self._scoped(data, head)
        context_engine, position = read_octets(scoped, position, stop, "context engineID")
        context_name, position = read_octets(scoped, position, stop, "context name")
        if position < stop and scoped[position] == PduType.REPORT:
            raise self._report(scoped, position, stop, head, now)
        level = head.flags & (AUTH_FLAG | PRIV_FLAG)
        if level != self._flags:
            raise BerError(f"answered at security level {level}, asked at {self._flags}")
        if engine is None or head.engine_id != engine.engine_id or head.user != self._user:
            raise BerError("answered by another engine or for another user")
        if context_engine != engine.engine_id or context_name != self._context_name:
            raise BerError("answered for another context")
        if self._auth is not None:
            _hold_clock(engine, head, now)
        return read_reply(scoped, position, stop, request_id, "")

    def _scoped(self, data: bytes, head: _Header) -> tuple[bytes, int, int]:
        """The scoped PDU in the clear, and where its content starts and ends."""
        if not head.flags & PRIV_FLAG:
            start, stop = expect(data, head.scoped_start, head.limit, SEQUENCE, "scoped PDU")
            if stop != head.limit:
                raise BerError("bytes behind the scoped PDU")
            return data, start, stop
        if self._cipher is None:
            raise BerError("an encrypted answer, but nothing to decrypt it with")
        secret, end = read_octets(data, head.scoped_start, head.limit, "encrypted PDU")
        if end != head.limit:
            raise BerError("bytes behind the encrypted PDU")
        if len(head.salt) != 8:
            raise BerError(f"a salt of {len(head.salt)} bytes")
        scoped = self._cipher.decrypt(secret, head.boots, head.time, head.salt)
        start, stop = expect(scoped, 0, len(scoped), SEQUENCE, "decrypted PDU")
        return scoped, start, stop

    def _report(self, scoped: bytes, position: int, stop: int, head: _Header, now: float) -> BerError:
        """What the agent reports, adopting its engine or clock where it says that ours is wrong."""
        word, reason = _read_report(scoped, position, stop)
        if word == "unknownEngineIDs":
            if not 5 <= len(head.engine_id) <= 32:
                return BerError(f"an engineID of {len(head.engine_id)} bytes")
            self._adopt(head, now)
            return ReportError(word, reason, is_resynchronised=True)
        if word == "notInTimeWindows":
            if not head.flags & AUTH_FLAG or self._engine is None:
                return BerError("an unauthenticated report about the clock")
            self._engine.boots, self._engine.time, self._engine.anchor = head.boots, head.time, now
            return ReportError(word, reason, is_resynchronised=True)
        return ReportError(word, reason)

    def _adopt(self, head: _Header, now: float) -> None:
        self._engine = Engine(head.engine_id, head.boots, head.time, now)
        self._auth_key, priv_key = keys_for(self._credentials, head.engine_id)
        self._cipher = self._privacy(priv_key) if self._privacy is not None else None


def _hold_clock(engine: Engine, head: _Header, now: float) -> None:
    """RFC 3414 section 3.2 (7b): refuse what is older than the window, else go by the engine's clock.

    Other than the RFC, an answer inside the window also sets our reckoning back: the message id has already shown that
    it is no replay, and over days the two clocks drift apart.
    """
    if head.boots == MAX_BOOTS or head.boots < engine.boots:
        raise BerError(f"an answer of boot {head.boots}, the engine is at boot {engine.boots}")
    age = engine.now(now) - head.time
    if head.boots == engine.boots and engine.is_confirmed and age > TIME_WINDOW_S:
        raise BerError(f"an answer {age} s old by the engine's clock")
    engine.boots, engine.time, engine.anchor = head.boots, head.time, now
    engine.is_confirmed = True


def _envelope(request_id: int, flags: int, security: bytes, scoped: bytes) -> bytes:
    head = tlv(
        SEQUENCE,
        b"\x02\x04" + request_id.to_bytes(4, "big") + encode_integer(_MAX_SIZE) + bytes((4, 1, flags, 2, 1, 3)),
    )
    return tlv(SEQUENCE, b"\x02\x01\x03" + head + tlv(OCTET_STRING, tlv(SEQUENCE, security)) + scoped)


def _read_global(data: bytes, position: int, limit: int) -> tuple[int, int, int]:
    """msgID, flags and where the security parameters begin."""
    version, position = read_integer(data, position, limit, "version")
    if version != 3:
        raise BerError(f"version 3 expected, got {version}")
    start, stop = expect(data, position, limit, SEQUENCE, "message header")
    message_id, at = read_integer(data, start, stop, "msgID")
    _, at = read_integer(data, at, stop, "msgMaxSize")
    flags, at = read_octets(data, at, stop, "msgFlags")
    model, at = read_integer(data, at, stop, "security model")
    if at != stop or len(flags) != 1 or model != 3 or flags[0] & 3 == PRIV_FLAG:
        raise BerError("a message header that is not one of user-based security")
    return message_id, flags[0], stop


def _read_security(data: bytes, position: int, limit: int, flags: int) -> _Header:
    start, after = expect(data, position, limit, OCTET_STRING, "security parameters")
    at, stop = expect(data, start, after, SEQUENCE, "security parameters")
    engine_id, at = read_octets(data, at, stop, "engineID")
    boots, at = read_integer(data, at, stop, "boots")
    time, at = read_integer(data, at, stop, "time")
    user, at = read_octets(data, at, stop, "user")
    code, code_stop = read_octets(data, at, stop, "authentication code")
    salt, at = read_octets(data, code_stop, stop, "salt")
    if at != stop or stop != after:
        raise BerError("bytes left over in the security parameters")
    if not 0 <= boots <= MAX_BOOTS or not 0 <= time <= MAX_BOOTS:
        raise BerError(f"an impossible engine clock (boots {boots}, time {time})")
    return _Header(flags, engine_id, boots, time, user, code_stop - len(code), code, salt, after, limit)


def _read_report(scoped: bytes, position: int, stop: int) -> tuple[str, str]:
    """The word and the meaning of the report at `position`."""
    _, start, end = header(scoped, position, stop)
    for what in ("request-id", "error-status", "error-index"):
        _, start = read_integer(scoped, start, end, what)
    start, end = expect(scoped, start, end, SEQUENCE, "bindings of a report")
    start, end = expect(scoped, start, end, SEQUENCE, "binding of a report")
    start, end = expect(scoped, start, end, OID, "name in a report")
    oid = decode_oid(scoped[start:end])
    return REPORTS.get(oid, (oid, f"the agent reports {oid}"))
