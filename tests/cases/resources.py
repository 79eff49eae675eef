"""The resources of a Redfish service as one JSON object: path -> what `curl` gets there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.schema.problems import Problem, ProblemsError
from tests.cases.lines import shown


def read_resources(path: Path) -> dict[str, dict[str, Any]]:
    """The resources by path, without a slash at the end; the root, which every service has, need not be told."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        place = error.lineno, error.colno
        raise ProblemsError([Problem(shown(path), *place, "HX-1206", f"this is no JSON: {error.msg}")]) from error
    except (OSError, ValueError) as error:
        raise ProblemsError([Problem(shown(path), 0, 0, "HX-1206", f"cannot be read: {error}")]) from error
    if not isinstance(data, dict):
        data = {"": data}
    wrong = [key for key, body in data.items() if not key.startswith("/redfish/v1") or not isinstance(body, dict)]
    if wrong:
        message = f"{wrong[0]!r} is no path of a resource with its body"
        raise ProblemsError([Problem(shown(path), 0, 0, "HX-1206", message, 'expected {"/redfish/v1/...": {...}}')])
    root = {"/redfish/v1": {"@odata.id": "/redfish/v1/"}}
    return root | {key.rstrip("/"): body for key, body in data.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in names if names.count(key) > 1)!r} stands twice in one object")
    return found
