"""Interlocks: levels at arming, silence, debounce, votes in every combination, arming conditions, rates, latching."""

from __future__ import annotations

import itertools
import math

import pytest

from harness.clock import Clock, run
from harness.errors import RunError
from harness.quantity import Quality, Reading, SignalInfo
from harness.safety.interlocks import Interlocks
from harness.safety.precedence import Trip
from harness.schema.source import parse_source, validate
from harness.schema.station import Interlock

MAX_AGE = 3.0
VIRTUAL = float("inf")
SIGNALS = {
    "cdu.flow": SignalInfo("cdu.flow", "L/min"),
    "cdu.supply": SignalInfo("cdu.supply", "degC"),
    "cdu.leak": SignalInfo("cdu.leak", labels={0.0: "dry", 1.0: "wet"}),
    "pdu.power": SignalInfo("pdu.power", "kW"),
    "a.x": SignalInfo("a.x", "kPa"),
    "b.x": SignalInfo("b.x", "kPa"),
    "c.x": SignalInfo("c.x", "kPa"),
}


class Store:
    """Signals without devices."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.readings: dict[str, Reading] = {}
        self.listeners: dict[str, list] = {}

    def info(self, signal):
        return SIGNALS[signal]

    def device_of(self, signal):
        return signal.partition(".")[0]

    def listen(self, signal, listener):
        self.listeners.setdefault(signal, []).append(listener)
        return lambda: self.listeners[signal].remove(listener)

    def missing_input(self, _signal):
        return ""

    def latest(self, signal):
        unit = SIGNALS[signal].unit
        return self.readings.get(signal, Reading(signal, math.nan, unit, Quality.BAD_MISSING, 0, -math.inf))


class Bay:
    """Interlocks on a store; `put` is one frame."""

    def __init__(self, *texts: str) -> None:
        specs = [validate(parse_source(text.encode(), "interlock.yaml"), Interlock) for text in texts]
        self.clock = Clock()
        self.store = Store(self.clock)
        self.fired: list[Trip] = []
        ages = dict.fromkeys(("cdu", "pdu", "a", "b", "c"), MAX_AGE)
        self.locks = Interlocks(specs, self.store, self.clock, ages, self.fired.append, ["leak"])

    def put(self, signal: str, value: float, quality: Quality = Quality.GOOD) -> None:
        now = self.clock.monotonic()
        self.store.readings[signal] = Reading(signal, value, SIGNALS[signal].unit, quality, 0, now)
        for listener in self.store.listeners.get(signal, []):
            listener(now, value, int(quality))
        self.locks.after_frame(self.store.device_of(signal))

    async def wait(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self.locks.evaluate()


FLOW = "{name: no flow, signal: cdu.flow, min: 20 L/min}"


def go(main):
    return run(main, VIRTUAL)


def test_a_level_that_is_bad_already_trips_at_arming():
    async def main():
        bay = Bay(FLOW)
        bay.put("cdu.flow", 5.0)
        assert bay.fired == []
        bay.locks.arm()
        (trip,) = bay.fired
        assert trip.interlock == "no flow"
        assert trip.reason == "cdu.flow is 5 L/min, must be >= 20 L/min"
        assert not trip.is_silence

    go(main)


def test_a_good_level_does_not_trip_and_a_bad_frame_does_at_once():
    async def main():
        bay = Bay(FLOW)
        bay.put("cdu.flow", 20.0)
        bay.locks.arm()
        await bay.wait(1)
        assert bay.fired == []
        await bay.clock.sleep(0.25)
        bay.put("cdu.flow", 19.99)
        (trip,) = bay.fired
        assert trip.mono == trip.frame_mono == bay.clock.monotonic()

    go(main)


def test_it_is_latched_and_told_once():
    async def main():
        bay = Bay(FLOW)
        bay.put("cdu.flow", 100.0)
        bay.locks.arm()
        for value in (1.0, 100.0, 1.0, 1.0):
            bay.put("cdu.flow", value)
        assert len(bay.fired) == len(bay.locks.trips) == 1

    go(main)


def test_a_reset_needs_the_name_and_the_cause_gone():
    async def main():
        bay = Bay(FLOW)
        bay.put("cdu.flow", 1.0)
        bay.locks.arm()
        with pytest.raises(RunError, match="no trip of an interlock 'other'"):
            bay.locks.reset("other")
        with pytest.raises(RunError, match="is not gone"):
            bay.locks.reset("no flow")
        bay.put("cdu.flow", 100.0)
        bay.locks.reset("no flow")
        bay.put("cdu.flow", 2.0)
        assert len(bay.locks.trips) == 2

    go(main)


@pytest.mark.parametrize("quality", [q for q in Quality if q not in (Quality.GOOD, Quality.STALE)])
def test_values_that_are_not_good_neither_trip_nor_calm_until_they_are_silence(quality):
    async def main():
        bay = Bay(FLOW)
        bay.put("cdu.flow", 100.0)
        bay.locks.arm()
        for _ in range(3):
            await bay.wait(0.9)
            bay.put("cdu.flow", 0.0, quality)
            assert bay.fired == [], "one bad sample is no trip"
        await bay.wait(0.5)
        (trip,) = bay.fired
        assert trip.is_silence
        assert "no good reading of cdu.flow for 3.2 s" in trip.reason
        assert quality.word in trip.reason

    go(main)


def test_a_stale_value_is_silence_at_once():
    """What is known to be old has been silent for long: nothing is waited for."""

    async def main():
        bay = Bay(FLOW)
        bay.put("cdu.flow", 100.0)
        bay.locks.arm()
        await bay.wait(0.5)
        assert bay.fired == []
        bay.put("cdu.flow", 100.0, Quality.STALE)
        (trip,) = bay.fired
        assert trip.is_silence
        assert "no good reading of cdu.flow for 0.5 s (STALE" in trip.reason

    go(main)


def test_nan_that_calls_itself_good_counts_as_nothing():
    async def main():
        bay = Bay(FLOW)
        bay.put("cdu.flow", 100.0)
        bay.locks.arm()
        await bay.wait(2)
        bay.put("cdu.flow", math.nan)
        await bay.wait(1.2)
        assert [trip.is_silence for trip in bay.fired] == [True]

    go(main)


def test_a_signal_never_seen_is_silence_at_arming():
    async def main():
        bay = Bay(FLOW)
        bay.locks.arm()
        (trip,) = bay.fired
        assert trip.is_silence
        assert "no good reading of cdu.flow ever" in trip.reason

    go(main)


def test_debounce_needs_the_time_without_a_good_sample_in_between():
    async def main():
        bay = Bay("{name: hot, signal: cdu.supply, max: 55 degC, for: 2 s}")
        bay.put("cdu.supply", 40.0)
        bay.locks.arm()
        for value in (60.0, 60.0, 50.0, 60.0, 60.0):
            await bay.clock.sleep(0.9)
            bay.put("cdu.supply", value)
            assert bay.fired == []
        await bay.clock.sleep(1.2)
        bay.put("cdu.supply", 60.0)
        assert len(bay.fired) == 1
        assert not bay.fired[0].is_silence

    go(main)


def test_a_gap_in_the_data_does_not_calm_a_debounce():
    async def main():
        bay = Bay("{name: hot, signal: cdu.supply, max: 55 degC, for: 2 s}")
        bay.put("cdu.supply", 60.0)
        bay.locks.arm()
        await bay.wait(1)
        bay.put("cdu.supply", 20.0, Quality.BAD_TIMEOUT)
        await bay.clock.sleep(1.1)
        bay.put("cdu.supply", 60.0)
        assert len(bay.fired) == 1

    go(main)


def test_words():
    async def main():
        bay = Bay("{name: leak, signal: cdu.leak, equals: dry, on_trip: leak}")
        bay.put("cdu.leak", 0.0)
        bay.locks.arm()
        assert bay.fired == []
        bay.put("cdu.leak", 1.0)
        assert bay.fired[0].reason == "cdu.leak is wet, must be dry"
        assert bay.fired[0].sequence == "leak"

    go(main)


def test_a_silent_leak_sensor_does_not_stop_the_coolant():
    async def main():
        bay = Bay("{name: leak, signal: cdu.leak, equals: dry, on_trip: leak}")
        bay.put("cdu.leak", 0.0)
        bay.locks.arm()
        await bay.wait(3.1)
        assert [(trip.sequence, trip.is_silence) for trip in bay.fired] == [("default", True)]

    go(main)


def test_a_silent_sensor_keeps_every_other_sequence():
    async def main():
        bay = Bay("{name: hot, signal: cdu.supply, max: 55 degC, on_trip: gentle}")
        bay.locks.arm()
        assert [(trip.sequence, trip.is_silence) for trip in bay.fired] == [("gentle", True)]

    go(main)


@pytest.mark.parametrize(("vote", "needed"), [("1oo2", 1), ("2oo2", 2), ("2oo3", 2)])
def test_votes_in_every_combination_of_good_bad_and_silent(vote, needed):
    signals = ["a.x", "b.x", "c.x"][: 3 if vote == "2oo3" else 2]
    text = f"{{name: pressure, signals: [{', '.join(signals)}], vote: {vote}, max: 400 kPa}}"
    for states in itertools.product(("good", "bad", "silent"), repeat=len(signals)):

        async def main(states=states):
            bay = Bay(text)
            for signal, state in zip(signals, states, strict=True):
                if state != "silent":
                    bay.put(signal, 100.0 if state == "good" else 500.0)
            bay.locks.arm()
            wrong = [state for state in states if state != "good"]
            assert bool(bay.fired) == (len(wrong) >= needed), states
            if bay.fired:
                assert bay.fired[0].is_silence == ("bad" not in wrong), states
                assert bay.fired[0].reason.count(";") == len(wrong) - 1

        go(main)


def test_armed_when():
    async def main():
        armed = "{name: no flow, signal: cdu.flow, min: 20 L/min, armed_when: {signal: pdu.power, min: 1 kW}}"
        bay = Bay(armed)
        bay.put("pdu.power", 0.2)
        bay.put("cdu.flow", 0.0)
        bay.locks.arm()
        assert bay.fired == []
        bay.put("pdu.power", 5.0)  # the frame of the arming device is enough
        assert len(bay.fired) == 1

    go(main)


@pytest.mark.parametrize("quality", [Quality.STALE, Quality.BAD_TIMEOUT, Quality.BAD_NAN])
def test_not_knowing_whether_it_is_armed_arms_it(quality):
    async def main():
        armed = "{name: no flow, signal: cdu.flow, min: 20 L/min, armed_when: {signal: pdu.power, min: 1 kW}}"
        bay = Bay(armed)
        bay.put("pdu.power", 0.0, quality)
        bay.put("cdu.flow", 0.0)
        bay.locks.arm()
        assert len(bay.fired) == 1

    go(main)


def test_armed_in_steps():
    async def main():
        bay = Bay("{name: hot, signal: cdu.supply, max: 55 degC, armed_in: [soak, load ramp]}")
        bay.put("cdu.supply", 80.0)
        bay.locks.arm()
        for title in ("power on", "", "soaking"):
            bay.locks.enter_steps([title])
            await bay.wait(0.1)
            assert bay.fired == []
        bay.locks.enter_steps(["load ramp"])
        await bay.wait(0.1)
        assert len(bay.fired) == 1

    go(main)


def test_rates():
    async def main():
        bay = Bay("{name: runaway, signal: cdu.supply, max_rate: 1 K/s}")
        bay.put("cdu.supply", 30.0)
        bay.locks.arm()
        for second in range(1, 9):
            await bay.clock.sleep(1)
            bay.put("cdu.supply", 30.0 + 0.9 * second)
        assert bay.fired == []
        for second in range(1, 6):
            await bay.clock.sleep(1)
            bay.put("cdu.supply", 37.2 + 2.0 * second)
        (trip,) = bay.fired
        assert "changes faster than 1 K/s" in trip.reason

    go(main)


def test_a_single_spike_is_no_rate():
    async def main():
        bay = Bay("{name: runaway, signal: cdu.supply, max_rate: 1 K/s}")
        bay.put("cdu.supply", 30.0)
        bay.locks.arm()
        await bay.clock.sleep(0.2)
        bay.put("cdu.supply", 30.5)
        assert bay.fired == []

    go(main)


def test_disarmed_and_closed_it_hears_nothing():
    async def main():
        bay = Bay(FLOW)
        bay.put("cdu.flow", 100.0)
        bay.locks.arm()
        bay.locks.disarm()
        bay.put("cdu.flow", 0.0)
        await bay.wait(10)
        assert bay.fired == []
        bay.locks.close()
        assert not any(bay.store.listeners.values())

    go(main)


def test_what_was_commanded_on_arms_whatever_the_meter_says():
    async def main():
        bay = Bay("{name: no flow, signal: cdu.flow, min: 20 L/min, armed_when: {signal: pdu.power, min: 1 kW}}")
        bay.put("pdu.power", 0.0)
        bay.put("cdu.flow", 0.0)
        bay.locks.arm()
        bay.put("cdu.flow", 0.0)
        assert bay.fired == [], "nothing is on"
        bay.locks.commanded("pdu.outlet[1]", is_on=True)
        bay.locks.commanded("pdu.outlet[2]", is_on=True)
        bay.locks.commanded("pdu.outlet[1]", is_on=False)
        bay.put("cdu.flow", 0.0)
        assert [trip.interlock for trip in bay.fired] == ["no flow"]

    go(main)


def test_what_was_commanded_off_again_arms_nothing():
    async def main():
        bay = Bay("{name: no flow, signal: cdu.flow, min: 20 L/min, armed_when: {signal: pdu.power, min: 1 kW}}")
        bay.put("pdu.power", 0.0)
        bay.put("cdu.flow", 100.0)
        bay.locks.arm()
        bay.locks.commanded("pdu.outlet[1]", is_on=True)
        bay.locks.commanded("pdu.outlet[1]", is_on=False)
        bay.put("cdu.flow", 0.0)
        assert bay.fired == []

    go(main)


LOCKS = "{name: gas, signal: a.x, max: 120 kPa, armed_when: {signal: pdu.power, min: 1 kW}, locks_power: true}"


@pytest.mark.parametrize(
    ("pressure", "said"), [(101.0, ""), (500.0, "interlock 'gas' locks the power: a.x is 500 kPa, must be <= 120 kPa")]
)
def test_what_locks_the_power_does_so_while_it_is_bad_armed_or_not(pressure, said):
    async def main():
        bay = Bay(LOCKS)
        bay.put("a.x", pressure)
        bay.put("pdu.power", 0.0)
        bay.locks.arm()
        assert bay.fired == []
        assert bay.locks.against_power() == said

    go(main)


def test_silence_locks_too_and_no_other_interlock_does():
    async def main():
        bay = Bay(LOCKS)
        bay.put("pdu.power", 0.0)
        assert "no good reading of a.x" in bay.locks.against_power()
        other = Bay(LOCKS.replace(", locks_power: true", ""))
        other.put("a.x", 500.0)
        assert other.locks.against_power() == ""

    go(main)
