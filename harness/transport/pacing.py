"""How often a connection may be dialled: at once after a loss, then half a second later, then once a second.

A device that is back is used again within a second; one that is gone, or that accepts and hangs up, is not stormed.
"""

from __future__ import annotations

import asyncio

FIRST_REDIAL_S = 0.5
REDIAL_S = 1.0


class Pacing:
    """Spaces the dials of one connection. A dial counts as in vain until something was answered over it."""

    def __init__(self) -> None:
        self._in_vain = 0
        self._last = float("-inf")

    async def wait(self) -> None:
        """Wait until a dial is decent, and note that it is made."""
        loop = asyncio.get_running_loop()
        if self._in_vain:
            gap = FIRST_REDIAL_S if self._in_vain == 1 else REDIAL_S
            wait = self._last + gap - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
        self._last = loop.time()
        self._in_vain += 1

    def answered(self) -> None:
        """The device answers: the next loss may be followed by a dial at once."""
        self._in_vain = 0
