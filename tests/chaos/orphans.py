"""Racks whose run and guardian are both gone, killed or frozen, with the third layer behind them and without it.

Judged by the truth of the simulated devices. Without the layer nobody is left who could switch off: the outlets stay
on, the start had said so, and whoever comes next to the bay makes it safe.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Literal

from harness.record.aftermath import aftermath
from harness.record.index import summarise
from harness.safety.armed import FOLDER
from harness.safety.names import state_of
from harness.telemetry.reading import open_for_reading
from tests.chaos.table import Count, Row
from tests.integration.guarded_tools import AT_ONCE, ONE_BY_ONE, OUTLETS, guardian_log, is_alive, kinds, said, until
from tests.integration.hand_tools import harness
from tests.integration.service_bay import WITHIN_S, Begun, ServiceBay

Way = Literal["killed", "frozen"]
WAYS: tuple[Way, ...] = ("killed", "frozen")
_SIGNALS = {"killed": signal.SIGKILL, "frozen": signal.SIGSTOP}
POINTS = (
    "guarded",
    "armed",
    "step-begun",
    "intent-durable@3",
    "sent@3",
    "before-confirm@3",
    "confirmed@3",
    "step-ended",
    "safe-begun",
    "safe-between",
    "safe-done",
)
"""The named places at which a run has a guardian; `@3`: with the third outlet, when two are on."""
_ENDS_WITHIN_S = 60.0
NEXT = (("killed", "run"), ("killed", "supervisor"), ("frozen", "safe"), ("killed, no folder", "run"))
"""How both end, and who comes next to a bay that has no supervisor."""


@contextlib.contextmanager
def bay(folder: Path) -> Iterator[ServiceBay]:
    """A bay for as long as the block lasts."""
    place = ServiceBay(folder)
    try:
        yield place
    finally:
        place.close()


# --- with a supervisor -----------------------------------------------------------------------------------------------


def with_supervisor(place: ServiceBay, rounds: Sequence[tuple[Way, str]], rng: Random) -> Row:
    """Each round: a run, as a unit or by hand, whose two processes end at a random instant or at a named place."""
    supervisor, tally, slowest = place.supervise(), Count(), 0.0
    for way, point in rounds:
        begun = _begin_at(place, point) if point else _begin(place, rng)
        on = place.outlets_on()
        begun.end(_SIGNALS[way])
        took = until(lambda: not place.outlets_on(), WITHIN_S + 30)
        slowest = max(slowest, took)
        problem = f"off after {took:.1f} s" if took > WITHIN_S else _made_safe(place, begun, way, on)
        tally.judge(f"{way} {point or 'in mid-run'}", problem)
    tally.judge("supervisor", "" if supervisor.starts == 1 else "it had to be started again")
    row = tally.row("both killed or frozen, with a supervisor", f"all off <= {WITHIN_S:g} s, nothing energised again")
    return Row(row.what, f"slowest {slowest:.1f} s, {row.found}", row.target, row.ok)


def _begin(place: ServiceBay, rng: Random) -> Begun:
    begun = place.begin_as_a_service()[1] if rng.random() < 0.5 else place.begin_by_hand()[1]
    time.sleep(rng.uniform(0.0, 1.0))
    return begun


def _begin_at(place: ServiceBay, point: str) -> Begun:
    """A run that stands still at a named place, and its guardian with it."""
    name, _, passage = point.partition("@")
    process = place.start_run(_short(place, ONE_BY_ONE), HARNESS_FAULT_POINT=f"{name}=stop@{passage or 1}")
    folder = Path(said(process)["folder"])
    until(lambda: state_of(process.pid) == "T", 60)
    guardian = place.guardian_of(folder)
    os.kill(guardian, signal.SIGSTOP)
    return Begun(folder, process.pid, guardian)


def _short(place: ServiceBay, switching_on: str) -> Path:
    """The plan with an end."""
    path = place.folder / "short.yaml"
    path.write_text(place.plan.read_text().replace(AT_ONCE, switching_on).replace("within: 120 s", "within: 1 s"))
    return path


def _made_safe(place: ServiceBay, begun: Begun, way: Way, on: int) -> str:
    """What is wrong with a rack that the supervisor switch off, and with what it left; '' when nothing is."""
    until(lambda: not place.armed_files(), 15)
    if place.truth()["loop.flow"] <= 5:
        return "the coolant was stopped"
    hands = [line.get("by") for line in guardian_log(begun.folder) if line["kind"] == "takeover"]
    if on and (hands != ["supervisor"] or kinds(begun.folder)[-1] != "safe"):
        return f"taken over by {hands}, {kinds(begun.folder)[-1]}"
    reported = aftermath(begun.folder)
    if (
        on
        and way == "killed"
        and not ("the supervisor took over" in reported and "made the rack safe: confirmed" in reported)
    ):
        return reported
    return _woken(place, begun, "ERROR" if on else "") if way == "frozen" else ""


def _woken(place: ServiceBay, begun: Begun, verdict: str) -> str:
    """Let both go on: they energise nothing, and the run ends with a verdict that is no PASS."""
    for pid in (begun.runner, begun.guardian):
        os.kill(pid, signal.SIGCONT)
    most, limit = 0, time.monotonic() + _ENDS_WITHIN_S
    while is_alive(begun.runner) and time.monotonic() < limit:
        most = max(most, place.outlets_on())
        time.sleep(0.02)
    if most or place.outlets_on():
        return f"{most} outlets energised by who woke up"
    end = summarise(begun.folder)
    is_right = end.verdict == verdict if verdict else end.verdict != "PASS"
    return "" if is_right else f"ended as {end.verdict}: {end.reason}"


# --- without it ------------------------------------------------------------------------------------------------------


def without_supervisor(place: ServiceBay, rounds: Sequence[tuple[str, str]], watched: float) -> Row:
    """Each round: both end, nothing happens for `watched` seconds, and somebody comes next (see `NEXT`)."""
    tally = Count()
    for how, following in rounds:
        way: Way = "frozen" if how.startswith("frozen") else "killed"
        more = {} if how == way else {"HARNESS_ARMED": ""}
        if more and FOLDER.is_dir():
            continue  # this machine has the layer: a run without it cannot be begun here
        begun = place.begin_by_hand(**more)[1]
        begun.end(_SIGNALS[way])
        problem = _unheard(begun) or _moved(place, watched)
        tally.judge(f"{how}, then {following}", problem or _NEXT[following](place, begun, more))
    what = f"both killed or frozen, no supervisor, watched for {watched:g} s"
    return tally.row(what, "stays on, the start said it; who comes next makes it safe")


def _unheard(begun: Begun) -> str:
    """'' when the start had said that nobody stands behind the two."""
    with open_for_reading(begun.folder / "journal.db") as reader:
        reported = [str(event.data["text"]) for event in reader.events("layers")]
    wanted = ("but NO supervisor runs", "no third layer")
    return "" if any(text in line for text in wanted for line in reported) else f"the start said {reported}"


def _moved(place: ServiceBay, watched: float) -> str:
    """'' when all outlets stayed on."""
    end = time.monotonic() + watched
    while time.monotonic() < end:
        if place.outlets_on() != OUTLETS:
            return "an outlet went off: somebody acted who was not there"
        time.sleep(0.1)
    return ""


def _next_run(place: ServiceBay, begun: Begun, more: dict[str, str]) -> str:
    """The next run: it makes safe what is armed before it opens a device, and switches off what it finds on."""
    second = place.start_run(_short(place, AT_ONCE), **more)
    folder = Path(said(second)["folder"])
    if not more:
        until(lambda: not place.outlets_on(), 30)
        if kinds(folder):
            return "it had opened devices before the bay was safe"
        until(lambda: place.outlets_on() > 0, 30)
        left = [path.stem for path in place.armed_files()]
        if kinds(begun.folder)[-1] != "safe" or left != [folder.name]:
            return f"what was left: {kinds(begun.folder)[-1]}, armed {left}"
    second.wait(_ENDS_WITHIN_S)
    return f"{place.outlets_on()} on after the next run" if place.outlets_on() else ""


def _next_supervisor(place: ServiceBay, begun: Begun, _: dict[str, str]) -> str:
    """The supervisor, as the machine starts it later."""
    supervisor = place.supervise()
    took = until(lambda: not place.outlets_on(), WITHIN_S + 30)
    until(lambda: "safe, confirmed" in supervisor.text(), 15)
    place.close_services()
    return f"off after {took:.1f} s" if took > WITHIN_S or kinds(begun.folder)[-1] != "safe" else ""


def _next_safe(place: ServiceBay, begun: Begun, _: dict[str, str]) -> str:
    """The next run is refused and told who is frozen; `harness safe` goes through, and who wakes up changes nothing."""
    second = place.start_run()
    refused = str(said(second).get("refused"))
    if second.wait(_ENDS_WITHIN_S) != 6 or f"process {begun.guardian}) is frozen" not in refused:
        return refused
    if place.outlets_on() != OUTLETS:
        return "the refused run switched something"
    done = harness(place, "safe", place.station)
    if done.code or place.outlets_on():
        return f"{place.outlets_on()} on after `safe`: {done.said}"
    return _woken(place, begun, "")


_NEXT = {"run": _next_run, "supervisor": _next_supervisor, "safe": _next_safe}
