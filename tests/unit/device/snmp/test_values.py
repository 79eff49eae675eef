"""An agent that answers, but not everything: one value that is none costs that value, and the device says why."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.health import Health
from harness.quantity import Quality
from harness.schema.profiles.snmp import SnmpProfile
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.snmp import ber, pdu
from sim.servers.snmp.mib import TableView
from sim.servers.snmp.pdu import Reply
from sim.servers.snmp.responder import SnmpResponder

BASE = (1, 3, 6, 1, 4, 1, 9)
SENSOR = (1, 3, 6, 1, 2, 1, 99, 1, 1, 1)
COLD, WARM = "1.3.6.1.2.1.99.1.1.1.4.7", "1.3.6.1.2.1.99.1.1.1.4.8"
PROFILE = {
    "schema": 1,
    "profile": "pdu/trial",
    "title": "Trial",
    "class": "pdu",
    "protocol": "snmp",
    "source": "made up",
    "unverified": "made up",
    "signals": {
        "model": {"oid": "1.3.6.1.4.1.9.1.0", "type": "text"},
        "power": {"oid": "1.3.6.1.4.1.9.2.0", "unit": "W", "scale": 0.1},
        "total": {"sum_of": "feed.power", "unit": "W"},
        "scaled": {"oid": "1.3.6.1.4.1.9.5.0", "unit": "A", "digits": "1.3.6.1.4.1.9.6.0"},
        "cold": {"oid": COLD, "unit": "degC"},
        "warm": {"oid": WARM, "unit": "degC", "validity": "ignored"},
        "fan": {"oid": "1.3.6.1.4.1.9.7.0", "unit": "RPM", "validity": {"oid": "1.3.6.1.4.1.9.8.0", "one_of": ["ok"]}},
    },
    "repeat": {
        "feed": {
            "count": 2,
            "signals": {
                "power": {
                    "oid": "1.3.6.1.4.1.9.3.{i}",
                    "unit": "W",
                    "validity": {"oid": "1.3.6.1.4.1.9.4.{i}", "one_of": [1]},
                }
            },
        }
    },
}
OBJECTS = {
    (*BASE, 1, 0): b"M1",
    (*BASE, 2, 0): 1500,
    (*BASE, 3, 1): 100,
    (*BASE, 3, 2): 50,
    (*BASE, 4, 1): 1,
    (*BASE, 4, 2): 1,
    (*BASE, 5, 0): 42,
    (*BASE, 6, 0): 1,
    (*BASE, 7, 0): 900,
    (*BASE, 8, 0): b"ok",
    (*SENSOR, 4, 7): 21,
    (*SENSOR, 5, 7): 1,
    (*SENSOR, 4, 8): 22,
    (*SENSOR, 5, 8): 2,
}


class Bench:
    """A device, and what its agent says instead of the truth: OID -> a whole value element."""

    def __init__(self, device, view, clock):
        self.device, self.view, self.clock = device, view, clock
        self.instead: dict[tuple, bytes] = {}

    def tamper(self, request, reply):
        changed = []
        for each in reply.bindings:
            wire, value = pdu.split_binding(each)
            changed.append(pdu.binding(wire, self.instead.get(ber.decode_oid(wire), value)))
        return Reply(reply.request_id, changed, reply.status, reply.index)

    async def poll(self, wait=1.0):
        """Name -> value, text or quality."""
        await self.clock.sleep(wait)
        frame = await self.device.poll()
        return {
            info.name.partition(".")[2]: Quality(int(q)) if q else frame.texts.get(k, float(v))
            for k, (info, v, q) in enumerate(zip(self.device.signals, frame.values, frame.qualities, strict=True))
        }

    async def guardian(self, *names):
        """What the guardian reads for signals."""
        return await self.device.link.channel.read(
            [self.device.link.reading(self.device.expansion.signals[name]) for name in names]
        )


def on_bench(use, changes=()):
    async def main():
        network, clock = MemoryNetwork(), Clock()
        objects = {**OBJECTS, **dict(changes)}
        view = TableView((oid, 4 if isinstance(v, bytes) else 2, v) for oid, v in objects.items() if v is not None)
        responder = SnmpResponder(view)
        listener = await MemoryHost(network).serve_datagram(lambda: responder)
        profile = SnmpProfile.model_validate(PROFILE)
        entry = DeviceEntry.model_validate({"profile": "pdu/trial", "address": f"snmp://a:{listener.port}"})
        device = DeviceBuilder(clock, Path(), network).make("it", entry, profile)
        bench = Bench(device, view, clock)
        responder.tamper = bench.tamper
        await device.open()
        try:
            return await use(bench)
        finally:
            await device.close()
            await listener.close()

    return run(main, rate=math.inf)


BAD = {
    "an INTEGER of no bytes": b"\x02\x00",
    "40 bits": b"\x02\x05\x00\xff\xff\xfc\x19",
    "a type that is none": b"\x4b\x01\x01",
    "lengths that do not fit": b"\x02\x05\x01",
}


@pytest.mark.parametrize("how", BAD)
def test_one_bad_value_costs_that_value_and_is_told_once(how):
    async def use(bench):
        honest = await bench.poll()
        bench.instead[*BASE, 2, 0] = BAD[how]
        found = [await bench.poll() for _ in range(5)]
        guardian = await bench.guardian("power", "total")
        bench.instead.clear()
        return honest, found, guardian, await bench.poll(60.0), await bench.poll(), bench.device

    honest, found, (power, total), _, back, device = on_bench(use)
    assert honest["power"] == pytest.approx(150.0)
    for each in found:
        assert each == {**honest, "power": Quality.BAD_DECODE}
    assert math.isnan(power)
    assert total == pytest.approx(150.0)
    assert back == honest
    assert device.health.failed == 0
    events = [text for text in device.events if text.startswith("power")]
    assert len(events) == 2
    assert events[0].startswith("power cannot be read: ")
    assert events[1] == "power is read again"


def test_a_bad_text_is_no_text():
    async def use(bench):
        bench.instead[*BASE, 1, 0] = b"\x06\x00"
        return (await bench.poll())["model"], await bench.guardian("model")

    assert on_bench(use) == (Quality.BAD_DECODE, [""])


def test_a_value_whose_own_status_says_no_is_missing():
    """RFC 3433: entPhySensorOperStatus says unavailable(2) or nonoperational(3), and a number stands beside it."""

    async def use(bench):
        assert await bench.poll() == {
            **dict.fromkeys(("model",), "M1"),
            "power": pytest.approx(150.0),
            "total": pytest.approx(150.0),
            "scaled": pytest.approx(4.2),
            "cold": 21.0,
            "warm": 22.0,
            "fan": 900.0,
            "feed[1].power": 100.0,
            "feed[2].power": 50.0,
        }
        bench.view.put((*SENSOR, 5, 7), 2, 3)
        bench.view.put((*BASE, 4, 2), 2, 2)
        bench.view.put((*BASE, 8, 0), 4, b"failed")
        names = ("cold", "warm", "fan", "total", "feed[1].power")
        found = await bench.poll()
        return [found[name] for name in names], await bench.guardian(*names)

    found, guardian = on_bench(use)
    bad = Quality.BAD_MISSING
    assert found == [bad, 22.0, bad, bad, 100.0]
    assert guardian == [pytest.approx(math.nan, nan_ok=True), 22.0, *[pytest.approx(math.nan, nan_ok=True)] * 2, 100.0]


def test_an_agent_without_the_status_says_nothing_against_the_value():
    async def use(bench):
        return (await bench.poll())["cold"]

    assert on_bench(use, {(*SENSOR, 5, 7): None}) == 21.0


def test_a_scale_that_was_not_there_at_open_is_asked_for_again():
    async def use(bench):
        first = await bench.poll()
        bench.view.put((*BASE, 6, 0), 2, 1)
        return first["scaled"], (await bench.poll())["scaled"], (await bench.poll(300.0))["scaled"]

    first, soon, later = on_bench(use, {(*BASE, 6, 0): None})
    assert first is soon is Quality.BAD_NAN
    assert later == pytest.approx(4.2)


def test_a_device_that_answers_rubbish_is_not_called_silent():
    async def use(bench):
        await bench.poll()
        bench.instead.update(dict.fromkeys(OBJECTS, b"\x02\x05\x01"))
        await bench.poll()
        return bench.device.health

    health = on_bench(use)
    assert health.failures_in_a_row == 1
    assert health.silence(10.0) == "answers, but nothing that it has said for 10 s can be used"
    assert Health().silence(10.0) == "has not answered for 10 s"
