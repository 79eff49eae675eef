"""What the pages of the documentation hold: fenced blocks that say what they are in their first line.

```sh run                   each line that begins with `harness` is run; `# exit N` names the code it ends with
```yaml plan NAME           a plan, station, profile or limits file; NAME is where it is written for the commands
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
KINDS = ("plan", "sequence", "sku", "station", "profile", "limits")
_BLOCK = re.compile(r"^```(?P<words>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block: the words after its fence, its text, and the line it begins in."""

    page: Path
    words: tuple[str, ...]
    text: str
    line: int

    @property
    def name(self) -> str:
        """Page and line, for messages."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, tuple(match["words"].split()), match["text"], text.count("\n", 0, match.start()) + 1)
        for match in _BLOCK.finditer(text)
    ]


def is_file(block: Block) -> bool:
    """Whether a block is an input file of the harness."""
    return block.words[:1] == ("yaml",) and bool(set(block.words[1:2]) & set(KINDS))


def is_run(block: Block) -> bool:
    """Whether the commands of a block are run."""
    return block.words == ("sh", "run")


def write(block: Block, folder: Path) -> None:
    """Write an input file under the name its page gives it, if any."""
    if len(block.words) > 2:
        (folder / block.words[2]).write_text(block.text, encoding="utf-8")


def commands(block: Block) -> list[tuple[str, int]]:
    """The commands of a block, each with its exit code."""
    found = []
    for line in block.text.splitlines():
        command, _, remark = line.partition("#")
        code = re.search(r"exit (\d+)", remark)
        found.append((command.strip(), int(code[1]) if code else 0))
    return found
