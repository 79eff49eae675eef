"""In virtual time a seed reproduces a run exactly: every row of the journal and all of the result but its header."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import sim
import testplans
from harness.clock import Clock, run
from harness.engine.options import RunOptions
from harness.engine.project import load_project, load_station
from harness.engine.run import execute

STATION = Path(testplans.__file__).parent / "stations" / "simulated.yaml"
PLAN = """
schema: 1
plan: twice
title: The same run twice
coverage: 95 %
steps:
  - step: power_on
    outlets: pdu.outlet
    stagger: 1 s
  - step: wait_until
    signal: cdu.flow
    min: 80 L/min
    within: 30 s
  - step: soak
    for: 40 s
    load: 100 %
    watch:
      - {signal: cdu.supply_temperature, max: 45 degC, for: 10 s}
      - {signal: pdu.power, max: 200 kW}
"""


def carried_out(plan, data, seed, faults=()):
    """Run the plan once; the journal's rows by table, and the result as JSON without its header."""
    on = load_station(STATION)
    project = load_project(plan, on)

    async def main():
        profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
        simulation = await sim.start(on.station, profiles, seed=seed, virtual=True, faults=faults)
        options = RunOptions(
            serial="RACK-0815",
            data_dir=data,
            is_simulated=True,
            seed=seed,
            network=simulation.network,
            addresses=simulation.addresses,
        )
        try:
            return await execute(project, options, Clock())
        finally:
            await simulation.close()
            for _ in range(3):
                await asyncio.sleep(0)

    outcome = run(main, rate=float("inf"))
    assert outcome.is_sealed
    (journal,) = Path(outcome.folder).glob("*.db")
    with sqlite3.connect(journal) as db:
        rows = {
            table: db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in ("device", "frame", "event")
        }
    db.close()
    result = json.loads((Path(outcome.folder) / "result.json").read_text())
    result.pop("header")
    return outcome, rows, result


def test_one_seed_gives_one_record(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    first, rows, result = carried_out(plan, tmp_path / "a", 7, ("filter_clog@20s",))
    again, rows_again, result_again = carried_out(plan, tmp_path / "b", 7, ("filter_clog@20s",))
    assert first.verdict == again.verdict
    assert len(rows["frame"]) > 150
    for table, found in rows.items():
        assert found == rows_again[table], f"table {table}"
    assert result == result_again


def test_another_seed_gives_other_noise(tmp_path):
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    _, rows, _ = carried_out(plan, tmp_path / "a", 7)
    _, others, _ = carried_out(plan, tmp_path / "b", 8)
    blobs, other_blobs = ({row[4] for row in each["frame"]} for each in (rows, others))
    assert rows["device"] == others["device"]
    assert len(blobs & other_blobs) < len(blobs) / 2
