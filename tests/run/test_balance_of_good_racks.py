"""Good racks, each another, with instruments that are out by their class: acceptance passes, and its balance is right.

True is what the seed's rack gives to the coolant, and the friction of the pumps beside it.
"""

from __future__ import annotations

import pytest

from harness.limits.verdict import Verdict
from sim.physics import RackParameters
from sim.physics.spread import rack_of_seed
from tests.plan_runs import PLANS, STATION, run_plan

FRICTION = 0.22
"""Of the pumps, 296 W at 172 L/min, % of the power."""


def is_right(plan, name, folder, seed, settings=None):
    """Whether the balance is within its stated uncertainty (k = 2) of the truth; the run must PASS."""
    station = folder / "station.yaml"
    station.write_text(STATION.read_text().replace("rack: 132kW, seed: 1", "rack: 132kW, spread: 1"))
    ran = run_plan(PLANS / plan, folder / f"{seed}", station=station, seed=seed, settings=settings)
    assert ran.outcome.verdict is Verdict.PASS, f"seed {seed}: {ran.reason}"
    (balance,) = ran.step(name).measurements
    true = 100 * rack_of_seed(RackParameters(), seed, 1.0).liquid_share + FRICTION
    assert balance.uncertainty < 0.025 * balance.value, "with zeros it is known to 2 %"
    return abs(balance.value - true) <= balance.uncertainty


@pytest.mark.parametrize("seed", [3001, 3002, 3003, 3004])
def test_a_good_rack_passes_and_its_balance_is_right(tmp_path, seed):
    assert is_right("acceptance.yaml", "heat balance", tmp_path, seed)


@pytest.mark.slow
def test_forty_good_racks_pass_and_their_balances_are_right(tmp_path):
    right = [is_right("acceptance.yaml", "heat balance", tmp_path, seed) for seed in range(4000, 4040)]
    assert sum(right) >= 38


@pytest.mark.slow
def test_ten_good_racks_burn_in_for_an_hour_and_their_balances_are_right(tmp_path):
    hour = {"soak_time": "1 h"}
    name = "heat balance after the soak"
    right = [is_right("burn_in_24h.yaml", name, tmp_path, seed, hour) for seed in range(5000, 5010)]
    assert sum(right) >= 9
