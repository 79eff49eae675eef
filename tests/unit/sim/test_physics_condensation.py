"""Water on cold pipes: only below the dew point, as much as Lewis' relation says, and dry again afterwards."""

from __future__ import annotations

import pytest

from sim.physics import Plant
from sim.physics.condensation import vapour_density
from tests.unit.sim.physics_rack import powered


def test_the_vapour_in_air_is_that_of_the_tables():
    for dew, grams in ((0.0, 4.85), (10.0, 9.40), (20.0, 17.3), (30.0, 30.4)):
        assert vapour_density(dew) * 1e3 == pytest.approx(grams, rel=0.01)


def test_a_usual_room_wets_nothing():
    plant = powered()
    plant.advance(7200)
    assert (plant.truth("condensation.wetting"), plant.truth("condensation.film")) == (0, 0)


def test_moist_air_wets_the_pipe_of_the_facility_and_it_dries_again():
    """Dew point 33 over a pipe of 30 degC: 7 mm/s times the difference of the vapour's densities."""
    plant = powered()
    plant.inject("dew_point_rise:33")
    plant.advance(plant.time + 120)
    before = plant.truth("condensation.film")
    plant.advance(plant.time + 600)
    rate = 0.007 * (vapour_density(33.0) - vapour_density(30.0)) * 1e3
    assert plant.truth("condensation.wetting") == 1
    assert plant.truth("condensation.film") - before == pytest.approx(600 * rate, rel=0.01)
    plant.clear("dew_point_rise")
    plant.advance(plant.time + 3600)
    assert (plant.truth("condensation.wetting"), plant.truth("condensation.film")) == (0, 0)


def test_cold_facility_water_is_enough():
    plant = Plant()
    plant.inject("fws_step:-22")
    plant.advance(600)
    assert plant.truth("condensation.wetting") == 1
    assert plant.truth("condensation.film") > 0.5
