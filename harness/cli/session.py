"""Work of a command in an event loop of its own, and what signals do to it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from harness.clock import run as run_loop


def run_session(work: Callable[[], Awaitable[int]], goes_on: str = "") -> int:
    """Run work in a loop of its own; Ctrl-C and SIGTERM cancel it and close what is open (exit 130 and 143).

    With `goes_on`, signals only say that text: what must not end half-way is carried to its end.
    """
    from harness.cli.ui.terminal import say

    async def main() -> int:
        loop = asyncio.get_running_loop()
        task: asyncio.Future[Any] = asyncio.ensure_future(work())
        ended: list[int] = []

        def stop(code: int) -> None:
            if goes_on:
                say(goes_on)
                return
            ended.append(code)
            task.cancel()

        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            loop.add_signal_handler(number, stop, code)
        try:
            return int(await task)
        except asyncio.CancelledError:
            if ended:
                return ended[0]
            raise

    return run_loop(main)
