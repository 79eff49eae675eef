"""A rack from Python: what is written in the docs works, and a mistake is an exception of ours."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import harness
from harness.clock import run
from harness.errors import ConfigError, DeviceError, HarnessError, RunError
from harness.limits.verdict import Verdict
from harness.quantity import Quality, Reading
from tests.integration.cli_tools import harness as command
from tests.integration.cli_tools import simulation, spoken, write_plan
from tests.plan_runs import PLANS


def test_a_plan_on_a_rack_with_a_fault(tmp_path):
    with harness.simulated_rack(virtual=True, faults=["pump_stop:1@20s"]) as rack:
        assert rack["cdu.flow"].read() > "150 L/min"
        outcome = rack.run("acceptance", serial="RACK-0001", data=tmp_path)
    assert outcome.verdict != "PASS"
    assert "pump" in outcome.reason
    assert outcome.folder.parent.parent == tmp_path
    assert outcome.is_sealed


def test_signals_are_read_and_controls_are_set_and_confirmed():
    with harness.simulated_rack(virtual=True, seed=7) as rack:
        assert rack["pdu.outlet[3].state"].read().text == "off"
        outcomes = rack["pdu.outlet[3]"].set("on")
        assert [(name, each.is_confirmed) for name, each in outcomes.items()] == [("pdu.outlet[3]", True)]
        assert rack.truth()["outlet[3].state"] == 1.0
        rack.wait(5.0)
        assert rack["pdu.outlet[3].power"].read() > "100 W"
        assert all(each.is_confirmed for each in rack["pdu.outlet"].set("off").values())


def test_real_sockets_too():
    with harness.simulated_rack() as rack:
        begun = time.monotonic()
        assert "1 bar" < rack["cdu.supply_pressure"].read() < "4 bar"
        assert time.monotonic() - begun < 5.0


def test_a_loop_of_ones_own():
    async def main():
        async with harness.AsyncRack("simulated", simulate=True, virtual=True) as rack:
            found = await asyncio.gather(*(rack.read(f"cdu.{each}") for each in ("flow", "leak")))
            return [str(each) for each in found]

    flow, leak = run(main, rate=float("inf"))
    assert flow.endswith("L/min")
    assert leak == "dry"


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda rack: rack["cdu.flwo"].read(), "did you mean 'cdu.flow'"),
        (lambda rack: rack["pdu.outlet[99]"].set("on"), "pdu.outlet[99]"),
        (lambda rack: rack["pdu.outlet[1]"].set("sideways"), "sideways"),
        (lambda rack: rack.run("smok", serial="R"), "no such plan"),
        (lambda rack: rack.run("smoke", serial="R", parameters={"x": 1}), "no such parameter"),
    ],
)
def test_a_mistake_says_what_is_wrong(work, words, tmp_path):
    with harness.simulated_rack(virtual=True) as rack, pytest.raises(HarnessError, match=words.replace("[", r"\[")):
        work(rack)


def test_a_rack_that_is_not_open_says_so():
    rack = harness.AsyncRack("simulated", simulate=True, virtual=True)
    with pytest.raises(ConfigError, match="not open"):
        _ = rack.on


def test_what_is_not_good_is_neither_more_nor_less():
    stale = Reading("cdu.flow", 170.0, "L/min", Quality.STALE, 0, 0.0)
    good = Reading("cdu.flow", 170.0, "L/min", Quality.GOOD, 0, 0.0)
    assert good >= "170 L/min"
    assert good <= 170
    assert good < "11 m3/h"
    assert [stale > 0, stale < 1e9, stale >= 170, stale <= 170] == [False] * 4


def test_the_package_costs_nothing_until_it_is_used():
    code = "import sys, harness; print(len([m for m in sys.modules if m.startswith(('numpy', 'pydantic'))]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"
    assert "simulated_rack" in dir(harness) or harness.simulated_rack is not None
    with pytest.raises(AttributeError, match="no attribute 'racks'"):
        _ = harness.racks


def test_verdicts_are_texts():
    assert Verdict.PASS == "PASS"


def test_a_record_is_read_back(tmp_path):
    with harness.simulated_rack(virtual=True, seed=3) as rack:
        outcome = rack.run("smoke", serial="RACK-0001", data=tmp_path)
        rack.run("smoke", serial="RACK-0002", data=tmp_path)
    record = harness.open_record(outcome.folder)
    assert record.verify() == []
    assert record.result == outcome.result
    flow = record.series("cdu.flow")
    assert len(flow.times) == len(flow.values) == len(flow.qualities) > 10
    assert flow.unit == record.signals()["cdu.flow"].unit == "L/min"
    assert (np.diff(flow.times) > np.timedelta64(0)).all()
    assert str(flow.times[0])[:16] >= outcome.result.started[:16]
    assert 100 < np.median(flow.values[flow.is_good]) < 300
    assert [event.kind for event in record.events("verdict")] == ["verdict"]
    assert len(record.events()) > len(record.events("step")) == len(outcome.result.steps)
    assert harness.open_record("last", tmp_path).result.serial == "RACK-0002"
    assert harness.open_record("RACK-0001", tmp_path).folder == outcome.folder


@pytest.mark.parametrize(
    ("work", "error", "words"),
    [
        (lambda record: record.series("cdu.flov"), ConfigError, "no signal 'cdu.flov'"),
        (lambda record: record.events("stepp"), ConfigError, "no kind of event 'stepp'"),
        (lambda record: harness.open_record("RACK-9", record.folder.parents[1]), ConfigError, "no run 'RACK-9'"),
        (lambda record: harness.open_record(record.folder / "no"), ConfigError, "is not a run folder"),
    ],
)
def test_mistakes_with_records_are_errors_of_ours(work, error, words, tmp_path):
    with harness.simulated_rack(virtual=True) as rack:
        record = harness.open_record(rack.run("smoke", serial="RACK-0001", data=tmp_path).folder)
    with pytest.raises(error, match=words):
        work(record)


def test_a_record_without_its_result_says_so(tmp_path):
    with harness.simulated_rack(virtual=True) as rack:
        record = harness.open_record(rack.run("smoke", serial="RACK-0001", data=tmp_path).folder)
    (record.folder / "result.json").unlink()
    with pytest.raises(HarnessError, match=r"has no result: .*result.json"):
        _ = record.result
    assert record.verify()
    assert len(record.series("cdu.flow").values) > 10


def test_a_setting_from_python_is_refused_while_a_run_has_the_rack(tmp_path):
    """And a run and a setting by hand are refused, by name, while Python sets."""
    plan = write_plan(tmp_path, hold="30 s")
    with simulation(tmp_path) as (station, truth, sim):
        running = ("run", str(plan), "--station", str(station), "--serial", "R1")
        with spoken(*running, data=tmp_path / "data") as process, harness.open_station(station) as rack:
            process.wait_for("warm: started")
            on = truth.outlets_on()
            with pytest.raises(RunError, match="in use by"):
                rack["pdu.outlet"].set("off")
            assert truth.outlets_on() == on != []
            assert rack["pdu.power"].read() > "1 W"
            process.send(signal.SIGINT)
            assert process.end(30) == 130
            assert rack["pdu.outlet[1]"].set("on")["pdu.outlet[1]"].is_confirmed
            assert truth.outlets_on() == ["outlet[1].state"]
            assert rack["pdu.outlet[1]"].set("off")["pdu.outlet[1]"].is_confirmed

        async def held():
            async with harness.AsyncRack(station) as opened:
                await opened.read("pdu.power")
                sim.send(signal.SIGSTOP)  # a setting then takes as long as it waits for answers
                work = asyncio.ensure_future(opened.set("pdu.outlet[1]", "on"))
                by_hand = ("set", "pdu.outlet[1]", "off", "--yes", "--station", str(station))
                try:
                    await asyncio.sleep(0.2)
                    return await asyncio.to_thread(lambda: command(*by_hand, data=tmp_path / "data"))
                finally:
                    sim.send(signal.SIGCONT)
                    await asyncio.wait([work])

        done = asyncio.run(held())
        assert done.returncode == 6
        assert "in use by `harness set` pdu.outlet[1] to on" in done.stderr


def test_a_device_is_opened_once_and_again_when_it_had_failed():
    async def main():
        faults = ["device_silent:cdu@1s", "device_heal:cdu@60s"]
        async with harness.AsyncRack("simulated", simulate=True, virtual=True, faults=faults) as rack:
            await asyncio.sleep(2)
            with pytest.raises(DeviceError, match="cdu"):
                await rack.read("cdu.flow")
            await asyncio.sleep(90)
            await asyncio.gather(*(rack.read(f"cdu.{each}") for each in ("flow", "leak", "level")))
            device = rack._session.devices["cdu"]
            await rack.read("cdu.flow")
            return device is rack._session.devices["cdu"], device.link.health()["connects"]

    assert run(main, rate=float("inf")) == (True, 1)


def test_a_run_from_python_has_the_seed_and_the_database_of_its_station(tmp_path):
    station = tmp_path / "station.yaml"
    text = (PLANS / "stations" / "simulated.yaml").read_text().replace("rack: 132kW, seed: 1", "rack: 132kW, seed: 6")
    station.write_text(f"{text}\ntelemetry: {{influxdb: {{url: 'http://127.0.0.1:9', bucket: racks}}}}\n")
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        "schema: 1\nplan: trial\nsteps: [{step: measure, signal: cdu.flow, over: 3 s, limit: {max: 900 L/min}}]\n"
    )
    with harness.simulated_rack(station) as rack:
        result = rack.run(plan, serial="RACK-0001", data=tmp_path).result
    assert result.clock.seed == 6
    assert result.telemetry is not None
    assert result.telemetry.waiting > 0


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (lambda rack: rack.run("smoke", serial="../x"), "serial '../x'"),
        (lambda rack: rack.wait("60 s"), "is no time to wait"),
        (lambda rack: rack.wait(-1), "is no time to wait"),
        (lambda rack: rack["cdu.delta_temperature"].read(), "is a derived signal"),
        (lambda rack: rack["pdu.outlet.state"].read(), "is a column of 8 signals, name one: pdu.outlet"),
    ],
)
def test_a_mistake_of_a_script_is_said_in_words(mistake, said):
    with harness.simulated_rack(virtual=True) as rack, pytest.raises(ConfigError, match=re.escape(said)):
        mistake(rack)
    with pytest.raises(ConfigError, match="not open"):
        rack["cdu.flow"].read()
