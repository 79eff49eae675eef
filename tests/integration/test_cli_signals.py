"""Signals at any moment of a run against devices in another process: the outlets are off in the ground truth."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.cli_tools import COMMAND, environment, simulation, spoken, write_plan
from tests.integration.pty_tools import Terminal

SEED = 20_260_801


def result_of(data: Path) -> dict[str, object]:
    """The result of the only run in a data folder."""
    (path,) = (data / "runs").glob("*/result.json")
    document: dict[str, object] = json.loads(path.read_text())
    return document


@pytest.mark.parametrize(
    ("signals", "code"),
    [
        ((signal.SIGTERM,), 143),
        ((signal.SIGINT,), 130),
        ((signal.SIGINT, signal.SIGINT), 130),
        ((signal.SIGTERM, signal.SIGINT, signal.SIGTERM), 143),
        ((signal.SIGHUP,), 130),
    ],
    ids=["term", "int", "int-int", "term-int-term", "hup"],
)
def test_a_signal_at_a_random_moment_leaves_every_outlet_off(
    signals: tuple[signal.Signals, ...], code: int, tmp_path: Path
) -> None:
    moment = random.Random(f"{SEED}-{signals}").uniform(0.0, 4.0)
    plan = write_plan(tmp_path, hold="60 s")
    data = tmp_path / "data"
    with simulation(tmp_path) as (station, truth, _):
        with spoken("run", str(plan), "--station", str(station), "--serial", "S-1", data=data) as process:
            process.wait_for("step         power on: started")
            time.sleep(moment)
            for number in signals:
                process.send(number)
                time.sleep(0.02)
            assert process.end(40) == code, "".join(process.lines)
        assert truth.outlets_on() == []
    text = "".join(process.lines)
    assert "ABORTED  S-1" in text
    assert "SAFE CONFIRMED" in text
    if len(signals) > 1:
        assert "already stopping" in text
    result = result_of(data)
    assert result["verdict"] == "ABORTED"
    assert result["safe_state"]["confirmed"] is True  # type: ignore[index]


def test_a_signal_before_the_devices_are_open_energises_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with simulation(tmp_path, "--fault", "device_slow:cdu=0.4s") as (station, truth, _):
        plan = write_plan(tmp_path)
        with spoken("run", str(plan), "--station", str(station), "--serial", "S-2", data=data) as process:
            process.wait_for("opening 6 devices")
            process.send(signal.SIGTERM)
            assert process.end(40) == 143, "".join(process.lines)
        assert truth.outlets_on() == []
    assert result_of(data)["verdict"] == "ABORTED"


def test_a_reader_that_sleeps_does_not_hold_up_the_run(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, hold="1 s")
    data = tmp_path / "data"
    with simulation(tmp_path) as (station, truth, _):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with open(writer, "wb", buffering=0, closefd=False) as pipe:
            while pipe.write(b"x" * 4096):  # a full pipe: the first line of the run already blocks
                pass
        os.set_blocking(writer, True)
        process = subprocess.Popen(
            [*COMMAND, "run", str(plan), "--station", str(station), "--serial", "S-3"],
            env=environment(data), stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(writer)
        try:
            assert process.wait(60) == 0
        finally:
            if process.poll() is None:
                process.kill()
                process.wait(10)
            os.close(reader)
        assert truth.outlets_on() == []
    assert result_of(data)["verdict"] == "PASS"


PROMPT = """\
schema: 1
plan: ask
steps:
  - {step: hold, name: first, for: 5 s}
  - {step: prompt, text: Are all hoses on?, answers: ["yes", "no"], passes: ["yes"]}
"""


@pytest.mark.parametrize("virtual", [True, False], ids=["virtual", "real"])
@pytest.mark.parametrize(("keys", "code"), [("maybe\ny\n", 0), ("no\n", 1), ("\x03", 130)], ids=["yes", "no", "ctrl-c"])
def test_a_prompt_at_a_terminal(keys: str, code: int, virtual: bool, tmp_path: Path) -> None:
    plan = tmp_path / "ask.yaml"
    plan.write_text(PROMPT)
    terminal = Terminal("run", str(plan), "--simulate", *(["--virtual"] if virtual else []), data=tmp_path)
    terminal.read_until("yes / no > ")
    terminal.type(keys)
    assert terminal.end() == code, terminal.text[-3000:]
    verdict = {0: "PASS", 1: "FAIL", 130: "ABORTED"}[code]
    assert f"{verdict}: " in terminal.text
    if keys.startswith("maybe"):
        assert "is not one of" in terminal.text
    assert result_of(tmp_path)["verdict"] == verdict


def test_the_serial_is_asked_for_at_a_terminal(tmp_path: Path) -> None:
    with simulation(tmp_path) as (station, _, _process):
        plan = tmp_path / "wait.yaml"
        watch = "watch: [{signal: cdu.leak, equals: dry}]"
        plan.write_text(f"schema: 1\nplan: wait\nsteps:\n  - {{step: hold, for: 5 s, {watch}}}\n")
        terminal = Terminal("run", str(plan), "--station", str(station), data=tmp_path / "data")
        terminal.read_until("Serial number")
        terminal.type("R-99\n")
        assert terminal.end() == 0, terminal.text[-3000:]
    assert result_of(tmp_path / "data")["serial"] == "R-99"
    assert "\x1b[?1049h" in terminal.text  # the live view had the screen
    assert terminal.text.rindex("\x1b[?1049l") > terminal.text.rindex("\x1b[?1049h")  # and gave it back
