"""The plans that ship, healthy and with every fault: verdict, exit code, what is named, outlets in the truth."""

from __future__ import annotations

import pytest

from harness.limits.verdict import Verdict
from harness.record.verification import verify
from tests.plan_runs import PLANS, run_plan

ACCEPTANCE = PLANS / "acceptance.yaml"

FAULTS = [
    # fault, exit code, what the reason must name
    ("filter_clog", 1, ["coolant flows", "cdu.flow"]),
    ("filter_clog@300s", 1, ["soak at full load", "cdu.flow"]),
    ("flow_meter_zero", 3, ["coolant flows", "cdu.flow cannot be read: STALE"]),
    ("flow_meter_zero@312s", 4, ["no flow", "cdu.flow is 0"]),
    ("sensor_offset:cdu.supply_temperature=8", 3, ["zero of the thermometers", "less cdu.return_temperature: 8."]),
    ("sensor_offset:cdu.supply_temperature=6@290s", 1, ["supply temperature", "40.9"]),
    ("sensor_offset:cdu.return_temperature=-4", 3, ["zero of the thermometers", "less cdu.return_temperature: 4."]),
    ("sensor_offset:cdu.return_temperature=-4@290s", 1, ["temperature rise", "limit 7 to 13 K"]),
    ("sensor_offset:cdu.supply_pressure=30", 3, ["zero of the pressures", "less cdu.return_pressure: 29."]),
    ("sensor_offset:cdu.supply_pressure=30@70s", 1, ["flow curve: at 172 L/min, 35 degC"]),
    ("sensor_stuck:cdu.return_temperature", 3, ["return too hot", "stood still at"]),
    ("sensor_stuck:shelf1.output_voltage=47", 1, ["bus voltage under load", "47"]),
    ("sensor_nan:cdu.supply_temperature@305s", 3, ["supply too hot", "cdu.supply_temperature"]),
    ("pump_stop:2", 1, ["pumps", "cdu.pump[2].rpm"]),
    ("pump_stop:1@305s", 1, ["nothing leaks, nothing alarms", "cdu.pump[1].rpm"]),
    ("both_pumps_stop", 1, ["coolant flows"]),
    ("both_pumps_stop@312s", 4, ["interlock 'no pressure drop'", "cdu.differential_pressure"]),
    ("leak", 4, ["leak", "wet"]),
    ("leak@300s", 4, ["leak", "wet"]),
    ("outlet_stuck:3", 3, ["power on", "outlet[3]"]),
    ("psu_fail:1", 1, ["power shelf is healthy", "dcdc_failure"]),
    ("device_silent:cdu@10s", 3, ["cdu"]),
    ("device_silent:cdu@305s", 3, ["cdu"]),
    ("device_silent:switch@30s", 3, ["switch.port[1].state", "cannot be read"]),
    ("device_silent:rack@305s", 3, ["rack"]),
    ("device_slow:cdu", 3, ["cdu"]),
    ("device_slow:cdu=0.2s", 7, ["zero of the pressures", "of the samples were good"]),
    ("device_refuses:shelf1", 3, ["shelf1"]),
    ("wrong_model:pdu", 3, ["pdu", "ANOTHER MODEL"]),
    ("link_down:5", 1, ["links are up", "switch.port[5].state is down"]),
    ("link_down:7@500s", 1, ["nothing leaks, nothing alarms", "switch.port[7].state is down"]),
    ("speed_down:9", 1, ["links are up", "switch.port[9].speed"]),
    (
        "lldp_swapped:3-4",
        1,
        ["wiring: swapped: switch.port[3] sees tray-04:eth0", "switch.port[4] sees tray-03"],
    ),
    ("phase_loss:2@290s", 3, ["pdu.phase[2].current", "this run had set to on"]),
]


def test_a_healthy_rack_passes_with_margin_and_the_record_proves_it(tmp_path):
    ran = run_plan(ACCEPTANCE, tmp_path)
    result = ran.outcome.result
    assert (ran.exit_code, result.verdict) == (0, Verdict.PASS), ran.reason
    assert ran.on == []
    assert result.safe_state.confirmed
    assert result.duration_s <= 600, "zeros two and a half minutes, settling of a full load three"
    assert len([step for step in result.steps if step.verdict is Verdict.PASS]) >= 12
    measured = [m for step in result.steps for m in step.measurements]
    assert len(measured) >= 30
    for m in measured:
        assert m.verdict is Verdict.PASS
        if m.low is not None and m.high is not None and "number wrong" not in m.name:
            band = m.high - m.low
            assert m.margin > 0.05 * band, f"{m.name} passes by {m.margin:g} of {band:g} only"
        if m.limit:
            assert m.provenance.startswith(("nvl72 1.0: ", "base 1.0: ")), m.name
    assert verify(ran.outcome.folder) == []


@pytest.mark.parametrize("seed", [2, 3, 77])
def test_a_healthy_rack_passes_whatever_the_noise(tmp_path, seed):
    ran = run_plan(ACCEPTANCE, tmp_path, seed=seed)
    assert ran.exit_code == 0, ran.reason


@pytest.mark.parametrize(("fault", "code", "named"), FAULTS, ids=[fault for fault, *_ in FAULTS])
def test_a_fault_is_found_named_and_leaves_no_outlet_on(tmp_path, fault, code, named):
    ran = run_plan(ACCEPTANCE, tmp_path, faults=[fault])
    assert ran.exit_code == code, ran.reason
    for word in named:
        assert word in ran.reason
    assert ran.on == []
    assert ran.truth["plate.temperature"] < 75
    assert verify(ran.outcome.folder) == []
    expected = {1: Verdict.FAIL, 3: Verdict.ERROR, 4: Verdict.TRIPPED, 7: Verdict.INCONCLUSIVE}[code]
    assert ran.outcome.verdict is expected


def test_an_outlet_that_does_not_open_is_named_and_nothing_is_called_safe(tmp_path):
    ran = run_plan(ACCEPTANCE, tmp_path, faults=["outlet_stuck:3@290s"])
    assert ran.exit_code == 5
    assert ran.on == [3]
    assert any("outlet[3]" in text for text in ran.outcome.unsafe)
    assert ran.outcome.verdict is not Verdict.PASS
    assert not ran.outcome.result.safe_state.confirmed
    assert ran.later["pump[1].speed"] > 20, "coolant must go on while an outlet is on"


def test_a_pdu_that_falls_silent_under_load_is_not_called_safe(tmp_path):
    ran = run_plan(ACCEPTANCE, tmp_path, faults=["device_silent:pdu@305s"])
    assert ran.exit_code == 5
    assert ran.on == list(range(1, 9))
    assert "pdu" in ran.reason
    outlets = ", ".join(f"outlet[{n}]" for n in range(1, 9))
    assert ran.outcome.unsafe == [f"pdu.outlet off ({outlets}: no answer to the read-back)"], "one reason is said once"
    (action,) = [event.text for event in ran.outcome.result.events if "outlet off NOT confirmed" in event.text]
    assert action == f"pdu.outlet off NOT confirmed ({outlets}: no answer to the read-back)"
    assert ran.truth["plate.temperature"] < 60, "coolant goes on"


def test_a_leak_takes_power_and_coolant_off(tmp_path):
    ran = run_plan(ACCEPTANCE, tmp_path, faults=["leak@332s"])
    assert ran.on == []
    assert ran.outcome.result.safe_state.name == "leak"
    assert ran.later["loop.flow"] < 20


def test_silence_of_the_leak_sensor_is_no_leak(tmp_path):
    ran = run_plan(ACCEPTANCE, tmp_path, faults=["device_silent:cdu@305s"])
    assert ran.outcome.result.safe_state.name == "default"
    assert ran.later["loop.flow"] > 150, "the coolant was left on"


def test_the_smoke_plan_is_short(tmp_path):
    ran = run_plan(PLANS / "smoke.yaml", tmp_path)
    assert ran.exit_code == 0, ran.reason
    assert ran.outcome.result.duration_s <= 40
    assert ran.on == []


def test_the_burn_in_runs_in_minutes_when_told_so(tmp_path):
    settings = {"soak_time": "2 min", "cycle_every": "60 s", "cycle_low": "20 s"}
    ran = run_plan(PLANS / "burn_in_24h.yaml", tmp_path, settings=settings)
    assert ran.exit_code == 0, ran.reason
    assert ran.texts("note").count("cycle: load 30 % for 20 s") == 2
    names = [m.name for m in ran.step("burn-in").measurements]
    assert "change of pdu.energy" in names
    assert sum(name.startswith("change of switch.port[") for name in names) == 36


def test_a_rack_that_reboots_burns_in_from_the_start_again(tmp_path):
    settings = {"soak_time": "2 min", "cycle_every": "10 min", "cycle_low": "20 s"}
    ran = run_plan(PLANS / "burn_in_24h.yaml", tmp_path, settings=settings, faults=["rack_reboot@1000s"])
    assert any("the soak starts again" in text for text in ran.texts("note")), ran.texts("note")
    soak = ran.step("burn-in")
    assert ran.outcome.result.duration_s > 1000 + 120
    assert soak.verdict is Verdict.PASS, soak.reason


def test_errors_that_grow_in_the_soak_fail_by_their_port(tmp_path):
    settings = {"soak_time": "5 min", "cycle_every": "10 min", "cycle_low": "20 s"}
    ran = run_plan(PLANS / "burn_in_24h.yaml", tmp_path, settings=settings, faults=["ber_drift:11@270s"])
    assert ran.exit_code == 1
    assert "change of switch.port[11].errors_in" in ran.reason


def test_the_same_seed_gives_the_same_measurements(tmp_path):
    first, again = (run_plan(PLANS / "smoke.yaml", tmp_path / name, seed=5) for name in ("a", "b"))
    other = run_plan(PLANS / "smoke.yaml", tmp_path / "c", seed=6)
    values = [
        [(m.name, m.value) for step in ran.outcome.result.steps for m in step.measurements]
        for ran in (first, again, other)
    ]
    assert values[0] == values[1]
    assert values[0] != values[2]
