"""What makes a run an engineering run: asked before it begins, and again of its record by `harness verify`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.quantity import canonical
from harness.schema.document import Origin
from harness.schema.plan import Parameter
from harness.schema.problems import Problems
from harness.schema.station import Bypass


def replaced(declared: Mapping[str, Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> the plan's own value, of every parameter that was given another one; `1440 min` is `24 h`."""
    return {
        name: parameter.default
        for name, parameter in declared.items()
        if name in values and not _is_same(values[name], parameter.default)
    }


def _is_same(one: Any, other: Any) -> bool:
    if type(one) is type(other) and one == other:
        return True
    try:
        return canonical(one) == canonical(other)
    except ValueError:
        return False


def reasons(
    declared: Mapping[str, Parameter], values: Mapping[str, Any], bypassed: Sequence[Bypass], begun_at: str = ""
) -> tuple[str, ...]:
    """Why a run with these values and bypasses can prove nothing to a customer; empty: it may have the certificate.

    `begun_at`: the step that it began at, where that is not the first.

    A value that no bound can be compared with gives no reason: `check_comparable` refuses it.
    """
    outside = (f"{name} is {text}" for name, text in _outside(declared, values) if isinstance(text, str) and text)
    late = (f"it began at {begun_at}",) if begun_at else ()
    return (*late, *outside, *(f"interlock {each.interlock!r} is {each}" for each in bypassed))


def bypassed_by(bypassed: Sequence[Bypass]) -> dict[str, str]:
    """Interlock -> by whom it is left out, until when and why; station and plan may each say so."""
    said: dict[str, list[str]] = {}
    for each in bypassed:
        said.setdefault(each.interlock, []).append(str(each))
    return {name: "; ".join(words) for name, words in said.items()}


def check_comparable(
    declared: Mapping[str, Parameter], values: Mapping[str, Any], given: Mapping[str, Origin], found: Problems
) -> None:
    """A value that no bound can be compared with is a problem."""
    for name, text in _outside(declared, values):
        if isinstance(text, ValueError) and name in given:
            found.add(given[name].problem("HX-1332", str(text)))


def _outside(declared: Mapping[str, Parameter], values: Mapping[str, Any]) -> Iterator[tuple[str, str | ValueError]]:
    for name, parameter in declared.items():
        try:
            yield name, parameter.outside(values.get(name, parameter.default))
        except ValueError as error:
            yield name, error
