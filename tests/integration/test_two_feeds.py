"""A station with feeds A and B is rehearsed from its files to PASS, and a feed that is not what it seems is found."""

from __future__ import annotations

import json
import subprocess

import pytest

from harness.limits.verdict import Verdict
from harness.project.gates import open_gates
from harness.project.plan import load_project
from harness.project.station import load_station
from tests.integration.cli_tools import COMMAND
from tests.plan_runs import PLANS, run_plan

PLAN = PLANS / "two_feeds.yaml"
STATION = PLANS / "stations" / "feeds_and_batteries.yaml"
MAKERS = [
    ("pdu/raritan_pdu2", "pdu/apc_rpdu2"),
    ("pdu/enlogic_en", "pdu/panduit_g5"),
    ("pdu/hpe_pdu3", "pdu/dell_rpdu"),
    ("pdu/rittal_pdu", "pdu/chatsworth_econnect"),
]


def closed(truth):
    """The outlets of both feeds that are closed."""
    return sorted(name for name, on in truth.items() if ".outlet[" in name and name.endswith("].state") and on)


def rehearsed(folder, **more):
    return run_plan(PLAN, folder, **{"station": STATION, **more})


def test_the_files_that_ship_pass_from_the_command_line(tmp_path):
    command = [*COMMAND, "run", "two_feeds", "--station", str(STATION)]
    command += ["--simulate", "--virtual", "--json", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1])["verdict"] == "PASS"


def test_each_feed_carries_the_rack_alone_and_both_end_off(tmp_path):
    ran = rehearsed(tmp_path)
    assert (ran.exit_code, ran.outcome.verdict) == (0, Verdict.PASS), ran.reason
    assert closed(ran.truth) == []
    assert ran.truth["rack.power"] == 0.0
    for one, other in ("AB", "BA"):
        share = ran.step(f"feed {one} carries its share").measurements[0].value
        alone = ran.step(f"feed {one} carries all of it").measurements[0].value
        assert alone == pytest.approx(2 * share, rel=0.05), f"what feed {other} left"


@pytest.mark.parametrize(("first", "second"), MAKERS)
def test_the_same_plan_with_feeds_of_other_makers(first, second, tmp_path):
    text = STATION.read_text().replace("pdu/apc_rpdu2", first).replace("pdu/raritan_pdu2", second, 1)
    (tmp_path / "station.yaml").write_text(text)
    ran = rehearsed(tmp_path, station=tmp_path / "station.yaml")
    assert ran.outcome.verdict is Verdict.PASS, ran.reason
    assert closed(ran.truth) == []


@pytest.mark.parametrize(
    ("fault", "code", "named"),
    [
        ("feed_loss:pdu_b@50s", 3, "pdu_b.phase"),
        ("feed_loss:pdu_a@25s", 3, "pdu_a.outlet"),
        ("breaker_trip:pdu_b.3@50s", 3, "pdu_b.outlet[3]"),
        ("outlet_stuck:pdu_a.3", 3, "feed A"),
        ("rack_reboot@60s", 3, "rack."),
        ("leak@60s", 4, "cdu.leak"),
        ("device_refuses:pdu_b@50s", 5, "pdu_b"),
        ("device_refuses:bbu2@50s", 5, "bbu2"),
        ("wrong_model:pdu_b", 3, "pdu_b"),
    ],
)
def test_a_feed_that_fails_is_no_pass(fault, code, named, tmp_path):
    ran = rehearsed(tmp_path, faults=[fault])
    assert ran.exit_code == code, ran.reason
    assert named in ran.reason
    if code != 5:
        assert closed(ran.truth) == []


def test_the_plan_has_no_open_gate():
    assert open_gates(load_project(PLAN, load_station(STATION))) == []
