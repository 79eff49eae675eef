"""`harness profile try`: a profile meets a device for the first time. Nothing is written to the device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.ui.aside import aside

if TYPE_CHECKING:
    from harness.schema.profile import Profile
    from harness.schema.station import DeviceEntry

_NO_SECRETS = ("version", "auth_protocol", "priv_protocol", "method")
"""Keys of credentials whose values are words of the format."""


@click.command("try")
@click.argument("name", metavar="PROFILE")
@click.argument("address")
@click.option("--credentials", metavar="FILE", help="Credentials of an SNMP device (mode 0600); else community public.")
@click.option("--parameter", "pairs", multiple=True, metavar="NAME=NUMBER", help="As in a station file; repeatable.")
@click.option("--configure", is_flag=True, help="Send an instrument the configuration that its profile asks for.")
def try_(name: str, address: str, credentials: str | None, pairs: tuple[str, ...], *, configure: bool) -> int:
    """Read every signal of PROFILE (a name or a file) at ADDRESS once, and print a table for a report.

    Read-only. The table shows neither the address, nor credentials, nor the serial number. Exit 3 when nobody answers,
    when another model does, or when not one measurement of the profile is there.
    """
    from harness.cli.session import run_session
    from harness.cli.ui.terminal import say
    from harness.clock import Clock
    from harness.device.address import parse_address
    from harness.device.build import DeviceBuilder
    from harness.device.first_contact import first_contact, hide, table
    from harness.errors import ConfigError
    from harness.schema.fields import FileRef
    from harness.schema.station import DeviceEntry

    profile = _load(name)
    unsent = () if configure else profile.sent_at_open
    if not configure:
        profile = profile.without_configuration()
    try:
        where = parse_address(address)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if where.protocol != profile.protocol:
        raise ConfigError(f"{profile.profile} speaks {profile.protocol}, the address {address} is {where.scheme}")
    entry = DeviceEntry(
        profile=name,
        address=address,
        credentials=FileRef(file=credentials) if credentials else None,
        parameters=_parameters(pairs, profile.parameters),
    )
    secrets = _secrets(entry)

    async def work() -> int:
        device = DeviceBuilder(Clock(), Path.cwd()).make("it", entry, profile)
        try:
            contact = await first_contact(device)
        finally:
            await device.close()
        good = sum(row.is_good for row in contact.rows)
        for line in table(contact, secrets):
            say(line)
        say("")
        about = [f"{key} {text}" for key, text in contact.identity.items() if key != "serial"]
        say(hide(f"{profile.profile}: {', '.join(about) or 'no identity'}", contact, secrets))
        say(f"{good} of {len(contact.rows)} signals good; nothing was written")
        for title, names in (("not on this device", contact.absent), ("not read, it clears them", contact.left_alone)):
            if names:
                say(f"{title}: {', '.join(_banks(names))}")
        if unsent:
            say(f"not sent: {'; '.join(unsent)} (readings may need it: --configure)")
        if contact.problem:
            text = f"{contact.problem}; {contact.hint}" if contact.hint else contact.problem
            aside(hide(text, contact, secrets))
            return 3
        return 0

    return run_session(work)


def _load(name: str) -> Profile:
    from harness.device.registry import find_profile, load_profile, no_profile
    from harness.errors import ConfigError

    path = Path(name) if name.endswith((".yaml", ".yml")) else find_profile(name, Path.cwd())
    if path is None:
        raise ConfigError(no_profile(name), hint="see harness profile list, or name a file")
    return load_profile(path)[0]


def _parameters(pairs: tuple[str, ...], known: Mapping[str, int]) -> dict[str, int]:
    from harness.cli.inputs import settings
    from harness.errors import ConfigError
    from harness.project.catalog import did_you_mean

    found = settings(pairs, "--parameter")
    for key, value in found.items():
        if key not in known:
            raise ConfigError(f"the profile has no parameter {key!r}{did_you_mean(key, known)}")
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigError(f"parameter {key} is a whole number, not {value!r}")
    return found


def _secrets(entry: DeviceEntry) -> list[str]:
    """Texts that must not be shown, also when the device itself says them: all that the credentials file holds."""
    from harness.device.address import parse_address
    from harness.device.credentials import read_secret
    from harness.errors import ConfigError
    from harness.schema.problems import ProblemsError
    from harness.schema.source import parse_source

    texts = [parse_address(entry.address).host]
    if entry.credentials is not None:
        try:
            given = parse_source(read_secret(entry.credentials, Path.cwd()).reveal().encode(), "credentials").data
        except ProblemsError:
            raise ConfigError(f"{entry.credentials.file} is not a valid credentials file") from None
        if isinstance(given, dict):
            texts += [str(value) for key, value in given.items() if key not in _NO_SECRETS]
    return texts


def _banks(names: list[str]) -> list[str]:
    """Names with the rows of a repetition folded: `outlet[9..16].current`."""
    import re

    rows: dict[tuple[str, str], list[int]] = {}
    for name in names:
        parts = re.fullmatch(r"([^\[]+)\[([0-9]+)\](.*)", name)
        key, row = ((parts[1], parts[3]), int(parts[2])) if parts else ((name, ""), 0)
        rows.setdefault(key, []).append(row)
    return [_bank(group, tail, members) for (group, tail), members in rows.items()]


def _bank(group: str, tail: str, members: list[int]) -> str:
    if members == [0]:
        return group
    first, last = min(members), max(members)
    return f"{group}[{first}{f'..{last}' if last > first else ''}]{tail}"
