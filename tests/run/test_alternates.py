"""One plan, another maker in every class: the acceptance plan that ships runs unchanged, and sees the same rack."""

from __future__ import annotations

import pytest

from harness.device.registry import known_profiles
from harness.limits.verdict import Verdict
from tests.plan_runs import PLANS, STATION, run_plan

ACCEPTANCE = PLANS / "acceptance.yaml"
ALTERNATES = {
    "switch/generic": ["switch/arista_eos", "switch/dell_os10", "switch/juniper_junos", "switch/cisco_nxos"],
    "daq/keysight_daq970a": ["daq/keithley_daq6510"],
    "shelf/orv3_hpr_psu": ["shelf/orv3_psu"],
    "pdu/apc_rpdu2": [
        *("pdu/enlogic_en", "pdu/panduit_g5", "pdu/hpe_pdu3", "pdu/dell_rpdu"),
        *("pdu/rittal_pdu", "pdu/chatsworth_econnect"),
    ],
}
"""A profile of the station that ships: others of its class that may stand in its place."""
PAIRS = [(shipped, other) for shipped, others in ALTERNATES.items() for other in others]


def replaced(text, shipped, other):
    """The station file with another profile in one place."""
    assert text.count(f"profile: {shipped},") == 1
    lines = text.splitlines()
    at = next(k for k, line in enumerate(lines) if f"profile: {shipped}," in line)
    lines[at] = lines[at].replace(shipped, other)
    return "\n".join(lines) + "\n"


def station_with(folder, *pairs):
    """The simulated station with other makers' devices; nothing else differs."""
    text = STATION.read_text()
    for shipped, other in pairs:
        text = replaced(text, shipped, other)
    path = folder / "station.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("shipped", "other"), PAIRS)
def test_the_acceptance_plan_passes_with(shipped, other, tmp_path):
    assert other in known_profiles()
    ran = run_plan(ACCEPTANCE, tmp_path, station=station_with(tmp_path, (shipped, other)))
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    assert ran.exit_code == 0
    assert ran.on == []
    assert ran.truth["rack.power"] == 0.0


def test_it_passes_with_another_maker_in_every_place_at_once(tmp_path):
    pairs = [(shipped, others[0]) for shipped, others in ALTERNATES.items()]
    ran = run_plan(ACCEPTANCE, tmp_path, station=station_with(tmp_path, *pairs))
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    assert ran.on == []
