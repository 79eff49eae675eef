"""The events of a YAML text. ruamel.yaml says what YAML is; libyaml, 17 times as fast, where both say the same.

They say the same about plain texts, and nearly all files are: ASCII, one document, no anchors, tags or missing values.
Whatever else a text has, and every mistake, is ruamel.yaml's alone (docs/adr/0007-dependencies.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import yaml

_NOT_PLAIN = re.compile(
    r"""[^\n -~]  # other characters
    | ^(?:%|---|\.\.\.)  # directives and documents
    | [|>][-+]?(?![-+\s]) | [|>][-+]?[ ]*\n[ ]*\n  # heads of block texts that are not usual
    | ["']:(?!\s)  # a value that touches its quoted key""",
    re.MULTILINE | re.VERBOSE,
)
_ROOT = 2
"""The event of the outermost node, after those of the stream and of the document."""
_MOST = 50_000
"""Events of a plain text: more are refused anyway, by who counts as they come."""


def events(text: str) -> Iterable[Any]:
    """What the parser finds, one after the other, with names, marks and values as ruamel.yaml gives them.

    A plain scalar's `style` is None or ''. MarkedYAMLError of ruamel.yaml for what is no YAML, and whatever the parser
    stumbles over.
    """
    plain = _plain(text)
    if plain is not None:
        return plain
    from ruamel.yaml import YAML

    found: Iterable[Any] = YAML(typ="safe", pure=True).parse(text)
    return found


def _plain(text: str) -> list[Any] | None:
    loader = getattr(yaml, "CSafeLoader", None)  # not there where PyYAML was built without libyaml
    if loader is None or _NOT_PLAIN.search(text):
        return None
    found: list[Any] = []
    try:
        for event in yaml.parse(text, Loader=loader):
            found.append(event)
            if len(found) > _MOST or not _is_plain(event):
                return None
    except yaml.YAMLError:
        return None
    is_mapping = isinstance(found[_ROOT], yaml.MappingStartEvent) if len(found) > _ROOT else False
    return found if is_mapping else None


def _is_plain(event: Any) -> bool:
    if getattr(event, "anchor", None) is not None or getattr(event, "tag", None) is not None:
        return False
    if not isinstance(event, yaml.ScalarEvent):
        return True
    return event.style != "" or bool(event.value)
