"""Other hands at a bay: commands of another user, by another name of the host, with another station file."""

from __future__ import annotations

import ctypes
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration import forked
from tests.integration.forked import Forked
from tests.integration.guarded_tools import Bay

NOBODY = 65534
User = Callable[[], None]
"""Becomes somebody, in the process of a command."""


def as_nobody() -> None:
    """Give up all rights but those to files: the interpreter may lie where nobody else can read."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    ctypes.CDLL(None).setfsuid(0)


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


def harness(bay: Bay, *arguments: object, user: User | None = None, **environment: str) -> Done:
    """Carry a command out in a process of its own, as this user or as another one."""
    env = {**bay.env, **environment}
    code, out, err = forked.run(forked.command(*arguments, before=user), env)
    assert "Traceback" not in err, err
    return Done(code, out + err)


def run_again(bay: Bay, station: Path, data: str = "data-2", **environment: str) -> Done:
    return harness(
        bay, "run", bay.plan, "--station", station, "--serial", "OTHER-1", "--data", bay.folder / data, **environment
    )


def set_(bay: Bay, station: Path, control: str, value: str, *more: str, user: User | None = None) -> Done:
    return harness(bay, "set", control, value, "--yes", "--station", station, *more, user=user)


def said_last(process: Forked) -> dict[str, Any]:
    """The last line of a runner that has ended."""
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    process.wait(60)
    return dict(json.loads(lines[-1]))
