"""The public acceptance list of a power supply, as a plan: good ones pass, each fault is told as whose it is."""

from __future__ import annotations

import asyncio

import pytest

from tests.plan_runs import PLANS, Ran, run_plan

PLAN, STATION = PLANS / "psu_acceptance.yaml", PLANS / "stations" / "psu_bench.yaml"


def ran_on(folder, *faults: str, seed: int = 1, spread: float = 0.0) -> Ran:
    station = folder / "station.yaml"
    station.write_text(STATION.read_text().replace("rack: psu, seed: 1", f"rack: psu, seed: 1, spread: {spread:g}"))
    return run_plan(PLAN, folder, station=station, faults=list(faults), seed=seed)


def passes(folder, seed):
    ran = ran_on(folder, seed=seed, spread=1)
    assert ran.outcome.verdict == "PASS", ran.reason
    assert ran.truth["outlet[1].state"] == 0


def test_it_is_short_and_needs_no_python():
    assert len(PLAN.read_text().splitlines()) <= 150


@pytest.mark.parametrize("seed", [201, 202, 203])
def test_good_supplies_pass(seed, tmp_path):
    passes(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 31))
def test_thirty_good_supplies_pass(seed, tmp_path):
    passes(tmp_path, seed)


@pytest.mark.parametrize(
    ("fault", "verdict", "told"),
    [
        ("insulation_weak:1=0.05", "FAIL", "leakage: 4.2"),
        ("insulation_weak:1=0.001", "FAIL", "withstand: tester.result is high, must be passed"),
        ("insulation_weak:1=0.00001", "FAIL", "withstand: tester.result is high, must be passed"),
        ("device_silent:tester", "ERROR", "tester"),
        ("holdup_weak:1=0.8", "FAIL", "a cycle of 50 Hz: lowest bus voltage"),
        ("holdup_weak:1=0.6", "FAIL", "a cycle of 60 Hz: lowest bus voltage"),
        ("sensor_offset:psu.input_power=200", "FAIL", "input power: difference: 3.7"),
        ("sensor_offset:psu.output_voltage=1.5", "FAIL", "output voltage: difference: 3.0"),
        ("sensor_offset:meter.power=200", "ERROR", "source.power differs from meter.power by -3.5"),
        ("sensor_offset:psu.outlet_temperature=30", "FAIL", "outlet air"),
        ("psu_fail:1", "FAIL", "output comes up"),
        ("outlet_stuck:1", "ERROR", "source"),
    ],
)
def test_each_fault_is_told_as_whose_it_is(fault, verdict, told, tmp_path):
    ran = ran_on(tmp_path, fault)
    assert ran.outcome.verdict == verdict, ran.reason
    assert told in ran.reason


@pytest.mark.parametrize("seed", [11, 12, 13])
@pytest.mark.parametrize("fault", ["holdup_weak:1=0.5", "insulation_weak:1=0.05"])
def test_a_weak_supply_is_found_among_others_that_differ(fault, seed, tmp_path):
    ran = ran_on(tmp_path, fault, seed=seed, spread=1)
    assert ran.outcome.verdict == "FAIL", ran.reason
    assert ("lowest bus voltage" if fault.startswith("holdup") else "leakage") in ran.reason


def test_high_voltage_and_mains_are_never_on_together(tmp_path):
    seen = set()

    async def beside(_, simulation):
        while True:
            seen.add((simulation.plant.truth("hipot.running"), simulation.plant.truth("outlet[1].state")))
            await asyncio.sleep(0.05)

    ran = run_plan(PLAN, tmp_path, station=STATION, during=beside)
    assert ran.outcome.verdict == "PASS", ran.reason
    assert seen == {(0, 0), (1, 0), (0, 1)}


def test_a_trip_takes_the_high_voltage_away(tmp_path):
    """A thermometer goes wild in the middle of the test: left to end by itself, that would be judged as passed."""
    ran = ran_on(tmp_path, "sensor_offset:shelf[1].outlet_temperature=60@0.2s")
    assert ran.outcome.verdict == "TRIPPED", ran.reason
    assert (ran.truth["hipot.running"], ran.truth["hipot.result"]) == (0, 112)


def test_the_truth_of_the_hold_up(tmp_path):
    """The bus of a good supply never fell below what it has at full load; a weak one's did."""
    lowest = {}

    def looking(name):
        async def beside(state, simulation):
            while not state.running or not state.running.title.startswith("a cycle of 50"):
                await asyncio.sleep(0.2)
            while state.running and state.running.title.startswith("a cycle of 50"):
                lowest[name] = min(lowest.get(name, 99.0), simulation.plant.truth("bus.recent_min"))
                await asyncio.sleep(0.2)

        return beside

    run_plan(PLAN, tmp_path, station=STATION, during=looking("good"))
    run_plan(PLAN, tmp_path, station=STATION, faults=["holdup_weak:1=0.8"], during=looking("weak"))
    assert lowest["good"] > 49.4
    assert lowest["weak"] < 40
