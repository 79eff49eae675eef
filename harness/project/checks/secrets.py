"""Whether the secrets that a station needs are there: asked before a run, and by `check`. Nothing of them is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from harness.device.address import parse_address, tls_options
from harness.device.credentials import read_secret, redfish_credentials, snmp_credentials
from harness.errors import ConfigError
from harness.project.model import StationProject
from harness.schema.document import Loc
from harness.schema.problems import Problem, ProblemsError
from harness.schema.regular import read_regular
from harness.transport.redfish import Tls

_MAX_BYTES = 1024 * 1024
_PROTOCOLS: dict[str, Callable[..., object]] = {"snmp": snmp_credentials, "redfish": redfish_credentials}


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
        if ref is not None:
            read = _PROTOCOLS.get(profile.protocol) or _refuse(profile.protocol)
            yield ("devices", name, "credentials"), partial(read, ref, base)
        if tls := tls_options(parse_address(entry.address), base):
            yield ("devices", name, "address"), partial(_trust, tls)
    for index, user in enumerate(station.traps.users if station.traps is not None else ()):
        where: Loc = ("traps", "users", index, "credentials")
        yield where, partial(snmp_credentials, user.credentials, base)
    database = station.telemetry.influxdb
    for key in ("token", "password") if database is not None else ():
        ref = getattr(database, key)
        if ref is not None:
            yield ("telemetry", "influxdb", key), partial(read_secret, ref, base)


def _trust(tls: Mapping[str, Any]) -> None:
    """Whether the file of certificates is there, and one; see `harness.transport.redfish.Tls`."""
    if tls["ca"]:
        read_regular(Path(tls["ca"]), _MAX_BYTES)
    Tls(**tls).context()


def _refuse(protocol: str) -> Callable[..., object]:
    def refuse(*_: object) -> object:
        raise ConfigError(f"{protocol} has no log-in: nobody uses these credentials", hint="take them out")

    return refuse
