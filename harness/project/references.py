"""Finds the references (signals, controls, limits) in raw data by walking the model that describes it.

It walks the model's types beside the raw data, not an instance, so that a misspelt signal is reported even when
something else in the same step is wrong too.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from harness.schema.fields import ControlRef, SignalRef

Loc = tuple[str | int, ...]
LimitName = Annotated[str, "limit name"]
"""The name of a limit in the plan's limit sets."""

_MARKS = {
    id(get_args(SignalRef)[1]): "signal",
    id(get_args(ControlRef)[1]): "control",
    id(get_args(LimitName)[1]): "limit",
}


def references(model: type[BaseModel], data: Any, loc: Loc = ()) -> Iterator[tuple[Loc, str, str]]:
    """(place, kind, text) of every reference in `data`; kind is signal, control or limit."""
    if not isinstance(data, dict):
        return
    for name, info in model.model_fields.items():
        key = info.alias or name
        if key in data:
            yield from _walk(info.annotation, list(info.metadata), data[key], (*loc, key))


def _walk(annotation: Any, metadata: list[Any], data: Any, loc: Loc) -> Iterator[tuple[Loc, str, str]]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _walk(args[0], [*args[1:], *metadata], data, loc)
        return
    kind = next((_MARKS[id(mark)] for mark in metadata if id(mark) in _MARKS), "")
    if kind:
        if isinstance(data, str):
            yield loc, kind, data
        return
    if origin in (Union, types.UnionType):
        for arm in args:
            yield from _walk(arm, [], data, loc)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        is_short = isinstance(data, str) and "signal" in annotation.model_fields  # `restart_on: [rack.reboots]`
        yield from references(annotation, {"signal": data} if is_short else data, loc)
    elif origin in (tuple, list) and isinstance(data, list):
        for index, item in enumerate(data):
            yield from _walk(args[0], [], item, (*loc, index))
    elif origin in (dict, typing.Mapping) and isinstance(data, dict):
        for key, item in data.items():
            yield from _walk(args[0], [], key, (*loc, key))
            yield from _walk(args[1], [], item, (*loc, key))
