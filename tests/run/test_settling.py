"""Settling of return and supply together, judged by the simulator's truth of the heat balance."""

from __future__ import annotations

import pytest

from harness.limits.verdict import Verdict
from harness.schema.problems import ProblemsError
from tests.plan_runs import perfect, run_plan, write_plan

POWER = "- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}\n"
RAMP = "- {step: ramp, name: ramp, control: rack.level, from: 0 %, to: 100 %, over: 10 s}\n"
SETTLE = "- {step: settle, name: it, KEYS}\n"
SHARE = "- {step: measure, name: share, signal: cdu.liquid_share, over: 30 s, limit: {min: 50 %}}\n"


def share(folder, keys, seed):
    plan = write_plan(folder, POWER + RAMP + SETTLE.replace("KEYS", keys) + SHARE)
    ran = run_plan(plan, folder / f"data{seed}", seed=seed, station=perfect(folder))
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    return ran.step("share").measurements[0].value


@pytest.mark.parametrize("seed", [21, 22])
def test_a_heat_balance_is_one_when_return_and_supply_have_both_settled(tmp_path, seed):
    """87 % of the power goes into the coolant. The return alone is slow at its turning point, long before it has."""
    both = "signals: [cdu.return_temperature, cdu.supply_temperature], slope: 0.3 K/min, over: 60 s, within: 6 min"
    settled = share(tmp_path, both, seed)
    assert settled == pytest.approx(87.2, abs=0.4)
    early = share(tmp_path, "signal: cdu.return_temperature, slope: 3 K/min, over: 8 s, within: 3 min", seed)
    assert early > settled + 0.7


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("signals: [cdu.flow], slope: 1 K/min, within: 60 s", "before the /time, 'K'"),
        ("signal: cdu.flow, signals: [cdu.flow], slope: 1 L/min/s, within: 60 s", "give either `signal` or `signals`"),
        ("slope: 1 L/min/s, within: 60 s", "give either `signal` or `signals`"),
        ("signals: [cdu.flwo], slope: 1 L/min/s, within: 60 s", "did you mean 'cdu.flow'"),
        ("signal: cdu.flow, slope: 1 L/min/s, over: 60 s, within: 60 s", "`over` is as long as `within`"),
        ("signal: cdu.flow, slope: 9 L/min/s, over: 1 s, within: 60 s", "are not the 3 samples of a slope"),
        ("signal: cdu.return_temperature, slope: 0.3 K/min, over: 8 s, within: 60 s", "take a longer window"),
    ],
)
def test_what_could_not_be_known_is_refused(tmp_path, keys, said):
    with pytest.raises(ProblemsError, match=said):
        run_plan(write_plan(tmp_path, SETTLE.replace("KEYS", keys)), tmp_path)


def test_what_has_not_settled_is_named_and_no_other(tmp_path):
    keys = "signals: [cdu.supply_temperature, cdu.return_temperature], slope: 1 K/min, over: 20 s, within: 22 s"
    ran = run_plan(write_plan(tmp_path, POWER + RAMP + SETTLE.replace("KEYS", keys)), tmp_path)
    assert ran.outcome.verdict is Verdict.FAIL
    assert "cdu.return_temperature still changes by" in ran.reason
    assert "after 22 s, limit 1 K/min" in ran.reason
