"""Whether interlocks can do what they are for: names, bounds, and where a trip leads."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from harness.limits.check import compile_check
from harness.limits.rate import RATE_OVER_S, change_needed, rate_per_second
from harness.limits.span import can_violate, shown_span, span
from harness.project.catalog import Catalog
from harness.project.checks.parts import Place, attempt
from harness.project.hazards import guards
from harness.quantity import SignalInfo, difference_unit
from harness.schema.conditions import Bounds
from harness.schema.document import Source
from harness.schema.fields import LocatedError
from harness.schema.problems import Problems
from harness.schema.station import DAY_S, ArmedWhen, Bypass, Interlock, Station
from harness.spelling import Guesses


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
        before = found.noted
        for signal in interlock.all_signals:
            if len(several := catalog.find_signals(signal)) > 1:
                message = f"{signal} is {len(several)} signals, an interlock watches one"
                found.add(source.problem(loc, "HX-1375", message, f"write {several[0]}"))
            info = catalog.signals.get(signal)
            if info is not None and (interlock.quantities() or interlock.words):
                attempt(found, source, loc, "HX-1312", lambda i=interlock, s=info: compile_check(i, s))
                attempt(found, source, loc, "HX-1371", lambda i=interlock, s=info: check_bounds(i, s))
            if info is not None and interlock.max_rate is not None:
                poll = catalog.period(signal)
                attempt(found, source, loc, "HX-1373", lambda i=interlock, s=info, p=poll: check_rate(i, s, p))
        if interlock.for_ > station.longest_for:
            message = f"{interlock.for_:g} s is longer than the {station.longest_for:g} s that this station allows"
            hint = "what may be bad for so long guards nothing; `longest_for` of the station says how long is allowed"
            found.add(source.problem((*loc, "for"), "HX-1372", message, hint))
        _check_arming(catalog, source, loc, interlock.armed_when, found)
        if found.noted == before:
            _check_leak(catalog, source, loc, station, interlock, found)
        if interlock.on_trip not in station.safe_state:
            hint = catalog.guesses.hint(interlock.on_trip, station.safe_state)
            message = f"on_trip names {interlock.on_trip!r}, which is no safe_state sequence of the station{hint}"
            found.add(source.problem((*loc, "on_trip"), "HX-1313", message))
        elif station.sequences[interlock.on_trip].kind == "end":
            message = f"on_trip names {interlock.on_trip!r}, the calm end of a run: it takes its time"
            found.add(source.problem((*loc, "on_trip"), "HX-1313", message, "name a sequence of kind heat or leak"))
        for title in interlock.armed_in:
            if titles and title not in titles:
                hint = catalog.guesses.hint(title, titles)
                found.add(source.problem((*loc, "armed_in"), "HX-1314", f"no step is named {title!r}{hint}"))


def check_bounds(bounds: Bounds, info: SignalInfo) -> None:
    """LocatedError when a bound can never be violated by what the signal can show."""
    try:
        check = compile_check(bounds, info)
    except ValueError:
        return  # said already
    if bounds.words:
        if not can_violate(check, info):
            key = "equals" if bounds.equals is not None else "one_of"
            raise LocatedError(f"{info.name} shows no other word: this can never trip", key)
        return
    low, high = span(info)
    for key, quantity in bounds.quantities():
        value = quantity.to(info.unit)
        if not low < value < high:
            message = f"{info.name} shows {shown_span(info)}: a bound at {value:g} {info.unit}".rstrip()
            raise LocatedError(f"{message} can never trip", key)


def check_rate(interlock: Interlock, info: SignalInfo, poll: float) -> None:
    """LocatedError when no sensor with this span, read every `poll` seconds, can show a change faster than allowed."""
    if info.labels or info.flags or info.is_text or interlock.max_rate is None:
        raise LocatedError(f"{info.name} is no number that could change at a rate", "max_rate")
    try:
        rate = rate_per_second(interlock.max_rate, info)
    except ValueError as error:
        raise LocatedError(str(error), "max_rate") from None
    if poll > RATE_OVER_S:
        raise LocatedError(f"{info.name} is read every {poll:g} s, a rate is seen over {RATE_OVER_S:g} s", "max_rate")
    low, high = span(info)
    if change_needed(rate, interlock.for_, poll) >= high - low:
        lasts = f"for the {RATE_OVER_S + interlock.for_:g} s that it is looked at"
        shown = f"{rate:g} {difference_unit(info.unit)}/s".strip()
        raise LocatedError(f"{info.name} shows {shown_span(info)}: it cannot change by {shown} {lasts}", "max_rate")


def _check_arming(catalog: Catalog, source: Source, loc: Place, armed: ArmedWhen | None, found: Problems) -> None:
    info = catalog.signals.get(armed.signal) if armed is not None else None
    if armed is None or info is None:
        return
    place = (*loc, "armed_when")
    attempt(found, source, place, "HX-1312", lambda: compile_check(armed, info))
    low, high = span(info)
    for key, quantity in armed.quantities():
        with contextlib.suppress(ValueError):
            value = quantity.to(info.unit)
            if (key == "min" and value >= high) or (key == "max" and value <= low):
                message = f"{info.name} shows {shown_span(info)}: this never arms the interlock"
                found.add(source.problem((*place, key), "HX-1371", message))


def _check_leak(
    catalog: Catalog, source: Source, loc: Place, station: Station, interlock: Interlock, found: Problems
) -> None:
    """A leak is dealt with by a sequence that deals with the coolant too."""
    sequence = station.sequences.get(interlock.on_trip)
    is_dealt_with = sequence is None or sequence.kind == "leak" or interlock.action == "warn"
    if is_dealt_with or not guards(catalog, interlock, "leak"):
        return
    message = f"a leak leads to {interlock.on_trip!r}, which is no sequence of kind leak: the coolant would go on"
    hint = "name a sequence of kind leak in on_trip"
    place = (*loc, "on_trip") if "on_trip" in interlock.model_fields_set else loc
    found.add(source.problem(place, "HX-1374", message, hint))


def check_bypasses(source: Source, bypasses: Sequence[Bypass], names: Collection[str], found: Problems) -> None:
    """What is bypassed must be there."""
    guesses = Guesses()
    for index, bypass in enumerate(bypasses):
        if bypass.interlock not in names:
            hint = guesses.hint(bypass.interlock, names)
            message = f"no interlock is named {bypass.interlock!r}{hint}"
            found.add(source.problem(("bypass", index, "interlock"), "HX-1376", message))


def check_expired(source: Source, bypasses: Sequence[Bypass], longest: float, found: Problems) -> None:
    """A bypass ends with its last day, which is at most `longest` seconds away.

    Only what begins a run asks: a rack can be made safe on any day.
    """
    today = datetime.now(UTC).date()
    for index, bypass in enumerate(bypasses):
        if bypass.until < today:
            message = f"the bypass of {bypass.interlock!r} by {bypass.owner} ended on {bypass.until}"
            hint = "remove it, so that the interlock counts again, or let its owner renew it"
            found.add(source.problem(("bypass", index, "until"), "HX-1377", message, hint))
        elif (days := (bypass.until - today).days) > longest / DAY_S:
            message = (
                f"the bypass of {bypass.interlock!r} by {bypass.owner} ends in {days} days: longer than the "
                f"{longest / DAY_S:g} days that this station allows"
            )
            hint = "name a nearer day and renew it; `longest_bypass` of the station says how long is allowed"
            found.add(source.problem(("bypass", index, "until"), "HX-1379", message, hint))


def check_names(source: Source, station: Station, added: Mapping[int, Interlock], found: Problems) -> None:
    """A plan adds interlocks, it replaces none of the station's."""
    taken = {interlock.name for interlock in station.interlocks}
    for index, interlock in added.items():
        if interlock.name in taken:
            message = (
                f"the station has an interlock {interlock.name!r} already; a plan adds interlocks, it replaces none"
            )
            found.add(source.problem(("interlocks", index, "name"), "HX-1315", message))
