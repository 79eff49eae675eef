"""Good runs whose partners are slow to end: guardian, devices, journal, database, callers, senders of traps.

Each run has one of them held for a while at one moment of its end, and must stay a PASS with its record sealed and the
rack off in the truth. The runs go on beside each other in one loop, over sockets, each with a guardian of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.engine.state import RunState
from harness.limits.verdict import Verdict
from harness.record.log import Event
from harness.telemetry.influx import InfluxSettings
from tests.chaos import talkers
from tests.chaos.table import Count, Row
from tests.integration.guarded_tools import STATION
from tests.plan_runs import Ran, play_plan

PLAN = """
schema: 1
plan: short
coverage: 30 %  # a few polls long: how many of them a busy machine misses is not what this is about
steps:
  - {step: power_on, outlets: "pdu.outlet[1]"}
  - {step: measure, name: volts, signal: "pdu.phase[1].voltage", over: 1.5 s, limit: {min: 200 V, max: 264 V}}
"""
HELD_S = 1.5
"""How long a partner is held, seconds: less than a guardian may be silent while outlets are on."""
AFTERWARDS_S = 4.0
"""How long the guardian is held once the rack is safe: by then nobody needs it, and the run only waits for its end."""
TOGETHER = 6
"""How many runs go on beside each other."""
MOMENTS = ("step end", "intent", "safe")
"""The moments of the end that matter most, as the events of a run are called."""
PARTNERS = ("devices", "journal commits", "journal closes")

Held = Callable[[RunState], Any]
"""Holds a partner of a run; called at the moment."""


@dataclass
class Watch:
    """What happens in one run from the end of its last step on, and what is done at one moment of that."""

    kind: str = ""
    nth: int = 1
    """The moment: the so many-th event of the kind since the end of the last step, which counts itself."""
    hold: Held | None = None
    runner: RunState | None = None
    seen: list[str] = field(default_factory=list)
    is_done: bool = False

    def begin(self, runner: RunState, _: Any) -> None:
        self.runner = runner

    def see(self, event: Event) -> None:
        if not self.seen and not (event.kind == "step end" and event.text.startswith("volts")):
            return
        self.seen.append(event.kind)
        if event.kind == self.kind and self.seen.count(event.kind) == self.nth and self.hold is not None:
            self.is_done = True
            self.hold(self.runner)  # type: ignore[arg-type]


def held(seconds: float) -> Held:
    """Stop the guardian for a while."""

    def hold(runner: RunState) -> None:
        assert runner.guardian is not None
        os.kill(runner.guardian.pid, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(seconds, _go_on, runner.guardian.pid)

    return hold


def _go_on(pid: int) -> None:
    if Path(f"/proc/{pid}").exists():
        os.kill(pid, signal.SIGCONT)


def _later(whole: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same, after a while."""

    async def after_a_while(*args: Any) -> Any:
        await asyncio.sleep(HELD_S)
        return await whole(*args)

    return after_a_while


def slowed(partner: str) -> Held:
    """Let devices or journal be slow from a moment on."""

    def slow(runner: RunState) -> None:
        if partner == "journal commits":
            runner.journal.commit = _later(runner.journal.commit)  # type: ignore[method-assign]
        elif partner == "journal closes":
            runner.journal.close = _later(runner.journal.close)  # type: ignore[method-assign]
        else:
            for device in runner.devices.values():
                device.close = _later(device.close)  # type: ignore[method-assign]

    return slow


# --- runs ------------------------------------------------------------------------------------------------------------


class Plays:
    """Runs of one small station, several at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._station = folder / "station.yaml"
        self._station.write_text(STATION.replace("poll: 0.5 s", "poll: 0.2 s, max_age: 3 s"))
        self._plan = folder / "plan.yaml"
        self._plan.write_text(PLAN)
        self._count = 0
        self._together = asyncio.Semaphore(TOGETHER)

    def listening(self) -> tuple[Path, int]:
        """The station with a receiver of traps at a port of its own."""
        return talkers.listening(self._station, self._folder / f"traps-{self._count}-{os.urandom(4).hex()}")

    async def play(self, watch: Watch, station: Path | None = None, **options: Any) -> Ran:
        """One run. It is on a rack as far as it knows: with lock, lease and the patience of a real one."""
        self._count += 1
        name = f"RACK-{self._count:04}"
        async with self._together:
            return await play_plan(
                self._plan,
                self._folder / name,
                station=station or self._station,
                serial=name,
                lot=f"{os.getpid()}-{name}",
                is_simulated=False,
                during=watch.begin,
                observers=[watch.see],
                **options,
            )

    async def row(
        self,
        what: str,
        watches: Sequence[tuple[str, Watch]],
        each: Sequence[dict[str, Any]] = (),
        *,
        is_answered: bool = True,
        **options: Any,
    ) -> Row:
        """Runs that are each disturbed once; `each`: options of each; `is_answered`: by the database, in the end."""
        tally = Count()
        own = each or [{} for _ in watches]
        plays = await asyncio.gather(
            *(self.play(watch, **options, **more) for (_, watch), more in zip(watches, own, strict=True))
        )
        for (name, watch), ran in zip(watches, plays, strict=True):
            tally.judge(
                name, _problem(ran, is_answered=is_answered) or ("" if watch.is_done else "the moment did not come")
            )
        return tally.row(what, "PASS, sealed, off")


def _problem(ran: Ran, *, is_answered: bool) -> str:
    is_good = ran.outcome.verdict is Verdict.PASS and ran.outcome.is_sealed and ran.outcome.is_safe
    bugs = ran.texts("bug")
    copy = ran.outcome.result.telemetry
    lacking = copy.lacking if copy is not None and is_answered else ""
    if is_good and not ran.on and not bugs and not lacking:
        return ""
    return f"{ran.outcome.verdict}: {ran.reason}, {ran.on} on, {bugs} {lacking}"


async def guardian(plays: Plays, moments: Sequence[tuple[str, int]]) -> Row:
    """The guardian is held at each of these moments."""
    watches = [
        (f"{kind} {nth}", Watch(kind, nth, held(AFTERWARDS_S if kind == "safe" else HELD_S))) for kind, nth in moments
    ]
    what = f"guardian held for {HELD_S:g} s at a moment of the end, {AFTERWARDS_S:g} s when all is off"
    return await plays.row(what, watches)


async def partners(plays: Plays, names: Sequence[str]) -> Row:
    """Devices and journal take their time; the journal's commits from the safe state on."""
    watches = [(name, Watch("safe" if name == "journal commits" else "step end", 1, slowed(name))) for name in names]
    return await plays.row(f"devices, journal {HELD_S:g} s slower to end", watches)


async def telemetry(plays: Plays, moments: Sequence[tuple[str, int]]) -> Row:
    """The database, which had answered, is held at each of these moments; the copy must be whole all the same."""
    holders = [talkers.Database(HELD_S) for _ in moments]
    watches = [(f"{kind} {nth}", Watch(kind, nth, one.hold)) for (kind, nth), one in zip(moments, holders, strict=True)]
    async with contextlib.AsyncExitStack() as stack:
        each = [{"influxdb": await stack.enter_async_context(one.serving())} for one in holders]
        return await plays.row(f"database held for {HELD_S:g} s at a moment of the end", watches, each)


async def control(plays: Plays, moments: Sequence[tuple[str, int]]) -> Row:
    """Callers at the control socket come at each of these moments, say half a command, and stay."""
    watches = [(f"{kind} {nth}", Watch(kind, nth, talkers.callers(AFTERWARDS_S))) for kind, nth in moments]
    return await plays.row("callers that stay at the control socket, from a moment of the end on", watches)


async def traps(plays: Plays, moments: Sequence[tuple[str, int]]) -> Row:
    """Many traps come at each of these moments, and the receiver is slow to end."""
    places = [plays.listening() for _ in moments]
    watches = [
        (f"{kind} {nth}", Watch(kind, nth, talkers.traps(port, _later)))
        for (kind, nth), (_, port) in zip(moments, places, strict=True)
    ]
    what = f"{talkers.TRAPS} traps at a moment of the end, their receiver {HELD_S:g} s slower"
    return await plays.row(what, watches, [{"station": station} for station, _ in places])


async def database(plays: Plays) -> Row:
    """The database takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        influx = InfluxSettings(url=url, bucket="burnin", org="factory")
        watches = [("never answers", Watch("safe", 1, lambda _: None))]
        return await plays.row("a database that does not answer", watches, is_answered=False, influxdb=influx)


async def all_moments(plays: Plays) -> list[tuple[str, int]]:
    """Every moment of the end of a run that nobody disturbs; when the verdict is told, the guardian has gone."""
    watch = Watch()
    await plays.play(watch)
    seen = watch.seen[: watch.seen.index("verdict")]
    return [(kind, seen[: k + 1].count(kind)) for k, kind in enumerate(seen)]
