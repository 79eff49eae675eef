"""The coolant loop: pumps, system curve, lines, heat exchanger, valve, and how the unit controls them.

Lines are first in, first out (`sim.physics.line`), the rack is its trays (`sim.physics.trays`). Each hands its mean
over the step to the next one, so heat is conserved for any step length. SI inside (Pa, m3/s, J), degC for temperatures.
"""

from __future__ import annotations

import math

from sim.physics import exchanger, hydraulics
from sim.physics.coolant import WATER_VOLUME_HEAT, pg25_density, pg25_heat, pg25_resistance_factor
from sim.physics.inventory import Inventory
from sim.physics.line import Line
from sim.physics.noise import gauss, stream
from sim.physics.parameters import LITRES_PER_MINUTE, RackParameters
from sim.physics.rack import Rack
from sim.physics.trays import CREEP

MANUAL, AUTO_FLOW, AUTO_PRESSURE = 0, 1, 2
PUMP_EFFICIENCY = 0.5
PUMP_STANDBY = 30.0  # W of a running pump's controller and bearings
LEAST_SHARE = 0.02  # of the design flow, below which the resistance of the rack grows no more
KEPT = 1e-3  # K by which the coolant may change before its properties are looked up again
STANDING_TAU = 30.0  # s in which facility water that stands gets as warm as the loop
AIR_SLOT = 0.5  # s, how often air in a pump changes its head


def _within(least: float, value: float) -> float:
    """A share between `least` and 1."""
    return least if value < least else 1.0 if value > 1.0 else value


class Loop:
    """State of the loop. Speeds, valve and duties are 0..1; setpoints are in the units of their names."""

    def __init__(self, parameters: RackParameters, seed: int) -> None:
        p = parameters
        self.parameters = p
        self.inventory = Inventory(p)
        design = p.design_flow * LITRES_PER_MINUTE
        self._design = design
        self._laminar = p.rack_exponent - 2.0
        self._shape = 1.0  # what the rack's exponent makes of its resistance at the present flow
        self._rack_k = p.rack_drop * 1e3 / design**2
        self._filter_k = p.filter_drop * 1e3 / design**2
        self._unit_k = (p.unit_drop - p.filter_drop) * 1e3 / design**2
        self._curve = 0.6 * p.shutoff_head * 1e3 / (p.pump_reference_flow * LITRES_PER_MINUTE) ** 2
        self._head0 = p.shutoff_head * 1e3
        self._maximum_primary = p.facility_flow * LITRES_PER_MINUTE
        self._secondary = 1.0 / p.exchanger_reference
        self._primary = 1.0 / (0.8 * self._maximum_primary * WATER_VOLUME_HEAT)
        self.tray_factor = 1.0  # on the resistance of the rack: blocked branches, a bypass
        self._air_key = stream(seed, "air")
        # commands
        self.mode = AUTO_FLOW
        self.run = True
        self.chosen = (True, True)  # pumps that share the work
        self.isolated = False
        self.duty = [0.6, 0.6]
        self.flow_setpoint = p.design_flow
        self.pressure_setpoint = p.rack_drop
        self.supply_setpoint = p.supply_setpoint
        # faults
        self.pump_stopped = [0, 0]  # how many faults stop each pump
        self.pump_health = [1.0, 1.0]
        self.clog = 0.0  # extra filter resistance, multiples of the clean loop's total
        self.fouling = 0.0
        self.air = 0.0
        self.valve_stuck = False
        self.facility_temperature = p.facility_temperature
        self.facility_lost = False
        # state: starts settled at zero load, the friction of the pumps is the only heat
        self.filter_age = 0.0  # h
        self.speeds = [0.0, 0.0]
        self.valve = p.valve_minimum
        self.flow = 0.0
        self.drop = 0.0  # Pa over the whole loop
        self.resistance_factor = 1.0
        self.friction_heat = 0.0
        self.duty_out = 0.0  # W to the facility, mean of the last step
        self._settle()
        self._properties_at = p.facility_temperature
        self._volume_heat = pg25_density(self._properties_at) * pg25_heat(self._properties_at)  # J/(m3 K)
        rate = self.flow * self._volume_heat
        self.facility_return = p.facility_temperature  # degC
        warm = p.facility_temperature + self.friction_heat / self._exchange(1.0, rate, p.facility_temperature + 1.0)
        self._exchange(1.0, rate, warm)
        cold = warm - self.friction_heat / rate
        self.rack = self.back = warm  # degC: in the rack, and at the end of the line from it
        self.supply = cold  # degC, at the end of the line to it
        manifold = 0.5 * p.rack_volume * (1.0 - p.tray_share)
        self._hot = Line((manifold + p.return_volume) * 1e-3, warm)
        self._cold = Line((p.exchanger_volume + p.supply_volume) * 1e-3, cold)
        self._manifold = Line(manifold * 1e-3, cold)  # the one to the trays: the supply is measured before it
        self.inventory.temperature = 0.5 * (warm + cold)
        self.valve_integral = p.valve_minimum
        # balances, J
        self.heat_out = self.friction_in = self.stored = 0.0

    def _settle(self) -> None:
        """Find the speed at which two pumps give the setpoint, and start there."""
        low, high = 0.2, 1.0
        for _ in range(40):
            middle = 0.5 * (low + high)
            self.speeds = [middle, middle]
            self.hydraulics(0.0)
            low, high = (low, middle) if self.flow > self._design else (middle, high)
        self.flow_integral = self.speeds[0]

    @property
    def total_air(self) -> float:
        """Share of air the pumps draw, 0..1: the fault or what a low reservoir lets in."""
        return max(self.air, self.inventory.air)

    def is_running(self, index: int) -> bool:
        """Whether pump `index` (0 or 1) is being driven."""
        return self.run and self.chosen[index] and not self.pump_stopped[index]

    def control(self, h: float) -> None:
        """The unit's own controllers: pump speed on flow or rack pressure, valve on supply temperature."""
        p = self.parameters
        least = p.pump_minimum * 0.01
        command = None
        if self.mode != MANUAL:
            if self.mode == AUTO_FLOW:
                wanted = self.flow_setpoint * LITRES_PER_MINUTE
                error = (wanted - self.flow) / wanted
            else:
                error = 1.0 - self.rack_drop / self.pressure_setpoint
            if self.run:
                self.flow_integral = _within(least, self.flow_integral + p.flow_ki * error * h)
            command = _within(least, self.flow_integral + p.flow_kp * error)
        speeds = self.speeds
        for i in (0, 1):
            target = (self.duty[i] if command is None else command) if self.is_running(i) else 0.0
            gap = target - speeds[i]
            if -1e-9 < gap < 1e-9:
                speeds[i] = target
            else:
                speeds[i] = target - gap * math.exp(-h / (p.spin_up_tau if gap > 0 else p.coast_tau))
        if self.valve_stuck:
            return
        error = self.supply - self.supply_setpoint
        self.valve_integral = _within(p.valve_minimum, self.valve_integral + p.valve_ki * error * h)
        gap = _within(p.valve_minimum, self.valve_integral + p.valve_kp * error) - self.valve
        slew = h / p.valve_stroke
        self.valve += slew if gap > slew else -slew if gap < -slew else gap

    def hydraulics(self, time: float) -> None:
        """Solve flow and pressure drop for the present speeds; `time` [s] only picks how air disturbs the pumps."""
        head = self._head0
        air = self.total_air
        if self.inventory.void > 0.0:
            head *= self.inventory.head_left
        if air > 0.0:
            head *= max(0.3, 1.0 - 0.2 * air + 0.12 * air * gauss(self._air_key, int(time / AIR_SLOT)))
        s1, s2 = self.speeds
        h1 = head * self.pump_health[0] * s1 * s1
        h2 = head * self.pump_health[1] * s2 * s2
        if self.isolated:
            self.flow = 0.0
            self.drop = max(h1, h2)
        else:
            still = self.unit_k + self.filter_k
            for _ in range(3 if self._laminar else 1):  # each turn leaves a tenth of the error
                if self._laminar:
                    self._shape = max(self.flow / self._design, LEAST_SHARE) ** self._laminar
                resistance = self.rack_k + still
                self.flow = hydraulics.parallel_flow(h1, h2, self._curve, resistance)
            self.drop = resistance * self.flow * self.flow
        self.friction_heat = self.drop * self.flow

    @property
    def rack_k(self) -> float:
        """Resistance of the rack, Pa/(m3/s)^2."""
        return self._rack_k * self.resistance_factor * self._shape * self.tray_factor

    @property
    def unit_k(self) -> float:
        """Resistance of the unit without its filter, Pa/(m3/s)^2."""
        return self._unit_k * self.resistance_factor

    @property
    def filter_k(self) -> float:
        """Resistance of the filter with its age and clogging, Pa/(m3/s)^2."""
        clean = self._filter_k * (1.0 + 0.01 * self.parameters.filter_growth * self.filter_age)
        clogged = self.clog * (self._rack_k + self._unit_k + self._filter_k) if self.clog else 0.0
        return (clean + clogged) * self.resistance_factor

    @property
    def rack_drop(self) -> float:
        """Pressure difference between rack supply and return, kPa; the pumps' full head when the rack is isolated."""
        return (self.drop if self.isolated else self.rack_k * self.flow * self.flow) * 1e-3

    @property
    def filter_drop(self) -> float:
        """Pressure difference over the filter, kPa."""
        return self.filter_k * self.flow * self.flow * 1e-3

    def pump_power(self, index: int) -> float:
        """Electrical power of pump `index` in W: hydraulic over efficiency, and what a running pump always takes."""
        speed = self.speeds[index]
        if speed < 0.01:
            return 0.0
        flow = 0.0
        if not self.isolated:
            head = self._head0 * self.pump_health[index] * speed * speed
            flow = hydraulics.pump_flow(head, self.drop, self._curve)
        return self.drop * flow / PUMP_EFFICIENCY + PUMP_STANDBY + 60.0 * speed**3

    @property
    def primary_flow(self) -> float:
        """Facility water through the exchanger, m3/s."""
        return 0.0 if self.facility_lost else self.valve * self._maximum_primary

    def step(self, time: float, h: float, rack: Rack, power: float) -> None:
        """Advance by h seconds from plant time `time` with `power` W AC in the trays."""
        self.control(h)
        self.hydraulics(time)
        mean = 0.5 * (self.supply + self.back)
        if abs(mean - self._properties_at) > KEPT:
            self._properties_at = mean
            self._volume_heat = pg25_density(mean) * pg25_heat(mean)
            self.resistance_factor = pg25_resistance_factor(mean)
        volume_heat = self._volume_heat
        friction = self.friction_heat
        flow = max(self.flow, CREEP * self._design)
        volume = h * flow
        # the rack is fed by the line to it; friction is dissipated where the pumps and the rack are, taken as here
        supplied = self._cold.leave(volume)
        self._manifold.enter(volume, supplied)
        inlet = self._manifold.leave(volume)
        warm = rack.carry(h, power, inlet, flow, volume_heat, friction)
        self.rack = rack.trays.mean_fluid
        self._hot.enter(volume, warm)
        hot = self._hot.leave(volume)
        self.supply, self.back = self._cold.end, self._hot.end
        self.duty_out = self._exchange(h, flow * volume_heat, hot)
        cold = hot - self.duty_out / (flow * volume_heat)
        self._cold.enter(volume, cold)
        self.friction_in += friction * h
        self.heat_out += self.duty_out * h
        self.stored += volume_heat * (rack.grown + volume * (warm - hot + cold - inlet))
        self.filter_age += h / 3600.0
        inventory = self.inventory
        inventory.temperature = mean
        if inventory.is_losing:
            inventory.step(h, self.static_pressure, self.rack_drop, is_isolated=self.isolated)

    def _exchange(self, h: float, hot_rate: float, hot: float) -> float:
        """Mean heat in W that facility water takes from a stream of `hot_rate` W/K that comes at `hot` degC."""
        primary = self.primary_flow * WATER_VOLUME_HEAT
        if primary > 0.0:
            conductance = self.parameters.exchanger_conductance * (1.0 - self.fouling)
            conductance = exchanger.two_sided(conductance, hot_rate * self._secondary, primary * self._primary)
            heat = exchanger.duty(conductance, hot_rate, primary, hot - self.facility_temperature)
            self.facility_return = self.facility_temperature + heat / primary
            return heat
        # the few litres that stand in the exchanger get as warm as the loop; the heat that takes is left out
        self.facility_return = hot + (self.facility_return - hot) * math.exp(-h / STANDING_TAU)
        return 0.0

    @property
    def static_pressure(self) -> float:
        """Pressure at the pumps' inlet in kPa gauge: the bladder's, from level and thermal expansion."""
        return self.inventory.static_pressure
