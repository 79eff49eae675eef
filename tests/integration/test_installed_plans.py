"""What an installed user finds: plans to list, show, check and copy; the station that is used, named; sizes, said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import cli
from harness.engine.record_size import in_bytes
from harness.limits.verdict import Verdict
from harness.safety.precedence import Stop
from tests.plan_runs import PLANS, run_plan


def invoke(*arguments: str, folder: Path, **env: str) -> Result:
    return CliRunner().invoke(cli, arguments, env={"HARNESS_DATA": str(folder / "data"), "HARNESS_STATION": "", **env})


def test_plans_and_stations_are_listed_with_their_length(tmp_path):
    listed = invoke("plan", "list", folder=tmp_path)
    assert listed.exit_code == 0
    lines = {line.split()[0]: line for line in listed.stdout.splitlines()}
    assert set(lines) == {path.stem for path in [*PLANS.glob("*.yaml"), *PLANS.glob("stations/*.yaml")]}
    assert "Smoke test: 9 steps, 0:" in lines["smoke"]
    assert "1 d 00:33" in lines["burn_in_24h"]
    assert "station: " in lines["simulated"]


def test_a_plan_is_shown_as_it_is_installed(tmp_path):
    assert invoke("plan", "show", "--file", "smoke", folder=tmp_path).stdout == (PLANS / "smoke.yaml").read_text()
    station = (PLANS / "stations/simulated.yaml").read_text()
    assert invoke("plan", "show", "--file", "simulated", folder=tmp_path).stdout == station
    wrong = invoke("plan", "show", "--file", "smok", folder=tmp_path)
    assert wrong.exit_code == 2
    assert "did you mean 'smoke'" in wrong.stderr


def test_a_plan_is_shown_as_a_tree_with_what_it_takes(tmp_path):
    shown = invoke("plan", "show", "burn_in_24h", folder=tmp_path)
    assert shown.exit_code == 0
    soak = next(line for line in shown.stdout.splitlines() if "burn-in  [soak]" in line).split()
    assert soak[-6:] == ["1", "d", "00:00:00", "2868", "132", "172"]  # a sixth of the time at 30 %: 119.5 kW of 132
    assert shown.stdout.splitlines()[-1].startswith("24 bay hours at least")


def test_a_copy_has_the_files_that_it_includes(tmp_path):
    made, mine = tmp_path / "made", tmp_path / "mine"
    (made / "parts" / "more").mkdir(parents=True)
    hold = "schema: 1\nsequence: s\nsteps:\n  - {step: hold, for: 1 s}\n"
    (made / "parts" / "more" / "inner.yaml").write_text(hold)
    (made / "parts" / "outer.yaml").write_text(hold + "  - {group: g, steps: [{include: more/inner.yaml}]}\n")
    (made / "plan.yaml").write_text("schema: 1\nplan: p\nsteps: [{include: parts/outer.yaml}]\n")
    copied = invoke("plan", "copy", str(made / "plan.yaml"), str(mine), folder=tmp_path)
    assert copied.exit_code == 0, copied.stderr
    checked = invoke("check", str(mine / "plan.yaml"), "--station", "simulated", folder=tmp_path)
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize("name", ["smoke", "acceptance", "burn_in_24h"])
def test_a_copy_is_whole_and_can_be_checked(name, tmp_path):
    mine = tmp_path / "mine"
    copied = invoke("plan", "copy", name, str(mine), folder=tmp_path)
    assert copied.exit_code == 0
    assert (mine / f"{name}.yaml").read_bytes() == (PLANS / f"{name}.yaml").read_bytes()
    checked = invoke("check", str(mine / f"{name}.yaml"), "--station", "simulated", folder=tmp_path)
    assert checked.exit_code == 0, checked.output
    changed = mine / f"{name}.yaml"
    changed.write_text("mine")
    again = invoke("plan", "copy", name, str(mine), folder=tmp_path)
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert changed.read_text() == "mine"


@pytest.mark.timeout(30)
def test_what_is_no_file_is_neither_shown_nor_copied(tmp_path):
    os.mkfifo(tmp_path / "fifo.yaml")
    show, fifo = ["show", "--file"], str(tmp_path / "fifo.yaml")
    for words in ([*show, "/dev/zero"], [*show, fifo], ["copy", "/dev/zero", str(tmp_path)]):
        refused = invoke("plan", *words, folder=tmp_path)
        assert (refused.exit_code, "not a regular file" in refused.stderr) == (2, True)


def test_a_copy_is_whole_or_none(tmp_path):
    plan, mine = tmp_path / "p.yaml", tmp_path / "mine"
    plan.write_text("schema: 1\nplan: p\nlimits: fifo.yaml\nsteps: [{step: prompt, text: go}]\n")
    os.mkfifo(tmp_path / "fifo.yaml")
    refused = invoke("plan", "copy", str(plan), str(mine), folder=tmp_path)
    assert (refused.exit_code, "not a regular file" in refused.stderr) == (2, True)
    assert not mine.exists()


def test_a_copy_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    refused = invoke("plan", "copy", "smoke", str(tmp_path / "file" / "below"), folder=tmp_path)
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["smoke", "acceptance", "burn_in_24h", "simulated"])
def test_check_takes_the_names_that_run_takes(name, tmp_path):
    checked = invoke("check", name, folder=tmp_path)
    assert checked.exit_code == 0, checked.output
    assert f"{name}: ok, " in checked.stdout


def test_a_station_that_nobody_named_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    station = (PLANS / "stations" / "simulated.yaml").read_text()
    (tmp_path / "station.yaml").write_text(station)
    found = invoke("check", "smoke", folder=tmp_path)
    assert found.stderr == "note: the station is station.yaml in this folder; --station names another\n"
    (tmp_path / "other.yaml").write_text(station)
    found = invoke("check", "smoke", folder=tmp_path, HARNESS_STATION="other.yaml")
    assert "note: the station is other.yaml, from $HARNESS_STATION" in found.stderr
    assert invoke("check", "smoke", "--station", "other.yaml", folder=tmp_path).stderr == ""


@pytest.mark.parametrize("kind", ["pipe", "folder", "dangling link"])
def test_a_station_that_is_no_file_is_not_passed_over(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make = {"pipe": os.mkfifo, "folder": os.mkdir, "dangling link": lambda path: os.symlink("nowhere", path)}
    make[kind]("station.yaml")
    for command in (("run", "smoke", "--serial", "R1"), ("check", "smoke"), ("probe",)):
        found = invoke(*command, folder=tmp_path)
        assert found.exit_code == 2
        assert found.stderr.splitlines()[-1].startswith("station.yaml: HX-1001 "), found.stderr


LONG = "schema: 1\nplan: x\nsteps:\n  - {step: hold, for: HOURS, watch: [{signal: cdu.flow, min: 5 L/min}]}\n"


def held(folder: Path, hours: str):
    path = folder / "plan.yaml"
    path.write_text(LONG.replace("HOURS", hours))

    def during(runner, _simulation):
        async def end():
            await runner.clock.sleep(20.0)
            runner.stop_with(Stop(Verdict.ABORTED, "enough"))

        return end()

    return run_plan(path, folder / "data", during=during)


def test_a_large_record_is_announced_and_one_without_room_is_not_begun(tmp_path, monkeypatch):
    ran = held(tmp_path, "48 h")
    (reported,) = [text for text in ran.texts("note") if text.startswith("the record will take about")]
    assert "GB (" in reported
    assert "/s for 48 h)" in reported
    assert "are free" in reported
    assert not [text for text in held(tmp_path, "1 min").texts("note") if "will take about" in text]

    class Full:
        free = 100e6

    monkeypatch.setattr("harness.engine.record_size.shutil.disk_usage", lambda _: Full())
    full = held(tmp_path, "48 h")
    assert full.outcome.verdict is Verdict.ERROR
    assert "100 MB are free: not enough" in full.reason
    assert full.outcome.hint == "make room, or name another folder with --data"
    assert full.on == []


def test_the_announced_size_is_about_what_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.engine.record_size.WORTH_TELLING", 0)
    path = tmp_path / "plan.yaml"
    path.write_text(LONG.replace("HOURS", "10 min"))
    ran = run_plan(path, tmp_path / "data")
    (reported,) = [text for text in ran.texts("note") if text.startswith("the record will take about")]
    number, unit = reported.removeprefix("the record will take about ").split(" (")[0].split()
    written = (ran.outcome.folder / "journal.db").stat().st_size
    assert float(number) * {"MB": 1e6, "GB": 1e9}[unit] == pytest.approx(written, rel=0.25)


def test_numbers_of_bytes_as_people_say_them():
    assert [in_bytes(count) for count in (12, 12_345, 94_269_440, 1.1e9)] == [
        "12 bytes",
        "12.3 kB",
        "94.3 MB",
        "1.1 GB",
    ]


FEWER = """\
schema: 1
station: bay
devices:
  pdu: {profile: pdu/apc_rpdu2, address: "snmp://10.0.0.11:161"}
  cdu: {profile: cdu/meta_rpu, address: "modbus+tcp://10.0.0.12:502/12"}
interlocks:
  - {name: leak, signal: cdu.leak, equals: dry, on_trip: leak}
safe_state:
  default: [{set: pdu.outlet, to: "off"}]
  leak: {kind: leak, actions: [{set: pdu.outlet, to: "off"}, {set: cdu.pump, to: "off"}]}
"""


def test_a_pdu_with_fewer_outlets_than_its_profile_counts_can_be_made_safe(tmp_path):
    """The profile counts 48 outlets, the device has 8: what it does not have is neither on nor unknown."""
    (tmp_path / "bay.yaml").write_text(FEWER)
    safe = invoke("safe", str(tmp_path / "bay.yaml"), "--simulate", folder=tmp_path)
    assert safe.exit_code == 0, safe.output
    assert "SAFE CONFIRMED" in safe.stdout
