"""Sensors that freeze on the simulated station: what is found and how soon, what never is, what becomes of the rack."""

from __future__ import annotations

import asyncio

import pytest

from tests.freezing import START, STATION, watch_rack
from tests.plan_runs import PLANS, run_plan, write_plan

LOADED = (*START, (100.0, "load", 30.0), (102.0, "load", 60.0), (105.0, "load", 100.0))
STEP = (*LOADED, (200.0, "load", 80.0))
"""A load step of 20 % at 200 s."""
FOUND = {
    # fault: (signal, {when it freezes: found within s})
    "sensor_stuck:loop.flow": ("cdu.flow", {60: 15, 102: 15, 150: 15}),
    "sensor_stuck:pdu.power": ("pdu.power", {5: 30, 60: 15, 102: 15, 150: 15}),
    "meter_frozen": ("pdu.power", {5: 30, 60: 15, 102: 15, 150: 15}),
    "sensor_stuck:loop.supply_pressure": ("cdu.supply_pressure", {60: 20, 102: 20, 150: 20}),
    "sensor_stuck:loop.return_pressure": ("cdu.return_pressure", {60: 20, 102: 20, 150: 20}),
    "sensor_stuck:loop.return_temperature": ("cdu.return_temperature", {102: 60}),
}
"""At 5 s nothing is on; at 60 s the rack idles; at 102 s it ramps up; from 130 s it is at full load."""


@pytest.mark.parametrize("fault", list(FOUND))
def test_what_is_found_and_how_soon(fault):
    signal, cases = FOUND[fault]
    for at, within in cases.items():
        seen = watch_rack(at + within + 20, LOADED, [f"{fault}@{at}s"])
        assert at < seen.found(signal) <= at + within, (at, seen.reported)


def test_a_thermometer_is_found_by_a_load_step_and_not_before():
    """At steady load it stands still within its resolution, which is GOOD; 20 % less load must move it within 45 s."""
    seen = watch_rack(250, STEP, ["sensor_stuck:loop.return_temperature@175s"])
    assert 200 < seen.found("cdu.return_temperature") <= 245, seen.reported


def test_the_supply_thermometer_is_found_by_the_thermocouple_beside_it():
    """It is regulated to stand still: only what moves the supply itself gives it away, here the whole load."""
    seen = watch_rack(200, LOADED, ["sensor_stuck:loop.supply_temperature@95s"])
    assert 100 < seen.found("cdu.supply_temperature") <= 160, seen.reported


STEPS = """
  - {step: power_on, outlets: pdu.outlet, stagger: 500 ms}
  - {step: wait_until, signal: rack.running, equals: idle, within: 20 s}
  - {step: set, control: rack.level, to: 100 %}
  - {step: hold, for: 200 s}
"""


@pytest.mark.parametrize(
    "faults",
    [
        ["sensor_stuck:loop.flow@60s", "both_pumps_stop@70s"],
        ["sensor_stuck:loop.flow@60s", "both_pumps_stop@60s"],
        ["sensor_stuck:cdu.flow=172@60s", "both_pumps_stop@61s"],
        ["meter_frozen@0.5s", "both_pumps_stop@70s"],
    ],
    ids=str,
)
@pytest.mark.parametrize("guards", ["all", "flow alone"])
def test_a_stuck_flow_meter_does_not_cook_the_rack(tmp_path, faults, guards):
    """Power is off before the plate reaches 75 degC, judged by the truth; also where flow is the only guard of it."""
    plates: list[float] = []

    async def look(_runner, simulation):
        while True:
            await asyncio.sleep(0.5)
            plates.append(simulation.truth()["plate.temperature"])

    ran = run_plan(write_plan(tmp_path, STEPS), tmp_path, faults=faults, during=look, **_station(tmp_path, guards))
    assert ran.exit_code in (3, 4), ran.reason
    assert ran.outcome.is_safe
    assert ran.on == []
    assert 40 < max(plates) < 75


FROM_THE_START = ["sensor_stuck:loop.flow@0s", "values_frozen:cdu@0.1s", "values_frozen:cdu@1s", "values_frozen:cdu@3s"]


@pytest.mark.parametrize("fault", FROM_THE_START)
@pytest.mark.parametrize("plan", ["smoke", "long"])
def test_what_was_frozen_before_the_run_began_is_no_pass(tmp_path, fault, plan):
    """A meter that has never been seen to move guards nothing: the run does not begin, or ends."""
    plates: list[float] = []

    async def look(_runner, simulation):
        while True:
            await asyncio.sleep(0.5)
            plates.append(simulation.truth()["plate.temperature"])

    path = PLANS / "smoke.yaml" if plan == "smoke" else write_plan(tmp_path, STEPS)
    ran = run_plan(path, tmp_path, faults=[fault, "both_pumps_stop@20s"], during=look)
    assert ran.exit_code in (3, 4), ran.reason
    assert ran.outcome.is_safe
    assert ran.on == []
    assert max(plates) < 75


def _station(folder, guards):
    if guards == "all":
        return {}
    lines = STATION.read_text().splitlines()
    kept = [line for line in lines if not any(f"name: {name}" in line for name in OTHERS)]
    assert len(kept) == len(lines) - len(OTHERS)
    path = folder / "station.yaml"
    path.write_text("\n".join(kept) + "\n")
    return {"station": path}


OTHERS = ("no pressure drop", "too little flow")


def test_a_measurement_of_a_frozen_value_is_inconclusive_and_says_why(tmp_path):
    """The filter's pressure drop guards nothing: no interlock ends the run, but its measurement proves nothing."""
    steps = """
  - {step: hold, for: 60 s}
  - {step: measure, signal: cdu.filter_pressure_drop, over: 10 s, limit: {max: 30 kPa}}
"""
    ran = run_plan(write_plan(tmp_path, steps), tmp_path, faults=["sensor_stuck:filter.differential_pressure@20s"])
    assert ran.exit_code == 7, ran.reason
    assert "stood still" in ran.reason
    assert any("cdu.filter_pressure_drop is frozen" in text for text in ran.texts("frozen"))


MEASURED = """
  - {step: power_on, outlets: pdu.outlet, stagger: 100 ms}
  - {step: wait_until, signal: rack.running, equals: idle, within: 20 s}
  - {step: hold, for: 60 s}
  - {step: measure, signal: SIGNAL, over: 4 s, limit: {max: MOST}}
"""


@pytest.mark.parametrize("fault", ["values_frozen", "device_frozen", "sensor_stuck"])
@pytest.mark.parametrize("what", ["output_power 8000 W", "input_power 8000 W", "input_current 60 A"])
def test_a_shelf_that_stands_still_is_measured_by_nobody(what, fault, tmp_path):
    name, most = what.split(maxsplit=1)
    plan = MEASURED.replace("SIGNAL", f"shelf1.{name}").replace("MOST", most)
    fault = f"sensor_stuck:shelf1.{name}@40s" if fault == "sensor_stuck" else f"{fault}:shelf1@40s"
    ran = run_plan(write_plan(tmp_path, plan), tmp_path, faults=[fault])
    assert ran.outcome.verdict.name == "INCONCLUSIVE", ran.reason


def test_a_controller_that_hangs_is_found_by_its_heartbeat_whatever_noise_is_known(tmp_path):
    plan = MEASURED.replace("SIGNAL", "rack.utilisation").replace("MOST", "100 %")
    ran = run_plan(write_plan(tmp_path, plan), tmp_path, faults=["device_frozen:rack@40s"])
    assert ran.outcome.verdict.name == "INCONCLUSIVE", ran.reason
    assert "rack.uptime" in str(ran.events) or "uptime has stood still" in ran.reason
