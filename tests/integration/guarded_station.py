"""`python guarded_station.py OUT [DEVICE=...]`: the simulated devices of a small station in a process of their own.

Writes {"addresses": {...}, "truth": port} to OUT when it is up, and runs until it is ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import sim
from harness.clock import run
from harness.device.registry import find_profile, load_profile
from harness.schema.source import read_source, validate
from harness.schema.station import Station


async def main() -> None:
    out, station_file = Path(sys.argv[1]), Path(sys.argv[2])
    station = validate(read_source(station_file), Station)
    profiles = {}
    for entry in station.devices.values():
        path = find_profile(entry.profile, station_file.parent)
        assert path is not None
        profiles[entry.profile] = load_profile(path)[0]
    simulation = await sim.start(station, profiles, faults=sys.argv[3:], lot=str(os.getpid()))
    truth = await sim.serve_truth(simulation)
    content = json.dumps({"addresses": simulation.addresses, "truth": truth.port})
    out.with_suffix(".new").write_text(content)
    out.with_suffix(".new").rename(out)
    await asyncio.Event().wait()


run(main)
