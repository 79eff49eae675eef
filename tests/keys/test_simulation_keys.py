"""Keys of the rack that is simulated behind a station."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import sim
from harness.clock import run
from harness.errors import ConfigError
from harness.project.station import load_station
from harness.schema.simulation import Simulation
from harness.schema.station import Station
from harness.simulator import start_simulation
from tests.keys.rows import Case, Files, Row, Table, every_row, written

FILES = {
    "station": """
schema: 1
station: bench
devices:
  pdu: {profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:16100", counts: {outlet: 8}}
simulation: {rack: 30kW, spread: 0, feeds: {pdu: [1, 2]}}
unguarded: {coolant: a, temperature: a, leak: a, emergency_stop: a, door: a}
safe_state: {default: [{set: pdu.outlet, to: "off"}]}
"""
}


@dataclass
class Plant:
    """What the plant is in, after its first outlet was closed for 30 s, and what a meter then shows."""

    truth: dict[str, float]
    flow: float
    flow_of_seed_1: float
    """What it shows on the same rack with this seed."""

    def fed(self, shelf: int) -> bool:
        """Whether a shelf has voltage at its input."""
        return self.truth[f"shelf[{shelf}].input_voltage"] > 100


def plant_bench(folder: Path, files: Files) -> Plant:
    """Start the rack and close its first outlet."""
    (path,) = written(folder, files, "station")
    on = load_station(path)

    async def shown(seed: int | None) -> tuple[dict[str, float], float]:
        profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
        simulation = await sim.start(on.station, profiles, virtual=True, seed=seed)
        try:
            simulation.plant.command("outlet[1]", 1.0)
            await asyncio.sleep(30)
            return simulation.truth(), simulation.plant.sensed("loop.flow")
        finally:
            await simulation.close()

    truth, flow = run(lambda: shown(None), rate=float("inf"))
    return Plant(truth, flow, run(lambda: shown(1), rate=float("inf"))[1])


def is_big(plant: Plant) -> bool:
    """Whether the coolant flows as the big rack needs it."""
    return plant.truth["loop.flow"] > 100


def start_bench(folder: Path, files: Files) -> str:
    """Why the devices of the station are not simulated; '': they are."""
    (path,) = written(folder, files, "station")

    async def start() -> str:
        try:
            simulation = await start_simulation(load_station(path), virtual=True)
        except ConfigError as error:
            return error.message
        await simulation.close()
        return ""

    return run(start, rate=float("inf"))


NOBODY = "there is no simulator 'nobody', installed: builtin"
PLACE = "station/simulation"
TABLES = [
    Table(
        Simulation,
        PLACE,
        FILES,
        plant_bench,
        [
            Row("rack", "132kW", is_big, False, True),
            Row("seed", 7, lambda plant: plant.flow == plant.flow_of_seed_1, True, False),
            Row("spread", 1.0, lambda plant: round(plant.truth["loop.differential_pressure"], 1), 40.9, 37.7),
            Row("feeds", {"pdu": [2, 1]}, lambda plant: (plant.fed(1), plant.fed(2)), (True, False), (False, True)),
            Row("batteries", 2, lambda plant: plant.truth["battery[1].charge"], 0, 100),
        ],
    ),
    Table(
        Simulation,
        PLACE,
        FILES,
        start_bench,
        [Row("simulator", "nobody", lambda said: said, "", NOBODY)],
    ),
    Table(Station, "station", FILES, plant_bench, [Row("simulation", {"rack": "132kW"}, is_big, False, True)]),
]


@every_row(TABLES)
def test_the_key_changes_the_rack(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
