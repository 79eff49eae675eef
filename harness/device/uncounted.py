"""Switches that a device has and that profile and station file do not count: nobody reads or commands them."""

from __future__ import annotations

from harness.device.device import Device


def uncounted_switches(device: Device) -> list[str]:
    """A line for each repetition of switches of which an open device has more rows than are counted."""
    rows: dict[str, set[int]] = {}
    for point in device.expansion.controls.values():
        if point.spec.energises:
            rows.setdefault(point.group, set()).add(point.row)
    found = device.link.rows_found
    return [
        f"{device.name} has {found[group]} of {group}, {len(counted)} are counted: nobody would know of the others"
        for group, counted in rows.items()
        if found.get(group, 0) > len(counted)
    ]
