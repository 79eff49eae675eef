"""The store of latest values: staleness, derived signals, listeners and coverage."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from harness.clock import Clock, run
from harness.device.corrections import Corrections
from harness.device.signal_store import SignalStore
from harness.limits.uncertainty import Accuracy, Zero
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
    "pdu.energy": Derived(function="energy", inputs={"power": "pdu.power"}, unit="MJ"),
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
        bench.store.begin()
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


def energy(bench):
    return bench.store.latest("pdu.energy")


def test_energy_is_the_trapezoids_under_the_power_since_the_run_began():
    async def check(bench):
        bench.pdu(50_000.0)
        await bench.clock.sleep(2.0)
        bench.store.begin()
        for power in (0.0, 36_000.0, 36_000.0, 0.0):
            bench.pdu(power)
            await bench.clock.sleep(2.0)
        assert energy(bench).value == pytest.approx(4 * 36_000 / 1e6), "MJ: two slopes of 2 s and 2 s between them"
        assert energy(bench).unit == "MJ"
        assert energy(bench).is_good

    on_bench(check)


def test_energy_bridges_a_sample_that_is_bad_and_no_gap_longer_than_a_reading_may_be_old():
    async def check(bench):
        bench.store.begin()
        bench.pdu(36_000.0)
        await bench.clock.sleep(2.0)
        bench.pdu(0.0, Quality.BAD_TIMEOUT)
        assert not energy(bench).is_good
        await bench.clock.sleep(2.0)
        bench.pdu(36_000.0)
        assert energy(bench).value == pytest.approx(0.144)
        await bench.clock.sleep(7.0)
        bench.pdu(36_000.0)
        assert energy(bench).quality is Quality.BAD_INPUT, "what lacks a piece is not the whole"
        await bench.clock.sleep(2.0)
        bench.pdu(36_000.0)
        assert not energy(bench).is_good

    on_bench(check)


def test_energy_of_a_run_that_goes_on_after_its_death_is_not_known():
    async def check(bench):
        bench.store.begin(again=True)
        for _ in range(3):
            bench.pdu(36_000.0)
            await bench.clock.sleep(2.0)
        assert energy(bench).quality is Quality.BAD_INPUT

    on_bench(check)


def test_energy_is_known_as_well_as_the_mean_of_its_power_and_a_zero_counts_for_all_of_the_time():
    """18 kW on average for 8 s by a meter of 1 % and 0.6 kW: (0.18 + 0.6) / sqrt(3) kW times 8 s."""

    async def check(bench):
        corrections = Corrections(bench.store, {"pdu.power": Accuracy(absolute=600.0, relative=0.01)})
        bench.store.begin()
        assert corrections.uncertainty("pdu.energy") is None
        for power in (36_000.0, 18_000.0, 18_000.0, 18_000.0, 0.0):
            bench.pdu(power)
            await bench.clock.sleep(2.0)
        assert corrections.uncertainty("pdu.energy") == pytest.approx(8 * 780 / 3**0.5 / 1e6)
        shown = energy(bench)
        corrections.add("pdu.power", Zero(500.0, 100.0))
        assert corrections.reading(shown).value == pytest.approx(shown.value - 8 * 500 / 1e6)
        gain, own = 0.01 * 17_500 / 3**0.5, 100.0
        assert corrections.uncertainty("pdu.energy") == pytest.approx(8 * math.hypot(gain, own) / 1e6)

    on_bench(check)
