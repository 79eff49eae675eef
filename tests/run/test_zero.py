"""Zeros in a run: what is taken off, who sees it, who is accused, and that a resumed run keeps it."""

from __future__ import annotations

import json

import pytest

import harness
from harness.limits.verdict import Verdict
from harness.schema.problems import ProblemsError
from sim.physics.sensors import Sensors
from tests.plan_runs import STATION, perfect, run_plan, write_plan

ZERO = """- step: zero
  name: zero
  signals: [cdu.supply_temperature, cdu.return_temperature]
  warmed: [cdu.return_temperature]
  pressure_drop: cdu.differential_pressure
  over: 60 s
  slope: 0.1 K/min
  watch: [{signal: pdu.power, max: 500 W}, {signal: cdu.flow, min: 160 L/min}]
"""
RISE = "- {step: measure, name: rise, signal: cdu.delta_temperature, over: 30 s, limit: {max: 3 K}}\n"
SUPPLY = "- {step: measure, name: supply, signal: cdu.supply_temperature, over: 30 s, limit: {max: 50 degC}}\n"


@pytest.fixture
def spread(tmp_path):
    station = tmp_path / "station.yaml"
    station.write_text(STATION.read_text().replace("rack: 132kW, seed: 1", "rack: 132kW, spread: 1"))
    return station


def zeros(ran):
    return {event.data["signal"]: event.data for event in ran.events if event.kind == "zero"}


@pytest.mark.parametrize("seed", [101, 102, 103, 104])
def test_two_thermometers_agree_afterwards_as_well_as_is_claimed(tmp_path, spread, seed):
    """Seeds that tuned nothing. True is what friction warms, 0.015 to 0.026 K; the biases are those of the seed."""
    ran = run_plan(
        write_plan(tmp_path, RISE + ZERO + RISE.replace("rise", "after")), tmp_path, station=spread, seed=seed
    )
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    before, after = (ran.step(name).measurements[0] for name in ("rise", "after"))
    sensors = Sensors(seed, {f"loop.{side}_temperature": "degC" for side in ("supply", "return")}, spread=1.0)
    out = {side: sensors.bias(f"loop.{side}_temperature").absolute for side in ("supply", "return")}
    assert before.value == pytest.approx(0.026 + out["return"] - out["supply"], abs=0.02)
    assert after.value == pytest.approx(0.026, abs=after.uncertainty)
    assert before.uncertainty == pytest.approx(2 * 0.15 * 2**0.5 / 3**0.5, rel=0.01)
    assert after.uncertainty < 0.4 * before.uncertainty
    taken = zeros(ran)
    middle = (out["supply"] + out["return"]) / 2
    for side in ("supply", "return"):
        assert taken[f"cdu.{side}_temperature"]["offset"] == pytest.approx(out[side] - middle, abs=0.02)


def test_the_record_says_what_was_taken_off_and_the_journal_has_what_was_shown(tmp_path):
    fault = ["sensor_offset:cdu.supply_temperature=0.2"]
    plan = write_plan(tmp_path, SUPPLY + ZERO + SUPPLY.replace("supply,", "after,"))
    ran = run_plan(plan, tmp_path, faults=fault, station=perfect(tmp_path))
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    before, after = (ran.step(name).measurements[0].value for name in ("supply", "after"))
    assert before - after == pytest.approx(0.1, abs=0.03), "half of what they differ by"
    assert zeros(ran)["cdu.supply_temperature"]["offset"] == pytest.approx(0.1, abs=0.03)
    shown = harness.api.open_record(ran.outcome.folder).series("cdu.supply_temperature")
    assert abs(float(shown.values[-20:].mean()) - before) < 0.05  # it shows tenths
    result = json.loads((ran.outcome.folder / "result.json").read_text())
    assert any("is taken off" in event["text"] for event in result["events"])


def test_an_instrument_that_is_out_by_more_than_it_may_is_the_stations_fault(tmp_path):
    fault = ["sensor_offset:cdu.return_temperature=0.6"]
    ran = run_plan(write_plan(tmp_path, ZERO + RISE), tmp_path, faults=fault, station=perfect(tmp_path))
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.ERROR, 3), ran.reason
    assert "cdu.return_temperature" in ran.reason
    assert zeros(ran) == {}


def test_heat_is_no_state_for_a_zero(tmp_path):
    power = "- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}\n"
    ran = run_plan(write_plan(tmp_path, power + ZERO), tmp_path)
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.ERROR, 3), ran.reason
    assert "pdu.power reached" in ran.reason
    assert zeros(ran) == {}


def test_what_is_not_steady_has_no_zero(tmp_path):
    plan = ZERO.replace("  watch: [{signal: pdu.power, max: 500 W}, {signal: cdu.flow, min: 160 L/min}]\n", "")
    power = "- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}\n"
    ran = run_plan(write_plan(tmp_path, power + plan), tmp_path)
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.ERROR, 3), ran.reason
    assert "meanwhile, limit 0.1 K/min" in ran.reason


def test_interlocks_see_what_is_shown(tmp_path):
    """Shown above its limit, without its zero below: it trips all the same; a watch of a step does not."""
    station = tmp_path / "station.yaml"
    loose = STATION.read_text().replace("cdu.supply_temperature: 0.15 K", "cdu.supply_temperature: 2 K")
    warm = "  - {name: warm, signal: cdu.supply_temperature, max: 30.9 degC, for: 10 s, armed_in: [held]}\n"
    fault = ["sensor_offset:cdu.supply_temperature=1"]
    zero = "- {step: zero, name: zero, signals: [cdu.supply_temperature], to: 30.6 degC, over: 60 s}\n"
    watch = "{signal: cdu.supply_temperature, max: 30.9 degC, for: 5 s}"
    plan = write_plan(tmp_path, f"{zero}- {{step: hold, name: held, for: 60 s, watch: [{watch}]}}\n")
    for text, verdict in (
        (loose, Verdict.PASS),
        (loose.replace("interlocks:\n", f"interlocks:\n{warm}"), Verdict.TRIPPED),
    ):
        station.write_text(text)
        ran = run_plan(plan, tmp_path / verdict, station=station, faults=fault)
        assert ran.outcome.verdict is verdict, ran.reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("over: 60 s", "over: 5 s"), "a zero needs 10 samples"),
        (("cdu.supply_temperature, ", ""), "one alone cannot show the same as others"),
        (("cdu.supply_temperature, ", "cdu.ambient_temperature, "), "has no `accuracy` in the station file"),
        (("cdu.supply_temperature, ", "cdu.supply_pressure, "), "is in degC, cdu.supply_pressure in kPa"),
        (("  warmed: [cdu.return_temperature]\n", ""), "`pressure_drop` without `warmed`"),
        (("warmed: [cdu.return_temperature]", "warmed: [cdu.ambient_temperature]"), "is none of the signals"),
        (("pressure_drop: cdu.differential_pressure", "pressure_drop: cdu.flow"), "is no pressure in kPa"),
        (("slope: 0.1 K/min", "slope: 0.1 kPa/min"), "'kPa' is a pressure"),
        (("[cdu.supply_temperature, cdu.return_temperature]", "[pdu.power]"), "give `most`"),
    ],
)
def test_what_is_no_zero_is_refused(tmp_path, change, said):
    with pytest.raises(ProblemsError, match=said):
        run_plan(write_plan(tmp_path, ZERO.replace(*change)), tmp_path)
