"""libyaml is asked only where its events are those of ruamel.yaml: of what ships, whole and damaged."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from harness.schema import yaml_events
from harness.schema.yaml_events import events

ROOT = Path(__file__).parents[3]
FILES = sorted(path for folder in ("drivers", "testplans") for path in (ROOT / folder).rglob("*.yaml"))
PIECES = [
    *"{}[]:,#-?&*!|>'\"%@`\n \\~=<.é",
    *("\n\n", "- ", ": ", "  ", "\n  ", "\n- ", "{a: b}", "[x, y]", "'a'", '"b"', "|\n  x\n", ">-\n  y\n", "a:b"),
    *(
        "? a\n: b\n",
        "\n# c\n",
        " #",
        "1,5",
        "\\x41",
        "---\n",
        "...\n",
        "!!str",
        "&a",
        "*a",
        "<<: ",
        "%YAML 1.1\n",
        "\t",
    ),
    *("\r\n", "\ufeff", "\u3000", "\x85"),
]


def shown(event: Any) -> tuple[Any, ...]:
    """What of an event the loader looks at."""
    kind = type(event).__name__
    if kind.endswith("EndEvent") or kind.startswith("Stream"):
        return (kind,)
    more = [getattr(event, name, None) or None for name in ("style", "tag", "anchor", "version", "tags")]
    return (kind, event.start_mark.line, event.start_mark.column, getattr(event, "value", None), *more)


def of_ruamel(text: str) -> list[tuple[Any, ...]] | None:
    try:
        return [shown(event) for event in YAML(typ="safe", pure=True).parse(text)]
    except Exception:
        return None


def of_both(text: str) -> list[tuple[Any, ...]] | None:
    try:
        return [shown(event) for event in events(text)]
    except Exception:
        return None


def is_fast(text: str) -> bool:
    return isinstance(events(text), list)


def test_what_ships_is_read_by_libyaml_and_the_same() -> None:
    fast = 0
    for path in FILES:
        text = path.read_text()
        assert of_both(text) == of_ruamel(text), path
        fast += is_fast(text)
    assert fast >= 0.9 * len(FILES)


@pytest.mark.parametrize("seed", range(4))
def test_what_is_damaged_is_the_same_or_left_to_the_other(seed: int) -> None:
    chance = random.Random(seed)
    texts = [path.read_text().split("\n") for path in FILES]
    fast = 0
    for _ in range(400):
        lines = chance.choice(texts)
        at = chance.randrange(len(lines))
        text = "\n".join(lines[at : at + chance.randrange(1, 12)])
        for _ in range(chance.randrange(1, 4)):
            start = chance.randrange(len(text) + 1)
            end = min(len(text), start + chance.choice([0, 0, 0, 1, 2, 5]))
            text = text[:start] + chance.choice(PIECES) + text[end:]
        if yaml_events._plain(text) is not None:
            fast += 1
            assert of_both(text) == of_ruamel(text), text
    assert fast >= 40


@pytest.mark.parametrize(
    "text",
    [
        "a:\n",
        "? a\n",
        "a: &x b\n",
        "a: *x\n",
        "a: !!str b\n",
        "---\na: b\n",
        "a: é\n",
        "a: >\n\n  b\n",
        "a: >#\n b\n",
        '["a":"b"]\n',
        "- a\n",
        "",
        "[" * 5000,
        "{a: [" * 60,
    ],
)
def test_what_is_not_plain_is_left_to_the_other(text: str) -> None:
    assert not is_fast(text)


def test_without_libyaml_all_is_left_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_fast("a: b\n")
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert not is_fast("a: b\n")
    assert of_both("a: b\n") == of_ruamel("a: b\n")
