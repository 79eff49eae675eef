"""What kind of rack and coolant distribution unit the plant is: every constant in one frozen record.

The defaults are an "NVL72-class" rack of 132 kW; `sim.physics.rack_classes` has the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim.physics.tray_kinds import NVL72, TrayGroup

LITRES_PER_MINUTE = 1.0 / 60000.0  # m3/s


@dataclass(frozen=True)
class RackParameters:
    """Constants of one plant. Units are in the comments; flows are L/min, volumes L, pressures kPa gauge."""

    name: str = "132 kW"
    # heat
    idle_power: float = 25e3  # W AC, all shelves on, no workload
    maximum_power: float = 132e3  # W AC at 100 % workload
    liquid_share: float = 0.87
    air_rate: float = 1700.0  # W/K, capacity rate of the air through the rack: it gets 10 K warmer at full load
    electrical_tau: float = 0.05  # s
    plate_capacity: float = 25e3  # J/K
    plate_conductance: float = 25e3  # W/K at the design flow
    trays: tuple[TrayGroup, ...] = NVL72
    header_share: float = 0.05  # by so much the first tray of a manifold gets more flow, and the last one less
    junction_resistance: float = 0.0167  # K/W from a plate to the junction of one device: 20 K at 1.2 kW
    throttle_temperature: float = 87.0  # degC junction: a tray's workload is reduced from here, to nothing 5 K above
    trip_temperature: float = 95.0  # degC junction: a tray switches itself off
    # rack loop
    design_flow: float = 172.0  # L/min
    rack_volume: float = 30.0
    tray_share: float = 0.5  # of the rack's volume that is in the trays; the rest is in its two manifolds
    supply_volume: float = 20.0
    return_volume: float = 20.0
    exchanger_volume: float = 10.0
    reservoir_volume: float = 30.0
    initial_level: float = 80.0  # %
    low_level: float = 20.0  # %, below this air is drawn in
    rack_drop: float = 60.0  # kPa at the design flow and 35 degC
    rack_exponent: float = 2.0  # the drop of the rack goes with flow to this power
    unit_drop: float = 40.0  # kPa, without rack: exchanger, piping and filter
    filter_drop: float = 8.0  # kPa of the above that is the filter when clean
    filter_growth: float = 0.05  # %/h
    static_pressure: float = 150.0  # kPa at the initial level, 30 degC
    expansion_stiffness: float = 5.0  # kPa per L of the bladder
    trapped_stiffness: float = 5000.0  # kPa per L of a rack that is isolated: hoses and manifolds give a little
    # pumps, two in parallel with check valves
    shutoff_head: float = 300.0  # kPa at full speed
    pump_reference_flow: float = 300.0  # L/min at which one pump at full speed has lost 60 % of its head
    pump_minimum: float = 20.0  # %
    pump_rpm: float = 6000.0  # RPM at 100 %
    spin_up_tau: float = 1.5  # s
    coast_tau: float = 2.0  # s
    flow_kp: float = 0.4
    flow_ki: float = 0.08  # 1/s
    # heat exchanger and facility water
    supply_setpoint: float = 35.0  # degC
    exchanger_conductance: float = 33.5e3  # W/K at exchanger_reference
    exchanger_reference: float = 11.4e3  # W/K capacity rate of the rack loop
    facility_temperature: float = 30.0  # degC
    facility_flow: float = 300.0  # L/min, valve fully open
    facility_pressure: float = 300.0  # kPa
    valve_kp: float = 0.06  # 1/K
    valve_ki: float = 0.004  # 1/(K s)
    valve_minimum: float = 0.02
    valve_stroke: float = 30.0  # s from closed to open
    # electrical
    shelves: int = 8
    psus: int = 6  # per shelf
    supply_rating: float = 5500.0  # W AC of one supply: half of the shelves carry full load (N+N)
    line_voltage: float = 240.0  # V phase to neutral
    line_frequency: float = 50.0  # Hz
    breaker_current: float = 63.0  # A on each phase of an outlet
    bus_voltage: float = 50.0  # V setpoint
    bus_droop: float = 0.5  # V at full load
    holdup_time: float = 0.020  # s that the bulk capacitors of a shelf carry its full load
    bus_capacitance: float = 0.86  # F; at full load the bus falls by 3 V/ms
    bus_bleed_tau: float = 30.0  # s in which a bus that nobody feeds falls to 37 %
    under_voltage: float = 40.0  # V on the bus, below which the trays draw nothing
    batteries: int = 0  # battery shelves, each as strong as a power shelf
    battery_cells: int = 12  # in a row in a pack
    battery_voltage: float = 48.5  # V: below it batteries take over, at it they hold the bus
    battery_droop: float = 0.5  # V at full load
    battery_delay: float = 0.002  # s that the bus must be low
    battery_return: float = 0.2  # s that the mains must be back
    battery_time: float = 240.0  # s at full load
    eload_current: float = 400.0  # A, rating of the electronic load
    setpoint_spread: float = 0.0  # V, standard deviation between the setpoints of shelves
    insulation_spread: float = 1.0  # factor, standard deviation between the insulation resistances of supplies
    # switch
    ports: int = 36
    port_speed: float = 400e3  # Mb/s
    switch_age: float = 3600.0  # s since boot at plant time 0
    # room
    ambient_temperature: float = 24.0  # degC
    ambient_humidity: float = 45.0  # %

    @property
    def shelf_rating(self) -> float:
        """W AC that all supplies of a shelf may take together."""
        return self.psus * self.supply_rating

    @property
    def shelves_needed(self) -> int:
        """How many shelves carry full load; the others are there for when one fails."""
        return math.ceil(self.maximum_power / self.shelf_rating - 1e-9)
