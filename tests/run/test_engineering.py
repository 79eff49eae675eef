"""A run whose parameters are not the plan's own says so wherever its verdict is told, and never as the plan's PASS."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from harness.cli.ui.verdict_block import plain_block, result_json
from harness.engine.control import status
from harness.limits.verdict import Verdict
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.record import manifest
from harness.record.index import list_runs
from harness.record.report import render_text
from harness.record.result import Result
from harness.record.verification import verify
from harness.schema.problems import ProblemsError
from harness.telemetry.lines import LineWriter
from harness.telemetry.outbox import run_tags
from harness.telemetry.reading import open_for_reading
from tests.integration.cli_tools import harness
from tests.plan_runs import PLANS, STATION, run_plan

PLAN = """\
schema: 1
plan: burnt
coverage: 90 %
parameters:
  soak_time: {{default: 30 s, {bounds}}}
  note: {{default: first}}
steps:
  - {{step: measure, name: flow, signal: cdu.flow, over: 3 s, limit: {{min: 100 L/min}}}}
  - {{step: hold, name: soak, for: "${{soak_time}}"}}
"""


def plan(folder, bounds="min: 30 s"):
    path = folder / "plan.yaml"
    path.write_text(PLAN.format(bounds=bounds))
    return path


@pytest.mark.parametrize(
    ("bounds", "given", "reason"),
    [
        ("min: 30 s", "5 s", "soak_time is 5 s, at least 30 s is needed"),
        ("min: 0.5 min", "29.9 s", "soak_time is 29.9 s, at least 0.5 min is needed"),
        ("min: 30 s", "30 s", ""),
        ("min: 30 s", "0.5 min", ""),
        ("min: 30 s", "1 h 10 s", ""),
        ("max: 30 s", "31 s", "soak_time is 31 s, at most 30 s is needed"),
        ("min: 20 s, max: 40 s", "0 h 50 s", "soak_time is 0 h 50 s, at most 40 s is needed"),
        ("description: free", "1 s", ""),
    ],
)
def test_out_of_bounds_is_an_engineering_run(tmp_path, bounds, given, reason):
    project = load_project(plan(tmp_path, bounds), load_station(STATION), {"soak_time": given})
    assert project.engineering == ((reason,) if reason else ())


def test_the_same_value_in_another_unit_is_the_plans_own(tmp_path):
    on = load_station(STATION)
    assert load_project(plan(tmp_path), on, {"soak_time": "0.5 min"}).replaced == {}
    assert load_project(plan(tmp_path), on, {"soak_time": "31 s"}).replaced == {"soak_time": "30 s"}
    assert load_project(plan(tmp_path), on, {"note": "second"}).replaced == {"note": "first"}


@pytest.mark.parametrize(
    ("bounds", "where", "words"),
    [
        ("min: 1 min", "5:24", "the default is out of bounds: 30 s, at least 1 min is needed"),
        ("min: 10 kPa", "5:35", "10 kPa is a pressure, the default 30 s a time"),
        ("min: 20 s, max: 10 s", "5:46", "the bounds cross"),
        ("min: soon", "5:35", "'soon' is not a quantity"),
    ],
)
def test_bounds_that_do_not_fit_are_refused_at_their_place(tmp_path, bounds, where, words):
    with pytest.raises(ProblemsError) as error:
        load_project(plan(tmp_path, bounds), load_station(STATION))
    (found,) = error.value.problems
    assert words in found.message
    assert f"{found.line}:{found.column}" == where


def test_a_value_that_no_bound_can_be_compared_with_is_refused(tmp_path):
    with pytest.raises(ProblemsError) as error:
        load_project(plan(tmp_path), load_station(STATION), {"soak_time": "5 kPa"})
    assert "HX-1332 --set soak_time: 5 kPa is a pressure, a time like 30 s is needed" in str(error.value)
    assert str(error.value).count("--set soak_time") == 1, "one mistake is told once"


def test_an_engineering_pass_is_nowhere_called_a_pass(tmp_path):
    ran = run_plan(plan(tmp_path), tmp_path, settings={"soak_time": "5 s"})
    assert ran.exit_code == 0, ran.reason
    why = "soak_time is 5 s, at least 30 s is needed"
    stored = Result.from_bytes((ran.outcome.folder / "result.json").read_bytes())
    assert (stored.verdict, stored.engineering, stored.replaced) == (Verdict.PASS, (why,), {"soak_time": "30 s"})
    block = plain_block(ran.outcome)
    report = render_text(ran.outcome.folder)
    listed = harness("runs", data=tmp_path).stdout
    for shown in (block.splitlines()[1], report.splitlines()[0], listed):
        assert shown.startswith("ENGINEERING")
        assert not re.search(r"\bPASS\b", shown)
    for shown in (block, report):
        assert "ENGINEERING RUN, no certificate" in shown
        assert why in shown
    for shown in (block, report, listed):
        assert "soak_time 5 s, plan 30 s" in shown
    assert result_json(ran.outcome)["engineering"] == [why]
    (line,) = harness("runs", "--json", data=tmp_path).stdout.splitlines()
    assert (json.loads(line)["engineering"], json.loads(line)["word"]) == ([why], "ENGINEERING")
    assert result_json(ran.outcome)["word"] == "ENGINEERING"
    assert verify(ran.outcome.folder) == []


WHY = "soak_time is 5 s, at least 30 s is needed"


def test_no_line_of_its_telemetry_and_no_event_can_be_taken_for_another_runs(tmp_path):
    for number, (given, tag) in enumerate((("5 s", "yes"), ("30 s", "no"))):
        ran = run_plan(plan(tmp_path), tmp_path / str(number), settings={"soak_time": given})
        with open_for_reading(ran.outcome.folder / "journal.db") as reader:
            writer = LineWriter(run_tags(reader.meta))
            lines = [line for entry in reader.entries(0, 10**6)[0] if (line := writer.line(entry)) is not None]
            verdict = next(iter(reader.events("verdict"))).data
        assert len(lines) > 20
        assert all(f",engineering={tag},".encode() in line.partition(b" ")[0] for line in lines)
        assert (verdict["text"].partition(":")[0] == "PASS") == (tag == "no")
        assert verdict["engineering"] == ([WHY] if tag == "yes" else [])


def test_lines_of_runs_from_before_stay_the_same_when_they_are_sent_again():
    assert run_tags({"run": "r", "serial": "s"}) == {"run": "r", "serial": "s"}


def edited(folder, target, change):
    """A copy of a record with its result edited and its manifest made again; what `verify` says of it."""
    copied = target / folder.name
    shutil.copytree(folder, copied)
    result = Result.from_bytes((copied / "result.json").read_bytes())
    (copied / "result.json").write_bytes(result.model_copy(update=change(result)).to_bytes())
    (copied / "manifest.json").write_bytes(manifest.build(copied, copied.name))
    return verify(copied)


FILES = "its own plan, station and parameters"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"engineering": ()}, [f"an ENGINEERING RUN by {FILES}, which result.json does not say: {WHY}"]),
        ({"engineering": ()}, [f"an ENGINEERING RUN by the journal, which result.json does not say: {WHY}"]),
        ({"engineering": (WHY, "x")}, [f"result.json says an engineering run, {FILES} does not: x"]),
        ({"replaced": {}}, ["nothing replaced the plan's own, its own plan soak_time"]),
        ({"parameters": {"soak_time": "30 s", "note": "first"}}, ["other parameters than the journal"]),
        ({"parameters": {"soak_time": "5 s"}}, ["other parameters than the plan has", "than the journal"]),
        (
            {"parameters": {"soak_time": "30 s", "note": "first"}, "engineering": (), "replaced": {}},
            ["other parameters than the journal", "by the journal, which result.json does not say"],
        ),
    ],
)
def test_an_edited_record_that_hides_it_is_found(change, said, tmp_path):
    ran = run_plan(plan(tmp_path), tmp_path, settings={"soak_time": "5 s"})
    problems = edited(ran.outcome.folder, tmp_path / "edited", lambda _: change)
    for words in said:
        assert any(words in problem for problem in problems), problems


def test_a_record_that_hides_a_bypass_is_found(tmp_path):
    station = tmp_path / "station.yaml"
    soon = datetime.now(UTC).date() + timedelta(days=9)
    bypass = f"bypass:\n- {{interlock: pressure too high, owner: Kim, until: {soon}, reason: sensor is out}}\n"
    station.write_text(STATION.read_text() + bypass)
    ran = run_plan(plan(tmp_path), tmp_path, station=station)
    assert verify(ran.outcome.folder) == []
    problems = edited(ran.outcome.folder, tmp_path / "edited", lambda _: {"engineering": ()})
    assert any(FILES in problem and "'pressure too high' is bypassed" in problem for problem in problems), problems

    def without_row(result):
        return {"interlocks": tuple(row for row in result.interlocks if not row.bypassed)}

    problems = edited(ran.outcome.folder, tmp_path / "unseen", without_row)
    assert any("'pressure too high' is not bypassed in result.json, bypassed by Kim" in problem for problem in problems)


def test_a_run_that_goes_on_or_died_is_marked_too(tmp_path):
    seen = []

    async def looking(runner, _):
        await runner.clock.sleep(8)
        await runner.journal.commit()
        seen.append(status(runner)["engineering"])
        folder = runner.journal.path.parent
        seen.append(list_runs(tmp_path)[0])
        shutil.copytree(folder, tmp_path / "died" / "runs" / folder.name)

    run_plan(plan(tmp_path), tmp_path, settings={"soak_time": "5 s"}, during=looking)
    assert seen[0] == [WHY]
    assert (seen[1].verdict, seen[1].engineering) == ("RUNNING", (WHY,))
    (died,) = list_runs(tmp_path / "died")
    assert (died.verdict, died.engineering) == ("INTERRUPTED", (WHY,))
    assert f"ENGINEERING RUN, no certificate: {WHY}" in render_text(died.path)
    assert f"ENGINEERING RUN: {WHY}" in harness("runs", data=tmp_path / "died").stdout


def test_a_parameter_without_bounds_is_told_and_costs_nothing(tmp_path):
    ran = run_plan(plan(tmp_path, "description: free"), tmp_path, settings={"soak_time": "5 s"})
    assert plain_block(ran.outcome).splitlines()[1].startswith("PASS  ")
    assert "soak_time 5 s, plan 30 s" in plain_block(ran.outcome)
    assert "soak_time 5 s, plan 30 s" in render_text(ran.outcome.folder)
    (one,) = list_runs(tmp_path)
    assert (one.word, one.reported) == ("PASS", ("soak_time 5 s, plan 30 s",))


def test_a_failed_engineering_run_is_a_fail_and_an_engineering_run(tmp_path):
    path = plan(tmp_path)
    path.write_text(path.read_text().replace("100 L/min", "300 L/min"))
    ran = run_plan(path, tmp_path, settings={"soak_time": "5 s"})
    assert ran.exit_code == 1
    block = plain_block(ran.outcome).splitlines()
    assert block[1].startswith("FAIL  ")
    assert "ENGINEERING RUN" in block[3]
    assert "ENGINEERING RUN: soak_time is 5 s" in harness("runs", data=tmp_path).stdout


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("burn_in_24h", {"soak_time": "23 h"}),
        ("burn_in_24h", {"load": "0 %"}),
        ("burn_in_24h", {"low_load": "100 %"}),
        ("burn_in_24h", {"cycle_every": "24 h"}),
        ("burn_in_24h", {"cycle_low": "1 s"}),
        ("acceptance", {"load": "50 %"}),
        ("acceptance", {"soak_time": "9 s"}),
    ],
)
def test_what_makes_the_shipped_plans_easier_costs_their_certificate(name, settings):
    on = load_station(STATION)
    assert load_project(PLANS / f"{name}.yaml", on, settings).engineering
    assert load_project(PLANS / f"{name}.yaml", load_station(STATION)).engineering == ()
