"""The map of the house names every folder, and no file that is not there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "where-does-what-live.md").read_text(encoding="utf-8")


def test_every_folder_is_on_the_map():
    named = set(re.findall(r"^\| `(harness/[a-z]+)` \|", PAGE, re.MULTILINE))
    assert named == {f"harness/{each.parent.name}" for each in (ROOT / "harness").glob("*/__init__.py")}


def test_every_file_on_the_map_is_there():
    named = re.findall(r"`(harness/[a-z_/]+\.py)`", PAGE)
    assert len(named) > 25
    assert [each for each in named if not (ROOT / each).is_file()] == []
