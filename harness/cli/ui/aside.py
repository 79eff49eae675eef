"""Commands by hand have no journal: what happens is said on stderr."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import click

from harness.events import EventKind

_SAID = (EventKind.REFUSED, EventKind.UNCLEAR, EventKind.SAFE_ACTION, EventKind.NOT_CONFIRMED)


class SpokenNotes:
    """Says what is sent, and what came of it as far as it is out of the ordinary."""

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """Said before anything is sent."""
        shown = ", ".join(f"{name} {setting}" for name, setting in commands.items())
        aside(f"sending {device}: {shown}")

    def note(self, kind: EventKind, /, **data: Any) -> None:
        """What came of it, as far as it is out of the ordinary."""
        if kind in _SAID:
            from harness.record.log import spoken

            aside(f"{kind}: {spoken(data)}")


def aside(text: str) -> None:
    """Text on stderr, a line for each of its lines, whatever state stderr is in: nothing hangs on who reads it."""
    from harness.schema.problems import one_line

    with contextlib.suppress(OSError, ValueError):
        click.echo("\n".join(map(one_line, text.split("\n"))), err=True)
