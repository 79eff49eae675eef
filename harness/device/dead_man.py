"""A device's own dead-man, as one run uses it.

```
 arm -> hold a switch that is on -> feed, four times in its time, while the control loop lives -> disarm when safe
                                     '-- nobody feeds: the device acts by itself, whoever is dead or frozen
```

It is fed on the way to a poll (`keep_alive`), and only when the control loop has said a moment ago that it lives
(`permit`, called where the guardian is beaten): a loop that hangs beside pollers that go on is no run. The guardian
never feeds: what it does makes the rack safe, and a dead-man that fires meanwhile does the same.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from harness.clock import Clock
from harness.device.confirm import agrees, confirm
from harness.device.device import Device
from harness.device.points import ControlPoint, Expansion, targets
from harness.device.setting import Setting, resolve_setting
from harness.errors import DeviceError, RefusedError, SafetyError
from harness.schema.dead_man import DeadMan as Spec
from harness.schema.dead_man import DeadManWrite
from harness.schema.profile import Profile

FEEDS = 4
"""How often it is fed in the time after which it acts."""
PERMIT_S = 2.0
"""How long a word of the control loop permits feeding, seconds: eight of its rounds."""
_EARLY_S = 0.05
_DOUBTS = 2
"""Feeds in a row that may not show on the device before the run is told that its dead-man does not work."""


def dead_man_problems(profile: Profile, plan: Expansion) -> list[tuple[tuple[str | int, ...], str]]:
    """What the dead-man of a profile says that the controls of `plan` do not bear out: (location, message)."""
    dead_man = profile.dead_man
    if dead_man is None:
        return []
    problems: list[tuple[tuple[str | int, ...], str]] = []
    covered = targets(plan.controls, dead_man.covers) if dead_man.covers else []
    if dead_man.covers and not any(point.spec.energises for point in covered):
        message = f"{dead_man.covers!r} is no control here that energises: what does the dead-man switch off?"
        problems.append((("dead_man", "covers"), message))
    for part in ("arm", "feed", "disarm"):
        for index, write in enumerate(getattr(dead_man, part)):
            loc = ("dead_man", part, index)
            points = targets(plan.controls, write.set)
            if not points:
                problems.append(((*loc, "set"), f"{write.set!r} is no control of this profile"))
                continue
            if points[0].spec.energises:
                problems.append(((*loc, "set"), f"{write.set} energises: a dead-man switches nothing on"))
            for time in (dead_man.shortest, dead_man.longest) if write.to else ():
                try:
                    resolve_setting(points[0], f"{time:g} s" if write.to == "within" else write.to)
                except ValueError as error:
                    problems.append(((*loc, "to"), str(error)))
                    break
    return problems


class DeadMan:
    """The dead-man of one open device. `held`: the covered switches that it may switch off, by name."""

    def __init__(self, device: Device, spec: Spec, within: float, held: Collection[str], clock: Clock) -> None:
        self.device = device
        self.spec = spec
        self.within = within
        self.problem = ""
        """Why it cannot be relied on; '' as long as it can."""
        self._clock = clock
        self._may_hold = frozenset(held)
        self._group = spec.covers if any(point.row for point in self._points(spec.covers)) else ""
        self._rows: dict[int, float] = {}
        """The switches that are held, and since when [s, monotonic]."""
        self._touched: dict[int, None] = {}
        self._is_armed = False
        self._permitted_at = self._fed_at = -math.inf
        self._beats = 0
        self._doubts = 0

    def __str__(self) -> str:
        does = f"switches {self.spec.covers} off" if self.spec.acts == "off" else "goes back to its own control"
        return f"{self.device.name} {does} by itself {self.within:g} s after the last word of this run"

    @property
    def _by_row(self) -> bool:
        """Whether each switch has a countdown of its own."""
        return bool(self._group) and any(p.group == self._group for w in self.spec.feed for p in self._points(w.set))

    def _points(self, reference: str) -> list[ControlPoint]:
        absent = self.device.expansion.absent
        found = targets(self.device.expansion.controls, reference) if reference else []
        return [point for point in found if point.name not in absent]

    # --- the run -----------------------------------------------------------------------------------------------------

    async def arm(self) -> None:
        """Set it up and feed it once; SafetyError when the device does not show it: nothing may be energised then."""
        if self._by_row:
            # the time of a switch is set for all that may be held, before one of them is on
            rows = [point.row for point in self._points(self.spec.covers) if point.name in self._may_hold]
        else:
            rows = []
        try:
            await self._confirmed(await self._alone(self.spec.arm, rows))
            if not self._by_row:
                await self._confirmed(await self._alone(self.spec.feed, ()))
        except DeviceError as error:
            raise SafetyError(f"the dead-man of {self.device.name} cannot be armed: {error.message}") from error
        self._is_armed = True
        self._fed_at = self._clock.monotonic()

    def permit(self, now: float) -> None:
        """The control loop lives: until `PERMIT_S` after `now` [s, monotonic] the dead-man may be fed."""
        self._permitted_at = now

    async def hold(self, names: Collection[str]) -> None:
        """These switches were found on, and this run answers for them."""
        rows = [p.row for p in self._points(self.spec.covers) if p.name in names and p.name in self._may_hold]
        if self._by_row and rows:
            await self._alone(self.spec.feed, rows)
            self._rows.update(dict.fromkeys(rows, -math.inf))

    async def commanded(self, wanted: Sequence[tuple[ControlPoint, Setting]]) -> None:
        """Commands have just been sent (the device is ours): what was put on is held at once, what is off no more."""
        if not self._is_armed or not self._by_row:
            return
        rows = []
        for control, setting in wanted:
            if control.group != self._group or control.name not in self._may_hold or not control.spec.energises:
                continue
            if setting.word == "off":
                self._rows.pop(control.row, None)
            else:
                rows.append(control.row)
        if rows:
            try:
                await self._write(self.spec.feed, rows)
            except DeviceError as error:
                self.problem = f"the dead-man of {self.device.name} could not be set: {error.message}"
                raise
            self._rows.update(dict.fromkeys(rows, self._clock.monotonic()))

    async def keep_alive(self, now: float) -> None:
        """Feed it when that is due and the control loop lives. Called before a poll, with the device ours."""
        if not self._is_armed or now - self._permitted_at > PERMIT_S:
            return
        if now - self._fed_at < self.within / FEEDS - _EARLY_S:
            return
        try:
            sent = await self._write(self.spec.feed, tuple(self._rows))
        except RefusedError as error:
            self.problem = f"{self.device.name} refuses to feed its dead-man: {error.message}"
            return
        self._fed_at = now
        missing = await self._not_shown(sent)
        self._doubts = self._doubts + 1 if missing else 0
        if self._doubts >= _DOUBTS:
            self.problem = f"the dead-man of {self.device.name} was fed and does not show it: {missing}"

    async def disarm(self) -> None:
        """The rack is confirmed safe: let go. Errors as `Device.write`; the dead-man then acts on what is off."""
        if self._is_armed:
            self._is_armed = False
            await self._alone(self.spec.disarm, tuple(self._touched))

    # --- writing -----------------------------------------------------------------------------------------------------

    async def _alone(self, writes: Sequence[DeadManWrite], rows: Collection[int]) -> list[tuple[ControlPoint, Setting]]:
        async with self.device.alone():
            return await self._write(writes, rows)

    async def _write(self, writes: Sequence[DeadManWrite], rows: Collection[int]) -> list[tuple[ControlPoint, Setting]]:
        """Send; of controls with a countdown each only those of `rows`. What must show then: the last of each."""
        shown: dict[str, tuple[ControlPoint, Setting]] = {}
        for write in writes:
            points = [p for p in self._points(write.set) if p.group != self._group or not p.row or p.row in rows]
            wanted = [(point, self._setting(point, write)) for point in points]
            self._touched.update({point.row: None for point in points if point.row})
            await self._send(wanted)
            shown.update({point.name: (point, setting) for point, setting in wanted})
        return list(shown.values())

    def _setting(self, point: ControlPoint, write: DeadManWrite) -> Setting:
        if write.counts:
            self._beats = self._beats % 0xFFFF + 1
            return Setting(value=float(self._beats))
        return resolve_setting(point, f"{self.within:g} s" if write.to == "within" else write.to)

    async def _send(self, wanted: Sequence[tuple[ControlPoint, Setting]]) -> None:
        link, most = self.device.link, self.device.max_batch
        if most > 1:
            for start in range(0, len(wanted), most):
                part = wanted[start : start + most]
                await link.write_batch([(point, each.value, each.word) for point, each in part])
            return
        for point, setting in wanted:
            await link.write(point, setting.value, setting.word)

    async def _confirmed(self, sent: Sequence[tuple[ControlPoint, Setting]]) -> None:
        readable = [(point, setting) for point, setting in sent if point.spec.confirm is not None]
        if not readable:
            return
        outcomes = await confirm(self.device, readable, self._clock)
        missing = [str(outcome) for outcome in outcomes.values() if not outcome.is_confirmed]
        if missing:
            raise SafetyError(f"the dead-man of {self.device.name} is not confirmed: {'; '.join(missing[:3])}")

    async def _not_shown(self, sent: Sequence[tuple[ControlPoint, Setting]]) -> str:
        """What of it the device does not show; a switch that was only just put on may still be on its way there."""
        known = {info.name for info in self.device.signals}
        now = self._clock.monotonic()
        readable = [
            (point, setting)
            for point, setting in sent
            if f"{self.device.name}.{point.confirm_by}" in known
            and now - self._rows.get(point.row, -math.inf) > _takes(point)
        ]
        if not readable:
            return ""
        readings = await self.device.read_alone([point.confirm_by for point, _ in readable])
        missing = [
            f"{point.confirm_by} reads {reading}"
            for (point, setting), reading in zip(readable, readings, strict=True)
            if not agrees(point, setting, reading)
        ]
        return "; ".join(missing[:3])


def _takes(point: ControlPoint) -> float:
    """How long a command may take to show, seconds."""
    spec = point.spec.confirm
    return spec.within + spec.delay if spec is not None else 0.0
