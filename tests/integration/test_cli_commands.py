"""The command line as a person meets it: one line for a mistake, the right exit code, output that can be parsed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import COMMANDS, cli
from tests.integration.cli_tools import COMMAND, environment, harness, simulation, spoken, write_plan


def invoke(*arguments: str, data: Path, **more: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(cli, list(arguments), env={"HARNESS_DATA": str(data), "HARNESS_STATION": "", **more})


def one_line(result: Result) -> str:
    """The single line that a refused command leaves on stderr."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.output
    return lines[0]


OURS = [
    "harness.cli",
    "harness.cli.leaving",
    "harness.cli.main",
    "harness.transport",
    "harness.transport.openfiles",
    "harness.version",
]
"""What the command itself is made of: small, and nothing of anybody else in it."""


def test_main_imports_only_click_and_the_standard_library() -> None:
    script = (
        "import sys; before = set(sys.modules); import harness.cli.main; new = set(sys.modules) - before;"
        "roots = {name.partition('.')[0] for name in new} - sys.stdlib_module_names;"
        "print(sorted(roots)); print(sorted(n for n in new if n.startswith('harness.')))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == ["['click', 'harness']", str(OURS)]


def test_help_lists_every_command_and_imports_none(tmp_path: Path) -> None:
    result = harness("--help", data=tmp_path)
    assert result.returncode == 0
    assert all(f"\n  {name} " in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str, tmp_path: Path) -> None:
    result = invoke(name, "--help", data=tmp_path)
    assert result.exit_code == 0
    assert "Usage:" in result.output


@pytest.mark.parametrize("command", [[], ["profile"]])
def test_without_a_command_the_help_is_shown(command: list[str], tmp_path: Path) -> None:
    result = invoke(*command, data=tmp_path)
    assert result.exit_code == 2
    assert "\nCommands:\n" in result.stderr


def test_a_missing_argument_is_one_line(tmp_path: Path) -> None:
    result = invoke("schema", data=tmp_path)
    assert result.exit_code == 2
    assert "Choose from: plan, sequence, sku, wiring, bill, station, profile" in one_line(result)


def test_unknown_file_is_one_line_and_exit_2(tmp_path: Path) -> None:
    result = invoke("run", "nosuch.yaml", "--simulate", data=tmp_path)
    assert result.exit_code == 2
    assert "nosuch.yaml" in one_line(result)
    assert result.stdout == ""


def test_a_misspelt_plan_is_guessed(tmp_path: Path) -> None:
    result = invoke("run", "smok", "--simulate", data=tmp_path)
    assert result.exit_code == 2
    assert "did you mean 'smoke'" in one_line(result)


@pytest.mark.parametrize("serial", ["../x", "a b", "", "x" * 65, "=cmd", "a\nb,c=1 2", "\u202eABC", "<script>"])
def test_a_bad_serial_is_refused_before_anything_else_happens(serial: str, tmp_path: Path) -> None:
    plan = write_plan(tmp_path)
    result = invoke("run", str(plan), "--simulate", "--serial", serial, data=tmp_path / "data")
    assert result.exit_code == 2
    assert "serial" in one_line(result)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("module", ["harness", "harness.cli.main"])
def test_a_module_that_is_run_is_the_command_and_never_a_silent_pass(module: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "check", "no_such_plan"], cwd=tmp_path, env=environment(tmp_path),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no_such_plan" in done.stderr


def test_without_a_terminal_a_serial_must_be_given(tmp_path: Path) -> None:
    station = tmp_path / "station.yaml"
    station.write_text("schema: 1\n")
    result = invoke("run", str(write_plan(tmp_path)), "--station", str(station), data=tmp_path)
    assert result.exit_code == 2
    assert "--serial" in one_line(result)


@pytest.mark.parametrize(
    "options", [["--virtual"], ["--fault", "leak"], ["--speed", "2"], ["--simulate", "--virtual", "--speed", "2"]]
)
def test_options_of_the_simulation_need_a_simulation(options: list[str], tmp_path: Path) -> None:
    result = invoke("run", str(write_plan(tmp_path)), "--serial", "S1", *options, data=tmp_path)
    assert result.exit_code == 2
    one_line(result)


def test_an_unknown_fault_is_refused_with_the_nearest(tmp_path: Path) -> None:
    plan = str(write_plan(tmp_path))
    result = invoke("run", plan, "--simulate", "--virtual", "--fault", "pump_stp:1", data=tmp_path)
    assert result.exit_code == 2
    assert "pump_stop" in one_line(result)


def test_check_reports_all_mistakes_of_all_files_sorted(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(
        "schema: 1\nplan: b\nsteps:\n  - {step: hld, for: 3 s}\n  - {step: hold, for: 3}\n"
    )
    (tmp_path / "a.yaml").write_text("schema: 1\nlimit_set: a\nversion: 2\nlimits: {}\nlimts: {}\n")
    good = write_plan(tmp_path)
    names = [str(tmp_path / "b.yaml"), str(tmp_path / "a.yaml"), str(good), str(tmp_path / "missing.yaml")]
    result = invoke("check", *names, data=tmp_path)
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines == sorted(lines)
    assert len(lines) >= 5
    assert any("b.yaml:4:" in line and "'hold'" in line for line in lines)
    assert any("a.yaml:5:" in line for line in lines)
    assert any("missing.yaml" in line for line in lines)
    assert f"{good}: ok" in result.stdout


def test_check_knows_a_file_of_no_kind(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("schema: 1\nfoo: 2\n")
    result = invoke("check", str(tmp_path / "x.yaml"), data=tmp_path)
    assert result.exit_code == 2
    assert "not a plan" in one_line(result)


@pytest.mark.parametrize("kind", ["plan", "station", "profile", "limits", "result"])
def test_schemas_are_json_schema(kind: str, tmp_path: Path) -> None:
    result = invoke("schema", kind, data=tmp_path)
    document = json.loads(result.stdout)
    assert document["$schema"].startswith("https://json-schema.org/")
    assert "$defs" in document


def test_the_plan_schema_holds_every_step_by_its_name(tmp_path: Path) -> None:
    document = json.loads(invoke("schema", "plan", data=tmp_path).stdout)
    branches = [ref["$ref"].rpartition("/")[2] for ref in document["$defs"]["StepEntry"]["oneOf"]]
    named = {document["$defs"][branch]["properties"]["step"]["const"] for branch in branches}
    assert {"power_on", "measure", "soak", "check", "prompt"} <= named
    soak = document["$defs"]["step_soak"]
    assert "for" in soak["required"]
    assert soak["additionalProperties"] is False
    text = json.dumps(document)
    for reference in {part.partition('"')[0] for part in text.split('"#/$defs/')[1:]}:
        assert reference in document["$defs"]


def test_a_virtual_run_its_json_and_its_record(tmp_path: Path) -> None:
    result = invoke("run", str(write_plan(tmp_path)), "--simulate", "--virtual", "--json", data=tmp_path)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    last = lines[-1]
    assert (last["kind"], last["verdict"], last["exit_code"]) == ("result", "PASS", 0)
    assert last["safe_confirmed"] is True
    assert Path(last["record"]).is_dir()
    kinds = {line["kind"] for line in lines}
    assert {"run", "step", "step end", "measurement", "verdict", "result"} <= kinds
    listed = [json.loads(line) for line in invoke("runs", "--json", data=tmp_path).stdout.splitlines()]
    assert [(one["verdict"], one["serial"]) for one in listed] == [("PASS", "RACK-0001")]
    report = invoke("report", "last", data=tmp_path)
    assert "bus voltage" in report.stdout
    assert invoke("verify", "last", data=tmp_path).exit_code == 0
    (Path(last["record"]) / "result.json").write_text("{}")
    assert invoke("verify", "last", data=tmp_path).exit_code == 1


def test_a_failing_limit_names_step_value_and_limit(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, low="52 V")
    result = invoke("run", str(plan), "--simulate", "--virtual", "--serial", "R-7", data=tmp_path)
    assert result.exit_code == 1
    block = result.stdout.rpartition("=" * 78 + "\n")[0].rpartition("=" * 78 + "\n")[2]
    assert block.startswith("FAIL  R-7")
    assert "bus voltage" in block
    assert "52" in block
    assert "SAFE CONFIRMED" in block


def test_a_bug_is_one_line_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("harness.record.index.list_runs", broken)
    result = invoke("runs", data=tmp_path)
    assert result.exit_code == 70
    line = one_line(result)
    assert "planted" in line
    (file,) = tmp_path.glob("bug-*.txt")
    assert str(file) in line
    assert "ZeroDivisionError" in file.read_text()


def test_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    result = invoke("run", str(write_plan(tmp_path)), "--simulate", "--data", str(blocker / "x"), data=tmp_path)
    assert result.exit_code == 2
    assert "data folder" in one_line(result)


def test_unreachable_devices_give_one_tree_within_five_seconds(tmp_path: Path) -> None:
    with simulation(tmp_path) as (station, _, process):
        process.send(signal.SIGTERM)
        assert process.end(10) == 0
        started = time.monotonic()
        result = harness(
            "run", str(write_plan(tmp_path)), "--station", str(station), "--serial", "S1", data=tmp_path, timeout=20
        )
        took = time.monotonic() - started
    assert result.returncode == 3, result.stdout + result.stderr
    assert took < 7.0  # five for the devices, the rest for a loaded machine to start Python
    for device in ("pdu", "cdu", "shelf1", "switch", "rack", "daq"):
        assert f"─ {device} " in result.stdout
    assert "nothing was energised" in result.stdout


def test_a_speed_that_no_machine_can_do_is_named_as_the_cause(tmp_path: Path) -> None:
    result = harness("run", "smoke", "--simulate", "--speed", "1000", data=tmp_path, timeout=60)
    assert result.returncode == 3, result.stdout
    assert "--speed 1000 may be more than this machine can do" in result.stdout


def test_closed_stdout_does_not_matter(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, hold="30 s")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as broken:
        process = subprocess.run(
            [*COMMAND, "run", str(plan), "--simulate", "--virtual"],
            env=environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=broken,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (process.returncode, process.stderr) == (0, "")
    (result,) = (tmp_path / "runs").glob("*/result.json")
    assert json.loads(result.read_text())["verdict"] == "PASS"


def test_no_stdout_at_all(tmp_path: Path) -> None:
    plan = write_plan(tmp_path)
    script = f"exec {' '.join(repr(part) for part in COMMAND)} run {plan} --simulate --virtual >&- 2>&-"
    process = subprocess.run(
        ["/bin/sh", "-c", script], check=False, env=environment(tmp_path), stdin=subprocess.DEVNULL, timeout=60
    )
    assert process.returncode == 0


def test_a_prompt_without_a_terminal_is_an_error_at_once(tmp_path: Path) -> None:
    plan = tmp_path / "ask.yaml"
    plan.write_text("schema: 1\nplan: ask\nsteps:\n  - {step: prompt, text: Are all hoses on?}\n")
    result = invoke("run", str(plan), "--simulate", "--virtual", data=tmp_path)
    assert result.exit_code == 3
    assert "no terminal" in result.stdout


def test_by_hand_against_simulated_devices(tmp_path: Path) -> None:
    with simulation(tmp_path) as (station, truth, _):
        given = {"data": tmp_path, "HARNESS_STATION": str(station)}
        assert invoke("probe", str(station), data=tmp_path).exit_code == 0
        refused = invoke("set", "pdu.outlet[2]", "on", **given)
        assert refused.exit_code == 2
        assert truth.outlets_on() == []
        done = invoke("set", "pdu.outlet[2]", "on", "--yes", **given)
        assert done.exit_code == 0, done.output
        assert truth.outlets_on() == ["outlet[2].state"]
        assert invoke("read", "pdu.outlet[2].state", **given).stdout.strip() == "on"
        safe = invoke("safe", str(station), data=tmp_path)
        assert safe.exit_code == 0, safe.output
        assert "SAFE CONFIRMED" in safe.stdout
        assert truth.outlets_on() == []
        invoke("set", "pdu.outlet[2]", "on", "--yes", **given)
        assert truth.ask("inject outlet_stuck:2") == "ok"
        stuck = invoke("safe", str(station), data=tmp_path)
        assert stuck.exit_code == 5
        assert "NOT CONFIRMED" in stuck.stdout
        assert truth.outlets_on() == ["outlet[2].state"]


def test_switches_that_the_station_file_does_not_count_are_told_and_no_run_begins(tmp_path: Path) -> None:
    with simulation(tmp_path) as (station, truth, _):
        few = tmp_path / "few.yaml"
        text = station.read_text().replace("outlet: 8", "outlet: 4")
        few.write_text(text.replace(", confirm_by: {signal: pdu.power, max: 500 W}", ""))
        given = {"data": tmp_path, "HARNESS_STATION": str(station)}
        assert invoke("set", "pdu.outlet[7]", "on", "--yes", **given).exit_code == 0
        safe = invoke("safe", str(few), data=tmp_path)
        assert safe.exit_code == 5, safe.output
        assert "pdu has 8 of outlet, 4 are counted" in safe.stdout
        run = invoke("run", "smoke", "--station", str(few), "--serial", "R-1", data=tmp_path)
        assert run.exit_code == 3
        assert "pdu has 8 of outlet, 4 are counted" in run.stdout
        assert truth.outlets_on() == ["outlet[7].state"]
        assert invoke("safe", str(station), data=tmp_path).exit_code == 0


def test_a_safe_state_asked_for_by_hand_does_not_end_half_way(tmp_path: Path) -> None:
    with simulation(tmp_path) as (station, truth, _):
        given = {"data": tmp_path, "HARNESS_STATION": str(station)}
        assert invoke("set", "pdu.outlet[2]", "on", "--yes", **given).exit_code == 0
        assert truth.ask("inject device_slow:pdu=0.5") == "ok"
        with spoken("safe", str(station), data=tmp_path) as process:
            process.wait_for("sending pdu")
            process.send(signal.SIGINT)
            process.wait_for("goes on")
            process.send(signal.SIGTERM)
            process.wait_for("SAFE CONFIRMED")
            assert process.end(30) == 0
        assert truth.outlets_on() == []


def test_reading_a_signal_that_is_not_there_guesses(tmp_path: Path) -> None:
    result = invoke("read", "cdu.flw", "--simulate", data=tmp_path)
    assert result.exit_code == 2
    assert "cdu.flow" in one_line(result)


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with simulation(tmp_path) as (_, truth, _process):
        result = harness("sim", "--port-base", str(truth.port), data=tmp_path, timeout=20)
    assert result.returncode == 2
    assert "the port is taken" in result.stderr
    assert any(f":{truth.port + n}:" in result.stderr for n in range(8)), result.stderr  # a device may be beside it


def test_doctor_and_profiles(tmp_path: Path) -> None:
    doctor = invoke("doctor", data=tmp_path)
    assert doctor.exit_code == 0, doctor.output
    listed = invoke("profile", "list", data=tmp_path)
    assert "pdu/apc_rpdu2" in listed.stdout
    shown = invoke("profile", "show", "pdu/apc_rpdu2", data=tmp_path)
    assert "outlet[1]" in shown.stdout


@pytest.mark.parametrize("command", ["probe", "safe", "watch"])
def test_a_station_may_be_named_either_way(command: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "no_such_station.yaml")
    for words in ([missing], ["--station", missing]):
        result = invoke(command, *words, data=tmp_path)
        assert result.exit_code == 2
        assert "no such file" in one_line(result)
