"""Opening a device with patience for the slow and none for the dead.

A station must say within five seconds who does not answer at all. But the management card of a PDU may take half a
second for each answer, and opening one asks many questions: as long as answers come, opening goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from harness.clock import Clock
from harness.device.device import Device
from harness.errors import HarnessError, UnreachableError

SILENT_S = 4.5
"""A device that has answered nothing for so long while it is opened is given up."""
SLOW_S = 30.0
"""A device that answers must be open after this."""
_MOST_REPORTED = 3
"""Devices whose failures a single line names."""


async def open_device(device: Device, clock: Clock) -> None:
    """Open a device; UnreachableError when it says nothing for `SILENT_S`, or is not open after `SLOW_S`."""
    work = asyncio.ensure_future(device.open())
    started, heard = clock.monotonic(), 0
    try:
        while True:
            done, _ = await asyncio.wait({work}, timeout=SILENT_S)
            if done:
                return work.result()
            before, heard = heard, _answers(device)
            took = clock.monotonic() - started
            # one request may be under way: it is counted, but not answered yet
            if heard <= before + 1 or took > SLOW_S - SILENT_S:
                raise UnreachableError(f"did not come up within {took:.1f} s", device=device.name, operation="open")
    finally:
        if not work.done():
            work.cancel()
            await asyncio.wait({work})


def _answers(device: Device) -> int:
    counted = device.link.health()
    return counted.get("requests", 0) - counted.get("timeouts", 0)


def tree_report(title: str, failures: Mapping[str, tuple[str, HarnessError]]) -> str:
    """One report of several devices' failures: device, address, reason and what to do, each on its own line."""
    lines = [title]
    width = max((len(name) for name in failures), default=0)
    for k, (name, (address, error)) in enumerate(failures.items()):
        branch = "└─" if k == len(failures) - 1 else "├─"
        advice = f"; {error.advice}" if error.advice else ""
        lines.append(f"{branch} {name:<{width}}  {address}  {error.message}{advice}")
    return "\n".join(lines)


def reasons(failures: Mapping[str, tuple[str, HarnessError]]) -> str:
    """Why each of the first devices failed, on one line."""
    reported = [f"{name} at {address}: {error.message}" for name, (address, error) in failures.items()]
    more = f"; and {len(reported) - _MOST_REPORTED} more" if len(reported) > _MOST_REPORTED else ""
    return "; ".join(reported[:_MOST_REPORTED]) + more


def to_do(failures: Mapping[str, tuple[str, HarnessError]]) -> str:
    """What to do about several devices: the same advice once, with the devices that it is for."""
    whose: dict[str, list[str]] = {}
    for name, (_, error) in failures.items():
        if error.advice:
            whose.setdefault(error.advice, []).append(name)
    return "; ".join(f"{', '.join(names)}: {advice}" for advice, names in whose.items())
