"""One stroke of a safe state: commands to several devices at once, each confirmed by read-back before a deadline.

Every device is a lane of its own: its commands go out one after another (switches that go off share a message where the
device takes it), then they are read back together, and what does not agree is sent again: `off` is idempotent. All
commands go to a slow device, but not all to one that does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.device.wire import can_share
from harness.errors import HarnessError, RefusedError
from harness.events import EventKind
from harness.safety.actions import Action, Put
from harness.safety.reach import Notes, Reach

LOOK_S = 3.0
"""Longest time for a read-back, seconds."""
COMMAND_S = 5.0
"""Longest time for one command to be acknowledged, seconds."""
_POLL_S = 0.2
_SEND_AGAIN_S = 1.0
_INTENT_S = 1.0
"""Longest wait for the intent to be durable: a disk that hangs must not keep the rack live."""
_GIVE_UP = 2
"""Commands in a row without an answer after which, once time is up, the rest is not tried."""
_LEAST_S = 0.5
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Struck:
    """What came of a stroke: for each action '' or what is not confirmed and why; when it began."""

    details: list[str]
    began: float


class Stroke:
    """Some actions carried out at the same time."""

    def __init__(self, actions: Sequence[Action], reach: Reach, notes: Notes) -> None:
        self._actions = actions
        self._reach = reach
        self._notes = notes

    async def run(self) -> Struck:
        """Send and confirm everything."""
        began = asyncio.get_running_loop().time()
        lanes: dict[str, dict[str, Put]] = {}
        within: dict[str, float] = {}
        for action in self._actions:
            for put in action.puts:
                lanes.setdefault(put.device, {})[put.key] = put
                within[put.device] = max(within.get(put.device, 0.0), action.within)
        stagger = max((action.stagger for action in self._actions), default=0.0)
        made = [
            _Lane(list(puts.values()), within[device], self._reach, self._notes, stagger)
            for device, puts in lanes.items()
        ]
        await asyncio.gather(*(lane.run() for lane in made))
        problems = {key: why for lane in made for key, why in lane.problems.items()}
        return Struck([_detail(action, problems) for action in self._actions], began)


def _detail(action: Action, problems: Mapping[str, str]) -> str:
    """What of an action is not confirmed; a reason that several share is said once: this is read from afar."""
    reasons: dict[str, list[str]] = {}
    for put in action.puts:
        if put.key in problems:
            reasons.setdefault(problems[put.key], []).append(put.control)
    return "; ".join(f"{_names(names)}: {reason}" for reason, names in reasons.items())


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


class _Lane:
    """The part of a stroke that one device has. `problems` is what is not confirmed, by key."""

    def __init__(self, puts: Sequence[Put], within: float, reach: Reach, notes: Notes, stagger: float) -> None:
        self._pending = [put for put in puts if not put.problem]
        self._reach = reach
        self._notes = notes
        self._stagger = stagger
        self._time = asyncio.get_running_loop().time
        self._deadline = self._time() + within
        self._unanswered = 0
        self.problems = {put.key: put.problem for put in puts if put.problem}
        self._said: dict[str, str] = {}

    async def run(self) -> None:
        """Send, read back, send again, until all agree or time is up."""
        while self._pending:
            await self._announce()
            await self._send_all()
            await self._read_back()
            if self._time() >= self._deadline:
                break
        for put in self._pending:
            reason = self._said.get(put.key) or "no answer"
            self.problems[put.key] = reason
            self._notes.note(
                EventKind.NOT_CONFIRMED, device=put.device, control=put.control, wanted=put.to, problem=reason
            )

    async def _announce(self) -> None:
        wanted = {put.control: put.to for put in self._pending}
        intent = asyncio.ensure_future(self._notes.intent(self._pending[0].device, wanted))
        intent.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.wait({intent}, timeout=_INTENT_S)
        if not intent.done():
            self._notes.note(
                EventKind.NOTE, text="the intent is not on the disk yet; the rack is made safe all the same"
            )

    async def _send_all(self) -> None:
        for batch in self._messages():
            if self._is_given_up():
                self._said.update((put.key, "not sent: the device does not answer") for put in batch)
                continue
            problem = await self._send(batch)
            self._said.update((put.key, problem) for put in batch)
            if problem and len(batch) > 1:
                # an error says nothing of what was done, and off may be said twice: one by one what is not off
                self._reach.doubt(batch[0].device)
                for put in await self._disagreeing(batch):
                    if not self._is_given_up():
                        self._said[put.key] = await self._send([put])
            if self._stagger:
                await asyncio.sleep(self._stagger)
                self._deadline += self._stagger

    def _is_given_up(self) -> bool:
        return self._unanswered >= _GIVE_UP and self._time() >= self._deadline

    def _messages(self) -> Iterator[list[Put]]:
        """The puts in order; switches next to each other that go off, as many together as the device takes."""
        batch: list[Put] = []
        for put in self._pending:
            is_alone = bool(self._stagger) or put.to != "off" or put.read is None or not can_share(put.commands)
            if batch and (is_alone or len(batch) >= self._reach.max_batch(put.device)):
                yield batch
                batch = []
            batch.append(put)
            if is_alone:
                yield batch
                batch = []
        if batch:
            yield batch

    async def _send(self, puts: Sequence[Put]) -> str:
        """Send one message; '' when it was acknowledged, else what went wrong."""
        limit = COMMAND_S + sum(command.seconds for put in puts for command in put.commands)
        if self._unanswered:
            limit = min(limit, max(_LEAST_S, self._deadline - self._time()))
        try:
            async with asyncio.timeout(limit):
                await self._reach.send(puts)
        except RefusedError as error:
            kind, problem = EventKind.REFUSED, error.message
            self._unanswered = 0
        except Exception as error:  # whatever it is: the other commands must go out
            kind, problem = EventKind.UNCLEAR, said(error) or "no acknowledgement in time"
            self._unanswered += 1
        else:
            self._unanswered = 0
            for put in puts:
                self._notes.note(EventKind.ACKNOWLEDGED, device=put.device, control=put.control)
            return ""
        for put in puts:
            self._notes.note(kind, device=put.device, control=put.control, error=problem)
        return f"{kind}: {problem}"

    async def _read_back(self) -> None:
        """Read back until all agree, it is time to send again, or time is up."""
        delay = max(put.delay for put in self._pending)
        await asyncio.sleep(min(delay, max(0.0, self._deadline - self._time())))
        again_at = self._time() + _SEND_AGAIN_S
        while True:
            self._pending = await self._disagreeing(self._pending, is_final=True)
            if not self._pending or self._time() >= min(again_at, self._deadline):
                break
            await asyncio.sleep(_POLL_S)
        if self._pending:
            self._reach.doubt(self._pending[0].device)  # it may have done a part of a message only

    async def _disagreeing(self, puts: Sequence[Put], *, is_final: bool = False) -> list[Put]:
        """Read back together; those that do not (yet) show their setting, and those of which that cannot be known."""
        blind = [put for put in puts if put.read is None]
        for put in blind:
            self._said[put.key] = self._said.get(put.key) or "the profile names no signal that confirms it"
        readable = [put for put in puts if put.read is not None]
        if not readable:
            return blind
        try:
            async with asyncio.timeout(LOOK_S):
                values = await self._reach.look(
                    readable[0].device, [put.read for put in readable if put.read is not None]
                )
        except Exception as error:
            self._said.update((put.key, said(error) or "no answer to the read-back") for put in readable)
            return list(puts)
        left = []
        for put, value in zip(readable, values, strict=True):
            shown = put.show(value)
            if not put.expect.holds(value):
                self._said[put.key] = self._said.get(put.key) or f"reads {shown}"
                left.append(put)
            elif is_final:
                self._notes.note(EventKind.CONFIRMED, device=put.device, control=put.control, wanted=put.to, read=shown)
        return [*left, *blind]


def said(error: Exception) -> str:
    """An error in words; '' for a time-out, which has none."""
    return error.message if isinstance(error, HarnessError) else "" if isinstance(error, TimeoutError) else repr(error)
