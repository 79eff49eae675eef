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
        self.rows_off: dict[int, float] = {}

    async def follow(self, _runner, simulation) -> None:
        plant = simulation.plant
        while True:
            plant.advance(simulation.now())
            now = plant.time
            leaks = plant.truth("leak.rack") or plant.truth("leak.cdu")
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
            for k in range(1, 9):
                if leaks and not plant.truth(f"pdu_a.outlet[{k}].state"):
                    self.rows_off.setdefault(k, now)
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


TRAYS = """\
  - name: a tray leaks
    signals: ["cdu.leak_zone[1].state", "cdu.leak_zone[2].state", "cdu.leak_zone[3].state"]
    vote: 1ooN
    equals: ok
    on_trip: tray leaks
  - name: two trays leak
    signals: ["cdu.leak_zone[1].state", "cdu.leak_zone[2].state", "cdu.leak_zone[3].state"]
    vote: 2ooN
    equals: ok
    on_trip: rack leaks
"""


@pytest.fixture
def trays(tmp_path):
    """The station with zones 1 to 3 in the place of three trays, and outlets in the place of what forces them off."""
    text = STATION.read_text()
    begin, end = text.index("  - {name: leak of the rack"), text.index("  - {name: no flow")
    text = text[:begin] + TRAYS + text[end:]
    default, leaks = text.index("  default:\n") + len("  default:\n"), text.index("  rack leaks:")
    actions = "".join(f"  {line}\n" for line in text[default:leaks].rstrip().splitlines()[:-1])
    first = "      - {set: pdu_a.outlet, to: 'off', only_tripped: true}\n"
    waits = "      - {keep: cdu.pump, until: {signal: cdu.flow, min: 1 L/min}, at_least: 8 s, at_most: 9 s}\n"
    cool = (
        "      - {keep: cdu.pump, until: {signal: cdu.delta_temperature, max: 3 K}, at_least: 30 s, at_most: 2 min}\n"
    )
    tray = f"  tray leaks:\n    kind: leak\n    scope: tray\n    actions:\n{first}{waits}{actions}{cool}"
    path = tmp_path / "station.yaml"
    path.write_text(text.replace("  rack leaks:", f"{tray}  rack leaks:"))
    return path


def test_one_leaking_tray_goes_off_first_and_the_coolant_runs_on(trays, tmp_path):
    """Zone 2 is wet: row 2 is off within 5 s, the others only with what follows; nothing is isolated."""
    ran, truth = leaking(tmp_path, "leak:cdu=2@30s", station=trays)
    assert sequence_of(ran) == "tray leaks"
    assert truth.rows_off[2] - truth.at["leak"] <= IN_TIME
    assert min(when for row, when in truth.rows_off.items() if row != 2) > truth.rows_off[2] + 7.0
    assert "pdu_a.outlet[2] off" in confirmed(ran)
    assert "isolated" not in truth.at
    assert not ran.on
    assert ran.exit_code == 4


def test_a_second_leaking_tray_makes_a_request_for_the_rack(trays, tmp_path):
    ran, truth = leaking(tmp_path, "leak:cdu=2@30s", "leak:2@32s", station=trays)
    assert sequence_of(ran) == "rack leaks"
    second = next(each.mono for each in ran.events if each.kind == "stop" and "two trays leak" in each.text)
    left = next(
        each.mono for each in ran.events if each.kind == "confirmed" and each.data.get("control") == "isolation"
    )
    assert left - second <= IN_TIME
    assert truth.after("isolated") < 10.0
    assert all(confirmed(ran).values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("scope: tray", "scope: room"), "expected one of tray, rack, loop"),
        (("kind: leak\n    scope: tray", "kind: heat\n    scope: tray"), "belongs to a sequence of kind leak"),
        (("pdu_a.outlet, to: 'off', only_tripped: true", "cdu.pump, to: 'off', only_tripped: true"), "has no rows"),
        (("pdu_a.outlet, to: 'off', only_tripped: true", "pdu_a.outlet, to: 'off', only_tripped: perhaps"), "true"),
        (("cdu.leak_zone[3].state", "cdu.leak"), "names no row"),
    ],
)
def test_tiers_that_could_not_be_are_refused_with_their_place(change, said, trays, tmp_path):
    text = trays.read_text()
    assert change[0] in text
    trays.write_text(text.replace(*change))
    with pytest.raises(HarnessError, match=said) as raised:
        leaking(tmp_path, station=trays)
    assert "station.yaml:" in str(raised.value)
