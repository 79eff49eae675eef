"""Derived signals against hand calculations, with what is not known of their inputs."""

from __future__ import annotations

import math

import pytest

from harness.limits.derived import FUNCTIONS
from harness.limits.uncertainty import through, total


def value(name, **given):
    return FUNCTIONS[name].compute(**given)


def test_the_approach_is_what_the_supply_is_above_the_facility():
    assert value("approach", coolant=35.0, facility=30.0) == 5.0


def test_effectiveness_is_that_of_ntu():
    """Counterflow, equal capacities, NTU 2: eps = NTU / (1 + NTU) = 2/3, so 15 K of span are a rise of 10 K."""
    flow = 100.0
    facility_flow = 100.0 * 4.007 / 4.16  # equal capacity rates
    found = value(
        "effectiveness", flow=flow, supply=35.0, **{"return": 45.0}, facility=30.0, facility_flow=facility_flow
    )
    assert found == pytest.approx(100 * 2 / 3, rel=0.002)
    nowhere = {"flow": 100.0, "supply": 35.0, "return": 30.0, "facility": 30.0, "facility_flow": 100.0}
    assert math.isnan(value("effectiveness", **nowhere))


def test_branches_are_out_of_balance_by_the_worst_of_them():
    assert value("branch_imbalance", a=9.0, b=10.0, c=12.5) == pytest.approx(100 * 2.0 / 10.5)
    assert math.isnan(value("branch_imbalance", a=0.0, b=0.0, c=0.0))


def test_a_thermal_resistance_without_power_is_none():
    assert value("thermal_resistance", coolant=35.0, junction=65.0, power=1.2) == pytest.approx(25.0)
    assert math.isnan(value("thermal_resistance", coolant=35.0, junction=65.0, power=0.005))


def test_a_cold_pressure_drop_is_brought_to_warm_coolant():
    """PG25 has 2.44 mPa s at 20 degC and 1.54 at 35: (2.44 / 1.54)^0.25 = 1.122."""
    assert value("pressure_drop_at_35", pressure_drop=67.3, temperature=20.0) == pytest.approx(60.0, rel=0.002)
    assert value("pressure_drop_at_35", pressure_drop=60.0, temperature=35.0) == pytest.approx(60.0)


def test_a_meter_two_percent_out():
    assert value("meter_truth", meter=10.2, reference=10.0) == pytest.approx(2.0)
    assert math.isnan(value("meter_truth", meter=10.2, reference=0.0))


def test_a_loss_is_known_worse_than_what_it_is_the_difference_of():
    """16.85 kW in and 16.4 out, each to 0.5 % (u 0.05 kW): 0.45 kW are known to 15 %."""
    loss = FUNCTIONS["power_loss"].compute
    given = {"input": 16.85, "output": 16.4}
    found = through(loss, given, {key: {key: 0.005 * each / math.sqrt(3)} for key, each in given.items()})
    assert loss(**given) == pytest.approx(0.45)
    assert total(found) == pytest.approx(0.005 / math.sqrt(3) * math.hypot(16.85, 16.4))


def test_the_dew_point_is_known_by_both_of_its_inputs():
    """Magnus: 1 % of humidity at 45 % is 0.33 K, 0.2 K of temperature are 0.18 K."""
    dew = FUNCTIONS["dew_point"].compute
    found = through(dew, {"temperature": 24.0, "humidity": 45.0}, {"temperature": {"t": 0.2}, "humidity": {"h": 1.0}})
    assert abs(found["h"]) == pytest.approx(0.33, abs=0.02)
    assert abs(found["t"]) == pytest.approx(0.18, abs=0.02)
