"""Every fault changes what it claims, and nothing it should not; clearing it brings the plant back."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from sim.fault_table import TABLE
from sim.physics import FAULTS, Plant, RackParameters
from sim.physics.faults.arguments import split
from tests.unit.sim.physics_rack import powered

QUIET = ("loop.flow", "loop.supply_temperature", "rack.power", "loop.level", "ambient.dew_point", "bus.voltage")
"""What a fault elsewhere must leave alone."""


def after(fault: str, seconds: float = 120.0, load: float = 100.0) -> tuple[Plant, Plant]:
    """(plant with the fault, plant without) some time after it came."""
    with_fault, without = powered(load), powered(load)
    with_fault.inject(fault)
    for plant in (with_fault, without):
        plant.advance(plant.time + seconds)
    return with_fault, without


def unchanged(bad: Plant, good: Plant, names: tuple[str, ...] = QUIET) -> None:
    for name in names:
        assert bad.truth(name) == pytest.approx(good.truth(name), rel=1e-3), name


# fault, seconds after, variable, relation to the same plant without the fault, amount
TRUTHS = [
    ("pump_stop:2", 60, "pump[2].rpm", "=", 0.0),
    ("pump_stop", 60, "pump[1].running", "=", 0.0),
    ("both_pumps_stop", 15, "loop.flow", "<", 1.0),
    ("pump_degraded:1", 60, "pump[1].power", "<", 200.0),
    ("filter_clog", 60, "filter.differential_pressure", ">", 100.0),
    ("filter_clog", 60, "loop.flow", "<", 160.0),
    ("filter_clog:2", 60, "filter.differential_pressure", ">", 60.0),
    ("leak", 60, "leak.rack", "=", 1.0),
    ("leak:cdu", 60, "leak.cdu", "=", 1.0),
    ("leak:cdu", 60, "leak.rack", "=", 0.0),
    ("leak:20", 120, "loop.level", "<", 74.0),
    ("leak:cdu=20", 120, "loop.return_pressure", "<", 142.0),
    ("low_level", 5, "loop.level", "=", 8.0),
    ("over_pressure", 5, "loop.supply_pressure", ">", 380.0),
    ("hx_fouled", 300, "loop.supply_temperature", ">", 35.7),
    ("hx_fouled:0.5", 300, "valve.position", ">", 80.0),
    ("fws_step", 10, "facility.supply_temperature", "=", 36.0),
    ("fws_step:-4", 10, "facility.supply_temperature", "=", 26.0),
    ("fws_loss", 60, "loop.supply_temperature", ">", 45.0),
    ("fws_loss", 60, "facility.flow", "=", 0.0),
    ("dew_point_rise", 120, "ambient.dew_point", "=", 34.5),
    ("dew_point_rise:20", 120, "ambient.dew_point", "=", 20.0),
    ("outlet_off:3", 2, "outlet[3].state", "=", 0.0),
    ("breaker_trip:3", 2, "outlet[3].voltage", "=", 0.0),
    ("breaker_trip:3", 2, "outlet[3].state", "=", 1.0),
    ("phase_loss:2", 2, "phase[2].current", "=", 0.0),
    ("phase_loss:2", 2, "shelf[5].psu[2].on", "=", 0.0),
    ("feed_loss", 2, "outlet[3].voltage", "=", 0.0),
    ("feed_loss:A", 2, "rack.on", "=", 0.0),
    ("psu_fail:6", 2, "shelf[6].psu_ok", "=", 5.0),
    ("psu_fail:6.3", 2, "shelf[6].psu[3].output_power", "=", 0.0),
    ("insulation_weak:1=0.05", 2, "shelf[1].insulation", "=", 5e7),
    ("link_down:7", 1, "port[7].up", "=", 0.0),
    ("link_flap:7", 1, "port[7].up", "=", 0.0),
    ("speed_down:7", 1, "port[7].speed", "=", 100e3),
    ("lldp_swapped:3-4", 1, "port[3].neighbor", "=", 4.0),
    ("lldp_swapped:3-4", 1, "port[4].neighbor", "=", 3.0),
    ("optic_hot:7", 120, "port[7].temperature", ">", 70.0),
    ("ber_drift:7", 120, "port[7].errors_in", ">", 250.0),
    ("counters_cleared:7", 5, "port[7].octets_in", "<", 1.0e12),
    ("link_flap:7", 12, "port[7].changes", ">", 2.5),
    ("tray_blocked:3", 60, "tray[3].flow", "<", 0.01),
    ("tray_blocked:3=0.5", 60, "tray[3].flow", "<", 4.1),
    ("qd_half:3", 60, "tray[3].plate_temperature", ">", 62.0),
    ("bypass:0.2", 60, "tray[3].outlet_temperature", ">", 47.5),
    ("tim_bad:3", 60, "tray[3].junction_temperature", ">", 76.0),
    ("tray_off:3", 60, "tray[3].power", "=", 0.0),
    ("tray_off:3", 60, "rack.power", "<", 126e3),
    ("air_pocket:3=0.7", 60, "tray[3].plate_temperature", ">", 58.0),
    ("tray_leak:3", 60, "tray[3].leak", "=", 1.0),
    ("tray_leak:3", 60, "leak.rack", "=", 0.0),
    ("rack_reboot", 5, "switch.uptime", "=", 5.0),
    ("rack_reboot", 5, "rack.uptime", "<", 5.1),
    ("rack_reboot", 5, "rack.load", "=", 0.0),
]


@pytest.mark.parametrize(("fault", "seconds", "name", "relation", "amount"), TRUTHS)
def test_a_fault_changes_what_it_claims(fault, seconds, name, relation, amount):
    bad, good = after(fault, seconds)
    value = bad.truth(name)
    if relation == "=":
        assert value == pytest.approx(amount, abs=0.05)
    else:
        assert value < amount if relation == "<" else value > amount
        assert not (good.truth(name) < amount if relation == "<" else good.truth(name) > amount)
    if not (relation == "=" and name in ("leak.rack", "outlet[3].state")):
        assert value != good.truth(name)
    assert bad.faults == (fault,)
    assert good.faults == ()


@pytest.mark.parametrize(
    "fault",
    ["psu_fail:6", "link_down:7", "link_flap:7", "speed_down:7", "lldp_swapped", "optic_hot", "ber_drift",
     "meter_frozen", "flow_meter_zero", "sensor_nan:loop.flow", "sensor_offset:loop.supply_temperature=4",
     "outlet_stuck:2",
     "valve_stuck", "over_pressure"],
)  # fmt: skip
def test_a_fault_leaves_the_rest_alone(fault):
    bad, good = after(fault)
    names = tuple(name for name in QUIET if not (fault == "psu_fail:6" and name == "bus.voltage"))
    unchanged(bad, good, names)
    other = "port[9].{}"
    for what in ("up", "speed", "octets_in", "neighbor", "temperature", "errors_in"):
        assert bad.truth(other.format(what)) == pytest.approx(good.truth(other.format(what)), rel=1e-4)


def test_the_table_covers_the_catalogue():
    listed = {fault.partition(":")[0] for fault, *_ in TRUTHS}
    elsewhere = {"flow_meter_zero", "sensor_offset", "sensor_stuck", "sensor_nan", "meter_frozen", "outlet_stuck",
                 "valve_stuck", "air_in_loop", "battery_low", "sdc", "holdup_weak", "inrush_high",
                 "cords_swapped"}  # fmt: skip
    elsewhere |= {name for name in FAULTS if name.startswith("gas_")}  # tests/unit/sim/test_gas.py
    assert listed | elsewhere == FAULTS.keys()


def test_cleared_counters_start_again_and_the_switch_says_when():
    plant = powered()
    plant.inject("ber_drift:7")
    plant.advance(plant.time + 60)
    before = plant.truth("port[7].octets_in"), plant.truth("port[7].errors_in")
    plant.inject("counters_cleared:7")
    assert (plant.truth("port[7].octets_in"), plant.truth("port[7].errors_in")) == (0, 0)
    assert plant.truth("port[7].discontinuity") == pytest.approx(plant.time)
    plant.advance(plant.time + 60)
    assert 0 < plant.truth("port[7].octets_in") < 1.01 * before[0]
    assert plant.truth("port[7].errors_in") > before[1], "the rate grows on"
    assert plant.truth("port[8].discontinuity") == 0


def test_sensor_faults_change_only_what_is_shown():
    plant = powered()
    name = "loop.supply_temperature"
    good = plant.sensed(name)
    plant.inject(f"sensor_offset:{name}=4")
    assert plant.sensed(name) == pytest.approx(good + 4, abs=0.011)
    plant.clear("sensor_offset")
    assert plant.sensed(name) == good
    plant.inject("sensor_nan", "pump[2].rpm")
    assert math.isnan(plant.sensed("pump[2].rpm"))
    plant.inject("flow_meter_zero")
    plant.inject("sensor_stuck", name)
    held = plant.sensed(name)
    plant.command("supply_temperature.setpoint", 38)
    plant.advance(plant.time + 400)
    assert plant.sensed("loop.flow") == 0
    assert plant.truth("loop.flow") == pytest.approx(172, rel=1e-3)
    assert plant.sensed(name) == held
    assert plant.truth(name) == pytest.approx(38, abs=0.1)


def test_a_frozen_meter_holds_everything_it_shows():
    plant = powered()
    plant.inject("meter_frozen")
    shown = {name: plant.sensed(name) for name in ("pdu.power", "outlet[2].current", "phase[1].power", "pdu.energy")}
    plant.command("load", 0)
    plant.advance(plant.time + 60)
    assert {name: plant.sensed(name) for name in shown} == shown
    assert plant.truth("pdu.power") == pytest.approx(25e3, rel=0.03)  # less efficient at a tenth of the load
    assert plant.sensed("shelf[2].input_power") == pytest.approx(25e3 / 8, rel=0.03)
    plant.command("outlet[2]", 0)
    plant.advance(plant.time + 2)
    assert plant.sensed("outlet[2].state") == 0, "the relay state is not metered"


def test_a_stuck_outlet_does_not_follow():
    plant = powered()
    plant.inject("outlet_stuck:2")
    for index in (2, 3):
        plant.command(f"outlet[{index}]", 0)
    plant.advance(plant.time + 2)
    assert [plant.truth(f"outlet[{i}].state") for i in (2, 3)] == [1, 0]
    assert plant.truth("outlet[2].pending") == 0
    assert plant.truth("outlet[2].power") > 0
    plant.clear("outlet_stuck:2")
    plant.command("outlet[2]", 0)
    plant.advance(plant.time + 2)
    assert plant.truth("outlet[2].state") == 0


def test_an_outlet_that_opened_by_itself_can_be_closed_again():
    plant = powered()
    plant.inject("outlet_off:5")
    assert plant.truth("outlet[5].state") == 0
    plant.command("outlet[5]", 1)
    plant.advance(plant.time + 3)
    assert plant.truth("shelf[5].on") == 1


def test_a_stuck_valve_does_not_answer_the_load():
    bad, good = powered(20), powered(20)
    bad.inject("valve_stuck")
    held = bad.truth("valve.position")
    for plant in (bad, good):
        plant.command("load", 100)
        plant.advance(plant.time + 300)
    assert bad.truth("valve.position") == held
    assert good.truth("valve.position") > held + 10
    assert bad.truth("loop.supply_temperature") > good.truth("loop.supply_temperature") + 1


def test_air_makes_the_flow_restless():
    def spread(plant: Plant, read: str) -> float:
        values = []
        for _ in range(200):
            plant.advance(plant.time + 0.5)
            values.append(getattr(plant, read)("loop.flow"))
        mean = sum(values) / len(values)
        return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))

    bad, good = after("air_in_loop", 30)
    assert spread(bad, "truth") > 20 * spread(good, "truth")
    assert spread(bad, "sensed") > 3 * spread(good, "sensed")
    low, _ = after("low_level", 30)
    assert spread(low, "truth") > 0.5


def test_a_leak_latches_until_cleared_and_stops_when_isolated():
    plant = powered(0)
    plant.inject("leak:5")
    plant.advance(plant.time + 3)
    assert plant.truth("leak.rack") == 0, "10 mL in the pan and two seconds of latency come first"
    plant.advance(plant.time + 4)
    assert plant.truth("leak.rack") == 1
    plant.command("valve.isolate", 1)
    plant.advance(plant.time + 60)
    volume = plant.truth("leak.volume")
    plant.command("leak.clear", 1)
    plant.advance(plant.time + 60)
    assert plant.truth("leak.volume") == volume
    assert plant.truth("leak.rack") == 0
    plant.command("valve.isolate", 0)
    plant.advance(plant.time + 10)
    assert plant.truth("leak.rack") == 1
    plant.clear("leak")
    assert plant.truth("leak.rack") == 1, "latched"
    volume = plant.truth("leak.volume")
    plant.advance(plant.time + 10)
    assert plant.truth("leak.volume") == volume


def test_losing_a_psu_moves_its_current_to_the_others():
    bad, good = after("psu_fail:6", 2)
    assert bad.truth("shelf[6].output_current") == pytest.approx(
        good.truth("shelf[6].output_current") * 5 / 6, rel=0.03
    )
    assert bad.truth("shelf[1].output_current") > good.truth("shelf[1].output_current")
    assert bad.truth("bus.current") == pytest.approx(good.truth("bus.current"), rel=0.003)


def test_a_reboot_ends_by_itself():
    plant = powered(80)
    plant.inject("rack_reboot", at=plant.time + 10)
    plant.advance(plant.time + 20)
    assert plant.faults == ("rack_reboot",)
    assert plant.truth("rack.power") == pytest.approx(25e3)
    assert plant.truth("port[5].up") == 0
    plant.advance(plant.time + 70)
    assert plant.faults == ()
    assert plant.truth("rack.load") == pytest.approx(80)
    assert plant.truth("port[5].up") == 1
    assert plant.truth("switch.uptime") == pytest.approx(80)


def test_a_flapping_link_comes_and_goes():
    plant = powered(0, until=60)
    plant.inject("link_flap", "4=4")
    states = []
    for _ in range(12):
        plant.advance(plant.time + 1)
        states.append(plant.truth("port[4].up"))
    assert states.count(0) == 6
    assert states != sorted(states)
    plant.clear("link_flap")
    assert plant.truth("port[4].up") == 1


@pytest.mark.parametrize("fault", [
    "pump_stop:2", "pump_degraded:1=0.3", "filter_clog:3", "low_level", "air_in_loop", "valve_stuck", "hx_fouled:0.4",
    "fws_step:3", "fws_loss", "outlet_off:2", "breaker_trip:1", "phase_loss:3", "psu_fail:2", "speed_down:9",
    "dew_point_rise", "over_pressure:50", "both_pumps_stop", "tray_blocked:3=0.8", "qd_half:19", "bypass:0.3",
    "tim_bad:5=2", "tray_off:2", "air_pocket:4", "tray_leak:3=0.1",
])  # fmt: skip
def test_clearing_a_fault_brings_the_plant_back(fault):
    bad, good = powered(20), powered(20)
    bad.inject(fault)
    bad.advance(bad.time + 20)
    bad.clear(fault.partition(":")[0])
    assert bad.faults == ()
    for plant in (bad, good):
        plant.advance(2400)
    for name in (*QUIET, "valve.position", "filter.differential_pressure", "shelf[2].on", "port[9].speed", "pdu.power"):
        assert bad.truth(name) == pytest.approx(good.truth(name), rel=3e-3), name


def test_faults_are_scheduled_exactly():
    plant = powered(until=60)
    plant.inject("outlet_off:1", at=75.33)
    plant.advance(75.32)
    assert plant.faults == ()
    assert plant.truth("outlet[1].state") == 1
    plant.advance(75.34)
    assert plant.faults == ("outlet_off:1",)
    assert plant.truth("outlet[1].state") == 0


@pytest.mark.parametrize(
    ("text", "parts"),
    [("pump_stop", ("pump_stop", "", None)), ("leak:cdu=5@90", ("leak", "cdu=5", 90.0)),
     ("leak@5 min", ("leak", "", 300.0)), ("fws_step:-4@1.5h", ("fws_step", "-4", 5400.0)),
     ("sensor_nan:pump[1].rpm@7s", ("sensor_nan", "pump[1].rpm", 7.0))],
)  # fmt: skip
def test_faults_are_written_as_name_arg_time(text, parts):
    assert split(text) == parts


@pytest.mark.parametrize(
    ("text", "hint"),
    [("pump_stopp", "pump_stop"), ("pump_stop:3", "1 to 2"), ("leak:kitchen", "zone"), ("outlet_off:9", "1 to 8"),
     ("sensor_nan:loop.flwo", r"loop\.flow"), ("sensor_offset:loop.flow", "name=delta"), ("fws_loss:2", "no argument"),
     ("filter_clog:0.5", "1 to"), ("pump_stop@soon", "time"), ("lldp_swapped:3", "a-b"), ("link_down:x", "1 to 36"),
     ("hx_fouled:nan", "0 to"), ("leak@-3", "time"),
     ("tray_off", "which tray"), ("tray_off:28", "1 to 27"), ("tray_off:2=1", "number of a tray"),
     ("qd_half:3=0.5", "1 to"),
     ("tray_blocked:3=2", "0 to 1"), ("bypass:1", "0 to 0.9"), ("tim_bad:x", "1 to 27"),
     ("air_pocket:1=1", "0 to 0.99"),
     ("tray_leak:3=-1", "0 to")],
)  # fmt: skip
def test_a_wrong_fault_is_refused_at_once(text, hint):
    plant = Plant()
    with pytest.raises(ValueError, match=hint):
        plant.inject(text)
    assert plant.faults == ()


def test_two_faults_on_one_pump_end_one_by_one():
    plant = Plant()
    for fault in ("pump_stop:1", "both_pumps_stop"):
        plant.inject(fault)
    plant.clear("both_pumps_stop")
    assert [plant.truth(f"pump[{i}].running") for i in (1, 2)] == [0, 1]
    plant.inject("both_pumps_stop")
    plant.clear("pump_stop")
    assert [plant.truth(f"pump[{i}].running") for i in (1, 2)] == [0, 0]
    plant.clear("both_pumps_stop")
    assert [plant.truth(f"pump[{i}].running") for i in (1, 2)] == [1, 1]


def test_clearing_what_is_not_active_is_an_error():
    with pytest.raises(ValueError, match="not active"):
        Plant().clear("leak")


def test_every_fault_stands_in_the_one_table_with_its_role_and_its_truth():
    assert TABLE.keys() >= FAULTS.keys()
    assert {name.partition("_")[0] for name in TABLE.keys() - FAULTS.keys()} <= {"device", "meter", "values", "wrong"}
    assert {each.role for each in TABLE.values()} == {"product", "station"}
    variables = Plant().names()
    assert [each.truth for each in TABLE.values() if each.truth and each.truth not in variables] == []


@pytest.mark.parametrize(("name", "severity"), [(n, s) for n in FAULTS for s in TABLE[n].severities])
def test_each_severity_is_one_that_the_fault_takes(name, severity):
    plant = Plant(replace(RackParameters(), batteries=4))
    plant.inject(name, severity)
    assert plant.faults == (f"{name}:{severity}" if severity else name,)
