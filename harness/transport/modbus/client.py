"""Modbus client: connection, deadline, matching and reconnection. One request at a time per connection.

```
 closed --dial--> open --request--> waiting --reply matches--> open
   ^               |                   |-- exception reply ---> open      RefusedError
   |               |                   |-- mismatch ----------> closed    ProtocolViolationError
   |               |                   |-- deadline ----------> closed    UnreachableError
   |               |                   |-- peer closes -------> closed    UnreachableError
   |               |                   '-- cancelled ---------> closed    CancelledError
   '---------------'-- bytes that nobody asked for (counted)
```
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from typing import Literal

from pymodbus.exceptions import ModbusException

from harness.errors import DeviceError, ProtocolViolationError, RefusedError, Trouble, UnreachableError
from harness.transport.counters import Counters
from harness.transport.direct import ModbusPeer, direct_network
from harness.transport.foreign import unreachable
from harness.transport.modbus import requests
from harness.transport.modbus.frames import KINDS, Framing, Mismatch, Refusal, RtuFraming, TcpFraming
from harness.transport.modbus.link import Link
from harness.transport.modbus.requests import Request
from harness.transport.network import Network
from harness.transport.pacing import Pacing

_BUSY = (5, 6)
_BUSY_RETRIES = 3
_OF_GATEWAY = (10, 11)
"""Refusals that a gateway says for a unit behind it."""
_RTU_SILENCE_S = 0.5
_CACHE = 4096


class ModbusClient:
    """The one owner of a connection to (host, port); the units behind it share it, one request at a time.

    `timeout` [s] runs from the moment a request is sent and covers the whole reply, not each byte; the wait for one's
    turn is the caller's to bound. `min_gap` [s] is the silence between a reply and the next request (RTU: 3.5
    characters, see `harness.transport.serial.silence`), `pause_after_connect` [s] lets slow gateways settle.
    Connections are made when needed: the first dial after a loss at once, the next half a second later, then one a
    second, so a device that is back is used again within a second and one that is gone is not stormed.
    Writes are never repeated. Reads are repeated only when the device says busy (code 6), inside the same deadline.
    """

    def __init__(
        self,
        network: Network,
        host: str,
        port: int,
        *,
        name: str = "",
        framing: Literal["tcp", "rtu"] = "tcp",
        timeout: float = 1.0,
        connect_timeout: float = 3.0,
        min_gap: float = 0.0,
        pause_after_connect: float = 0.0,
    ) -> None:
        self.name = name or f"{host}:{port}"
        self.timeout = timeout
        self.min_gap = min_gap
        self.counters = Counters()
        self.kinds: dict[str, int] = {}
        """How often each check of `frames.KINDS` was failed."""
        self._network = network
        self._direct = direct_network(network) if framing == "tcp" else None
        self._host, self._port = host, port
        self.framing = framing
        self._framing: Framing = TcpFraming() if framing == "tcp" else RtuFraming()
        self._connect_timeout = connect_timeout
        self.pause_after_connect = pause_after_connect
        self._turn = asyncio.Lock()
        self._link: Link | None = None
        self._transaction = random.randrange(1, 0x10000)
        self._given_up: deque[int] = deque(maxlen=32)
        self._prepared: dict[tuple[int, int, int, int], tuple[Request, bytes]] = {}
        self._pacing = Pacing()
        self._sent_at = float("-inf")
        self._failure: UnreachableError | None = None
        self._last_byte = float("-inf")
        self._needs_silence = False
        self._deadline = float("inf")
        self._watchdog: asyncio.TimerHandle | None = None
        self._is_shut = False
        self._heard: set[int] = set()
        """The units that have ever answered."""

    @property
    def is_open(self) -> bool:
        """Whether the connection is up right now. It need not be: requests open it."""
        return self._link is not None and self._link.is_open

    async def open(self) -> None:
        """Connect now. UnreachableError when nobody answers."""
        self._is_shut = False
        async with self._turn:
            if not self.is_open:
                await self._dial("connect", self.counters.connect_failures)

    async def close(self) -> None:
        """Close for good; requests still waiting end with UnreachableError."""
        self._is_shut = True
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        link, self._link = self._link, None
        if link is not None:
            link.lose(EOFError("closed by the harness"))
            link.abort()
            await link.wait_closed()

    async def read(self, unit: int, function: int, address: int, count: int, *, timeout: float | None = None) -> bytes:
        """Read `count` bits (functions 1, 2) or registers (3, 4) from `address` (0-based).

        Returns exactly the data bytes: registers big-endian, 2 bytes each; bits packed, lowest address in the lowest
        bit. `timeout` replaces the client's for this request.
        """
        key = (unit, function, address, count)
        is_free = self._direct is not None and not self._turn.locked()
        if is_free and (not self.min_gap or self._gap_left() <= 0) and (data := self._at_once(key)) is not None:
            return data
        known = self._prepared.get(key)
        if known is None:
            request = requests.read_request(unit, function, address, count)
            known = request, self._framing.prepare(request)
            if len(self._prepared) < _CACHE:
                self._prepared[key] = known
        limit = self.timeout if timeout is None else timeout
        try:
            return await self._exchange(*known, limit, key)
        except RefusedError as refused:
            if refused.vendor_code != 6:
                raise
            return await self._read_again(known, limit, refused)

    def _at_once(self, key: tuple[int, int, int, int]) -> bytes | None:
        """The data bytes from a network that offers the device itself; None: ask over the connection."""
        link = self._link
        if self._direct is None or link is None or not link.is_open:
            return None
        peer: ModbusPeer | None = self._direct.peer(self._host, self._port, "modbus")
        data = peer.read(*key) if peer is not None else None
        if data is not None:
            self.counters.requests += 1
            self._pacing.answered()
            link.has_answered = True
            if self.min_gap:
                self._last_byte = asyncio.get_running_loop().time()
        return data

    async def write_coil(self, unit: int, address: int, on: bool) -> None:  # noqa: FBT001 (the value, not an option)
        """Function 5: switch one coil. Returning means acknowledged, not confirmed."""
        await self._write(requests.write_coil_request(unit, address, on))

    async def write_register(self, unit: int, address: int, value: int) -> None:
        """Function 6: write one register, 0..65535. Returning means acknowledged, not confirmed."""
        await self._write(requests.write_register_request(unit, address, value))

    async def write_coils(self, unit: int, address: int, values: Sequence[bool]) -> None:
        """Function 15: switch consecutive coils. Returning means acknowledged, not confirmed."""
        await self._write(requests.write_coils_request(unit, address, values))

    async def write_registers(self, unit: int, address: int, values: Sequence[int]) -> None:
        """Function 16: write consecutive registers. Returning means acknowledged, not confirmed."""
        await self._write(requests.write_registers_request(unit, address, values))

    async def mask_register(self, unit: int, address: int, *, keep: int, put: int) -> None:
        """Function 22: change the bits of a register that `keep` does not have. Acknowledged, not confirmed."""
        await self._write(requests.mask_register_request(unit, address, keep, put))

    async def _write(self, request: Request) -> None:
        await self._exchange(request, self._framing.prepare(request), self.timeout)

    async def _read_again(self, known: tuple[Request, bytes], limit: float, refused: RefusedError) -> bytes:
        """The device is busy: ask again after 100, 200, 400 (at most 800) ms as long as the deadline allows."""
        loop = asyncio.get_running_loop()
        deadline = self._sent_at + limit
        delay = 0.1
        for _ in range(_BUSY_RETRIES):
            if loop.time() + delay >= deadline:
                break
            await asyncio.sleep(delay)
            delay = min(2 * delay, 0.8)
            left = deadline - loop.time()
            if left <= 0:
                break
            self.counters.busy_retries += 1
            try:
                return await self._exchange(*known, left)
            except RefusedError as again:
                if again.vendor_code != 6:
                    raise
                refused = again
        raise refused

    async def _exchange(
        self, request: Request, prepared: bytes, limit: float, key: tuple[int, int, int, int] | None = None
    ) -> bytes:
        """One request and its reply, alone on the connection. `key` says what a read reads."""
        loop = asyncio.get_running_loop()
        failures = self.counters.connect_failures
        async with self._turn:
            link = self._link
            if link is None or not link.is_open:
                link = await self._dial(request.text, failures)
            if self.min_gap:
                await self._keep_gap()
                if key is not None and (data := self._at_once(key)) is not None:
                    return data
            transaction = self._transaction = self._transaction % 0xFFFF + 1
            self.counters.requests += 1
            self._sent_at = loop.time()
            self._deadline = self._sent_at + limit
            self._arm(loop)
            is_answered = False
            try:
                answer = await link.send(self._framing.stamp(prepared, transaction), request, transaction)
                is_answered = True
                self._pacing.answered()
                self._heard.add(request.unit)
                return answer
            except Refusal as refusal:
                is_answered = True
                self._pacing.answered()
                if refusal.number not in _OF_GATEWAY:
                    self._heard.add(request.unit)
                raise self._error(refusal, request, link, limit) from None
            except (Mismatch, ModbusException, OSError, EOFError) as error:
                raise self._error(error, request, link, limit) from error
            finally:
                self._deadline = float("inf")
                self._last_byte = loop.time()
                if not is_answered:
                    self._give_up(link, transaction)

    def _error(self, error: Exception, request: Request, link: Link, limit: float) -> DeviceError:
        """The one place where what went wrong in an exchange becomes an error of the harness."""
        operation = request.text
        if isinstance(error, Refusal):
            self.counters.refused += 1
            return RefusedError(
                f"the device refused: {error} (code {error.number})",
                device=self.name,
                operation=operation,
                vendor_code=error.number,
                is_busy=error.number in _BUSY,
            )
        if isinstance(error, ModbusException):
            error = Mismatch("undecodable", "a frame that can be decoded", str(error))
        if isinstance(error, Mismatch):
            self._count_violation(error)
            return ProtocolViolationError(
                str(error),
                device=self.name,
                operation=operation,
                code=KINDS[error.kind],
                trouble=Trouble.UNIT if error.kind == "unit" else Trouble.OTHERWISE,
            )
        if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
            self.counters.timeouts += 1
            what = f"no answer within {limit:g} s"
            mute = unreachable(error, device=self.name, operation=operation, what=what)
            mute.hint = "" if request.unit in self._heard else self._never_heard(request.unit)
            return mute
        self.counters.lost += 1
        lost = unreachable(error, device=self.name, operation=operation, what="the connection was lost")
        if not link.has_answered:
            lost.hint = "it never answered on this connection: the device may allow fewer sessions than are in use"
        return lost

    def _never_heard(self, unit: int) -> str:
        """What to do about a unit that has never said a word, though the connection is up."""
        number = f"unit {unit}: check the unit in the address and the one set at the device"
        if self._framing.has_transactions:
            return f"it takes connections, so power and network are fine, but nothing comes from {number}"
        return f"nothing comes from {number}, then its power and its line"

    def _hear_unasked(self, error: Mismatch) -> None:
        """Bytes that no request asked for: the link closes itself; on a line without transactions, listen it out."""
        self._count_violation(error)
        self._needs_silence = not self._framing.has_transactions

    def _count_violation(self, error: Mismatch) -> None:
        self.counters.violations += 1
        self.kinds[error.kind] = self.kinds.get(error.kind, 0) + 1

    def _give_up(self, link: Link, transaction: int) -> None:
        """After anything but an answer: never use this connection again, and know a late reply when it comes."""
        self._given_up.append(transaction)
        self._needs_silence = not self._framing.has_transactions
        link.abort()
        if self._link is link:
            self._link = None

    def _gap_left(self) -> float:
        return self._last_byte + self.min_gap - asyncio.get_running_loop().time()

    async def _keep_gap(self) -> None:
        wait = self._gap_left()
        if wait > 0:
            await asyncio.sleep(wait)

    async def _dial(self, operation: str, failures: int) -> Link:
        """Connect, not more often than is decent. Those who waited while a dial failed share its failure.

        `failures` is the number of failed dials when the caller began to wait.
        """
        self._refuse_when_shut(operation)
        if self._failure is not None and failures != self.counters.connect_failures:
            same = self._failure
            raise UnreachableError(
                same.message, device=self.name, operation=operation, hint=same.hint, trouble=same.trouble
            )
        await self._pacing.wait()
        link = Link(self._framing, self.counters, self._given_up, self._hear_unasked)
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._network.open_stream(self._host, self._port, lambda: link)
        except (OSError, EOFError, UnicodeError, OverflowError) as error:
            link.abort()
            self.counters.connect_failures += 1
            what = f"cannot connect to {self._host}:{self._port} within {self._connect_timeout:g} s"
            self._failure = unreachable(error, device=self.name, operation=operation, what=what)
            raise self._failure from error
        except BaseException:
            link.abort()
            raise
        self._failure = None
        self.counters.connects += 1
        try:
            if self._needs_silence:
                await link.drain(min(_RTU_SILENCE_S, self.timeout))
                self._needs_silence = False
            if self.pause_after_connect:
                await asyncio.sleep(self.pause_after_connect)
            self._refuse_when_shut(operation)
        except BaseException:
            link.abort()
            raise
        self._link = link
        return link

    def _refuse_when_shut(self, operation: str) -> None:
        if self._is_shut:
            raise UnreachableError("the link is closed", device=self.name, operation=operation, trouble=Trouble.OURS)

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """One timer for all deadlines of the client: making and cancelling one a request costs more than the request.

        The timer fires at the earliest deadline it was armed for, looks, and sleeps on when there is a later one.
        """
        if self._watchdog is None:
            self._watchdog = loop.call_at(self._deadline, self._look)
        elif self._deadline < self._watchdog.when():
            self._watchdog.cancel()
            self._watchdog = loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._watchdog = None
        if self._deadline == float("inf"):
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._deadline:
            self._arm(loop)
        elif self._link is not None:
            self._link.expire()
