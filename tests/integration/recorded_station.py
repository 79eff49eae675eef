"""`python recorded_station.py OUT STATION COMMANDS`: simulated devices that write down every command they receive.

As `guarded_station.py`; each line of COMMANDS is {"t": UTC seconds, "input": ..., "value": ...}.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import sim
from harness.clock import run
from harness.device.registry import known_profiles, load_profile
from harness.schema.source import read_source, validate
from harness.schema.station import Station


async def main() -> None:
    out, station_file, commands = (Path(each) for each in sys.argv[1:4])
    station = validate(read_source(station_file), Station)
    profiles = {e.profile: load_profile(known_profiles()[e.profile])[0] for e in station.devices.values()}
    simulation = await sim.start(station, profiles, lot=str(os.getpid()))
    plain = simulation.plant.command
    with commands.open("w", buffering=1) as log:

        def command(name: str, value: float) -> None:
            log.write(json.dumps({"t": time.time(), "input": name, "value": value}) + "\n")
            plain(name, value)

        simulation.plant.command = command  # type: ignore[method-assign]
        truth = await sim.serve_truth(simulation)
        content = json.dumps({"addresses": simulation.addresses, "truth": truth.port})
        out.with_suffix(".new").write_text(content)
        out.with_suffix(".new").rename(out)
        await asyncio.Event().wait()


run(main)
