"""A key acts when it was alone: scans of any speed are none, also where the loop of the run comes late to read them."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
import tty

import pytest

from harness.cli.ui import keyboard
from harness.cli.ui.keyboard import KEYS, QUIET_S, Keyboard
from harness.clock import run

SCANS = ("rack-aa01", "RACK-AA01", "SN-PASS100", "SS", "RR", "aa", "ppccssrraa", "ca\r", "P\r\n", "\x1b[Aa", "a a")
GAPS_MS = (1, 5, 10, 15, 25, 50)


class OperatorRequests:
    """Stands for the run: writes down what it is told."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def obey(self, runner, command, who) -> dict:
        self.done.append(command["do"])
        return {"ok": True}


class Line:
    """A keyboard at one end of a pseudo terminal; the test types at the other."""

    def __init__(self, monkeypatch) -> None:
        self.operator = OperatorRequests()
        monkeypatch.setattr(keyboard, "obey", self.operator.obey)
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.keys = Keyboard(lambda: None)
        self.keys._loop, self.keys._state = asyncio.get_running_loop(), object()
        os.set_blocking(slave, False)
        self.keys._terminal.keys = slave
        self.keys._loop.add_reader(slave, self.keys._ready)
        self.keys.is_live = True
        self.keys._hush()

    def close(self) -> None:
        assert self.keys.is_live, "who is deaf hears no scan either"
        self.keys._deafen()
        os.close(self.master)

    async def typed(self, text: str, gap: float) -> bool:
        """Type with `gap` seconds between letters; whether all letters came in time."""
        times: list[float] = []

        def write() -> None:
            for letter in text:
                os.write(self.master, letter.encode())
                times.append(time.monotonic())
                time.sleep(gap)

        writer = threading.Thread(target=write)
        writer.start()
        while writer.is_alive():
            await asyncio.sleep(0.001)
        await asyncio.sleep(QUIET_S + 0.03)
        return all(b - a < QUIET_S - 0.01 for a, b in itertools.pairwise(times))


@pytest.mark.parametrize("gap_ms", GAPS_MS)
def test_no_scan_is_a_press(gap_ms, monkeypatch):
    async def main() -> None:
        line = Line(monkeypatch)
        await asyncio.sleep(QUIET_S + 0.02)
        for scan in SCANS if gap_ms < 10 else SCANS[:4]:
            if not await line.typed(scan, gap_ms / 1000):  # this machine was too slow to type as a scanner does
                line.operator.done.clear()
                line.keys._forget()
            assert line.operator.done == [], scan
            assert line.keys.pending == "", scan
        line.close()

    run(main)


@pytest.mark.parametrize("stall_ms", [60, 100, 200])
def test_a_loop_that_comes_late_takes_no_letter_of_a_scan_for_a_press(stall_ms, monkeypatch):
    """The last letter of a scan is read late, by itself, long after the one before it was."""

    async def main() -> None:
        line = Line(monkeypatch)
        await asyncio.sleep(QUIET_S + 0.02)
        for last in ("p", "P", "c"):
            for letter in "RACK-0":
                os.write(line.master, letter.encode())
                await asyncio.sleep(0.005)
            typist = threading.Timer(0.03, os.write, (line.master, last.encode()))
            typist.start()
            time.sleep(stall_ms / 1000)
            typist.join()
            await asyncio.sleep(QUIET_S + 0.03)
            assert line.operator.done == []
        line.close()

    run(main)


def test_fingers_are_heard(monkeypatch):
    async def main() -> None:
        line = Line(monkeypatch)
        await asyncio.sleep(QUIET_S + 0.02)
        for key in "pcssrr":
            await line.typed(key, 0.0)
        assert line.operator.done == ["pause", "continue", "skip", "retry"]
        await line.typed("a", 0.0)
        assert line.keys.pending == "abort"
        await line.typed("RACK-AA01", 0.005)  # a scan is another key: it cancels
        assert line.keys.pending == ""
        await line.typed("aa", 0.15)
        assert line.operator.done[-1] == "abort"
        assert set(line.operator.done) == set(KEYS.values())
        line.close()

    run(main)
