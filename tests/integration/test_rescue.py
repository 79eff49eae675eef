"""What a supervisor makes of an armed file, in this process and over sockets, by the simulator's truth."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import find_profile, load_profile
from harness.device.setting import Setting
from harness.device.snmp import PROTOCOL
from harness.safety import armed
from harness.safety.compile import compile_plan
from harness.safety.connections import connection
from harness.schema.source import read_source, validate
from harness.schema.station import Station
from harness.supervisor import rescue as rescuing
from harness.supervisor.rescue import rescue
from tests.integration.test_one_executor import STATION, off

OFF = [{**off("feed_a.outlet"), "confirm_within": "1 s"}, {**off("feed_b.outlet"), "confirm_within": "2 s"}]


def on(simulation: sim.Simulation, feed: str) -> int:
    truth = simulation.truth()
    return sum(value > 0.5 for name, value in truth.items() if name.startswith(f"{feed}.outlet[") and "state" in name)


async def armed_bay(folder: Path) -> tuple[sim.Simulation, Path]:
    """Two feeds of three outlets each, all on, and the armed file of a run that is gone."""
    path = folder / "station.yaml"
    path.write_text(STATION.replace("DEFAULT", json.dumps(OFF)))
    station = validate(read_source(path), Station)
    profiles = {}
    for entry in station.devices.values():
        found = find_profile(entry.profile, folder)
        assert found is not None
        profiles[entry.profile] = load_profile(found)[0]
    simulation = await sim.start(station, profiles, lot=str(time.monotonic_ns()))
    builder = DeviceBuilder(Clock(), folder)
    devices = {
        name: builder.make(name, entry, profiles[entry.profile], simulation.addresses[name])
        for name, entry in station.devices.items()
    }
    for device in devices.values():
        await device.open()
    plan = await compile_plan(station, devices, station.derived)
    reached = {name: connection(device, simulation.addresses[name], folder) for name, device in devices.items()}
    for feed in ("feed_a", "feed_b"):
        for k in (1, 2, 3):
            await devices[feed].write(devices[feed].expansion.controls[f"outlet[{k}]"], Setting(word="on"))
    for device in devices.values():
        await device.close()
    content: dict[str, Any] = {
        "run": "2026-11-29T000000Z-RACK-0042-dead",
        "station": station.station,
        "guardian_log": "",
        "keys": [f"test {simulation.addresses['feed_a']}"],
        "live": str(folder / "gone"),
        "boot": "",
        "pids": [],
        "devices": reached,
    }
    armed.write(folder / "dead.armed", {**content, **plan})
    async with asyncio.timeout(10):
        while on(simulation, "feed_a") + on(simulation, "feed_b") < 6:
            await asyncio.sleep(0.05)
    return simulation, folder / "dead.armed"


def test_a_device_whose_secrets_cannot_be_read_keeps_no_other_ones_power_on(tmp_path: Path) -> None:
    async def main() -> None:
        simulation, path = await armed_bay(tmp_path)
        try:
            content = armed.read(path)
            content["devices"]["feed_a"]["secret"] = str(tmp_path / "gone.cred")
            content["devices"]["feed_a"]["secret_by"] = PROTOCOL.credentials
            armed.write(path, content)
            found = await rescue(path, "a test", persist=60.0)
            assert on(simulation, "feed_b") == 0
            assert on(simulation, "feed_a") == 3
            assert all(text.startswith("feed_a") and "gone.cred" in text for text in found.unconfirmed), found
            assert found.unconfirmed
            assert path.exists(), "it is begun again, and the file is read again"
            del content["devices"]["feed_a"]["secret"]
            armed.write(path, content)
            assert (await rescue(path, "a test", persist=60.0)).unconfirmed == []
            assert on(simulation, "feed_a") == 0
            assert not path.exists()
        finally:
            await simulation.close()

    run(main)


def test_secrets_are_read_beside_the_loop_that_feeds_the_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    def slowly(entry: Any) -> Any:
        time.sleep(0.3)
        raise OSError("the disk hangs")

    monkeypatch.setattr(rescuing, "with_secrets", slowly)

    async def main() -> None:
        work = asyncio.ensure_future(rescuing.connect({"pdu": {}}))
        turns = 0
        while not work.done():
            await asyncio.sleep(0.02)
            turns += 1
        assert turns >= 5
        assert work.result().unusable == {"pdu": "the disk hangs"}

    run(main)
