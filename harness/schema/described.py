"""What is written under the attributes of the file models, for JSON Schemas and the reference made from them.

pydantic can read it when a class is made; but that parses the source, and every command would pay for it at its start.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """The text under each field, by the field's name; a field is described where it is annotated last."""
    found = {}
    for name in model.model_fields:
        owner = next((each for each in model.__mro__ if name in inspect.get_annotations(each)), model)
        text = _of_module(owner.__module__).get(owner.__qualname__, {}).get(name)
        if text:
            found[name] = text
    return found


@cache
def _of_module(name: str) -> Mapping[str, Mapping[str, str]]:
    """The texts under the attributes of every class of a module, by qualified name; none where there is no source."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except (KeyError, OSError, TypeError, SyntaxError):
        return {}
    return dict(_classes(tree.body, ""))


def _classes(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield f"{prefix}{node.name}", _attributes(node.body)
            yield from _classes(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _classes(node.body, f"{prefix}{node.name}.<locals>.")


def _attributes(body: list[ast.stmt]) -> dict[str, str]:
    found = {}
    for before, node in pairwise(body):
        if not (isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name)):
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found[before.target.id] = inspect.cleandoc(node.value.value)
    return found
