"""A device of a profile in front of its own twin: what `--simulate` makes of the keys that only the simulator reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import load_profile
from harness.errors import HarnessError
from harness.schema.profile import Profile
from harness.schema.station import Station
from tests.keys.device_bench import Seen, used
from tests.keys.rows import Files, written

ADDRESSES = {
    "modbus": "modbus+tcp://127.0.0.1:1502",
    "snmp": "snmp://127.0.0.1:1161",
    "scpi": "TCPIP::127.0.0.1::5025::SOCKET",
    "redfish": "redfish://127.0.0.1:8000",
}


def twin_bench(folder: Path, files: Files) -> Seen:
    """As the device bench, but the other side is the simulated rack."""
    path, *_ = written(folder, files, "profile", *(("parent",) if "parent" in files else ()))
    seen = Seen()
    try:
        profile, _ = load_profile(path)
        run(lambda: _session(profile, files, seen), rate=float("inf"))
    except HarnessError as error:
        seen.error = str(error)
    return seen


async def _session(profile: Profile, files: Files, seen: Seen) -> None:
    entry: dict[str, Any] = {"profile": "it", "address": ADDRESSES[profile.protocol], **files.get("entry", {})}
    given = {"schema": 1, "station": "one", "devices": {"it": entry}, "simulation": {"rack": "30kW"}}
    station, clock = Station.model_validate(given), Clock()
    simulation = await sim.start(station, {"it": profile}, virtual=True)
    builder = DeviceBuilder(clock, Path(), simulation.network)
    device = builder.make("it", station.devices["it"], profile, simulation.addresses["it"])
    try:
        await used(device, files, None, clock, seen)
        seen.truth = simulation.truth()
    finally:
        await device.close()
        await simulation.close()
