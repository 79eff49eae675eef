"""Every benchmark runs, and the page shows what it prints: a figure that nobody can measure again proves nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"


@pytest.mark.timeout(240)
def test_every_benchmark_runs_and_is_on_the_page():
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "run.py"), "--quick"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    printed = [line.split("  |  ")[0] for line in done.stdout.splitlines()]
    shown = [found[1] for found in re.finditer(r"^\| (.+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)]
    assert printed == shown[1:]
