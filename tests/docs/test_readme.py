"""The README as a newcomer follows it: a clone, `make demo`, and its blocks in order in a fresh shell. Exactly that.

Only what a network would be asked for is there already: the packages. `make demo` runs in real time, half a minute.
"""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.docs.doc_pages import ROOT, Block, blocks, commands, is_file, is_run

_DONE = "--- that was"


def clone(target: Path) -> None:
    """The files of this tree, as `git clone` would bring them."""
    command = ["git", "ls-files", "-zco", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)


def environment(folder: Path) -> None:
    """What `make` would install: an environment with the packages of this one, and the command of the clone."""
    venv.create(folder / ".venv", symlinks=True)
    (packages,) = (folder / ".venv").glob("lib/python*/site-packages")
    places = [each for each in (*site.getsitepackages(), *sys.path) if each.endswith("site-packages")]
    lines = [str(folder), *(f"import site; site.addsitedir({place!r})" for place in dict.fromkeys(places))]
    (packages / "here.pth").write_text("\n".join(lines) + "\n")
    command = folder / ".venv" / "bin" / "harness"
    command.write_text(f"#!{folder}/.venv/bin/python\nfrom harness.cli.main import main\nmain()\n")
    command.chmod(0o755)
    os.utime(folder / "pyproject.toml", (0, 0))
    for made in ("made", "runtime"):
        (folder / ".venv" / made).touch()


def script(block: Block) -> str:
    """The lines of a block, each followed by a line that tells its exit code."""
    if is_file(block):
        return f"cat > {block.words[2]} <<'END'\n{block.text}END\n" if len(block.words) > 2 else ""
    lines = []
    for command, code in commands(block):
        lines += [command.replace("git clone <this repository> harness && ", ""), f'echo "{_DONE} $? {code} {command}"']
    return "\n".join(lines) + "\n"


@pytest.mark.timeout(240)
def test_the_readme_works_from_top_to_bottom_in_a_fresh_shell(tmp_path):
    if not (ROOT / ".git").exists() or shutil.which("make") is None:
        pytest.skip("no clone, or no make")
    clone(tmp_path / "harness")
    environment(tmp_path / "harness")
    page = [block for block in blocks(ROOT / "README.md") if block.words[:1] == ("sh",) or is_file(block)]
    assert [block.words[1] for block in page][:2] == ["demo", "activate"]
    assert sum(map(is_run, page)) >= 4
    text = "".join(map(script, page))
    home = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-s"],
        input=text, cwd=tmp_path, env=home, text=True, capture_output=True, timeout=230, check=False,
    )  # fmt: skip
    reported = [line.split(" ", 5)[2:] for line in done.stdout.splitlines() if line.startswith(_DONE)]
    wrong = [" ".join(each) for each in reported if each[1] != each[2]]
    assert not wrong, f"{wrong}\n{done.stdout[-3000:]}{done.stderr[-2000:]}"
    assert len(reported) == sum(len(commands(block)) for block in page if not is_file(block))
    assert "harness: command not found" not in done.stderr
    assert "the station is station.yaml in this folder" not in done.stderr  # the README names it wherever it matters
    assert done.stdout.count("PASS  RACK-0001") >= 3
    assert str(tmp_path / "harness" / "harness") in where_from(tmp_path, home)


def where_from(folder: Path, home: dict[str, str]) -> str:
    """The package that the command of the clone runs."""
    python = folder / "harness" / ".venv" / "bin" / "python"
    program = "import harness; print(harness.__file__)"
    run = subprocess.run([python, "-c", program], cwd=folder, env=home, text=True, capture_output=True, check=True)
    return run.stdout


def test_a_station_that_is_found_is_named(tmp_path):
    """And what does not fit it is then no riddle."""
    (station,) = (block for block in blocks(ROOT / "README.md") if block.words[1:2] == ("station",))
    (tmp_path / "station.yaml").write_text(station.text)
    command = [sys.executable, "-c", "from harness.cli.main import main; main()", "run", "smoke", "--simulate"]
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=home, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "note: the station is station.yaml in this folder; --station names another"
