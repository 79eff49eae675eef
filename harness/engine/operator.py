"""Operator requests: what an operator may ask of a run that goes on, and how the run hears of it.

```
 pause     steps are held where they are; interlocks, polling and journal go on       continue: steps go on
 skip      the present step ends as SKIPPED, or as the FAIL that it has measured; the run can no longer PASS
 retry     the present step (or the one that just ended, when the run is held after it) is done again, as attempt n + 1:
           a FAIL counts all the same unless the plan allows another attempt after it
 note      words for the record
 abort     safe state, ABORTED
```

`skip` and `retry` also end a pause: they would have no effect otherwise.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

from harness.clock import Clock, iso
from harness.engine.pausing import PauseGate, StepClock
from harness.errors import RunError
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.record.log import RunLog
from harness.record.result import Intervention

Request = Literal["", "skip", "retry"]


LONGEST_NOTE = 300
MOST_NOTES = 100


class OperatorRequests:
    """Holds what the operator asked for until the runner has heard it, and what people did for the record."""

    def __init__(self, clock: Clock, log: RunLog) -> None:
        self._clock = clock
        self._log = log
        self._held: Intervention | None = None
        self._held_before = 0.0
        self.people: list[Intervention] = []
        """Pauses that are over, and notes."""
        self.pause_gate = PauseGate(clock)
        self.step_clock = StepClock(clock, self.pause_gate)
        self.asked = asyncio.Event()
        """Set while a request waits to be heard; the running step is cancelled for it."""
        self.who = ""
        self._request: Request = ""

    @property
    def is_paused(self) -> bool:
        """Whether the steps are held."""
        return not self.pause_gate.is_open

    def ask(self, request: Request, who: str) -> None:
        """Leave a request; the latest counts."""
        self._request, self.who = request, who
        self.asked.set()
        self.release()

    def hold(self, who: str, step: str) -> None:
        """Hold the steps. The first who asks for it is the one who is told of; '' is the run itself."""
        if self.pause_gate.is_open:
            self._held = Intervention(at=iso(self._clock.wall_ns()), who=who, did="pause", step=step)
            self._held_before = self.pause_gate.held_s()
        self.pause_gate.close()

    def release(self) -> None:
        """Let the steps go on; what held them, and for how long, stands in the record."""
        self.pause_gate.open()
        held, self._held = self._held, None
        if held is not None and held.who:
            seconds = round(self.pause_gate.held_s() - self._held_before, 3)
            self._keep(held.model_copy(update={"held_s": seconds}), f"held for {seconds:.1f} s by {held.who}")

    def note(self, words: str, who: str, step: str) -> None:
        """Put a person's words into the record, on one line. RunError when there is nothing, or too much, to say."""
        text = " ".join("".join(char if char.isprintable() else " " for char in words).split())
        if not text:
            raise RunError("a note needs words", hint='write it like `harness ctl note "hose 3 was changed"`')
        if len(text) > LONGEST_NOTE:
            raise RunError(f"the note has {len(text)} characters, {LONGEST_NOTE} are the most")
        if sum(one.did == "note" for one in self.people) >= MOST_NOTES:
            raise RunError(f"the run has {MOST_NOTES} notes, which is the most")
        one = Intervention(at=iso(self._clock.wall_ns()), who=who, did="note", step=step, text=text)
        self._keep(one, f"{who}: {text}")

    def _keep(self, one: Intervention, shown: str) -> None:
        self.people.append(one)
        self._log.event(EventKind.PERSON, shown, intervention=one.model_dump(mode="json"))

    def verdict(self, bad: Sequence[str]) -> tuple[Verdict, str]:
        """What becomes of the attempt that was cut short by the request; what it had measured to be `bad` stays so."""
        how = f"begun again by {self.who}" if self._request == "retry" else f"skipped by {self.who}"
        if bad:
            return Verdict.FAIL, f"{'; '.join(bad[:3])} ({how})"
        return (Verdict.ABORTED if self._request == "retry" else Verdict.SKIPPED), how

    def hear(self) -> Request:
        """Take the request, once."""
        request, self._request = self._request, ""
        self.asked.clear()
        return request

    async def wait_for_pause(self, stopping: asyncio.Event) -> None:
        """Wait while the run is held; a run that stops does not wait."""
        if self.pause_gate.is_open:
            return
        waits = [asyncio.ensure_future(self.pause_gate.passed()), asyncio.ensure_future(stopping.wait())]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
