"""Commands of the command line, in this process: what they print and how they end."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

from harness.cli.main import cli
from tests.keys.rows import Bench, Files, written


def harness(folder: Path, *arguments: str) -> str:
    """What a command prints on both streams, run in a folder; its exit code in the last line."""
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cli.main(list(arguments))
        except SystemExit as end:
            said.write(f"exit {end.code}\n")
    return said.getvalue()


def command_bench(*arguments: str, files: tuple[str, ...] = ("profile",)) -> Bench:
    """A bench that writes files and runs a command beside them."""

    def bench(folder: Path, given: Files) -> str:
        written(folder, given, *files)
        return harness(folder, *arguments)

    return bench


def says(*parts: str) -> Callable[[str], bool]:
    """Whether the command prints all of these."""
    return lambda said: all(part in said for part in parts)


def line(part: str) -> Callable[[str], str]:
    """The first line that a command prints with this in it, without blanks around."""
    return lambda said: next((each.strip() for each in said.splitlines() if part in each), "")
