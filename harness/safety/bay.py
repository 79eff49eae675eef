"""What a station's runs and commands need for themselves: see `harness.safety.keys`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from harness.device.address import parse_address
from harness.device.device import Device
from harness.project.model import StationProject
from harness.safety.keys import Key, address_keys, serial_key


def station_keys(on: StationProject, addresses: Mapping[str, str], alone: Collection[str] = ()) -> list[Key]:
    """A key for every way to reach each device that can be commanded. Looks up the names of hosts; blocking.

    What puts power on the rack is for one run alone, and so are the devices named in `alone`. A coolant distribution
    unit may serve several racks: their runs share it. `addresses` replace those of the station file.
    """
    places, whose = [], []
    for name, entry in on.station.devices.items():
        controls = on.catalog.expansions[name].controls.values()
        if not controls:
            continue
        is_alone = name in alone or any(control.spec.energises for control in controls)
        profile = on.catalog.profiles[name]
        where = parse_address(addresses.get(name) or entry.address)
        places.append((where, profile.default_unit))
        whose.append((f"{name} at {where} of station {on.station.station}", is_alone))
    found = zip(whose, address_keys(places), strict=True)
    return [Key(what, shown, is_alone) for (shown, is_alone), keys in found for what in keys]


def serial_keys(devices: Mapping[str, Device], alone: Collection[str] = ()) -> list[Key]:
    """A key for the serial number of every open device that can be commanded: it may be reached otherwise too.

    Who has it for itself is as in `station_keys`.
    """
    keys = []
    for name, device in devices.items():
        controls = device.expansion.controls.values()
        serial = device.identity.get("serial", "")
        what = serial_key(serial)
        if what and controls:
            is_alone = name in alone or any(control.spec.energises for control in controls)
            keys.append(Key(what, f"the device with serial number {serial.strip()} ({name} here)", is_alone))
    return keys
