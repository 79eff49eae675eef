"""Words for who reads them: the floor is told what to look at, never which key of the plan to change."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cli.ui.live_view import _between
from harness.cli.ui.verdict_block import plain_block
from harness.project.step import known_steps
from harness.record.report import render_text
from tests.plan_runs import run_plan

ROOT = Path(__file__).resolve().parents[2]
HEAD = "schema: 1\nplan: x\nsteps:\n"


def plan(folder: Path, steps: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(HEAD + steps)
    return path


def hints(path: Path) -> list[str]:
    """The texts of `hint=` in a file, as far as they are written out there."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            if keyword.arg == "hint":
                parts = [each.value for each in ast.walk(keyword.value) if isinstance(each, ast.Constant)]
                found.append("".join(part for part in parts if isinstance(part, str)))
    return found


def test_no_step_tells_the_floor_to_change_the_plan():
    keys = {key for step in known_steps().values() for key in step.params.model_fields}
    reported = {path.name: hints(path) for path in (ROOT / "harness" / "steps").glob("*.py")}
    assert sum(map(len, reported.values())) >= 4
    for name, texts in reported.items():
        for text in texts:
            assert "`" not in text, f"{name}: {text}"
            assert not {f"{key}:" for key in keys} & set(text.split()), f"{name}: {text}"


def test_a_wait_that_fails_says_what_to_look_at(tmp_path):
    ran = run_plan(
        plan(tmp_path, "  - {step: wait_until, signal: cdu.flow, min: 400 L/min, within: 3 s}\n"), tmp_path / "data"
    )
    assert ran.exit_code == 1
    block = plain_block(ran.outcome)
    assert "do      look at what drives cdu.flow" in block
    assert "within" not in block.partition("do      ")[2].partition("\n")[0]


def test_a_report_accuses_nothing_that_is_well(tmp_path):
    """The reservoir is low and the rack is dry: no word of a leak."""
    conditions = "[{signal: cdu.leak, equals: dry}, {signal: cdu.level, equals: ok}]"
    steps = f"  - {{step: check, name: health, conditions: {conditions}}}\n"
    ran = run_plan(plan(tmp_path, steps), tmp_path / "data", faults=["low_level"])
    assert ran.exit_code in (1, 3)
    shown = plain_block(ran.outcome) + render_text(ran.outcome.folder)
    assert "cdu.level" in shown
    assert "wet" not in shown
    result = json.loads((ran.outcome.folder / "result.json").read_text())
    names = [each["name"] for step in result["steps"] for each in step["measurements"]]
    assert names == ["health: number wrong"]


def test_a_slope_that_is_not_known_is_no_nan(tmp_path):
    steps = "  - {step: settle, signal: cdu.flow, slope: 0.3 L/min/min, over: 20 s, within: 40 s}\n"
    seen: list[str] = []

    def during(runner, _simulation):
        async def look():
            while runner.summary.stop is None and not runner.stop_requested.is_set():
                if runner.context is not None:
                    seen.append(runner.context.progress[1])
                await runner.clock.sleep(1.0)

        return look()

    run_plan(plan(tmp_path, steps), tmp_path / "data", during=during)
    assert "slope known after 20 s" in seen
    assert any("is too noisy to say" in text for text in seen)
    assert not any("nan" in text for text in seen)


@pytest.mark.parametrize(
    ("bench", "ahead", "wanted"),
    [(None, ["power on"], "opening devices"), (1, ["power on"], "before power on"), (1, [], "safe state")],
)
def test_between_two_steps_it_is_said_what_comes(bench, ahead, wanted):
    assert _between(SimpleNamespace(context=bench), [SimpleNamespace(title=title) for title in ahead]) == wanted
