"""The classes of racks, each with its own numbers.

What is known in public is said beside a number; what has no source beside it is an estimate for a rack of that kind:
pipes by the speed of the coolant in them (1.1 to 2.1 m/s), pumps so that one of the two reaches the design flow, the
exchanger for 5 K between facility water and supply, bus capacitors for 6 % of the voltage in a millisecond at full
load.

Flows are those of 10 K of rise, 1.3 L/min/kW, with 87 % of the heat in the coolant (PG25, rho cp 4.0 MJ/(m3 K)).
"""

from __future__ import annotations

import math
from dataclasses import replace

from sim.physics.parameters import RackParameters
from sim.physics.tray_kinds import BLADES, SERVERS_30, SERVERS_60

_MICROCHANNELS = 1.8  # exponent of plates that are partly laminar: 1.75 turbulent, 2 rough, 1 laminar

KW30 = RackParameters(
    name="30 kW",
    # heat: four servers of eight accelerators of 0.7 kW; fans keep memory, drives and network cards
    idle_power=7e3,
    maximum_power=30e3,
    liquid_share=0.80,
    air_rate=600.0,  # 10 K
    plate_capacity=7.5e3,
    plate_conductance=6e3,  # 4 K
    trays=SERVERS_30,
    junction_resistance=0.0285,  # 20 K at 0.7 kW
    # loop: hoses of 25 mm, 8 m each way
    design_flow=39.0,
    rack_volume=6.0,
    supply_volume=3.9,
    return_volume=3.9,
    exchanger_volume=2.5,
    reservoir_volume=10.0,
    rack_drop=40.0,
    rack_exponent=_MICROCHANNELS,
    unit_drop=30.0,
    filter_drop=6.0,
    expansion_stiffness=15.0,
    trapped_stiffness=25e3,
    shutoff_head=200.0,
    pump_reference_flow=70.0,
    exchanger_conductance=7.5e3,
    exchanger_reference=2.6e3,
    facility_flow=70.0,
    # electrical: two ORv3 HPR shelves of 6 x 5.5 kW, one is enough (N+N)
    shelves=2,
    bus_capacitance=0.195,
    eload_current=90.0,
    # network: a port for each accelerator
    ports=32,
)

KW60 = replace(
    KW30,
    name="60 kW",
    # eight such servers
    idle_power=14e3,
    maximum_power=60e3,
    air_rate=1200.0,  # 10 K
    plate_capacity=15e3,
    plate_conductance=12e3,
    trays=SERVERS_60,
    # pipes of 38 mm, 8 m each way
    design_flow=78.0,
    rack_volume=11.0,
    supply_volume=9.1,
    return_volume=9.1,
    exchanger_volume=5.0,
    reservoir_volume=15.0,
    rack_drop=45.0,
    unit_drop=35.0,
    filter_drop=7.0,
    expansion_stiffness=10.0,
    trapped_stiffness=13.6e3,
    shutoff_head=220.0,
    pump_reference_flow=140.0,
    exchanger_conductance=15e3,
    exchanger_reference=5.2e3,
    facility_flow=140.0,
    # three ORv3 HPR shelves, two are enough (N+1)
    shelves=3,
    bus_capacitance=0.39,
    eload_current=180.0,
    ports=64,
)

KW132 = RackParameters()
"""72 accelerators in 18 compute and 9 switch trays, 8 shelves of 6 x 5.5 kW: public documents of NVIDIA on GB200 and
GB300 NVL72. The loop: two pumps at 62 % give 172 L/min; pipes of 50 mm, 10 m each way."""

KW250 = RackParameters(
    name="250 kW",
    # heat: the next generation of the same trays, without fans. 190 to 230 kW are quoted for Vera Rubin NVL72 (press on
    # GTC 2025 and CES 2026; TrendForce: 225 kW), with some margin here
    idle_power=47e3,
    maximum_power=250e3,
    liquid_share=0.90,
    air_rate=2500.0,  # 10 K
    plate_capacity=36e3,
    plate_conductance=45e3,  # 5 K
    junction_resistance=0.0088,  # 20 K at 2.3 kW, Vera Rubin's package (press)
    # loop: pipes of 63 mm, 10 m each way
    design_flow=326.0,
    rack_volume=40.0,
    supply_volume=31.0,
    return_volume=31.0,
    exchanger_volume=18.0,
    reservoir_volume=45.0,
    rack_exponent=_MICROCHANNELS,
    unit_drop=45.0,
    expansion_stiffness=3.3,
    trapped_stiffness=3750.0,
    shutoff_head=320.0,
    pump_reference_flow=560.0,
    pump_rpm=5000.0,
    spin_up_tau=1.8,
    coast_tau=2.4,
    flow_ki=0.067,  # as slow as its pumps
    exchanger_conductance=66e3,
    exchanger_reference=21.7e3,
    facility_flow=580.0,
    # electrical: four shelves of 110 kW with supplies of 18.3 kW at a 50 V busbar beyond 5 000 A (quoted for this
    # generation; four shelves: public descriptions of VR NVL72), three are enough (N+1); two are not
    shelves=4,
    supply_rating=18.3e3,
    breaker_current=200.0,  # 154 A at a shelf's rating
    bus_capacitance=1.63,
    eload_current=750.0,
    port_speed=800e3,
)

KW600 = RackParameters(
    name="600 kW",
    # heat: 600 kW is NVIDIA's figure for the Kyber rack (GTC 2025), 660 kW TrendForce's estimate of 2026
    idle_power=110e3,
    maximum_power=600e3,
    liquid_share=0.90,
    air_rate=6000.0,  # 10 K
    plate_capacity=110e3,
    plate_conductance=108e3,  # 5 K
    trays=BLADES,
    junction_resistance=0.0067,  # 20 K at 3 kW
    # loop: pipes of 90 mm, 12 m each way
    design_flow=782.0,
    rack_volume=110.0,
    supply_volume=76.0,
    return_volume=76.0,
    exchanger_volume=45.0,
    reservoir_volume=110.0,
    rack_exponent=_MICROCHANNELS,
    unit_drop=50.0,
    filter_drop=10.0,
    expansion_stiffness=1.5,
    trapped_stiffness=1360.0,
    shutoff_head=350.0,
    pump_reference_flow=1350.0,
    pump_rpm=4500.0,
    spin_up_tau=2.5,
    coast_tau=3.0,
    flow_ki=0.048,  # as slow as its pumps
    exchanger_conductance=155e3,
    exchanger_reference=52e3,
    facility_flow=1350.0,
    # electrical: 800 V DC from a power rack beside it (NVIDIA's white paper on 800 VDC, 2025; a reference design of
    # 660 kW and Meta's power rack "HPR V4" of up to 800 kW are public). Seven shelves of 6 x 18.3 kW, six are enough
    # (N+1). What a shelf does at 800 V is that of an ORv3 HPR shelf at 50 V, in the same proportion to the voltage
    shelves=7,
    supply_rating=18.3e3,
    breaker_current=200.0,
    bus_voltage=800.0,
    bus_droop=8.0,
    bus_capacitance=0.0152,
    under_voltage=640.0,
    battery_cells=192,
    battery_voltage=776.0,
    battery_droop=8.0,
    eload_current=115.0,
    # network: a port for each compute blade
    ports=72,
    port_speed=800e3,
)

CLASSES = (KW30, KW60, KW132, KW250, KW600)

_WITH_THE_POWER = (
    "idle_power",
    "maximum_power",
    "air_rate",
    "plate_capacity",
    "plate_conductance",
    "design_flow",
    "rack_volume",
    "supply_volume",
    "return_volume",
    "exchanger_volume",
    "reservoir_volume",
    "pump_reference_flow",
    "exchanger_conductance",
    "exchanger_reference",
    "facility_flow",
    "supply_rating",
    "breaker_current",
    "bus_capacitance",
    "eload_current",
)
_AGAINST_IT = ("junction_resistance", "expansion_stiffness", "trapped_stiffness")


def scaled(base: RackParameters, kilowatts: float) -> RackParameters:
    """A rack like `base` of another power: powers and flows go with it, so that temperatures and times stay."""
    factor = kilowatts * 1e3 / base.maximum_power
    changed = {name: getattr(base, name) * factor for name in _WITH_THE_POWER}
    changed |= {name: getattr(base, name) / factor for name in _AGAINST_IT}
    return replace(base, name=f"{kilowatts:g} kW", **changed)


def for_power(kilowatts: float) -> RackParameters:
    """The class of this power, or the nearest one (by ratio) scaled to it; ValueError unless it is positive."""
    if not kilowatts > 0:
        raise ValueError(f"rack power must be positive, got {kilowatts} kW")
    nearest = min(CLASSES, key=lambda each: abs(math.log(each.maximum_power / (kilowatts * 1e3))))
    return nearest if nearest.maximum_power == kilowatts * 1e3 else scaled(nearest, kilowatts)
