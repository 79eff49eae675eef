"""From a loaded file to a checked model; every error of pydantic becomes a problem with a place and plain words."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from harness.schema.document import Loc, Source, value_at
from harness.schema.error_messages import KINDS, Words, kinds_expected, say
from harness.schema.error_places import Place, Walker, allowed_keys
from harness.schema.fields import LocatedError
from harness.schema.problems import MAX_PROBLEMS, Problem, ProblemsError, nearest
from harness.spelling import meant_parameter

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Error:
    """One error of pydantic with its place in the data and the value that the file has there."""

    details: ErrorDetails
    place: Place
    value: Any
    around: tuple[str, ...] = ()
    """The keys of the mapping that holds it."""

    @property
    def kind(self) -> str:
        return self.details["type"]


def validate(source: Source, model: type[M], *, loc_prefix: Sequence[str | int] = (), omit: Collection[str] = ()) -> M:
    """Check the data (under `loc_prefix`, without the keys in `omit`) against a model.

    ProblemsError holds everything: what loading noted in `source.problems`, and every error of the model. Nothing is
    converted on the way: a number is not text, 'yes' is not true, and text is not a number.
    """
    checked, problems = validate_part(source, model, loc_prefix=loc_prefix, omit=omit)
    if checked is None or source.problems:
        raise ProblemsError([*source.problems, *problems])
    return checked


def validate_part(
    source: Source, model: type[M], *, loc_prefix: Sequence[str | int] = (), omit: Collection[str] = ()
) -> tuple[M | None, list[Problem]]:
    """Like `validate`, but what is wrong elsewhere in the file does not spoil this part: (model, its own problems).

    The model is None when the part has problems, and when loading refused something inside it.
    """
    prefix: Loc = tuple(loc_prefix)
    data = value_at(source.data, prefix)
    if isinstance(data, dict) and omit:
        data = {key: value for key, value in data.items() if key not in omit}
    try:
        # As JSON, because its strict mode is the one that knows files: lists may be tuples and words may be enums,
        # but nothing else is converted.
        checked = model.model_validate_json(json.dumps(data, allow_nan=False), strict=True)
    except ValidationError as error:
        return None, _problems(source, model, error, data, prefix)
    is_whole = not any(loc[: len(prefix)] == prefix for loc in source.refused)
    return (checked if is_whole else None), []


def _problems(source: Source, model: type[BaseModel], error: ValidationError, data: Any, prefix: Loc) -> list[Problem]:
    walker = Walker(model)
    errors = []
    for details in error.errors(include_url=False, include_input=False):
        place = walker.follow(details["loc"])
        if not _is_under((*prefix, *place.loc), source.refused):
            holder = value_at(data, place.loc[:-1])
            around = tuple(holder) if isinstance(holder, dict) and details["type"] == "missing" else ()
            errors.append(_Error(details, place, value_at(data, place.loc), around))
    groups = _reduce(errors, 0)
    found = [_problem(source, words, prefix) for words in _said(groups[:MAX_PROBLEMS])]
    if len(groups) > MAX_PROBLEMS:
        found.append(Problem(source.name, 0, 0, "HX-1003", f"{len(groups)} mistakes; {MAX_PROBLEMS} of them are shown"))
    # A placeholder that an alias or a number too long left behind may fail a validator further up; the cause is known.
    return found or ([] if source.problems else [_unexplained(source, error)])


def _unexplained(source: Source, error: ValidationError) -> Problem:
    return source.problem((), "HX-1206", f"not accepted ({error.error_count()} errors)")


def _is_under(loc: Loc, refused: Collection[Loc]) -> bool:
    return bool(refused) and any(loc[:length] in refused for length in range(len(loc) + 1))


def _reduce(errors: list[_Error], depth: int) -> list[list[_Error]]:
    """Leave one branch of every untagged union: the one that was meant. Errors in one list belong together."""
    kept: list[list[_Error]] = []
    unions: dict[Loc, dict[str, list[_Error]]] = {}
    for error in errors:
        if len(error.place.branches) <= depth:
            kept.append([error])
        else:
            loc, label = error.place.branches[depth]
            unions.setdefault(loc, {}).setdefault(label, []).append(error)
    for loc, branches in unions.items():
        kept.extend(_best(loc, list(branches.values()), depth))
    return kept


def _best(loc: Loc, branches: list[list[_Error]], depth: int) -> list[list[_Error]]:
    for branch in branches:
        if any(error.place.loc == loc and _is_whole(error) for error in branch):
            return _reduce(branch, depth + 1)
    deeper = [branch for branch in branches if any(error.place.loc != loc for error in branch)]
    if deeper:
        # The right kind of thing with mistakes inside: the branch that fits best.
        return _reduce(min(deeper, key=len), depth + 1)
    specific = [error for branch in branches for error in branch if error.kind not in KINDS]
    is_scalar = branches and not isinstance(branches[0][0].value, dict | list)
    if specific and is_scalar:
        return [specific]
    return [[error for branch in branches for error in branch]]


def _is_whole(error: _Error) -> bool:
    """Whether a model was filled without mistakes, and only its own check of the whole said no."""
    schema = error.place.schema
    return error.kind == "value_error" and schema is not None and schema["type"] == "model-fields"


def _said(groups: list[list[_Error]]) -> list[tuple[_Error, Words]]:
    """Words for every group; missing keys of one mapping are said together."""
    said: list[tuple[_Error, Words]] = []
    missing: dict[Loc, list[_Error]] = {}
    for group in groups:
        first = group[0]
        if first.kind == "missing" and isinstance(first.place.loc[-1], str):
            missing.setdefault(first.place.loc[:-1], []).append(first)
        elif len(group) == 1:
            said.append((first, say(first.details, first.place, first.value)))
        elif all(error.kind in KINDS for error in group):
            said.append((first, kinds_expected([error.kind for error in group], first.value)))
        else:
            specific = [error for error in group if error.kind not in KINDS]
            words = [say(error.details, error.place, error.value) for error in specific]
            texts = list(dict.fromkeys(word.message for word in words))
            hint = next((word.hint for word in words if word.hint), "")
            said.append((specific[0], Words(words[0].code, ", and ".join(texts), hint)))
    unknown = {error.place.loc for group in groups for error in group if error.kind == "extra_forbidden"}
    for loc, errors in missing.items():
        said.extend(_missing(loc, errors, unknown))
    return said


def _missing(loc: Loc, errors: list[_Error], unknown: set[Loc]) -> list[tuple[_Error, Words]]:
    """Words for the missing keys of one mapping, except those that are there, only misspelt."""
    allowed = allowed_keys(errors[0].place.parent)
    strangers = [key for key in errors[0].around if key not in allowed]
    names, hints = [], []
    for error in errors:
        name = str(error.place.loc[-1])
        alike = nearest(name, strangers)
        if alike and nearest(alike, allowed) == name:
            if (*loc, alike) in unknown:
                continue  # said as an unknown key, with the right one as its hint
            hints.append(f"is {alike!r} meant to be {name!r}?")
        names.append(repr(name))
    if not names:
        return []
    message = f"missing key{'s' if len(names) > 1 else ''} {', '.join(names)}"
    return [(errors[0], Words("HX-1204", message, ", ".join(hints)))]


def _problem(source: Source, said: tuple[_Error, Words], prefix: Loc) -> Problem:
    error, words = said
    loc = (*prefix, *error.place.loc)
    is_key = error.place.is_key or error.kind == "extra_forbidden"
    cause = error.details.get("ctx", {}).get("error")
    if isinstance(cause, LocatedError):
        loc, is_key = (*loc, *cause.loc), cause.key
    elif words.inner:
        loc = (*loc, words.inner)
    meant = meant_parameter(error.value)
    hint = f"did you mean {meant}?" if meant else words.hint
    return source.problem(loc, words.code, words.message, hint, key=is_key)
