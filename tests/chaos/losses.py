"""What a run must never pass with: power lost, pumps stopped, an interlock's signal frozen; and a bus that stays live.

Judged by the plant's ground truth in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.engine.state import RunState
from harness.limits.verdict import Verdict
from tests.chaos.table import Row
from tests.plan_runs import PLANS, Ran, run_plan, write_plan

FEEDS = PLANS / "stations" / "feeds_and_batteries.yaml"
ALL_OUTLETS = tuple(f"outlet_off:{n}" for n in range(1, 9))
SOAK = """  - {step: wait_until, signal: cdu.flow, min: 100 L/min, within: 60 s}
  - {step: power_on, outlets: pdu.outlet, stagger: 500 ms}
  - {step: wait_until, signal: rack.running, equals: idle, within: 60 s}
  - {step: soak, for: 200 s, load: 100 %, watch: [{signal: cdu.supply_temperature, max: 50 degC, for: 10 s}]}"""
BOTH_FEEDS = """  - {step: power_on, name: feed A, outlets: pdu_a.outlet, stagger: 200 ms}
  - {step: power_on, name: feed B, outlets: pdu_b.outlet, stagger: 200 ms}
  - {step: wait_until, signal: rack.running, equals: idle, within: 60 s}
  - {step: set, name: full load, control: rack.level, to: 100 %}
  - {step: hold, for: 200 s, watch: [{signal: cdu.supply_temperature, max: 50 degC, for: 10 s}]}"""


@dataclass
class Course:
    """The truth, a tenth of a second apart, from the moment of the accident on."""

    at: float = 0.0
    rows: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def first(self, holds: Callable[[dict[str, float]], bool]) -> float:
        """Seconds from the accident until something was true; infinite when it never was."""
        return next((t - self.at for t, truth in self.rows if holds(truth)), float("inf"))

    def highest(self, name: str) -> float:
        """The highest value of a variable."""
        return max((truth[name] for _, truth in self.rows), default=0.0)


def accident(course: Course, at: float, faults: Sequence[str]) -> Callable[[RunState, Any], Any]:
    """Let faults happen at a moment of the run, and write the truth down from then on."""

    async def beside(_: RunState, simulation: Any) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(at)
        course.at = loop.time()
        for fault in faults:
            simulation.inject(fault)
        while True:
            await asyncio.sleep(0.1)
            course.rows.append((loop.time(), simulation.truth()))

    return beside


def is_off(truth: dict[str, float]) -> bool:
    """Whether every outlet is open."""
    return not any(value for name, value in truth.items() if "outlet[" in name and name.endswith("].state"))


# --- a rack that loses something -------------------------------------------------------------------------------------


def outlets_lost(data: Path, seed: int) -> Row:
    """Eight outlets open in a soak."""
    course = Course()
    plan = write_plan(data, SOAK)
    ran = run_plan(plan, data, seed=seed, during=accident(course, 60.0, ALL_OUTLETS))
    took = _stopped(ran) - 60.0
    ok = ran.outcome.verdict is Verdict.ERROR and took <= 3.0 and "repair the rack" not in ran.outcome.hint
    return Row("eight outlets open in a soak", f"{ran.outcome.verdict} after {took:.1f} s", "ERROR <= 3 s", ok)


def _stopped(ran: Ran) -> float:
    """When the run decided to stop, in seconds of its clock."""
    began = ran.events[0].mono
    return next((event.mono - began for event in ran.events if event.kind == "stop"), float("inf"))


FROZEN = ("sensor_stuck:cdu.flow", "meter_frozen")


def frozen_then_dry(data: Path, seed: int, frozen: str) -> Row:
    """A sensor freezes under load, and then both pumps stop: the power is off before the plates are hot."""
    course = Course()
    plan = write_plan(data, SOAK.replace("200 s", "300 s"))

    async def both(runner: RunState, simulation: Any) -> None:
        await asyncio.sleep(60)
        simulation.inject(frozen)
        await asyncio.sleep(1)
        await accident(course, 0.0, ["both_pumps_stop"])(runner, simulation)

    ran = run_plan(plan, data, seed=seed, during=both)
    plate, off = course.highest("plate.temperature"), course.first(is_off)
    found = f"{ran.outcome.verdict}, power off after {off:.1f} s, plate {plate:.1f} degC"
    ok = ran.outcome.verdict is not Verdict.PASS and plate < 75.0 and off < 60.0
    return Row(f"{frozen}, then both pumps stop", found, "no PASS, off, plate < 75 degC", ok)


def partial_flow(data: Path, seed: int, clog: int) -> Row:
    """A filter clogs at full load: most of the flow is lost, and the pumps run."""
    course = Course()
    plan = write_plan(data, SOAK)
    ran = run_plan(plan, data, seed=seed, during=accident(course, 100.0, [f"filter_clog:{clog}"]))
    plate, off = course.highest("plate.temperature"), course.first(is_off)
    found = f"{ran.outcome.verdict}, power off after {off:.1f} s, plate {plate:.1f} degC"
    ok = ran.outcome.verdict is not Verdict.PASS and plate < 75.0 and off <= 10.0
    return Row(f"filter_clog:{clog} at full load", found, "off <= 10 s, plate < 75 degC", ok)


# --- two feeds, batteries --------------------------------------------------------------------------------------------


def mute_feed(data: Path, seed: int) -> Row:
    """Feed A is mute when the rack trips: feed B is told at once."""
    course = Course()
    plan = write_plan(data, BOTH_FEEDS)
    faults = ["device_silent:pdu_a", "leak:50"]
    ran = run_plan(plan, data, station=FEEDS, seed=seed, during=accident(course, 60.0, faults))
    tripped = next(event.mono for event in ran.events if event.kind == "stop")
    reported = [event.mono for event in ran.events if event.kind == "intent" and event.text.startswith("pdu_b:")]
    late = next((t for t in reported if t >= tripped), float("inf")) - tripped
    is_open = not any(value for name, value in ran.truth.items() if name.startswith("pdu_b") and "].state" in name)
    found = f"told after {1000 * late:.0f} ms, {ran.outcome.verdict}, exit {ran.exit_code}, feed B open: {is_open}"
    ok = late <= 0.3 and is_open and ran.exit_code == 5
    return Row("two feeds, the first mute", found, "second feed told <= 0.3 s, exit 5", ok)


def live_bus(data: Path, seed: int) -> Row:
    """A leak on a rack with batteries, whose trays do not shut down: the coolant runs as long as there is heat."""
    course = Course()
    station = data / "stubborn.yaml"
    text = FEEDS.read_text()
    station.write_text(
        "".join(
            line for line in text.splitlines(keepends=True) if "set: rack.trays" not in line and "set: bbu" not in line
        )
    )
    plan = write_plan(data, BOTH_FEEDS)
    ran = run_plan(plan, data, station=station, seed=seed, during=accident(course, 60.0, ["leak:50"]))
    opened = course.first(is_off)
    dry = course.first(lambda truth: truth["pump[1].running"] + truth["pump[2].running"] < 0.5)
    cold = course.first(lambda truth: truth["rack.power"] < 1.0 and truth["time"] > 0 and is_off(truth))
    plate = course.highest("plate.temperature")
    found = (
        f"outlets open after {opened:.1f} s, no heat after {cold:.0f} s, pumps stopped after {dry:.0f} s, "
        f"plate {plate:.1f} degC, {'confirmed' if ran.outcome.is_safe else 'NOT confirmed'}"
    )
    ok = opened <= 5.0 and dry >= cold and plate < 75.0 and (not ran.outcome.is_safe or ran.truth["bus.voltage"] < 2.0)
    return Row("leak with batteries behind open outlets", found, "pumps stop after the heat, plate < 75 degC", ok)


def shut_down(data: Path, seed: int) -> Row:
    """The same rack, its trays told to shut down: dead in minutes, and called so only then."""
    course = Course()
    plan = write_plan(data, BOTH_FEEDS)
    ran = run_plan(plan, data, station=FEEDS, seed=seed, during=accident(course, 60.0, ["leak:50"]))
    voltage = ran.truth["bus.voltage"]
    said = "confirmed" if ran.outcome.is_safe else "NOT confirmed"
    ok = ran.outcome.is_safe == (voltage < 2.0) and is_off(ran.truth)
    return Row("leak, trays shut down, batteries left", f"{said} at {voltage:.1f} V", "confirmed below 2 V only", ok)


# --- what no run may pass with ---------------------------------------------------------------------------------------

POWER = (
    ALL_OUTLETS,
    ("outlet_off:3",),
    tuple(f"breaker_trip:{n}" for n in range(1, 9)),
    ("breaker_trip:3",),
    ("phase_loss:2",),
)
PUMPS = (("both_pumps_stop",), ("pump_stop:1", "pump_stop:2"))
SIGNALS = (("sensor_stuck:cdu.flow",), ("sensor_stuck:cdu.supply_pressure",), ("sensor_stuck:cdu.return_temperature",))


def never_pass(plan: str, seeds: Sequence[int], data: Path, at: float, settings: dict[str, str]) -> Row:
    """A shipped plan with each loss at a moment under load, over many seeds."""
    passed: list[str] = []
    count = 0
    for losses in (*POWER, *PUMPS, *SIGNALS):
        for seed in seeds:
            ran = run_plan(
                PLANS / f"{plan}.yaml",
                data,
                seed=seed,
                faults=[f"{fault}@{at:g}s" for fault in losses],
                settings=settings,
            )
            count += 1
            if ran.outcome.verdict is Verdict.PASS:
                passed.append(f"{losses[0]} seed {seed}")
    found = f"{len(passed)} of {count} passed{': ' + ', '.join(passed[:5]) if passed else ''}"
    return Row(f"{plan}: power, pumps or an interlock's signal lost", found, "0 PASS", not passed)
