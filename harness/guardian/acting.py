"""Making the rack safe, as the guardian does it: the station's sequence, every command confirmed by read-back.

The order and the conditions are those of `harness.device.safestate`: heat off before coolant off, and coolant stays on
while something may still be energised (except in the sequence of a leak). Switches of several devices go off at once.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.device.wire import Command, Expect, Read, can_share, unpacked
from harness.errors import HarnessError, RefusedError
from harness.guardian.diary import Diary
from harness.guardian.hands import Hands
from harness.limits.derived import FUNCTIONS

_POLL_S = 0.2
_SEND_AGAIN_S = 1.0
_LOOK_S = 3.0
_KEEP_POLL_S = 1.0
_ALSO_S = 10.0
_GIVE_UP = 2
"""Commands in a row without an answer after which, once time is up, the rest is not tried."""


@dataclass(frozen=True, slots=True)
class Put:
    """One control to put into its safe setting, and what proves it."""

    device: str
    control: str
    to: str
    commands: tuple[Command, ...]
    read: Read | None
    expect: Expect
    delay: float

    @property
    def key(self) -> str:
        """`device.control`."""
        return f"{self.device}.{self.control}"


@dataclass(frozen=True, slots=True)
class Condition:
    """A reading, or a function of several, that must be as expected."""

    name: str
    function: str
    inputs: Mapping[str, tuple[str, Read]]
    expect: Expect

    async def holds(self, hands: Hands) -> bool:
        """Read and check; what cannot be read does not hold."""
        values: dict[str, float | str] = {}
        for key, (device, read) in self.inputs.items():
            try:
                (values[key],) = await hands.look(device, [read], _LOOK_S)
            except (HarnessError, TimeoutError):
                return False
        if not self.function:
            return self.expect.holds(next(iter(values.values())))
        if any(isinstance(value, str) or math.isnan(value) for value in values.values()):
            return False
        return self.expect.holds(FUNCTIONS[self.function].compute(**values))


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of a sequence: puts to carry out together, or (without any) a wait for `also` of at most `within`."""

    text: str
    puts: tuple[Put, ...]
    within: float
    is_keep: bool = False
    energises: bool = False
    only_if_confirmed: bool = True
    also: Condition | None = None


@dataclass(frozen=True, slots=True)
class Sequences:
    """Every sequence of the station, and how each switch that energises is put off."""

    by_name: Mapping[str, tuple[Action, ...]]
    off: Mapping[str, Put]

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> Sequences:
        """From the plan the runner handed over; KeyError, TypeError or ValueError when it is not one."""
        actions = {name: tuple(_action(each) for each in given) for name, given in plan["sequences"].items()}
        return cls(actions, {key: _put(each) for key, each in plan["off"].items()})

    def samples(self) -> dict[str, Read]:
        """One harmless read for each device that has a read-back."""
        puts = [*self.off.values(), *(put for actions in self.by_name.values() for a in actions for put in a.puts)]
        return {put.device: put.read for put in puts if put.read is not None}

    def chosen(self, name: str, armed: Sequence[str]) -> tuple[Action, ...]:
        """The sequence to apply; armed switches that it does not mention go off first."""
        actions = self.by_name.get(name) or self.by_name.get("default", ())
        covered = {put.key for action in actions for put in action.puts}
        by_device: dict[str, list[Put]] = {}
        for key in armed:
            if key in self.off and key not in covered:
                by_device.setdefault(self.off[key].device, []).append(self.off[key])
        extra = [
            Action(f"{device}: {len(puts)} switches off", tuple(puts), 5.0, energises=True)
            for device, puts in by_device.items()
        ]
        return (*extra, *actions)


def _put(entry: Mapping[str, Any]) -> Put:
    return Put(
        entry["device"],
        entry["control"],
        entry["to"],
        tuple(unpacked(Command, each) for each in entry["commands"]),
        unpacked(Read, entry["read"]) if entry["read"] is not None else None,
        unpacked(Expect, entry["expect"] or {}),
        entry["delay"],
    )


def _action(entry: Mapping[str, Any]) -> Action:
    if entry.get("keep"):
        return Action(entry["text"], (), entry["at_most"], is_keep=True, also=_condition(entry["until"]))
    return Action(
        entry["text"],
        tuple(_put(each) for each in entry["sets"]),
        entry["within"],
        energises=entry["energises"],
        only_if_confirmed=entry["only_if_confirmed"],
        also=_condition(entry["also"]),
    )


def _condition(entry: Mapping[str, Any] | None) -> Condition | None:
    if entry is None:
        return None
    inputs = {key: (part["device"], unpacked(Read, part["read"])) for key, part in entry["inputs"].items()}
    return Condition(entry["name"], entry["function"], inputs, unpacked(Expect, entry["expect"]))


async def make_safe(actions: Sequence[Action], hands: Hands, diary: Diary) -> list[str]:
    """Carry the actions out; what is not confirmed, by name. Never raises for what devices do."""
    unconfirmed: list[str] = []
    live: list[str] = []
    last = max((k for k, action in enumerate(actions) if action.puts), default=-1)
    for place, together in _batches(actions):
        for action in together:
            if live and not action.energises and action.puts and action.only_if_confirmed:
                unconfirmed.append(f"{action.text} (left alone: {live[0]} may still be energised)")
                diary.note("left alone", action=action.text, because=f"{live[0]} may still be energised")
        doing = [a for a in together if a.energises or not (live and a.puts and a.only_if_confirmed)]
        if doing and doing[0].is_keep:
            await _keep(doing[0], hands, diary, needed=place < last)
            continue
        results = await asyncio.gather(*(_carry_out(action, hands, diary) for action in doing))
        for action, problem in zip(doing, results, strict=True):
            diary.note("action", action=action.text, confirmed=not problem, problem=problem)
            if problem:
                unconfirmed.append(f"{action.text} ({problem})")
                if action.energises:
                    live.append(action.text)
    return unconfirmed


def _batches(actions: Sequence[Action]) -> Iterator[tuple[int, list[Action]]]:
    """Actions in order; switches next to each other that belong to different devices come together."""
    batch: list[Action] = []
    start = 0
    for k, action in enumerate(actions):
        devices = {put.device for each in batch for put in each.puts}
        if batch and batch[0].energises and action.energises and not devices & {put.device for put in action.puts}:
            batch.append(action)
            continue
        if batch:
            yield start, batch
        batch, start = [action], k
    if batch:
        yield start, batch


async def _keep(action: Action, hands: Hands, diary: Diary, *, needed: bool) -> None:
    """Leave the coolant running until the condition holds. When nothing comes after, it simply stays on."""
    if not needed or action.also is None:
        diary.note("kept", action=action.text, waited=False)
        return
    reached = await _reaches(action.also, hands, action.within)
    diary.note("kept", action=action.text, waited=True, reached=reached)


async def _reaches(condition: Condition, hands: Hands, within: float) -> bool:
    deadline = asyncio.get_running_loop().time() + within
    while not await condition.holds(hands):
        left = deadline - asyncio.get_running_loop().time()
        if left <= 0:
            return False
        await asyncio.sleep(min(_KEEP_POLL_S, left))
    return True


async def _carry_out(action: Action, hands: Hands, diary: Diary) -> str:
    """Command and confirm the puts of an action (all of one device) until they agree or time is up; '' when all do."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + action.within
    pending = list(action.puts)
    problems: dict[str, str] = {}
    while pending:
        await _send_all(pending, hands, diary, problems, deadline)
        delay = max(put.delay for put in pending)
        await asyncio.sleep(min(delay, max(0.0, deadline - loop.time())))
        again_at = loop.time() + _SEND_AGAIN_S
        while pending:
            pending = await _disagreeing(pending, hands, diary, problems)
            if not pending or loop.time() >= min(again_at, deadline):
                break
            await asyncio.sleep(_POLL_S)
        for put in pending:
            hands.max_together[put.device] = 1  # it may have done a part of a message only
        if loop.time() >= deadline:
            break
    if pending:
        for put in pending:
            diary.note(
                "not confirmed", device=put.device, control=put.control, wanted=put.to, problem=problems[put.key]
            )
        more = f" and {len(pending) - 4} more" if len(pending) > 4 else ""
        return ", ".join(f"{put.key}: {problems[put.key]}" for put in pending[:4]) + more
    if action.also is not None and not await _reaches(action.also, hands, _ALSO_S):
        return f"{action.also.name} does not agree"
    return ""


async def _send_all(puts: Sequence[Put], hands: Hands, diary: Diary, problems: dict[str, str], deadline: float) -> None:
    """Send one command after another: all of them to a slow device, but not all to one that does not answer.

    Switches that go off share a message where the device takes it. When it refuses one, or one is lost, what does not
    read as off is told so again, one by one.
    """
    unanswered = 0
    for batch in _messages(puts, hands):
        if unanswered >= _GIVE_UP and asyncio.get_running_loop().time() >= deadline:
            problems.update((put.key, "not sent: the device does not answer") for put in batch)
            continue
        alone: Sequence[Put] = batch
        if len(batch) > 1:
            problem = await _send_together(batch, hands, diary)
            problems.update((put.key, problem) for put in batch)
            unanswered = unanswered + 1 if problem.startswith("unclear") else 0
            alone = await _disagreeing(batch, hands, diary, problems) if problem else ()
            if problem:
                hands.max_together[batch[0].device] = 1
        for put in alone:
            if unanswered >= _GIVE_UP and asyncio.get_running_loop().time() >= deadline:
                break
            problem = problems[put.key] = await _send(put, hands, diary)
            unanswered = unanswered + 1 if problem.startswith("unclear") else 0


def _messages(puts: Sequence[Put], hands: Hands) -> Iterator[list[Put]]:
    """The puts in order; switches next to each other that go off, as many together as the device takes."""
    batch: list[Put] = []
    for put in puts:
        is_alone = put.to != "off" or put.read is None or not can_share(put.commands)
        if batch and (is_alone or len(batch) >= hands.max_together[put.device]):
            yield batch
            batch = []
        batch.append(put)
        if is_alone:
            yield batch
            batch = []
    if batch:
        yield batch


async def _send_together(puts: Sequence[Put], hands: Hands, diary: Diary) -> str:
    """Put several switches off with one message; '' when it was acknowledged, else what went wrong."""
    for put in puts:
        diary.note("command", device=put.device, control=put.control, to=put.to)
    try:
        await hands.send_together(puts[0].device, [command for put in puts for command in put.commands])
    except RefusedError as error:
        kind, problem = "refused", error.message
    except Exception as error:  # whatever it is: the other commands must go out
        kind, problem = "unclear", _said(error) or "no acknowledgement in time"
    else:
        return ""
    for put in puts:
        diary.note(kind, device=put.device, control=put.control, problem=problem)
    return f"{kind}: {problem}"


async def _send(put: Put, hands: Hands, diary: Diary) -> str:
    """Send one command; '' when it was acknowledged, else what went wrong."""
    about = {"device": put.device, "control": put.control}
    diary.note("command", **about, to=put.to)
    try:
        await hands.send(put.device, put.commands)
    except RefusedError as error:
        diary.note("refused", **about, problem=error.message)
        return f"refused: {error.message}"
    except Exception as error:  # whatever it is: the other commands must go out
        problem = _said(error) or "no acknowledgement in time"
        diary.note("unclear", **about, problem=problem)
        return f"unclear: {problem}"
    return ""


async def _disagreeing(puts: Sequence[Put], hands: Hands, diary: Diary, problems: dict[str, str]) -> list[Put]:
    """Read back together; those that do not (yet) show their setting."""
    readable = [put for put in puts if put.read is not None]
    blind = [put for put in puts if put.read is None]
    for put in blind:
        problems[put.key] = problems[put.key] or "the profile names no signal that confirms it"
    if not readable:
        return blind
    device = readable[0].device
    try:
        values = await hands.look(device, [put.read for put in readable if put.read is not None], _LOOK_S)
    except Exception as error:
        for put in readable:
            problems[put.key] = _said(error) or "no answer to the read-back"
        return list(puts)
    left = []
    for put, value in zip(readable, values, strict=True):
        if put.expect.holds(value):
            diary.note("confirmed", device=put.device, control=put.control, wanted=put.to, read=_json(value))
        else:
            problems[put.key] = problems[put.key] or f"reads {_json(value)}"
            left.append(put)
    return [*left, *blind]


def _said(error: Exception) -> str:
    return error.message if isinstance(error, HarnessError) else "" if isinstance(error, TimeoutError) else repr(error)


def _json(value: float | str) -> float | str | None:
    return None if isinstance(value, float) and math.isnan(value) else value


async def energised(off: Mapping[str, Put], keys: Sequence[str], hands: Hands) -> list[str]:
    """Which of these switches read as something else than off. What cannot be read is not said to be on."""
    by_device: dict[str, list[Put]] = {}
    for key in keys:
        if key in off and off[key].read is not None:
            by_device.setdefault(off[key].device, []).append(off[key])
    found = []
    for device, puts in by_device.items():
        try:
            values = await hands.look(device, [put.read for put in puts if put.read is not None], _LOOK_S)
        except (HarnessError, TimeoutError):
            continue
        found += [
            put.key
            for put, value in zip(puts, values, strict=True)
            if not put.expect.holds(value) and not (isinstance(value, float) and math.isnan(value))
        ]
    return found
