"""Other hands at a bay: commands of another user, by another name of the host, with another station file."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.guarded_tools import ROOT, Bay

MAIN = "from harness.cli.main import main; main()"
NOBODY = 65534
AS_NOBODY = f"""
import ctypes, os
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, 0)
os.setresuid({NOBODY}, {NOBODY}, 0)
ctypes.CDLL(None).setfsuid(0)  # files as root: the interpreter may lie where nobody else can read
{MAIN}
"""
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="another user's processes need root to be started")


def write_station(bay: Bay, file: str, *, host: str = "127.0.0.1", name: str = "bay-7", **replaced: str) -> Path:
    """A station file of the bay's devices; `replaced` gives a device another address."""
    text = bay.station.read_text().replace("station: bay-7", f"station: {name}")
    for device, address in {**json.loads(bay.addresses.read_text())["addresses"], **replaced}.items():
        text = re.sub(rf"({device}: {{[^}}]*address: )\"[^\"]*\"", rf'\g<1>"{address}"', text)
    path = bay.folder / file
    path.write_text(text.replace("127.0.0.1", host))
    return path


class Done:
    """What a command came to."""

    def __init__(self, code: int, said: str) -> None:
        self.code = code
        self.said = said


def harness(bay: Bay, *arguments: object, user: str = MAIN, **environment: str) -> Done:
    """Carry a command out."""
    command = [sys.executable, "-c", f"import sys; sys.argv[0] = 'harness'; {user}" if user is MAIN else user]
    done = subprocess.run(
        [*command, *(str(each) for each in arguments)],
        check=False, capture_output=True, text=True, cwd=ROOT, env={**bay.env, **environment}, timeout=90,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout + done.stderr)


def run_again(bay: Bay, station: Path, data: str = "data-2", **environment: str) -> Done:
    return harness(
        bay, "run", bay.plan, "--station", station, "--serial", "OTHER-1", "--data", bay.folder / data, **environment
    )


def set_(bay: Bay, station: Path, control: str, value: str, *more: str, user: str = MAIN) -> Done:
    return harness(bay, "set", control, value, "--yes", "--station", station, *more, user=user)


def said_last(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The last line of a runner that has ended."""
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    process.wait(60)
    return dict(json.loads(lines[-1]))
