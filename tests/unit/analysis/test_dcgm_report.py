"""Reports of `dcgmi diag --json`: only what is known to be good passes. Golden files say where their form is from."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis.dcgm_report import VERSIONS, grade_dcgm

GOLDEN = Path(__file__).parent / "dcgm"
PASSING = json.loads((GOLDEN / "4.5.2/pass.json").read_text())


def graded(report: Any, **more: Any) -> tuple[str, str]:
    text = report if isinstance(report, str) else json.dumps(report)
    grade, _ = grade_dcgm(text, VERSIONS, **more)
    return grade.verdict, grade.why


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("name", "verdict", "why"),
    [
        ("pass", "PASS", ""),
        ("fail", "FAIL", "memory of GPU 1 fails: A DBE occurred"),
        ("skip", "INCONCLUSIVE", "pcie was skipped"),
        ("set_up", "INCONCLUSIVE", "the tray is not set up for the test: Persistence Mode"),
        ("pass_with_warning", "INCONCLUSIVE", "memory of GPU 1 passes, and says: Unable to allocate"),
    ],
)
def test_a_golden_report_has_its_verdict(version: str, name: str, verdict: str, why: str):
    grade, known = grade_dcgm((GOLDEN / version / f"{name}.json").read_text(), [version])
    assert grade.verdict == verdict
    assert why in grade.why
    assert known == {"dcgm": version, "driver": "580.82.09"}


def test_every_known_version_has_a_golden_pass():
    assert sorted(path.parent.name for path in GOLDEN.glob("*/pass.json")) == sorted(VERSIONS)


def test_a_version_that_is_not_pinned_or_not_known_is_inconclusive():
    report = copy.deepcopy(PASSING)
    assert grade_dcgm(json.dumps(report), ["4.2.3"])[0].verdict == "INCONCLUSIVE"
    report["metadata"]["version"] = "4.6.0"
    grade, known = grade_dcgm(json.dumps(report), ["4.6.0"])
    assert (grade.verdict, known) == ("INCONCLUSIVE", {"dcgm": "4.6.0"})
    del report["metadata"]
    assert graded(report)[0] == "INCONCLUSIVE"


def test_a_test_that_is_wanted_must_be_there_and_one_that_may_be_skipped_may():
    assert graded(PASSING, wanted=["memory", "nvlink"]) == ("INCONCLUSIVE", "nvlink was not run")
    skipping = (GOLDEN / "4.5.2/skip.json").read_text()
    assert graded(skipping, may_skip=["pcie"])[0] == "PASS"
    assert graded(skipping.replace('"Pass"', '"Skip"'), may_skip=["pcie", "software", "memory"]) == (
        "INCONCLUSIVE",
        "no test passes: nothing was proved",
    )


@pytest.mark.parametrize(
    "text", ["", "Segmentation fault", "[]", "{}", "null", "NaN", '{"DCGM Diagnostic": 1}', "[" * 5000, "{" * 100]
)
def test_what_is_no_report_is_inconclusive(text: str):
    assert graded(text)[0] == "INCONCLUSIVE"


def places(part: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in a report."""
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [way, *(place for key, each in inner for place in places(each, (*way, key)))]


ANYTHING = st.sampled_from([None, 0, 1.5, "", "Fail", "PASS", "Warn", [], {}, [1], {"status": "Pass"}])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(places(PASSING)[1:]), ANYTHING)
def test_a_report_that_was_changed_anywhere_that_counts_never_passes(place: tuple[Any, ...], value: Any):
    """Whatever stands at any place of the diagnostic or its version: PASS only where it says the same as before."""
    report = copy.deepcopy(PASSING)
    holder = report
    for key in place[:-1]:
        holder = holder[key]
    same = holder[place[-1]] == value
    holder[place[-1]] = value
    free = ("entity_groups",), ("metadata", "Driver Version Detected")
    says_nothing = any(place[: len(each)] == each for each in free) or place[-1] in (
        "category", "name", "entity_group", "entity_group_id", "entity_id", "info",
    ) or "info" in place  # fmt: skip
    verdict = graded(report, wanted=["software", "memory", "pcie"])[0]
    assert same or says_nothing or verdict != "PASS", (place, value)
