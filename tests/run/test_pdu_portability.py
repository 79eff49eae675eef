"""One plan, PDUs of several vendors: the acceptance plan that ships runs unchanged, and sees the same rack."""

from __future__ import annotations

import pytest

from harness.limits.verdict import Verdict
from tests.plan_runs import PLANS, STATION, run_plan

ACCEPTANCE = PLANS / "acceptance.yaml"
VENDORS = ["pdu/raritan_pdu2", "pdu/servertech_sentry4", "pdu/eaton_epdu_g3"]


def station_with(pdu, folder):
    """The simulated station with another PDU; nothing else differs."""
    text = STATION.read_text()
    assert text.count("pdu/apc_rpdu2") == 1
    path = folder / "station.yaml"
    path.write_text(text.replace("pdu/apc_rpdu2", pdu))
    return path


@pytest.mark.parametrize("pdu", VENDORS)
def test_the_acceptance_plan_passes_on(pdu, tmp_path):
    ran = run_plan(ACCEPTANCE, tmp_path, station=station_with(pdu, tmp_path))
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    assert ran.exit_code == 0
    assert ran.on == []
    assert ran.truth["rack.power"] == 0.0


@pytest.mark.parametrize("pdu", VENDORS)
def test_its_stuck_outlet_is_the_stations_fault(pdu, tmp_path):
    ran = run_plan(ACCEPTANCE, tmp_path, station=station_with(pdu, tmp_path), faults=["outlet_stuck:3"])
    assert ran.exit_code == 3
    assert "outlet[3]" in ran.reason
    assert ran.on == []
