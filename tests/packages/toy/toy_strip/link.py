"""A strip as a device of the harness."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from harness.device.address import Address, split_address
from harness.device.link import LinkRequest, PlainLink, Reply
from harness.device.points import ControlPoint, SignalPoint, fill
from harness.device.wire import Command, Read, carry_out
from harness.quantity import Quality
from toy_strip.channel import ToyChannel, ToyClient, read_one
from toy_strip.profile import ToyControl, ToySignal


def parse(text: str) -> Address:
    """An address."""
    parts, port = split_address(text, 4000)
    return Address("toy", parts.scheme, parts.hostname or "", port)


def make_link(request: LinkRequest) -> ToyLink:
    """The link of one strip."""
    where = request.where
    client = ToyClient(request.network, where.host, where.port, name=request.name, timeout=request.profile.timeout)
    return ToyLink(request, client)


def connection(profile: Any, where: Address, base: Path) -> dict[str, Any]:
    """What the channel needs to know."""
    return {"host": where.host, "port": where.port}


class ToyPlan:
    """Signals that are asked for one after the other."""

    def __init__(self, link: ToyLink, points: Sequence[SignalPoint]) -> None:
        self._client = link.client
        self._reads = [link.reading(point) for point in points]

    async def read(self, *, is_urgent: bool = False) -> Reply:
        """Ask for all of them."""
        reply = Reply.empty(len(self._reads))
        for k, read in enumerate(self._reads):
            found = await read_one(self._client, read)
            if isinstance(found, str):
                reply.texts[k] = found
            else:
                reply.raw[k] = found
                if math.isnan(found):
                    reply.qualities[k] = Quality.BAD_REFUSED
        return reply


class ToyLink(PlainLink):
    """One strip."""

    def __init__(self, request: LinkRequest, client: ToyClient) -> None:
        self.client = client
        self.channel = ToyChannel(client)
        self._points = list(request.expansion.signals.values())
        self._parameters = {**request.profile.parameters, **request.parameters}

    async def open(self) -> Sequence[SignalPoint]:
        """Connect; a strip has all that its profile says."""
        await self.client.open()
        return self._points

    def plan(self, points: Sequence[SignalPoint]) -> ToyPlan:
        """A list of signals, to be read again and again."""
        return ToyPlan(self, points)

    async def write(self, control: ControlPoint, value: float, word: str) -> None:
        """Send one command, once."""
        await carry_out(self.channel, await self.commands(control, value, word))

    async def commands(self, control: ControlPoint, value: float, word: str) -> list[Command]:
        """What goes over the wire."""
        spec = cast("ToyControl", control.spec)
        return [Command("set", oid=fill(spec.name, control.row, self._parameters), text=spec.texts[word])]

    def reading(self, point: SignalPoint) -> Read:
        """How one signal is read on its own."""
        spec = cast("ToySignal", point.spec)
        codes = {text: float(code) for code, text in enumerate(spec.answers.values())}
        return Read(type=spec.type, oid=fill(spec.name, point.row, self._parameters), answers=codes or None)

    def renew(self) -> None:
        """Nothing was learnt."""

    async def close(self) -> None:
        """Let go of the connection."""
        await self.client.close()

    def health(self) -> Mapping[str, int]:
        """Counters of the connection."""
        return self.client.counters
