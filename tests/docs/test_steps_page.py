"""The page on what steps compute has a row for every step that computes something, with its source and uncertainty."""

from __future__ import annotations

import re
from pathlib import Path

from harness.project.step import known_steps, package_of_step

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "steps.md").read_text(encoding="utf-8")
NOTHING_COMPUTED = {"set", "ramp", "power_on", "power_off", "hold", "wait_until", "check", "prompt", "measure"}
"""They act, wait, or judge what a device shows as it is (statistics: docs/reference/limits.md)."""


def rows():
    """Step -> the cells of its first row."""
    found = {}
    for line in PAGE.splitlines():
        if match := re.match(r"\| `([a-z_]+)`", line):
            found.setdefault(match[1], [cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_every_step_that_computes_has_a_row():
    steps = {name for name in known_steps() if not package_of_step(name)}
    assert set(rows()) == steps - NOTHING_COMPUTED


def test_every_row_says_value_source_and_uncertainty():
    for name, cells in rows().items():
        assert len(cells) == 4, name
        assert all(cells), name


def test_every_formula_that_names_a_module_names_one_that_is_there():
    named = re.findall(r"`(harness/[a-z_/]+\.py)`", PAGE)
    assert named
    assert [each for each in named if not (ROOT / each).is_file()] == []
