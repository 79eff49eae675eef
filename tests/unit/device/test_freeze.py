"""Sensors that stand still: found in time, and no good one is called frozen. Judged by the simulator's sensors."""

from __future__ import annotations

import pytest

from tests.freezing import START, watch_hours, watch_rack

LOADED = (*START, (40.0, "load", 100.0))
FROZEN_AT = 90.0


@pytest.mark.parametrize(
    ("fault", "signal"), [("sensor_stuck:cdu.flow", "cdu.flow"), ("meter_frozen", "pdu.power")], ids=["flow", "power"]
)
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_flow_and_power_that_freeze_under_load_are_found_in_15_s(fault: str, signal: str, seed: int) -> None:
    seen = watch_rack(120.0, LOADED, [f"{fault}@{FROZEN_AT:g}s"], seed=seed)
    assert seen.found(signal) - FROZEN_AT <= 15.0, seen.reported
    assert {text.split(" ")[0] for at, text in seen.reported if at < FROZEN_AT} == set()


MOVES = {
    "cdu.return_temperature": ([], 80.0),  # a load step of 20 %
    "cdu.supply_temperature": (["fws_step:6@200s"], 100.0),  # the CDU holds it against the load, not against its water
}


@pytest.mark.parametrize("signal", list(MOVES))
def test_a_thermometer_is_found_by_what_must_move_it(signal: str) -> None:
    faults, load = MOVES[signal]
    seen = watch_rack(260.0, (*LOADED, (200.0, "load", load)), [f"sensor_stuck:{signal}@150s", *faults], seed=5)
    assert 200.0 < seen.found(signal) <= 245.0, seen.reported
    quiet = watch_rack(195.0, LOADED, [f"sensor_stuck:{signal}@185s"], seed=5)
    assert quiet.reported == [], "standing still within its resolution at steady load is no fault"


@pytest.mark.parametrize("faults", [(), ("meter_refresh:pdu=3s",), ("meter_refresh:cdu=3s",)], ids=str)
def test_a_good_rack_is_not_called_frozen(faults: tuple[str, ...]) -> None:
    idle_and_off = (*LOADED, (160.0, "load", 0.0), *((220.0 + k, f"outlet[{k}]", 0.0) for k in range(1, 9)))
    seen = watch_rack(320.0, idle_and_off, faults, seed=21)
    assert seen.reported == []
    assert seen.stale == {}
    assert seen.frames > 1000


@pytest.mark.parametrize(("rack", "refresh"), [("132kW", 1), ("30kW", 3), ("600kW", 1)])
def test_hours_without_a_false_word(rack: str, refresh: int) -> None:
    assert watch_hours(1.0, seed=31, rack=rack, refresh=refresh) == []


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("rack", ["30kW", "60kW", "132kW", "250kW", "600kW"])
@pytest.mark.parametrize("seed", range(10))
def test_a_thousand_hours_without_a_false_word(rack: str, seed: int) -> None:
    assert watch_hours(20.0, seed=100 + seed, rack=rack, refresh=1 + 2 * (seed % 2)) == []
