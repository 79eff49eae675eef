"""Ctrl-C throws away what was typed, also what the loop has just seen: a loop that reads on waits for ever.

Real terminals and real signals; the child counts the signals in its loop, and answers each of them from there.
"""

from __future__ import annotations

import os
import random
import select
import time
from pathlib import Path

import pytest

from tests.integration.pty_tools import Terminal

_FRAME = "x" * 3000

_HEARD = """
import asyncio, contextlib, signal, sys
from types import SimpleNamespace
from harness.cli.ui.prompts import Asker
from harness.cli.ui.keyboard import Keyboard
from harness.cli.ui.terminal import Output
from harness.clock import run

async def main(asks):
    loop, heard, output = asyncio.get_running_loop(), 0, Output(sys.stdout)
    def count():
        nonlocal heard
        heard += 1
        output.write(f"<heard {heard}>")
    # as the runner takes them: by the interpreter, so that a read that was interrupted is begun again
    signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(count))
    keyboard = Keyboard(lambda: output.write("%s"))
    keyboard.start(SimpleNamespace(clock=SimpleNamespace(is_virtual=False)))
    output.write("<ready>")
    while True:
        if asks:
            with keyboard.lent():
                await Asker(lambda text: output.write("?"), contextlib.nullcontext)("which", [])
        await asyncio.sleep(0 if asks else 0.1)

run(lambda: main(%s))
"""


@pytest.mark.parametrize("asks", [False, True], ids=["keys", "question"])
def test_a_loop_hears_every_ctrl_c_amid_keys(asks: bool, tmp_path: Path) -> None:
    draw = random.Random(20261130)
    terminal = Terminal(data=tmp_path, work=lambda: exec(_HEARD % (_FRAME, asks), {}))
    try:
        terminal.read_until("<ready>")
        for number in range(1, 151):
            for _ in range(draw.randint(1, 8)):
                terminal.type("\n" if asks else "x")
                if draw.random() < 0.5:
                    time.sleep(0.0005)
            if draw.random() < 0.5:
                time.sleep(draw.random() * 0.003)
            if select.select([terminal.descriptor], [], [], 0)[0]:  # a reader as slow as a link is: some, not all
                os.read(terminal.descriptor, draw.choice([100, 4096, 65536]))
            terminal.type("\x03")
            terminal.fresh(f"<heard {number}>", 10.0)
    finally:
        os.kill(terminal.pid, 9)
        terminal.end()
