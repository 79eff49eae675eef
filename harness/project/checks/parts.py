"""What all checks of files share: parts validated on their own, and references that must name something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.limits.span import check_binds
from harness.project.catalog import Catalog
from harness.schema.conditions import Condition
from harness.schema.document import Source
from harness.schema.fields import LocatedError, is_reference
from harness.schema.input_file import InFileError
from harness.schema.plan import Plan
from harness.schema.problems import Problems
from harness.schema.source import validate_part
from harness.schema.station import Station

Place = tuple[str | int, ...]


def validated(found: Problems, source: Source, model: Any, loc: Place = (), omit: Sequence[str] = ()) -> Any:
    """The model of a part, None when that part is wrong; mistakes of other parts do not hide what it says."""
    part, problems = validate_part(source, model, loc_prefix=loc, omit=omit)
    found.extend([*source.problems, *problems])
    return part


def parts(source: Source, loc: tuple[str], model: Any, head: Plan | Station | None, found: Problems) -> dict[Any, Any]:
    """The entries of a section by their key or index; where the file as a whole is wrong, those that are right."""
    if head is not None:
        whole = getattr(head, loc[0])
        return dict(whole) if isinstance(whole, dict) else dict(enumerate(whole))
    return right(source, loc, model, found)


def right(source: Source, loc: tuple[str, ...], model: Any, found: Problems) -> dict[Any, Any]:
    """The entries at a place of the file that are right, by key or index."""
    raw = source.data
    for key in loc:
        raw = raw.get(key) if isinstance(raw, dict) else None
    entries = raw.items() if isinstance(raw, dict) else enumerate(raw if isinstance(raw, list) else [])
    parts = {name: validated(found, source, model, (*loc, name)) for name, _ in entries}
    return {name: part for name, part in parts.items() if part is not None}


def keys_of(source: Source, section: str) -> set[str]:
    """The names in a section of a file, right or wrong."""
    raw = source.data.get(section) if isinstance(source.data, dict) else None
    return set(raw) if isinstance(raw, dict) else set()


def attempt(found: Problems, source: Source, loc: Place, code: str, work: Any) -> None:
    """Do `work`; its ValueError is a problem at `loc`, at the key inside it that is at fault, or in a file it names."""
    try:
        work()
    except InFileError as error:
        found.add(error.problem)
    except ValueError as error:
        inner = error.loc if isinstance(error, LocatedError) else ()
        found.add(source.problem((*loc, *inner), code, str(error)))


def check_reference(
    catalog: Catalog,
    limits: Mapping[str, Any],
    source: Source,
    loc: Place,
    kind: str,
    text: str,
    found: Problems,
) -> None:
    """A reference must name something; `limits`: those that the plan names."""
    if text.partition(".")[0] in catalog.unknown or (kind != "limit" and not is_reference(text)):
        return  # what is wrong with the device, or with the text, has been said
    if kind == "signal" and not catalog.find_signals(text):
        found.add(source.problem(loc, "HX-1306", catalog.signal_problem(text)))
    elif kind == "control" and not catalog.find_controls(text):
        found.add(source.problem(loc, "HX-1307", catalog.control_problem(text)))
    elif kind == "limit" and text not in limits:
        hint = catalog.guesses.hint(text, limits) or ("; the plan names no limit set" if not limits else "")
        found.add(source.problem(loc, "HX-1308", f"unknown limit {text!r}{hint}"))


def check_conditions(catalog: Catalog, source: Source, params: Any, loc: Place, found: Problems) -> None:
    """The conditions of a step: their bounds must fit the signals they are about."""
    for name, info in type(params).model_fields.items():
        value = getattr(params, name)
        key = info.alias or name
        items = list(enumerate(value)) if isinstance(value, tuple) else [(None, value)]
        if isinstance(params, Condition):
            items = []
        for index, item in items:
            if isinstance(item, Condition):
                place = (*loc, key) if index is None else (*loc, key, index)
                _check_condition(catalog, source, item, place, found)
    if isinstance(params, Condition):
        _check_condition(catalog, source, params, loc, found)


def _check_condition(catalog: Catalog, source: Source, condition: Condition, loc: Place, found: Problems) -> None:
    for name in catalog.find_signals(condition.signal)[:1]:
        info = catalog.signals[name]
        try:
            check_binds(condition, info)
        except ValueError as error:
            inner = error.loc if isinstance(error, LocatedError) else ("signal",)
            found.add(source.problem((*loc, *inner), "HX-1312", str(error)))
