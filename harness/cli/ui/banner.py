"""A word over the full width of a terminal, read from three metres away; and the look of a rack that is not safe."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from harness.cli.ui.big_letters import big
from harness.cli.ui.colours import NOT_SAFE, RED
from harness.cli.ui.terminal import is_terminal, say
from harness.schema.problems import one_line

LOOK = (
    "go to the rack now: power or heat may still be on. Take it off by hand, at the breaker or the emergency stop, and "
    "keep people away until it is off"
)
NOT_SAFE_STYLE = f"bold white on {RED}"
NOT_SAFE_SYMBOL = "◆"
_STRIPES = "▞"


def banner(console: Console, word: str, symbol: str, style: str, *, is_striped: bool = False) -> None:
    """The word in letters five rows high on a band."""
    width = console.width
    rows = big(word, width - 8)
    edge = _STRIPES * width if is_striped else ""
    band(console, edge, style)
    for index, row in enumerate(rows):
        band(console, f" {symbol if index == len(rows) // 2 else ' '}  {row}", style)
    band(console, edge, style)


def band(console: Console, text: str, style: str) -> None:
    """One line of a band, as wide as the terminal."""
    width = console.width
    console.print(Text(text[:width].ljust(width), style=style), no_wrap=True, overflow="crop", crop=True)


def wrapped(console: Console, text: str, style: str) -> None:
    """A text on as many lines of a band as it takes."""
    for line in textwrap.wrap(one_line(text), console.width - 4):
        band(console, f"  {line}", style)


def say_not_safe(title: str, lines: Sequence[str]) -> None:
    """Tell that a rack is not known to be safe, and what to do: big, red and with the bell where somebody looks."""
    title = f"SAFE NOT CONFIRMED - LOOK AT THE RACK  {title}"
    if not is_terminal(sys.stdout):
        say("\n".join([title, *(f"  {line}" for line in lines), f"do      {LOOK}"]))
        return
    console = Console(highlight=False, emoji=False, markup=False)
    banner(console, NOT_SAFE, NOT_SAFE_SYMBOL, NOT_SAFE_STYLE, is_striped=True)
    for line in (title, *lines, LOOK):
        wrapped(console, line, NOT_SAFE_STYLE)
    console.bell()
