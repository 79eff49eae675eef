"""The devices' own dead-men, judged by the simulator's truth: what they do when nobody is left to tell them."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.engine.layers import Layers
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from sim.physics.dead_man import Countdown
from tests.integration.dead_man_station import DEVICES, OUTLETS, SHORT_S, WITHIN_S, write_plan, write_station
from tests.integration.guarded_tools import Bay, end_both, guardian_log, said, until
from tests.plan_runs import Ran, run_plan

pytestmark = pytest.mark.timeout(120)
KINDS = list(DEVICES)


def on(truth: dict[str, float]) -> int:
    return sum(truth[f"outlet[{k}].state"] > 0.5 for k in range(1, OUTLETS + 1))


def ran(folder: Path, kind: str, hold: str, during: object = None, **replaced: str) -> Ran:
    station = write_station(folder, kind, **replaced)
    return run_plan(write_plan(folder, kind, hold), folder / "data", station=station, during=during)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS)
def test_a_living_run_holds_the_power_up_for_as_long_as_it_lives(tmp_path: Path, kind: str) -> None:
    seen: list[tuple[float, int, float]] = []

    async def look(_runner: object, simulation: object) -> None:
        while True:
            truth = simulation.truth()  # type: ignore[attr-defined]
            seen.append((simulation.now(), on(truth), truth["remote.control"]))  # type: ignore[attr-defined]
            await asyncio.sleep(0.5)

    result = ran(tmp_path, kind, "60 s", look)
    assert result.exit_code == 0, result.reason
    first = next(when for when, count, _ in seen if count == OUTLETS)
    held = [(count, remote) for when, count, remote in seen if first < when < first + 58]
    assert {count for count, _ in held} == {OUTLETS}, "a dead-man fired under a living run"
    assert {remote for _, remote in held} == {1.0}
    assert on(result.truth) == 0
    assert not any(result.later[f"outlet[{k}].pending"] for k in range(1, OUTLETS + 1)), "it was not let go of"
    assert result.later["remote.watchdog"] == 0
    (line,) = result.texts("layers")
    assert "no guardian" in line
    assert f"{WITHIN_S} s after" in line
    assert "cdu goes back to its own control" in line


@pytest.mark.parametrize("kind", KINDS)
def test_pollers_that_go_on_beside_a_control_loop_that_hangs_do_not_feed(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung: list[float] = []
    off: list[float] = []
    tick = Layers.tick

    def hang(self: Layers, now: float) -> None:
        if not hung:
            tick(self, now)

    monkeypatch.setattr(Layers, "tick", hang)

    async def look(_runner: object, simulation: object) -> None:
        while on(simulation.truth()) < OUTLETS:  # type: ignore[attr-defined]
            await asyncio.sleep(0.2)
        await asyncio.sleep(20)
        assert on(simulation.truth()) == OUTLETS  # type: ignore[attr-defined]
        hung.append(simulation.now())  # type: ignore[attr-defined]
        while on(simulation.truth()):  # type: ignore[attr-defined]
            await asyncio.sleep(0.1)
        off.append(simulation.now())  # type: ignore[attr-defined]
        truth = simulation.truth()  # type: ignore[attr-defined]
        assert truth["loop.flow"] > 20, "a dead-man stopped the coolant"

    ran(tmp_path, kind, "60 s", look)
    assert off, "the outlets stayed on"
    assert off[0] - hung[0] <= WITHIN_S + 2.0 + 1.2, "its time, what the last word permits, the relay"


def test_a_watchdog_that_does_not_take_its_time_stops_the_run_before_anything_is_energised(tmp_path: Path) -> None:
    def stick(_runner: object, simulation: object) -> None:
        simulation.devices["cdu"].twin.sticks = True  # type: ignore[attr-defined]

    result = ran(tmp_path, "relay", "60 s", stick)
    assert result.outcome.verdict == "ERROR"
    assert "the dead-man of cdu is not confirmed" in result.reason
    assert result.later["outlet[1].energy"] == 0


def test_a_delayed_off_that_is_acknowledged_and_does_not_show_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Countdown, "begin", lambda self, seconds: None)
    result = ran(tmp_path, "pdu", "60 s")
    assert result.outcome.verdict == "ERROR"
    assert "the dead-man of pdu was fed and does not show it" in result.reason
    assert on(result.truth) == 0


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replaced", "code", "words"),
    [
        ({"poll: 0.5 s, dead_man: 6 s": "poll: 0.5 s, dead_man: 2 s"}, "HX-1252", "outside 4 to 7200 s"),
        ({"poll: 0.5 s, dead_man: 6 s": "poll: 2 s, dead_man: 6 s"}, "HX-1252", "polled every 2 s"),
        ({"quick_pdu.yaml": "pdu/geist_v5"}, "HX-1251", "knows of no dead-man"),
        ({'to: "off", confirm_within: 3 s': 'to: "on", confirm_within: 3 s'}, "HX-1253", "does not switch off at once"),
    ],
)
def test_a_dead_man_that_does_not_fit_is_refused(
    tmp_path: Path, replaced: dict[str, str], code: str, words: str
) -> None:
    with pytest.raises(ProblemsError) as caught:
        load_station(write_station(tmp_path, "pdu", **replaced))
    found = [problem for problem in caught.value.problems if problem.code == code]
    assert found, caught.value
    assert words in str(found[0])


def test_what_feeds_the_coolant_is_not_held(tmp_path: Path) -> None:
    """The fourth outlet feeds the coolant unit: it goes off after the coolant was waited for, never by a dead-man."""
    first = '{set: pdu.outlet, to: "off", confirm_within: 3 s}\n    - {keep: cdu.pump'
    later = '    - {set: "pdu.outlet[4]", to: "off"}\n  leak:'
    some = "".join(f'{{set: "pdu.outlet[{k}]", to: "off"}}\n    - ' for k in (1, 2, 3))
    station = write_station(tmp_path, "pdu", **{first: some + "{keep: cdu.pump", "  leak:": later})
    states: list[list[float]] = []

    async def look(_runner: object, simulation: object) -> None:
        await asyncio.sleep(15)
        states.append([simulation.truth()[f"outlet[{k}].pending"] for k in range(1, 5)])  # type: ignore[attr-defined]

    run_plan(write_plan(tmp_path, "pdu", "30 s"), tmp_path / "data", station=station, during=look)
    assert states == [[1.0, 1.0, 1.0, 0.0]]


# --- nobody is left --------------------------------------------------------------------------------------------------


@pytest.fixture
def bay(tmp_path: Path) -> Iterator[Bay]:
    made = Bay(tmp_path)
    try:
        yield made
    finally:
        made.close()


ENDS = [
    pytest.param("pdu", signal.SIGSTOP),
    pytest.param("relay", signal.SIGKILL),
    pytest.param("pdu", signal.SIGKILL, marks=pytest.mark.slow),
    pytest.param("relay", signal.SIGSTOP, marks=pytest.mark.slow),
]
"""A device sees of both ends that nobody speaks to it any more; of a killed run also that its connections close."""


@pytest.mark.parametrize(("kind", "how"), ENDS)
def test_both_gone_and_the_device_itself_puts_the_power_off(bay: Bay, kind: str, how: signal.Signals) -> None:
    write_station(bay.folder, kind, within=SHORT_S)
    write_plan(bay.folder, kind, "10 min")
    bay.start_devices()
    runner = bay.start_run()
    folder = Path(said(runner)["folder"])
    until(lambda: on(bay.truth()) == OUTLETS, 60)
    time.sleep(SHORT_S + 1)
    assert on(bay.truth()) == OUTLETS, bay.errors()
    guardian = next(line["pid"] for line in guardian_log(folder) if line["kind"] == "start")
    bay.guardians.append(guardian)
    end_both(runner.pid, guardian, how)
    assert until(lambda: on(bay.truth()) == 0, 30) <= SHORT_S + 2.5
    until(lambda: bay.truth()["remote.control"] == 0, SHORT_S + 2)
    truth = bay.truth()
    assert truth["loop.flow"] > 20, "the coolant must stay on"
    assert truth["pump.run"] if "pump.run" in truth else truth["pump[1].running"]


@pytest.mark.parametrize("seed", [0, 2])
def test_a_switch_that_is_still_on_its_way_is_no_reason_to_doubt(tmp_path: Path, seed: int) -> None:
    """Four switches 50 ms apart, each up to 1 s on its way, fed every second: a feed meets a switch not there yet."""
    station = write_station(tmp_path, "relay", within=SHORT_S)
    found = run_plan(write_plan(tmp_path, "relay", "5 s"), tmp_path / "data", station=station, seed=seed)
    assert found.exit_code == 0, found.reason
