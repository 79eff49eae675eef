"""What makes a station safe, ready for the wire: sequences of actions, as `harness.safety.compile` makes them.

They come as JSON, because the guardian is another process; the runner carries out the very same. Neither profiles nor
units nor models are needed to understand them.

```
{sequences: {name: {kind, actions: [{text, puts: [PUT], energises, within, only_if_confirmed, stagger,
                                     only_tripped, confirm_by: CONDITION},
                                    {text, keep: true, at_least, at_most, until: CONDITION}]}},
 off:    {"device.control": PUT},                     switches that energise, and how they are switched off
 proof:  {no_heat: [CONDITION], dead: [CONDITION], within}}            what proves that the rack is dead; may be absent
PUT       = {device, control, to, commands: [Command], read: Read, expect: Expect, delay, words, unit, problem}
CONDITION = {name, function, inputs: {key: {device, read}}, expect, for, unit}
```
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.device.wire import Command, Expect, Read, unpacked


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
    words: Mapping[float, str]
    """What the codes that are read back mean, for people."""
    unit: str = ""
    problem: str = ""
    """Why it cannot be commanded at all (the device was never reached); '' otherwise."""

    @property
    def key(self) -> str:
        """`device.control`."""
        return f"{self.device}.{self.control}"

    def show(self, value: float | str) -> str:
        """What was read back, as a person reads it."""
        if isinstance(value, str):
            return value
        if math.isnan(value):
            return "nothing"
        return self.words.get(value) or f"{value:g} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A reading, or a function of several, that must be as expected for `needed` seconds."""

    name: str
    function: str
    inputs: Mapping[str, tuple[str, Read]]
    expect: Expect
    needed: float = 0.0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of a sequence: puts to carry out together, or (`is_keep`) a wait for `confirm_by`, at most `within`."""

    text: str
    puts: tuple[Put, ...]
    within: float
    is_keep: bool = False
    energises: bool = False
    """Whether it acts on something that puts power on the rack."""
    only_if_confirmed: bool = True
    confirm_by: CompiledCondition | None = None
    at_least: float = 0.0
    stagger: float = 0.0
    only_tripped: bool = False
    """Of its puts only those are meant whose row tripped, where that is known."""

    def of_rows(self, rows: Collection[str]) -> Action:
        """The same for these rows (`[3]`) only; as it is where none of its puts has one of them."""
        meant = tuple(put for put in self.puts if put.control[put.control.find("[") :].partition("]")[0] + "]" in rows)
        if not self.only_tripped or not meant:
            return self
        named = ", ".join(put.key for put in meant)
        return replace(self, puts=meant, text=f"{named} {meant[0].to}")


@dataclass(frozen=True, slots=True)
class Proof:
    """What shows that the rack is without heat, and that it is dead; `within` seconds for either."""

    no_heat: tuple[CompiledCondition, ...]
    dead: tuple[CompiledCondition, ...]
    within: float


@dataclass(frozen=True, slots=True)
class CompiledSequence:
    """One sequence to carry out."""

    name: str
    kind: str
    actions: tuple[Action, ...]
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Sequences:
    """Every sequence of the station, and how each switch that energises is switched off."""

    by_name: Mapping[str, CompiledSequence]
    off: Mapping[str, Put]

    @classmethod
    def of(cls, plan: Mapping[str, Any]) -> Sequences:
        """From what was compiled; KeyError, TypeError or ValueError when it is not such a thing."""
        proof = _proof(plan.get("proof"))
        found = {
            name: CompiledSequence(name, given["kind"], tuple(_action(each) for each in given["actions"]), proof)
            for name, given in plan["sequences"].items()
        }
        return cls(found, {key: _put(each) for key, each in plan["off"].items()})

    def samples(self) -> dict[str, Read]:
        """One harmless read for each device that has a read-back."""
        actions = [action for sequence in self.by_name.values() for action in sequence.actions]
        puts = [*self.off.values(), *(put for action in actions for put in action.puts)]
        return {put.device: put.read for put in puts if put.read is not None}

    def kind(self, name: str) -> str:
        """Of what kind a sequence is; that of `default` for one that there is not."""
        return self.by_name[name].kind if name in self.by_name else "heat"

    def chosen(self, name: str, armed: Sequence[str], tripped: Sequence[str] = ()) -> CompiledSequence:
        """The sequence to carry out; armed switches that it does not mention go off with its first stroke.

        `tripped`: the signals that were bad, for actions that are about their rows only.
        """
        base = self.by_name.get(name) or self.by_name.get("default") or CompiledSequence(name, "heat", ())
        rows = {f"[{row}]" for each in tripped if (row := each.partition("[")[2].partition("]")[0])}
        base = replace(base, actions=tuple(action.of_rows(rows) for action in base.actions))
        covered = {put.key for action in base.actions for put in action.puts}
        by_device: dict[str, list[Put]] = {}
        for key in armed:
            if key in self.off and key not in covered:
                by_device.setdefault(self.off[key].device, []).append(self.off[key])
        extra = [
            Action(f"{device}: {_listed(puts)} off", tuple(puts), 5.0, energises=True)
            for device, puts in by_device.items()
        ]
        return CompiledSequence(base.name, base.kind, (*extra, *base.actions), base.proof)


def _listed(puts: Sequence[Put]) -> str:
    names = [put.control for put in puts]
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} switches"


def _put(entry: Mapping[str, Any]) -> Put:
    return Put(
        entry["device"],
        entry["control"],
        entry["to"],
        tuple(unpacked(Command, each) for each in entry["commands"]),
        unpacked(Read, entry["read"]) if entry["read"] is not None else None,
        unpacked(Expect, entry["expect"] or {}),
        entry["delay"],
        {float(code): word for code, word in entry["words"]},
        entry["unit"],
        entry["problem"],
    )


def _action(entry: Mapping[str, Any]) -> Action:
    if entry.get("keep"):
        return Action(
            entry["text"],
            (),
            entry["at_most"],
            is_keep=True,
            confirm_by=_condition(entry["until"]),
            at_least=entry["at_least"],
        )
    return Action(
        entry["text"],
        tuple(_put(each) for each in entry["puts"]),
        entry["within"],
        energises=entry["energises"],
        only_if_confirmed=entry["only_if_confirmed"],
        confirm_by=_condition(entry["confirm_by"]),
        stagger=entry["stagger"],
        only_tripped=entry.get("only_tripped", False),
    )


def _condition(entry: Mapping[str, Any] | None) -> CompiledCondition | None:
    if entry is None:
        return None
    inputs = {key: (part["device"], unpacked(Read, part["read"])) for key, part in entry["inputs"].items()}
    expect = unpacked(Expect, entry["expect"])
    return CompiledCondition(entry["name"], entry["function"], inputs, expect, entry["for"], entry["unit"])


def _proof(entry: Mapping[str, Any] | None) -> Proof | None:
    if entry is None:
        return None
    no_heat = tuple(each for given in entry["no_heat"] if (each := _condition(given)) is not None)
    dead = tuple(each for given in entry["dead"] if (each := _condition(given)) is not None)
    return Proof(no_heat, dead, entry["within"])
