"""The store of latest values: staleness, derived signals, listeners and coverage."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from harness.clock import Clock, run
from harness.device.signal_store import SignalStore
from harness.quantity import Frame, Quality, SignalInfo
from harness.schema.station import Derived

VIRTUAL = float("inf")
LOOP = [
    SignalInfo("cdu.flow", "L/min"),
    SignalInfo("cdu.supply", "degC"),
    SignalInfo("cdu.return", "degF"),
    SignalInfo("cdu.leak", labels={0.0: "dry", 1.0: "wet"}),
    SignalInfo("cdu.model", is_text=True),
]
DERIVED = {
    "cdu.rise": Derived(function="temperature_difference", inputs={"high": "cdu.return", "low": "cdu.supply"}),
    "cdu.share": Derived(
        function="heat_balance",
        inputs={"flow": "cdu.flow", "supply": "cdu.supply", "return": "cdu.return", "power": "pdu.power"},
    ),
}


def device(name, signals, poll):
    entry = SimpleNamespace(poll=poll)
    return SimpleNamespace(name=name, signals=signals, max_age=3 * poll, entry=entry)


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        devices = [device("cdu", LOOP, 1.0), device("pdu", [SignalInfo("pdu.power", "W")], 2.0)]
        self.store = SignalStore(devices, DERIVED, self.clock)

    def cdu(self, *values, bad=(), texts=None):
        qualities = np.zeros(5, dtype=np.uint8)
        for index in bad:
            qualities[index] = Quality.BAD_TIMEOUT
        filled = np.array([*values, *[math.nan] * (5 - len(values))])
        now = self.clock.monotonic()
        return self.store.take(Frame("cdu", self.clock.wall_ns(), now, filled, qualities, texts or {}))

    def pdu(self, value, quality=0):
        now = self.clock.monotonic()
        frame = Frame("pdu", self.clock.wall_ns(), now, np.array([value]), np.array([quality], dtype=np.uint8))
        return self.store.take(frame)


def on_bench(test):
    async def main():
        bench = Bench()
        result = test(bench)
        if result is not None:
            await result

    run(main, VIRTUAL)


def test_words_texts_and_units():
    def check(bench):
        bench.cdu(170.0, 35.0, 113.0, 1.0, texts={4: "RPU-7"})
        assert str(bench.store.latest("cdu.flow")) == "170 L/min"
        assert bench.store.latest("cdu.leak").text == "wet"
        assert bench.store.latest("cdu.model").text == "RPU-7"

    on_bench(check)


def test_nothing_yet_is_missing():
    def check(bench):
        reading = bench.store.latest("cdu.flow")
        assert reading.quality is Quality.BAD_MISSING
        assert math.isnan(reading.value)

    on_bench(check)


def test_old_is_stale_by_the_devices_own_age():
    async def check(bench):
        bench.cdu(170.0, 35.0, 113.0, 0.0)
        bench.pdu(99000.0)
        await bench.clock.sleep(2.9)
        assert bench.store.latest("cdu.flow").is_good
        await bench.clock.sleep(0.2)
        assert bench.store.latest("cdu.flow").quality is Quality.STALE
        assert bench.store.latest("pdu.power").is_good

    on_bench(check)


def test_derived_signals_come_with_the_slowest_input_in_its_units():
    def check(bench):
        assert bench.cdu(172.0, 35.0, 113.0, 0.0) is None, "the power meter is the slower one"
        frame = bench.pdu(115_000.0)
        assert frame.device == "derived"
        assert bench.store.latest("cdu.rise").value == pytest.approx(10.0)
        assert bench.store.latest("cdu.rise").unit == "K"
        assert bench.store.latest("cdu.share").value == pytest.approx(100.0, abs=0.5)

    on_bench(check)


def test_a_bad_input_makes_what_is_derived_from_it_bad_and_nothing_else():
    def check(bench):
        bench.cdu(172.0, 35.0, 113.0, 0.0)
        bench.pdu(math.nan, Quality.BAD_TIMEOUT)
        assert bench.store.latest("cdu.share").quality is Quality.BAD_INPUT
        assert bench.store.latest("cdu.rise").is_good

    on_bench(check)


def test_an_old_input_makes_what_is_derived_from_it_bad():
    async def check(bench):
        bench.cdu(172.0, 35.0, 113.0, 0.0)
        await bench.clock.sleep(3.5)
        bench.pdu(115_000.0)
        assert bench.store.latest("cdu.rise").quality is Quality.BAD_INPUT

    on_bench(check)


def test_a_share_of_no_power_is_no_number():
    def check(bench):
        bench.cdu(172.0, 35.0, 113.0, 0.0)
        bench.pdu(200.0)
        assert not bench.store.latest("cdu.share").is_good

    on_bench(check)


def test_listeners_hear_every_sample_until_they_end():
    def check(bench):
        heard, derived = [], []
        end = bench.store.listen("cdu.flow", lambda *sample: heard.append(sample[1:]))
        bench.store.listen("cdu.rise", lambda *sample: derived.append(sample[1:]))
        bench.cdu(170.0, 35.0, 113.0, 0.0)
        bench.cdu(math.nan, 35.0, 113.0, 0.0, bad=[0])
        bench.pdu(1.0)
        end()
        bench.cdu(171.0, 35.0, 113.0, 0.0)
        assert heard[0] == (170.0, 0)
        assert heard[1][1] == Quality.BAD_TIMEOUT
        assert len(heard) == 2
        assert [quality for _, quality in derived] == [0]

    on_bench(check)


def test_coverage_counts_what_came_against_what_was_due():
    async def check(bench):
        bench.store.restart_coverage()
        for k in range(10):
            if k != 3:
                bench.cdu(170.0, 35.0, 113.0, 0.0, bad=range(5) if k == 5 else ())
            await bench.clock.sleep(1)
        coverage = bench.store.coverage["cdu"]
        now = bench.clock.monotonic()
        assert (coverage.expected(now), coverage.received, coverage.good) == (10, 9, 8)
        assert coverage.fraction(now) == 0.8
        assert bench.store.coverage["pdu"].expected(now) == 5

    on_bench(check)


def test_what_completes_the_inputs_of_derived_signals_is_not_waited_a_round_for():
    def check(bench):
        first = bench.pdu(115_000.0)
        assert first is not None
        assert not bench.store.latest("cdu.rise").is_good, "the coolant is not known yet"
        completed = bench.cdu(172.0, 35.0, 113.0, 0.0)
        assert completed is not None
        assert bench.store.latest("cdu.rise").value == pytest.approx(10.0)
        assert bench.cdu(172.0, 35.0, 113.0, 0.0) is None, "from now on they come with the slower one"

    on_bench(check)


def test_a_device_that_falls_silent_takes_away_only_what_is_derived_from_it():
    async def check(bench):
        bench.cdu(172.0, 35.0, 113.0, 0.0)
        bench.pdu(115_000.0)
        frames = 0
        for _ in range(20):
            await bench.clock.sleep(1.0)
            frames += bench.cdu(172.0, 35.0, 131.0, 0.0) is not None
        assert frames > 10
        assert bench.store.latest("cdu.rise").value == pytest.approx(20.0), "the power meter has nothing to do with it"
        assert not bench.store.latest("cdu.share").is_good
        assert bench.store.missing_input("cdu.share").startswith("pdu.power: ")
        assert bench.store.missing_input("cdu.rise") == ""

    on_bench(check)
