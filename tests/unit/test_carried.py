"""What switches carry that a run has switched on: one that is dark while the others go on is found, and no other."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from plan_runs import PLANS, run_plan, write_plan

from harness.device.setting import Setting
from harness.engine.carried import Carried
from harness.limits.verdict import Verdict
from harness.quantity import Frame

FEEDS = PLANS / "stations" / "feeds_and_batteries.yaml"
BOTH = """\
- {step: power_on, name: a, outlets: pdu_a.outlet, stagger: 100 ms}
- {step: power_on, name: b, outlets: pdu_b.outlet, stagger: 100 ms}
- {step: hold, name: idle, for: 60 s, watch: [{signal: cdu.flow, min: 20 L/min, for: 2 s}]}
"""
LIT = [5000.0, 5000.0, 300.0, 5000.0]


class Bank:
    """One PDU of four metered outlets, all switched on by the run at 0 s, and a clock that goes by frames."""

    def __init__(self) -> None:
        names = [f"outlet[{k}]" for k in range(1, 5)]
        controls = {name: SimpleNamespace(name=name, spec=SimpleNamespace(energises=True)) for name in names}
        metered = SimpleNamespace(spec=SimpleNamespace(poll="fast", unit="W"))
        device = SimpleNamespace(
            signals=[SimpleNamespace(name=f"pdu.{name}.power") for name in names],
            expansion=SimpleNamespace(controls=controls, signals={f"{name}.power": metered for name in names}),
            entry=SimpleNamespace(poll=1.0, slow=10.0),
        )
        self.lost: list[str] = []
        self.now = 0.0
        self._carried = Carried({"pdu": device}, lambda control, _text, _mono: self.lost.append(control))
        for control in controls.values():
            self._carried.commanded("pdu", control, Setting(word="on"))

    def shows(self, values: list[float], seconds: int) -> list[str]:
        """What is lost after these values have been shown for a while."""
        for _ in range(seconds):
            self.now += 1.0
            frame = Frame("pdu", 0, self.now, np.array(values), np.zeros(4, dtype=np.uint8), {})
            self._carried.after_frame(frame)
        return self.lost


def test_one_that_is_dark_while_the_others_go_on_is_lost_at_the_second_sample():
    bank = Bank()
    assert bank.shows(LIT, 20) == []
    assert bank.shows([5000.0, 0.0, 300.0, 5000.0], 1) == []
    assert bank.shows([5000.0, 0.0, 300.0, 5000.0], 1) == ["pdu.outlet[2]"]
    assert bank.shows([5000.0, 0.0, 300.0, 5000.0], 60) == ["pdu.outlet[2]"], "it is told once"


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (LIT, [1500.0, 1500.0, 90.0, 1500.0]),  # the load falls
        (LIT, [0.0, 0.0, 0.0, 0.0]),  # the rack starts anew
        (LIT, [5000.0, 4000.0, 60.0, 5000.0]),  # one of them rests
        ([5000.0, 5000.0, 90.0, 5000.0], [5000.0, 5000.0, 0.0, 5000.0]),  # too small beside the others
        ([9000.0, 0.0, 300.0, 5000.0], [9000.0, 0.0, 300.0, 5000.0]),  # nothing hangs on it
    ],
)
def test_what_is_nobodys_loss_is_not_told(first, then):
    bank = Bank()
    bank.shows(first, 20)
    assert bank.shows(then, 60) == []


def test_a_supply_may_take_its_time_after_the_inrush_but_not_for_ever():
    bank = Bank()
    bank.shows([5000.0, 4000.0, 300.0, 5000.0], 2)
    assert bank.shows([5000.0, 0.0, 300.0, 5000.0], 29) == []
    assert bank.shows([5000.0, 0.0, 300.0, 5000.0], 3) == ["pdu.outlet[2]"]


@pytest.mark.parametrize("fault", ["feed_loss:pdu_a", "breaker_trip:pdu_b.3"])
def test_a_feed_or_breaker_of_two_feeds_is_an_error_though_the_rack_goes_on(fault, tmp_path):
    ran = run_plan(write_plan(tmp_path, BOTH), tmp_path, station=FEEDS, faults=[f"{fault}@40s"])
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.ERROR, 3), ran.reason
    assert "reads on, as this run had set it" in ran.reason
    stop = next(event.mono for event in ran.events if event.kind == "stop")
    assert stop - 40 <= 3.5


@pytest.mark.parametrize("fault", ["breaker_trip:3@1000s", "phase_loss:2@1000s"])
def test_the_shipped_burn_in_never_passes_with_a_part_of_its_power_lost(fault, tmp_path):
    ran = run_plan(PLANS / "burn_in_24h.yaml", tmp_path, settings={"soak_time": "40 min"}, faults=[fault])
    assert ran.outcome.verdict is Verdict.ERROR, ran.reason
