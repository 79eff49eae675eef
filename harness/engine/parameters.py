"""Parameters as they were given, against the plan's own: what was replaced, and what that makes of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.quantity import canonical
from harness.schema.document import Source
from harness.schema.plan import Parameter
from harness.schema.problems import Problem, Problems


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


def outside_bounds(
    declared: Mapping[str, Parameter], values: Mapping[str, Any], source: Source, found: Problems
) -> list[str]:
    """Why these values make the run an engineering run; a value that no bound can be compared with is a problem."""
    reasons = []
    for name, parameter in declared.items():
        try:
            outside = parameter.outside(values.get(name, parameter.default))
        except ValueError as error:
            found.add(Problem(source.name, 0, 0, "HX-1332", f"--set {name}: {error}"))
            continue
        if outside:
            reasons.append(f"{name} is {outside}")
    return reasons
