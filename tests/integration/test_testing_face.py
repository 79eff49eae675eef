"""`harness.testing`: somebody's step, plan or profile is tested in a few lines, and what is wrong shows there."""

from __future__ import annotations

import pytest

import harness
from harness.api import Bounds, Duration, Params, QuantityField, SignalRef, StepContext, StepFailedError, step
from harness.errors import HarnessError
from harness.limits.verdict import Verdict
from harness.testing import rack, run_plan, run_step

__all__ = ["rack"]  # a fixture


class Dip(Params):
    """Parameters of `dip`."""

    signal: SignalRef
    below: QuantityField
    within: Duration = 40.0


@step("dip", version=1)
async def dip(ctx: StepContext, p: Dip) -> None:
    """Wait until a signal has once been below a value."""
    deadline = ctx.clock.monotonic() + p.within
    while ctx.clock.monotonic() < deadline:
        reading = ctx.observe(p.signal)
        if reading.is_good and reading < str(p.below):
            ctx.measure("lowest seen", p.signal, reading.value, ctx.resolve(Bounds(max=p.below), p.signal))
            return
        await ctx.sleep(ctx.period(p.signal))
    raise StepFailedError(f"{p.signal} was never below {p.below}")


GIVEN = {"signal": "cdu.flow", "below": "150 L/min"}


def test_a_step_that_is_not_installed(tmp_path):
    outcome = run_step(dip, tmp_path, GIVEN, faults=["pump_stop:1@20s", "pump_stop:2@20s"])
    assert outcome.verdict is Verdict.PASS, outcome.reason
    assert outcome.result.steps[-1].name == "dip"
    outcome = run_step(dip, tmp_path, GIVEN, before=[{"step": "hold", "for": "1 s"}])
    assert (outcome.verdict, outcome.exit_code) == (Verdict.FAIL, 1)
    assert [each.name for each in outcome.result.steps] == ["hold", "dip"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"signal": "cdu.flov", "below": "150 L/min"}, "did you mean"),
        ({**GIVEN, "withn": "3 s"}, "withn"),
        ({"signal": "cdu.flow"}, "below"),
        ({**GIVEN, "within": "soon"}, "soon"),
    ],
)
def test_what_a_plan_would_be_refused_for_is_an_error_here(given, words, tmp_path):
    with pytest.raises(HarnessError, match=words):
        run_step(dip, tmp_path, given)
    assert [path.suffix for path in tmp_path.iterdir()] == [".yaml"], "the plan, and no record"


def test_a_plan_by_its_name(tmp_path):
    assert run_plan("smoke", tmp_path, seed=3).verdict is Verdict.PASS
    assert run_plan("smoke", tmp_path, seed=3, faults=["pump_stop:1", "pump_stop:2"]).verdict is not Verdict.PASS


def test_an_open_rack(rack):
    assert rack["cdu.flow"].read() > "100 L/min"
    assert rack.truth()["outlet[1].state"] == 0.0


def test_a_profile_of_ones_own(tmp_path):
    (tmp_path / "acme.yaml").write_text("schema: 1\nprofile: acme\nextends: cdu/meta_rpu\ntitle: Acme\n")
    station = tmp_path / "station.yaml"
    dut = '{profile: ./acme.yaml, address: "modbus+tcp://127.0.0.1:1502/12", counts: {pump: 2}}'
    station.write_text(f"schema: 1\nstation: trial\ndevices:\n  dut: {dut}\n")
    with harness.simulated_rack(station, virtual=True) as opened:
        assert opened["dut.flow"].read() > "100 L/min"
        assert opened["dut.pump"].set("on")
