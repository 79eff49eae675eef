"""Limit sets that extend each other: what is given again counts, and where each limit comes from is said."""

from __future__ import annotations

import pytest

from harness.project.plan import load_project
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from tests.plan_runs import STATION

BASE = """schema: 1
limit_set: base
version: '1'
limits:
  flow: {min: 100 L/min, provenance: p}
  warm: {max: 50 degC, provenance: p}
"""
BIG = "schema: 1\nlimit_set: big\nversion: '2'\nextends: base.yaml\nlimits:\n  flow: {min: 300 L/min, provenance: q}\n"
PLAN = "schema: 1\nplan: p\nlimits: limits/big.yaml\nsteps:\n  - {step: measure, signal: cdu.flow, limit: flow}\n"


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "limits").mkdir()
    (tmp_path / "limits" / "base.yaml").write_text(BASE)
    (tmp_path / "limits" / "big.yaml").write_text(BIG)
    (tmp_path / "plan.yaml").write_text(PLAN)
    return tmp_path / "plan.yaml"


def test_what_is_given_again_counts_and_the_rest_holds(plan):
    project = load_project(plan, load_station(STATION))
    found = {name: (each.source, str(each.limit.min or each.limit.max)) for name, each in project.limits.items()}
    assert found == {
        "flow": ("big 2", "300 L/min"),
        "warm": ("base 1", "50 degC"),
    }
    assert {"limits/big.yaml", "limits/base.yaml"} <= set(project.on.hashes)


@pytest.mark.parametrize(
    ("extends", "said"),
    [
        ("nobody.yaml", "big.yaml:4:10: HX-1342 no such file 'nobody.yaml' beside the limit set"),
        ("big.yaml", "big.yaml:4:10: HX-1344 'big.yaml' extends itself"),
        ("../../x.yaml", "big.yaml:4:10: HX-1341 '../../x.yaml' lies outside the plan's folder"),
    ],
)
def test_a_base_that_cannot_be_used_is_one_line(extends, said, plan):
    (plan.parent / "limits" / "big.yaml").write_text(BIG.replace("base.yaml", extends))
    with pytest.raises(ProblemsError) as error:
        load_project(plan, load_station(STATION))
    (problem,) = error.value.problems
    assert said in str(problem)
