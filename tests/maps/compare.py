"""Where a profile and a public map differ, each difference as one line that can be mended or explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.device.modbus.plan import coalesce
from harness.device.points import expand
from harness.device.registry import known_profiles, load_profile
from harness.quantity import convert, unit
from harness.schema.identity import Shown
from harness.schema.profiles.modbus import ModbusProfile
from harness.schema.source import read_source
from tests.maps.points import Point, points_of
from tests.maps.registers import Map, Register, is_here, read_map
from tests.maps.words import agree, same_number

EXPLAINED = Path(__file__).parent / "explained.yaml"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that a profile and a map say differently.

    `what`: address, words, name, kind, table, order, row, sign, scale, unit, bits or word of a bit; of the whole device
    clock, baud, parity, default unit or identity.
    """

    profile: str
    signal: str
    map: str
    what: str
    ours: str = ""
    theirs: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What an explanation names."""
        return self.profile, self.signal, self.map, self.what

    def __str__(self) -> str:
        return f"{self.profile} {self.signal} against {self.map}: {self.what}: {self.ours} here, {self.theirs} there"


@cache
def modbus_profiles() -> dict[str, ModbusProfile]:
    """Every shipped Modbus profile, by name."""
    loaded = {name: load_profile(path)[0] for name, path in known_profiles().items()}
    return {name: profile for name, profile in loaded.items() if isinstance(profile, ModbusProfile)}


def named_maps(profile: ModbusProfile) -> list[str]:
    """The maps that a profile says it was compared with."""
    return [judge.map for judge in profile.judged_by if judge.map]


def maps_of(profile: ModbusProfile) -> list[str]:
    """The maps that a profile says it was compared with, and that are here."""
    return [name for name in named_maps(profile) if is_here(name)]


def compared(profile: ModbusProfile) -> dict[str, int]:
    """How many points of a profile each of its maps knows."""
    points = points_of(profile)
    found = {name: read_map(name) for name in maps_of(profile)}
    return {name: sum(each.at(point.address) is not None for point in points) for name, each in found.items()}


def differences(profile: ModbusProfile) -> list[Difference]:
    """Everything in which a profile and the maps that it names differ; equal lines of a repetition are one."""
    maps = [read_map(name) for name in maps_of(profile)]
    if not maps:
        return []
    found: list[Difference] = []
    is_whole = len(maps) == len(named_maps(profile))  # what none of them knows, one that is not here may know
    for point in points_of(profile):
        entries = [(each, entry) for each in maps if (entry := each.at(point.address)) is not None]
        if not entries and is_whole:
            found.append(Difference(profile.profile, point.title, "any", "address", f"{point.address}", "nothing"))
        known = {bit for _, entry in entries for bit in entry.bits} if is_whole else set(point.bits)
        for each, entry in entries:
            found += _point(profile.profile, each, point, entry, known)
    for each in maps:
        found += _device(profile, each)
    found += _requests(profile, maps) if is_whole else []
    return list({each.key: each for each in found}.values())


def _point(profile: str, source: Map, point: Point, entry: Register, known: set[int]) -> Iterator[Difference]:
    def differ(what: str, ours: object, theirs: object) -> Difference:
        return Difference(profile, point.title, source.name, what, str(ours), str(theirs))

    if entry.address != point.address:
        yield differ("address", point.address, f"{entry.name} begins at {entry.address}")
    if entry.words != point.words:
        yield differ("words", point.words, entry.words)
    theirs = [entry.bits[bit] for bit in point.bits if bit in entry.bits] if point.bits else [entry.name]
    if point.kind != "flags" and theirs and not any(agree(point.name, each) for each in (entry.name, *theirs)):
        yield differ("name", point.name, ", ".join(theirs))
    if not point.is_holding:
        yield differ("table", "input or bits", "holding registers")
    if point.is_big != entry.is_big:
        yield differ("order", point.is_big, entry.is_big)
    if point.row and not same_number(f"{point.row}", entry.name):
        yield differ("row", point.row, entry.name)
    if point.bits:
        yield from _bits(differ, point, entry, known)
    elif point.kind != entry.kind:
        yield differ("kind", point.kind, entry.kind)
    elif point.kind in ("number", "float"):
        yield from _number(differ, point, entry)


def _bits(differ, point: Point, entry: Register, known: set[int]) -> Iterator[Difference]:  # type: ignore[no-untyped-def]
    if entry.kind != "flags":
        if point.kind == "flags":
            yield differ("kind", point.kind, entry.kind)
        return
    if strange := set(point.bits) - known:
        yield differ("bits", f"bits {sorted(strange)}", "none of these")
    if point.kind != "flags":
        return
    if missing := set(entry.bits) - set(point.bits):
        yield differ("bits", f"no bits {sorted(missing)}", [entry.bits[bit] for bit in sorted(missing)])
    for bit, word in point.bits.items():
        theirs = entry.bits.get(bit)
        if theirs is not None and not (agree(word, theirs) and same_number(word, theirs)):
            yield differ(f"word of bit {bit}", word, theirs)


def _number(differ, point: Point, entry: Register) -> Iterator[Difference]:  # type: ignore[no-untyped-def]
    if point.is_signed != entry.is_signed:
        yield differ("sign", point.is_signed, entry.is_signed)
    if entry.unit and unit(entry.unit).kind != unit(point.unit).kind:
        yield differ("unit", point.unit or "none", entry.unit)
        return
    target = entry.unit or point.unit
    for raw in (0, 1000):
        ours = convert(point.offset + point.factor * raw, point.unit, target)
        theirs = entry.offset + entry.factor * raw
        if abs(ours - theirs) > 1e-6 * max(1e-3, abs(theirs)):
            yield differ("scale", f"{ours:g} {target} of raw {raw}", f"{theirs:g}")
            return


def _requests(profile: ModbusProfile, maps: Sequence[Map]) -> Iterator[Difference]:
    """Requests that read over what no map knows: a device may refuse them whole."""
    there = {a for each in maps for entry in each.registers for a in range(entry.address, entry.address + entry.words)}
    signals = list(expand(profile).signals.values())
    for span in coalesce(profile, signals):
        holes = sorted(set(range(span.address, span.address + span.count)) - there)
        if holes and len(span.members) > 1:
            ours = f"one request for {span.address} to {span.address + span.count - 1}"
            yield Difference(profile.profile, "-", "any", "request", ours, f"nothing at {holes}")


def _device(profile: ModbusProfile, source: Map) -> Iterator[Difference]:
    options = profile.modbus
    clock = options.clock.address if options.clock else None
    for what, ours, theirs in (
        ("clock", clock, source.clock),
        ("baud", options.baud, source.baud),
        ("parity", options.parity, source.parity),
    ):
        if ours != theirs:
            yield Difference(profile.profile, "-", source.name, what, str(ours), str(theirs))
    if source.units and not any(low <= options.unit <= high for low, high in source.units):
        yield Difference(profile.profile, "-", source.name, "default unit", str(options.unit), str(source.units))
    yield from _identity(profile, source)


def _identity(profile: ModbusProfile, source: Map) -> Iterator[Difference]:
    """Whether a device of the map would be let in by what proves it there."""
    if source.probe is None:
        return
    address, expected = source.probe
    rules = [
        rule
        for rule in profile.identity.match
        if any(name in profile.signals and profile.signals[name].address == address for name in rule.signal)
    ]
    number = float("nan") if isinstance(expected, str) else float(expected)
    shown_there = Shown(str(expected), number, is_there=True)
    if not rules or not all(rule.holds(shown_there) for rule in rules):
        shown = ", ".join(map(str, rules)) or "no rule"
        yield Difference(profile.profile, "-", source.name, "identity", shown, f"{address} reads {expected}")


# --- explanations ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a difference is right."""

    profile: str
    signal: str
    map: str
    what: str
    why: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """The difference that it is about."""
        return self.profile, self.signal, self.map, self.what


def explanations() -> list[Explanation]:
    """The table of explained differences."""
    source = read_source(EXPLAINED)
    source.check()
    return [Explanation(*line) for line in source.data]


def unexplained(profile: ModbusProfile) -> list[Difference]:
    """Differences that nobody has mended or explained, for this profile or for one that it extends."""
    known = {each.key for each in explanations()}
    family = [profile.profile]
    while parent := modbus_profiles()[family[-1]].extends:
        family.append(parent)
    return [each for each in differences(profile) if not any((name, *each.key[1:]) in known for name in family)]


def stale() -> list[Explanation]:
    """Explanations of what no longer differs."""
    found = {each.key for profile in modbus_profiles().values() for each in differences(profile)}
    return [each for each in explanations() if each.key not in found and is_here(each.map)]
