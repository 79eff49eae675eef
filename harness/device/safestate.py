"""The safe state: the ordered, conditional, confirmed sequence that leaves the rack safe.

Heat goes off before coolant. When something that energises the rack is not confirmed off, cooling is not stopped
(except in the sequence named `leak`, where liquid on live parts is the worse of two). Every action has a deadline, and
`off` is sent again until it is confirmed or the deadline has passed: it is idempotent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.clock import Clock
from harness.device.actuate import Notes, actuate
from harness.device.confirm import Outcome
from harness.device.device import Device, Setting, resolve_setting
from harness.device.points import ControlPoint
from harness.errors import DeviceError
from harness.faultpoint import fault_point
from harness.limits.check import Check, compile_check
from harness.limits.derived import FUNCTIONS, Function
from harness.quantity import Reading, SignalInfo, convert
from harness.schema.conditions import Condition as Wanted
from harness.schema.station import Derived, SafeAction

_KEEP_POLL_S = 1.0
_UNREADABLE_S = 30.0
"""A condition that cannot be read for so long is given up: nothing more can be learnt by waiting."""
_AGREE_S = 10.0
"""How long an independent reading may lag behind a confirmed command."""
_SEND_AGAIN_S = 1.5
"""How long read-backs may take before a command of the safe state, which may be given twice, is given again."""
LEAK = "leak"


@dataclass(slots=True)
class ActionReport:
    """What one action of the sequence did."""

    action: str
    is_confirmed: bool
    detail: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class SafeReport:
    """What the whole sequence did. `is_confirmed` is the only thing that may be called safe."""

    sequence: str
    cause: str
    actions: list[ActionReport] = field(default_factory=list)

    @property
    def is_confirmed(self) -> bool:
        """Whether every action was confirmed."""
        return all(action.is_confirmed for action in self.actions)

    @property
    def unconfirmed(self) -> list[str]:
        """What is not confirmed, by name."""
        return [f"{a.action} ({a.detail})" if a.detail else a.action for a in self.actions if not a.is_confirmed]


@dataclass(frozen=True, slots=True)
class Condition:
    """A check on a signal that is read directly, or computed from signals that are (a derived one)."""

    name: str
    check: Check
    inputs: tuple[tuple[str, str, str], ...]
    """(input of the function, device, signal); one entry with '' for a plain signal."""
    function: Function | None = None

    async def holds(self, devices: Mapping[str, Device], clock: Clock) -> bool | None:
        """Read what is needed and check it; None when it cannot be read."""
        values: dict[str, float] = {}
        for key, device, signal in self.inputs:
            reading = await _look(devices[device], signal, clock)
            if reading is None or not reading.is_good:
                return None
            if self.function is None:
                return self.check.holds(reading.value)
            target = self.function.inputs[key] or reading.unit
            values[key] = convert(reading.value, reading.unit, target)
        return self.function is not None and self.check.holds(self.function.compute(**values))


@dataclass(frozen=True, slots=True)
class Step:
    """One action, compiled: the commands of a bank, or the condition that ends a keep."""

    text: str
    device: str
    commands: tuple[tuple[ControlPoint, Setting], ...]
    action: SafeAction
    until: Condition | None = None
    """What ends a keep, or independently confirms a set."""

    @property
    def energises(self) -> bool:
        """Whether the action acts on something that puts power on the rack."""
        return any(control.spec.energises for control, _ in self.commands)


def compile_sequence(
    actions: Sequence[SafeAction], devices: Mapping[str, Device], derived: Mapping[str, Derived]
) -> list[Step]:
    """Resolve a sequence against devices (open or not). ValueError says what does not fit."""
    steps = []
    for action in actions:
        reference = action.set or action.keep or ""
        name, _, control = reference.partition(".")
        device = devices[name]
        bank = device.expansion.bank(control)
        if not bank:
            raise ValueError(f"{reference} is not a control")
        condition = action.until or action.confirm_by
        until = _compile_condition(condition, devices, derived) if condition is not None else None
        if action.set is not None and action.to is not None:
            to = action.to
            commands = tuple((point, resolve_setting(point, to)) for point in bank)
            steps.append(Step(f"{reference} {to}", name, commands, action, until))
        else:
            assert action.until is not None
            steps.append(Step(f"keep {reference} until {action.until.signal}", name, (), action, until))
    return steps


def _compile_condition(condition: Wanted, devices: Mapping[str, Device], derived: Mapping[str, Derived]) -> Condition:
    entry = derived.get(condition.signal)
    if entry is None:
        owner, _, signal = condition.signal.partition(".")
        info = devices[owner].expansion.signals[signal].info(owner)
        return Condition(condition.signal, compile_check(condition, info), (("", owner, signal),))
    function = FUNCTIONS[entry.function]
    inputs = []
    unit = function.unit
    for key, reference in entry.inputs.items():
        owner, _, signal = reference.partition(".")
        point = devices[owner].expansion.signals[signal]
        inputs.append((key, owner, signal))
        unit = unit or point.spec.unit
    check = compile_check(condition, SignalInfo(condition.signal, unit))
    return Condition(condition.signal, check, tuple(inputs), function)


async def apply(
    sequence: str, cause: str, steps: Sequence[Step], devices: Mapping[str, Device], clock: Clock, notes: Notes
) -> SafeReport:
    """Carry the sequence out. Never raises for what devices do; the report says what is confirmed."""
    report = SafeReport(sequence, cause)
    notes.note("safe state", sequence=sequence, cause=cause)
    fault_point("safe-begun")
    live: list[str] = []
    for step in steps:
        started = clock.monotonic()
        if step.action.keep is not None:
            result = await _keep(step, devices, clock)
        elif live and not step.energises and _may_skip(step, sequence):
            result = ActionReport(step.text, False, f"left alone: {live[0]} may still be energised")
        else:
            result = await _set(step, devices, clock, notes)
            if not result.is_confirmed and step.energises:
                live.append(step.text)
        result.seconds = clock.monotonic() - started
        report.actions.append(result)
        fault_point("safe-between")
        notes.note("safe action", action=result.action, confirmed=result.is_confirmed, detail=result.detail)
    return report


def _may_skip(step: Step, sequence: str) -> bool:
    wanted = step.action.only_if_confirmed
    return sequence != LEAK if wanted is None else wanted


async def _set(step: Step, devices: Mapping[str, Device], clock: Clock, notes: Notes) -> ActionReport:
    device = devices[step.device]
    deadline = clock.monotonic() + step.action.confirm_within
    pending = list(step.commands)
    outcomes: dict[str, Outcome] = {}
    while pending:
        left = max(0.1, deadline - clock.monotonic())
        try:
            async with clock.timeout(left + 5.0):
                outcomes.update(await actuate(device, pending, clock, notes, within=min(left, _round(pending))))
        except TimeoutError:
            break
        pending = [pair for pair in pending if not outcomes[pair[0].name].is_confirmed]
        if clock.monotonic() >= deadline - 0.2:
            break
        if pending:
            await clock.sleep(0.2)
    if pending:
        return ActionReport(step.text, False, _grouped({c.name: outcomes.get(c.name) for c, _ in pending}))
    if step.until is not None and (reason := await _reach(step, devices, clock, _AGREE_S)):
        return ActionReport(step.text, False, reason)
    return ActionReport(step.text, True)


def _round(pending: Sequence[tuple[ControlPoint, Setting]]) -> float:
    """How long to wait for the read-backs before what does not agree is commanded again, seconds."""
    return _SEND_AGAIN_S + max(control.spec.confirm.delay if control.spec.confirm else 0.0 for control, _ in pending)


def _grouped(outcomes: Mapping[str, Outcome | None]) -> str:
    """What is not confirmed and why; a reason that several share is said once: this is read from afar."""
    reasons: dict[str, list[str]] = {}
    for name, outcome in outcomes.items():
        reason = str(outcome).removeprefix(f"{name}: ") if outcome is not None else "no answer"
        reasons.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())


async def _keep(step: Step, devices: Mapping[str, Device], clock: Clock) -> ActionReport:
    # a keep that runs into its time limit has still kept: what it guards is the order, not the temperature
    return ActionReport(step.text, True, await _reach(step, devices, clock, step.action.at_most))


async def _reach(step: Step, devices: Mapping[str, Device], clock: Clock, at_most: float) -> str:
    """Wait until the step's condition has held for its `for`; '' when it has, else why it was given up."""
    assert step.until is not None
    wanted = step.action.until or step.action.confirm_by
    needed = wanted.for_ if wanted is not None else 0.0
    started = clock.monotonic()
    readable = started
    held = math.inf
    while True:
        holds = await step.until.holds(devices, clock)
        now = clock.monotonic()
        held = min(held, now) if holds else math.inf
        if now - held >= needed:
            return ""
        if holds is not None:
            readable = now
        elif now - readable > _UNREADABLE_S:
            return f"{step.until.name} cannot be read; the device is left to its own control"
        if now - started >= at_most:
            return f"{step.until.name} did not get there within {at_most:g} s"
        await clock.sleep(min(_KEEP_POLL_S, max(0.05, started + at_most - now)))


async def _look(device: Device, signal: str, clock: Clock) -> Reading | None:
    try:
        async with clock.timeout(3.0):
            return (await device.read([signal]))[0]
    except (DeviceError, TimeoutError):
        return None
