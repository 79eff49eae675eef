"""`harness doctor`: what a person would check first when something does not work on this machine."""

from __future__ import annotations

import sys

import click

from harness.cli.inputs import data_option

PACKAGES = (
    "click", "numpy", "pydantic", "ruamel.yaml", "pyyaml", "rich", "pymodbus", "pysnmp", "pyvisa", "pyvisa-py",
    "pyserial", "cryptography", "influxdb-client",
)  # fmt: skip
NEEDED = ("harness.drivers", "harness.protocols", "harness.steps", "harness.plans")
"""Groups without which nothing can be run."""
WAL_FIXED = (3, 51, 3)
FILES_WANTED = 256


@click.command()
@data_option
def doctor(data: str | None) -> int:
    """Check Python, SQLite, packages, entry points and the data folder; exit 3 when something is wrong."""
    from harness.cli.top_names import top_names
    from harness.cli.ui.terminal import say
    from harness.version import __version__

    say(f"harness {__version__}")
    checks = [_python(), _files(), *_sqlite(), *_packages(), *top_names(), *_entries(), *_data(data)]
    for word, text in checks:
        say(f"{word:<6}{text}")
    bad = sum(1 for word, _ in checks if word == "WRONG")
    say(f"{bad} things are wrong" if bad else "nothing is wrong")
    return 3 if bad else 0


def _python() -> tuple[str, str]:
    version = ".".join(map(str, sys.version_info[:3]))
    return ("ok" if sys.version_info >= (3, 11) else "WRONG", f"Python {version} (3.11 or newer is needed)")


def _files() -> tuple[str, str]:
    from harness.transport.openfiles import BESIDE, limit

    count = limit()
    return ("ok" if count >= FILES_WANTED else "note", f"{count} open files allowed: {count - BESIDE} connections")


def _sqlite() -> list[tuple[str, str]]:
    import sqlite3

    found = [("ok" if sqlite3.sqlite_version_info >= (3, 37) else "WRONG", f"SQLite {sqlite3.sqlite_version}")]
    if sqlite3.sqlite_version_info < WAL_FIXED:
        found.append(
            (
                "note",
                "before 3.51.3 a rare WAL reset bug with several writers; a journal has one writer and is not affected",
            )
        )
    return found


def _packages() -> list[tuple[str, str]]:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in PACKAGES:
        try:
            found.append(("ok", f"{name} {version(name)}"))
        except PackageNotFoundError:
            found.append(("WRONG", f"{name} is not installed"))
    return found


def _entries() -> list[tuple[str, str]]:
    """What is installed, by the name and the package of each; everything is imported once."""
    from harness.device.protocol import known_protocols
    from harness.device.registry import known_profiles
    from harness.plugins import GROUPS, broken, entries, installed, package_of, unusable
    from harness.project.installed import known_plans, known_stations
    from harness.project.step import known_steps

    for look in (known_steps, known_protocols, known_profiles, known_plans, known_stations):
        look()
    found = []
    for group in GROUPS:
        listed = sorted(entries(group), key=lambda entry: entry.name)
        installed(group, lambda named: named)
        wrong = {(each.entry, each.package) for each in broken(group)}
        fine = [entry for entry in listed if (entry.name, package_of(entry)) not in wrong]
        found += [("ok", f"{group}: {entry.name} = {entry.value} ({package_of(entry)})") for entry in fine]
        found += [("WRONG", str(each)) for each in unusable(group)]
        if not listed and group in NEEDED:
            found.append(("WRONG", f"{group}: nothing is installed"))
        elif not listed and group == "harness.simulators":
            found.append(("note", f"{group}: nothing is installed"))
    return [*found, *_parts()]


def _parts() -> list[tuple[str, str]]:
    """The beginnings of addresses that two protocols share, and the parts of protocols that cannot be loaded."""
    from dataclasses import fields

    from harness.device.protocol import known_protocols, protocol_of_scheme
    from harness.errors import ConfigError

    found = []
    for scheme in sorted({scheme for each in known_protocols() for scheme in each.schemes}):
        try:
            protocol_of_scheme(scheme)
        except ConfigError as error:
            found.append(("WRONG", error.message))
    for each in known_protocols():
        for name in (one.name for one in fields(each) if ":" in str(getattr(each, one.name)) and one.name != "example"):
            try:
                each.part(name)
            except ConfigError as error:
                found.append(("WRONG", error.message))
    return found


def _data(data: str | None) -> list[tuple[str, str]]:
    import shutil

    from harness.cli.inputs import data_folder
    from harness.errors import ConfigError

    try:
        folder = data_folder(data)
    except ConfigError as error:
        return [("WRONG", str(error))]
    free = shutil.disk_usage(folder).free / 1e9
    return [("ok", f"data folder {folder}, {free:.1f} GB free")]
