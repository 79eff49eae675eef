"""What the models of a protocol of others answer, asked once at loading: what fails, fails there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.device.points import Expansion
from harness.schema.profile import Profile, Signal

_SIGNAL = {
    "is_text": bool,
    "is_cleared_by_reading": bool,
    "exponent_signal": str,
    "shows_words": bool,
    "resolution": (int, float),
    "low_bits": int,
}
_PROFILE = {"is_read_only": bool, "default_unit": (int, type(None)), "sent_at_open": tuple}


def check_answers(profile: Profile, points: Expansion) -> None:
    """TypeError for the first thing that is not of the kind that `harness.schema.profile` says, or what it raises."""
    _kinds(profile, _PROFILE)
    for signal in points.signals.values():
        spec: Signal = signal.spec
        _kinds(spec, _SIGNAL)
        words: Any = spec.words()
        if not isinstance(words, Mapping) or not all(isinstance(word, str) for word in words.values()):
            raise TypeError(f"{type(spec).__name__}.words gives {words!r}: raw value -> word is wanted")
    for control in points.controls.values():
        takes: Any = control.spec.takes
        if not isinstance(takes, tuple) or not all(isinstance(word, str) for word in takes):
            raise TypeError(f"{type(control.spec).__name__}.takes gives {takes!r}: a tuple of words is wanted")


def _kinds(thing: Any, wanted: Mapping[str, Any]) -> None:
    for name, kind in wanted.items():
        found = getattr(thing, name)
        if not isinstance(found, kind):
            raise TypeError(f"{type(thing).__name__}.{name} gives {found!r}")
