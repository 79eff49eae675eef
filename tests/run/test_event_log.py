"""The black box of the pumping unit, and counters: exactly what was provoked, cleared only when saved and good."""

from __future__ import annotations

import pytest

from tests.plan_runs import STATION, run_plan, write_plan

LOOK = "  - {step: event_log, name: before, log: [cdu.leak_log.state]}\n"
WAIT = "  - {step: hold, name: leak, for: 40 s}\n"
AFTER = """
  - step: event_log
    name: after
    log: [cdu.leak_log.state]
    words: {"cdu.leak_log[9].state": [leak]}
    clear: cdu.leak_log
"""
AGAIN = "  - {step: event_log, name: again, log: [cdu.leak_log.state]}\n"
BAD = "  - {step: measure, name: bad, signal: cdu.flow, over: 2 s, limit: {max: 1 L/min}, on_fail: continue}\n"
GUARD = "- {name: leak, signal: cdu.leak, equals: dry, on_trip: leak}"


def station_without_leak_trip(folder):
    """A rehearsal of a leak must not trip: the interlock only tells."""
    text = STATION.read_text()
    assert GUARD in text
    text = text.replace(GUARD, "- {name: leak, signal: cdu.leak, equals: dry, action: warn}")
    path = folder / "station.yaml"
    path.write_text(text.replace("unguarded:\n", "unguarded:\n  leak: a rehearsal of leaks\n"))
    return path


def provoked(*, dried=True):
    """A leak of the rack from second 8 on; dried, and its sensor reset, 12 s later."""

    def during(_state, simulation):
        plant = simulation.plant

        def dry():
            plant.clear("leak")
            plant.command("leak.clear", 1.0)

        plant.inject("leak", "", plant.time + 8)
        if dried:
            plant.schedule(plant.time + 20, dry)

    return during


def leaked(folder, steps, **more):
    given = {"during": provoked(), "station": station_without_leak_trip(folder), **more}
    return run_plan(write_plan(folder, steps, given.pop("head", "")), folder / "data", **given)


def test_what_was_provoked_is_found_after_the_sensor_is_dry_again_saved_and_cleared(tmp_path):
    ran = leaked(tmp_path, LOOK + WAIT + AFTER + AGAIN)
    assert ran.exit_code == 0, ran.reason
    saved = {m.name: m.value for m in ran.step("after").measurements}
    assert saved["after: cdu.leak_log[9].state"] == 1
    assert sum(value for name, value in saved.items() if "leak_log" in name) == 1
    assert ran.truth["leak_log[9]"] == 0
    kinds = [event.kind for event in ran.events if event.data.get("step") == "after" or event.kind == "intent"]
    assert kinds.index("intent") > max(k for k, kind in enumerate(kinds) if kind == "measurement")


def test_a_log_may_be_cleared_before_the_test_provokes(tmp_path):
    """What comes into a log that this run has cleared is no undoing of what it did."""
    ran = leaked(tmp_path, LOOK.replace("}\n", ", clear: cdu.leak_log}\n") + WAIT + AFTER)
    assert ran.exit_code == 0, ran.reason


def test_what_comes_after_a_clearing_is_not_undone_at_the_end_of_the_run(tmp_path):
    ran = leaked(tmp_path, LOOK.replace("}\n", ", clear: cdu.leak_log}\n") + WAIT)
    assert ran.exit_code == 0, ran.reason
    assert ran.later["leak_log[9]"] == 1


def test_what_nobody_provoked_fails_and_stays_in_the_log(tmp_path):
    ran = leaked(tmp_path, WAIT + AFTER.replace('    words: {"cdu.leak_log[9].state": [leak]}\n', ""))
    assert ran.exit_code == 1
    assert "not provoked: cdu.leak_log[9].state leak" in ran.reason
    assert ran.truth["leak_log[9]"] == 1


def test_what_is_missing_fails(tmp_path):
    ran = leaked(tmp_path, AFTER, during=None)
    assert ran.exit_code == 1
    assert "missing: cdu.leak_log[9].state leak" in ran.reason


def test_after_a_fail_the_log_is_judged_and_saved_but_not_cleared(tmp_path):
    ran = leaked(tmp_path, WAIT + BAD + AFTER)
    assert ran.exit_code == 1
    assert ran.step("after").verdict == "PASS"
    assert "the log is not cleared: bad: FAIL" in ran.texts("note")
    assert ran.truth["leak_log[9]"] == 1


def test_after_a_trip_the_log_is_not_cleared(tmp_path):
    head = "interlocks: [{name: own, signal: cdu.flow, max: 1 L/min, armed_in: [late]}]\ncleanup:\n" + AFTER
    ran = leaked(tmp_path, WAIT + "  - {step: hold, name: late, for: 20 s}\n", head=head)
    assert ran.exit_code == 4, ran.reason
    assert ran.step("after").verdict == "PASS"
    assert "the log is not cleared: late: TRIPPED" in ran.texts("note")
    assert ran.truth["leak_log[9]"] == 1


def test_an_alarm_that_stands_comes_back_and_that_is_told(tmp_path):
    ran = leaked(tmp_path, WAIT + AFTER, during=provoked(dried=False))
    assert ran.exit_code == 3, ran.reason
    assert "leak_log[9] was set to clear but is not confirmed" in ran.reason


COUNTED = """
  - {step: set, control: cdu.flow_setpoint, to: 172 L/min}
  - {step: wait_until, signal: cdu.flow, min: 160 L/min, within: 30 s}
  - {step: power_on, outlets: pdu.outlet, stagger: 500 ms}
  - {step: wait_until, signal: rack.running, equals: idle, within: 60 s}
  - {step: link_check, ports: switch.port, within: 30 s}
  - {step: event_log, name: before, log: [switch.port.flaps]}
  - {step: hold, name: rest, for: 60 s}
  - {step: event_log, name: after, log: [switch.port.flaps], since: before, counts: {"switch.port[3].flaps": 1}}
"""


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (["link_down:3@50s"], ""),
        ([], "missing: switch.port[3].flaps (0, provoked 1)"),
        (["link_down:3@50s", "link_down:4@50s"], "not provoked: switch.port[4].flaps (1, provoked 0)"),
    ],
)
def test_counters_count_from_an_earlier_look(tmp_path, faults, said):
    station = tmp_path / "station.yaml"
    station.write_text(STATION.read_text().replace("switch/generic,", "switch/arista_eos,"))
    ran = run_plan(write_plan(tmp_path, COUNTED), tmp_path / "data", faults=faults, station=station)
    assert ran.exit_code == (1 if said else 0), ran.reason
    assert said in ran.reason
