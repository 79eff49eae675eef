"""What outside of this project has judged a profile, and where it is said when nothing has."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from harness.cli.commands.profile import profile as command
from harness.device.registry import load_profile
from harness.record.report import render_text
from harness.schema.problems import ProblemsError
from tests.plan_runs import PLANS, run_plan

HEAD = """schema: 1
profile: {name}
title: A unit
class: cdu
protocol: modbus
source: a table
"""
MAP = "judged_by: [{map: rackmon/orv3_rpu, source: facebook/openbmc, edition: 2024-10-24}]\n"
TRIED = "verified_on: [{model: X1, firmware: '1.2', date: 2026-01-01}]\n"


def write(folder, name, text):
    (folder / f"{name}.yaml").write_text(HEAD.format(name=f"{name}.yaml") + text)
    return folder / f"{name}.yaml"


@pytest.mark.parametrize(
    ("text", "is_judged", "evidence"),
    [
        ("unverified: new\n", False, "nothing outside this project has judged it"),
        ("unverified: new\n" + MAP, True, "compared with map rackmon/orv3_rpu (facebook/openbmc, 2024-10-24)"),
        (TRIED, True, "tried on X1, firmware 1.2, 2026-01-01"),
        (
            TRIED + "judged_by: [{capture: x1, source: LibreNMS, edition: 8be8}]\n",
            True,
            "tried on X1, firmware 1.2, 2026-01-01; compared with capture x1 (LibreNMS, 8be8)",
        ),
    ],
)
def test_what_speaks_for_a_profile(tmp_path, text, is_judged, evidence):
    profile, _ = load_profile(write(tmp_path, "unit", text))
    assert (profile.is_judged, profile.evidence) == (is_judged, evidence)


def test_who_judged_a_profile_did_not_judge_what_extends_it(tmp_path):
    write(tmp_path, "base", "unverified: new\n" + MAP)
    write(tmp_path, "tried", TRIED)
    child = write(tmp_path, "child", "extends: base.yaml\n")
    assert not load_profile(child)[0].is_judged
    other = write(tmp_path, "other", "extends: tried.yaml\nunverified: other addresses\n")
    assert not load_profile(other)[0].is_judged
    with pytest.raises(ProblemsError, match="verified_on"):
        load_profile(write(tmp_path, "silent", "extends: tried.yaml\n"))


@pytest.mark.parametrize("judge", ["{source: x, edition: y}", "{map: a, capture: b, source: x, edition: y}"])
def test_a_judge_is_one_thing(tmp_path, judge):
    with pytest.raises(ProblemsError) as caught:
        load_profile(write(tmp_path, "unit", f"unverified: new\njudged_by:\n  - {judge}\n"))
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (9, 5)
    assert "either map or capture" in problem.message


def test_lists_and_shows_say_it():
    listed = CliRunner().invoke(command, ["list"]).output
    lines = {line.split()[0]: line for line in listed.splitlines()}
    assert lines["cdu/meta_rpu"].endswith("(compared with a public map)")
    assert lines["pdu/apc_rpdu2"].endswith("(compared with a captured device)")
    assert lines["relay/ryn4"].endswith("(nothing outside has judged it)")
    shown = CliRunner().invoke(command, ["show", "relay/ryn4"]).output
    assert "judged: nothing outside this project has judged it" in shown


def test_a_run_says_it_before_a_device_is_opened_and_records_it(tmp_path):
    ran = run_plan(PLANS / "smoke.yaml", tmp_path)
    kinds = [event.kind for event in ran.events]
    assert kinds.index("unjudged") < kinds.index("device")
    (said,) = ran.texts("unjudged")
    assert said == (
        "nothing outside has judged the profiles of switch (switch/generic), rack (load/rack_workload), "
        "daq (daq/keysight_daq970a)"
    )
    recorded = json.loads((ran.outcome.folder / "result.json").read_text())["devices"]
    evidence = {device["name"]: device["evidence"] for device in recorded}
    assert evidence["cdu"].startswith("compared with map rackmon/orv3_rpu (facebook/openbmc, 2024-10-24), map ")
    assert evidence["rack"] == "nothing outside this project has judged it"
    assert "profile: nothing outside this project has judged it" in render_text(ran.outcome.folder)
