"""What an instrument answers to which query, line by line: `query -> answer`."""

from __future__ import annotations

from pathlib import Path

from tests.cases.lines import Lines

ARROW = " ->"


class Talk:
    """An instrument that answers what the file says and obeys everything else without a word."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.unanswered: list[str] = []
        """Queries that the file has no answer to."""

    def handle(self, line: str) -> str | None:
        """See ScpiDevice."""
        query = line.strip()
        if query not in self.answers and "?" in query:
            self.unanswered.append(query)
        return self.answers.get(query)


def read_talk(path: Path) -> Talk:
    """The queries and answers of a file; ProblemsError names every line that is none."""
    lines, talk = Lines(path), Talk()
    for line in lines.reported():
        query, arrow, answer = line.partition(ARROW)
        if not arrow or not query.strip():
            lines.wrong("this is no query with its answer", "expected like: MEAS:VOLT? -> 49.53")
        elif query.strip() in talk.answers:
            lines.wrong(f"{query.strip()} is answered a second time")
        talk.answers[query.strip()] = answer.removeprefix(" ")
    lines.check()
    return talk
