"""SNMP traps and informs (v2c, v3) of the station's devices, received with pysnmp in a thread of its own.

Decoding one takes pysnmp most of a millisecond, so it happens outside the loop that polls and watches. What floods in
is thinned before it is decoded (`trap_limiter`), what is kept of one is bounded, and what was left out, or could not be
decoded, is counted and reported with the next one.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import ntfrcv
from pysnmp.proto.rfc1902 import OctetString

from harness.device.snmp.trap_limiter import TrapLimiter
from harness.device.texts import printable
from harness.errors import ConfigError
from harness.secret import Secret
from harness.transport.snmp import SnmpCredentials

RECEIVE_BUFFER = 4 * 1024 * 1024
"""Octets that the kernel is asked to keep of a burst; the default loses two thirds of 3,000 traps at once."""
MOST_VALUES = 16
"""Objects of a trap that are kept."""
MOST_TEXT = 2000
"""Characters of them that are kept, in all."""
_TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
_ENDS_WITHIN_S = 5.0
"""How long the end of the receiving thread is waited for, seconds; then it is left behind, it commands nothing."""
_AUTH: Mapping[str, Any] = {
    "MD5": config.USM_AUTH_HMAC96_MD5,
    "SHA1": config.USM_AUTH_HMAC96_SHA,
    "SHA224": config.USM_AUTH_HMAC128_SHA224,
    "SHA256": config.USM_AUTH_HMAC192_SHA256,
    "SHA384": config.USM_AUTH_HMAC256_SHA384,
    "SHA512": config.USM_AUTH_HMAC384_SHA512,
}
_PRIV: Mapping[str, Any] = {
    "AES128": config.USM_PRIV_CFB128_AES,
    "AES192": config.USM_PRIV_CFB192_AES_BLUMENTHAL,
    "AES256": config.USM_PRIV_CFB256_AES_BLUMENTHAL,
    "AES192C": config.USM_PRIV_CFB192_AES,
    "AES256C": config.USM_PRIV_CFB256_AES,
}


@dataclass(frozen=True, slots=True)
class Trap:
    """One trap: where it came from, what it is (snmpTrapOID.0), and its other objects as (OID, text)."""

    source: str
    oid: str
    values: tuple[tuple[str, str], ...]
    left_out: int = 0
    """Traps that were left out since the last one that was taken, of whatever source."""

    def __str__(self) -> str:
        shown = ", ".join(f"{oid} = {value}" for oid, value in self.values[:4])
        tail = f" ({self.left_out} more were left out before it)" if self.left_out else ""
        return f"trap {self.oid}" + (f": {shown}" if shown else "") + tail


@dataclass(frozen=True, slots=True)
class TrapUser:
    """As whom a trap may come. v3 traps are signed by their sender: its engine ID (hex) must be known beforehand."""

    credentials: SnmpCredentials
    engine_id: str = ""


class _Transport(udp.UdpAsyncioTransport):  # type: ignore[misc]
    """pysnmp's UDP transport with a limiter before the decoder."""

    def __init__(self, limiter: TrapLimiter, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._limiter = limiter

    def datagram_received(self, datagram: bytes, transportAddress: Any) -> None:  # noqa: N803 (pysnmp's name)
        """One datagram, if it may pass."""
        if self._limiter.passes(transportAddress[0], self.loop.time(), len(datagram)):
            super().datagram_received(datagram, transportAddress)


class TrapReceiver:
    """Listens on one address; `on_trap` is called in the loop that opened it. `known`: addresses of devices."""

    def __init__(
        self,
        host: str,
        port: int,
        users: Sequence[TrapUser],
        on_trap: Callable[[Trap], None],
        known: Collection[str] | None = None,
    ) -> None:
        self.port = port
        self._host = host
        self._users = users
        self._on_trap = on_trap
        self._limiter = TrapLimiter(known)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._own: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Bind and start the thread. ConfigError when the address cannot be had."""
        self._loop = asyncio.get_running_loop()
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            bound.setblocking(False)
            bound.bind((self._host, self.port))
        except OSError as error:
            bound.close()
            hint = "ports below 1024 need a right of their own (CAP_NET_BIND_SERVICE); choose another, e.g. 10162"
            raise ConfigError(
                f"cannot listen for traps on {self._host}:{self.port}: {error.strerror}", hint=hint
            ) from error
        self.port = bound.getsockname()[1]
        ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, args=(bound, ready), name="traps", daemon=True)
        self._thread.start()
        await ready

    async def close(self) -> None:
        """Stop listening; returns when the thread is gone, after a while in any case: it may be in foreign code."""
        thread, own = self._thread, self._own
        if thread is None or own is None:
            return
        own.call_soon_threadsafe(own.stop)
        await asyncio.get_running_loop().run_in_executor(None, thread.join, _ENDS_WITHIN_S)
        self._thread = self._own = None

    # --- in the thread -----------------------------------------------------------------------------------------------

    def _serve(self, bound: socket.socket, ready: asyncio.Future[None]) -> None:
        assert self._loop is not None
        own = asyncio.new_event_loop()
        own.set_exception_handler(self._failed)
        asyncio.set_event_loop(own)
        try:
            agent = self._engine(own, bound)
            self._own = own
            own.call_soon(self._loop.call_soon_threadsafe, ready.set_result, None)
            own.run_forever()
            agent.close_dispatcher()
            own.run_until_complete(asyncio.sleep(0))
        except BaseException as error:
            bound.close()
            if self._own is None:
                self._loop.call_soon_threadsafe(ready.set_exception, ConfigError(f"cannot receive traps: {error}"))
            else:
                raise
        finally:
            asyncio.set_event_loop(None)
            own.close()

    def _engine(self, own: asyncio.AbstractEventLoop, bound: socket.socket) -> Any:
        agent = engine.SnmpEngine()
        for number, user in enumerate(self._users):
            given = user.credentials
            if given.version == "2c":
                config.add_v1_system(agent, f"area{number}", given.community.reveal())
            else:
                config.add_v3_user(
                    agent,
                    given.user,
                    _AUTH[given.auth_protocol] if given.auth_protocol else config.USM_AUTH_NONE,
                    _key(given.auth_key) if given.auth_protocol else None,
                    _PRIV[given.priv_protocol] if given.priv_protocol else config.USM_PRIV_NONE,
                    _key(given.priv_key) if given.priv_protocol else None,
                    securityEngineId=OctetString(hexValue=user.engine_id) if user.engine_id else None,
                )
        transport = _Transport(self._limiter, own)
        config.add_transport(agent, udp.DOMAIN_NAME, transport.open_server_mode(sock=bound))
        source = [""]

        def noted(_engine: object, _point: object, variables: Mapping[str, Any], _context: object) -> None:
            source[0] = str(variables["transportAddress"][0])

        def received(_engine: object, _ref: object, _id: object, _name: object, binds: Any, _context: object) -> None:
            self._received(source[0], binds)

        agent.observer.register_observer(noted, "rfc3412.receiveMessage:request")
        ntfrcv.NotificationReceiver(agent, received)
        return agent

    def _failed(self, _: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """The decoder failed at something that no trap is: one more that could not be read, and nothing on a screen."""
        del context
        self._limiter.unreadable()

    def _received(self, source: str, binds: Any) -> None:
        assert self._loop is not None
        kind, room = "", MOST_TEXT
        others: list[tuple[str, str]] = []
        for oid, value in binds:
            name, text = str(oid)[:room], _shown(value)[:room]
            if name == _TRAP_OID:
                kind = text
            elif len(others) < MOST_VALUES and room > 0:
                others.append((name, text))
                room -= len(name) + len(text)
        trap = Trap(source, kind, tuple(others), self._limiter.left_out())
        self._loop.call_soon_threadsafe(self._on_trap, trap)


def _shown(value: Any) -> str:
    if hasattr(value, "asOctets"):
        return printable(value.asOctets())
    return printable(str(value.prettyPrint())[:MOST_TEXT].encode())


def _key(key: Secret) -> str:
    return key.reveal()
