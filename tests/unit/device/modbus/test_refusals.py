"""A register that is refused is BAD now, and is asked again: soon where it was read before, else every few minutes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.quantity import Quality
from harness.schema.profiles.modbus import ModbusProfile
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import HOLDING, ModbusFault
from tests.tools.array_bank import ArrayBank

PROFILE = ModbusProfile.model_validate(
    {
        "schema": 1,
        "profile": "meter/trial",
        "title": "Trial",
        "class": "meter",
        "protocol": "modbus",
        "source": "made up",
        "unverified": "made up",
        "identity": {"match": [{"signal": "model", "starts_with": "M1"}], "model": "model"},
        "signals": {
            "model": {"address": 0, "type": "string", "length": 1, "poll": "once"},
            "a": {"address": 100, "unit": "V"},
            "b": {"address": 101, "unit": "V"},
            "c": {"address": 102, "unit": "V"},
            "digits": {"address": 103, "type": "bcd16"},
        },
    }
)
GOOD, REFUSED = Quality.GOOD, Quality.BAD_REFUSED


class Bank(ArrayBank):
    """Refuses what touches some registers."""

    refused = frozenset()

    def read(self, unit, table, address, count):
        if self.refused & set(range(address, address + count)):
            raise ModbusFault(2)
        return super().read(unit, table, address, count)


class Bench:
    """One device, polled once a second."""

    def __init__(self, device, bank, clock):
        self.device, self.bank, self.clock = device, bank, clock

    async def poll(self):
        """Qualities of a, b, c, and how many requests it took."""
        await self.clock.sleep(1.0)
        before = self.device.link.client.counters.requests
        frame = await self.device.poll()
        at = [k for k, info in enumerate(self.device.signals) if info.name.rpartition(".")[2] in "abc"]
        return frame.qualities[at].tolist(), self.device.link.client.counters.requests - before


def on_bench(use, refused=frozenset()):
    async def main():
        clock, network, bank = Clock(), MemoryNetwork(), Bank((1,))
        bank.set_words(1, HOLDING, 0, [0x4D31])
        bank.set_words(1, HOLDING, 100, [11, 12, 13, 0x1234])
        bank.refused = refused
        listener = await MemoryHost(network).serve_stream(ModbusServer(bank).tcp)
        builder = DeviceBuilder(clock, Path(), network)
        address = f"modbus+tcp://127.0.0.1:{listener.port}/1"
        device = builder.make("m", DeviceEntry(profile="meter/trial", address=address), PROFILE)
        await device.open()
        try:
            return await use(Bench(device, bank, clock))
        finally:
            await device.close()
            await listener.close()

    return run(main, rate=math.inf)


def test_what_was_read_and_is_refused_for_a_while_is_back_soon_and_with_one_request():
    async def use(bench):
        assert await bench.poll() == ([GOOD] * 3, 1)
        bench.bank.refused = frozenset(range(100, 104))
        outage = [await bench.poll() for _ in range(4)]
        bench.bank.refused = frozenset()
        back = [await bench.poll() for _ in range(12)]
        return outage, back, bench.device.events

    outage, back, events = on_bench(use)
    assert all(qualities == [REFUSED] * 3 for qualities, _ in outage)
    first = next(k for k, (qualities, _) in enumerate(back) if qualities == [GOOD] * 3)
    assert first <= 4
    assert back[-1] == ([GOOD] * 3, 1)
    assert sum("a is refused, after it had been read" in text for text in events) == 1
    assert sum(text == "a is read again" for text in events) == 1


def test_a_refusal_that_stays_is_asked_for_less_and_less_often_and_costs_the_others_nothing():
    async def use(bench):
        await bench.poll()
        bench.bank.refused = frozenset({101})
        asked = []
        for _ in range(400):
            qualities, _ = await bench.poll()
            asked.append(qualities)
        refusals = bench.device.health.by_kind["refused"]
        bench.bank.refused = frozenset()
        back = [(await bench.poll())[0] for _ in range(62)]
        return asked, refusals, back.index([GOOD] * 3)

    asked, refusals, wait = on_bench(use)
    assert asked[0] == [REFUSED] * 3  # the request for all of them was refused
    assert all(qualities == [GOOD, REFUSED, GOOD] for qualities in asked[1:])
    assert refusals <= 2 + 6 + 400 / 60
    assert wait <= 60


def test_what_never_answered_is_tried_again_every_five_minutes():
    async def use(bench):
        for _ in range(10):
            qualities, _ = await bench.poll()
        assert qualities == [GOOD, REFUSED, GOOD]
        bench.bank.refused = frozenset()
        for count in range(400):
            if (await bench.poll())[0] == [GOOD] * 3:
                return count
        return math.inf

    assert on_bench(use, refused=frozenset({101})) == pytest.approx(291, abs=2)


def test_a_single_reading_asks_at_once():
    """A command is confirmed by reading back: that does not wait for the next try."""

    async def use(bench):
        for _ in range(10):
            await bench.poll()
        bench.bank.refused = frozenset()
        return (await bench.device.read(["b"]))[0].quality, (await bench.poll())[0]

    assert on_bench(use, refused=frozenset({101})) == (GOOD, [GOOD, REFUSED, GOOD])


def test_digits_that_are_none_cannot_be_decoded_and_a_text_is_no_number():
    async def use(bench):
        frame = await bench.device.poll()
        place = {info.name: k for k, info in enumerate(bench.device.signals)}
        assert frame.values[place["m.digits"]] == 1234.0
        assert math.isnan(frame.values[place["m.model"]])
        assert not frame.qualities[place["m.model"]]
        bench.bank.set_words(1, HOLDING, 103, [0x12AF])
        frame = await bench.device.poll()
        return frame.qualities[place["m.digits"]], frame.values[place["m.a"]]

    assert on_bench(use) == (Quality.BAD_DECODE, pytest.approx(11.0))
