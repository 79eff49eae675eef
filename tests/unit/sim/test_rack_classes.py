"""The classes of racks against closed forms: heat, flow, voltage, and what is left when a shelf or a pump fails.

What each class claims is written here once more, from the same public figures; nothing is taken from the simulator.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from harness.schema.simulation import Simulation
from sim.physics import Plant, RackParameters
from sim.physics.rack_classes import CLASSES, for_power
from tests.unit.sim.physics_rack import powered

RHO_CP = 4.009e6
"""J/(m3 K) of PG25 at 40 degC."""


class Claim(NamedTuple):
    """What is expected of a class."""

    kilowatts: float
    flow: float
    """L/min"""
    rise: float
    """K at full load."""
    drop: float
    """kPa at the design flow and 35 degC."""
    shelves: int
    spare: int
    """So many shelves may fail."""
    supply: float
    """W of one supply."""
    volts: float
    bore: float
    """mm of the pipes."""


CLAIMS = (
    Claim(30, 39, 9.2, 40, 2, 1, 5500, 50, 25),
    Claim(60, 78, 9.2, 45, 3, 1, 5500, 50, 38),
    Claim(132, 172, 10.0, 60, 8, 4, 5500, 50, 50.5),
    Claim(250, 326, 10.35, 60, 4, 1, 18300, 50, 63),
    Claim(600, 782, 10.35, 60, 7, 1, 18300, 800, 90),
)
PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "rack-classes.md"
SHOWN: dict[str, Callable[[RackParameters], float]] = {
    "power [kW]": lambda p: p.maximum_power / 1e3,
    "power without workload [kW]": lambda p: p.idle_power / 1e3,
    "heat in the coolant [%]": lambda p: 100 * p.liquid_share,
    "trays": lambda p: sum(group.number for group in p.trays),
    "devices on the plates": lambda p: sum(group.number * group.devices for group in p.trays),
    "junction above its plate [K/W]": lambda p: p.junction_resistance,
    "design flow [L/min]": lambda p: p.design_flow,
    "pressure drop of the rack [kPa]": lambda p: p.rack_drop,
    "its exponent": lambda p: p.rack_exponent,
    "pressure drop of the unit [kPa]": lambda p: p.unit_drop,
    "coolant in the rack [L]": lambda p: p.rack_volume,
    "each line [L]": lambda p: (p.supply_volume + p.return_volume) / 2,
    "reservoir [L]": lambda p: p.reservoir_volume,
    "head of a pump [kPa]": lambda p: p.shutoff_head,
    "flow at 40 % of the head [L/min]": lambda p: p.pump_reference_flow,
    "exchanger [kW/K]": lambda p: p.exchanger_conductance / 1e3,
    "facility water [L/min]": lambda p: p.facility_flow,
    "shelves": lambda p: p.shelves,
    "shelves that carry full load": lambda p: math.ceil(p.maximum_power / (p.psus * p.supply_rating)),
    "supplies of a shelf": lambda p: p.psus,
    "one supply [kW]": lambda p: p.supply_rating / 1e3,
    "bus [V]": lambda p: p.bus_voltage,
    "droop at the rating [V]": lambda p: p.bus_droop,
    "bus capacitors [mF]": lambda p: p.bus_capacitance * 1e3,
    "trays drop below [V]": lambda p: p.under_voltage,
    "batteries take over below [V]": lambda p: p.battery_voltage,
    "breaker of an outlet [A]": lambda p: p.breaker_current,
    "ports of the switch": lambda p: p.ports,
    "speed of a port [Gb/s]": lambda p: p.port_speed / 1e3,
}
every_class = pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.kilowatts}kW")


def loaded(claim: Claim) -> Plant:
    """The rack at full load, settled."""
    return powered(kind=for_power(claim.kilowatts), until=600.0)


def test_every_class_that_a_station_may_name_is_here():
    names = [f"{each.name.replace(' ', '')}" for each in CLASSES]
    assert [*names, "psu"] == list(get_args(Simulation.model_fields["rack"].annotation))
    assert [f"{claim.kilowatts}kW" for claim in CLAIMS] == names


def test_the_page_shows_the_numbers_of_the_classes():
    lines = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert lines[0] == [each.name for each in CLASSES]
    assert {name: values for name, *values in lines[1:]} == {
        name: [f"{number(each):g}" for each in CLASSES] for name, number in SHOWN.items()
    }


@every_class
def test_at_full_load_heat_flow_and_voltage_are_what_closed_forms_say(claim):
    plant = loaded(claim)
    watts = claim.kilowatts * 1e3
    assert plant.truth("rack.power") == pytest.approx(watts, rel=1e-6)
    assert plant.truth("rack.throttling") == 0
    # coolant
    flow = plant.truth("loop.flow")
    rise = plant.truth("loop.return_temperature") - plant.truth("loop.supply_temperature")
    assert flow == pytest.approx(claim.flow, rel=0.005)
    assert rise == pytest.approx(claim.rise, rel=0.02)
    assert plant.truth("rack.heat_liquid") + plant.truth("rack.heat_air") == pytest.approx(watts, rel=1e-6)
    friction = flow / 60e3 * 1e3 * plant.loop.drop * 1e-3
    assert RHO_CP * flow / 60e3 * rise == pytest.approx(plant.truth("rack.heat_liquid") + friction, rel=0.005)
    water = plant.truth("facility.return_temperature") - plant.truth("facility.supply_temperature")
    taken = 4.15e6 * plant.truth("facility.flow") / 60e3 * water
    assert taken == pytest.approx(plant.truth("rack.heat_liquid") + friction, rel=0.01), (
        "all of it goes to the facility"
    )
    thinner = (1.353 / 1.542) ** 0.25  # the coolant is at 40 degC, the claim of 35
    assert plant.truth("loop.differential_pressure") == pytest.approx(claim.drop * thinner, rel=0.02)
    assert 20 < plant.truth("valve.position") < 85
    # bus: shelves share, each droops by 1 % of the voltage at its rating
    rating = 6 * claim.supply
    load = watts / (claim.shelves * rating)
    volts = plant.truth("bus.voltage")
    assert volts == pytest.approx(claim.volts * (1 - 0.01 * load), rel=2e-4)
    assert plant.truth("bus.current") * volts == pytest.approx(0.975 * watts, rel=1e-4)
    for shelf in range(1, claim.shelves + 1):
        assert plant.truth(f"shelf[{shelf}].output_power") == pytest.approx(load * 0.975 * rating, rel=1e-3)
    amperes = plant.truth("pdu.power") / (3 * 240 * claim.shelves)
    assert plant.truth("outlet[1].current") == pytest.approx(amperes / 0.99, rel=0.01)
    assert amperes < 0.8 * plant.parameters.breaker_current


@every_class
def test_as_many_shelves_may_fail_as_the_class_claims(claim):
    """One shelf more, and the others are overloaded: they switch themselves off."""
    left = claim.shelves - claim.spare
    assert left * 6 * claim.supply >= claim.kilowatts * 1e3
    plant = powered(kind=for_power(claim.kilowatts), until=60.0)
    for shelf in range(1, claim.spare + 1):
        plant.command(f"shelf[{shelf}].force_ac_loss", 1)
    plant.advance(70.0)
    assert plant.truth("rack.power") == pytest.approx(claim.kilowatts * 1e3, rel=1e-6)
    assert plant.truth("bus.voltage") >= 0.989 * claim.volts
    plant.command(f"shelf[{claim.shelves}].force_ac_loss", 1)
    plant.advance(80.0)
    loading = claim.kilowatts * 1e3 / ((left - 1) * 6 * claim.supply) if left > 1 else math.inf
    assert loading / (1 - 0.01 * min(loading, 2)) > 1.1, "of the rated current, at the voltage that is left"
    assert plant.truth("rack.power") == 0


@every_class
def test_one_pump_is_enough_and_coolant_is_neither_too_fast_nor_too_slow(claim):
    plant = loaded(claim)
    plant.inject("pump_stop", "1")
    low = claim.flow
    for half in range(60):
        plant.advance(600.0 + 0.5 * half)
        low = min(low, plant.truth("loop.flow"))
    assert 0.7 * claim.flow < low < 0.95 * claim.flow
    plant.advance(660.0)
    assert plant.truth("loop.flow") == pytest.approx(claim.flow, rel=0.01)
    assert plant.truth("pump[2].speed") < 90
    kind = plant.parameters
    area = math.pi / 4 * (claim.bore * 1e-3) ** 2
    assert 1.0 < claim.flow / 60e3 / area < 2.2, "m/s"
    assert 6 < kind.supply_volume * 1e-3 / area < 13, "m from the unit to the rack"
    assert 5 < kind.supply_volume / claim.flow * 60 < 8, "s"


@every_class
def test_the_mains_may_be_away_for_20_ms_and_then_the_bus_falls_by_6_percent_a_millisecond(claim):
    plant = powered(kind=for_power(claim.kilowatts), until=60.0)
    for shelf in range(1, claim.shelves + 1):
        plant.command(f"shelf[{shelf}].force_ac_loss", 1)
    held = 0.020 * claim.shelves * 6 * claim.supply / (claim.kilowatts * 1e3)
    before = plant.truth("bus.voltage")
    plant.advance(60.0 + held - 1e-4)
    assert plant.truth("bus.voltage") == pytest.approx(before)
    plant.advance(60.0 + held + 1e-3)
    assert (before - plant.truth("bus.voltage")) / claim.volts == pytest.approx(0.062, abs=0.005)
