"""THE executor of a safe state: what the runner, the guardian and `harness safe` do is done here, once.

```
 actions in order:  set, set   what puts power on the rack is one stroke: all devices at once, a mute one delays nobody
                    (with it what does not depend on it: batteries told to stop, a pump that wets live parts)
                    confirmed by read-back, sent again until it is or time is up
                    no heat?   busbar below the trays' under-voltage, batteries idle (where the station sees them)
                    keep ...   the coolant runs until a condition holds
                    set ...    the rest, one by one; left alone while something may be live
                    dead?      busbar below the station's limit
```

It knows neither devices nor processes: `Reach` carries commands and reads, `Notes` writes down. All waiting is on the
running loop's clock, so the same code serves real, faster and virtual time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import HarnessError
from harness.events import EventKind
from harness.faultpoint import fault_point
from harness.limits.derived import FUNCTIONS
from harness.safety.actions import Action, CompiledCondition, CompiledSequence, Proof, Put
from harness.safety.reach import Notes, Reach, StrictReach
from harness.safety.stroke import LOOK_S, Stroke

_KEEP_POLL_S = 1.0
_GLANCE_S = 0.5
"""Longest time for a look at the busbar before the first command, seconds."""
_AGREE_S = 10.0
"""How long an independent reading may lag behind a confirmed command."""


@dataclass(slots=True)
class ActionReport:
    """What one action of the sequence did.

    A wait (`keep`) that did not reach its condition is not confirmed, but it leaves nothing live: it does not count
    against the rack.
    """

    action: str
    is_confirmed: bool
    detail: str = ""
    seconds: float = 0.0
    is_wait: bool = False


@dataclass(slots=True)
class SafeReport:
    """What the whole sequence did. `is_confirmed` is the only thing that may be called safe."""

    sequence: str
    cause: str
    actions: list[ActionReport] = field(default_factory=list)

    @property
    def is_confirmed(self) -> bool:
        """Whether every action that leaves the rack safe was confirmed."""
        return all(action.is_confirmed or action.is_wait for action in self.actions)

    @property
    def unconfirmed(self) -> list[str]:
        """What is not confirmed, by name."""
        missing = [a for a in self.actions if not a.is_confirmed and not a.is_wait]
        return [f"{a.action} ({a.detail})" if a.detail else a.action for a in missing]

    @property
    def unreached(self) -> list[str]:
        """The waits that ended without their condition: they leave nothing live, and are never called confirmed."""
        return [f"{a.action} ({a.detail})" for a in self.actions if a.is_wait and not a.is_confirmed]


async def make_safe(
    sequence: CompiledSequence, cause: str, reach: Reach, notes: Notes, *, bus_was_live: bool | None = True
) -> SafeReport:
    """Carry a sequence out up to its last command. Never raises for what devices do; the report says what is confirmed.

    `bus_was_live`: whether the readings that prove the rack dead were seen live while it was energised; a sensor that
    stands still at 0 V proves nothing. None: not known, so it is looked for before the first command.

    Waits (`keep`) after the last command protect what comes after the safe state: see `cool_down`.
    """
    report = SafeReport(sequence.name, cause)
    notes.note(EventKind.SAFE_STATE, sequence=sequence.name, cause=cause)
    fault_point("safe-begun")
    execution = _Execution(sequence, reach, notes, report)
    execution.bus_was_live = await execution.is_bus_live() if bus_was_live is None else bus_was_live
    await execution.run()
    return report


async def cool_down(sequence: CompiledSequence, reach: Reach, notes: Notes, report: SafeReport) -> None:
    """Carry out the waits after the last command: the coolant goes on running until their conditions hold.

    They protect what a run does with a rack that is safe. One that is not is left as it is: nothing is waited for.
    """
    if not report.is_confirmed:
        return
    execution = _Execution(sequence, reach, notes, report)
    for action in sequence.actions[_commands_end(sequence) :]:
        await execution.keep(action)


def _commands_end(sequence: CompiledSequence) -> int:
    return max((k + 1 for k, action in enumerate(sequence.actions) if not action.is_keep), default=0)


class _Execution:
    """One sequence under way."""

    def __init__(self, sequence: CompiledSequence, reach: Reach, notes: Notes, report: SafeReport) -> None:
        self._sequence = sequence
        self._reach = StrictReach(reach)
        self._notes = notes
        self._report = report
        self._time = asyncio.get_running_loop().time
        self._live: list[str] = []
        """Why something may still be live or heating."""
        self._struck: float | None = None
        """When what puts power on the rack was told to go off."""
        self._is_without_heat = False
        self.bus_was_live = True

    async def is_bus_live(self) -> bool:
        """Whether a reading that would prove the rack dead shows it live now; nothing is waited for beyond a moment."""
        proof = self._sequence.proof
        if proof is None:
            return True
        looks = [asyncio.ensure_future(self._value(each)) for each in proof.dead]
        await asyncio.wait(looks, timeout=_GLANCE_S)
        for look in looks:
            look.cancel()
        seen = [(each, look.result()) for each, look in zip(proof.dead, looks, strict=True) if _is_there(look)]
        return not seen or any(not each.expect.holds(value) for each, value in seen if value is not None)

    async def run(self) -> None:
        for batch in _batches(self._sequence.actions[: _commands_end(self._sequence)]):
            if batch[0].is_keep:
                await self.keep(batch[0])
            elif _is_at_once(batch[0]):
                await self._strike(batch)
            else:
                await self._follow(batch[0])
            fault_point("safe-between")
        await self._prove_dead()

    async def _strike(self, actions: Sequence[Action]) -> None:
        """Take the power off, with what goes whatever becomes of it: all devices at once."""
        if self._struck is None and any(action.energises for action in actions):
            self._struck = self._time()
        found = await Stroke(actions, self._reach, self._notes).run()
        checks = [self._agrees(action, detail) for action, detail in zip(actions, found.details, strict=True)]
        for action, detail in zip(actions, await asyncio.gather(*checks), strict=True):
            if detail and action.energises:
                self._live.append(action.text)
            self._tell(action.text, detail, found.began)

    async def _agrees(self, action: Action, detail: str) -> str:
        """The independent reading of a confirmed action; '' when it agrees, or there is none."""
        if detail or action.confirm_by is None:
            return detail
        return await self._reaches(action.confirm_by, _AGREE_S)

    async def _follow(self, action: Action) -> None:
        """What does not put power on the rack: coolant, valves, settings."""
        if action.only_if_confirmed and self._struck is not None and not self._live:
            await self._prove_without_heat()
        if action.only_if_confirmed and self._live:
            self._tell(action.text, f"left alone: {self._live[0]} may still be energised", self._time())
            return
        found = await Stroke([action], self._reach, self._notes).run()
        self._tell(action.text, await self._agrees(action, found.details[0]), found.began)

    async def keep(self, action: Action) -> None:
        """Leave the coolant running until the condition holds, for `at_least` and at most `within` seconds."""
        began = self._time()
        await asyncio.sleep(action.at_least)
        detail = ""
        if action.confirm_by is not None:
            detail = await self._reaches(action.confirm_by, max(0.0, action.within - action.at_least), action.within)
        self._tell(action.text, detail, began, is_wait=True)

    # --- proofs ------------------------------------------------------------------------------------------------------

    async def _prove_without_heat(self) -> None:
        """See that the busbar is below the trays' under-voltage and the batteries idle: now the coolant may stop."""
        proof = self._sequence.proof
        if self._is_without_heat or proof is None:
            return
        began = self._time()
        detail = await self._all_hold(proof.no_heat, proof)
        self._is_without_heat = not detail
        if detail:
            self._live.append(f"the rack ({detail})")
        self._tell("no heat", detail, began)

    async def _prove_dead(self) -> None:
        """De-energised: the busbar is below the station's limit."""
        proof = self._sequence.proof
        if proof is None or self._struck is None or self._live:
            return
        began = self._time()
        self._tell("de-energised", await self._all_hold((*proof.no_heat, *proof.dead), proof), began)

    async def _all_hold(self, conditions: Sequence[CompiledCondition], proof: Proof) -> str:
        if not self.bus_was_live:
            names = ", ".join(dict.fromkeys(each.name for each in proof.dead))
            return f"{names} did not show the rack live while it was energised, and proves nothing"
        deadline = (self._struck or self._time()) + proof.within
        left = max(0.0, deadline - self._time())
        details = await asyncio.gather(*(self._reaches(each, left, proof.within, still=True) for each in conditions))
        return "; ".join(dict.fromkeys(filter(None, details)))

    # --- conditions --------------------------------------------------------------------------------------------------

    async def _reaches(
        self, condition: CompiledCondition, within: float, shown_within: float = 0.0, *, still: bool = False
    ) -> str:
        """Wait until a condition has held for as long as it needs; '' when it has, else what it shows instead."""
        started = self._time()
        held = math.inf
        while True:
            value = await self._value(condition)
            holds = value is not None and condition.expect.holds(value)
            now = self._time()
            held = min(held, now) if holds else math.inf
            if now - held >= condition.needed:
                return ""
            if now - started >= within:
                break
            await asyncio.sleep(min(_KEEP_POLL_S, max(0.05, started + within - now)))
        if value is None:
            return f"{condition.name} cannot be read"
        shown = f"{value:.4g} {condition.unit}".rstrip() if isinstance(value, float) else value
        if still:
            return f"{condition.name} still {shown}"
        return f"{condition.name} did not get there within {shown_within or within:g} s, it is {shown}"

    async def _value(self, condition: CompiledCondition) -> float | str | None:
        """What the condition is about, read now; None when it cannot be."""
        values: dict[str, float | str] = {}
        if not condition.inputs:
            return None
        try:
            for key, (device, read) in condition.inputs.items():
                async with asyncio.timeout(LOOK_S):
                    (values[key],) = await self._reach.look(device, [read])
        except (HarnessError, TimeoutError):
            return None
        if any(isinstance(value, float) and math.isnan(value) for value in values.values()):
            return None
        if not condition.function:
            return next(iter(values.values()))
        if any(isinstance(value, str) for value in values.values()):
            return None
        try:
            computed = FUNCTIONS[condition.function].compute(**values)
        except BaseException:  # whatever it does: what cannot be computed cannot be read, and the sequence goes on
            return None
        return None if math.isnan(computed) else computed

    def _tell(self, text: str, detail: str, began: float, *, is_wait: bool = False) -> None:
        result = ActionReport(text, not detail, detail, self._time() - began, is_wait)
        self._report.actions.append(result)
        self._notes.note(EventKind.SAFE_ACTION, action=text, confirmed=not detail, detail=detail)


def _is_there(look: asyncio.Future[float | str | None]) -> bool:
    return look.done() and not look.cancelled() and look.exception() is None and look.result() is not None


def _batches(actions: Sequence[Action]) -> Iterator[list[Action]]:
    """Actions in order; neighbours that take power off the rack, or do not depend on it, come together."""
    batch: list[Action] = []
    for action in actions:
        if batch and not (_is_at_once(batch[-1]) and _is_at_once(action)):
            yield batch
            batch = []
        batch.append(action)
    if batch:
        yield batch


def _is_at_once(action: Action) -> bool:
    return not action.is_keep and (action.energises or not action.only_if_confirmed)


async def energised(off: Mapping[str, Put], keys: Sequence[str], reach: Reach) -> list[str]:
    """Which of these switches read as something else than off. What cannot be read is not said to be on."""
    by_device: dict[str, list[Put]] = {}
    for key in dict.fromkeys(keys):
        if key in off and off[key].read is not None:
            by_device.setdefault(off[key].device, []).append(off[key])
    found = []
    for device, puts in by_device.items():
        try:
            async with asyncio.timeout(LOOK_S):
                values = await StrictReach(reach).look(device, [put.read for put in puts if put.read is not None])
        except (HarnessError, TimeoutError):
            continue
        found += [
            put.key
            for put, value in zip(puts, values, strict=True)
            if not put.expect.holds(value) and not (isinstance(value, float) and math.isnan(value))
        ]
    return found
