"""Whether silence trips in time: how old what an interlock looks at may be, and how long its device may say nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.project.catalog import Catalog
from harness.schema.document import Source
from harness.schema.problems import Problems
from harness.schema.station import DeviceEntry, Interlock, Station

_HINT = "silence of so long guards nothing; `longest_for` of the station says how long is allowed"


def check_silence(
    catalog: Catalog, source: Source, station: Station, interlocks: Iterable[Interlock], found: Problems
) -> None:
    """HX-1378 where a device that interlocks look at may be silent, or show old values, for longer than `for` may be.

    `source`: the station's file.
    """
    reported: set[tuple[str, str]] = set()
    for interlock in interlocks:
        names = [*interlock.all_signals, *((interlock.armed_when.signal,) if interlock.armed_when else ())]
        for signal in measured(catalog, names) if interlock.action == "trip" else ():
            name = catalog.owner[signal]
            entry = station.devices[name]
            for key, seconds in _times(entry, is_slow=_is_slow(catalog, signal)):
                if seconds > station.longest_for and (name, key) not in reported:
                    reported.add((name, key))
                    message = (
                        f"{name}.{key} lets interlock {interlock.name!r} believe {signal} for {seconds:g} s: longer "
                        f"than the {station.longest_for:g} s that this station allows"
                    )
                    place = ("devices", name, key) if key in entry.model_fields_set else ("devices", name)
                    found.add(source.problem(place, "HX-1378", message, _HINT))


def measured(catalog: Catalog, names: Sequence[str]) -> Iterator[str]:
    """The signals of devices that these are, or are made from."""
    left, seen = list(names), set[str]()
    while left:
        for name in catalog.find_signals(left.pop()):
            if name in catalog.derived:
                left += [each for each in catalog.derived[name].inputs.values() if each not in seen]
            elif name not in seen:
                yield name
            seen.add(name)


def _is_slow(catalog: Catalog, signal: str) -> bool:
    device, _, name = signal.partition(".")
    return catalog.expansions[device].signals[name].spec.poll == "slow"


def _times(entry: DeviceEntry, *, is_slow: bool) -> Iterator[tuple[str, float]]:
    """(key, seconds) of what makes silence of a device, or what it does not measure again, pass for good data."""
    if entry.max_age is not None:
        yield "max_age", entry.max_age
    else:
        yield "poll", 3 * entry.poll
    if is_slow:
        yield "slow", entry.slow
    if "grace" in entry.model_fields_set:
        yield "grace", entry.grace
