"""Keys of the live view over a pseudo terminal, in real time: what they do, what the record says, what the tty is."""

from __future__ import annotations

import getpass
import json
import os
import signal
import sys
import termios
import time
from pathlib import Path

import pytest

from harness.record.index import list_runs
from harness.telemetry.reading import open_for_reading
from tests.integration.forked import command
from tests.integration.pty_tools import Terminal

PLAN = """\
schema: 1
plan: keys
steps:
  - {step: hold, name: first, for: 120 s}
  - {step: prompt, text: Are all hoses on?, answers: ["yes", "no"], passes: ["yes"]}
  - {step: hold, name: third, for: 120 s}
"""


@pytest.fixture
def plan(tmp_path: Path) -> str:
    """Two long steps with a question between them."""
    path = tmp_path / "keys.yaml"
    path.write_text(PLAN)
    return str(path)


def operator_events(data: Path) -> list[tuple[str, bool, str]]:
    """(command, done, who) of every command of the only run."""
    (last,) = list_runs(data)
    with open_for_reading(last.path / "journal.db") as reader:
        events = list(reader.events("operator"))
    assert all(event.wall_ns > 1_700_000_000 * 10**9 for event in events)
    return [(event.data["command"], event.data["done"], event.data["who"]) for event in events]


def test_keys_act_like_ctl_and_what_cannot_be_undone_asks_twice(plan: str, tmp_path: Path) -> None:
    terminal = Terminal("run", plan, "--simulate", data=tmp_path)
    before = termios.tcgetattr(terminal.descriptor)
    terminal.read_until("step 1 of 3: first")
    assert terminal.is_raw()
    terminal.read_until("p pause   s skip   r retry   a abort")

    terminal.press("p")
    terminal.fresh("PAUSED 0:0")
    assert "c continue" in terminal.text
    terminal.type("\x1a")  # Ctrl-Z: a runner that is stopped would watch nothing
    terminal.fresh("PAUSED 0:0")
    terminal.press("c")
    terminal.fresh("p pause")

    terminal.press("a")
    terminal.fresh("press a again to abort the run, any other key to cancel")
    terminal.press("s")  # any other key: cancels, and does not begin to skip either
    terminal.fresh("p pause")
    assert "press s again" not in terminal.text
    terminal.type("\x1b[A")  # an arrow key has an A in it
    terminal.type("as")  # pasted text
    terminal.fresh("p pause")
    assert "again" not in terminal.text

    terminal.type("ss")  # a key that is held down, or a scan: no press
    terminal.fresh("p pause")
    assert "again" not in terminal.text
    terminal.press("s")
    terminal.fresh("press s again to skip the step")
    terminal.press("s")
    terminal.fresh("yes / no > ")
    assert not terminal.is_raw()  # the question has the keyboard: what is typed is seen and edited
    terminal.type("yes\n")

    terminal.fresh("step 3 of 3: third")
    assert terminal.is_raw()
    terminal.press("r")
    terminal.fresh("press r again")
    terminal.press("R")  # caps lock
    terminal.fresh("begun again")
    terminal.fresh("step 0:0")  # the bar of the second attempt; no picture of it is promised for each second

    terminal.press("a")
    terminal.fresh("press a again")
    terminal.press("a")
    terminal.read_until("ABORTED: ")
    terminal.read_until("harness report")
    after = termios.tcgetattr(terminal.descriptor)
    assert terminal.end() == 130, terminal.text[-3000:]
    assert after[:4] == before[:4]
    who = f"{getpass.getuser()} at the keyboard"
    reported = operator_events(tmp_path)
    assert [each[:2] for each in reported] == [(do, True) for do in ("pause", "continue", "skip", "retry", "abort")]
    assert {each[2] for each in reported} == {who}
    (last,) = list_runs(tmp_path)
    result = json.loads((last.path / "result.json").read_text())
    assert result["verdict"] == "ABORTED"
    steps = [(step["name"], step["attempt"], step["verdict"]) for step in result["steps"]]
    assert ("first", 1, "SKIPPED") in steps
    assert ("third", 1, "ABORTED") in steps
    assert ("third", 2, "ABORTED") in steps


def test_the_second_press_must_come_within_five_seconds(plan: str, tmp_path: Path) -> None:
    terminal = Terminal("run", plan, "--simulate", "--speed", "3", data=tmp_path)
    terminal.read_until("p pause")
    terminal.press("a")
    terminal.fresh("press a again")
    pressed = time.monotonic()
    terminal.fresh("p pause")
    assert 3.0 < time.monotonic() - pressed < 8.0  # real seconds, whatever the speed of the run
    terminal.press("a")
    terminal.fresh("press a again")
    terminal.press("a")
    terminal.read_until("harness report")
    assert terminal.end() == 130
    assert [each[0] for each in operator_events(tmp_path)] == ["abort"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_gives_the_terminal_back(number: signal.Signals, plan: str, tmp_path: Path) -> None:
    terminal = Terminal("run", plan, "--simulate", data=tmp_path)
    terminal.read_until("p pause")
    assert terminal.is_raw()
    os.kill(terminal.pid, number)
    terminal.read_until("harness report")
    assert not terminal.is_raw()
    assert terminal.end() in (130, 143)


def test_without_a_keyboard_there_are_no_keys(plan: str, tmp_path: Path) -> None:
    blind = "import os; os.dup2(os.open(os.devnull, os.O_RDONLY), 0)"
    terminal = Terminal(data=tmp_path, work=command("run", plan, "--simulate", before=blind))
    terminal.read_until("Ctrl-C: stop and make the rack safe")
    assert not terminal.is_raw()
    terminal.type("aa")
    terminal.fresh("Ctrl-C: stop")
    assert "p pause" not in terminal.text
    terminal.type("\x03")
    assert terminal.end() == 130
    assert operator_events(tmp_path) == []


@pytest.mark.parametrize("end", ["raise RuntimeError('gone wrong')", "sys.exit(3)", "os.kill(os.getpid(), 2)"])
def test_a_crash_gives_the_terminal_back(end: str, tmp_path: Path) -> None:
    code = (
        "import os, sys; from harness.cli.ui.keyboard import Terminal; t = Terminal(); assert t.take();"
        f"print('taken', flush=True); os.read(0, 1); {end}"
    )
    terminal = Terminal(data=tmp_path, program=[sys.executable, "-c", code])
    terminal.read_until("taken")
    assert terminal.is_raw()
    slave = os.open(f"/proc/{terminal.pid}/fd/0", os.O_RDWR | os.O_NOCTTY)  # keeps the terminal alive
    try:
        terminal.press("x")
        os.waitpid(terminal.pid, 0)
        assert not terminal.is_raw()
    finally:
        os.close(slave)
        os.close(terminal.descriptor)


SCANS = ("rack-aa01", "RACK-AA01", "SN-PASS100", "SS", "RR", "aa", "C", "ppccssrraa", "P")
"""Serial numbers with every key in them, as a scanner in the hand of an operator types them."""


@pytest.mark.parametrize(("gap_ms", "end"), [(0, ""), (1, "\r"), (5, ""), (15, "\r\n"), (25, ""), (25, "\r")])
def test_a_barcode_scanner_operates_nothing(gap_ms: int, end: str, plan: str, tmp_path: Path) -> None:
    """Whatever is scanned at whatever speed a scanner has, several letters a read or one, with Enter or without."""
    terminal = Terminal("run", plan, "--simulate", data=tmp_path)
    terminal.read_until("p pause")
    for scan in SCANS:
        if len(scan + end) == 1:
            continue  # one letter without Enter is what a finger types
        for letter in scan + end:
            terminal.type(letter)
            time.sleep(gap_ms / 1000)
        time.sleep(0.3)  # between two scans there is time for a press
    terminal.press("p")
    terminal.fresh("PAUSED 0:0")  # people are still heard
    terminal.press("a")
    terminal.fresh("press a again")
    time.sleep(0.3)
    for letter in "RACK-AA01" + end:  # a scan is another key: it cancels
        terminal.type(letter)
        time.sleep(gap_ms / 1000)
    terminal.fresh("PAUSED")
    terminal.type("\x03")
    terminal.read_until("harness report")
    assert terminal.end() == 130
    assert [each[0] for each in operator_events(tmp_path)] == ["pause"]
