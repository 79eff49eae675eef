"""A key that no row changes is a key of which nobody knows that it does anything: there is none."""

from __future__ import annotations

import importlib
from pathlib import Path

from tests.keys.models import all_models
from tests.keys.rows import cases, keys_of

FILES = sorted(path.stem for path in Path(__file__).parent.glob("test_*_keys.py"))
KEYS = sorted(f"{model.__name__}.{key}" for model in all_models() for key in keys_of(model))


def rows() -> set[str]:
    """The keys that the tables of this folder change."""
    return {case.name for name in FILES for case in cases(importlib.import_module(f"tests.keys.{name}").TABLES)}


def test_every_key_of_every_model_has_a_row():
    assert sorted(set(KEYS) - rows()) == []


def test_no_two_models_have_one_name():
    """A row is told by the name of its model."""
    assert len({model.__name__ for model in all_models()}) == len(all_models())
