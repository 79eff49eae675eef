"""Which keys there are: taken from the models, so that a new one without a row is missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel

from harness.device.protocol import known_protocols, protocol
from harness.device.redfish.credentials import RedfishFile
from harness.device.snmp.credentials import SnmpFile
from harness.project.step import known_steps
from harness.schema.conditions import LimitSet
from harness.schema.plan import Plan
from harness.schema.sequence import CONSTRUCTS, SequenceFile, StepEntry
from harness.schema.sku import SkuFile
from harness.schema.station import DeviceEntry, Station

ABSENT = object()
"""A key that is not there."""
_FILES: dict[str, type[BaseModel]] = {
    "station": Station,
    "plan": Plan,
    "limits": LimitSet,
    "sequence": SequenceFile,
    "sku": SkuFile,
    "entry": DeviceEntry,
    "snmp": SnmpFile,
    "redfish": RedfishFile,
}


def all_models() -> set[type[BaseModel]]:
    """Every model that a file of a user may hold."""
    found: set[type[BaseModel]] = set()
    steps = (definition.params for definition in known_steps().values())
    for root in (
        *_FILES.values(),
        StepEntry,
        *CONSTRUCTS.values(),
        *(each.part("profile") for each in known_protocols()),
        *steps,
    ):
        _collect(root, found)
    return found


def _collect(root: type[BaseModel], found: set[type[BaseModel]]) -> None:
    if root not in found:
        found.add(root)
        for info in root.model_fields.values():
            for each in _inside(info.annotation):
                _collect(each, found)


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _inside(part)


def at(data: Any, way: Sequence[str], *, make: bool = False) -> Any:
    """The part of plain data at a way; mappings on it are made when they are missing."""
    for part in way:
        if make and not isinstance(data, list):
            data.setdefault(part, {})
        data = data[int(part) if isinstance(data, list) else part]
    return data


def model_of(files: dict[str, Any], place: str, key: str) -> type[BaseModel]:
    """The model that has a key at a place of valid files."""
    name, *way = place.split("/")
    data = files[name]
    if "protocol" in data:
        return _below(protocol(data["protocol"]).part("profile").model_validate(data), way)
    if name == "plan" and way[:1] in (["setup"], ["steps"], ["cleanup"]):
        step, rest = at(data, way[:2]), way[2:]
        construct = next((model for kind, model in CONSTRUCTS.items() if kind in step), None)
        if construct is not None:
            return _below(construct.model_validate(step), rest)
        if not rest and key in StepEntry.model_fields:
            return StepEntry
        if rest and rest[0] in StepEntry.model_fields:
            return _below(StepEntry.model_validate(step), rest)
        own = {key: value for key, value in step.items() if key not in StepEntry.model_fields}
        return _below(known_steps()[step["step"]].params.model_validate(own), rest)
    return _below(_FILES[name].model_validate(data), way)


def _below(value: Any, way: Sequence[str]) -> type[BaseModel]:
    for part in way:
        if isinstance(value, BaseModel):
            names = {info.alias or name: name for name, info in type(value).model_fields.items()}
            value = getattr(value, names[part])
        else:
            value = value[int(part)] if isinstance(value, list | tuple) else value[part]
    return type(value)
