"""A station without the devices that cannot be used at all, for who must make the rest of it safe.

A package that breaks after a rack was switched on must not keep anybody from switching off what other devices have.
"""

from __future__ import annotations

from collections.abc import Collection

from harness.schema.station import SafeAction, SafeSequence, Station


def without(station: Station, devices: Collection[str]) -> Station:
    """The same station: no entry names one of these devices, or what is derived from their signals, any more.

    An action on such a device is gone, and so is a wait for what it shows; a command is not confirmed by it.
    """
    gone = set(devices)
    derived = {
        name: entry
        for name, entry in station.derived.items()
        if not any(_owner(each) in gone for each in entry.inputs.values())
    }
    lost = station.derived.keys() - derived.keys()

    def names(signal: str | None) -> bool:
        return signal is not None and (_owner(signal) in gone or signal in lost)

    def kept(action: SafeAction) -> SafeAction | None:
        if names(action.set or action.keep) or (action.until is not None and names(action.until.signal)):
            return None
        is_blind = action.confirm_by is not None and names(action.confirm_by.signal)
        return action.model_copy(update={"confirm_by": None}) if is_blind else action

    sequences = {
        name: SafeSequence.model_construct(
            kind=given.kind,
            on_live_parts=given.on_live_parts,
            actions=tuple(each for each in map(kept, given.actions) if each is not None),
        )
        for name, given in station.sequences.items()
    }
    proof = station.de_energised
    if proof is not None and any(map(names, (*proof.bus, *proof.battery_current))):
        proof = None
    return station.model_copy(
        update={
            "devices": {name: entry for name, entry in station.devices.items() if name not in gone},
            "derived": derived,
            "safe_state": sequences,
            "de_energised": proof,
            "moves_with": {},
            "accuracy": {},
            "stays_on": {name: why for name, why in station.stays_on.items() if not names(name)},
        }
    )


def _owner(name: str) -> str:
    return name.partition(".")[0]
