"""A rack with batteries as foreign tools see it: live behind open outlets, until discharge is stopped over Modbus."""

from __future__ import annotations

import pytest

import sim
from harness.clock import run
from harness.schema.source import parse_source, validate
from harness.schema.station import Station
from tests.foreign_tools import foreign
from tests.integration.sim_station_tools import all_profiles, ask, put_register, registers, until

CHARGE, CURRENT, MODE, BUS, LONGEST = 94, 97, 107, 147, 289
BBU = '{{profile: shelf/orv3_hpr_bbu, address: "modbus+tcp://b/{unit}", parameters: {{shelf: {shelf}}}}}'


def station(extra: str = "", batteries: bool = True) -> Station:
    bbus = [f"  bbu{k}: {BBU.format(unit=48 + k, shelf=k)}" for k in (1, 2, 3, 4)] if batteries else []
    text = "\n".join(
        [
            "schema: 1",
            "station: batteries",
            extra,
            "devices:",
            '  pdu: {profile: pdu/apc_rpdu2, address: "snmp://a", counts: {outlet: 8}}',
            '  shelf1: {profile: shelf/orv3_hpr_psu, address: "modbus+tcp://s/144", parameters: {shelf: 1}}',
            '  rack: {profile: load/rack_workload, address: "TCPIP::r::1::SOCKET"}',
            *bbus,
        ]
    )
    return validate(parse_source(text.encode(), "station.yaml"), Station)


def signed(word: int) -> int:
    return word - 65536 if word & 0x8000 else word


def test_the_registers_of_a_battery_are_those_of_the_rack():
    foreign("mbpoll")

    async def main():
        simulation = await sim.start(station(), all_profiles())
        try:
            plant, bbu = simulation.plant, [simulation.addresses[f"bbu{k}"] for k in (1, 2, 3, 4)]
            for index in range(1, 9):
                plant.command(f"outlet[{index}]", 1)
            plant.command("load", 100)

            async def is_up():
                return simulation.truth()["rack.power"] > 130e3

            await until(is_up)
            assert signed((await registers(bbu[0], CURRENT, 1))[0]) == 0
            for index in range(1, 9):
                plant.command(f"outlet[{index}]", 0)

            async def is_discharging():
                truth = simulation.truth()
                return truth["battery[1].discharging"] == 1 and truth["rack.power"] > 130e3

            await until(is_discharging)
            simulation.inject("battery_low:60")
            truth = simulation.truth()
            assert (truth["outlets.closed"], truth["pdu.power"]) == (0, 0)
            assert truth["rack.power"] > 130e3, "open outlets are no dead rack"
            (current,) = await registers(bbu[0], CURRENT, 1)
            assert signed(current) / 100 == pytest.approx(truth["battery[1].current"] / 6, rel=0.03)
            assert (await registers(bbu[1], CHARGE, 1))[0] == pytest.approx(59, abs=2)
            assert (await registers(bbu[1], MODE, 1))[0] & 3 == 2, "discharging, not charging"
            assert (await registers(bbu[2], BUS, 1))[0] / 1000 == pytest.approx(48.0, abs=0.2)
            (at_shelf,) = await registers(simulation.addresses["shelf1"], 79, 1)
            assert at_shelf / 1024 == pytest.approx(48.0, abs=0.2), "a shelf without mains sees the same bus"
            for each in bbu:
                await put_register(each, LONGEST, 0)

            async def is_off():
                return simulation.truth()["rack.power"] == 0

            await until(is_off)
            assert signed((await registers(bbu[0], CURRENT, 1))[0]) == 0
            (falling,) = await registers(bbu[2], BUS, 1)
            assert 25 < falling / 1000 < 40.1
        finally:
            await simulation.close()

    run(main)


def test_trays_that_are_told_so_draw_nothing():
    async def main():
        simulation = await sim.start(station(), all_profiles())
        try:
            rack = simulation.addresses["rack"]
            for index in range(1, 9):
                simulation.plant.command(f"outlet[{index}]", 1)

            async def is_up():
                return simulation.truth()["rack.on"] == 1

            await until(is_up)
            assert await ask(rack, "LOAD:TRAYS?") == ["ON"]
            await ask(rack, "LOAD:TRAYS OFF", "LOAD:TRAYS?")

            async def is_idle():
                return simulation.truth()["rack.power"] == 0

            await until(is_idle)
            assert await ask(rack, "LOAD:TRAYS?", "LOAD:STATE?") == ["OFF", "OFF"]
            assert simulation.truth()["bus.voltage"] > 49
            await ask(rack, "LOAD:TRAYS ON", "LOAD:TRAYS?")
            await until(is_up)
        finally:
            await simulation.close()

    run(main)


@pytest.mark.parametrize(
    ("extra", "batteries", "count"),
    [
        ("", True, 4),
        ("", False, 0),
        ("simulation: {batteries: 2}", True, 2),
        ("simulation: {batteries: 3}", False, 3),
        ("simulation: {batteries: 0}", True, 0),
    ],
)
def test_a_rack_has_the_batteries_that_its_station_shows_or_says(extra, batteries, count):
    async def main():
        simulation = await sim.start(station(extra, batteries), all_profiles(), virtual=True)
        truth = simulation.truth()
        assert (
            sum(f"battery[{k}].charge" in truth and truth[f"battery[{k}].charge"] == 100 for k in range(1, 9)) == count
        )
        await simulation.close()

    run(main, rate=float("inf"))
