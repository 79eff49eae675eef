"""In virtual time a seed reproduces a run exactly: every row of the journal and all of the result but its header."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest

import sim
import sim.network
import testplans
from harness.clock import Clock, run
from harness.engine.options import RunOptions
from harness.engine.run import execute
from harness.project.plan import load_project
from harness.project.station import load_station

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


def carried_out(plan, data, seed, faults=(), *, direct=True):
    """Run the plan once; the journal's rows by table, and the result as JSON without its header."""
    on = load_station(STATION)
    project = load_project(plan, on)

    async def main():
        profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
        simulation = await sim.start(on.station, profiles, seed=seed, virtual=True, faults=faults, direct=direct)
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


@pytest.mark.parametrize(
    "faults",
    [
        (),
        ("device_silent:switch@15s", "device_heal:switch@25s"),
        ("device_slow:cdu=0.4@15s", "device_heal:cdu@30s"),
        ("device_slow:pdu=3s@15s", "device_heal:pdu@22s"),
        ("device_down:rack@15s", "device_heal:rack@24s"),
        ("device_reboot:shelf1@15s", "device_reboot:pdu@20s"),
        ("device_refuses:daq@15s", "device_refuses:shelf1@17s"),
        ("leak@30s",),
        ("sensor_nan:cdu.supply_temperature@30s", "link_down:3@20s"),
    ],
    ids=lambda faults: faults[0].partition("@")[0] if faults else "healthy",
)
def test_reading_beneath_the_codecs_changes_nothing(tmp_path, faults):
    """Bytes through both codecs, and none: the same rows and the same result, also while devices misbehave."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    first, rows, result = carried_out(plan, tmp_path / "a", 7, faults, direct=True)
    again, rows_again, result_again = carried_out(plan, tmp_path / "b", 7, faults, direct=False)
    assert (first.verdict, first.reason) == (again.verdict, again.reason)
    assert len(rows["frame"]) > 100
    for table, found in rows.items():
        assert len(found) == len(rows_again[table])
        for one, other in zip(found, rows_again[table], strict=True):
            assert one == other, f"table {table}"
    assert result == result_again


def test_most_reads_of_a_virtual_run_take_no_bytes(tmp_path, monkeypatch):
    """The equality above would hold as well if nothing were ever read directly."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    written = []
    send = sim.network.StreamTransport.write
    monkeypatch.setattr(sim.network.StreamTransport, "write", lambda *args: (written.append(1), send(*args))[1])
    carried_out(plan, tmp_path / "a", 7, direct=False)
    in_bytes = len(written)
    written.clear()
    carried_out(plan, tmp_path / "b", 7)
    assert len(written) < in_bytes / 3
