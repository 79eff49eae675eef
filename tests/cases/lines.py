"""Files of a case that are read line by line, and mistakes in them with their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.schema.problems import Problem, ProblemsError
from tests.cases import ROOT


class Lines:
    """The lines of a file. Mistakes are collected, so that all of them are told at once."""

    def __init__(self, path: Path) -> None:
        self.name = shown(path)
        self.number = 0
        self.problems: list[Problem] = []
        try:
            self._text = path.read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError) as error:
            raise ProblemsError([Problem(self.name, 0, 0, "HX-1001", f"cannot be read: {error}")]) from error

    def __iter__(self) -> Iterator[str]:
        """Every line; `number` is where it stands."""
        for number, line in enumerate(self._text, start=1):
            self.number = number
            yield line.removesuffix("\r")

    def reported(self) -> Iterator[str]:
        """Every line but blank ones and comments, which begin with #."""
        return (line for line in self if not is_remark(line))

    def wrong(self, message: str, hint: str = "") -> None:
        """Note a mistake in the present line."""
        self.problems.append(Problem(self.name, self.number, 1, "HX-1206", message, hint))

    def check(self) -> None:
        """Raise what was noted."""
        if self.problems:
            raise ProblemsError(self.problems)


def is_remark(line: str) -> bool:
    """Whether a line says nothing: blank, or a comment."""
    return not line.strip() or line.lstrip().startswith("#")


def shown(path: Path) -> str:
    """A path as a message names it: from the root of the project where it is inside."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
