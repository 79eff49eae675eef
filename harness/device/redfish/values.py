"""Values of Redfish resources as raw numbers and texts; shared by the devices and the guardian."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.errors import DeviceError, ProtocolViolationError, RefusedError
from harness.quantity import Quality
from harness.transport.redfish.client import LostError, NoResourceError, RedfishClient, SlowError
from harness.transport.redfish.resource import MISSING, JsonObject, at, step, word
from harness.transport.redfish.resource import number as json_number

MAX_TEXT = 256
GONE = 404


async def fetch(
    client: RedfishClient, paths: Iterable[str]
) -> tuple[dict[str, JsonObject | Quality], DeviceError | None]:
    """Each resource once, by path, and a quality where there is none; with the error when none at all could be read."""
    found: dict[str, JsonObject | Quality] = {}
    problem: DeviceError | None = None
    lost = InARow()
    for path in dict.fromkeys(paths):
        try:
            found[path] = await client.get(path)
            lost.count = 0
        except OF_ONE_RESOURCE as error:
            is_any_good = any(not isinstance(each, Quality) for each in found.values())
            if isinstance(error, SlowError | LostError) and lost.is_the_service(is_any_good=is_any_good):
                raise
            found[path] = quality_of(error)
            if found[path] is not Quality.BAD_MISSING:
                problem = error
    return found, None if any(not isinstance(each, Quality) for each in found.values()) else problem


class InARow:
    """How many resources in a row were lost: from some on it is not they, it is the service."""

    _MOST, _MOST_AT_FIRST = 3, 2

    def __init__(self) -> None:
        self.count = 0

    def is_the_service(self, *, is_any_good: bool) -> bool:
        """Another one was lost; `is_any_good`: whether the service has answered for any resource."""
        self.count += 1
        return self.count >= (self._MOST if is_any_good else self._MOST_AT_FIRST)


OF_ONE_RESOURCE = (RefusedError, ProtocolViolationError, SlowError, LostError)
"""Errors that may concern one resource only."""


def quality_of(error: DeviceError) -> Quality:
    """What the values of a resource are when asking for it ended so."""
    if isinstance(error, RefusedError):
        return Quality.BAD_MISSING if error.vendor_code == GONE else Quality.BAD_REFUSED
    if isinstance(error, ProtocolViolationError):
        return Quality.BAD_DECODE if isinstance(error, NoResourceError) else Quality.BAD_VIOLATION
    return Quality.BAD_TIMEOUT


def value_at(resource: JsonObject | Quality, pointer: str, states: Sequence[str] | None) -> Any:
    """What stands at a pointer; a quality when there is none, or when the device says that it does not count.

    `states`: values of Status.State, beside the value or around it, in which it counts; None: in all.
    """
    if isinstance(resource, Quality):
        return resource
    found = at(resource, pointer)
    if found is MISSING or states is None or _counts(resource, pointer, states):
        return found
    return Quality.BAD_MISSING


def is_absent(resource: JsonObject | Quality) -> bool:
    """Whether a resource says that what it stands for is not there (an empty bay)."""
    return not isinstance(resource, Quality) and at(resource, "/Status/State") == "Absent"


def _counts(resource: JsonObject, pointer: str, states: Sequence[str]) -> bool:
    """Whether every Status.State on the way to a value is one in which it counts; a Status itself always does."""
    place: Any = resource
    for token in pointer.split("/")[1:]:
        if isinstance(place, dict) and token != "Status":
            status = place.get("Status")
            state = status.get("State") if isinstance(status, dict) else status  # some write the state itself there
            if state is not None and not (isinstance(state, str) and state.casefold() in states):
                return False
        place = step(place, token)
    return True


def text(value: Any) -> tuple[str, Quality]:
    """A text made safe to show and store; '' and BAD when there is none."""
    if isinstance(value, Quality):
        return "", value
    if value is MISSING or value is None:
        return "", Quality.BAD_MISSING
    if not isinstance(value, str | int | float):
        return "", Quality.BAD_DECODE
    shown = (word(value) or str(value)).strip()[:MAX_TEXT]
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in shown), Quality.GOOD


def number(
    kind: str, values: Sequence[Any], codes: Mapping[str, float] | None, sentinels: Sequence[float]
) -> tuple[float, Quality]:
    """One raw number of one or more values. `kind`: number, word, sum, max, worst; NaN whenever it is not GOOD.

    worst: the greatest of the codes; the smallest of all only when every value says it.
    """
    found = [_single(value, codes, sentinels) for value in values]
    bad = next((quality for _, quality in found if quality is not Quality.GOOD), None)
    good = [raw for raw, quality in found if quality is Quality.GOOD]
    if kind == "worst" and codes and good and max(good) > min(codes.values()):
        return max(good), Quality.GOOD  # one wet sensor is a leak, whatever the others say
    if bad is not None or not good:
        return math.nan, bad or Quality.BAD_MISSING
    return (math.fsum(good) if kind == "sum" else max(good)), Quality.GOOD


def _single(value: Any, codes: Mapping[str, float] | None, sentinels: Sequence[float]) -> tuple[float, Quality]:
    if value is MISSING or value is None:
        return math.nan, Quality.BAD_MISSING
    if isinstance(value, Quality):
        return math.nan, value
    raw = json_number(value) if codes is None else codes.get(word(value).casefold(), math.nan)
    if raw != raw:
        return math.nan, Quality.BAD_DECODE
    return (math.nan, Quality.BAD_SENTINEL) if raw in sentinels else (raw, Quality.GOOD)
