"""The documentation is true: its files are accepted, its commands do what it says, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.doc_pages import PAGES, ROOT, blocks, commands, is_file, is_run, write

FILES = [block for page in PAGES for block in blocks(page) if is_file(block)]
RUNNABLE = [page for page in PAGES if any(map(is_run, blocks(page))) and page.name != "README.md"]
"""Pages whose commands are run here; those of the README are, in a shell, in `test_readme.py`."""


def harness(*words, cwd, **env):
    return subprocess.run(
        [sys.executable, "-c", "from harness.cli.main import main; main()", *words],
        cwd=cwd, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HARNESS_DATA": str(cwd / "data"), **env},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("block", FILES, ids=lambda block: block.name)
def test_every_file_that_is_shown_is_accepted(block, tmp_path):
    for earlier in blocks(block.page):
        if is_file(earlier) and earlier.line < block.line:
            write(earlier, tmp_path)
    shown = tmp_path / "shown.yaml"
    shown.write_text(block.text, encoding="utf-8")
    done = harness("check", shown.name, cwd=tmp_path)
    assert done.returncode == 0, f"{block.name}: {done.stderr}"
    kind = {"limits": "limit set"}.get(block.words[1], block.words[1])
    assert f"ok, {kind}" in done.stdout


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.stem)
def test_every_command_that_is_shown_does_what_the_page_says(page, tmp_path):
    """A page is followed from top to bottom: a file is there from where it is shown on."""
    for block in blocks(page):
        if is_file(block):
            write(block, tmp_path)
        for command, code in commands(block) if is_run(block) else ():
            program, *words = shlex.split(command)
            assert program == "harness"
            done = harness(*words, cwd=tmp_path, TRIAL_SNMP="{version: 2c, community: trial}")
            assert done.returncode == code, f"{block.name}: {command}\n{done.stdout}{done.stderr}"


def test_the_pages_show_files_and_commands_at_all():
    assert len(FILES) >= 5
    assert {page.name for page in RUNNABLE} >= {"add-a-pdu.md", "bring-a-station-up.md"}


def test_the_verdict_that_the_readme_shows_is_what_a_run_says_today(tmp_path):
    """But for numbers: those of a run in real time differ from run to run."""

    def shape(text):
        lines = [line for line in text.strip().splitlines() if not line.startswith(("record", "==="))]
        return [re.sub(r"\d+(\.\d+)?", "#", line) for line in lines]

    (shown,) = (block.text for block in blocks(ROOT / "README.md") if block.text.startswith("PASS"))
    said = harness("run", "smoke", "--simulate", "--virtual", cwd=tmp_path).stdout
    assert shape(shown) == shape(said[said.index("\nPASS  ") :])


def test_every_page_can_be_reached_from_the_index():
    reached, new = set(), {ROOT / "docs" / "index.md"}
    while new:
        page = new.pop()
        reached.add(page)
        targets = re.findall(r"\]\(([^)\s#]+\.md)", page.read_text(encoding="utf-8"))
        new |= {(page.parent / target).resolve() for target in targets} - reached
    assert set(PAGES) - reached - {ROOT / "README.md"} == set()


@pytest.mark.parametrize(("fault", "code"), [(("--fault", "pump_stop:1@20s"), 0), ((), 1)], ids=["dips", "does not"])
def test_the_step_of_the_guide_works_when_it_is_installed(tmp_path, fault, code):
    (page,) = (page for page in PAGES if page.name == "add-a-step.md")
    (block,) = (block for block in blocks(page) if block.words[:2] == ("python", "step"))
    (toml,) = (block for block in blocks(page) if block.words == ("toml",))
    (planned,) = (block for block in blocks(page) if block.words == ("yaml",))
    (entry,) = re.findall(r'^(\w+) = "([\w:]+)"$', toml.text, re.MULTILINE)
    (tmp_path / block.words[2]).write_text(block.text, encoding="utf-8")
    installed = tmp_path / "acme-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[harness.steps]\n{entry[0]} = {entry[1]}\n")
    plan = f"schema: 1\nplan: with-a-step-of-our-own\nsteps:\n{planned.text}"
    (tmp_path / "plan.yaml").write_text(plan)
    done = harness("run", "plan.yaml", "--simulate", "--virtual", *fault, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == code, done.stdout + done.stderr
    if code:
        assert "never below 165 L/min" in done.stdout
    (tmp_path / "plan.yaml").write_text(plan.replace("165 L/min", "165 kPa"))
    done = harness("check", "plan.yaml", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 2
    assert "HX-1352 'kPa' is a pressure, but 'L/min' (flow) is needed" in done.stderr


def test_the_test_of_the_guide_s_step_passes(tmp_path):
    (page,) = (page for page in PAGES if page.name == "add-a-step.md")
    (block,) = (block for block in blocks(page) if block.words[:2] == ("python", "step"))
    (test,) = (block for block in blocks(page) if block.words == ("python",))
    (tmp_path / block.words[2]).write_text(block.text, encoding="utf-8")
    (tmp_path / "test_acme.py").write_text(test.text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_the_pages_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        aimed = (page.parent / path).resolve() if path else page
        assert aimed.is_file(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(aimed), f"{page.name} links to {target}"


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub names them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_nothing_names_a_place_of_somebody_s_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    places = re.compile(r"/(?:work|home)/[a-z]|/Users/|/root/|/tmp/[a-z]")
    allowed = {"tests/docs/test_docs.py"}
    found = []
    for name in names:
        if name in allowed:
            continue
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        found += [f"{name}: {line.strip()}" for line in text.splitlines() if places.search(line)]
    assert found == []
