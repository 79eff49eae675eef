"""What a step has provoked, or taken away from a rack that runs, and owes to it until it is given back.

```
 its block ends, or the step fails in it       the step gives it back
 the step is cut short, and the run goes on    the run does, before anything else: skip, retry, a time-out of the step's
                                               own, an error that people may mend
 the run ends: trip, abort, ERROR              nobody does: the rack is made safe, and nothing delays that; what is
                                               still set then, or done by hand, the result names
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from harness.engine.border import Children, contained, end_tasks
from harness.errors import HarnessError
from harness.events import EventKind
from harness.in_words import shown
from harness.limits.verdict import Verdict
from harness.safety.precedence import Stop

if TYPE_CHECKING:
    from harness.engine.state import RunState

T = TypeVar("T")


class Provoked(Generic[T]):
    """One thing that is owed to the rack."""

    def __init__(self, owed: list[Provoked[Any]], how: Callable[[], Awaitable[T]], by_hand: Sequence[str] = ()) -> None:
        """`owed`: where it stands until it is given back by `how`, which is called again when it was cut short.

        `by_hand`: what persons were asked to do for it.
        """
        self.by_hand = by_hand
        self._owed = owed
        self._how = how
        owed.append(self)

    @property
    def is_owed(self) -> bool:
        """Whether it has not been given back yet."""
        return self in self._owed

    async def give_back(self) -> T:
        """Give it back; returns what that returns. An error of it is the step's: it is not tried twice."""
        try:
            given = await self._how()
        except Exception:
            self._owed.remove(self)
            raise
        self._owed.remove(self)
        return given


async def settle(run: RunState, title: str, owed: list[Provoked[Any]]) -> None:
    """Give back what a step that was cut short still owes, the last first. Nothing of it where the run ends.

    ERROR for the run when it cannot be: the next steps would load a rack that is not as they think.
    """

    async def all_of_it() -> None:
        while owed:
            await owed[-1].give_back()

    if not owed:
        return
    if run.stop_requested.is_set():
        _left_by_hand(run, title, owed)
        return
    run.log.event(EventKind.NOTE, f"{title} was cut short: what it has provoked is given back", step=title)
    work = asyncio.ensure_future(contained(all_of_it, Children()))
    stopping = asyncio.ensure_future(run.stop_requested.wait())
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not work.done():
        await end_tasks([work])
        _left_by_hand(run, title, owed)
    elif (error := work.exception()) is not None:
        said = error.said if isinstance(error, HarnessError) else shown(error)
        reason = f"step {title!r} was cut short, and what it has provoked is not given back: {said}"
        run.stop_with(Stop(Verdict.ERROR, reason, error.advice if isinstance(error, HarnessError) else ""))


def _left_by_hand(run: RunState, title: str, owed: list[Provoked[Any]]) -> None:
    """What persons have done for it stays done: the result says so."""
    if run.context is not None:
        for what in (text for each in owed for text in each.by_hand):
            run.context.still_set.asked_by_hand(what, title)
