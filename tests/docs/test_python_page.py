"""Every Python block of the page runs as it stands, and the tests in it pass."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli_tools import environment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "use-from-python.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_block_of_the_page_runs(number, tmp_path):
    script = tmp_path / "test_block.py"
    script.write_text(BLOCKS[number], encoding="utf-8")
    how = ["-m", "pytest", "-q", "-p", "no:cacheprovider"] if "def test_" in BLOCKS[number] else []
    done = subprocess.run(
        [sys.executable, *how, str(script)], cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_blocks():
    assert len(BLOCKS) == 4
