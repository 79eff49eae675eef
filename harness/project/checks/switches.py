"""Whether the safe state reaches every switch of the station, and whether each device is another one."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from harness.device.address import ONE_SETTING, parse_address
from harness.device.protocol import protocol
from harness.project.checks.parts import attempt
from harness.project.model import StationProject
from harness.schema.document import Source
from harness.schema.problems import Problems
from harness.schema.profile import Profile
from harness.schema.station import DeviceEntry, Station
from harness.transport.hosts import check_host, check_url

_SHOWN = 4


def check_switches(on: StationProject, found: Problems) -> None:
    """Every sequence switches everything off that could put power on the rack, and nothing on."""
    source = on.source
    for reference in on.station.stays_on:
        loc = ("stays_on", reference)
        pairs = on.catalog.find_controls(reference)
        if not pairs:
            found.add(source.problem(loc, "HX-1307", on.catalog.control_problem(reference), key=True))
        elif not any(point.spec.energises for _, point in pairs):
            message = f"{reference} puts no power on anything: only switches stay on"
            found.add(source.problem(loc, "HX-1383", message, key=True))
    stays = on.stays_on
    switches = [
        f"{device}.{point.name}"
        for device, expansion in on.catalog.expansions.items()
        for point in expansion.controls.values()
        if point.spec.energises
    ]
    for name, sequence in on.station.sequences.items():
        place: tuple[str | int, ...] = ("safe_state", name)
        off = on.switched_off_by(name)
        left = [switch for switch in switches if switch not in off and switch not in stays]
        if left:
            message = f"the sequence {name!r} leaves {_listed(left)} as found"
            hint = "set them to off, or name them under stays_on with the reason"
            found.add(source.problem(place, "HX-1384", message, hint))
        for index, action in enumerate(sequence.actions):
            where = (*place, index) if isinstance(source.data["safe_state"][name], list) else (*place, "actions", index)
            pairs = on.catalog.find_controls(action.set or "")
            named = [f"{device}.{point.name}" for device, point in pairs if point.spec.energises]
            if named and action.to != "off":
                message = f"a safe state puts no power on: {action.set} to {action.to!r}"
                found.add(source.problem((*where, "to"), "HX-1385", message, "write off"))
            for switch in named:
                if switch in stays:
                    message = f"{switch} stays on ({stays[switch]}), and this sequence sets it"
                    found.add(source.problem((*where, "set"), "HX-1383", message, "name the others one by one"))
                    break


def check_addresses(on: StationProject, found: Problems) -> None:
    """Two entries at one address are one device: what is said of the other was never asked."""
    seen: dict[object, list[str]] = {}
    for name, entry in on.station.devices.items():
        try:
            where = parse_address(entry.address)
        except ValueError:
            continue  # said already
        place = where.protocol, _host(where.host), where.port, where.unit, "" if where.port else where.resource.upper()
        for other in seen.setdefault(place, []):
            if not _differ(on, name, other):
                message = f"{name} has the address of {other}: the two would be one device"
                found.add(on.source.problem(("devices", name, "address"), "HX-1386", message))
                break
        seen[place].append(name)


def check_other_ends(source: Source, station: Station, found: Problems) -> None:
    """The addresses that are no device's: of the database, and of where traps are received."""
    database, traps = station.telemetry.influxdb, station.traps
    if database is not None:
        attempt(found, source, ("telemetry", "influxdb", "url"), "HX-1301", lambda: check_url(database.url))
    if traps is not None:
        host = traps.listen.rpartition(":")[0].strip("[]")
        attempt(found, source, ("traps", "listen"), "HX-1301", lambda: check_host(host, is_one=False))


def check_lines(on: StationProject, found: Problems) -> None:
    """The devices of one serial line must agree on how it is set."""
    known: dict[str, tuple[str, object]] = {}
    for name, entry in on.station.devices.items():
        profile = on.catalog.profiles[name]
        try:
            where = parse_address(entry.address)
        except ValueError:
            continue  # said already
        spoken = protocol(profile.protocol)
        settings = spoken.part("line")(profile, where) if spoken.line else None
        if settings is None:
            continue
        other, first = known.setdefault(where.host, (name, settings))
        if first != settings:
            message = f"{name} needs the line at {settings}, {other} has it at {first}"
            found.add(on.source.problem(("devices", name, "address"), "HX-1309", message, ONE_SETTING))


def _differ(on: StationProject, one: str, other: str) -> bool:
    """Whether two entries at one address mean two devices: modules of a chain, or devices of one Redfish service."""
    first, second = on.catalog.profiles[one], on.catalog.profiles[other]
    if first.profile != second.profile:
        return protocol(first.protocol).is_shared
    return _parameters(first, on.station.devices[one]) != _parameters(second, on.station.devices[other])


def _parameters(profile: Profile, entry: DeviceEntry) -> dict[str, int]:
    """The parameters of an entry that reach the device."""
    used = set(_placeholders(profile.model_dump()))
    return {key: value for key, value in {**profile.parameters, **entry.parameters}.items() if key in used}


def _host(text: str) -> str:
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ip_address(text))
    except ValueError:
        return text.lower().rstrip(".")


def _placeholders(data: Any) -> Iterator[str]:
    """The names in braces that reach the device; what only the simulation reads does not count."""
    if isinstance(data, dict):
        for key, value in data.items():
            if not str(key).startswith("sim"):
                yield from _placeholders(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from _placeholders(value)
    elif isinstance(data, str):
        yield from (part.partition("}")[0] for part in data.split("{")[1:])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
