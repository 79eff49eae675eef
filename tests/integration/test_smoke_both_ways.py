"""The smoke plan over sockets in real time and in virtual time: the same verdict and the same measurements."""

from __future__ import annotations

import pytest

from harness.limits.verdict import Verdict
from tests.plan_runs import PLANS, STATION, run_plan

NOISE = {"L/min": 6.0, "kPa": 2.5, "degC": 1.5, "W": 2500.0, "V": 1.0}
"""By how much two measurements of the same thing may differ: sensor noise, and when exactly the samples were taken."""


def test_the_same_verdict_and_the_same_measurements(tmp_path):
    real = run_plan(PLANS / "smoke.yaml", tmp_path / "real", rate=1.0)
    virtual = run_plan(PLANS / "smoke.yaml", tmp_path / "virtual")
    for ran in (real, virtual):
        assert (ran.exit_code, ran.outcome.verdict, ran.on) == (0, Verdict.PASS, []), ran.reason
        assert ran.outcome.result.duration_s <= 40
    assert real.outcome.result.clock.mode == "real"
    assert virtual.outcome.result.clock.mode == "virtual"
    pairs = [
        list(zip(a.measurements, b.measurements, strict=True))
        for a, b in zip(real.outcome.result.steps, virtual.outcome.result.steps, strict=True)
    ]
    measured = [pair for step in pairs for pair in step]
    assert len(measured) >= 8
    for one, other in measured:
        assert (one.name, one.signal, one.unit, one.low, one.high) == (
            other.name,
            other.signal,
            other.unit,
            other.low,
            other.high,
        )
        assert one.verdict is other.verdict
        if one.unit in NOISE:
            assert one.value == pytest.approx(other.value, abs=NOISE[one.unit]), one.name
    for key in ("profile", "identity", "firmware"):
        ours = [getattr(device, key) for device in real.outcome.result.devices]
        assert ours == [getattr(device, key) for device in virtual.outcome.result.devices]
    hashes = [{each.name: each.sha256 for each in ran.outcome.result.inputs} for ran in (real, virtual)]
    assert hashes[0] == hashes[1]


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_acceptance_passes_over_sockets_in_real_time(tmp_path):
    """Ten minutes of the rack are ten minutes here: what only real time has (a guardian, late polls) is there."""
    ran = run_plan(PLANS / "acceptance.yaml", tmp_path, rate=1.0)
    result = ran.outcome.result
    assert (ran.exit_code, ran.outcome.verdict, ran.on) == (0, Verdict.PASS, []), ran.reason
    assert result.clock.mode == "real"
    assert 400 < result.duration_s < 900
    assert result.safe_state.confirmed
    assert all(each.received >= 0.99 * each.expected for each in result.coverage)


@pytest.mark.parametrize(("fault", "code"), [("flow_meter_zero", 1), ("device_silent:cdu@6s", 3)])
def test_the_same_verdict_when_something_is_wrong(tmp_path, fault, code):
    # a CDU that is mute does not tell when the coolant may stop: the wait for it is cut from 2 minutes to 5 s
    station = tmp_path / "station.yaml"
    station.write_text(STATION.read_text().replace("at_most: 2 min", "at_most: 5 s"))
    smoke = {"station": station, "faults": [fault]}
    real = run_plan(PLANS / "smoke.yaml", tmp_path / "real", rate=1.0, **smoke)
    virtual = run_plan(PLANS / "smoke.yaml", tmp_path / "virtual", **smoke)
    assert (real.exit_code, virtual.exit_code) == (code, code), f"{real.reason} / {virtual.reason}"
    assert real.on == virtual.on == []
    if code == 3:
        assert all("not reached: keep cdu.pump" in text for ran in (real, virtual) for text in ran.texts("safe"))
    names = [[(step.name, step.verdict) for step in ran.outcome.result.steps] for ran in (real, virtual)]
    assert names[0] == names[1]
