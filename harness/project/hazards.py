"""What can go wrong with a rack under power, and by which signals an interlock watches it.

A signal is known by its canonical name and unit, which every profile shares; a derived signal counts as what it is
computed from. A contact whose name says nothing (`io.input[3]`) counts as what the interlock says it `guards`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import get_args

from harness.limits.check import compile_check
from harness.project.catalog import Catalog
from harness.quantity import unit
from harness.schema.station import NEEDED, Hazard, Interlock

HAZARDS: tuple[Hazard, ...] = get_args(Hazard)
WORDS: Mapping[Hazard, str] = {
    "coolant": "flow or level of the coolant",
    "temperature": "temperature of rack or coolant",
    "leak": "leak",
    "emergency_stop": "emergency stop",
    "door": "door contact",
}
_ELSEWHERE = ("facility", "ambient", "dew_point")
"""How names of signals begin that are not about the rack's own loop."""
_HIDING = frozenset({"sum"})
"""Functions whose result stays up when one of their inputs is lost."""


def leaves(catalog: Catalog, signal: str) -> frozenset[str]:
    """The measured signals behind a signal: itself, or what it is derived from."""
    derived = catalog.derived.get(signal)
    if derived is None:
        return frozenset((signal,))
    return frozenset(leaf for each in derived.inputs.values() for leaf in leaves(catalog, each))


def always_trips(interlock: Interlock) -> bool:
    """Whether it counts in every step: what is on stays on between steps, and a warning stops nothing."""
    return not interlock.armed_in and interlock.action == "trip"


def guarded(catalog: Catalog, interlocks: Iterable[Interlock]) -> set[Hazard]:
    """The hazards that interlocks watch at all times."""
    always = [interlock for interlock in interlocks if always_trips(interlock)]
    return {hazard for hazard in HAZARDS if any(guards(catalog, interlock, hazard) for interlock in always)}


def guards(catalog: Catalog, interlock: Interlock, hazard: Hazard) -> bool:
    """Whether an interlock watches a hazard: as its signals are named, or as it says itself.

    Of a vote, as many signals as it needs must show the hazard: others cannot help to trip.
    """
    if interlock.guards == hazard:
        return True
    showing = sum(_sees(catalog, interlock, signal, hazard) for signal in interlock.all_signals)
    return showing >= NEEDED[interlock.vote]


def _sees(catalog: Catalog, interlock: Interlock, signal: str, hazard: Hazard) -> bool:
    """Whether a hazard shows in a signal; where several are put together, in all of those that could hide it."""
    derived = catalog.derived.get(signal)
    if derived is None:
        return _shows(catalog, interlock, signal, hazard)
    parts = [_sees(catalog, interlock, each, hazard) for each in derived.inputs.values()]
    return all(parts) if derived.function in _HIDING else any(parts)


def is_wished(catalog: Catalog, signal: str) -> bool:
    """Whether a signal shows what somebody wishes and not what is: the read-back of a set point."""
    device, _, name = signal.partition(".")
    expansion = catalog.expansions.get(device)
    controls = expansion.controls.values() if expansion is not None else ()
    return "setpoint" in name or any(
        control.confirm_by == name and not control.spec.takes and name not in control.shown_by for control in controls
    )


def _shows(catalog: Catalog, interlock: Interlock, signal: str, hazard: Hazard) -> bool:
    info = catalog.signals.get(signal)
    name = signal.partition(".")[2]
    if info is None or name.startswith(_ELSEWHERE) or is_wished(catalog, signal):
        return False
    column = name.rpartition("].")[2]
    kind = unit(info.unit).kind
    if hazard == "coolant":
        is_level = column in ("level", "level_percent") and (interlock.min is not None or bool(interlock.words))
        return is_level or (kind == "flow" and interlock.min is not None)
    if hazard == "temperature":
        return kind == "temperature" and (interlock.max is not None or interlock.max_rate is not None)
    if hazard == "leak":
        return name.startswith("leak") and not name.startswith("leak_sensor") and bool(interlock.words)
    if hazard in column:
        return bool(interlock.words)
    return _minds_flag(catalog, interlock, signal, hazard)


def _minds_flag(catalog: Catalog, interlock: Interlock, signal: str, hazard: Hazard) -> bool:
    """Whether a word of alarms has the hazard as a flag, and the interlock does not put up with it."""
    info = catalog.signals[signal]
    bits = [bit for bit, word in info.flags.items() if hazard in word]
    if not bits or not interlock.words:
        return False
    try:
        mask = compile_check(interlock, info).mask
    except ValueError:
        return False  # said already
    return mask is not None and not any(mask >> bit & 1 for bit in bits)


def only_instrument(catalog: Catalog, interlocks: Iterable[Interlock]) -> str:
    """The one measured signal without which no interlock sees that the coolant stands still; '' when there is none.

    Temperatures do not count: where nothing flows, the thermometers of the loop see nothing of the rack.
    """
    needed = [
        _needed(catalog, interlock)
        for interlock in interlocks
        if always_trips(interlock) and _keeps_coolant(catalog, interlock)
    ]
    return min(frozenset.intersection(*needed), default="") if needed else ""


def _keeps_coolant(catalog: Catalog, interlock: Interlock) -> bool:
    """Whether an interlock trips when the flow goes: by flow or level, or by a pressure drop."""
    if guards(catalog, interlock, "coolant"):
        return True
    kinds = {unit(catalog.signals[signal].unit).kind for signal in interlock.all_signals if signal in catalog.signals}
    named = any("differential_pressure" in signal for signal in interlock.all_signals)
    is_drop = named or all(len(leaves(catalog, signal)) > 1 for signal in interlock.all_signals)
    return interlock.min is not None and kinds == {"pressure"} and is_drop


def _needed(catalog: Catalog, interlock: Interlock) -> frozenset[str]:
    """The measured signals without any one of which the interlock cannot trip on a value."""
    behind = [leaves(catalog, signal) for signal in interlock.all_signals]
    enough = len(behind) - NEEDED[interlock.vote] + 1
    every = frozenset().union(*behind)
    return frozenset(leaf for leaf in every if sum(leaf in leaves_ for leaves_ in behind) >= enough)
