"""The report of `dcgmi diag --json` read strictly, for the versions whose form is known. Pure.

NVIDIA publishes no stable schema of it, so a version is judged only when a golden file of it is among the tests
(tests/unit/analysis/dcgm): everything else is INCONCLUSIVE. Sources of the form, both Apache-2.0:

* NVIDIA/DCGM: testing/python3/dcgm_diag_schema.json (keys, and which of them must be there),
  nvvs/include/NvvsJsonStrings.h (their names), dcgmlib/dcgm_errors.h (severities: 5 is "can be configured");
* baldwinSPC/glimmer-burnin, runners/dcgm-diag/testdata: captures of DCGM 4.2.3 and 4.5.2 (the keys `info`, the spelling
  of the states, `warnings` in a summary).

| in the report                               | verdict |
|---|---|
| every result of every test `Pass`           | PASS |
| a `Fail` with a warning that is no CONFIG   | FAIL |
| a `Fail` all of whose warnings are CONFIG   | INCONCLUSIVE: the tray's set-up, nothing is said of its hardware |
| `Skip` of a test that may not be skipped    | INCONCLUSIVE |
| a test that is wanted and not there         | INCONCLUSIVE |
| `Pass` beside a warning (NVIDIA/DCGM issue 284) | INCONCLUSIVE |
| `Warn`, any other state, key or form, a runtime error | INCONCLUSIVE |
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from harness.analysis.grading import FAIL, INCONCLUSIVE, PASS, Grade, worst

VERSIONS = ("4.2.3", "4.5.2")
"""Versions with a golden file."""
CONFIG = 5
"""Severity `DCGM_ERROR_CONFIG`."""
MOST_BYTES = 8 << 20
_TOP = {"DCGM Diagnostic", "entity_groups", "metadata"}
_DIAGNOSTIC = {"test_categories", "runtime_error"}
_TEST = {"name", "results", "test_summary", "aux_data"}
_RESULT = {"entity_group", "entity_group_id", "entity_id", "status", "warnings", "info"}
_SUMMARY = {"status", "warnings", "info"}
_WARNING = {"error_category", "error_id", "error_severity", "warning"}


class _StrangeError(ValueError):
    """The report is not of the known form."""


def version_of(report: Any) -> str:
    """The DCGM version that a report says; '' for none."""
    metadata = report.get("metadata") if isinstance(report, dict) else None
    version = metadata.get("version") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else ""


def grade_dcgm(
    text: str, versions: Collection[str], *, wanted: Collection[str] = (), may_skip: Collection[str] = ()
) -> tuple[Grade, dict[str, str]]:
    """(the grade, what is known of versions) of a report; `versions`: those that the plan pins."""
    if len(text) > MOST_BYTES:
        return Grade(INCONCLUSIVE, "the report is too long to be one"), {}
    try:
        report = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        return Grade(INCONCLUSIVE, f"the output is no report of `dcgmi diag --json`: {error}"), {}
    version = version_of(report)
    known = {"dcgm": version} if version else {}
    if version not in versions or version not in VERSIONS:
        shown = version or "no version"
        return Grade(INCONCLUSIVE, f"the report is of DCGM {shown}; known and pinned: {', '.join(versions)}"), known
    try:
        if isinstance(driver := report["metadata"].get("Driver Version Detected"), str):
            known["driver"] = driver
        return worst(_grades(report, wanted, may_skip)), known
    except _StrangeError as error:
        return Grade(INCONCLUSIVE, f"the report of DCGM {version} is not as those of it are: {error}"), known


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _keys(part: Any, allowed: Collection[str], needed: Collection[str], what: str) -> Mapping[str, Any]:
    if not isinstance(part, dict):
        raise _StrangeError(f"{what} is no mapping")
    if unknown := set(part) - set(allowed):
        raise _StrangeError(f"{what} has the key {sorted(unknown)[0]!r}")
    if missing := set(needed) - set(part):
        raise _StrangeError(f"{what} lacks the key {sorted(missing)[0]!r}")
    return part


def _list(part: Any, what: str) -> list[Any]:
    if not isinstance(part, list):
        raise _StrangeError(f"{what} is no list")
    return part


def _grades(report: Any, wanted: Collection[str], may_skip: Collection[str]) -> Iterator[Grade]:
    top = _keys(report, _TOP, ("DCGM Diagnostic", "metadata"), "the report")
    body = _keys(top["DCGM Diagnostic"], _DIAGNOSTIC, (), "the diagnostic")
    if body.get("runtime_error"):
        yield Grade(INCONCLUSIVE, f"DCGM itself failed: {body['runtime_error']}")
    names: set[str] = set()
    judged = 0
    for category in _list(body.get("test_categories", []), "test_categories"):
        part = _keys(category, ("category", "tests"), ("category", "tests"), "a category")
        for entry in _list(part["tests"], "tests"):
            test = _keys(entry, _TEST, ("name", "results", "test_summary"), "a test")
            name = test["name"]
            if not isinstance(name, str):
                raise _StrangeError("a test has no name")
            names.add(name)
            summary = _keys(test["test_summary"], _SUMMARY, ("status",), f"the summary of {name}")
            judged += summary["status"] == "Pass"
            yield _state(name, name, summary, may_skip, is_summary=True)
            for result in _list(test["results"], f"results of {name}"):
                one = _keys(result, _RESULT, ("entity_group", "entity_id", "status"), f"a result of {name}")
                yield _state(name, f"{name} of {one['entity_group']} {one['entity_id']}", one, may_skip)
            if summary["status"] == "Pass" and not test["results"]:
                yield Grade(INCONCLUSIVE, f"{name} passes with no result")
    for name in sorted(set(wanted) - names):
        yield Grade(INCONCLUSIVE, f"{name} was not run")
    if not judged:
        yield Grade(INCONCLUSIVE, "no test passes: nothing was proved")


def _state(
    name: str, shown: str, part: Mapping[str, Any], may_skip: Collection[str], *, is_summary: bool = False
) -> Grade:
    state = part["status"]
    warnings = [
        _keys(each, _WARNING, _WARNING, f"a warning of {name}")
        for each in _list(part.get("warnings", []), f"warnings of {name}")
    ]
    said = "; ".join(str(each["warning"])[:200] for each in warnings)
    if state == "Fail":
        if warnings and all(each["error_severity"] == CONFIG for each in warnings):
            return Grade(INCONCLUSIVE, f"{shown}: the tray is not set up for the test: {said}")
        # a summary need not say why: its results do, and they are judged too
        return Grade(INCONCLUSIVE if is_summary and not warnings else FAIL, f"{shown} fails: {said or 'no reason'}")
    if state == "Pass":
        return Grade(INCONCLUSIVE, f"{shown} passes, and says: {said}") if warnings else Grade(PASS)
    if state == "Skip" and not warnings:
        return Grade(PASS) if name in may_skip else Grade(INCONCLUSIVE, f"{shown} was skipped")
    return Grade(INCONCLUSIVE, f"{shown} is {str(state)[:40]!r}{f': {said}' if said else ''}")
