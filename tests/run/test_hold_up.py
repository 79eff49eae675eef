"""`hold_up` where a command gives the mains back: the time is what a device shows, judged by the simulator's truth."""

from __future__ import annotations

import asyncio

import pytest

from harness.api import ProblemsError
from tests.plan_runs import PLANS, run_plan, write_plan

STATION = PLANS / "stations" / "power.yaml"
STEPS = """\
- {step: wait_until, name: flow, signal: cdu.flow, min: 150 L/min, within: 30 s}
- {step: power_on, name: on, outlets: pdu.outlet, stagger: 500 ms}
- {step: wait_until, name: up, signal: rack.running, equals: idle, within: 20 s}
- {step: set, name: load, control: rack.level, to: 100 %}
- {step: hold, name: settled, for: 40 s}
- step: hold_up
  name: held
  loss: shelf3.ac_loss_test
  to: "on"
  back: "off"
  away: {signal: shelf3.input_voltage, max: 90 V}
  lasts: 10 s
  time: {min: 8 s}
  lowest: shelf1.bus_voltage_recent_min
  bus: {min: 48.5 V, max: 51 V}
  load: meter.power
  least: 50 kW
"""


def played(folder, *changes, faults=(), during=None):
    text = STEPS
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return run_plan(write_plan(folder, text), folder, station=STATION, faults=faults, during=during)


def time_without(ran):
    return next(one for one in ran.step("held").measurements if one.name == "held: time without mains")


def test_the_time_is_what_a_device_shows_and_never_more_than_it_was(tmp_path):
    away = []

    async def beside(_, simulation):
        while True:
            await asyncio.sleep(0.1)
            away.append(simulation.plant.truth("shelf[3].psu[1].input_voltage") == 0)

    ran = played(tmp_path, during=beside)
    assert ran.outcome.verdict == "PASS", ran.reason
    last_before_power = away.index(False)  # from here on the outlets are on
    began = away.index(True, last_before_power)
    was = 0.1 * (away.index(False, began) - began)
    assert was - 2 <= time_without(ran).value <= was
    assert was == pytest.approx(10, abs=0.3)


@pytest.mark.parametrize("shelf", ["shelf3", "shelf2"])
def test_mains_that_never_were_away_prove_nothing(shelf, tmp_path):
    """The meter stands still, or is that of another shelf: what was commanded is no proof."""
    faults = ["sensor_stuck:shelf[3].psu[1].input_voltage=240@60s"] if shelf == "shelf3" else []
    ran = played(tmp_path, ("shelf3.input_voltage", f"{shelf}.input_voltage"), faults=faults)
    assert ran.outcome.verdict == "INCONCLUSIVE", ran.reason
    assert time_without(ran).value is None
    assert any("nothing shows that the mains were away" in text for text in ran.texts("note"))


def test_what_shows_mains_away_before_they_are_taken_is_refused(tmp_path):
    """`equals: pfc` of flags means only these: it holds of none, too."""
    ran = played(tmp_path, ("{signal: shelf3.input_voltage, max: 90 V}", "{signal: shelf3.alarms, equals: pfc}"))
    assert ran.outcome.verdict == "ERROR"
    assert "it does not show when the mains are away" in ran.reason
    assert not any("ac_loss_test" in text for text in ran.texts("intent"))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("  away: {signal: shelf3.input_voltage, max: 90 V}\n", "", "say what shows that the mains are away"),
        ("max: 90 V}", "max: 90 V, for: 2 s}", "leave `for` out"),
        ("max: 90 V}", "max: 90 A}", "V"),
        ("signal: shelf3.input_voltage, max: 90 V", "signal: meter.phase.voltage, max: 90 V", "name one"),
        ("{min: 8 s}", "{min: 9 s}", "10 s without mains need not show as 9 s"),
        ('  back: "off"\n', "", "say what gives the mains back"),
    ],
)
def test_bad_input_is_refused(old, new, told, tmp_path):
    with pytest.raises(ProblemsError, match=told):
        played(tmp_path, (old, new))


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("    lasts: 6 s\n    away: {signal: psu.input_voltage, max: 90 V}\n", "back before a device shows it"),
        ("    lasts: 1 s\n", "1 s are too short: load.current is read every 1 s"),
    ],
)
def test_bad_input_of_a_source_that_drops_out_is_refused(new, told, tmp_path):
    plan = (PLANS / "psu_acceptance.yaml").read_text()
    path = tmp_path / "plan.yaml"
    (tmp_path / "limits").mkdir()
    (tmp_path / "limits" / "power.yaml").write_text((PLANS / "limits" / "power.yaml").read_text())
    path.write_text(plan.replace("    lasts: 6 s\n", new, 1))
    with pytest.raises(ProblemsError, match=told):
        run_plan(path, tmp_path, station=PLANS / "stations" / "psu_bench.yaml")
