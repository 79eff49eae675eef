"""The simulated station as foreign tools see it: what they read is the truth, what they write moves the physics."""

from __future__ import annotations

import asyncio
import json
import struct
from contextlib import asynccontextmanager

import pytest

import sim
from harness.clock import run
from harness.errors import ConfigError
from harness.schema.profiles.modbus import ModbusProfile
from harness.schema.profiles.redfish import RedfishProfile
from harness.schema.profiles.scpi import ScpiProfile
from harness.schema.profiles.snmp import SnmpProfile
from harness.schema.source import parse_source, validate
from harness.schema.station import Station
from tests.foreign_tools import foreign
from tests.integration.sim_station_tools import (
    V2C,
    V3,
    all_profiles,
    ask,
    number,
    port_of,
    put_register,
    registers,
    simulated,
    snmp,
    tool,
    until,
    walk,
)

APC = "1.3.6.1.4.1.318.1.1.26"
COMMAND, STATE = f"{APC}.9.2.4.1.5", f"{APC}.9.2.3.1.5"
CONTROL, PUMP_DUTY, FLOW = 37904, 37891, 36864


@asynccontextmanager
async def station(**options):
    simulation = await sim.start(simulated(), all_profiles(), **options)
    try:
        yield simulation
    finally:
        await simulation.close()


async def set_outlets(address, value, outlets=range(1, 9), how=V2C):
    words = [part for n in outlets for part in (f"{COMMAND}.{n}", "i", str(value))]
    await tool("snmpset", *how, f"127.0.0.1:{port_of(address)}", *words)


def signed(word):
    return word - 65536 if word & 0x8000 else word


def test_mbpoll_reads_the_truth_of_the_loop():
    foreign("mbpoll")

    async def main():
        async with station() as simulation:
            words = await registers(simulation.addresses["cdu"], FLOW, 10)
            truth = simulation.truth()
            assert words[0] * 0.1 == pytest.approx(truth["loop.flow"], rel=0.03)
            assert signed(words[1]) * 0.1 == pytest.approx(truth["loop.supply_temperature"], abs=0.4)
            assert signed(words[2]) * 0.1 == pytest.approx(truth["loop.return_temperature"], abs=0.4)
            assert signed(words[3]) * 0.1 == pytest.approx(truth["loop.supply_pressure"], abs=3)
            assert signed(words[4]) * 0.1 == pytest.approx(truth["loop.return_pressure"], abs=3)
            assert words[9] == pytest.approx(truth["pump[1].speed"], abs=2)
            rpm = await registers(simulation.addresses["cdu"], 36874, 2)
            assert rpm == pytest.approx([truth["pump[1].rpm"], truth["pump[2].rpm"]], rel=0.03)
            (filter_drop,) = await registers(simulation.addresses["cdu"], 37140, 1)
            assert filter_drop * 0.1 == pytest.approx(truth["filter.differential_pressure"], abs=1.0)

    run(main)


@pytest.mark.parametrize("how", [V2C, V3], ids=["v2c", "v3"])
def test_snmpset_switches_an_outlet_and_snmpget_reads_the_power(how):
    foreign("snmpget", "snmpset", "snmpbulkwalk")

    async def main():
        async with station() as simulation:
            pdu = simulation.addresses["pdu"]
            assert await number(how, pdu, f"{STATE}.3") == 1
            await set_outlets(pdu, 1, [3, 4, 5, 6], how)

            async def is_on():
                return await number(how, pdu, f"{STATE}.3") == 2

            await until(is_on)
            assert simulation.truth()["outlet[3].state"] == 1.0
            assert simulation.truth()["outlet[1].state"] == 0.0

            async def is_metered():  # the shelves start, and the meter lags
                shown = 10 * await number(how, pdu, f"{APC}.4.3.1.5.1")
                return shown > 0.97 * simulation.truth()["pdu.power"] > 1000

            await until(is_metered)
            states = await walk(how, pdu, STATE)
            assert states == {str(n): "2" if n in (3, 4, 5, 6) else "1" for n in range(1, 9)}
            truth = simulation.truth()
            assert truth["pdu.power"] > 1000
            assert await number(how, pdu, f"{APC}.4.3.1.5.1") * 10 == pytest.approx(truth["pdu.power"], rel=0.05)
            assert await number(how, pdu, f"{APC}.9.4.3.1.7.3") == pytest.approx(truth["outlet[3].power"], rel=0.05)
            current = await number(how, pdu, f"{APC}.9.4.3.1.6.3") * 0.1
            assert current == pytest.approx(truth["outlet[3].current"], rel=0.05, abs=0.1)

    run(main)


def test_a_wrong_command_is_refused_and_moves_nothing():
    foreign("snmpset", "mbpoll")

    async def main():
        async with station() as simulation:
            with pytest.raises(AssertionError, match="wrongValue"):
                await set_outlets(simulation.addresses["pdu"], 9, [2])
            where = f"127.0.0.1:{port_of(simulation.addresses['pdu'])}"
            with pytest.raises(AssertionError, match="wrongType"):
                await tool("snmpset", *V2C, where, f"{COMMAND}.2", "s", "on")
            with pytest.raises(AssertionError, match="Illegal data value"):
                await put_register(simulation.addresses["cdu"], PUMP_DUTY, 101)
            with pytest.raises(AssertionError, match="Illegal data address"):
                await put_register(simulation.addresses["cdu"], FLOW, 5)
            assert simulation.truth()["outlet[2].state"] == 0.0

    run(main)


def test_mbpoll_moves_the_pumps():
    foreign("mbpoll")

    async def main():
        async with station() as simulation:
            cdu = simulation.addresses["cdu"]
            before = simulation.truth()["loop.flow"]
            await put_register(cdu, CONTROL, 0x0002)  # manual
            await put_register(cdu, PUMP_DUTY, 35)

            async def has_slowed():
                return simulation.truth()["loop.flow"] < 0.75 * before

            await until(has_slowed)
            assert await registers(cdu, PUMP_DUTY, 1) == [35]
            assert (await registers(cdu, CONTROL, 1))[0] & 0x002E == 0x0002
            await put_register(cdu, CONTROL, 0x0022)  # stop bit

            async def has_stopped():
                return simulation.truth()["loop.flow"] < 1.0

            await until(has_stopped, 20)
            assert (await registers(cdu, FLOW, 1))[0] < 20
            assert (await registers(cdu, CONTROL, 1))[0] & 0x0020
            (alarms,) = await registers(cdu, 37377, 1)
            assert alarms & 1 << 9, "not ready"

    run(main)


def test_the_shelf_shows_fixed_point_numbers_of_its_own_outlet():
    foreign("mbpoll", "snmpset")

    async def main():
        async with station() as simulation:
            shelf = simulation.addresses["shelf1"]
            assert (await registers(shelf, 79, 1)) == [0]
            await set_outlets(simulation.addresses["pdu"], 1)
            await asyncio.sleep(2.5)
            (voltage,) = await registers(shelf, 79, 1)
            truth = simulation.truth()
            assert voltage / 1024 == pytest.approx(
                truth["bus.voltage"], abs=0.3
            )  # class 0.2 % of the meter, and sharing
            (power,) = await registers(shelf, 87, 1)
            assert power / 8 == pytest.approx(truth["shelf[1].input_power"] / 6, rel=0.06)
            text = struct.pack(">8H", *await registers(shelf, 8, 8)).rstrip(b"\0")
            assert b"ECD17020037" in text
            await put_register(shelf, 94, 0x0081)  # write enable and forced loss of the mains

            async def is_lost():
                return (await registers(shelf, 88, 1)) == [0]

            await until(is_lost)
            plant = simulation.plant
            assert plant.truth("shelf[1].psu[1].input_voltage") == 0.0
            assert plant.truth("shelf[1].psu[2].input_voltage") > 200.0  # it is a test of one supply

    run(main)


def test_the_workload_and_the_scanner_answer_on_a_plain_socket():
    foreign("snmpset")

    async def main():
        async with station() as simulation:
            rack, daq = simulation.addresses["rack"], simulation.addresses["daq"]
            identity, state = await ask(rack, "*IDN?", "LOAD:STATE?")
            assert identity == "HARNESS,WORKLOAD,SIM-rack,1.0"
            assert state == "OFF"
            await set_outlets(simulation.addresses["pdu"], 1)
            await ask(rack, "LOAD:LEVEL 62.5")
            level, error = await ask(rack, "LOAD:LEVEL?", "SYST:ERR?")
            assert float(level) == 62.5
            assert error.startswith("0,")

            async def computes():
                return abs(simulation.truth()["rack.load"] - 62.5) < 0.5

            await until(computes, 60)
            assert (await ask(rack, "LOAD:STATE?")) == ["RUN"]
            _, error = await ask(rack, "*CLS", "LOAD:LEVEL 140", "LOAD:LEVEL?", "SYST:ERR?")
            assert error.startswith("-222")
            (line,) = await ask(daq, "READ?")
            values = [float(text) for text in line.split(",")]
            assert len(values) == 12
            assert values[0] == pytest.approx(simulation.truth()["loop.supply_temperature"], abs=0.5)

    run(main)


def test_the_switch_names_its_neighbours_in_rows_of_their_own():
    foreign("snmpbulkwalk", "snmpset")

    async def main():
        async with station(faults=["lldp_swapped:4-7"]) as simulation:
            switch = simulation.addresses["switch"]
            assert await walk(V2C, switch, "1.0.8802.1.1.2.1.4.1.1.9") == {}
            await set_outlets(simulation.addresses["pdu"], 1)

            async def is_up():
                return await number(V2C, switch, "1.3.6.1.2.1.2.2.1.8.7") == 1

            await until(is_up, 40)
            names = await walk(V3, switch, "1.0.8802.1.1.2.1.4.1.1.9")
            ports = await walk(V2C, switch, "1.0.8802.1.1.2.1.3.7.1.3")
            seen = {ports[row.split(".")[1]]: text for row, text in names.items()}
            assert len(seen) == 36
            assert (seen["Ethernet4"], seen["Ethernet7"], seen["Ethernet9"]) == ("tray-07", "tray-04", "tray-09")
            labels = await walk(V2C, switch, "1.3.6.1.2.1.47.1.1.1.1.2")
            row = next(row for row, text in labels.items() if text == "DOM RX Power Sensor for Ethernet9")
            shown = await number(V2C, switch, f"1.3.6.1.2.1.99.1.1.1.4.{row}") / 100
            assert shown == pytest.approx(simulation.plant.truth("port[9].rx_power"), abs=0.3)
            assert await number(V2C, switch, "1.3.6.1.2.1.31.1.1.1.15.9") == 400000

    run(main)


def every_profile_as_station(rack, profiles):
    lines = ["schema: 1", "station: everything", f"simulation: {{rack: {rack}}}", "devices:"]
    for n, name in enumerate(profiles):
        lines.append(f"  d{n}: {{profile: {name}, address: 'held by the simulation'}}")
    return validate(parse_source("\n".join(lines).encode(), "everything.yaml"), Station)


@pytest.mark.parametrize(("rack", "least"), [("132kW", 30), ("psu", 1)])
def test_every_profile_of_the_project_has_a_twin(rack, least):
    """A source feeds the bench of one supply; everything else has to do with a rack."""
    foreign("snmpget")

    async def main():
        whole = all_profiles()
        profiles = {name: each for name, each in whole.items() if (each.class_ == "source") == (rack == "psu")}
        simulation = await sim.start(every_profile_as_station(rack, profiles), profiles)
        try:
            assert len(simulation.devices) == len(profiles) >= least
            for name, device in simulation.devices.items():
                address, profile = device.address, device.twin.profile
                if isinstance(profile, ModbusProfile):
                    await read_all_of_modbus(address, profile)
                elif isinstance(profile, SnmpProfile):
                    await read_all_of_snmp(address, profile)
                elif isinstance(profile, ScpiProfile):
                    queries = list(dict.fromkeys(spec.query for spec in profile.signals.values()))
                    lines = [device.twin.fill(line, None) for line in (*profile.scpi.at_open, *queries)]
                    answers = await ask(address, *lines, "SYST:ERR?")
                    assert answers[-1].startswith("0,"), f"{name}: {answers}"
                    assert all(answers), name
                elif isinstance(profile, RedfishProfile):
                    reader, writer = await asyncio.open_connection("127.0.0.1", int(port_of(address)))
                    writer.write(b"GET /redfish/v1/ HTTP/1.1\r\nHost: twin\r\nConnection: close\r\n\r\n")
                    answer = await asyncio.wait_for(reader.read(), 5)
                    assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), f"{name}: {answer}"
                    assert b'"@odata.id": "/redfish/v1/"' in answer
                    writer.close()
                    await writer.wait_closed()
                else:
                    pytest.fail(f"{name}: no test for {profile.protocol}")
        finally:
            await simulation.close()

    run(main)


async def read_all_of_modbus(address, profile):
    """Every signal by itself: a normal reply with the right transaction, unit and length."""
    unit = int(address.rpartition("/")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port_of(address)))
    functions = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
    for n, (name, spec) in enumerate(profile.signals.items()):
        function, at = functions[spec.table], spec.address - profile.modbus.address_base
        writer.write(struct.pack(">HHHBBHH", n, 0, 6, unit, function, at, spec.words_long))
        header = await asyncio.wait_for(reader.readexactly(7), 5)
        transaction, protocol, length, answered = struct.unpack(">HHHB", header)
        body = await reader.readexactly(length - 1)
        assert (transaction, protocol, answered, body[0]) == (n, 0, unit, function), f"{name}: {body.hex()}"
        size = (spec.words_long + 7) // 8 if function <= 2 else 2 * spec.words_long
        assert body[1] == size == len(body) - 2, name
        rules = [rule for rule in profile.identity.match if rule.signal == name]
        assert all(rule.holds(body[2:].rstrip(b"\0").decode()) for rule in rules), name
    writer.close()
    await writer.wait_closed()


async def read_all_of_snmp(address, profile):
    def filled(spec):
        text = spec.oid
        for name, value in profile.parameters.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text

    def is_direct(spec):
        """Whether the signal is what stands at one OID: not a sum, looked up, or one of several places."""
        return spec.oid and not (spec.bind or spec.lookup or spec.fallbacks or spec.first_row or spec.optional)

    signals = {name: spec for name, spec in profile.signals.items() if is_direct(spec)}
    shown = await snmp(V2C, address, *[filled(spec) for spec in signals.values()])
    for (name, spec), text in zip(signals.items(), shown, strict=True):
        assert "No Such" not in text, f"{name}: {text}"
        assert ("STRING" in text) == (spec.is_text or spec.type == "decimal_text"), f"{name}: {text}"


def test_devices_misbehave_as_told():
    foreign("mbpoll", "snmpget")

    async def main():
        async with station() as simulation:
            cdu, pdu, rack = (simulation.addresses[name] for name in ("cdu", "pdu", "rack"))
            simulation.inject("device_refuses:cdu")
            with pytest.raises(AssertionError, match="Slave device or server failure"):
                await registers(cdu, FLOW, 1)
            simulation.inject("device_heal:cdu")
            simulation.inject("device_slow:cdu=0.4s")
            before = asyncio.get_running_loop().time()
            await registers(cdu, FLOW, 1)
            assert asyncio.get_running_loop().time() - before >= 0.4
            simulation.inject("device_silent:pdu")
            with pytest.raises(AssertionError, match="Timeout"):
                await snmp([*V2C, "-t", "0.3", "-r", "0"], pdu, f"{STATE}.1")
            simulation.inject("wrong_model:rack")
            assert (await ask(rack, "*IDN?"))[0].split(",")[1] == "ANOTHER MODEL 9000"
            simulation.inject("device_down:rack")
            with pytest.raises(ConnectionRefusedError):
                await ask(rack, "*IDN?")
            simulation.inject("device_heal:rack")
            await asyncio.sleep(0.05)
            assert (await ask(rack, "*IDN?"))[0].split(",")[1] == "WORKLOAD"

    run(main)


def test_a_rebooted_agent_counts_its_time_from_zero():
    foreign("snmpget")

    async def main():
        async with station() as simulation:
            await asyncio.sleep(1.0)
            before = await number(V3, simulation.addresses["pdu"], "1.3.6.1.2.1.1.3.0")
            simulation.inject("device_reboot:pdu")
            await asyncio.sleep(3.3)
            after = await number(V3, simulation.addresses["pdu"], "1.3.6.1.2.1.1.3.0")
            assert before > 95
            assert after < 95

    run(main)


def test_sensor_faults_take_the_signal_of_the_station_and_its_unit():
    foreign("mbpoll")

    async def main():
        async with station(faults=["sensor_offset:cdu.supply_temperature=4"]) as simulation:
            simulation.inject("sensor_stuck:loop.return_temperature=71.5")
            simulation.inject("sensor_nan:cdu.supply_pressure")
            await asyncio.sleep(0.2)
            supply, back, pressure = await registers(simulation.addresses["cdu"], FLOW + 1, 3)
            truth = simulation.truth()
            assert supply * 0.1 == pytest.approx(truth["loop.supply_temperature"] + 4, abs=0.4)
            assert back == 715
            assert pressure == 32767, "the sentinel of the profile"
            assert truth["loop.return_temperature"] < 60

    run(main)


def test_a_leak_shows_its_zone():
    foreign("mbpoll")

    async def main():
        async with station(faults=["leak:rack=50@1s"]) as simulation:
            cdu = simulation.addresses["cdu"]
            assert await registers(cdu, 37378, 1) == [0]

            async def is_wet():
                return await registers(cdu, 37378, 1) == [1 << 8]

            await until(is_wet)
            assert simulation.truth()["leak.rack"] == 1.0

    run(main)


def test_nonsense_is_refused_by_name():
    async def main():
        async with station() as simulation:
            for text, expected in (
                ("filter_clogg", "filter_clog"),
                ("device_silent:cduu", "cdu"),
                ("sensor_offset:cdu.supply_temprature=4", "not a simulated signal"),
                ("sensor_offset:cdu.flow=much", "much"),
                ("pump_stop:9", "pump"),
                ("filter_clog@soon", "soon"),
            ):
                with pytest.raises(ConfigError, match=expected):
                    simulation.inject(text)
            assert simulation.plant.faults == ()
        with pytest.raises(ConfigError, match="no profile"):
            await sim.start(simulated(), {})

    run(main)


def test_other_processes_ask_for_the_truth_and_inject():
    async def main():
        async with station() as simulation:
            listener = await sim.serve_truth(simulation)
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            writer.write(b"truth\ninject both_pumps_stop\ninject nothing\nhello\n")
            truth = json.loads(await reader.readline())
            assert truth["loop.flow"] > 100
            assert await reader.readline() == b"ok\n"
            assert (await reader.readline()).startswith(b"error: unknown fault")
            assert (await reader.readline()).startswith(b"error: expected")
            assert simulation.plant.faults == ("both_pumps_stop",)
            writer.close()
            await writer.wait_closed()
            await listener.close()

    run(main)


def test_in_virtual_time_a_seed_reproduces_an_hour():
    async def main():
        async with station(virtual=True, seed=11, faults=["pump_stop:1@20 min"]) as simulation:
            _, protocol = await simulation.network.open_stream(
                "127.0.0.1", int(port_of(simulation.addresses["cdu"])), Answers
            )
            for n in range(60):
                protocol.transport.write(struct.pack(">HHHBBHH", n, 0, 6, 12, 3, FLOW, 10))
                await asyncio.sleep(60)
            answers, truth = bytes(protocol.received), simulation.truth()
            protocol.transport.close()
            return answers, truth

    first, again = (run(main, rate=float("inf")) for _ in range(2))
    assert first == again
    assert len(first[0]) == 60 * 29
    assert first[1]["time"] == pytest.approx(3600)
    assert first[1]["pump[1].rpm"] < 1


class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
        self.received = bytearray()

    def data_received(self, data):
        self.received += data
