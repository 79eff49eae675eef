"""What contributors are told is there: the files, commands, targets and folders that the project's own pages name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "docs/reference/versions.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    assert set(re.findall(r"`harness ([a-z]+)", text)) <= set(COMMANDS)
    assert set(re.findall(r"`make ([a-z]+)", text)) <= TARGETS
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    named = re.findall(r"\b((?:docs|harness|packaging)/[\w/.-]+\.(?:md|py|txt)|[A-Z_]+\.md)\b", text)
    assert [name for name in links if not (page.parent / name).exists()] == []
    assert [name for name in named if not any((each / name).exists() for each in (ROOT, page.parent))] == []


def test_the_pages_name_enough_to_be_worth_it():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert len(PAGES) >= 8
    assert len(re.findall(r"`(?:harness|make) [a-z]+", text)) >= 15


def test_every_path_with_an_owner_is_there_and_everything_has_one():
    lines = (ROOT / ".github" / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    owned = [line.split() for line in lines if line and not line.startswith("#")]
    assert owned[0][0] == "*"
    assert all(owner.startswith("@") for _, *owners in owned for owner in owners or [""])
    assert [path for path, *_ in owned[1:] if not (ROOT / path.strip("/")).exists()] == []


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.md")), ids=lambda path: path.stem)
def test_an_issue_template_has_the_head_without_which_it_is_not_offered(path):
    head = re.match(r"---\nname: (.+)\nabout: (.+)\nlabels: (.+)\n---\n\n", path.read_text(encoding="utf-8"))
    assert head is not None
    assert all(word.strip() for word in head.groups())
