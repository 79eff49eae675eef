"""The coolant of a full rack does not hang on one instrument: flow, pressure drop and flow for the power trip alone.

Judged by the truth of the simulation: when power was really off, and how hot the plates really got.
"""

from __future__ import annotations

import asyncio

import pytest

from harness.limits.verdict import Verdict
from tests.plan_runs import STATION, run_plan, write_plan

AT = 60.0
PLAN = """\
- {step: hold, name: calm, for: 15 s}
- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}
- {step: set, name: full, control: rack.level, to: 100 %}
- {step: hold, name: load, for: 120 s}
"""
GUARDS = ("no flow", "no pressure drop", "too little flow for the power")


class Watch:
    """The truth, ten times a second: the hottest plate, and when power went off after it was on."""

    def __init__(self) -> None:
        self.plate = 0.0
        self.off_at = float("nan")
        self.was_on = False

    async def follow(self, _runner, simulation) -> None:
        begun = asyncio.get_running_loop().time()
        while True:
            truth = simulation.truth()
            self.plate = max(self.plate, truth["plate.temperature"])
            is_on = any(truth[f"outlet[{k}].state"] for k in range(1, 9))
            if self.was_on and not is_on and self.off_at != self.off_at:
                self.off_at = asyncio.get_running_loop().time() - begun
            self.was_on |= is_on
            await asyncio.sleep(0.1)


def under_load(folder, faults, station=STATION):
    """A rack at full load, and what happens to it."""
    watch = Watch()
    ran = run_plan(write_plan(folder, PLAN), folder / "data", faults=faults, station=station, during=watch.follow)
    return ran, watch


TRIPS = {
    "both pumps": ["both_pumps_stop@60s"],
    "both pumps, flow meter stuck": ["sensor_stuck:loop.flow@59s", "both_pumps_stop@60s"],
    "both pumps, power meter frozen before power came on": ["meter_frozen@0.5s", "both_pumps_stop@60s"],
    "55 L/min": ["filter_clog:30@60s"],
    "40 L/min": ["filter_clog:60@60s"],
    "31 L/min": ["filter_clog:100@60s"],
    "22 L/min": ["filter_clog:200@60s"],
}


@pytest.mark.parametrize("what", list(TRIPS))
def test_a_rack_that_loses_its_coolant_is_off_before_it_is_hot(tmp_path, what):
    ran, watch = under_load(tmp_path, TRIPS[what])
    found_before = "frozen before" in what  # a guard that has lost its sight ends the run before the coolant goes
    assert ran.outcome.verdict is (Verdict.ERROR if found_before else Verdict.TRIPPED), ran.reason
    assert ran.outcome.is_safe
    assert ran.on == []
    assert watch.off_at - AT < 7.0
    assert watch.plate < 65.0


@pytest.mark.parametrize("fault", ["pump_stop:1", "filter_clog:4", "air_in_loop:1"])
def test_what_the_loop_can_bear_trips_nothing(tmp_path, fault):
    ran, watch = under_load(tmp_path, [f"{fault}@60s"])
    assert ran.texts("stop") == []
    assert watch.plate < 55.0
    assert ran.outcome.verdict is not Verdict.TRIPPED


@pytest.mark.parametrize("alone", GUARDS)
def test_each_of_the_three_trips_alone(tmp_path, alone):
    others = [f"  - {{name: {name}," for name in GUARDS if name != alone]
    lines = STATION.read_text().splitlines()
    kept = [line for line in lines if not any(line.startswith(other) for other in others)]
    assert len(lines) - len(kept) == 2
    text = "\n".join(kept)
    if alone == "no pressure drop":  # no flow or level is watched then
        text = text.replace("unguarded:\n", "unguarded:\n  coolant: for a trial\n")
    (tmp_path / "station.yaml").write_text(text)
    ran, watch = under_load(tmp_path, ["both_pumps_stop@60s"], tmp_path / "station.yaml")
    assert f"interlock {alone!r}" in ran.reason
    assert (ran.exit_code, ran.on) == (4, [])
    assert watch.plate < 75.0


def test_a_flow_meter_that_shows_nothing_trips_too(tmp_path):
    ran, _ = under_load(tmp_path, ["flow_meter_zero@60s"])
    assert (ran.exit_code, ran.on) == (4, [])
