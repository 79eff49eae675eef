"""What the `sim:` keys of a profile can name, and which of them no simulated rack could serve.

Checked is what the twins themselves do, signal by signal, on a rack that has everything (batteries, every port); rows
beyond a rack (pump 7 of 2) are no mistake, the station says how many there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from harness.errors import ConfigError
from harness.quantity import convert
from harness.schema.profile import Profile, Signal
from sim.physics import Plant, RackParameters
from sim.rack import make_sources
from sim.twins.points import OWN, Twin, bind_point
from sim.twins.sources import Sources

Place = tuple[str | int, ...]
PAGE = "docs/reference/simulated-variables.md"
TWIN = {
    "twin.serial": "text: serial number of the simulated device",
    "twin.uptime": "s since the device started",
    "twin.reboots": "restarts of the device and of the rack",
    "twin.workload": "0 no power, 1 idle, 2 computing",
}
"""What a twin knows itself."""


@cache
def whole_rack() -> Sources:
    """What twins see of a rack that has everything."""
    parameters = RackParameters()
    return make_sources(Plant(replace(parameters, batteries=parameters.shelves)))


def binding_problems(profile: Profile) -> list[tuple[Place, str, str]]:
    """What of the profile's `sim:` keys no simulated rack could serve: (location, message, hint)."""
    twin = Twin("checked", profile, whole_rack())
    return [*_signals(twin), *_controls(twin)]


def _signals(twin: Twin) -> Iterator[tuple[Place, str, str]]:
    for place, key, spec, index in _specs(twin, "signals"):
        yield from _words(place, spec)
        try:
            bind_point(twin, key, key, spec, index)
        except ConfigError as error:
            yield _unknown(_culprit(place, twin, spec, index), error)
        except ValueError as error:
            yield (
                (*place, "sim", "of"),
                f"{spec.sim.of if spec.sim else ''} does not fit: {error}",
                "bind it to another",
            )
        except KeyError:
            continue  # said by _words


def _words(place: Place, spec: Signal) -> Iterator[tuple[Place, str, str]]:
    """Words and flags of a binding that the signal does not have."""
    if spec.sim is None:
        return
    words = set(spec.enum) or set(getattr(spec, "answers", {}))
    said: list[tuple[Place, str, set[str]]] = [(("words", word), word, words) for word in spec.sim.words]
    said += [(("flags", flag), flag, set(spec.flags)) for flag in spec.sim.flags]
    said += [(("text",), spec.sim.text, words)] if words and spec.sim.text else []
    for where, word, known in said:
        if word not in known:
            hint = f"it has {', '.join(sorted(known))}" if known else "it has none"
            what = "flag" if where[0] == "flags" else "word"
            yield (*place, "sim", *where), f"{word!r} is no {what} of this signal", hint


def _culprit(place: Place, twin: Twin, spec: Signal, index: int | None) -> Place:
    """Which variable of a binding it is that does not exist."""
    for flag, rule in (spec.sim.flags if spec.sim else {}).items():
        try:
            twin.sources.reader(twin.variable(rule.of, index), "", "")
        except ConfigError:
            return (*place, "sim", "flags", flag, "of")
    return (*place, "sim", "of")


def _controls(twin: Twin) -> Iterator[tuple[Place, str, str]]:
    for place, _, spec, index in _specs(twin, "controls"):
        for word in set(spec.sim_words) - set(spec.takes):
            hint = f"it has {', '.join(sorted(spec.takes)) or 'none'}"
            yield (*place, "sim_words", word), f"{word!r} is no command of this control", hint
        name = twin.variable(spec.sim, index)
        if not name or name.startswith(OWN):
            continue
        if name not in twin.sources.commands and not twin.sources.is_beyond(name):
            near = twin.sources.nearest(name, twin.sources.commands)
            yield (*place, "sim"), f"nothing of a simulated rack can be set by {name!r}", near or f"see {PAGE}"
            continue
        target = twin.sources.commands.get(name, "")
        try:
            if spec.unit and target and not spec.commands:
                convert(1.0, spec.unit, target)
        except ValueError as error:
            yield (*place, "sim"), f"{name} does not fit: {error}", "bind it to another"


def _specs(twin: Twin, kind: str) -> Iterator[tuple[Place, str, Any, int | None]]:
    """Every (place in the file, name, spec, row) of the signals or controls; of repetitions the first row."""
    profile = twin.profile
    for name, spec in getattr(profile, kind).items():
        yield (kind, name), name, spec, None
    for group, repeat in profile.repeat.items():
        first = next(iter(twin.indices(group)), 1)
        for key, spec in getattr(repeat, kind).items():
            yield ("repeat", group, kind, key), key, spec, first
        if kind == "controls" and repeat.control is not None:
            yield ("repeat", group, "control"), "", repeat.control, first


def _unknown(place: Place, error: ConfigError) -> tuple[Place, str, str]:
    message = error.message.replace("the plant has", "a simulated rack has")
    return place, message, error.hint or f"see {PAGE}"


# --- what there is ---------------------------------------------------------------------------------------------------


def variables() -> list[tuple[str, str, bool, bool]]:
    """(name, unit, can be shown by a signal, can be moved by a control) of everything; `[i]` stands for a number."""
    sources = whole_rack()
    shown, moved = _patterns(sources.units()), _patterns(sources.commands)
    names = dict.fromkeys([*shown, *moved])
    return [(name, shown.get(name, moved.get(name, "")), name in shown, name in moved) for name in names]


def _patterns(units: Mapping[str, str]) -> dict[str, str]:
    return {re.sub(r"\[\d+\]", "[i]", name): unit for name, unit in units.items()}
