"""Leaks of a tray, of the rack and of the loop: each has its sequence, out and read back in time, by the truth."""

from __future__ import annotations

import asyncio

import pytest

from harness.errors import HarnessError
from tests.plan_runs import PLANS, run_plan, write_plan

STATION = PLANS / "stations" / "leak_tiers.yaml"
PLAN = """\
- {step: power_on, name: feed A, outlets: pdu_a.outlet, stagger: 50 ms}
- {step: power_on, name: feed B, outlets: pdu_b.outlet, stagger: 50 ms}
- {step: set, name: full, control: rack.level, to: 100 %}
- {step: hold, name: load, for: 60 s}
"""
IN_TIME = 5.0
SLOW = pytest.mark.slow
OUTLETS = [f"pdu_{feed}.outlet[{k}].state" for feed in "ab" for k in range(1, 9)]


class Truth:
    """When the leak latched, when each thing was done, and how hot it got, ten times a second."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.plate = 0.0
        self.trays_off: dict[int, float] = {}

    async def follow(self, _runner, simulation) -> None:
        plant = simulation.plant
        while True:
            plant.advance(simulation.now())
            now = plant.time
            wet = any(plant.truth(f"tray[{k}].leak") for k in range(1, 19))
            leaks = plant.truth("leak.rack") or plant.truth("leak.cdu") or wet
            seen = {
                "leak": bool(leaks),
                "isolated": plant.loop.isolated,
                "pumps off": not plant.loop.run,
                "power off": not plant.truth("outlets.closed") and bool(leaks),
                "no heat": plant.truth("rack.power") < 100.0 and bool(leaks),
                "dead": plant.truth("bus.voltage") < 2.0 and bool(leaks),
            }
            for name, holds in seen.items():
                if holds:
                    self.at.setdefault(name, now)
            for k in range(1, 19):
                if leaks and not plant.truth(f"tray[{k}].on"):
                    self.trays_off.setdefault(k, now)
            self.plate = max(self.plate, plant.truth("plate.temperature"))
            await asyncio.sleep(0.1)

    def after(self, name: str) -> float:
        """Seconds after the leak; infinite when it never was."""
        return self.at.get(name, float("inf")) - self.at["leak"]


def leaking(folder, *faults: str, station=STATION, serial="RACK-0042"):
    """A full rack on the station, and what goes wrong."""
    truth = Truth()
    plan = write_plan(folder, PLAN)
    ran = run_plan(plan, folder / "data", station=station, faults=faults, during=truth.follow, serial=serial)
    return ran, truth


def sequence_of(ran) -> str:
    """The sequence that was carried out last."""
    return [each.data["sequence"] for each in ran.events if each.kind == "safe state"][-1]


def confirmed(ran) -> dict[str, bool]:
    """What the record says of each action of the safe state."""
    return {each.action: each.is_confirmed for each in ran.outcome.result.safe_state.actions}


@pytest.mark.parametrize(
    ("fault", "sequence"),
    [("leak:2@30s", "rack leaks"), pytest.param("leak:cdu=2@30s", "loop leaks", marks=SLOW)],
)
def test_power_and_coolant_are_off_and_read_back_within_five_seconds_of_the_leak(fault, sequence, tmp_path):
    ran, truth = leaking(tmp_path, fault)
    assert ran.outcome.verdict == "TRIPPED"
    assert sequence_of(ran) == sequence
    for what in ("power off", "no heat", "isolated", "pumps off"):
        assert truth.after(what) <= IN_TIME, (what, truth.at)
    said = confirmed(ran)
    assert said["cdu.isolation isolated"]
    assert said["pdu_a.outlet off"]
    assert said["pdu_b.outlet off"]
    assert said["de-energised"]
    assert all(said.values())
    reads = [each for each in ran.events if each.kind == "confirmed" and each.data.get("control") == "isolation"]
    assert reads
    assert truth.plate < 75.0
    assert ran.exit_code == 4


def test_a_leak_that_reaches_farther_takes_over_and_one_that_reaches_less_does_not(tmp_path):
    for order, faults in enumerate((["leak:2@30s", "leak:cdu=2@30.6s"], ["leak:cdu=2@30s", "leak:2@30.6s"])):
        folder = tmp_path / str(order)
        folder.mkdir()
        ran, truth = leaking(folder, *faults)
        assert sequence_of(ran) == "loop leaks"
        left = [text for text in ran.texts("note") if "left for a graver one" in text]
        assert len(left) == (1 if order == 0 else 0)
        assert truth.after("isolated") <= IN_TIME


@pytest.mark.parametrize(
    "fault", ["outlet_stuck:pdu_a.3@20s", pytest.param("device_refuses:bbu1@20s", marks=pytest.mark.slow)]
)
def test_what_does_not_obey_leaves_no_heat_and_is_never_called_safe(fault, tmp_path):
    """A stuck outlet or a battery that goes on keeps the bus live: the trays are off, and the run is NOT CONFIRMED."""
    ran, truth = leaking(tmp_path, fault, "leak:2@30s")
    assert ran.exit_code == 5
    assert not all(confirmed(ran).values())
    assert truth.after("no heat") <= IN_TIME
    assert truth.plate < 75.0
    assert truth.after("dead") == float("inf")


def test_one_leaking_tray_goes_off_first_and_the_coolant_runs_on(tmp_path):
    """Tray 5 is wet: it is off within 5 s, before anything else; nothing is isolated, for the coolant is needed."""
    ran, truth = leaking(tmp_path, "tray_leak:5@30s")
    assert sequence_of(ran) == "tray leaks"
    assert truth.trays_off[5] - truth.at["leak"] <= IN_TIME
    assert truth.trays_off[5] == min(truth.trays_off.values())
    assert truth.after("power off") <= IN_TIME
    assert truth.after("no heat") <= IN_TIME
    assert confirmed(ran)["agent.tray[5] off"]
    assert "isolated" not in truth.at
    assert not ran.on
    assert truth.plate < 75.0
    assert ran.exit_code == 4


def test_a_second_leaking_tray_makes_a_request_for_the_rack(tmp_path):
    """The second one leaks while the first is being dealt with."""
    ran, truth = leaking(tmp_path, "tray_leak:5@30s", "tray_leak:9=20@30s")
    assert sequence_of(ran) == "rack leaks"
    second = next(each.mono for each in ran.events if each.kind == "stop" and "two trays leak" in each.text)
    shut = [each.mono for each in ran.events if each.kind == "confirmed" and each.data.get("control") == "isolation"]
    assert shut[0] - second <= IN_TIME
    assert truth.after("isolated") < 10.0
    assert all(confirmed(ran).values())


def test_a_tray_that_does_not_obey_is_no_reason_to_wait(tmp_path):
    """Its agent refuses: the outlets go off all the same, and the run is NOT CONFIRMED."""
    ran, truth = leaking(tmp_path, "device_refuses:agent@25s", "tray_leak:5@30s")
    assert truth.after("no heat") <= IN_TIME
    assert not confirmed(ran)["agent.tray[5] off"]
    assert ran.exit_code == 5


ALL = '"trays.tray[1-18].leak"], vote: 1ooN'
TRAY_FIRST = '{set: agent.tray, to: "off", only_tripped: true'


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("scope: tray", "scope: room"), "expected one of tray, rack, loop"),
        (("kind: leak\n    scope: tray", "kind: heat\n    scope: tray"), "belongs to a sequence of kind leak"),
        ((TRAY_FIRST, TRAY_FIRST.replace("agent.tray", "rack.trays")), "has no rows"),
        ((TRAY_FIRST, TRAY_FIRST.replace("true", "perhaps")), "true"),
        (('"trays.tray[1-18].leak"], vote: 1ooN', '"trays.tray[1-18].leak", trays.leak], vote: 1ooN'), "names no row"),
        (
            ('"trays.tray[1-18].leak"], vote: 1ooN', '"trays.tray[1-18].leak", "trays.tray[3].leak"], vote: 1ooN'),
            "twice",
        ),
        (("trays.tray[1-18].leak", "trays.tray[1-19].leak"), "unknown signal 'trays.tray.19..leak'"),
    ],
)
def test_tiers_that_could_not_be_are_refused_with_their_place(change, said, tmp_path):
    text = STATION.read_text()
    assert change[0] in text
    path = tmp_path / "station.yaml"
    path.write_text(text.replace(change[0], change[1], 1))
    with pytest.raises(HarnessError, match=said) as raised:
        leaking(tmp_path, station=path)
    assert "station.yaml:" in str(raised.value)
