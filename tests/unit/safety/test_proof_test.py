"""The proof test of interlocks: each is made to trip through the path of real frames, and one that cannot is told."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from harness.clock import Clock, run
from harness.device.signal_store import SignalStore
from harness.quantity import SignalInfo
from harness.safety import interlocks, proof_test
from harness.safety.interlocks import Interlocks
from harness.safety.proof_test import prove
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
    SimpleNamespace(
        name="pdu",
        max_age=6.0,
        entry=SimpleNamespace(poll=2.0),
        signals=[SignalInfo("pdu.power", "W"), SignalInfo("pdu.inlet", "degC")],
    ),
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
    "derived that lasts": "{name: rise, signal: cdu.rise, max: 20 K, for: 2 s}",
    "band and rate": "{name: hot, signal: cdu.supply, max: 55 degC, max_rate: 2 K/s, for: 3 s}",
    "derived rate": "{name: fast, signal: cdu.rise, max_rate: 2 K/s}",
    "of two devices": "{name: two, signals: [cdu.supply, pdu.inlet], vote: 2oo2, max: 60 degC, for: 2 s}",
    "step": "{name: step, signal: cdu.flow, min: 100 L/min, armed_in: [soak]}",
}


def interlock(text: str) -> Interlock:
    return validate(parse_source(text.encode(), "interlock.yaml"), Interlock)


def proved(text: str, **signals: SignalInfo):
    """The proof of one interlock; `signals` are signals of the CDU instead of its own."""

    async def main():
        devices = [
            SimpleNamespace(**{**vars(each), "signals": [signals.get(s.name[4:], s) for s in each.signals]})
            for each in DEVICES
        ]
        (proof,) = await prove([interlock(text)], SignalStore(devices, DERIVED, Clock()))
        return proof

    return run(main)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_of_interlock_is_proved(kind):
    proof = proved(KINDS[kind])
    assert proof.failure == ""
    assert proof.decision_s > 0


def test_a_vote_is_proved_with_as_many_signals_as_it_needs():
    text = "{name: vote, signals: [cdu.supply, cdu.back, cdu.rise], vote: 2oo3, max_rate: 5 K/s}"
    proof = proved(text)
    assert proof.failure == ""


def test_an_interlock_that_does_not_act_on_values_is_found(monkeypatch):
    monkeypatch.setattr(
        interlocks._Channel, "sample", lambda self, mono, value, quality: setattr(self, "last_good", mono)
    )
    proof = proved(KINDS["high"])
    assert proof.failure == "it does not trip on values that violate it"


def test_an_interlock_that_is_blind_to_silence_is_found(monkeypatch):
    monkeypatch.setattr(interlocks._Channel, "is_silent", lambda self, now: False)
    proof = proved(KINDS["word"])
    assert proof.failure == "it does not trip on silence"


def test_an_interlock_that_leads_elsewhere_is_found(monkeypatch):
    original = Interlocks._evaluate

    def astray(self, guard):
        original(self, guard)
        for trip in self.trips:
            trip.sequence = "default"

    monkeypatch.setattr(Interlocks, "_evaluate", astray)
    proof = proved(KINDS["word"])
    assert proof.failure == "it leads to 'default' instead of 'leak'"


VALID = {
    "flow": SignalInfo("cdu.flow", "L/min", valid=(0.0, 2000.0)),
    "supply": SignalInfo("cdu.supply", "degC", valid=(-20.0, 120.0)),
}


@pytest.mark.parametrize(
    "text",
    [
        "{name: i, signal: cdu.supply, max: 100000 degC}",
        "{name: i, signal: cdu.supply, max: 120 degC}",
        "{name: i, signal: cdu.flow, min: -1000 L/min}",
        "{name: i, signal: cdu.leak, one_of: [dry, wet]}",
        "{name: i, signal: cdu.alarms, one_of: [none, pump, fan]}",
        "{name: i, signal: cdu.flow, max_rate: 1000000 L/min/s}",
        "{name: i, signal: cdu.supply, max: 55 degC, max_rate: 100 K/s}",
    ],
)
def test_what_no_value_of_the_sensor_violates_fails_its_proof(text):
    """Also where no file was checked: the values are drawn from inside of what the sensor can show."""
    assert proved(text, **VALID).failure.startswith("nothing that can be shown violates it"), text


def test_every_value_of_a_proof_is_one_that_the_sensor_can_show(monkeypatch):
    seen = []
    feed = proof_test._Trial.feed

    def watched(trial):
        seen.append(trial.values["cdu.supply"])
        feed(trial)

    monkeypatch.setattr(proof_test._Trial, "feed", watched)
    for text in ("max: 119 degC", "min: -19 degC", "max_rate: 15 K/s", "min: 10 degC, max_rate: 1 K/s, for: 30 s"):
        seen.clear()
        assert proved(f"{{name: i, signal: cdu.supply, {text}}}", **VALID).failure == "", text
        assert -20 <= min(seen) <= max(seen) <= 120, text


def test_an_interlock_that_does_not_wait_as_long_as_it_says_is_found(monkeypatch):
    monkeypatch.setattr(interlocks, "Debounce", lambda _hold_s: _Eager())
    assert proved(KINDS["band"]).failure == "it trips after 0 s instead of 5 s"


class _Eager:
    """A debounce that waits for nothing."""

    def update(self, _mono, *, is_bad):
        return is_bad


def test_the_proof_of_one_interlock_costs_what_it_concerns(monkeypatch):
    made = []
    store = proof_test.SignalStore
    monkeypatch.setattr(proof_test, "SignalStore", lambda parts, *rest: made.append(parts) or store(parts, *rest))
    assert proved(KINDS["low"]).failure == ""
    assert {(part.name, tuple(s.name for s in part.signals)) for parts in made for part in parts} == {
        ("cdu", ("cdu.flow",)),
        ("pdu", ("pdu.power",)),
    }


def test_500_interlocks_on_500_devices_never_keep_the_loop_to_themselves():
    """Real time: the loop of a run polls, feeds the guardian and looks at the keyboard meanwhile."""
    count = 500
    devices = [
        SimpleNamespace(
            name=f"d{k}",
            max_age=3.0,
            entry=SimpleNamespace(poll=1.0),
            signals=[SignalInfo(f"d{k}.signal_{i}", "degC", valid=(-20.0, 120.0)) for i in range(40)],
        )
        for k in range(count)
    ]
    specs = [interlock(f"{{name: hot {k}, signal: d{k}.signal_0, max: 55 degC, for: 10 s}}") for k in range(count)]
    late: list[float] = []

    async def ticking():
        while True:
            due = time.perf_counter() + 0.005
            await asyncio.sleep(0.005)
            late.append(time.perf_counter() - due)

    async def main():
        store = SignalStore(devices, {}, Clock())
        ticks = asyncio.create_task(ticking())
        await asyncio.sleep(0.02)
        proofs = await prove(specs, store)
        ticks.cancel()
        return proofs

    cpu = time.process_time()
    proofs = run(main)
    assert [proof.failure for proof in proofs if proof.failure] == []
    assert time.process_time() - cpu < 3.0
    assert sorted(late)[-3] < 0.05, "late more than twice: not the machine, but the proof"
