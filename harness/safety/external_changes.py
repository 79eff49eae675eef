"""External changes: what this run had set and somebody or something undid, and what somebody else set.

```
 every frame: state of each control's confirming signal
   as before                                          -> nothing
   changed, and this run had just commanded that      -> the answer to the command, once
   changed otherwise                                  -> event `foreign control`
        ... to a state that energises the rack        -> trip: safe state
        ... away from what this run had set           -> undone: the run ends with ERROR
 what a control really does (`shown_by` in its profile: the load that runs, not the load that was asked for)
   less than half of what was set, having been more   -> undone
   not half of it in time                             -> undone
   a switch that carries nothing any more             -> undone (see carrying.py)
 a restart of the rack that this run did not ask for  -> undone (see restarts.py)
```

Words (on, off, auto) count from their first reading on. Quantities count only from this run's own confirmed command
to the next command to the same device: setpoints that a device's own logic moves are nobody's doing. What this run
switches off itself takes with it what hangs on it: controls of the rack under test count again from their next command.

A soak whose clock restarts on a reboot (`restart_on`) excuses the controls of that device: a load that went with the
rack may come back where the restart is really seen (see losses.py).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.clock import Clock
from harness.device.confirm import agrees
from harness.device.device import Device
from harness.device.points import ControlPoint, targets
from harness.device.setting import Setting
from harness.device.signal_store import SignalStore
from harness.events import EventKind
from harness.quantity import Frame, Quantity, Reading
from harness.record.log import RunLog
from harness.safety.carrying import Carrying
from harness.safety.feeds import Feeds
from harness.safety.losses import Allowed, Loss, Losses, Report
from harness.safety.restarts import Restarts

_POLLS = 3
"""How many polls after the deadline of a confirmation a change still counts as an answer to our command."""
_STRAYED = 2
"""Consecutive samples outside the tolerance after which a quantity has changed."""
_RUNS_WITHIN_S = 120.0
"""How long what was set may take to become half true where `shown_by` shows it, seconds: trays start their work."""
_OFF_TAKES_S = 15.0
"""How long after a switch of ours went off the rack may still show the load that goes with it, seconds."""


@dataclass(slots=True)
class _Watched:
    """One control and what is known of its state."""

    name: str
    control: ControlPoint
    index: int
    is_word: bool
    seen: tuple[float, str] | None = None
    wanted: Setting | None = None
    before: Setting | None = None
    """What this run commanded before that, while its answer may still be under way: `on`, cut short by `off`."""
    is_answered: bool = True
    """Whether a frame has shown what this run wanted; until then a change to it is the answer to our command."""
    until: float = 0.0
    """Until when the control may be on its way to what this run wanted."""
    strayed: int = 0


@dataclass(slots=True)
class _Effect:
    """What a control really does, where a signal shows it."""

    name: str
    control: ControlPoint
    signal: str
    index: int
    wanted: float = 0.0
    setting: Setting = field(default_factory=Setting)
    """What this run commanded; `wanted` is its size."""
    due: float = math.inf
    """When half of it must be there."""
    is_there: bool = False
    counts_from: float = -math.inf
    low: int = 0
    """Consecutive samples below half."""


class ExternalChanges:
    """Watches what the controls of a run show."""

    def __init__(
        self,
        devices: Mapping[str, Device],
        store: SignalStore,
        clock: Clock,
        log: RunLog,
        energised: Report,
        undone: Report,
        restart_within: Allowed,
        buses: Mapping[str, Quantity] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._energised = energised
        self._undone = undone
        self._devices = devices

        def is_excused(device: str) -> bool:
            return restart_within(device) > 0.0

        self._carrying = Carrying(devices, self._is_on, buses, is_excused)
        self._restarts = Restarts(devices, is_excused)
        self._feeds = Feeds(devices)
        self._watched: dict[str, list[_Watched]] = {}
        self._effects: dict[str, list[_Effect]] = {}
        self._words: dict[str, npt.NDArray[np.intp]] = {}
        self._last: dict[str, tuple[bytes, bytes, Mapping[int, str]]] = {}
        self._losses = Losses(devices, restart_within, undone)
        for name, device in devices.items():
            places = {info.name: k for k, info in enumerate(device.signals)}
            found, effects = [], []
            fed = _dead_man_of(device)
            for control in device.expansion.controls.values():
                is_button = bool(getattr(control.spec, "pulse", False)) and not control.spec.energises  # stays nowhere
                if control.name in fed or is_button:
                    continue
                full = f"{name}.{control.name}"
                index = places.get(f"{name}.{control.confirm_by}") if control.confirm_by else None
                if index is not None and not control.is_momentary:
                    is_word = bool(control.spec.takes)
                    found.append(_Watched(full, control, index, is_word))
                shown = [f"{name}.{each}" for each in control.shown_by if not control.spec.energises]
                effects += [_Effect(full, control, each, places[each]) for each in shown if each in places]
            self._watched[name], self._effects[name] = found, effects
            self._words[name] = np.array([each.index for each in found if each.is_word], dtype=np.intp)

    # --- what this run does itself -----------------------------------------------------------------------------------

    def commanded(self, device: str, control: ControlPoint, setting: Setting) -> None:
        """A command of this run is about to leave."""
        self._carrying.commanded(device, control, setting)
        if control.spec.energises and setting.word == "off":
            self._forget_rack()
        now = self._clock.monotonic()
        if control.spec.energises or (setting.word and self._devices[device].entry.role == "uut"):
            self._restarts.asked(now)
        confirm = control.spec.confirm
        within = confirm.within + confirm.delay if confirm is not None else 0.0
        for each in self._watched.get(device, ()):
            if each.control is control or each.control.name == control.name:
                each.before = None if each.is_answered else each.wanted
                each.wanted = setting
                each.is_answered = agrees(control, setting, self._reading(each))
                each.until = now + within + 5.0 + _POLLS * self._devices[device].entry.poll
                each.strayed = 0
            elif not each.is_word:
                each.wanted = None
        for effect in self._effects.get(device, ()):
            if effect.control.name == control.name:
                effect.wanted, effect.setting = abs(setting.value) if not setting.word else 0.0, setting
                effect.is_there, effect.low, effect.due = False, 0, now + _RUNS_WITHIN_S
        self._commanded_again(f"{device}.{control.name}", setting)

    def _is_on(self, device: str, control: str) -> bool:
        """Whether a switch reads `on`, or nobody can tell."""
        for each in self._watched[device]:
            if each.control.name == control:
                reading = self._reading(each)
                return not reading.is_good or agrees(each.control, Setting(word="on"), reading)
        return True

    def _forget_rack(self) -> None:
        """This run takes power off the rack: what hangs on it goes with it, and nobody else did that."""
        for name, device in self._devices.items():
            if device.entry.role != "uut":
                continue
            for each in self._watched[name]:
                each.wanted = None
            for effect in self._effects[name]:
                effect.is_there, effect.low, effect.due = False, 0, math.inf
                effect.counts_from = self._clock.monotonic() + _OFF_TAKES_S

    def restarted(self, device: str) -> None:
        """A restart that the running step allows for was seen: what it took away may come back."""
        self._losses.restarted(device, self._clock.monotonic())

    @property
    def is_away(self) -> bool:
        """Whether anything is away that a restart took with it, or may have taken."""
        return bool(self._losses)

    def to_set_again(self) -> list[tuple[str, ControlPoint, Setting]]:
        """The quantities that a restart took away, where their devices can be read again; each is named once."""
        found: list[tuple[str, ControlPoint, Setting]] = []
        for device, loss in self._losses.to_set_again():
            signal = f"{device}.{loss.control.confirm_by}"
            if not self._store.has(signal) or self._store.latest(signal).is_good:
                loss.is_set_again = True
                found.append((device, loss.control, loss.setting))
        return found

    def _commanded_again(self, name: str, setting: Setting) -> None:
        """Of what a restart took away, its effect must be seen; any other command makes it this run's own doing."""
        loss = self._losses.of(name.partition(".")[0]).get(name)
        if loss is None:
            return
        effects = [each for each in self._effects[name.partition(".")[0]] if each.name == name]
        if loss.setting != setting or not effects:
            self._losses.back(name)
        for effect in effects:
            effect.due = math.inf if loss.setting == setting else effect.due  # `losses` counts its time

    @property
    def is_pending(self) -> bool:
        """Whether a loss may show that is not known for one yet."""
        return self._carrying.is_pending

    @property
    def witnesses(self) -> list[str]:
        """The devices that can tell now whether something that this run had set is undone, or the rack restarted."""
        return [
            name
            for name in self._devices
            if self._restarts.sees(name)
            or self._feeds.sees(name)
            or any(each.wanted is not None for each in self._watched[name])
            or any(effect.wanted > 0 for effect in self._effects[name])
        ]

    # --- what frames show --------------------------------------------------------------------------------------------

    def after_frame(self, frame: Frame) -> None:
        """Look at a frame that the store has taken in."""
        name = frame.device
        for watcher in (self._feeds, self._carrying, self._restarts):
            if (lost := watcher.after_frame(frame)) is not None:
                self._undone(*lost, frame.mono)
        for effect in self._effects.get(name, ()):
            if effect.wanted > 0 and frame.mono >= effect.counts_from and not frame.qualities[effect.index]:
                self._effect(effect, frame)
        self._losses.after_frame(frame)
        watched = self._watched.get(name)
        if not watched:
            return
        if losses := self._losses.of(name):
            for each in [one for one in watched if one.name in losses]:
                self._look_if_back(each, losses[each.name], frame)
        words = self._words[name]
        state_now = frame.values[words].tobytes(), frame.qualities[words].tobytes(), frame.texts
        if state_now == self._last.get(name):  # as it nearly always is: only quantities may have moved
            watched = [
                each for each in watched if each.wanted is not None and (not each.is_word or not each.is_answered)
            ]
        self._last[name] = state_now
        for each in watched:
            if frame.qualities[each.index]:  # not GOOD
                continue
            if not each.is_word:
                if each.wanted is not None:
                    self._quantity(each, frame)
                continue
            state = (float(frame.values[each.index]), frame.texts.get(each.index, ""))
            if state == each.seen or (state[1] and each.seen is not None and state[1] == each.seen[1]):
                self._overdue(each, frame)
                continue
            before, each.seen = each.seen, state
            self._changed(each, frame, is_first=before is None)

    def _changed(self, each: _Watched, frame: Frame, *, is_first: bool) -> None:
        reading = self._reading(each)
        if not each.is_answered and each.wanted is not None and agrees(each.control, each.wanted, reading):
            each.is_answered, each.before = True, None
            return
        if each.before is not None and frame.mono < each.until and agrees(each.control, each.before, reading):
            each.before, each.is_answered = None, False
            return
        if is_first:
            return
        self._tell(each, reading)
        if each.control.spec.energises and agrees(each.control, Setting(word="on"), reading):
            if each.wanted is None or each.wanted.word == "off":
                self._energised(each.name, f"{each.name} was switched on by somebody else", frame.mono)
        elif each.wanted is not None and each.is_answered and not agrees(each.control, each.wanted, reading):
            self._gone(each, reading, frame.mono)

    def _overdue(self, each: _Watched, frame: Frame) -> None:
        """A state that did not change is one of two things: the answer already, or an answer that never came."""
        if each.is_answered or each.wanted is None:
            return
        reading = self._reading(each)
        if agrees(each.control, each.wanted, reading):
            each.is_answered, each.before = True, None
        elif frame.mono > each.until:
            self._tell(each, reading)
            self._gone(each, reading, frame.mono)

    def _quantity(self, each: _Watched, frame: Frame) -> None:
        assert each.wanted is not None
        reading = self._reading(each)
        if agrees(each.control, each.wanted, reading):
            each.strayed, each.until = 0, min(each.until, frame.mono)
        elif frame.mono > each.until:
            each.strayed += 1
            if each.strayed == _STRAYED:
                self._tell(each, reading)
                self._gone(each, reading, frame.mono)

    def _look_if_back(self, each: _Watched, loss: Loss, frame: Frame) -> None:
        """What a restart took away may come back by itself; where an effect is seen, that says it."""
        is_seen = any(effect.name == each.name for effect in self._effects[frame.device])
        if is_seen or frame.qualities[each.index]:
            return
        if agrees(each.control, loss.setting, self._reading(each)):
            each.wanted, each.is_answered = loss.setting, True
            self._losses.back(each.name)

    def _gone(self, each: _Watched, reading: Reading, mono: float) -> None:
        """A control shows something else than this run had set."""
        assert each.wanted is not None
        wanted, each.wanted = each.wanted, None
        ours = wanted.show(each.control.spec.unit)
        text = f"{each.name} is {reading}, this run had set it to {ours}: somebody or something undid that"
        self._losses.lose(each.name, Loss(each.control, wanted, text, mono))

    def _effect(self, effect: _Effect, frame: Frame) -> None:
        """What a control really does: it must come, and stay."""
        value = abs(float(frame.values[effect.index]))
        if value >= effect.wanted / 2:
            effect.is_there, effect.low = True, 0
            self._losses.back(effect.name)
            return
        effect.low += 1
        shown = f"{effect.signal} is {value:.4g} {effect.control.spec.unit}".rstrip()
        ours = f"{effect.name} to {effect.wanted:g} {effect.control.spec.unit}".rstrip()
        if effect.is_there and effect.low >= _STRAYED:
            effect.is_there, effect.due = False, math.inf
            self._lose(effect, f"{shown}, this run had set {ours}: the load is gone", frame.mono)
        elif not effect.is_there and frame.mono > effect.due:
            effect.due = math.inf
            self._lose(effect, f"{shown}, {_RUNS_WITHIN_S:g} s after this run set {ours}", frame.mono)

    def _lose(self, effect: _Effect, text: str, mono: float) -> None:
        self._losses.lose(effect.name, Loss(effect.control, effect.setting, text, mono))

    def _reading(self, each: _Watched) -> Reading:
        device = each.name.partition(".")[0]
        return self._store.latest(f"{device}.{each.control.confirm_by}")

    def _tell(self, each: _Watched, reading: Reading) -> None:
        unit = each.control.spec.unit
        ours = f", this run set it to {each.wanted.show(unit)}" if each.wanted is not None else ""
        self._log.event(
            EventKind.FOREIGN_CONTROL,
            f"{each.name} is {reading}{ours}: changed without a command of this run",
            control=each.name,
            found=str(reading),
        )


def _dead_man_of(device: Device) -> set[str]:
    """The controls that the device's dead-man is fed by: who feeds it watches them, and switching shows there too."""
    spec = device.profile.dead_man
    if spec is None:
        return set()
    writes = (*spec.arm, *spec.feed, *spec.disarm)
    return {point.name for write in writes for point in targets(device.expansion.controls, write.set)}
