"""What became of keys that nothing read: `rate` walks, versions are told, the others are refused."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.device.device import Device
from harness.device.registry import load_profile
from harness.errors import DeviceError
from harness.limits.verdict import Verdict
from harness.project.station import load_station
from harness.project.step import known_steps
from harness.record.report import render_text
from harness.schema.problems import ProblemsError
from harness.telemetry.reading import open_for_reading
from tests.plan_runs import STATION, Ran, run_plan


class Walked:
    """A flow setpoint that may change by 5 L/min a second, seen by the simulator."""

    def __init__(self, folder: Path, more: str = "rate: 5") -> None:
        control = f"controls:\n  flow_setpoint: {{{more}}}\n" if more else ""
        (folder / "cdu.yaml").write_text(f"schema: 1\nprofile: own/cdu\nextends: cdu/meta_rpu\n{control}")
        self.station = folder / "station.yaml"
        self.station.write_text(STATION.read_text().replace("profile: cdu/meta_rpu", "profile: ./cdu.yaml"))
        self.plan = folder / "plan.yaml"
        self.seen: list[tuple[float, float]] = []

    def run(self, folder: Path, steps: str, **more: Any) -> Ran:
        self.plan.write_text(f"schema: 1\nplan: walked\ncoverage: 90 %\nsteps:\n{steps}{JUDGED}")
        return run_plan(self.plan, folder / "data", station=self.station, during=self._watch, **more)

    async def _watch(self, runner: Any, simulation: Any) -> None:
        while True:
            self.seen.append((runner.clock.monotonic(), simulation.plant.loop.flow_setpoint))
            await asyncio.sleep(0.25)

    def fastest(self, over: float = 4.0) -> float:
        """The largest change a second over some seconds."""
        span = int(over / 0.25)
        pairs = zip(self.seen, self.seen[span:], strict=False)
        return max(abs(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs)


JUDGED = "  - {step: check, conditions: [{signal: cdu.leak, equals: dry}]}\n"
JUMP = "  - {step: set, control: cdu.flow_setpoint, to: 120 L/min}\n"


def test_a_rate_walks_the_control_in_the_truth(tmp_path):
    place = Walked(tmp_path)
    ran = place.run(tmp_path, JUMP)
    assert ran.exit_code == 0, ran.reason
    values = [value for _, value in place.seen]
    assert (values[0], min(values)) == pytest.approx((172, 120), abs=0.1)
    assert values[-1] == pytest.approx(172, abs=0.1), "and was walked back at the end of the run"
    assert place.fastest() <= 5 * 1.3  # seen every 0.25 s, walked every second
    assert "in 11 steps of 1 s, 5 L/min/s at most" in ran.texts("walking")[0]
    assert len([text for text in ran.texts("intent") if "120 L/min" in text]) == 1


def test_without_a_rate_it_jumps(tmp_path):
    place = Walked(tmp_path, "")
    ran = place.run(tmp_path, JUMP)
    assert ran.exit_code == 0, ran.reason
    assert place.fastest() > 10


def test_a_small_change_is_one_command(tmp_path):
    place = Walked(tmp_path, "rate: 500")
    ran = place.run(tmp_path, JUMP)
    assert ran.exit_code == 0, ran.reason
    assert ran.texts("walking") == []


def test_a_walk_ends_with_the_run(tmp_path):
    class Stopped(Walked):
        async def _watch(self, runner: Any, simulation: Any) -> None:
            asyncio.get_running_loop().call_later(4.0, runner.request_stop, Verdict.ABORTED, "enough")
            await super()._watch(runner, simulation)

    place = Stopped(tmp_path)
    ran = place.run(tmp_path, JUMP)
    assert ran.outcome.verdict is Verdict.ABORTED
    assert 172 > min(value for _, value in place.seen) > 130, "it had gone a part of the way, and went no further"


def test_what_cannot_be_read_is_not_moved(tmp_path, monkeypatch):
    honest = Device.read

    async def blind(self: Device, names: Sequence[str]) -> Any:
        if "flow_setpoint" in names:
            raise DeviceError("it does not say", device=self.name)
        return await honest(self, names)

    monkeypatch.setattr(Device, "read", blind)
    place = Walked(tmp_path)
    ran = place.run(tmp_path, JUMP)
    assert ran.exit_code == 3, ran.reason
    assert "not sent: cdu: it does not say" in ran.reason
    assert {value for _, value in place.seen} == {place.seen[0][1]}


@pytest.mark.parametrize("confirm", ["null", "{signal: flow_setpoint}"])
def test_a_rate_needs_to_know_where_the_control_is(tmp_path, confirm):
    place = Walked(tmp_path, f"rate: 5, confirm: {confirm}")
    if confirm == "null":
        with pytest.raises(ProblemsError, match="rate: only a quantity can be walked"):
            load_station(place.station)
    else:
        load_station(place.station)


def test_versions_stand_in_the_record(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(f"schema: 1\nplan: versioned\nversion: 7.3a\ncoverage: 90 %\nsteps:\n{JUDGED}")
    ran = run_plan(path, tmp_path / "data")
    result = ran.outcome.result
    assert result.plan_version == "7.3a"
    assert "versioned 7.3a" in render_text(ran.outcome.folder)
    assert [(step.step, step.version) for step in result.steps] == [("check", known_steps()["check"].version)]
    with open_for_reading(ran.outcome.folder / "journal.db") as reader:
        assert [event.data["version"] for event in reader.events("step")] == [1]


@pytest.mark.parametrize(
    ("section", "key"),
    [("signals", "sticky: true"), ("controls", "wear: eeprom"), ("scpi", "terminator: x")],
)
def test_keys_that_did_nothing_are_refused(tmp_path, section, key):
    what = {"signals": "flow", "controls": "flow_setpoint"}.get(section)
    parent = "daq/keysight_daq970a" if section == "scpi" else "cdu/meta_rpu"
    body = f"{section}: {{{key}}}" if what is None else f"{section}: {{{what}: {{{key}}}}}"
    path = tmp_path / "own.yaml"
    path.write_text(f"schema: 1\nprofile: own/x\nextends: {parent}\n{body}\n")
    with pytest.raises(ProblemsError, match="unknown key"):
        load_profile(path)
