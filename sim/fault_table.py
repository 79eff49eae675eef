"""Every fault of a simulated station in one table: whose it is, what it does, how mild and how severe, what it changes.

`role`: product is the rack under test, station what tests it; a verdict that accuses the other one is wrong. The truth
is a variable of the plant (`sim.physics`), which no sensor stands before; faults of instruments and
devices change none.
"""

from __future__ import annotations

from typing import Literal, NamedTuple


class Fault(NamedTuple):
    """One kind of fault."""

    role: Literal["product", "station"]
    does: str
    """What it does, its argument first."""
    truth: str = ""
    """The variable that shows it, for the first of `severities`."""
    severities: tuple[str, ...] = ("",)
    """Arguments from mild to severe."""


PRODUCT: Literal["product"] = "product"
STATION: Literal["station"] = "station"
TABLE: dict[str, Fault] = {
    "device_silent": Fault(STATION, "DEVICE accepts connections and never answers", "", ()),
    "device_slow": Fault(STATION, "DEVICE=2s answers late by the time given (default 2 s)", "", ("200ms", "2s", "10s")),
    "device_down": Fault(STATION, "DEVICE has no power: nobody listens", "", ()),
    "device_refuses": Fault(STATION, "DEVICE answers every request with an error", "", ()),
    "meter_refresh": Fault(
        STATION,
        "DEVICE=3s renews its quantities only this often (default 3 s); states and commands are not late",
        "",
        ("3s", "10s"),
    ),
    "values_frozen": Fault(
        STATION, "DEVICE shows the values of this moment for ever; it answers, obeys, and its uptime goes on", "", ()
    ),
    "device_frozen": Fault(
        STATION,
        "DEVICE answers for ever what it shows at this moment, its uptime too, as a controller that hangs",
        "",
        (),
    ),
    "wrong_model": Fault(STATION, "another model answers at the address of DEVICE", "", ()),
    "device_reboot": Fault(STATION, "DEVICE is away for 3 s and starts again", "", ()),
    "device_heal": Fault(STATION, "DEVICE is healthy again", "", ()),
    "pump_stop": Fault(STATION, "N: pump N stops", "pump[1].running", ("1", "2")),
    "both_pumps_stop": Fault(STATION, "both pumps stop", "loop.flow", ("",)),
    "pump_degraded": Fault(
        STATION, "N[=0.5]: pump N has this share of its head left", "pump[1].power", ("1=0.9", "1=0.7", "1=0.5")
    ),
    "filter_clog": Fault(
        STATION,
        "[4]: the resistance of the loop is this many times the clean one",
        "filter.differential_pressure",
        ("1.5", "4", "30"),
    ),
    "flow_meter_zero": Fault(STATION, "the flow meter shows 0", "", ("",)),
    "sensor_offset": Fault(
        STATION,
        "SIGNAL=DELTA: a sensor shows too much by DELTA (unit of the signal)",
        "",
        ("loop.supply_temperature=0.5", "loop.supply_temperature=1", "loop.supply_temperature=4"),
    ),
    "sensor_stuck": Fault(STATION, "SIGNAL[=VALUE]: a sensor shows the same for ever", "", ("loop.flow",)),
    "sensor_nan": Fault(STATION, "SIGNAL: a sensor is broken, its device says so", "", ("loop.flow",)),
    "leak": Fault(PRODUCT, "[ZONE=][2]: leak in rack or cdu, mL/s", "leak.rack", ("0.05", "2", "20")),
    "low_level": Fault(STATION, "[8]: the reservoir is down to this percentage", "loop.level", ("25", "8")),
    "over_pressure": Fault(
        STATION, "[180]: static pressure is higher by this many kPa", "loop.supply_pressure", ("90", "180")
    ),
    "air_in_loop": Fault(STATION, "[0.5]: share of air the pumps draw", "loop.flow", ("0.2", "0.5")),
    "valve_stuck": Fault(STATION, "the facility water valve stays where it is", "valve.position", ("",)),
    "hx_fouled": Fault(STATION, "[0.6]: lost share of the heat exchanger", "valve.position", ("0.3", "0.6")),
    "fws_step": Fault(
        STATION, "[6]: facility water is warmer by this many K", "facility.supply_temperature", ("3", "6", "14")
    ),
    "fws_loss": Fault(STATION, "facility water stops", "facility.flow", ("",)),
    "dew_point_rise": Fault(STATION, "[34.5]: dew point of the room in degC", "ambient.dew_point", ("30", "34.5")),
    "tray_blocked": Fault(
        PRODUCT, "N[=1]: this share of the way through tray N is blocked", "tray[3].flow", ("3=0.3", "3=0.5", "3=1")
    ),
    "qd_half": Fault(
        PRODUCT,
        "N[=4]: a coupling of tray N is half seated, its branch has so many times its resistance",
        "tray[3].flow",
        ("3=2", "3=4"),
    ),
    "bypass": Fault(
        PRODUCT, "[0.1]: this share of the rack's flow passes all trays by", "tray[3].flow", ("0.1", "0.2")
    ),
    "tim_bad": Fault(
        PRODUCT,
        "N[=1.3]: so many times the thermal resistance between the plates of tray N and its junctions",
        "tray[3].junction_temperature",
        ("3=1.3", "3=1.5", "3=2"),
    ),
    "tray_off": Fault(PRODUCT, "N: tray N is off by itself", "tray[3].on", ("3",)),
    "air_pocket": Fault(
        PRODUCT,
        "N[=0.5]: air covers this share of the plates of tray N; flow carries it off in half an hour",
        "tray[3].plate_temperature",
        ("3=0.3", "3=0.7"),
    ),
    "tray_leak": Fault(PRODUCT, "N[=1]: leak in tray N, mL/s", "tray[3].leak", ("3=0.1", "3=1")),
    "outlet_stuck": Fault(STATION, "[PDU.]N: the relay of outlet N does not move any more", "outlet[1].state", ("1",)),
    "outlet_off": Fault(STATION, "[PDU.]N: outlet N opens by itself", "outlet[1].state", ("1",)),
    "breaker_trip": Fault(STATION, "[PDU.]N: the breaker of outlet N trips", "outlet[1].voltage", ("1",)),
    "phase_loss": Fault(STATION, "[PDU.]N: phase N is lost", "phase[1].current", ("1",)),
    "feed_loss": Fault(
        STATION,
        "[PDU]: a PDU (by name, or A, B in the order of the station) has no mains; it goes on answering",
        "outlet[1].voltage",
        ("",),
    ),
    "psu_fail": Fault(
        PRODUCT, "N[.K]: supply K of shelf N fails; without K the first that works", "shelf[1].psu_ok", ("1", "1.3")
    ),
    "holdup_weak": Fault(
        PRODUCT,
        "N[=0.5]: the bulk capacitors of shelf N hold this share of what they should",
        "shelf[1].on",
        ("1=0.8", "1=0.5"),
    ),
    "insulation_weak": Fault(
        PRODUCT,
        "N[=0.001]: the insulation of the supplies of shelf N, mains to case, has this share of its resistance",
        "shelf[1].insulation",
        ("1=0.05", "1=0.001"),
    ),
    "cords_swapped": Fault(
        PRODUCT,
        "[PDU.]A-[PDU.]B: what hangs on outlet A hangs on B, and the other way round",
        "outlet[3].current",
        ("3-6",),
    ),
    "inrush_high": Fault(
        PRODUCT,
        "[PDU.]N[=2]: what hangs on outlet N takes this many times the inrush that it should",
        "outlet[1].current",
        ("1=1.5", "1=2"),
    ),
    "battery_low": Fault(
        PRODUCT,
        "[5]: the batteries of the rack are down to this percentage of their charge",
        "battery[1].charge",
        ("50", "5"),
    ),
    "meter_frozen": Fault(STATION, "[PDU]: the meter of a PDU shows the same for ever", "", ("",)),
    "link_down": Fault(PRODUCT, "N: cable of port N is broken", "port[7].up", ("7",)),
    "link_flap": Fault(
        PRODUCT, "N[=10]: link N goes up and down with this period in s", "port[7].changes", ("7", "7=3")
    ),
    "speed_down": Fault(PRODUCT, "N: port N negotiates a quarter of its speed", "port[7].speed", ("7",)),
    "lldp_swapped": Fault(PRODUCT, "A-B: the cables of two ports are swapped", "port[3].neighbor", ("3-4",)),
    "counters_cleared": Fault(
        STATION, "N: somebody clears the counters of port N, which start again from zero", "port[7].octets_in", ("7",)
    ),
    "optic_hot": Fault(PRODUCT, "N: the optic of port N gets hot", "port[7].temperature", ("7",)),
    "ber_drift": Fault(PRODUCT, "N: the error rate of port N grows", "port[7].errors_in", ("7",)),
    "gas_leak": Fault(
        PRODUCT, "[30]: the rack loses this many sccm of gas at 500 kPa absolute", "gas.lost", ("10", "30", "100")
    ),
    "gas_step": Fault(
        PRODUCT, "[2]: a coupling lets go of this many kPa of gas at once and holds again", "gas.pressure", ("0.5", "2")
    ),
    "gas_valve_passes": Fault(
        STATION,
        "[isolate|fill][=20]: a closed valve of the leak tester lets this many sccm pass",
        "gas.line_pressure",
        ("isolate=20", "fill=20"),
    ),
    "gas_thermometer_loose": Fault(
        STATION, "N[=0.3]: thermometer N has come off and follows this share of the gas temperature", "", ("1=0.3",)
    ),
    "gas_wet": Fault(PRODUCT, "[500]: this many mL of liquid are left in the rack", "gas.dew_point", ("50", "500")),
    "sdc": Fault(
        PRODUCT, "N[=0.3]: tray N computes this share of its rounds wrong", "workload[3].result", ("3=0.05", "3=0.3")
    ),
    "rack_reboot": Fault(
        PRODUCT,
        "[idle]: the trays restart; idle: and have forgotten the workload they were told to run",
        "rack.uptime",
        ("", "idle"),
    ),
}
