"""The table of faults names tests that exist, leaves no fault out, and is honest where there is none."""

from __future__ import annotations

import ast
import re

import pytest

from harness.device.texts import printable
from harness.schema.problems import one_line
from tests.docs.doc_pages import ROOT

PAGE = (ROOT / "docs" / "reference" / "fault-coverage.md").read_text(encoding="utf-8")
ROWS = {
    cells[0]: cells for line in PAGE.splitlines() if len(cells := [c.strip() for c in line.strip("|").split("|")]) == 4
}
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+)::(\w+)`", PAGE)))
WANTED = [*(f"D{k}" for k in range(1, 24)), *(f"N{k}" for k in range(1, 10)), *(f"T{k}" for k in range(1, 12)),
          *(f"H{k}" for k in range(1, 18)), "X1"]  # fmt: skip


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path, name):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, f"{path}::{name}"


@pytest.mark.parametrize("fault", WANTED)
def test_every_fault_has_a_row_that_shows_a_test_or_says_that_there_is_none(fault):
    shown = ROWS[fault][3]
    assert re.search(r"`tests/[\w/.]+::\w+`", shown) or shown.startswith("not covered"), shown


@pytest.mark.parametrize(
    "hostile",
    [b"\x1b]0;title\x07\x1b[2J", b"a\0b", b"x\r\nPASS  RACK-1", b"\xff\xfe\x80", "\u202eSSAP".encode(), b"A" * 65536],
)
def test_hostile_texts_are_shown_harmless(hostile):
    for text in (printable(hostile), one_line(printable(hostile))):
        assert text.isprintable()
        assert "\n" not in text
        assert len(text) <= 4 * 256
