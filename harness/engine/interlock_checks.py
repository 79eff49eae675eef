"""Whether interlocks can do what they are for: names, bounds, and where a trip leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.engine.catalog import Catalog, did_you_mean
from harness.engine.checks import attempt
from harness.limits.check import compile_check
from harness.schema.document import Source
from harness.schema.problems import Problems
from harness.schema.station import Interlock, Station


def check_interlocks(
    catalog: Catalog,
    source: Source,
    station: Station,
    interlocks: Mapping[int, Interlock],
    titles: Sequence[str],
    found: Problems,
) -> None:
    """The interlocks of one file; `titles`: the steps of the plan, () for the station's own interlocks."""
    seen: set[str] = set()
    for index, interlock in interlocks.items():
        loc = ("interlocks", index)
        if interlock.name in seen:
            found.add(source.problem(loc, "HX-1311", f"two interlocks are named {interlock.name!r}"))
        seen.add(interlock.name)
        for signal in interlock.all_signals:
            info = catalog.signals.get(signal)
            if info is not None and (interlock.quantities() or interlock.words):
                attempt(found, source, loc, "HX-1312", lambda i=interlock, s=info: compile_check(i, s))
        armed = interlock.armed_when
        if armed is not None and (info := catalog.signals.get(armed.signal)) is not None:
            attempt(found, source, (*loc, "armed_when"), "HX-1312", lambda a=armed, s=info: compile_check(a, s))
        if interlock.on_trip not in station.safe_state:
            hint = did_you_mean(interlock.on_trip, station.safe_state)
            message = f"on_trip names {interlock.on_trip!r}, which is no safe_state sequence of the station{hint}"
            found.add(source.problem((*loc, "on_trip"), "HX-1313", message))
        for title in interlock.armed_in:
            if titles and title not in titles:
                hint = did_you_mean(title, titles)
                found.add(source.problem((*loc, "armed_in"), "HX-1314", f"no step is named {title!r}{hint}"))


def check_names(source: Source, station: Station, added: Mapping[int, Interlock], found: Problems) -> None:
    """A plan adds interlocks, it replaces none of the station's."""
    taken = {interlock.name for interlock in station.interlocks}
    for index, interlock in added.items():
        if interlock.name in taken:
            message = (
                f"the station has an interlock {interlock.name!r} already; a plan adds interlocks, it replaces none"
            )
            found.add(source.problem(("interlocks", index, "name"), "HX-1315", message))
