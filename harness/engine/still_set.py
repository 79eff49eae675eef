"""What steps have set and nobody has set back: named when the run ends, whatever ended it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from harness.device.confirm import Outcome, tolerance_of
from harness.device.points import ControlPoint
from harness.device.setting import Setting

Key = tuple[str, str]
"""(device, control)."""


@dataclass(frozen=True, slots=True)
class _Commanded:
    setting: Setting
    by: str
    """Title of the step that set it; '' when no step did."""


class StillSet:
    """The last settings that each control was given, and what persons were asked for."""

    def __init__(self) -> None:
        self._controls: dict[Key, ControlPoint] = {}
        self._first: dict[Key, str] = {}
        self._possible: dict[Key, list[_Commanded]] = {}
        """What each may be at now: more than one setting where a command was not confirmed."""
        self._by_hand: list[str] = []

    def commanded(self, key: Key, control: ControlPoint, setting: Setting, by: str, outcome: Outcome | None) -> None:
        """A command has left; `outcome` None: it was cut short, and may have been obeyed."""
        if outcome is not None and outcome.error.startswith("refused"):
            return
        self._controls[key] = control
        self._first.setdefault(key, setting.word)
        is_unclear = outcome is None or outcome.error.startswith("unclear")
        if outcome is not None and not is_unclear and (outcome.is_confirmed or control.spec.confirm is None):
            self._possible[key] = []
        self._possible.setdefault(key, []).append(_Commanded(setting, by))

    def asked_by_hand(self, what: str, step: str) -> None:
        """A person was asked to do something, and the run ends before they are asked to undo it."""
        self._by_hand.append(f"by hand: {what} (asked for by step {step!r})")

    def lines(self, undo: Mapping[Key, tuple[ControlPoint, Setting]], covered: Collection[Key]) -> list[str]:
        """A line for each thing that is not as it was. `undo`: how it was; `covered`: what the safe state has set.

        Switches of power are the safe state's. Where nobody knows how it was, a word that is back at another than the
        first one counts as set back, and a number (a drop-out of so many ms) as over.
        """
        lines = []
        for key, control in self._controls.items():
            if key in covered or control.spec.energises or control.is_momentary:
                continue
            was = undo[key][1] if key in undo else None
            for each in self._possible[key]:
                if self._is_other(key, control, was, each.setting):
                    lines.append(self._line(key, control, was, each))
                    break
        return lines + self._by_hand

    def _is_other(self, key: Key, control: ControlPoint, was: Setting | None, now: Setting) -> bool:
        if was is None:
            return bool(now.word) and now.word == self._first[key]
        if was.word or now.word:
            return was.word != now.word
        return abs(was.value - now.value) > tolerance_of(control)

    def _line(self, key: Key, control: ControlPoint, was: Setting | None, each: _Commanded) -> str:
        unit = control.spec.unit
        may_be = " may be" if len(self._possible[key]) > 1 else ""
        by = f"set by step {each.by!r}, " if each.by else ""
        before = was.show(unit) if was is not None else "not known"
        return f"{'.'.join(key)}{may_be} {each.setting.show(unit)} ({by}before: {before})"
