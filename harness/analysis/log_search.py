"""Patterns in the output of a program, line by line. Pure; run as a program of its own it searches under bounds.

    python -I log_search.py < request.json > found.json

A pattern may take for ever (`(a+)+$`), and nothing in Python can interrupt it: so whoever must not wait runs this file
as a process, ends it at a deadline, and takes that for no answer. It limits its own processor time and memory too.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

LONGEST_PATTERN = 500
"""Characters of a pattern."""
LONGEST_LINE = 1 << 20
"""Characters; a longer line is not searched: a piece of it would show false ends, and results that are cut."""
MOST_RESULTS = 100_000
RESULT = "result"
"""The group of a pattern whose texts are collected."""
_CPU_S = 60
_MEMORY = 1 << 30


def usable(pattern: str) -> str:
    """What is wrong with a pattern; '' for nothing."""
    if len(pattern) > LONGEST_PATTERN:
        return f"a pattern of {len(pattern)} characters, {LONGEST_PATTERN} are the most"
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"no pattern: {error}"
    return ""


def search(lines: Iterable[str], patterns: Sequence[str]) -> list[dict[str, Any]]:
    """For each pattern: in how many lines it is (`count`), the `first` of them, the texts of its group (`results`).

    `unread` says why it may be in more than that; '' when all was read.
    """
    compiled = [re.compile(pattern) for pattern in patterns]
    found: list[dict[str, Any]] = [{"count": 0, "first": "", "results": [], "unread": ""} for _ in patterns]
    for line in lines:
        unread = _why_unread(line)
        # NULs are between the letters of UTF-16 and UTF-32: without them plain English is found
        text = "" if len(line) > LONGEST_LINE else line.replace("\0", "")
        for pattern, one in zip(compiled, found, strict=True):
            one["unread"] = one["unread"] or unread
            match = pattern.search(text)
            if match is None or len(line) > LONGEST_LINE:
                continue
            one["count"] += 1
            one["first"] = one["first"] or text.strip()[:200]
            if RESULT in pattern.groupindex:
                _collect(pattern, text, one)
    return found


def _why_unread(line: str) -> str:
    if len(line) > LONGEST_LINE:
        return f"a line of the output has more than {LONGEST_LINE} characters"
    return "the output has NUL bytes, as UTF-16 has: it is read as UTF-8" if "\0" in line else ""


def _collect(pattern: re.Pattern[str], text: str, one: dict[str, Any]) -> None:
    """Every result that a line holds."""
    for match in pattern.finditer(text):
        if len(one["results"]) == MOST_RESULTS:
            one["unread"] = one["unread"] or f"there are more than {MOST_RESULTS} results"
            return
        if match[0]:
            one["results"].append(match[RESULT])


def _main() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    asked = json.load(sys.stdin)

    def lines() -> Iterable[str]:
        for name in asked["files"]:
            with open(name, encoding="utf-8-sig", errors="backslashreplace") as file:
                while line := file.readline(LONGEST_LINE + 1):
                    yield line.rstrip("\n")
                    while len(line) > LONGEST_LINE and not line.endswith("\n"):
                        line = file.readline(LONGEST_LINE + 1)  # the rest of one that is too long

    json.dump(search(lines(), asked["patterns"]), sys.stdout)


if __name__ == "__main__":
    _main()
