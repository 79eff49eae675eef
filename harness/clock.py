"""One clock for all waiting: real, sped up, or virtual.

The trick is in the event loop, not in the code that waits. `HarnessLoop` is asyncio's selector loop whose `time()`
runs at `rate` times real time, or (rate = infinity) jumps to the next timer as soon as nothing is left to do. So
`asyncio.sleep`, `asyncio.timeout` and `loop.call_at` all obey the same clock, and the code under test is the code that
ships. Durations come from the loop (monotonic); stamps are UTC nanoseconds, anchored once and advanced by the
monotonic clock, so a step of the system's wall clock neither changes a duration nor makes a series run backwards.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import itertools
import math
import selectors
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, nullcontext
from contextvars import Context
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

VIRTUAL_EPOCH_NS = 1_767_225_600 * 1_000_000_000
"""Start of virtual time, 2026-01-01T00:00:00Z: fixed, so that a seed reproduces a run exactly."""


_LOOK_EVERY = 16
"""In virtual time the kernel is asked for signals and other threads once in so many turns of the loop: each asking
costs as much as a turn, and turns take microseconds."""


class _Selector(selectors.DefaultSelector):
    """Waits `timeout / rate` real seconds, or jumps the virtual time by `timeout` when nothing is ready."""

    loop: HarnessLoop
    _turns = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Poll the files as asyncio asks, in the clock's time."""
        if not self.loop.is_virtual:
            return super().select(timeout if timeout is None or timeout <= 0 else timeout / self.loop.rate)
        if timeout is None:
            return super().select(None)
        self._turns += 1
        if self._turns >= _LOOK_EVERY:
            self._turns = 0
            ready = super().select(0)  # signals and other threads still come in through the loop's own pipe
            if ready:
                return ready
        if timeout > 0:
            self.loop.jump(timeout)
        return []


class _Timer(asyncio.TimerHandle):
    """A timer of virtual time. Of those due at the same moment the one that was made first comes first."""

    __slots__ = ("order",)

    order: int
    _when: float

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _Timer):
            return NotImplemented
        mine, theirs = self._when, other._when
        return mine < theirs or (mine == theirs and self.order < other.order)


_EXECUTOR_S = 2.0
"""Longest wait at the end of a loop for blocking work that nobody awaits any more, seconds."""


class HarnessLoop(asyncio.SelectorEventLoop):
    """Selector event loop whose time runs at `rate` (1 real, n faster, infinity: virtual, jumping)."""

    def __init__(self, rate: float = 1.0) -> None:
        self.rate = rate
        self.is_virtual = math.isinf(rate)
        self.on_exit: Callable[[BaseException], None] | None = None
        """Told of SystemExit and KeyboardInterrupt out of tasks and callbacks, which then go no further; None: they
        end the loop. Set only while what `run_until_complete` waits for cannot end with one of them."""
        self.on_future: Callable[[asyncio.Future[Any]], None] | None = None
        """Told of every future that is made in the loop."""
        self._start = time.monotonic()
        self._virtual = 0.0
        self._timers = 0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Seconds since an arbitrary point, in the clock's time."""
        if self.is_virtual:
            return self._virtual
        if self.rate == 1.0:
            return time.monotonic()
        return self._start + (time.monotonic() - self._start) * self.rate

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As asyncio's; in virtual time, timers of one moment keep their order, whatever else is in the heap."""
        if not self.is_virtual:
            return super().call_at(when, callback, *args, context=context)
        self._check_closed()  # type: ignore[attr-defined]
        timer = _Timer(when, callback, args, self, context)
        self._timers = timer.order = self._timers + 1
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        """As asyncio's; `on_future` hears of it."""
        future = super().create_future()
        if self.on_future is not None:
            self.on_future(future)
        return future

    async def shutdown_default_executor(self, timeout: float | None = _EXECUTOR_S) -> None:
        """As asyncio's, but in bounded time: a thread that blocks for ever keeps no verdict from the screen."""
        executor, self._default_executor = self._default_executor, None  # type: ignore[has-type]
        if executor is not None:
            closing = threading.Thread(target=executor.shutdown, kwargs={"cancel_futures": True}, daemon=True)
            closing.start()
            closing.join(timeout)

    def run_forever(self) -> None:
        """As asyncio's; but with `on_exit` set, nothing that runs in the loop ends the process."""
        while True:
            try:
                super().run_forever()
                return
            except (SystemExit, KeyboardInterrupt) as error:
                if self.on_exit is None:
                    raise
                self.on_exit(error)

    def jump(self, seconds: float) -> None:
        """Advance virtual time. It stands on whole nanoseconds: what is due in one, is due at the same time."""
        reached = round(self._virtual + seconds, 9)
        # a wait for less than that would be repeated for ever
        self._virtual = reached if reached > self._virtual else round(self._virtual + 1e-9, 9)


class Clock:
    """What the rest of the harness sees of time. One per run, made inside the running loop."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        rate = loop.rate if isinstance(loop, HarnessLoop) else 1.0
        self.rate = rate
        self.is_virtual = math.isinf(rate)
        self._anchor_mono = loop.time()
        self._anchor_wall_ns = VIRTUAL_EPOCH_NS if self.is_virtual else time.time_ns()

    def monotonic(self) -> float:
        """Seconds on the monotonic clock; only differences mean anything."""
        return self._loop.time()

    def wall_ns(self) -> int:
        """UTC nanoseconds since 1970, never running backwards within a run."""
        return self._anchor_wall_ns + round((self._loop.time() - self._anchor_mono) * 1e9)

    def go_on_behind(self, wall_ns: int) -> bool:
        """Let stamps go on behind `wall_ns`, where a record ended; True when the system's clock stands before it."""
        behind = self.wall_ns() <= wall_ns
        if behind:
            self._anchor_mono, self._anchor_wall_ns = self._loop.time(), wall_ns + 1_000_000
        return behind

    def wall_step_s(self) -> float:
        """Seconds by which the system's wall clock has been stepped or has drifted since the run began."""
        if self.rate != 1.0:
            return 0.0
        return (time.time_ns() - self.wall_ns()) / 1e9

    async def sleep(self, seconds: float) -> None:
        """Wait; zero or less yields once to the loop."""
        await asyncio.sleep(max(0.0, seconds))

    async def sleep_until(self, mono: float) -> None:
        """Wait until the monotonic clock reads `mono`."""
        await asyncio.sleep(max(0.0, mono - self._loop.time()))

    def timeout(self, seconds: float | None) -> asyncio.Timeout:
        """`async with clock.timeout(s)`: TimeoutError after `seconds` of the clock's time."""
        return asyncio.timeout(seconds)

    async def blocking(self, executor: Executor | None, work: Callable[..., T], *args: Any) -> T:
        """Run blocking work off the loop; in virtual time in place, so that runs are reproducible."""
        if self.is_virtual:
            return work(*args)
        return await self._loop.run_in_executor(executor, work, *args)


def run(main: Callable[[], Coroutine[Any, Any, T]], rate: float = 1.0) -> T:
    """Run `main` to its end in a loop whose time runs at `rate`; like `asyncio.run` otherwise."""
    quiet = _fewer_collections() if math.isinf(rate) else nullcontext()
    with quiet, asyncio.Runner(loop_factory=lambda: HarnessLoop(rate)) as runner:
        return runner.run(main())


_loops = itertools.count()


@contextmanager
def _fewer_collections() -> Iterator[None]:
    """Let more young things gather before they are collected: they come by the million.

    What earlier loops of this process left in circles gets old meanwhile and would hardly ever be looked at: now and
    then it goes first (a look at everything costs as much as ten seconds of a virtual run, unless who runs many of them
    has frozen what was there before; so nothing is frozen and thawed here).
    """
    before = gc.get_threshold()
    if next(_loops) % 8 == 7:
        gc.collect()
    gc.set_threshold(20_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def since_boot() -> tuple[str, float]:
    """(identity of this boot, seconds since it with all suspends), a time that nobody can set; ('', 0) if unknown."""
    try:
        identity = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return identity, time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, ValueError, AttributeError):
        return "", 0.0


def iso(wall_ns: int) -> str:
    """UTC time as ISO 8601 with milliseconds, e.g. 2026-01-01T00:00:00.000Z."""
    moment = datetime.fromtimestamp(wall_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{wall_ns // 1_000_000 % 1000:03d}Z"
