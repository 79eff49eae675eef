"""`python -O` leaves assertions out: none may guard the rack or an input, they only narrow types for mypy."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from tests.integration.cli_tools import COMMAND, environment

ROOT = Path(__file__).parents[2]


def narrows(test: ast.expr) -> bool:
    """Whether an assertion says of what type a thing is, and nothing else."""
    if isinstance(test, ast.Call):
        return isinstance(test.func, ast.Name) and test.func.id == "isinstance"
    return isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.IsNot) and ast.unparse(test).endswith(" None")


def test_assertions_only_narrow_types():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for folder in ("harness", "drivers", "sim")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert) and not narrows(node.test)
    ]
    assert found == []


def optimised(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of the harness without its assertions, and so its children."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**environment(folder), "PYTHONOPTIMIZE": "1"}, timeout=100,
    )  # fmt: skip


def test_racks_are_judged_as_before_without_assertions(tmp_path):
    done = optimised("run", "smoke", "--simulate", "--virtual", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    faults = ("--fault", "pump_stop:1@20s", "--fault", "pump_stop:2@20s")
    done = optimised("run", "acceptance", "--simulate", "--virtual", *faults, folder=tmp_path)
    assert done.returncode in (1, 4), done.stdout + done.stderr


@pytest.mark.parametrize("bound", ["{x: 1}", "[1]", "true", "yes of course"])
def test_wrong_input_is_refused_as_before_without_assertions(bound, tmp_path):
    rows = f"parameters:\n  level: {{default: 5 %, min: {bound}}}\nsteps:\n  - {{step: hold, for: 1 s}}\n"
    (tmp_path / "plan.yaml").write_text(f"schema: 1\nplan: trial\n{rows}")
    done = optimised("check", "plan.yaml", folder=tmp_path)
    assert done.returncode == 2
    assert "plan.yaml:4:30: HX-" in done.stderr
    assert "Traceback" not in done.stderr
