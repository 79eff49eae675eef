"""Which files a command means: a plan or station by path, by name, or by habit; and checked arguments."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from harness.cli.ui.aside import aside
from harness.errors import ConfigError
from harness.plugins import clash_of, unusable
from harness.project.installed import PLANS, known_stations
from harness.utf8 import utf8

SYSTEM_STATION = Path("/etc/harness/station.yaml")
BUILT_IN_STATION = "simulated"
SERIAL = re.compile(r"[A-Za-z0-9._-]{1,64}")


def tell_broken() -> None:
    """Name on stderr what other packages add and cannot be used: what does not need it goes on without."""
    for each in unusable():
        aside(f"note: {each}")


def find_station(given: str | None, *, simulate: bool) -> Path:
    """The station file: `given`, $HARNESS_STATION, ./station.yaml, /etc/harness/station.yaml, or the simulated rack."""
    if given:
        path = Path(given)
        if path.exists() or not simulate:
            return path
        return _installed_station(given) or path
    from_environment = os.environ.get("HARNESS_STATION")
    if from_environment:
        aside(f"note: the station is {utf8(from_environment)}, from $HARNESS_STATION")
        return Path(from_environment)
    for path, where in ((Path("station.yaml"), "in this folder"), (SYSTEM_STATION, "of this machine")):
        if os.path.lexists(path):  # also one that cannot be read: it is meant, and its reader says what it is
            aside(f"note: the station is {path} {where}; --station names another")
            return path
    if simulate:
        found = _installed_station(BUILT_IN_STATION)
        if found is not None:
            return found
    raise ConfigError(
        "no station file", hint="name one with --station or $HARNESS_STATION, or add --simulate for a simulated rack"
    )


def _installed_station(name: str) -> Path | None:
    """The installed station of this name; ConfigError naming who both add one."""
    found = known_stations().get(name)
    if (twice := clash_of(PLANS, name, "station")) is not None:
        raise ConfigError(str(twice))
    return found


def check_serial(text: str) -> str:
    """A serial number as it may stand in names, tags and pages; ConfigError otherwise."""
    if SERIAL.fullmatch(text) is None:
        from harness.schema.problems import shown

        raise ConfigError(f"serial {shown(text)} is refused", hint="1 to 64 letters, digits, '.', '_' or '-'")
    return text


def settings(pairs: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """`NAME=VALUE` as a plan file would read the value (a number stays a number); ConfigError names the `option`."""
    from harness.schema.scalars import resolve

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        name = name.strip()
        if utf8(pair) != pair:
            raise ConfigError(f"{option} {utf8(pair)!r} is no UTF-8", hint="set the terminal to UTF-8")
        if not equals or not name:
            raise ConfigError(f"{option} {pair!r} is not NAME=VALUE", hint=f"write it like {option} soak_time='10 min'")
        if name in found:
            raise ConfigError(f"{option} {name} is given twice")
        try:
            found[name] = resolve(text.strip())
        except ValueError as error:
            raise ConfigError(f"{option} {name}: {error}") from error
    return found


def simulation_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """--simulate, --fault and --seed, for every command that talks to devices."""
    for option in (
        click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Seed of the simulation's noise."),
        click.option(
            "--fault", "faults", multiple=True, metavar="NAME[:ARG][@TIME]", help="Inject a fault; repeatable."
        ),
        click.option("--simulate", is_flag=True, help="Start simulated devices and use these."),
    ):
        function = option(function)
    return function


def station_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """--station FILE."""
    text = "Station file, or FILE@BAY; else $HARNESS_STATION, ./station.yaml, /etc/harness/station.yaml."
    return click.option("--station", metavar="FILE", help=text)(function)


def station_argument(function: Callable[..., Any]) -> Callable[..., Any]:
    """STATION as an argument, or with --station: in an emergency nobody remembers which."""

    @functools.wraps(function)
    def either(*args: Any, station: str | None, station_file: str | None, **options: Any) -> Any:
        return function(*args, station=station or station_file, **options)

    option = click.option("--station", "station_file", metavar="FILE", help="The same as the argument.")
    return click.argument("station", required=False)(option(either))


def data_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """--data DIR."""
    text = "Folder of the records; else $HARNESS_DATA, else the user data folder."
    return click.option("--data", metavar="DIR", help=text)(function)


def data_folder(given: str | None) -> Path:
    """The data folder, checked; ConfigError when it cannot be used."""
    from harness.record.folder import data_dir

    return data_dir(Path(given) if given else None)


def need_simulate(*, simulate: bool, **given: Any) -> None:
    """ConfigError when an option is given that only means something with --simulate."""
    for name, value in given.items():
        if value not in (None, False, (), []) and not simulate:
            raise ConfigError(f"--{name} needs --simulate", hint="faults and virtual time exist for simulated devices")


def records_folder(given: str | None) -> Path:
    """The same folder for commands that only read records, or talk to a run: it may be full or read-only."""
    from harness.record.folder import where_data_is

    return where_data_is(Path(given) if given else None)
