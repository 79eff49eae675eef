"""The electrical plan on good racks with spread, and on racks with what each of its steps is for."""

from __future__ import annotations

import asyncio
from functools import cache

import pytest

from harness.api import ProblemsError
from tests.plan_runs import PLANS, Ran, run_plan

PLAN, STATION = PLANS / "power_acceptance.yaml", PLANS / "stations" / "power.yaml"


def station_with(folder, **changes):
    """The station, its simulation changed."""
    text = STATION.read_text()
    more = "".join(f", {key}: {value}" for key, value in changes.items())
    path = folder / "station.yaml"
    path.write_text(text.replace("rack: 132kW, seed: 1", f"rack: 132kW, seed: 1{more}"))
    return path


def ran_on(folder, *faults: str, seed: int = 1, during=None, **changes) -> Ran:
    station = station_with(folder, **{"spread": 0, **changes})
    return run_plan(PLAN, folder, station=station, faults=list(faults), seed=seed, during=during)


def passes(folder, seed):
    ran = ran_on(folder, seed=seed, spread=1)
    assert ran.outcome.verdict == "PASS", ran.reason
    assert ran.on == []
    return ran


@pytest.mark.parametrize("seed", [101, 102])
def test_good_racks_with_spread_pass(seed, tmp_path):
    passes(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 31))
def test_thirty_good_racks_with_spread_pass(seed, tmp_path):
    passes(tmp_path, seed)


@pytest.mark.parametrize(
    ("faults", "verdict", "told"),
    [
        (["cords_swapped:3-6"], "FAIL", "pdu.outlet[3] (for shelf3.input_current) is seen at 6: swapped with 6"),
        (["inrush_high:1=1.5"], "FAIL", "inrush of shelf 1: peak"),
        (["psu_fail:7.3"], "FAIL", "phase balance: unbalance: 4.2"),
        (["psu_fail:7.1"], "FAIL", "no shelf alarms: shelf7.alarms is dcdc_failure"),
        (["psu_fail:7.1@180s"], "FAIL", "no shelf alarms under load: shelf7.alarms is dcdc_failure"),
        (["psu_fail:7.1@200s"], "FAIL", "one supply of shelf 1 away: shelf7.alarms"),
        (["psu_fail:7.1@275s"], "FAIL", "shelf 2 away: shelf7.alarms"),
        (["psu_fail:7.1@275s"], "FAIL", "reached dcdc_failure"),
        (["psu_fail:3.2@275s"], "FAIL", "phase balance after: unbalance: "),
        (["psu_fail:1.1@205s"], "FAIL", "shelf1.alarms is dcdc_failure before anything is taken away"),
        (["sensor_offset:meter.power=4000"], "ERROR", "pdu.power differs from meter.power by"),
    ],
)
def test_each_step_finds_what_it_is_for(faults, verdict, told, tmp_path):
    ran = ran_on(tmp_path, *faults)
    assert ran.outcome.verdict == verdict, ran.reason
    assert told in ran.reason
    assert ran.on == []


def test_an_outlet_whose_place_cannot_be_read_is_off_at_once(tmp_path):
    """A meter breaks while an outlet is on: the run ends there, and the safe state switches it off."""
    ran = ran_on(tmp_path, "sensor_nan:shelf[3].psu[1].input_current@35s")
    assert ran.outcome.verdict == "ERROR", ran.reason
    assert "shelf3.input_current gave no good sample" in ran.reason
    told = [text for text in ran.texts("intent") if "outlet" in text]
    assert told[-1].endswith(" off")
    assert ran.outcome.result.safe_state.confirmed


def setting(volts, *shelves, at=190.0):
    """Shelves regulate to another voltage from a moment on."""

    async def beside(_, simulation):
        await asyncio.sleep(at)
        for shelf in shelves:
            simulation.plant.command(f"shelf[{shelf}].voltage_setpoint", volts)

    return beside


def test_a_shelf_that_does_not_share_fails_and_what_was_taken_is_given_back(tmp_path):
    """0.1 V less is a fifth of the rating, at 0.5 V of droop."""
    states = []

    async def beside(state, simulation):
        await setting(49.9, 4)(state, simulation)
        while True:
            await asyncio.sleep(0.5)
            title = state.running.title if state.running else ""
            states.append((title, simulation.plant.truth("shelf[1].psu[1].on"), simulation.plant.truth("shelf[2].on")))

    ran = ran_on(tmp_path, during=beside)
    assert ran.outcome.verdict == "FAIL", ran.reason
    assert "one supply of shelf 1 away: sharing: 17" in ran.reason  # seven others, of whose mean it is a part
    assert {on for title, on, _ in states if title == "one supply of shelf 1 away"} == {0.0, 1.0}
    assert next(on for title, on, _ in states if title == "shelf 2 away") == 1.0
    assert [on for title, _, on in states if title == "shelf 2 away"][-1] == 1.0


def test_a_bus_without_reserve_fails_when_a_shelf_is_away(tmp_path):
    """48.78 V less a quarter of a volt of droop is just enough with eight shelves, and not with seven."""
    ran = ran_on(tmp_path, during=setting(48.785, *range(1, 9)))
    assert ran.outcome.verdict == "FAIL", ran.reason
    assert "shelf 2 away: lowest bus voltage: 48.49" in ran.reason


def test_a_run_that_ends_in_the_middle_of_it_takes_the_test_back(tmp_path):
    """Somebody opens an outlet while a supply has no mains: the step is cancelled, the run makes safe and puts back."""
    ran = ran_on(tmp_path, "outlet_off:5@240s")
    assert ran.outcome.verdict == "ERROR", ran.reason
    assert ran.on == []
    told = [text for text in ran.texts("intent") if "ac_loss_test" in text]
    assert told == ["shelf1: ac_loss_test on", "shelf1: ac_loss_test off"]
    assert not any("ac_loss_test" in line for line in ran.outcome.result.still_set)


def test_after_a_trip_nothing_is_put_back(tmp_path):
    ran = ran_on(tmp_path, "both_pumps_stop@235s")
    assert ran.outcome.verdict == "TRIPPED", ran.reason
    assert ran.on == []
    assert [text for text in ran.texts("intent") if "ac_loss_test" in text] == ["shelf1: ac_loss_test on"]
    left = "shelf1.ac_loss_test on (set by step 'one supply of shelf 1 away', before: off)"
    assert left in ran.outcome.result.still_set


@cache
def _text():
    return PLAN.read_text()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("least: 50 A", "least: 50 V"), "is a voltage"),
        (("currents: [meter.phase.current]", "currents: [pdu.power]"), "nothing to balance"),
        (("uncertainty: 0.5", "uncertainty: 2.5"), "cannot judge a band of 4 %"),
        (("      - shelf8.input_current\n", ""), "8 outlets are seen at 7 places"),
        (("take: pdu.outlet[2]", "take: cdu.flow_setpoint"), "does not take 'off'"),
        (("healthy: {signal: shelf2", "healthy: {for: 2 s, signal: shelf2"), "leave `for` out"),
        (("hold: meter.peak_hold", "hold: rack.level"), "not switched on and off"),
        (("    decay: 10 ms\n", ""), "`decay`"),
    ],
)
def test_bad_input_is_refused_before_anything_is_contacted(change, told, tmp_path):
    assert change[0] in _text()
    path = tmp_path / "plan.yaml"
    (tmp_path / "limits").mkdir()
    (tmp_path / "limits" / "power.yaml").write_text((PLANS / "limits" / "power.yaml").read_text())
    path.write_text(_text().replace(*change))
    with pytest.raises(ProblemsError, match=told.replace("[", r"\[")):
        run_plan(path, tmp_path, station=STATION)
