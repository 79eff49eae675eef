"""The executor of a safe state: order, time, proof and what is called confirmed, on devices that follow a script."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from harness.clock import run
from harness.device.wire import Expect, Read
from harness.errors import RefusedError
from harness.safety.actions import Action, CompiledCondition, CompiledSequence, Proof, Put, Sequences
from harness.safety.sequence import SafeReport, cool_down, energised, make_safe

VIRTUAL = float("inf")


class Bench:
    """Scripted devices: a value per device and query, some mute, slow or stuck. It notes what arrives and when."""

    def __init__(self, mute: Sequence[str] = (), stuck: Sequence[str] = (), slow: Mapping[str, float] | None = None):
        self.mute, self.stuck, self.slow = mute, stuck, slow or {}
        self.refuses: dict[str, int] = {}
        self.values: dict[str, list[tuple[float, float]]] = {}
        self.off: set[str] = set()
        self.sent: list[tuple[float, str]] = []
        self.reported: list[tuple[str, dict[str, Any]]] = []

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def max_batch(self, device: str) -> int:
        return 1

    def doubt(self, device: str) -> None:
        pass

    async def _answer(self, device: str) -> None:
        await asyncio.sleep(self.slow.get(device, 0.0))
        if device in self.mute:
            await asyncio.sleep(2.0)
            raise TimeoutError

    async def send(self, puts: Sequence[Put]) -> None:
        for put in puts:
            self.sent.append((round(self.now, 3), put.key))
        await self._answer(puts[0].device)
        for put in puts:
            if self.refuses.get(put.key, 0) > 0:
                self.refuses[put.key] -= 1
                raise RefusedError("busy", device=put.device, operation="write")
            if put.key not in self.stuck:
                self.off.add(put.key)

    async def look(self, device: str, reads: Sequence[Read]) -> list[float]:
        await self._answer(device)
        return [self._value(device, read.query) for read in reads]

    def _value(self, device: str, query: str) -> float:
        course = self.values.get(query)
        if course is None:
            return 0.0 if f"{device}.{query}" in self.off else 1.0
        return [value for at, value in course if at <= self.now][-1]

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        self.reported.append(("intent", dict(commands)))

    def note(self, kind: str, /, **data: Any) -> None:
        self.reported.append((kind, data))


class Odd(Bench):
    """A bench of which one device's protocol is code that ends in `how`, or answers what is no answer."""

    def __init__(self, how: object) -> None:
        super().__init__()
        self.how = how

    def max_batch(self, device: str) -> int:
        if device == "a" and isinstance(self.how, BaseException):
            raise self.how
        return super().max_batch(device)

    async def send(self, puts: Sequence[Put]) -> None:
        if puts[0].device == "a" and isinstance(self.how, BaseException):
            raise self.how
        await super().send(puts)

    async def look(self, device: str, reads: Sequence[Read]) -> Any:
        if device == "a":
            if isinstance(self.how, BaseException):
                raise self.how
            return self.how
        return await super().look(device, reads)


@pytest.mark.parametrize(
    "how", [ValueError("odd"), SystemExit(0), BaseException("odd"), [], [0.0, 0.0], [None], 5, [b"0"]], ids=repr
)
def test_the_code_of_a_protocol_takes_no_other_device_with_it(how: object) -> None:
    """However it ends, or whatever it answers: its own switches are not confirmed, those of the others are off."""
    bench = Odd(how)
    report, _ = carry_out(bench, off("a.1"), off("b.1", "b.2"), then("c.pump"))
    assert {"b.1", "b.2"} <= bench.off
    assert not report.is_confirmed
    assert all(text.startswith("a.1") or "c.pump" in text for text in report.unconfirmed), report.unconfirmed
    keys = {key: put(key) for key in ("a.1", "b.1")}
    assert run(lambda: energised(keys, list(keys), bench), VIRTUAL) == []


def put(key: str) -> Put:
    device, _, control = key.partition(".")
    return Put(device, control, "off", (), Read(query=control), Expect(codes=(0.0,)), 0.0, {0.0: "off", 1.0: "on"})


def off(*keys: str, within: float = 5.0, **more: Any) -> Action:
    return Action(f"{keys[0]} off", tuple(put(key) for key in keys), within, energises=True, **more)


def then(key: str, **more: Any) -> Action:
    return Action(f"{key} off", (put(key),), 5.0, **more)


def below(name: str, high: float, needed: float = 0.0) -> CompiledCondition:
    return CompiledCondition(name, "", {"": ("meter", Read(query=name))}, Expect(high=high), needed, "V")


def keep(condition: CompiledCondition, at_most: float, at_least: float = 0.0) -> Action:
    return Action("keep", (), at_most, is_keep=True, confirm_by=condition, at_least=at_least)


def carry_out(
    bench: Bench, *actions: Action, proof: Proof | None = None, kind: str = "heat"
) -> tuple[SafeReport, float]:
    async def main() -> tuple[SafeReport, float]:
        report = await make_safe(CompiledSequence("default", kind, actions, proof), "a test", bench, bench)
        return report, bench.now

    return run(main, VIRTUAL)


def first_sent(bench: Bench, key: str) -> float:
    return next(at for at, each in bench.sent if each == key)


def test_a_mute_feed_delays_no_other_wherever_it_stands() -> None:
    a1, a2, b = off("a.1"), off("a.2"), off("b.1", "b.2")
    for order in ((a1, a2, b), (a1, b, a2), (b, a1, a2)):
        bench = Bench(mute=["a"])
        report, took = carry_out(bench, *order, then("cdu.pump"))
        assert first_sent(bench, "b.1") == first_sent(bench, "b.2") == 0.0
        assert took <= 12.0
        assert [action.is_confirmed for action in report.actions if action.action == "b.1 off"] == [True]
        assert not report.is_confirmed
        assert "cdu.pump" not in [key for _, key in bench.sent], "the coolant stays on: feed A may be live"
        assert any("left alone" in text for text in report.unconfirmed)


def test_a_stuck_switch_delays_no_other_of_its_device() -> None:
    bench = Bench(stuck=["a.1"])
    report, _ = carry_out(bench, off("a.1"), off("a.2", "a.3"))
    assert first_sent(bench, "a.2") == first_sent(bench, "a.3") == 0.0
    assert report.unconfirmed == ["a.1 off (1: reads on)"]
    assert [key for _, key in bench.sent].count("a.1") >= 4, "off is sent again until time is up"


def test_a_refused_command_is_sent_again() -> None:
    bench = Bench()
    bench.refuses["a.1"] = 2
    report, took = carry_out(bench, off("a.1"))
    assert report.is_confirmed
    assert took <= 4.0


def test_all_commands_go_to_a_slow_device_and_not_all_to_a_mute_one() -> None:
    keys = [f"a.{k}" for k in range(1, 25)]
    slow = Bench(slow={"a": 1.0})
    report, _ = carry_out(slow, off(*keys))
    assert report.is_confirmed
    mute = Bench(mute=["a"])
    report, took = carry_out(mute, off(*keys))
    assert not report.is_confirmed
    assert took <= 12.0, "24 switches of a device that does not answer are not asked one by one"


def test_a_keep_holds_for_its_time_and_is_never_called_confirmed_without_its_condition() -> None:
    bench = Bench()
    bench.values["dt"] = [(0.0, 9.0), (20.0, 2.0), (22.0, 9.0), (40.0, 2.0)]
    report, _ = carry_out(bench, off("a.1"), keep(below("dt", 3.0, needed=10.0), 600.0), then("cdu.pump"))
    assert report.is_confirmed
    assert 50.0 <= first_sent(bench, "cdu.pump") <= 52.0, "only after 10 s below 3 K without a break"
    late = Bench()
    late.values["dt"] = [(0.0, 9.0)]
    report, _ = carry_out(late, off("a.1"), keep(below("dt", 3.0), 30.0), then("cdu.pump"))
    wait = next(action for action in report.actions if action.is_wait)
    assert not wait.is_confirmed
    assert "did not get there within 30 s, it is 9 V" in wait.detail
    assert report.is_confirmed, "it leaves nothing live"
    least = Bench()
    least.values["dt"] = [(0.0, 0.0)]
    carry_out(least, off("a.1"), keep(below("dt", 3.0), 600.0, at_least=60.0), then("cdu.pump"))
    assert 60.0 <= first_sent(least, "cdu.pump") <= 61.0
    unread = Bench(mute=["meter"])
    report, _ = carry_out(unread, off("a.1"), keep(below("dt", 3.0), 90.0), then("cdu.pump"))
    assert 89.0 <= first_sent(unread, "cdu.pump") <= 95.0, "what cannot be read is waited for to at_most"
    assert "cannot be read" in next(action.detail for action in report.actions if action.is_wait)


def test_waits_behind_the_last_command_are_no_part_of_the_safe_state() -> None:
    bench = Bench()
    bench.values["dt"] = [(0.0, 9.0), (100.0, 1.0)]
    sequence = CompiledSequence("default", "heat", (off("a.1"), keep(below("dt", 3.0), 600.0)))

    async def main() -> None:
        report = await make_safe(sequence, "a test", bench, bench)
        assert bench.now <= 1.0
        assert [action.action for action in report.actions] == ["a.1 off"]
        await cool_down(sequence, bench, bench, report)
        assert 100.0 <= bench.now <= 101.5
        assert [action.action for action in report.actions] == ["a.1 off", "keep"]

    run(main, VIRTUAL)


PROOF = Proof((below("battery", 1.0), below("bus", 40.0)), (below("bus", 2.0),), 180.0)


def test_pumps_wait_until_there_is_no_heat_and_safe_until_the_bus_is_dead() -> None:
    bench = Bench()
    bench.values |= {"battery": [(0.0, 900.0), (60.0, 0.0)], "bus": [(0.0, 49.0), (65.0, 30.0), (110.0, 1.0)]}
    report, took = carry_out(bench, off("a.1"), then("cdu.pump"), proof=PROOF, kind="leak")
    assert report.is_confirmed
    assert 65.0 <= first_sent(bench, "cdu.pump") <= 67.0
    assert 110.0 <= took <= 112.0
    assert [action.action for action in report.actions] == ["a.1 off", "no heat", "cdu.pump off", "de-energised"]


def test_a_rack_that_stays_live_is_not_confirmed_and_keeps_its_coolant() -> None:
    bench = Bench()
    bench.values |= {"battery": [(0.0, 900.0)], "bus": [(0.0, 49.0)]}
    report, took = carry_out(bench, off("a.1"), then("cdu.pump"), proof=PROOF, kind="leak")
    assert "cdu.pump" not in [key for _, key in bench.sent]
    assert any("bus still 49 V" in text for text in report.unconfirmed)
    assert 175.0 <= took <= 186.0
    wet = Bench()
    wet.values = dict(bench.values)
    report, _ = carry_out(wet, off("a.1"), then("cdu.pump", only_if_confirmed=False), proof=PROOF, kind="leak")
    assert first_sent(wet, "cdu.pump") < 2.0, "on live parts the coolant stops at once"
    assert any("bus still 49 V" in text for text in report.unconfirmed)
    blind = Bench(mute=["meter"])
    report, _ = carry_out(blind, off("a.1"), proof=PROOF)
    assert any("bus cannot be read" in text for text in report.unconfirmed)


def test_what_does_not_depend_on_the_power_goes_with_it() -> None:
    bench = Bench(mute=["bbu"])
    bench.values |= {"battery": [(0.0, 0.0)], "bus": [(0.0, 49.0), (1.0, 1.0)]}
    actions = (then("bbu.discharge", only_if_confirmed=False), off("a.1"), then("cdu.pump"))
    report, _ = carry_out(bench, *actions, proof=PROOF)
    assert first_sent(bench, "a.1") == first_sent(bench, "bbu.discharge") == 0.0
    assert first_sent(bench, "cdu.pump") > 1.0, "no heat is proved: what the batteries were told does not matter"
    assert [text.split(" (")[0] for text in report.unconfirmed] == ["bbu.discharge off"]


def test_a_disk_that_hangs_does_not_keep_the_rack_live() -> None:
    class Hung(Bench):
        async def intent(self, device: str, commands: Mapping[str, str]) -> None:
            await asyncio.sleep(30)

    bench = Hung()

    async def main() -> None:
        report = await make_safe(CompiledSequence("default", "heat", (off("a.1"),)), "a test", bench, bench)
        assert report.is_confirmed
        assert first_sent(bench, "a.1") <= 1.0
        assert bench.now <= 3.0
        await asyncio.sleep(60)  # the disk comes back

    run(main, VIRTUAL)


def test_a_calm_end_staggers() -> None:
    bench = Bench()
    report, _ = carry_out(bench, off("a.1", "a.2", "a.3", stagger=2.0), kind="end")
    assert report.is_confirmed
    assert bench.sent[:3] == [(0.0, "a.1"), (2.0, "a.2"), (4.0, "a.3")]


def test_armed_switches_outside_the_sequence_go_off_with_its_first_stroke() -> None:
    default = CompiledSequence("default", "heat", (off("pdu.1"),))
    leak = CompiledSequence("leak", "leak", (off("pdu.1", "psu.1"),))
    known = {key: put(key) for key in ("pdu.1", "psu.1", "aux.9")}
    sequences = Sequences({"default": default, "leak": leak}, known)
    chosen = sequences.chosen("default", ["cdu.pump", "psu.1", "pdu.1"])
    assert [[each.key for each in action.puts] for action in chosen.actions] == [["psu.1"], ["pdu.1"]]
    assert sequences.chosen("leak", ["psu.1"]) == leak
    assert sequences.chosen("no such", []) == default
    bench = Bench(mute=["psu"])
    carry_out(bench, *chosen.actions)
    assert first_sent(bench, "pdu.1") == 0.0
