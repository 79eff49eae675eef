"""The operator's desk: what an operator may ask of a run that goes on, and how the run hears of it.

```
 pause     steps are held where they are; interlocks, polling and journal go on       continue: steps go on
 skip      the present step ends as SKIPPED; the run can no longer PASS
 retry     the present step (or the one that just ended, when the run is held after it) is done again, as attempt n + 1
 abort     safe state, ABORTED
```

`skip` and `retry` also end a pause: they would have no effect otherwise.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from harness.clock import Clock
from harness.engine.pausing import Gate, StepClock
from harness.limits.verdict import Verdict

Wish = Literal["", "skip", "retry"]


class Desk:
    """Holds what the operator asked for until the runner has heard it."""

    def __init__(self, clock: Clock) -> None:
        self.gate = Gate(clock)
        self.step_clock = StepClock(clock, self.gate)
        self.asked = asyncio.Event()
        """Set while a wish waits to be heard; the running step is cancelled for it."""
        self.who = ""
        self._wish: Wish = ""

    @property
    def is_paused(self) -> bool:
        """Whether the steps are held."""
        return not self.gate.is_open

    def ask(self, wish: Wish, who: str) -> None:
        """Leave a wish; the latest counts."""
        self._wish, self.who = wish, who
        self.asked.set()
        self.gate.open()

    def verdict(self) -> tuple[Verdict, str]:
        """What becomes of the attempt that was cut short by the wish."""
        if self._wish == "retry":
            return Verdict.ABORTED, f"begun again by {self.who}"
        return Verdict.SKIPPED, f"skipped by {self.who}"

    def hear(self) -> Wish:
        """Take the wish, once."""
        wish, self._wish = self._wish, ""
        self.asked.clear()
        return wish

    async def pass_gate(self, halted: asyncio.Event) -> None:
        """Wait while the run is held; a run that stops does not wait."""
        if self.gate.is_open:
            return
        waits = [asyncio.ensure_future(self.gate.passed()), asyncio.ensure_future(halted.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
