"""The page docs/reference/maps.md: what was compared with what, and why the rest differs. Counts and reasons only."""

from __future__ import annotations

from collections.abc import Iterator

from tests.maps import PAGE, map_names
from tests.maps.compare import compared, differences, explanations, maps_of, modbus_profiles, named_maps
from tests.maps.points import points_of

HEAD = """# Public register maps

Every Modbus profile that a public map exists for is compared with it, point by point: address, length, type, byte
order, sign, scale, unit where the map has one, bits and their words, identity, clock, line settings. The maps (rackmon
of facebook/openbmc; openbmc/phosphor-modbus, Apache-2.0) are not part of this repository. A difference is mended, or it
stands in the last table. Made by `python -m tests.maps`.

A profile that nothing outside has judged says so in `harness profile list` and `show`, at the start of every run that
uses it, and in the record.
"""
NOT_COVERED = {
    "rackmon/orv2_psu": "supplies of Open Rack 2 (12 V), which no liquid-cooled rack has; it can be imported",
    "rackmon/orv3_power_recv": "a receiver of the power tether, not part of a shelf; it can be imported",
}
"""Maps that no shipped profile is for, and why."""


def lines(old: str) -> Iterator[str]:
    """The page, line by line. What a map says that is not here stays as it stands in `old`."""
    yield HEAD
    yield "| profile | map | points of the profile | of them in the map | explained differences |"
    yield "|---|---|---|---|---|"
    why = explanations()
    for name, profile in modbus_profiles().items():
        counts = compared(profile)
        for source in named_maps(profile):
            if source not in counts:
                yield _row_of(old, name, source)
                continue
            explained = sum(each.map == source for each in differences(profile))
            yield f"| {name} | {source} | {len(points_of(profile))} | {counts[source]} | {explained} |"
    yield ""
    yield "## Nothing outside has judged"
    yield ""
    for name, profile in modbus_profiles().items():
        if not profile.is_judged:
            yield f"- {name}: {' '.join(profile.unverified.split())}"
    yield ""
    yield "## Maps without a profile"
    yield ""
    yield from (f"- {name}: {reason}" for name, reason in NOT_COVERED.items())
    yield ""
    yield "## Differences that are right"
    yield ""
    yield "| profile | signal | map | what | why |"
    yield "|---|---|---|---|---|"
    yield from (f"| {e.profile} | {e.signal} | {e.map} | {e.what} | {e.why} |" for e in why)


def _row_of(old: str, profile: str, source: str) -> str:
    """The row of a comparison that was made where the map is."""
    head = f"| {profile} | {source} |"
    return next((line for line in old.splitlines() if line.startswith(head)), f"{head} not made | | |")


def page() -> str:
    """The whole page."""
    old = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    return "\n".join(lines(old)).rstrip() + "\n"


def uncovered() -> set[str]:
    """Maps that are here and that no profile names."""
    named = {source for profile in modbus_profiles().values() for source in maps_of(profile)}
    return set(map_names()) - named
