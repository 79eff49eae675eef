"""One plan, coolant units of two makers: the acceptance plan that ships runs unchanged, and sees the same rack."""

from __future__ import annotations

import re

import pytest

from harness.limits.verdict import Verdict
from tests.plan_runs import PLANS, STATION, run_plan

ACCEPTANCE = PLANS / "acceptance.yaml"


def station_with(cdu, folder):
    """The simulated station with another coolant unit, which measures itself what the station derived before."""
    text = STATION.read_text()
    assert text.count("cdu/meta_rpu,") == 1
    for name in ("cdu.differential_pressure", "cdu.heat"):
        text, count = re.subn(rf"^  {re.escape(name)}:\n(?:    .*\n|\n)+", "", text, flags=re.MULTILINE)
        assert count == 1
    path = folder / "station.yaml"
    path.write_text(text.replace("cdu/meta_rpu,", f"{cdu},"))
    return path


def test_the_acceptance_plan_passes_on_the_generic_unit(tmp_path):
    ran = run_plan(ACCEPTANCE, tmp_path, station=station_with("cdu/generic_cdu", tmp_path))
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    assert ran.exit_code == 0
    assert ran.on == []
    assert ran.truth["rack.power"] == 0.0


@pytest.mark.parametrize(("fault", "code"), [("leak:rack@60", 4), ("both_pumps_stop@320", 4)])
def test_its_interlocks_see_what_happens(fault, code, tmp_path):
    ran = run_plan(ACCEPTANCE, tmp_path, station=station_with("cdu/generic_cdu", tmp_path), faults=[fault])
    assert ran.exit_code == code, ran.reason
    assert ran.on == []
