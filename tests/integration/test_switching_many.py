"""Many outlets of a slow agent go off together; an agent that does not take that is told one by one."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace

import pytest

from harness.clock import Clock, run
from harness.device.actuate import actuate
from harness.device.build import DeviceBuilder
from harness.device.registry import known_profiles, load_profile
from harness.device.setting import resolve_setting
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.physics.plant import Plant
from sim.rack import make_sources, parameters_of
from sim.servers.host import MemoryHost
from sim.servers.snmp import pdu
from sim.twins.points import Twin
from sim.twins.snmp import SnmpObjects, TwinResponder
from tests.integration.guarded_tools import Bay, guardian_log, until, wanted

OUTLETS = 24
PROFILE = "pdu/apc_rpdu2"


class Notes:
    """What was noted, in order."""

    def __init__(self) -> None:
        self.kinds: list[tuple[str, str]] = []

    async def intent(self, device, commands):
        self.kinds += [("intent", name) for name in commands]

    def note(self, kind, /, **data):
        self.kinds.append((kind, data["control"]))

    def of(self, kind):
        """The controls of one kind."""
        return [control for found, control in self.kinds if found == kind]


class Agent(TwinResponder):
    """Counts its SETs, takes its time, and may be awkward about several objects in one."""

    delay = 0.0
    awkward = ""

    def start(self):
        self.sets: list[int] = []
        return self

    def datagram_received(self, data, addr):
        asyncio.get_running_loop().call_later(self.delay, super().datagram_received, data, addr)

    def _answer(self, request, version, size, *, may_write):
        if request.kind != pdu.SET:
            return super()._answer(request, version, size, may_write=may_write)
        self.sets.append(len(request.oids))
        several = len(request.oids) > 1
        if several and self.awkward == "refuses":
            return pdu.Reply(request.request_id, [request.bindings], 5, 2)
        if several and self.awkward == "first only":
            oids, values, bindings = request.oids, request.values, request.bindings
            request.oids, request.values = oids[:1], values[:1]
            super()._answer(request, version, size, may_write=may_write)
            return pdu.Reply(request.request_id, [bindings])
        answer = super()._answer(request, version, size, may_write=may_write)
        if several and self.awkward == "refuses, and acts":
            return pdu.Reply(request.request_id, [request.bindings], 5, 2)
        if several and self.awkward == "another echo":
            one = len(request.bindings) // len(request.oids)
            return pdu.Reply(request.request_id, [request.bindings[one:] + request.bindings[:one]])
        return answer


async def switched_off(awkward: str = "", delay: float = 0.0, to: str = "off"):
    """(agent, notes, outcomes, seconds, outlets on in the truth) of switching a PDU of 24 outlets that is all on."""
    profile = load_profile(known_profiles()[PROFILE])[0]
    sources = make_sources(Plant(replace(parameters_of("132kW"), shelves=OUTLETS), 3))
    sources.refresh(force=True)
    entry = DeviceEntry(profile=PROFILE, address="snmp://pdu:161", counts={"outlet": OUTLETS})
    twin = Twin("pdu", profile, sources, {}, entry.counts, "SN-24")
    network, clock, notes = MemoryNetwork(), Clock(), Notes()
    agent = Agent(SnmpObjects(twin).view, community="public", write_community="public", users=[]).start()
    agent.sources = sources
    started = clock.monotonic()
    sources.now = lambda: clock.monotonic() - started
    listener = await MemoryHost(network).serve_datagram(lambda: agent)
    device = DeviceBuilder(clock, None, network).make("pdu", entry, profile, f"snmp://127.0.0.1:{listener.port}")
    await device.open()
    try:
        bank = [device.expansion.controls[f"outlet[{k}]"] for k in range(1, OUTLETS + 1)]
        before = "on" if to == "off" else "off"
        first = await actuate(device, [(each, resolve_setting(each, before)) for each in bank], clock, Notes())
        assert all(each.is_confirmed for each in first.values())
        device.is_doubted = False
        agent.sets.clear()
        agent.awkward, agent.delay = awkward, delay
        began = clock.monotonic()
        outcomes = await actuate(device, [(each, resolve_setting(each, to)) for each in bank], clock, notes, within=3.0)
        took = clock.monotonic() - began
        agent.awkward, agent.delay = "", 0.0
        states = [reading.text for reading in await device.read([each.confirm_by for each in bank])]
        return agent, notes, outcomes, took, states, device
    finally:
        await device.close()


def test_24_outlets_of_a_slow_agent_go_off_in_two_messages():
    async def main():
        return await switched_off(delay=0.3)

    agent, notes, outcomes, took, states, _ = run(main, rate=float("inf"))
    assert agent.sets == [12, 12]
    assert states == ["off"] * OUTLETS
    assert len(outcomes) == OUTLETS
    assert all(each.is_confirmed for each in outcomes.values())
    for kind in ("intent", "acknowledged", "confirmed"):  # each has its own line in the record
        assert notes.of(kind) == [f"outlet[{k}]" for k in range(1, OUTLETS + 1)]
    assert 0.9 <= took <= 3.0


def test_what_goes_on_does_so_one_by_one():
    async def main():
        return await switched_off(to="on")

    agent, _, outcomes, _, states, _ = run(main, rate=float("inf"))
    assert agent.sets == [1] * OUTLETS
    assert states == ["on"] * OUTLETS
    assert all(each.is_confirmed for each in outcomes.values())


@pytest.mark.parametrize("awkward", ["refuses", "refuses, and acts", "another echo"])
def test_an_agent_that_refuses_is_told_one_by_one_what_reads_as_on(awkward):
    async def main():
        return await switched_off(awkward)

    agent, notes, outcomes, _, states, device = run(main, rate=float("inf"))
    assert states == ["off"] * OUTLETS
    assert all(each.is_confirmed for each in outcomes.values())
    assert agent.sets[0] == 12
    assert set(agent.sets[1:]) == {1}
    assert 12 <= len(agent.sets[1:]) <= OUTLETS  # the relays may be read before they have moved
    assert device.is_doubted
    assert len(notes.of("refused") + notes.of("unclear")) == 12


def test_an_agent_that_does_only_a_part_is_not_believed():
    async def main():
        return await switched_off("first only")

    agent, notes, outcomes, _, states, device = run(main, rate=float("inf"))
    assert agent.sets == [12, 12]
    done = {f"outlet[{k}]" for k in (1, 13)}
    assert {name for name, each in outcomes.items() if each.is_confirmed} == done
    assert set(notes.of("confirmed")) == done
    assert states.count("on") == OUTLETS - 2
    assert device.max_batch == 1  # the next round of the safe state goes one by one


def test_the_guardian_switches_24_outlets_of_a_slow_agent_off_within_3_s(tmp_path):
    bay = Bay(tmp_path, outlets=OUTLETS)
    try:
        bay.start_devices()
        runner, folder, _ = bay.power_up()
        assert bay.outlets_on() == OUTLETS
        assert bay.ask("inject device_slow:pdu=0.3s") == "ok\n"
        os.kill(runner.pid, signal.SIGKILL)
        took = until(lambda: bay.outlets_on() == 0, 10)
        until(lambda: list(wanted(guardian_log(folder), "safe")), 30)
        assert took < 3.0, f"{took:.2f} s"
        assert len(list(wanted(guardian_log(folder), "confirmed"))) >= OUTLETS
    finally:
        bay.close()
