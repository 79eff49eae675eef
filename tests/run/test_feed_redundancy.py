"""`psu_redundancy` of a whole feed: outlets of one PDU, with the rack on the other; judged by the simulator's truth."""

from __future__ import annotations

import asyncio

from tests.plan_runs import PLANS, run_plan, write_plan

STATION = PLANS / "stations" / "feeds_and_batteries.yaml"
STEPS = """\
- {step: wait_until, name: flow, signal: cdu.flow, min: 150 L/min, within: 30 s}
- {step: power_on, name: a, outlets: pdu_a.outlet, stagger: 500 ms}
- {step: power_on, name: b, outlets: pdu_b.outlet, stagger: 500 ms}
- {step: wait_until, name: up, signal: rack.running, equals: idle, within: 60 s}
- {step: set, name: load, control: rack.level, to: LOAD}
- {step: hold, name: settled, for: 65 s}
- step: psu_redundancy
  name: feed A away
  take: pdu_a.outlet
  lowest: shelf1.bus_voltage_recent_min
  bus: {min: 48.6 V, max: 51 V}
  lasts: 50 s
  watch: [{signal: rack.utilisation, min: 50 %, for: 3 s}]
"""


def played(folder, load, *faults):
    seen = []

    async def beside(state, simulation):
        while True:
            await asyncio.sleep(0.5)
            truth = simulation.plant.truth
            closed = sum(truth(f"pdu_a.outlet[{k}].state") for k in range(1, 9))
            title = state.running.title if state.running else ""
            seen.append((title, closed, truth("bus.voltage"), truth("battery[1].discharging")))

    path = write_plan(folder, STEPS.replace("LOAD", load))
    ran = run_plan(path, folder, station=STATION, faults=faults, during=beside)
    return ran, [each[1:] for each in seen if each[0] == "feed A away"]


def test_the_other_feed_carries_all_of_the_load_and_the_first_is_given_back(tmp_path):
    ran, seen = played(tmp_path, "100 %")
    assert ran.outcome.verdict == "PASS", ran.reason
    assert {closed for closed, _, _ in seen} == set(range(9)), "all at once off, one after the other on"
    assert seen[-1][0] == 8
    assert min(volts for _, volts, _ in seen) > 49.4
    assert not any(discharging for *_, discharging in seen)


def test_a_feed_that_is_too_weak_is_no_pass_though_batteries_hide_it(tmp_path):
    """Three of the other feed's 24 supplies are broken: the rest switch off for overload, and batteries take over."""
    ran, seen = played(tmp_path, "100 %", "psu_fail:1.4", "psu_fail:1.5", "psu_fail:1.6")
    assert any(discharging for *_, discharging in seen)
    assert ran.outcome.verdict == "ERROR", ran.reason  # all that the run had switched on carries nothing any more
    assert "nothing flows" in ran.reason
    assert ran.on == []
