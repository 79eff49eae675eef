"""Keys of a profile that other keys beside them leave nothing to do: `width` without `bit`, `scale` of a text.

Each key for itself does something; together with these it would be read and have no effect, and whoever wrote it would
believe that it had. So it is refused. Which keys these are the models of signals and controls say.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.schema.profile import Control, Profile, Signal

Place = tuple[str | int, ...]


def idle_keys(profile: Profile) -> list[tuple[Place, str]]:
    """(location, message) of every key that has no effect where it stands."""
    return [
        ((*place, key), f"{key} has no effect here: {why}")
        for place, spec, is_row in _specs(profile)
        for keys, why in spec.idle(is_row=is_row)
        for key in keys
        if key in spec.model_fields_set
    ]


def _specs(profile: Profile) -> Iterator[tuple[Place, Signal | Control, bool]]:
    """Every signal and control, where it stands, and whether it is repeated."""
    parts: dict[str, dict[str, Signal | Control]] = {
        "signals": {**profile.signals},
        "controls": {**profile.controls},
    }
    for part, found in parts.items():
        yield from (((part, name), spec, False) for name, spec in found.items())
    for group, repeat in profile.repeat.items():
        rows: dict[str, dict[str, Signal | Control]] = {"signals": {**repeat.signals}, "controls": {**repeat.controls}}
        for part, columns in rows.items():
            yield from ((("repeat", group, part, name), spec, True) for name, spec in columns.items())
        if repeat.control is not None:
            yield ("repeat", group, "control"), repeat.control, True
