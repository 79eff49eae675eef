"""Every key of the shipped files with a value of a wrong type: a clear line, never a bug."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ruamel.yaml import YAML

from harness.errors import ConfigError
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from tests.integration.cli_tools import harness
from tests.plan_runs import PLANS, STATION

WRONG = (5, "", True, None, [], [5], [[]], {"a": 5}, ["x"])
MOST = [80, pytest.param(250, marks=pytest.mark.slow)]
"""Variants tried of a file; they are drawn, but the same ones in each run of the tests."""


def places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value in a document; of equal entries in a long list the first three."""
    if at:
        yield at
    items = node.items() if isinstance(node, dict) else list(enumerate(node))[:3] if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*at, key))


def changed(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The document with another value at a place."""
    document = copy.deepcopy(document)
    node = document
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    return document


def variants(path: Path, most: int) -> Iterator[tuple[str, str]]:
    """(what was changed, text): every top-level key with every wrong value, and a draw of the places below."""
    document = YAML(typ="safe", pure=True).load(path.read_text())
    every = [(place, value) for place in places(document) for value in WRONG]
    below = [each for each in every if len(each[0]) > 1]
    chosen = [each for each in every if len(each[0]) == 1] + Random(1).sample(below, min(most, len(below)))
    for place, value in chosen:
        # JSON is YAML too, and quick to write
        yield f"{'.'.join(map(str, place))} = {value!r}", json.dumps(changed(document, place, value), default=str)


def bugs(path: Path, load: Any, most: int) -> list[str]:
    """What loading raised that is no message."""
    found = []
    for what, text in variants(path, most):
        path.write_text(text)
        try:
            load(path)
        except (ProblemsError, ConfigError):
            pass
        except Exception as error:
            found.append(f"{what}: {error!r}")
    return found


@pytest.mark.parametrize("most", MOST)
@pytest.mark.parametrize("plan", ["smoke", "acceptance", "burn_in_24h"])
def test_no_wrong_type_in_a_plan_is_a_bug(tmp_path, plan, most):
    (tmp_path / "limits").symlink_to(PLANS / "limits")
    path = tmp_path / "plan.yaml"
    path.write_text((PLANS / f"{plan}.yaml").read_text())
    on = load_station(STATION)
    assert bugs(path, lambda each: load_project(each, on), most) == []


@pytest.mark.parametrize("most", MOST)
def test_no_wrong_type_in_a_limit_set_is_a_bug(tmp_path, most):
    (tmp_path / "limits").mkdir()
    plan = tmp_path / "plan.yaml"
    plan.write_text((PLANS / "smoke.yaml").read_text())
    path = tmp_path / "limits" / "nvl72.yaml"
    path.write_text((PLANS / "limits" / "nvl72.yaml").read_text())
    (tmp_path / "limits" / "base.yaml").write_text((PLANS / "limits" / "base.yaml").read_text())
    on = load_station(STATION)
    assert bugs(path, lambda _: load_project(plan, on), most) == []


def test_no_wrong_type_in_a_station_is_a_bug(tmp_path):
    path = tmp_path / "station.yaml"
    path.write_text(STATION.read_text())
    assert bugs(path, load_station, most=60) == []


@pytest.mark.parametrize("wrong", ["5", "true", "{a: 5}", "[5]", "[[]]"])
def test_limits_that_name_no_file_are_one_clear_line(tmp_path, wrong):
    path = tmp_path / "plan.yaml"
    path.write_text(f"schema: 1\nplan: p\nlimits: {wrong}\nsteps:\n  - {{step: hold, for: 1 s}}\n")
    for command in (["check", str(path)], ["run", str(path), "--simulate", "--virtual"]):
        done = harness(*command, data=tmp_path / "data")
        assert done.returncode == 2, done
        assert f"{path}:3:" in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        assert not (tmp_path / "data" / "runs").exists()
