"""The proof test of interlocks: each is made to trip through the path of real frames, and one that cannot is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.engine import interlocks
from harness.engine.interlocks import Interlocks
from harness.engine.proving import prove
from harness.quantity import SignalInfo
from harness.schema.source import parse_source, validate
from harness.schema.station import Derived, Interlock

DEVICES = [
    SimpleNamespace(
        name="cdu",
        max_age=3.0,
        entry=SimpleNamespace(poll=1.0),
        signals=[
            SignalInfo("cdu.flow", "L/min"),
            SignalInfo("cdu.supply", "degC"),
            SignalInfo("cdu.back", "degC"),
            SignalInfo("cdu.leak", labels={0.0: "dry", 1.0: "wet"}),
            SignalInfo("cdu.alarms", flags={0: "pump", 3: "fan"}),
        ],
    ),
    SimpleNamespace(name="pdu", max_age=6.0, entry=SimpleNamespace(poll=2.0), signals=[SignalInfo("pdu.power", "W")]),
]
DERIVED = {
    "cdu.rise": Derived(function="temperature_difference", inputs={"high": "cdu.back", "low": "cdu.supply"}, unit="K")
}
KINDS = {
    "word": "{name: leak, signal: cdu.leak, equals: dry, on_trip: leak}",
    "flags": "{name: alarms, signal: cdu.alarms, equals: none}",
    "low": "{name: flow, signal: cdu.flow, min: 20 L/min, for: 2 s, armed_when: {signal: pdu.power, min: 1 kW}}",
    "high": "{name: hot, signal: cdu.supply, max: 55 degC}",
    "band": "{name: band, signal: cdu.supply, min: 10 degC, max: 55 degC, for: 5 s}",
    "rate": "{name: rate, signal: cdu.supply, max_rate: 2 K/s}",
    "slow rate": "{name: slow, signal: cdu.supply, max_rate: 1 K/min, for: 3 s}",
    "derived": "{name: rise, signal: cdu.rise, max: 20 K}",
    "step": "{name: step, signal: cdu.flow, min: 100 L/min, armed_in: [soak]}",
}


def interlock(text: str) -> Interlock:
    return validate(parse_source(text.encode(), "interlock.yaml"), Interlock)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_interlock_is_proved(kind):
    (proof,) = prove([interlock(KINDS[kind])], DEVICES, DERIVED)
    assert proof.failure == ""
    assert proof.decision_s > 0


def test_a_vote_is_proved_with_as_many_signals_as_it_needs():
    text = "{name: vote, signals: [cdu.supply, cdu.back, cdu.rise], vote: 2oo3, max_rate: 5 K/s}"
    (proof,) = prove([interlock(text)], DEVICES, DERIVED)
    assert proof.failure == ""


def test_an_interlock_that_does_not_act_on_values_is_found(monkeypatch):
    monkeypatch.setattr(
        interlocks._Channel, "sample", lambda self, mono, value, quality: setattr(self, "last_good", mono)
    )
    (proof,) = prove([interlock(KINDS["high"])], DEVICES, DERIVED)
    assert proof.failure == "it does not trip on values that violate it"


def test_an_interlock_that_is_blind_to_silence_is_found(monkeypatch):
    monkeypatch.setattr(interlocks._Channel, "is_silent", lambda self, now: False)
    (proof,) = prove([interlock(KINDS["word"])], DEVICES, DERIVED)
    assert proof.failure == "it does not trip on silence"


def test_an_interlock_that_leads_elsewhere_is_found(monkeypatch):
    original = Interlocks._evaluate

    def astray(self, guard):
        original(self, guard)
        for trip in self.trips:
            trip.sequence = "default"

    monkeypatch.setattr(Interlocks, "_evaluate", astray)
    (proof,) = prove([interlock(KINDS["word"])], DEVICES, DERIVED)
    assert proof.failure == "it leads to 'default' instead of 'leak'"
