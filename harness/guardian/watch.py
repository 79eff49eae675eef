"""The guardian's end of the pipe: what the runner says, and when it has been silent for too long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

MISSED_BEATS = 3
_MAX_LINE = 16 * 1024 * 1024


class Watch(asyncio.Protocol):
    """Hears the runner. All times are of the guardian's own monotonic clock."""

    def __init__(self) -> None:
        self.hello: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self.armed: tuple[str, ...] = ()
        self.sequence = "default"
        self.is_gone = False
        self.said_bye = False
        self.unconfirmed: tuple[str, ...] = ()
        """What the runner had not confirmed when it said good-bye."""
        self.is_handed_over = False
        self.interval = 0.25
        self.epoch = 0
        self.last_heard = asyncio.get_running_loop().time()
        self._changed = asyncio.Event()
        self._rest = bytearray()
        self._transport: asyncio.WriteTransport | None = None

    # --- the pipe ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The pipe is up."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Take in whole lines. What is not a line of ours is as bad as silence: it does not count as a beat."""
        self._rest += data
        if b"\n" not in data and len(self._rest) <= _MAX_LINE:
            return
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            try:
                message = json.loads(line)
                self._take(message)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue

    def _take(self, message: Mapping[str, Any]) -> None:
        say = message["say"]
        if say == "hello":
            self.epoch, self.interval = int(message["epoch"]), float(message["interval"])
            if not self.hello.done():
                self.hello.set_result(message)
        elif message["epoch"] != self.epoch:
            return
        elif say == "beat":
            self.armed = tuple(str(key) for key in message["armed"])
            self.sequence = str(message["sequence"])
        elif say == "takeover":
            self.is_handed_over = True
        elif say == "bye":
            self.said_bye = True
            self.unconfirmed = tuple(map(str, message.get("unconfirmed", ())))
        self.last_heard = asyncio.get_running_loop().time()
        self._changed.set()

    def eof_received(self) -> None:
        """The runner's end is closed: it died, or ended without saying so."""
        self._lost()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (all endings are the same here)
        """The pipe is gone."""
        self._lost()

    def _lost(self) -> None:
        self.is_gone = True
        if not self.hello.done():
            self.hello.cancel()
        self._changed.set()

    def say(self, what: str, **data: Any) -> None:
        """Tell the runner something; it may not be there to hear it."""
        if self._transport is not None and not self.is_gone:
            self._transport.write(json.dumps({"say": what, "epoch": self.epoch, **data}).encode() + b"\n")

    # --- waiting -----------------------------------------------------------------------------------------------------

    @property
    def silence(self) -> float:
        """Seconds since the runner was last heard."""
        return asyncio.get_running_loop().time() - self.last_heard

    async def cause(self) -> str:
        """Wait until the guardian has something to do: why, or '' when the runner said good-bye."""
        while True:
            if self.said_bye:
                return ""
            if self.is_gone:
                return "the runner is gone: its end of the pipe closed"
            if self.is_handed_over:
                return "the runner hands over"
            limit = MISSED_BEATS * self.interval
            if self.armed and self.silence >= limit:
                return f"the runner is frozen: no beat for {self.silence:.2f} s"
            self._changed.clear()
            if self.armed:
                await self.changed(limit - self.silence)
            else:
                await self.changed(5.0)
            self.say("alive")

    async def changed(self, within: float) -> None:
        """Wait for the next word of the runner, at most `within` seconds."""
        try:
            async with asyncio.timeout(max(0.01, within)):
                await self._changed.wait()
        except TimeoutError:
            return
