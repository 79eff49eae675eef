"""Rows of the chaos table: what was done, what came of it, what it had to be."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One line: `ok` is the judgement of whoever measured, with the ground truth before their eyes."""

    what: str
    found: str
    target: str
    ok: bool

    def __str__(self) -> str:
        return f"{'ok ' if self.ok else 'BAD'} | {self.what} | {self.found} | {self.target}"


@dataclass
class Count:
    """What a series of judgements came to."""

    done: int = 0
    wrong: list[str] = field(default_factory=list)

    def judge(self, what: str, problem: str) -> None:
        self.done += 1
        if problem:
            self.wrong.append(f"{what}: {problem}")

    def row(self, what: str, target: str) -> Row:
        first = f"; {self.wrong[0][:300]}" if self.wrong else ""
        return Row(f"{what} x {self.done}", f"{len(self.wrong)} wrong{first}", target, not self.wrong)


def check(rows: list[Row]) -> None:
    """Fail a test with every bad row."""
    print()
    for row in rows:
        print(row)
    bad = [str(row) for row in rows if not row.ok]
    assert not bad, "\n".join(bad)
