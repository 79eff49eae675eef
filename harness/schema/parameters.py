"""Replacing of `${name}` by the value of a parameter: whole values only, never a piece of a text."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from harness.schema.document import Loc, Origin, Source, value_at, with_value
from harness.schema.fields import is_name
from harness.schema.problems import Problem, did_you_mean, shown
from harness.spelling import Guesses


def plain(value: Any, name: str) -> Any:
    """A copy of a parameter's value; TypeError when it is not what a file can hold (dict, list, str, number...)."""
    if isinstance(value, dict):
        return {str(key): plain(child, name) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [plain(child, name) for child in value]
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise TypeError(f"parameter {name!r}: {value!r} cannot stand in a file")


def substitute(
    source: Source,
    values: Mapping[str, Any],
    given: Mapping[str, Origin] | None = None,
    *,
    local: Collection[str] = (),
    under: Loc = (),
    leaving: Collection[str] = (),
) -> tuple[Source, list[Problem]]:
    """A copy of `source` in which every `${name}` is the value of that parameter, and what was wrong with them.

    `given`: the parameters whose values are not the file's own; what is wrong with these is no mistake of it. `local`:
    those that are none of the file's parameters (a sweep gives them). Only what stands `under` a place is looked at,
    and of that not the keys `leaving`.

    Positions stay those of the file. A problem's place keeps its text and is refused: `validate` raises the problem of
    the parameter, and no second one for the text. The values are not searched for further `${...}`.
    """
    problems: list[Problem] = []
    guesses = Guesses()
    used: dict[Loc, str] = dict(source.parameters)
    from_outside: dict[Loc, str] = dict(source.local)
    refused: set[Loc] = set(source.refused)

    def replaced(text: str, loc: Loc) -> Any:
        if "${" not in text:
            return text
        name = text[2:-1] if text.startswith("${") and text.endswith("}") else ""
        if name in values:
            if name in local:
                from_outside[loc] = f"{name} = {values[name]}"
            else:
                used[loc] = name
            return plain(values[name], name)
        if is_name(name):
            guess = did_you_mean(name, values) if guesses.may_compare(len(values)) else ""
            hint = guess or "define it under 'parameters'"
            problems.append(source.problem(loc, "HX-1201", f"unknown parameter {name!r}", hint))
        else:
            hint = "let the parameter hold the whole value"
            message = f"parameters are replaced only as whole values, not inside {shown(text)}"
            problems.append(source.problem(loc, "HX-1202", message, hint))
        refused.add(loc)
        return text

    def walk(value: Any, loc: Loc) -> Any:
        if isinstance(value, str):
            return replaced(value, loc)
        if isinstance(value, dict):
            left = leaving if loc == under else ()
            return {key: child if key in left else walk(child, (*loc, key)) for key, child in value.items()}
        if isinstance(value, list):
            return [walk(child, (*loc, index)) for index, child in enumerate(value)]
        return value

    data = with_value(source.data, under, walk(value_at(source.data, under), under))
    changed = replace(
        source,
        data=data,
        problems=(*source.problems, *problems),
        refused=frozenset(refused),
        parameters=used,
        given=given or {},
        local=from_outside,
    )
    return changed, problems
