"""A station file with other addresses: the text as it stands, only the addresses (and secrets) replaced.

Editing the text at the recorded positions keeps comments and order, which writing YAML again would not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import ConfigError
from harness.project.model import StationProject


def with_addresses(on: StationProject, addresses: Mapping[str, str]) -> str:
    """The text of the station file with the given addresses. ConfigError when the file is laid out too unusually."""
    path = on.source.path
    if path is None:
        raise ConfigError("the station has no file")
    lines = path.read_text(encoding="utf-8").split("\n")
    places = [(on.source.position(("devices", name, "address")), name) for name in addresses]
    for (line, column), name in sorted(places, reverse=True):
        row = lines[line - 1]
        start, old = column - 1, on.station.devices[name].address
        quote = row[start] if row[start] in "'\"" else ""
        if not row.startswith(f"{quote}{old}{quote}", start):
            raise ConfigError(f"{on.source.name}:{line}:{column}: the address of {name} is written in a way not known")
        end = start + len(old) + 2 * len(quote)
        lines[line - 1] = f'{row[:start]}"{addresses[name]}"{row[end:]}'
    head = "# Made by `harness sim --write-station`: the addresses are those of running simulated devices.\n"
    return head + "\n".join(_profiles(on, lines))


def write_copy(on: StationProject, addresses: Mapping[str, str], target: str) -> None:
    """Write the station file with other addresses to `target`; ConfigError when that is not possible."""
    text = with_addresses(on, addresses)
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {target}: {error.strerror}") from error


def _profiles(on: StationProject, lines: list[str]) -> list[str]:
    """Profiles and credentials named by files beside the station file would be lost elsewhere: refuse."""
    for name, entry in on.station.devices.items():
        if entry.profile.endswith((".yaml", ".yml")) or (entry.credentials is not None and entry.credentials.file):
            raise ConfigError(
                f"device {name} names files beside {Path(on.source.name).name}, the copy would not find them",
                hint="write the copy by hand into the same folder",
            )
    return lines
