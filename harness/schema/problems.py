"""What is wrong in a file, where exactly, and what to do: collected first, then raised all at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.errors import ConfigError
from harness.utf8 import utf8

T = TypeVar("T")

MAX_PROBLEMS = 200
"""After so many mistakes, the rest of a file is not worth reading."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in one file. Lines and columns count from 1; 0 means that the whole file is meant."""

    file: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        text = f"{where}: {self.code} {self.message}"
        return one_line(f"{text}, {self.hint}" if self.hint else text)

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """Sorting key: file, line, column, then code."""
        return (self.file, self.line, self.column, self.code, self.message)


class ProblemsError(ConfigError):
    """Everything that is wrong with the files that were read, one line for each problem."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = _reported(problems)
        text = "\n".join(str(problem) for problem in self.problems)
        super().__init__(text, code=self.problems[0].code if self.problems else "")

    def __str__(self) -> str:
        return self.message


class Problems:
    """Collects problems across several files, so that they can be shown together."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Note one problem."""
        self._found.append(problem)

    def extend(self, problems: Iterable[Problem] | ProblemsError) -> None:
        """Note several problems, or all those of an error."""
        self._found.extend(problems.problems if isinstance(problems, ProblemsError) else problems)

    def attempt(self, action: Callable[[], T]) -> T | None:
        """Call `action`; note the problems it raises and give None instead of its result."""
        try:
            return action()
        except ProblemsError as error:
            self.extend(error)
            return None

    @property
    def noted(self) -> int:
        """How many were noted so far, repetitions too: to see whether there are more than before."""
        return len(self._found)

    @property
    def found(self) -> list[Problem]:
        """The problems so far, sorted by file, line and column, without repetitions."""
        return _reported(self._found)

    def __bool__(self) -> bool:
        return bool(self._found)

    def __len__(self) -> int:
        return len(self.found)

    def raise_if_any(self) -> None:
        """Raise ProblemsError with everything found; return when nothing was."""
        if self._found:
            raise ProblemsError(self._found)


_UNKNOWN = "unknown device "


def _reported(problems: Iterable[Problem]) -> list[Problem]:
    """Sorted, without repetitions, and one for each value of `--set`: every place that uses it would tell its own."""
    whole = sorted(set(problems), key=lambda problem: problem.order)
    given: dict[tuple[str, str], Problem] = {}
    for each in sorted(whole, key=lambda problem: problem.code != "HX-1332"):  # names what the plan has
        if each.message.startswith("--set "):
            given.setdefault((each.file, each.message.partition(":")[0]), each)
    kept = [each for each in whole if not each.message.startswith("--set ") or each in given.values()]
    compared = {(each.file, each.line, each.column) for each in kept if each.line and each.code == "HX-1332"}
    kept = [each for each in kept if each.code == "HX-1332" or (each.file, each.line, each.column) not in compared]
    return _once(kept)


def _once(problems: list[Problem]) -> list[Problem]:
    """A device that no place knows is one mistake, reported where it is used first, with how often it is."""
    places: dict[tuple[str, str], list[Problem]] = {}
    for each in problems:
        if each.message.startswith(_UNKNOWN):
            places.setdefault((each.file, each.message), []).append(each)
    reported = []
    for each in problems:
        same = places.get((each.file, each.message), [each])
        if each is same[0]:
            more = len({(other.line, other.column) for other in same}) - 1
            reported.append(replace(each, message=f"{each.message} (and in {more} more places)") if more else each)
    return reported


def nearest(word: str, allowed: Iterable[str]) -> str:
    """The allowed word that looks most like `word`, '' when none does."""
    known = [name for name in allowed if isinstance(name, str)]
    if len(word) > 100:
        return ""
    folded = {name.lower(): name for name in known}
    if word.lower() in folded:
        return folded[word.lower()]
    return (difflib.get_close_matches(word, known, n=1, cutoff=0.55) or [""])[0]


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """The hint `did you mean 'max'?`, or '' when no allowed word is near."""
    guess = nearest(word, allowed)
    return f"did you mean {guess!r}?" if guess else ""


def shown(value: object, limit: int = 40) -> str:
    """A value from a file as a message may show it: on one line, short, words in quotes."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value[: limit + 1] if isinstance(value, str) else value)
    return text if len(text) <= limit + 2 else text[:limit] + "..."


def one_line(text: str) -> str:
    """Text whose line breaks and control characters cannot break a line or a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in utf8(text))
