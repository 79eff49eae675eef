"""A signal or control that the device lacks has one answer, before anything is energised, whatever names it."""

from __future__ import annotations

import pytest

from harness.limits.verdict import Verdict
from tests.plan_runs import STATION, run_plan, write_plan

POWER = '- {step: power_on, outlets: "pdu.outlet[1]"}\n'
PORT = '"switch.port[100]'
STEPS = {
    "measure": f'{{step: measure, name: it, signal: {PORT}.fcs_errors", over: 2 s, limit: {{max: 0}}}}',
    "watch": f'{{step: hold, name: it, for: 2 s, watch: [{{signal: {PORT}.state", equals: up}}]}}',
    "soak": f'{{step: soak, name: it, for: 5 s, watch: [{{signal: {PORT}.state", equals: up}}]}}',
    "deltas": f'{{step: soak, name: it, for: 5 s, deltas: [{{signal: {PORT}.fcs_errors", limit: {{max: 1}}}}]}}',
    "restart_on": f'{{step: soak, name: it, for: 5 s, restart_on: [{PORT}.fcs_errors"]}}',
    "wait_until": f'{{step: wait_until, name: it, signal: {PORT}.state", equals: up, within: 5 s}}',
    "settle": f'{{step: settle, name: it, signal: {PORT}.rx_power", slope: 60 dB/min, over: 2 s, within: 5 s}}',
    "texts": f'{{step: check, name: it, texts: {{{PORT}.neighbor": x}}}}',
    "conditions": f'{{step: check, name: it, conditions: [{{signal: {PORT}.state", equals: up}}]}}',
}
JUDGED = "- {step: measure, name: flow, signal: cdu.flow, over: 2 s, limit: {min: 100 L/min}}\n"


@pytest.mark.parametrize("kind", STEPS)
def test_what_the_device_lacks_is_one_error_before_anything_is_energised(kind, tmp_path):
    step = STEPS[kind]
    ran = run_plan(write_plan(tmp_path, f"{POWER}- {step}\n{JUDGED}"), tmp_path)
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.ERROR, 3), ran.reason
    assert "step 'it' needs switch.port[100]." in ran.reason
    assert "which the device does not have" in ran.reason
    assert ran.texts("bug") == []
    assert not any("outlet[1] on" in text for text in ran.texts("intent"))
    assert all(step.verdict is Verdict.SKIPPED for step in ran.outcome.result.steps)


def test_a_bank_stands_for_the_rows_that_there_are(tmp_path):
    steps = "- {step: check, name: it, conditions: [{signal: switch.port.speed, min: 1 Mb/s}], within: 5 s}\n"
    ran = run_plan(write_plan(tmp_path, steps), tmp_path)
    assert ran.outcome.verdict in (Verdict.PASS, Verdict.FAIL), ran.reason


LACKING = '"pdu.phase[5].'
IN_STATION = {
    "safe state 'end'": ("{signal: cdu.delta_temperature, max: 3 K}", f'{{signal: {LACKING}current", max: 3 A}}'),
    "safe state 'default'": ("{signal: pdu.power, max: 500 W}", f'{{signal: {LACKING}current", max: 3 A}}'),
    "moves_with of pdu.power": ("signal: shelf1.output_power", f'signal: {LACKING}power"'),
}


@pytest.mark.parametrize("who", IN_STATION)
def test_what_the_safe_state_is_confirmed_by_must_be_there_too(who, tmp_path):
    station = tmp_path / "station.yaml"
    station.write_text(STATION.read_text().replace(*IN_STATION[who]))
    ran = run_plan(write_plan(tmp_path, f"{POWER}{JUDGED}"), tmp_path, station=station)
    confirmed = 5 if "default" in who else 3  # what cannot be read confirms nothing, though nothing was energised
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.ERROR, confirmed), ran.reason
    assert f"{who} needs pdu.phase[5]." in ran.reason
    assert not any("outlet[1] on" in text for text in ran.texts("intent"))
