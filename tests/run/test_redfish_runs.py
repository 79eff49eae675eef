"""Runs with devices that are read over Redfish: recorded like others, watched by interlocks, lost and found again."""

from __future__ import annotations

import pytest

from harness.limits.verdict import Verdict
from tests.plan_runs import STATION, VIRTUAL, run_plan, write_plan

SEEN = "redfish://127.0.0.1:18000"
PLAN = """
  - step: power_on
    outlets: pdu.outlet
    stagger: 1 s
  - step: set
    control: rack.level
    to: 50 %
  - step: hold
    for: 2 min
  - step: measure
    name: flow by Redfish
    signal: seen.flow
    over: 20 s
    statistic: mean
    limit: {min: 20 L/min, max: 3000 L/min}
  - step: measure
    name: flow by Modbus
    signal: cdu.flow
    over: 20 s
    statistic: mean
    limit: {min: 20 L/min, max: 3000 L/min}
  - step: measure
    name: outlets together
    signal: meter.outlet_power
    over: 60 s
    statistic: mean
    limit: {min: 10 kW, max: 200 kW}
"""


def station_with_redfish(folder, leak="cdu.leak"):
    """The simulated station, its coolant unit and PDU read once more over Redfish; `leak` is what is watched."""
    text = STATION.read_text()
    lines = f'  seen:   {{profile: cdu/redfish_cdu, address: "{SEEN}", needed: monitor}}\n'
    lines += f'  meter:  {{profile: pdu/redfish_pdu, address: "{SEEN}", needed: monitor}}\n'
    assert text.count("devices:\n") == 1
    assert "signal: cdu.leak, equals: dry" in text
    path = folder / "station.yaml"
    text = text.replace("devices:\n", f"devices:\n{lines}").replace(
        "signal: cdu.leak, equals", f"signal: {leak}, equals"
    )
    path.write_text(text)
    return path


@pytest.mark.parametrize("rate", [VIRTUAL, 5.0], ids=["virtual", "sockets"])
def test_a_run_measures_over_redfish(rate, tmp_path):
    short = PLAN.replace("2 min", "15 s").replace("over: 20 s", "over: 5 s").replace("over: 60 s", "over: 15 s")
    plan = PLAN if rate == VIRTUAL else short
    ran = run_plan(write_plan(tmp_path, plan), tmp_path, station=station_with_redfish(tmp_path), rate=rate)
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    seen, cdu = (ran.step(f"flow by {how}").measurements[0].value for how in ("Redfish", "Modbus"))
    assert seen == pytest.approx(cdu, rel=0.03)
    assert ran.on == []


def test_a_leak_that_only_redfish_sees_trips(tmp_path):
    station = station_with_redfish(tmp_path, leak="seen.leak")
    ran = run_plan(write_plan(tmp_path, PLAN), tmp_path, station=station, faults=["leak:rack@90s"])
    assert ran.outcome.verdict is Verdict.TRIPPED, ran.reason
    assert "leak" in ran.reason
    assert ran.on == []


@pytest.mark.parametrize(("back", "verdict"), [("64s", Verdict.PASS), ("90s", Verdict.INCONCLUSIVE)])
def test_a_silent_service_that_is_only_watched_leaves_a_gap(back, verdict, tmp_path):
    """A short one is recorded and forgiven, one beyond the plan's coverage is never a PASS."""
    faults = ["device_silent:meter@60s", f"device_heal:meter@{back}"]
    plan = write_plan(tmp_path, PLAN.partition("  - step: measure\n    name: flow by Modbus")[0])
    ran = run_plan(plan, tmp_path, station=station_with_redfish(tmp_path), faults=faults)
    assert ran.outcome.verdict is verdict, ran.reason
    assert ran.on == []


def test_silence_of_a_watched_leak_detector_is_bad(tmp_path):
    station = station_with_redfish(tmp_path, leak="seen.leak")
    ran = run_plan(write_plan(tmp_path, PLAN), tmp_path, station=station, faults=["device_silent:seen@90s"])
    assert ran.outcome.verdict in (Verdict.TRIPPED, Verdict.ERROR), ran.reason
    assert ran.on == []
