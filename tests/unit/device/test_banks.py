"""Banks hold what the device has: fewer outlets than the profile counts are no reason for an unsafe rack."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import known_profiles, load_profile
from harness.errors import IdentityError
from harness.schema.station import Station
from sim.station import start

PROFILE = "pdu/apc_rpdu2"


def names(points):
    """Names of points."""
    return [point.name for point in points]


def opened(served, counts):
    """The device of a station with `counts`, opened on a twin that serves `served` outlets; its expansion."""

    async def main():
        profile, _ = load_profile(known_profiles()[PROFILE])
        station = Station.model_validate(
            {
                "schema": 1,
                "station": "s",
                "devices": {"pdu": {"profile": PROFILE, "address": "snmp://h:161", "counts": {"outlet": served}}},
            }
        )
        simulation = await start(station, {PROFILE: profile}, virtual=True, seed=3, faults=(), ports=None)
        entry = station.devices["pdu"].model_copy(update={"counts": counts})
        device = DeviceBuilder(Clock(), Path.cwd(), simulation.network).make(
            "pdu", entry, profile, simulation.addresses["pdu"]
        )
        try:
            await device.open()
            return device.expansion
        finally:
            await device.close()
            await simulation.close()

    return run(main, rate=math.inf)


@pytest.mark.parametrize("served", [1, 3, 8])
def test_a_bank_is_what_was_found(served):
    expansion = opened(served, {})
    assert names(expansion.bank("outlet")) == [f"outlet[{k}]" for k in range(1, served + 1)]
    assert f"outlet[{served + 1}]" in expansion.absent


def test_an_outlet_by_name_stays_a_control_so_that_it_is_refused_and_not_left_out():
    assert names(opened(3, {}).bank("outlet[5]")) == ["outlet[5]"]


def test_fewer_than_the_station_counts_are_refused():
    assert names(opened(8, {"outlet": 8}).bank("outlet")) == [f"outlet[{k}]" for k in range(1, 9)]
    with pytest.raises(IdentityError, match="the device has 3 of outlet, the station file counts 8"):
        opened(3, {"outlet": 8})


def test_a_device_with_none_keeps_the_whole_bank_so_that_commanding_it_is_refused():
    expansion = opened(1, {})
    absent = frozenset(expansion.controls)
    whole = type(expansion)(expansion.signals, expansion.controls, absent)
    assert len(whole.bank("outlet")) == 48
