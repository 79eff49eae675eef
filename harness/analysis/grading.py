"""What a workload's end means: exit code, patterns and a diagnostic's own report, taken together. Pure.

One rule: only what is known to be good is a PASS. An exit code that no table names, output of which a part is missing,
a report in an unknown form, are INCONCLUSIVE.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

PASS, FAIL, ERROR, INCONCLUSIVE = "PASS", "FAIL", "ERROR", "INCONCLUSIVE"
_SEVERITY = (ERROR, FAIL, INCONCLUSIVE, PASS)
NOT_STARTED = {126: "it may not be run", 127: "there is no such program"}
"""Exit codes of a shell that could not start a program: nothing was judged (POSIX, 2.8.2)."""


class Grade(NamedTuple):
    """A verdict (PASS, FAIL, ERROR, INCONCLUSIVE) and why."""

    verdict: str
    why: str = ""


def worst(grades: Iterable[Grade]) -> Grade:
    """The gravest verdict, with the reasons of all that have it; of nothing at all INCONCLUSIVE."""
    known = list(grades)
    verdict = next((each for each in _SEVERITY if any(one.verdict == each for one in known)), INCONCLUSIVE)
    reasons = dict.fromkeys(one.why for one in known if one.verdict == verdict and one.why)
    return Grade(verdict, "; ".join(reasons) or ("" if known else "nothing was judged"))


def of_exit_code(code: int | None, table: Mapping[int, str]) -> Grade:
    """An exit code by the plan's table (code -> verdict); what is not in it is unknown."""
    if code is None:
        return Grade(INCONCLUSIVE, "there is no exit code")
    if code in table:
        return Grade(table[code], f"exit code {code}")
    if code in NOT_STARTED:
        return Grade(ERROR, f"exit code {code}: {NOT_STARTED[code]}")
    return Grade(INCONCLUSIVE, f"exit code {code} is not in `exit_codes:`")


def of_patterns(
    must: Sequence[str], must_not: Sequence[str], found: Sequence[Mapping[str, Any]] | None, *, is_cut: bool
) -> Grade:
    """What was found of the patterns, those of `must` first; None: the search did not come to an end.

    What must not appear may be in output that was not kept; so may what must, which is then not known to be missing.
    """
    if not must and not must_not:
        return Grade(PASS)
    if found is None:
        return _NOT_SEARCHED
    grades = [Grade(PASS)]
    for pattern, one in zip(must, found, strict=False):
        why = _why_incomplete(one, is_cut=is_cut)
        if not one["count"] and why:
            grades.append(Grade(INCONCLUSIVE, f"{pattern!r} was not found, and {why}"))
        elif not one["count"]:
            grades.append(Grade(FAIL, f"{pattern!r} is nowhere in the output"))
    for pattern, one in zip(must_not, found[len(must) :], strict=True):
        if one["count"]:
            grades.append(Grade(FAIL, f"{pattern!r} is in {one['count']} lines of the output, first: {one['first']}"))
        elif why := _why_incomplete(one, is_cut=is_cut):
            grades.append(Grade(INCONCLUSIVE, f"{why}: {pattern!r} may be in the rest"))
    return worst(grades)


def of_results(found: Mapping[str, Any] | None, *, is_cut: bool) -> Grade:
    """What was found of the pattern for results: whoever compares them needs them all."""
    if found is None:
        return _NOT_SEARCHED
    why = _why_incomplete(found, is_cut=is_cut)
    return Grade(INCONCLUSIVE, f"{why}: results may be missing") if why else Grade(PASS)


_NOT_SEARCHED = Grade(INCONCLUSIVE, "the search for the patterns took too long or failed")


def _why_incomplete(found: Mapping[str, Any], *, is_cut: bool) -> str:
    """Why a pattern may be in more of the output than was found."""
    return "not all of the output was kept" if is_cut else str(found["unread"])


def of_lost(lost: Mapping[str, tuple[str, bool]], alive: int) -> dict[str, Grade]:
    """What it means that targets died under load: name -> (why, whether something at its address still answers).

    Where others are still reached, or its address still answers, network and station are in order: the target is bad.
    Where nothing answers any more, the station cannot tell the rack from its own network: that is no FAIL.
    """
    grades = {}
    for name, (why, is_way_fine) in lost.items():
        if is_way_fine or alive:
            grades[name] = Grade(FAIL, f"{name} died under load: {why}")
        else:
            grades[name] = Grade(
                ERROR, f"{name} is lost under load: {why}; nothing answers any more, it may be the station's network"
            )
    return grades


def of_time(
    seconds: float, wanted: float, *, must_end: bool, was_stopped: bool, is_cut: bool, of_station: bool
) -> Grade:
    """Whether a workload ran as long as it had to.

    `must_end`: it has to end by itself within `wanted`, else it is stopped then; `is_cut`: all were stopped before
    that. A program of the station that hangs is the station's own fault.
    """
    if was_stopped and is_cut:
        return Grade(INCONCLUSIVE, f"it was stopped after {seconds:.1f} s of {wanted:g} s")
    if was_stopped and must_end:
        return Grade(ERROR if of_station else FAIL, f"it did not end within {wanted:g} s")
    if not was_stopped and not must_end:
        return Grade(INCONCLUSIVE, f"it ended by itself after {seconds:.1f} s of {wanted:g} s")
    return Grade(PASS)
