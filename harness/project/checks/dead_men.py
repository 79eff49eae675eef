"""Whether a station's dead-men can be armed, and whether one that fires could stop coolant under live heat."""

from __future__ import annotations

from harness.device.dead_man import FEEDS
from harness.device.points import targets
from harness.project.catalog import Catalog
from harness.schema.document import Source
from harness.schema.problems import Problems
from harness.schema.station import Station


def switched_off_first(station: Station, catalog: Catalog, device: str) -> set[str]:
    """The energising controls of a device that the sequence `default` switches off before it first waits for anything.

    These a dead-man may switch off by itself at any moment. What is switch off later feeds what still cools.
    """
    names: set[str] = set()
    for action in station.actions_of("default"):
        if action.keep is not None:
            break
        if action.set is not None and action.to == "off":
            found = catalog.find_controls(action.set)
            names.update(point.name for owner, point in found if owner == device and point.spec.energises)
    return names


def check_dead_men(catalog: Catalog, source: Source, station: Station, found: Problems) -> None:
    """Every `dead_man:` of the station against its profile and the safe state."""
    for name, entry in station.devices.items():
        profile = catalog.profiles.get(name)
        if entry.dead_man is None or profile is None:
            continue
        loc = ("devices", name, "dead_man")
        spec = profile.dead_man
        if spec is None:
            message = f"the profile {entry.profile} knows of no dead-man in this device"
            found.add(source.problem(loc, "HX-1251", message, "leave the key out, or add `dead_man` to the profile"))
            continue
        if not spec.shortest <= entry.dead_man <= spec.longest:
            message = f"{entry.dead_man:g} s is outside {spec.shortest:g} to {spec.longest:g} s of {entry.profile}"
            found.add(source.problem(loc, "HX-1252", message))
        elif entry.dead_man < FEEDS * entry.poll:
            message = f"the device is polled every {entry.poll:g} s, and is fed on the way to a poll"
            found.add(
                source.problem(loc, "HX-1252", message, f"give at least {FEEDS * entry.poll:g} s, or poll faster")
            )
        if spec.acts != "off":
            continue
        covered = {point.name: point for point in targets(catalog.expansions[name].controls, spec.covers)}
        first = switched_off_first(station, catalog, name)
        group = next(iter(covered.values())).group if covered else ""
        points = [each for write in spec.feed for each in targets(catalog.expansions[name].controls, write.set)]
        by_row = bool(group) and any(point.group == group for point in points)
        later = [each for each in covered if each not in first]
        if later and (not by_row or not first & covered.keys()):
            message = f"it would also switch {name}.{later[0]} off, which the safe state does not switch off at once"
            hint = "a dead-man must not stop what still cools: let `default` switch it off before its first keep"
            found.add(source.problem(loc, "HX-1253", message, hint))
