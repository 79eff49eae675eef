"""A device: its profile compiled at open into read plans, polled into frames, written with range checks.

```
 new --open()--> open --poll()--> frame, frame, ...      a silent device gives frames of BAD, never no frame
                  |  failures >= dormant_after: asked less often
                  '- back after a loss: identity read again before anything is written
```
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np

from harness.clock import Clock
from harness.device.counters import CounterUnroller
from harness.device.health import Health, kind_of
from harness.device.heartbeat import Heartbeat
from harness.device.identity import Proof, shown_texts
from harness.device.link import Fed, Group, Link, ReadPlan, Reply
from harness.device.points import ControlPoint, Expansion, SignalPoint
from harness.device.scaling import Scaling
from harness.device.setting import Setting
from harness.device.wire import Command, Read, carry_out
from harness.errors import DeviceError, IdentityError, RefusedError, UnreachableError
from harness.quantity import Frame, Quality, Reading, SignalInfo
from harness.schema.profile import Profile
from harness.schema.station import DeviceEntry

_BUS_TRIES = 2
"""Silent polls after which a device is dormant when others wait for the same wire."""


class Device:
    """One device of the station."""

    def __init__(
        self, name: str, entry: DeviceEntry, profile: Profile, expansion: Expansion, link: Link, clock: Clock
    ) -> None:
        self.name = name
        self.entry = entry
        self.profile = profile
        self.expansion = expansion
        self.link = link
        self.health = Health()
        self.identity: dict[str, str] = {}
        self.signals: list[SignalInfo] = []
        self.max_age = entry.max_age or 3 * entry.poll
        self.events: list[str] = []
        """Things worth telling since the last look (lost, back, counter reset); the engine empties it."""
        self.before_command: Callable[[ControlPoint, Setting], None] | None = None
        """Asked as the last thing before a command leaves; raises SafetyError to stop it."""
        self.is_doubted = False
        """Whether a message to several controls has failed once: from then on they are told one by one."""
        self.dead_man: Fed | None = None
        """The device's own dead-man, where the station asks for it; set by the run once the device is open."""
        self._clock = clock
        self._points: list[SignalPoint] = []
        self._index: dict[str, int] = {}
        self._groups: dict[str, Group] = {}
        self._plans: dict[tuple[str, ...], tuple[ReadPlan, Scaling]] = {}
        self._texts: dict[int, str] = {}
        self._reasons: dict[int, str] = {}
        self._is_slow_due = False
        self._values = np.empty(0)
        self._qualities = np.empty(0, dtype=np.uint8)
        self._unroller = CounterUnroller([], 0)
        self._is_open = False
        self._must_prove = False
        self._proof: Proof | None = None
        self._heartbeat: Heartbeat | None = None
        self._heart = -1
        self._asleep_until = -math.inf
        self._busy = asyncio.Lock()

    # --- open and identity -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect, discover, prove the identity, compile. DeviceError names this device."""
        try:
            points = list(await self.link.open())
            await self._compile(points)
            await self._prove()
            self._count()
        except DeviceError as error:
            raise self._named(error) from error
        self._is_open = True

    def _count(self) -> None:
        """Leave rows that this device does not have out of its banks; IdentityError when the station counts more."""
        rows: dict[str, set[int]] = {}
        for point in self._points:
            rows.setdefault(point.group, set()).add(point.row)
        known = {(point.group, point.row) for point in self.expansion.signals.values()}
        absent = frozenset(
            control.name
            for control in self.expansion.controls.values()
            if (control.group, control.row) in known and control.row not in rows.get(control.group, set())
        )
        for group, count in self.entry.counts.items():
            found = len(rows.get(group, ()))
            if found < count and any(self.expansion.controls[name].group == group for name in absent):
                raise IdentityError(
                    f"the device has {found} of {group}, the station file counts {count}",
                    device=self.name,
                    hint=f"correct `counts` in the station file, or look why {group} is missing; nothing was written",
                )
        self.expansion = replace(self.expansion, absent=absent)

    async def _compile(self, points: list[SignalPoint]) -> None:
        by_class = {key: [p for p in points if p.spec.poll == key] for key in ("fast", "slow", "once")}
        self._points = [point for key in by_class for point in by_class[key]]
        self._index = {point.name: k for k, point in enumerate(self._points)}
        self.signals = [point.info(self.name) for point in self._points]
        count = len(self._points)
        self._values = np.full(count, np.nan)
        self._qualities = np.full(count, Quality.BAD_MISSING, dtype=np.uint8)
        self._texts, self._reasons = {}, {}
        self._plans.clear()
        self._groups.clear()
        start = 0
        for key, members in by_class.items():
            group = self._groups[key] = Group(members, start)
            start += len(members)
            if members:
                group.plan = self.link.plan(members)
        counters = [(k, 2.0**p.spec.counter * p.spec.scale) for k, p in enumerate(self._points) if p.spec.counter]
        uptime = self._index.get(self.profile.heartbeat, -1)
        self._unroller = CounterUnroller(counters, uptime)
        self._heart = uptime
        if uptime >= 0:
            is_slow = self._points[uptime].spec.poll == "slow"
            self._heartbeat = Heartbeat(self.profile.heartbeat, self.entry.slow if is_slow else self.entry.poll)
        if (once := self._groups["once"]).plan is not None:
            self._take(once, await once.plan.read())
        self._proof = Proof(self.name, self.profile, self.entry, self._points, self.link)

    async def _prove(self) -> None:
        assert self._proof is not None
        texts = shown_texts(self._points, self._qualities, self._texts, self._reasons)
        found = await self._proof.prove(texts)
        if self.identity and found != self.identity:
            raise IdentityError(f"another unit answers: {found}, before it was {self.identity}", device=self.name)
        self.identity = found

    # --- polling -----------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way."""
        return self._busy.locked()

    async def poll(self) -> Frame | None:
        """Read what is due and return a frame; device errors become qualities. None: dormant, not asked this time."""
        now = self._clock.monotonic()
        if now < self._asleep_until:
            self.health.skipped += 1
            return self._frame_of(Quality.BAD_TIMEOUT)
        self.health.polls += 1
        async with self._busy:
            try:
                if self._must_prove:
                    await self._prove_again()
                await self.link.keep_alive(self._clock.wall_ns(), now)
                if self.dead_man is not None:
                    await self.dead_man.keep_alive(now)
                await self._refresh(now)
            except DeviceError as error:
                return self._failed(error)
        return self._good(now)

    def hasten(self) -> None:
        """Read with the next poll what is read slowly, too."""
        self._is_slow_due = True

    @property
    def slow_read_at(self) -> float | None:
        """When the poll began that last read what is read slowly; None when nothing is."""
        return self._groups["slow"].read_at if self._groups["slow"].plan is not None else None

    async def _refresh(self, now: float) -> None:
        fast, slow = self._groups["fast"], self._groups["slow"]
        if fast.plan is not None:
            self._take(fast, await fast.plan.read())
        if slow.plan is not None and (self._is_slow_due or now - slow.read_at >= self.entry.slow - 0.5):
            self._is_slow_due = False
            self._take(slow, await slow.plan.read())
            slow.read_at = now
        if fast.plan is None and slow.plan is None and (once := self._groups["once"]).plan is not None:
            self._take(once, await once.plan.read())

    async def _prove_again(self) -> None:
        once = self._groups["once"]
        if once.plan is not None:
            self._take(once, await once.plan.read())
        await self._prove()
        self.link.renew()
        self._must_prove = False

    def _take(self, group: Group, reply: Reply) -> None:
        self.events += reply.notes
        for _ in range(reply.refusals):
            self.health.count("refused")
        part = group.part
        values, qualities = self._values[part], self._qualities[part]
        group.scaling.apply(reply.raw, values, qualities, reply.gain, reply.shift)
        bad = reply.qualities
        if np.count_nonzero(bad):
            qualities[bad != 0] = bad[bad != 0]
        if reply.texts:
            texts = {part.start + k: text for k, text in reply.texts.items()}
            if not texts.items() <= self._texts.items():
                self._texts = self._texts | texts  # a new one: frames that were handed on keep theirs
            places = list(reply.texts)
            qualities[places] = bad[places]
        if reply.reasons or self._reasons:
            kept = {k: why for k, why in self._reasons.items() if not part.start <= k < part.stop}
            self._reasons = kept | {part.start + k: why for k, why in reply.reasons.items()}

    def _good(self, now: float) -> Frame:
        done = self._clock.monotonic()
        health = self.health
        health.latency_s = done - now
        if health.failures_in_a_row:
            self.events.append(f"answers again after {health.failures_in_a_row} failed polls")
        health.failures_in_a_row = 0
        health.last_good = done
        values = self._values.copy()
        qualities = self._qualities.copy()
        if note := self._unroller.unroll(values):
            self.events.append(note)
        if self._is_frozen(done):
            qualities[qualities == Quality.GOOD] = Quality.STALE
        slow = self._groups["slow"]
        if slow.plan is not None and done - slow.read_at > 3 * self.entry.slow:
            part = qualities[slow.part]
            part[part == Quality.GOOD] = Quality.STALE
        return Frame(self.name, self._clock.wall_ns(), done, values, qualities, self._texts, self._reasons)

    def _is_frozen(self, now: float) -> bool:
        """Whether the device's heartbeat stands still; reported when that begins and when it is over."""
        if self._heartbeat is None:
            return False
        shown = self._texts.get(self._heart, "") or float(self._values[self._heart])
        if self._heartbeat.beat(shown, now, is_good=not self._qualities[self._heart]):
            self.events.append(self.standstill or f"{self.profile.heartbeat} moves again")
        return bool(self._heartbeat.standstill)

    @property
    def standstill(self) -> str:
        """Why nothing that this device says is believed, although it answers; '' when it is."""
        return self._heartbeat.standstill if self._heartbeat is not None else ""

    @property
    def points(self) -> Sequence[SignalPoint]:
        """What is known of each signal, in the order of `signals`."""
        return self._points

    def _failed(self, error: DeviceError) -> Frame:
        health = self.health
        kind, quality = kind_of(error)
        health.count(kind)
        health.failed += 1
        health.failures_in_a_row += 1
        health.last_error = error.message
        health.is_answering = not isinstance(error, UnreachableError)
        if health.failures_in_a_row == 1:
            self.events.append(f"lost: {error.message}")
        self._must_prove = True
        patience = self.link.patience
        tries = min(_BUS_TRIES, self.profile.health.dormant_after) if patience else self.profile.health.dormant_after
        if health.failures_in_a_row >= tries:
            self._asleep_until = self._clock.monotonic() + max(self.profile.health.probe_every, patience)
        return self._frame_of(quality)

    def _frame_of(self, quality: Quality) -> Frame:
        count = len(self._points)
        qualities = np.full(count, quality, dtype=np.uint8)
        return Frame(self.name, self._clock.wall_ns(), self._clock.monotonic(), np.full(count, np.nan), qualities)

    @property
    def restarts(self) -> int:
        """How often the device was seen to have started again since it was opened: its uptime fell."""
        return self._unroller.restarts

    @property
    def resets(self) -> int:
        """How often counters of it were seen to have started again from zero."""
        return self._unroller.resets

    # --- single signals ----------------------------------------------------------------------------------------------

    async def read(self, names: Sequence[str]) -> list[Reading]:
        """Read some signals now (for confirmation and by hand). DeviceError when the device fails as a whole."""
        async with self.alone():
            return await self.read_alone(names)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Have the device for several requests in a row; its errors are named."""
        async with self._busy:
            try:
                yield
            except DeviceError as error:
                raise self._named(error) from error

    async def read_alone(self, names: Sequence[str]) -> list[Reading]:
        """As `read`, for who has the device already."""
        key = tuple(names)
        if key not in self._plans:
            missing = [name for name in names if name not in self._index]
            if missing:
                raise RefusedError(f"the device has no signal {missing[0]!r}", device=self.name, operation="read")
            points = [self._points[self._index[name]] for name in names]
            self._plans[key] = (self.link.plan(points), Scaling([point.spec for point in points]))
        plan, scaling = self._plans[key]
        reply = await plan.read(is_urgent=True)
        values = np.empty(len(key))
        qualities = np.empty(len(key), dtype=np.uint8)
        scaling.apply(reply.raw, values, qualities, reply.gain, reply.shift)
        wall, mono = self._clock.wall_ns(), self._clock.monotonic()
        readings = []
        for k, name in enumerate(key):
            info = self.signals[self._index[name]]
            override = Quality(int(reply.qualities[k]))
            quality = override if override or info.is_text else Quality(int(qualities[k]))
            value = float(values[k])
            text = reply.texts.get(k, "") if info.is_text else info.word(value)
            why = reply.reasons.get(k, "")
            readings.append(Reading(info.name, value, info.unit, quality, wall, mono, text, why))
        return readings

    # --- writing -----------------------------------------------------------------------------------------------------

    async def write(self, control: ControlPoint, setting: Setting) -> None:
        """Send one command; see `Link.write` for what its errors mean. Refused while the identity is in doubt."""
        async with self._writing([(control, setting)]):
            await self.link.write(control, setting.value, setting.word)

    @property
    def max_batch(self) -> int:
        """How many switches one message may switch off; 1: one after the other."""
        return 1 if self.is_doubted else self.link.max_batch

    async def write_batch(self, wanted: Sequence[tuple[ControlPoint, Setting]]) -> None:
        """Send several commands with one message; as `write`, and see `Link.write_batch`."""
        async with self._writing(wanted):
            await self.link.write_batch([(control, each.value, each.word) for control, each in wanted])

    async def send(self, wanted: Sequence[tuple[ControlPoint, Setting]], commands: Sequence[Command]) -> None:
        """Send what was compiled for one control, or for several with one message, once; errors as `write`."""
        async with self._writing(wanted):
            if len(wanted) == 1:
                await carry_out(self.link.channel, commands)
            else:
                await self.link.channel.send_batch(commands)

    async def look(self, reads: Sequence[Read]) -> list[float | str]:
        """Read what was compiled, now; NaN is what is no measurement. DeviceError when the device does not answer."""
        async with self.alone():
            return await self.link.channel.read(reads)

    @asynccontextmanager
    async def _writing(self, wanted: Sequence[tuple[ControlPoint, Setting]]) -> AsyncIterator[None]:
        """The way to the wire: one at a time, the identity proven, `before_command` asked last."""
        async with self.alone():
            if self._must_prove and self._is_open:
                await self._prove_again()
            if self.before_command is not None:
                for control, setting in wanted:
                    self.before_command(control, setting)
            yield
            if self.dead_man is not None:
                await self.dead_man.commanded(wanted)

    @property
    def is_open(self) -> bool:
        """Whether the device has been opened and its identity proven."""
        return self._is_open

    async def close(self) -> None:
        """Close the connection."""
        self._is_open = False
        await self.link.close()

    def _named(self, error: DeviceError) -> DeviceError:
        if not error.device:
            error.device = self.name
            error.where = " ".join(part for part in (self.name, error.operation) if part)
        return error
