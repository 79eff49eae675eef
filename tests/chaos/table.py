"""Rows of the chaos table: what was done, what came of it, what it had to be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line: `ok` is the judgement of whoever measured, with the ground truth before their eyes."""

    what: str
    found: str
    target: str
    ok: bool

    def __str__(self) -> str:
        return f"{'ok ' if self.ok else 'BAD'} | {self.what} | {self.found} | {self.target}"


def check(rows: list[Row]) -> None:
    """Fail a test with every bad row."""
    print()
    for row in rows:
        print(row)
    bad = [str(row) for row in rows if not row.ok]
    assert not bad, "\n".join(bad)
