"""Whether the secrets that a station needs are there: asked before a run, and by `check`. Nothing of them is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from harness.device.address import parse_address
from harness.device.credentials import read_secret
from harness.device.protocol import Protocol, protocol
from harness.device.snmp.credentials import snmp_credentials
from harness.errors import ConfigError
from harness.project.model import StationProject
from harness.schema.document import Loc
from harness.schema.fields import FileRef
from harness.schema.problems import Problem, ProblemsError


def secret_problems(on: StationProject) -> Iterator[Problem]:
    """What is missing or wrong, at the places of the station file that name it."""
    for loc, ask in _wanted(on):
        try:
            ask()
        except ConfigError as error:
            message = error.problems[0].message if isinstance(error, ProblemsError) else error.message
            yield on.source.problem(loc, "HX-1310", message, error.hint)
        except OSError as error:
            yield on.source.problem(loc, "HX-1310", f"the certificates cannot be read: {error.strerror or error}")


def _wanted(on: StationProject) -> Iterator[tuple[Loc, Callable[[], object]]]:
    """(place, what reads the secret there)."""
    station, base = on.station, on.base
    for name, entry in station.devices.items():
        profile, ref = on.catalog.profiles.get(name), entry.credentials
        if profile is None:
            continue  # what is wrong with it has been said
        spoken = protocol(profile.protocol)
        if ref is not None:
            yield ("devices", name, "credentials"), partial(_log_in, spoken, ref, base)
        if spoken.trust:
            yield ("devices", name, "address"), partial(spoken.part("trust"), parse_address(entry.address), base)
    for index, user in enumerate(station.traps.users if station.traps is not None else ()):
        where: Loc = ("traps", "users", index, "credentials")
        yield where, partial(snmp_credentials, user.credentials, base)
    database = station.telemetry.influxdb
    for key in ("token", "password") if database is not None else ():
        ref = getattr(database, key)
        if ref is not None:
            yield ("telemetry", "influxdb", key), partial(read_secret, ref, base)


def _log_in(spoken: Protocol, ref: FileRef, base: Path) -> object:
    """Whether the credentials of a device can be read, and are some for its protocol."""
    if not spoken.credentials:
        raise ConfigError(f"{spoken.name} has no log-in: nobody uses these credentials", hint="take them out")
    return spoken.part("credentials")(ref, base)
