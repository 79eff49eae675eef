"""A unit of an input neither blinds an interlock nor misleads the safe state; what does not fit is named."""

from __future__ import annotations

import pytest

from tests.keys.plans import DEFAULT, OFF, PUMP_OFF, only, steps
from tests.keys.rack import FILES
from tests.keys.rows import changed, parsed
from tests.keys.run_bench import ends, error, run_bench, step

ON = {"step": "power_on", "name": "power", "outlets": "pdu.outlet", "stagger": "0 s"}
HOLD = {"step": "hold", "name": "it", "for": "20 s"}
LITTLE = {
    "name": "too little flow",
    "signal": "cdu.each",
    "min": "50 L/min",
    "armed_when": {"signal": "pdu.power", "min": "500 W"},
}
EACH = {"function": "flow_per_power", "inputs": {"flow": "cdu.flow", "power": "pdu.power"}}
BACKWARDS = {"function": "flow_per_power", "inputs": {"power": "pdu.power", "flow": "cdu.flow"}}
SHOWS = {"L/min": (1.0, 10), "m3/h": (0.1, 6), "L/s": (0.01, 17), "gpm": (0.1, 26)}
"""How a meter's unit shows 10 L/min: scale and register."""


def ran(folder, given):
    files = {name: parsed(text) for name, text in FILES.items()}
    for place, value in given.items():
        files = changed(files, place, value)
    return run_bench(folder, files)


@pytest.mark.parametrize("unit", SHOWS)
@pytest.mark.parametrize("derived", [EACH, BACKWARDS, {**EACH, "unit": "L/min"}, {**EACH, "unit": "m3/h"}])
def test_an_interlock_on_a_derived_signal_trips_whatever_the_meters_unit(tmp_path, unit, derived):
    scale, register = SHOWS[unit]
    seen = ran(
        tmp_path,
        {
            **steps(ON, HOLD, wire=[["", 0, "cdu", "holding/1", register]]),
            "cdu/signals/flow": {"address": 1, "unit": unit, "scale": scale, "range": [0, 500]},
            "station/derived": {"cdu.each": derived},
            "station/interlocks/1": LITTLE,
        },
    )
    assert ends(seen).startswith("TRIPPED"), ends(seen)


def test_the_safe_state_sees_a_derived_signal_as_the_run_does(tmp_path):
    """100 L/min and 6 m3/h are the same flow: the pump is not kept for a difference of 94."""
    keep = {"keep": "cdu.pump", "until": {"signal": "cdu.half", "max": "5 L/min"}, "at_most": "20 s"}
    seen = ran(
        tmp_path,
        {
            **steps(ON, wire=[["", 0, "cdu", "holding/5", 60]]),
            "cdu/signals/setpoint": {"address": 5, "unit": "m3/h", "scale": 0.1},
            "cdu/controls/setpoint/unit": "m3/h",
            "station/derived": {
                "cdu.half": {"function": "difference", "inputs": {"high": "cdu.flow", "low": "cdu.setpoint"}}
            },
            DEFAULT: [OFF, keep, PUMP_OFF],
        },
    )
    off = {device: second for second, device, what in seen.told}
    assert off["cdu"] - off["pdu"] < 5.0, "the pump was kept for all of `at_most`"


@pytest.mark.parametrize(
    ("derived", "says"),
    [
        ({**EACH, "unit": "kPa"}, "'kPa' is a pressure, but flow_per_power gives a flow here; write L/min"),
        ({**EACH, "unit": "L/mn"}, "unknown unit 'L/mn'"),
        (
            {"function": "sum", "inputs": {"a": "cdu.temperature", "b": "cdu.temperature"}, "unit": "K"},
            "input a: cdu.temperature is in degC, whose zero is only a mark on a scale",
        ),
        ({"function": "difference", "inputs": {"high": "load.label", "low": "load.label"}}, "load.label shows words"),
        ({"function": "ratio", "inputs": {"part": "cdu.uptime", "whole": "cdu.leak"}}, "cdu.leak shows words"),
    ],
)
def test_what_does_not_fit_is_one_line_with_its_place(tmp_path, derived, says):
    seen = ran(tmp_path, {**only("hold", **{"for": "3 s"}), "station/derived": {"cdu.x": derived}})
    lines = [line for line in error(seen).splitlines() if "HX-1303" in line]
    assert len(lines) == 1, error(seen)
    assert says in lines[0]
    assert "station.yaml:" in lines[0]


@pytest.mark.parametrize(("limit", "verdict"), [("9 degF", None), ("16 K", "PASS"), ("14 K", "FAIL")])
def test_a_difference_of_temperatures_takes_limits_of_differences(tmp_path, limit, verdict):
    """40 and 25 degC are 15 K apart. `9 degF` is a place on a thermometer, -12.8 degC."""
    measure = {"step": "measure", "name": "it", "signal": "cdu.x", "over": "3 s", "limit": {"max": limit}}
    rise = {"function": "difference", "inputs": {"high": "cdu.zone[2].temperature", "low": "cdu.temperature"}}
    warm = [["", 0, "cdu", "holding/21", 40], ["", 0, "cdu", "holding/2", 25]]
    seen = ran(tmp_path, {**steps(measure, wire=warm), "station/derived": {"cdu.x": rise}})
    if verdict is None:
        assert "'degF' is a temperature, but 'K' (temperature difference) is needed" in error(seen)
    else:
        assert str(step(seen, "it").verdict) == verdict, ends(seen)
