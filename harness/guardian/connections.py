"""The guardian's own connections to the devices, opened before anything is energised."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from harness.device.protocol import part
from harness.device.third_party import third_party
from harness.device.wire import Channel, Read, carry_out
from harness.errors import HarnessError, ProtocolViolationError, Trouble, UnreachableError
from harness.safety.actions import Put

OPEN_WITHIN_S = 5.0


class Connections:
    """One channel for each device of the plan. Connections that fail or are lost are made again when needed.

    `unusable`: devices that cannot be reached whatever is tried, and why.
    """

    def __init__(self, devices: Mapping[str, Mapping[str, Any]], unusable: Mapping[str, str] | None = None) -> None:
        self.unusable = dict(unusable or {})
        self._exclusive = {name for name, entry in devices.items() if entry["is_exclusive"]}
        self._max_batch = {name: int(entry["max_batch"]) for name, entry in devices.items()}
        self.channels: dict[str, Channel] = {}
        shared: dict[Any, Any] = {}
        for name, entry in devices.items():
            try:
                with third_party(_failed):
                    self.channels[name] = part(entry["channel"])(name, entry, shared)
            except HarnessError as error:
                self.unusable[name] = f"its protocol {entry['protocol']} cannot be used: {error.message}"

    async def open(self) -> dict[str, str]:
        """Connect everything at once; device -> why not. A serial port has one owner: it is opened when it is free."""
        names = [name for name in self.channels if name not in self._exclusive]
        found = await asyncio.gather(*(self._open(name) for name in names))
        return self.unusable | {name: problem for name, problem in zip(names, found, strict=True) if problem}

    async def _open(self, name: str) -> str:
        try:
            async with asyncio.timeout(OPEN_WITHIN_S):
                with third_party(_failed, TimeoutError):
                    await self.channels[name].open()
        except (HarnessError, TimeoutError) as error:
            return str(error) or f"no connection within {OPEN_WITHIN_S:g} s"
        return ""

    def max_batch(self, device: str) -> int:
        """How many switches of a device one message may switch off."""
        return self._max_batch.get(device, 1)

    def doubt(self, device: str) -> None:
        """From now on the switches of a device are told one by one."""
        self._max_batch[device] = 1

    async def send(self, puts: Sequence[Put]) -> None:
        """Send one control's commands, or those of several with one message; see `harness.safety.sequence.Reach`."""
        channel = self._channel_to(puts[0].device)
        if len(puts) == 1:
            await carry_out(channel, puts[0].commands)
        else:
            await channel.send_batch([command for put in puts for command in put.commands])

    async def look(self, device: str, reads: Sequence[Read]) -> list[float | str]:
        """Read signals; NaN is what is no measurement. DeviceError when the device does not answer."""
        return await self._channel_to(device).read(reads)

    def _channel_to(self, device: str) -> Channel:
        if device in self.unusable:
            raise UnreachableError(self.unusable[device], device=device, operation="open", trouble=Trouble.OURS)
        return self.channels[device]

    async def close(self) -> None:
        """Close all connections."""
        for channel in self.channels.values():
            with contextlib.suppress(HarnessError), third_party(_failed):  # what is safe stays safe
                await channel.close()


def _failed(why: str) -> HarnessError:
    return ProtocolViolationError(f"the code of its protocol failed: {why}")
