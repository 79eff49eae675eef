"""Nobody reads what a command says (`| head`, a window that is gone): it does all the same what it was asked to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plan_runs import PLANS

HARNESS = Path(sys.executable).parent / "harness"


def unread(folder: Path, *words: str, both: bool = False) -> tuple[int, str]:
    """Exit code and stdout of a command whose stderr (and stdout, where `both`) ends in a pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [HARNESS, *words],
            check=False,
            cwd=folder,
            env={**os.environ, "HARNESS_DATA": str(folder / "data"), "HARNESS_STATION": ""},
            stdout=write if both else subprocess.PIPE,
            stderr=write,
            timeout=60,
        )
    finally:
        os.close(write)
    return done.returncode, (done.stdout or b"").decode()


def test_the_safe_state_does_not_hang_on_a_note_that_nobody_reads(tmp_path):
    (tmp_path / "station.yaml").write_bytes((PLANS / "stations/simulated.yaml").read_bytes())
    code, said = unread(tmp_path, "safe", "--simulate")
    assert (code, "SAFE CONFIRMED" in said) == (0, True)


@pytest.mark.parametrize(
    ("words", "code"), [(("check", "wrong.yaml"), 2), (("check", "--help"), 0), (("--help",), 0), (("run", "-h"), 0)]
)
def test_what_nobody_reads_is_no_bug(tmp_path, words, code):
    (tmp_path / "wrong.yaml").write_text("schema: 1\nplan: p\nsteps: [{step: nothing}]\n")
    assert unread(tmp_path, *words, both=True)[0] == code
    assert not list(tmp_path.glob("data/bug-*"))
