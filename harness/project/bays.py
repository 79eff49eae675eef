"""One station file for a line of bays: a table of what differs, and which bay is meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.device.address import parse_address
from harness.project.catalog import did_you_mean
from harness.schema.document import Source
from harness.schema.problems import Problems
from harness.schema.source import substitute

_BAY = "bay"
"""Stands for the name of the bay itself."""


def split_bay(path: Path | str) -> tuple[Path, str]:
    """`line.yaml@bay-2` -> the file and the bay; '' where none is named."""
    text = str(path)
    file, at, bay = text.rpartition("@")
    return (Path(file), bay) if at and not Path(text).exists() else (Path(text), "")


def bays_of(source: Source) -> list[str]:
    """The bays that a station file has; none when it is the file of one station."""
    table = source.data.get("bays") if isinstance(source.data, dict) else None
    return list(table) if isinstance(table, dict) else []


def of_bay(source: Source, bay: str, found: Problems) -> Source:
    """The station file as it is for one bay."""
    bays = bays_of(source)
    if not bays:
        if bay:
            found.add(source.problem((), "HX-1392", f"this station file has no bays, so none is {bay!r}"))
        return source
    if bay not in bays:
        some = f"{', '.join(bays[:3])}{' ...' if len(bays) > 3 else ''}"
        message = f"there is no bay {bay!r}{did_you_mean(bay, bays)}" if bay else f"this file is of {len(bays)} bays"
        hint = f"name one, like {source.name}@{bays[0]}; it has {some}"
        found.add(source.problem(("bays",), "HX-1392", message, hint))
    elif source.data.get("station") != "${bay}":
        message = "a file of several bays is called by the bay"
        found.add(source.problem(("station",), "HX-1392", message, "write station: ${bay}"))
    name = bay if bay in bays else bays[0]
    row = source.data["bays"][name]
    values = {**(row if isinstance(row, dict) else {}), _BAY: name}
    for other, columns in source.data["bays"].items():
        if isinstance(columns, dict) and isinstance(row, dict) and set(columns) != set(row):
            odd = ", ".join(sorted(set(columns) ^ set(row)))
            message = f"{other} and {name} do not have the same values: {odd}"
            found.add(source.problem(("bays", other), "HX-1392", message))
        if isinstance(columns, dict) and _BAY in columns:
            found.add(source.problem(("bays", other, _BAY), "HX-1392", "the bay's name is no column: it stands before"))
    check_apart(source, dict(_addresses(source)), found)
    filled, _ = substitute(source, values, local=values, leaving=("bays",))
    return filled


def _addresses(source: Source) -> Iterator[tuple[str, dict[str, str]]]:
    """(bay, device -> address) of all bays."""
    devices = source.data.get("devices")
    written = {
        name: entry["address"]
        for name, entry in (devices.items() if isinstance(devices, dict) else ())
        if isinstance(entry, dict) and isinstance(entry.get("address"), str)
    }
    for bay, row in source.data["bays"].items():
        values = row if isinstance(row, dict) else {}
        filled = {name: values.get(text[2:-1]) if text.startswith("${") else text for name, text in written.items()}
        yield bay, {name: text for name, text in filled.items() if isinstance(text, str)}


def check_apart(source: Source, addresses: Mapping[str, Mapping[str, str]], found: Problems) -> None:
    """No two bays may reach one device; `addresses`: bay -> device -> address."""
    seen: dict[Any, str] = {}
    for bay, devices in addresses.items():
        for device, address in devices.items():
            try:
                where = str(parse_address(address))
            except ValueError:
                continue  # said with the bay
            who = f"{device} of {bay}"
            if (first := seen.setdefault(where, who)) != who:
                message = f"{who} has the address of {first}: {address}"
                found.add(source.problem(("bays", bay), "HX-1386", message))
