"""What the parts of an SNMP profile say of each other that cannot be, and OIDs that are none."""

from __future__ import annotations

import re

from harness.device.points import Expansion
from harness.device.templates import Place, texts_under, unfilled
from harness.schema.profiles.snmp import SnmpProfile

_KEYS = frozenset(
    (
        *("oid", "fallbacks", "digits", "scale_from", "precision_from", "factor_from", "divisor_from"),
        *("labels", "join", "walk", "column"),
    )
)
_PART = r"(?:[0-9]+|\{[a-z0-9_.]+\})"
_OID = re.compile(rf"{_PART}(?:\.{_PART})*(?:\.\*(?:\.[0-9]+)+)?")


def problems(profile: SnmpProfile, expansion: Expansion) -> list[tuple[Place, str]]:  # noqa: ARG001 (no row matters)
    """(location, message) of each."""
    return [*_oid_problems(profile), *_sum_problems(profile)]


def _oid_problems(profile: SnmpProfile) -> list[tuple[Place, str]]:
    found: list[tuple[Place, str]] = []
    for place, text in texts_under(profile, _KEYS, ("signals", "controls", "repeat")):
        if _key(place) in _KEYS and text and _OID.fullmatch(text) is None:
            message = (
                f"{text!r} is no OID: numbers with dots between (none in front); {{i}} and {{name}} stand for some"
            )
            found.append((place, message))
        else:
            found += unfilled(profile, place, text)
    return found


def _key(place: Place) -> str:
    """The key that a text stands under, past the index of a list."""
    return next((each for each in reversed(place) if isinstance(each, str)), "")


def _sum_problems(profile: SnmpProfile) -> list[tuple[Place, str]]:
    found: list[tuple[Place, str]] = []
    for name, control in profile.controls.items():
        if control.at_signal and control.at_signal not in profile.signals:
            found.append((("controls", name, "at_signal"), f"{control.at_signal!r} is no signal of this profile"))
    for name, spec in profile.signals.items():
        if not spec.sum_of:
            continue
        group, _, column = spec.sum_of.partition(".")
        repeat = profile.repeat.get(group)
        if repeat is None or column not in repeat.signals:
            found.append((("signals", name, "sum_of"), f"{spec.sum_of!r} is no column of a repetition here"))
        elif repeat.signals[column].unit != spec.unit or repeat.signals[column].is_text:
            found.append((("signals", name, "sum_of"), f"{spec.sum_of!r} is no number in {spec.unit or 'no unit'}"))
    return found
