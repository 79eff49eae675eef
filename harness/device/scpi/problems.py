"""Queries and commands of a profile with {names} that nothing puts a number in."""

from __future__ import annotations

from harness.device.points import Expansion
from harness.device.templates import Place, texts_under, unfilled
from harness.schema.profiles.scpi import ScpiProfile

_KEYS = ("query", "set", "texts", "at_open")


def problems(profile: ScpiProfile, expansion: Expansion) -> list[tuple[Place, str]]:  # noqa: ARG001 (no row matters)
    """(location, message) of each."""
    texts = texts_under(profile, _KEYS, ("signals", "controls", "repeat", "scpi"))
    return [each for place, text in texts for each in unfilled(profile, place, text)]
