"""Values of Redfish resources as raw numbers and texts; shared by the devices and the guardian."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import RefusedError
from harness.quantity import Quality
from harness.transport.redfish.client import RedfishClient
from harness.transport.redfish.resource import MISSING, JsonObject, at, word
from harness.transport.redfish.resource import number as json_number

MAX_TEXT = 256
GONE = 404


async def fetch(client: RedfishClient, places: Sequence[str]) -> dict[str, Any]:
    """The values at places `path#pointer`, each resource asked for once; MISSING where the service has nothing."""
    resources: dict[str, JsonObject] = {}
    for path in dict.fromkeys(place.partition("#")[0] for place in places):
        try:
            resources[path] = await client.get(path)
        except RefusedError as refused:
            if refused.vendor_code != GONE:
                raise
            resources[path] = {}
    return {place: at(resources[place.partition("#")[0]], place.partition("#")[2]) for place in places}


def text(value: Any) -> tuple[str, Quality]:
    """A text made safe to show and store; '' and BAD when there is none."""
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
