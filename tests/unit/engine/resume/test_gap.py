"""A gap between two lives of a run counts only when two clocks agree on it."""

from __future__ import annotations

import math

import pytest

from harness.clock import Clock, run, since_boot
from harness.engine.resume import gap as gap_module
from harness.engine.resume.gap import Gap, boot_event, measure_gap

LIVED = 100.0
GAP = 33.0


def found(monkeypatch, *, wall: float = 0.0, boot: str = "this", uptime: float = 0.0, noted: str = "this") -> Gap:
    """A run that lived 100 s and was dead for 33 s; the wall clock is stepped by `wall` s meanwhile."""

    async def main() -> Gap:
        clock = Clock()
        now = clock.wall_ns()
        last_ns = now - int((GAP + wall) * 1e9)
        monkeypatch.setattr(gap_module, "since_boot", lambda: (boot, 5000.0 + uptime))
        note = {"boot": noted, "uptime_s": 5000.0 - GAP - LIVED, "rate": 1.0}
        return measure_gap(note, last_ns - int(LIVED * 1e9), last_ns, clock)

    return run(main)


def test_two_clocks_that_agree_prove_a_gap(monkeypatch):
    assert found(monkeypatch).seconds == pytest.approx(GAP, abs=0.1)
    assert found(monkeypatch, wall=3.0).seconds == pytest.approx(GAP + 3, abs=0.1), "the longer one counts"
    assert found(monkeypatch, wall=-3.0).seconds == pytest.approx(GAP, abs=0.1)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"wall": -7200.0}, "the wall clock says -7167 s, the time since boot 33 s"),
        ({"wall": -56 * 365 * 86400.0}, "the wall clock says"),
        ({"wall": 3600.0}, "the wall clock says"),
        ({"boot": "another"}, "started again"),
        ({"boot": ""}, "nothing but the wall clock"),
        ({"noted": ""}, "nothing but the wall clock"),
        ({"uptime": -5000.0}, "the wall clock says"),
    ],
)
def test_a_gap_that_no_clock_proves_is_unknown(monkeypatch, how, said):
    gap = found(monkeypatch, **how)
    assert math.isinf(gap.seconds)
    assert said in str(gap)
    assert str(gap).startswith("an unknown time")


def test_a_journal_that_noted_no_boot_proves_nothing():
    async def main() -> Gap:
        return measure_gap({}, 0, 0, Clock())

    assert math.isinf(run(main).seconds)


def test_virtual_time_stands_still_while_nobody_runs():
    async def main() -> tuple[Gap, Gap]:
        clock = Clock()
        note = boot_event(clock)
        real = {"boot": since_boot()[0] or "x", "uptime_s": 1.0, "rate": 1.0}
        return measure_gap(note, 0, 10**12, clock), measure_gap(real, 0, 10**12, clock)

    virtual, mixed = run(main, rate=float("inf"))
    assert virtual.seconds == 0
    assert math.isinf(mixed.seconds)


def test_the_time_since_boot_is_of_this_boot_and_goes_on():
    (boot, first), (again, second) = since_boot(), since_boot()
    assert boot == again
    assert 0 <= second - first < 60


def test_stamps_go_on_behind_a_record_when_the_clock_stands_before_it():
    async def main() -> list[int]:
        clock = Clock()
        end = clock.wall_ns() + 7200 * 10**9
        assert clock.go_on_behind(end)
        first = clock.wall_ns()
        assert not clock.go_on_behind(end)
        await clock.sleep(0.05)
        return [end, first, clock.wall_ns()]

    end, first, later = run(main)
    assert end < first < end + 10**9
    assert 40_000_000 < later - first < 10**9
