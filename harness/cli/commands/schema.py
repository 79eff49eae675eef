"""`harness schema`: JSON Schema of the files, for editors."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import reduce
from operator import or_
from typing import Any

import click

from harness.errors import ConfigError


@click.command()
@click.argument("kind", type=click.Choice(["plan", "sequence", "sku", "station", "profile", "limits", "result"]))
def schema(kind: str) -> int:
    """Print the JSON Schema (2020-12) of a KIND of file; the plan's holds every installed step."""
    from harness.cli.ui.terminal import say

    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **make_schema(kind)}
    say(json.dumps(document, indent=1))
    return 0


def make_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of `plan`, `sequence`, `sku`, `station`, `profile`, `limits` or `result`."""
    from harness.schema.sequence import SequenceFile

    if kind == "plan":
        from harness.schema.plan import Plan

        return _with_steps(Plan.model_json_schema())
    if kind == "station":
        from harness.schema.station import Station

        return Station.model_json_schema()
    if kind == "sequence":
        return _with_steps(SequenceFile.model_json_schema())
    if kind == "sku":
        from harness.schema.sku import SkuFile

        return SkuFile.model_json_schema()
    if kind == "limits":
        from harness.schema.conditions import LimitSet

        return LimitSet.model_json_schema()
    if kind == "result":
        from harness.record.result import result_schema

        return result_schema()
    from pydantic import TypeAdapter

    from harness.device.protocol import known_protocols

    models: list[Any] = []
    for each in known_protocols():
        with suppress(ConfigError):  # `doctor` names what is broken
            models.append(each.part("profile"))
    return TypeAdapter(reduce(or_, models)).json_schema()


def _with_steps(document: dict[str, Any]) -> dict[str, Any]:
    """The model of a file with steps: an entry is one of the installed steps, told apart by `step`, or a construct."""
    from harness.project.step import known_steps
    from harness.schema.sequence import CONSTRUCTS, StepEntry

    definitions: dict[str, Any] = document.setdefault("$defs", {})
    entry = StepEntry.model_json_schema(ref_template="#/$defs/{model}")
    common = entry["properties"]
    definitions.update(entry.get("$defs", {}))
    branches = []
    for name, definition in known_steps().items():
        part = definition.params.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(part.pop("$defs", {}))
        key = f"step_{name}"
        parameter = {"type": "string", "pattern": r"^\$\{[a-z][a-z0-9_]*\}$"}
        own = {each: {"anyOf": [body, parameter]} for each, body in part.get("properties", {}).items()}
        definitions[key] = {
            "title": name,
            "description": definition.summary,
            "type": "object",
            "properties": {**common, **own, "step": {"const": name}},
            "required": ["step", *part.get("required", [])],
            "additionalProperties": False,
        }
        branches.append({"$ref": f"#/$defs/{key}"})
    for construct, model in CONSTRUCTS.items():
        part = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(part.pop("$defs", {}))
        if "steps" in part["properties"]:
            part["properties"]["steps"] = {"$ref": "#/$defs/Steps"}
        definitions[f"entry_{construct}"] = part
    definitions["StepEntry"] = {"oneOf": branches, "discriminator": {"propertyName": "step"}}
    holders = [{"$ref": f"#/$defs/entry_{construct}"} for construct in CONSTRUCTS]
    definitions["Entry"] = {"anyOf": [{"$ref": "#/$defs/StepEntry"}, *holders]}
    definitions["Steps"] = {"type": "array", "items": {"$ref": "#/$defs/Entry"}}
    return document
