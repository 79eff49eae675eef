"""The tree of a plan with what each part will take, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from harness.cli.ui.time_left import clock_text
from harness.project.forecast import Forecast

_INDENT = 2
_COLUMNS = ("time", "kWh", "peak kW", "L/min")
_WIDTH = 9
_SHOWN = 3
"""So many passes of one construct are shown."""
_QUIET = ("section", "plan")


def tree(whole: Forecast, width: int) -> Iterator[str]:
    """A line for each step and construct; times that the rack or a person decides are told as `at least`."""
    room = max(30, width - len(_COLUMNS) * (_WIDTH + 1))
    yield " " * room + "".join(f" {column:>{_WIDTH}}" for column in _COLUMNS)
    for part in whole.parts:
        yield from _lines(part, 0, room)
    yield _line("in all", whole, room)
    hours = whole.seconds / 3600
    yield f"{hours:.2g} bay hours{'' if whole.is_known else ' at least: + is decided by the rack or by somebody'}"


def _lines(part: Forecast, depth: int, room: int) -> Iterator[str]:
    kind = "" if part.kind in _QUIET or part.kind.replace("_", " ") == part.title else f"  [{part.kind}]"
    note = f"  ({part.note})" if part.note else ""
    yield _line(f"{' ' * _INDENT * depth}{part.title}{kind}{note}", part, room)
    shown = part.parts[:_SHOWN] if len(part.parts) > _SHOWN + 1 and part.kind in ("repeat", "sweep") else part.parts
    for inner in shown:
        yield from _lines(inner, depth + 1, room)
    if len(shown) < len(part.parts):
        rest = [each for each in part.parts[len(shown) :] if each.kind in ("pass", "value")]
        yield f"{' ' * _INDENT * (depth + 1)}... {len(rest)} more"


def _line(title: str, part: Forecast, room: int) -> str:
    shown = title if len(title) <= room else f"{title[: room - 3]}..."
    time = f"{clock_text(part.seconds)}{'' if part.is_known else '+'}"
    numbers = (time, _number(part.energy), _number(part.peak), _number(part.flow))
    return f"{shown:<{room}}" + "".join(f" {number:>{_WIDTH}}" for number in numbers)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"
