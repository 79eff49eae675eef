"""Every key that a file may have does something: what nothing reads is not accepted."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from harness.engine.step import known_steps
from harness.schema.conditions import LimitSet
from harness.schema.plan import Plan
from harness.schema.profile import PROFILES
from harness.schema.station import Station

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("harness", "sim")
VALIDATORS = {"model_validator", "field_validator"}
FOR_PEOPLE = {"description", "source", "provenance", "title", "schema_version", "unverified", "verified_on"}
"""Keys that say something to who reads the file, or which file it is."""


def models(root: type[BaseModel], seen: set[type[BaseModel]]) -> None:
    """A model and every model that its fields hold."""
    if root in seen:
        return
    seen.add(root)
    for info in root.model_fields.values():
        for each in inside(info.annotation):
            models(each, seen)


def inside(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from inside(part)


def fields() -> list[tuple[str, str]]:
    """(model, field) of everything that a file may say."""
    seen: set[type[BaseModel]] = set()
    for root in (Station, Plan, LimitSet, *PROFILES.values(), *(each.params for each in known_steps().values())):
        models(root, seen)
    return sorted({(model.__name__, name) for model in seen for name in model.model_fields})


@cache
def reads() -> frozenset[str]:
    """Every name that is read as an attribute, or by a text (`getattr`), where it is not merely validated."""
    found: set[str] = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            visit(ast.parse(path.read_text()), found)
    return frozenset(found)


def visit(node: ast.AST, found: set[str]) -> None:
    if isinstance(node, ast.FunctionDef) and any(decorator(each) in VALIDATORS for each in node.decorator_list):
        return
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        found.add(node.attr)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        found.update(arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))
    for child in ast.iter_child_nodes(node):
        visit(child, found)


def decorator(node: ast.expr) -> str:
    called = node.func if isinstance(node, ast.Call) else node
    return called.id if isinstance(called, ast.Name) else ""


@pytest.mark.parametrize(("model", "name"), fields())
def test_every_field_of_every_model_is_read(model, name):
    assert name in reads() or name in FOR_PEOPLE, f"{model}.{name} is accepted and does nothing"
