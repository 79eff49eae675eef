"""Compiled commands and reads of an instrument."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.device.wire import Command, Read, number_of, scaled
from harness.errors import RefusedError
from harness.transport.network import SocketNetwork
from harness.transport.visa.connect import open_instrument
from harness.transport.visa.instrument import Instrument
from harness.transport.visa.manners import Manners
from harness.transport.visa.resource import parse_resource
from harness.transport.visa.socket_session import SocketSession

_OVERFLOW = 9.9e37
"""SCPI-99 volume 1, 7.2.1.5: 9.9E37 and above mean infinity (overload), 9.91E37 not a number."""


class ScpiChannel:
    """An instrument."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument

    async def open(self) -> None:
        """Connect."""
        await self._instrument.open()

    async def close(self) -> None:
        """Close the session."""
        await self._instrument.close()

    async def send(self, command: Command) -> None:
        """Tell the instrument one line, and look whether its error queue has something to say to it."""
        await self._instrument.write(command.text)
        if command.errors and (errors := await self._instrument.drain_errors(command.errors)):
            raise RefusedError(
                f"the instrument answered {'; '.join(errors[:3])} to {command.text!r}",
                operation="write",
                vendor_code=errors[0],
            )

    async def send_batch(self, commands: Sequence[Command]) -> None:  # noqa: ARG002
        """Refused: an instrument takes one command at a time."""
        raise RefusedError("the device takes one command at a time", operation="write")

    async def read(self, reads: Sequence[Read]) -> list[float | str]:
        """Ask every query once."""
        queries = dict.fromkeys(read.query for read in reads)
        answers = {query: await self._instrument.query(query) for query in queries}
        return [of_answer(read, answers[read.query].strip()) for read in reads]


def connect(name: str, entry: Mapping[str, Any], shared: dict[Any, Any]) -> ScpiChannel:  # noqa: ARG001
    """A channel as a connection says (see `safety.connections`)."""
    timeout = entry["timeout"]
    greeting = entry["manners"]["greeting"]
    manners = Manners(**{**entry["manners"], "greeting": None if greeting is None else tuple(greeting)})
    where = parse_resource(entry["resource"])
    network = SocketNetwork()
    if where.is_socket:
        # on the loop: the VISA library would double the size of the guardian
        make = lambda: SocketSession(network, where.host, where.port, manners)  # noqa: E731
        return ScpiChannel(Instrument(make, name=name, timeout=timeout))
    return ScpiChannel(
        open_instrument(entry["resource"], network, virtual=False, name=name, timeout=timeout, manners=manners)
    )


def of_answer(read: Read, answer: str) -> float | str:
    """What an answer is."""
    part = answer
    if read.type in ("list", "field"):
        parts = answer.split(",", read.index + 1)
        if read.index >= len(parts):
            return "" if read.is_text else math.nan
        part = parts[read.index].strip()
    if read.is_text:
        return part.strip('"')
    if read.answers is not None:
        return read.answers.get(part.upper(), math.nan)
    if not part.endswith(read.suffix):
        return math.nan
    number = number_of(part.removesuffix(read.suffix))
    return scaled(read, number) if abs(number) < _OVERFLOW else math.nan
