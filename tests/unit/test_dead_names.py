"""Nothing is left that nothing uses: a name at the top of a module is used somewhere in what ships."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = ("harness", "sim", "drivers", "testplans")
BY_NAME = {"NAMES"}
"""`faultpoint.NAMES` is what the tests iterate over: every point is reached."""


def test_every_name_of_a_module_is_used():
    texts = {path: path.read_text(encoding="utf-8") for name in SHIPPED for path in (ROOT / name).rglob("*.py")}
    entries = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    count = Counter(word for text in (*texts.values(), entries) for word in re.findall(r"\w+", text))
    dead = [
        f"{path.relative_to(ROOT)}: {name}"
        for path, text in sorted(texts.items())
        for name in _top_names(ast.parse(text))
        if count[name] < 2 and name not in BY_NAME
    ]
    assert dead == []


def _top_names(tree):
    """Constants, functions and classes of a module; what a decorator has taken is used by it."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.decorator_list:
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
