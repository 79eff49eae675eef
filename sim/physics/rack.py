"""The rack as a heat source: workload to electrical power of its trays, and what trays do when they get hot."""

from __future__ import annotations

import math

import numpy as np

from sim.physics.parameters import RackParameters
from sim.physics.trays import Trays, Vector

THROTTLE_BAND = 5.0  # K of junction temperature over which the workload is reduced from full to nothing
CLOSE = 0.3  # K below throttling, from where junctions are looked at in every step
FADED = 1e-7  # of a change of power, when it is over


class Rack:
    """Workload, electrical power (first order) and the trays that take it. Powers are W AC, temperatures degC."""

    def __init__(self, parameters: RackParameters, temperature: float, seed: int = 1, spread: float = 0.0) -> None:
        self.parameters = parameters
        self.trays = Trays(parameters, temperature, seed, spread)
        count = self.trays.count
        self.workload = 0.0  # commanded, 0..1
        self.capacity = 0.0  # what feeds the bus relative to what full load needs, 0..2
        self.booting = False
        self.shut = False  # trays were shut down
        self.extra = 0.0  # W AC drawn from the bus by the electronic load, all of it heat into air
        self.heat = 0.0  # W into the coolant, mean of the last step
        self.grown = 0.0  # K m3 by which the heat of the coolant in the trays grew in the last step
        self.thermal = 1.0  # least share of the workload that the junctions of a tray leave it
        self.running = 0.0  # workload that really runs, 0..1
        # each tray
        self.hot = np.zeros(count, bool)  # switched itself off for over-temperature, until the rack lost all power
        self.forced = np.zeros(count, bool)  # switched off on command
        self.dead = np.zeros(count, int)  # faults that hold it off
        self._on = np.ones(count, bool)  # none of these
        self._any_on = True
        self._room: Vector = np.ones(count)  # share of the workload that its junctions leave
        self._dynamic = float(self.trays.dynamic.sum())
        self._full: Vector = self.trays.idle + self.trays.dynamic
        self._fastest = self.trays.fastest(self._full)  # K/s
        # power: what is wanted, and what is still away from it
        self._asked = (math.nan, math.nan)
        self._wanted: Vector = np.zeros(count)
        self._gap: Vector = np.zeros(count)
        self._fade = 0.0  # share of the gap that is left
        self._sum_wanted = self._sum_gap = self._power = 0.0
        self._mean: Vector = self.trays.power  # over the step
        self._is_new = True
        self._rise: float | None = None  # K above the supply that no junction passes, where it is known
        self._top = temperature  # degC that no junction has passed since
        self._look_in = 0.0  # s until they must be looked at again

    @property
    def power(self) -> float:
        """W AC of all trays, without the electronic load."""
        return self._power

    @power.setter
    def power(self, value: float) -> None:
        """It follows what the trays do; all that can be done to it is to take it away (0)."""
        self._gap = self._wanted = self.trays.power = np.zeros(self.trays.count)
        self._sum_wanted = self._sum_gap = self._power = self._fade = value * 0.0
        self._mean, self._is_new = self.trays.power, True
        self._asked = (math.nan, math.nan)

    @property
    def tripped(self) -> bool:
        """Whether a tray shut itself off for over-temperature."""
        return bool(self.hot.any())

    @tripped.setter
    def tripped(self, value: bool) -> None:
        self.hot[:] = value
        self.changed()

    @property
    def plate(self) -> float:
        """Mean temperature of the plates, degC."""
        return self.trays.mean_plate

    @property
    def is_on(self) -> bool:
        """Whether any tray has bus power and is not shut down, by itself or on command."""
        return self.capacity > 0.0 and not self.shut and self._any_on

    @property
    def is_throttling(self) -> bool:
        """Whether trays run less than they were asked to, for heat or for want of shelves."""
        return self.is_on and (self.thermal < 1.0 or (self.capacity < 1.0 and self.workload > 0.0))

    def is_tray_on(self, index: int) -> bool:
        """Whether this tray has bus power and is not shut down."""
        return self.capacity > 0.0 and not self.shut and bool(self._on[index])

    def is_tray_throttling(self, index: int) -> bool:
        """Whether this tray runs less than it was asked to because a junction is hot."""
        return self.is_tray_on(index) and bool(self._room[index] < 1.0)

    def changed(self) -> None:
        """Single trays were switched on or off, or forgot that they had been hot."""
        self._on = ~(self.hot | self.forced | (self.dead > 0))
        self._any_on = bool(self._on.any())
        self._asked = (math.nan, math.nan)

    def _want(self, load: float, share: float) -> None:
        """Let the trays go to `load` (0..1) of their workload, with `share` of the power that they would take."""
        trays = self.trays
        now = self._wanted + self._gap * self._fade if self._fade else self._wanted
        self._asked = (load, share)
        runs = self._room * self._on
        self._wanted = (trays.idle * self._on + trays.dynamic * (load * runs)) * share
        self._gap = now - self._wanted
        self._fade = 1.0
        self._sum_wanted, self._sum_gap = float(self._wanted.sum()), float(self._gap.sum())
        self.running = load * share * float(trays.dynamic @ runs) / self._dynamic

    def _cool(self, load: float, share: float) -> None:
        """What trays do that are hot, or close to it: run less of their workload, at last switch themselves off."""
        p, trays = self.parameters, self.trays
        over = self._on & (trays.junctions > p.trip_temperature)
        if over.any():
            self.hot |= over
            self.changed()
        room = trays.room(p.throttle_temperature, THROTTLE_BAND, load, share)
        self.thermal = float(np.where(self._on, room, 1.0).min())
        if self.thermal < 1.0 or self._room.min() < 1.0:
            self._room = room
            self._asked = (math.nan, math.nan)

    def electrical(self, h: float) -> float:
        """Advance the electrical power by h seconds and return its mean over them in W AC."""
        share = 0.0 if self.shut or self.capacity <= 0.0 else min(1.0, self.capacity)
        load = 0.0 if self.booting else self.workload
        if share and (self._top > self.parameters.throttle_temperature - CLOSE or self.thermal < 1.0):
            self._cool(load, share)
        if (load, share) != self._asked:
            self._want(load, share)
        if not self._fade:
            return self._power
        tau = self.parameters.electrical_tau
        decay = math.exp(-h / tau)
        middle = self._fade * (1.0 - decay) * tau / h
        self._fade *= decay
        if self._fade < FADED:
            self._fade = 0.0
        self._power = self._sum_wanted + self._sum_gap * self._fade
        self._mean = self._wanted + self._gap * middle
        self.trays.power = self._wanted + self._gap * self._fade
        self._is_new = True
        return self._sum_wanted + self._sum_gap * middle

    def carry(self, h: float, power: float, inlet: float, flow: float, volume_heat: float, friction: float) -> float:
        """Advance plates and coolant of the trays by h seconds, and return the mean temperature that leaves the rack.

        `power` is what `electrical` gave; `flow` [m3/s] comes in at `inlet` degC with `volume_heat` J/(m3 K);
        `friction` W goes into it. What leaves follows from the balance: it holds for any step.
        """
        trays = self.trays
        if trays.has_air:
            trays.purge(h, flow)
        rate = volume_heat * flow
        entering = inlet + friction / rate
        plates, coolant = trays.step(h, self._mean, self._is_new, entering, flow, volume_heat)
        self._is_new = False
        if self._mean is not trays.power:  # the power of the next step is that at the end of this one, if it stays
            self._mean, self._is_new = trays.power, True
        self.heat = self.parameters.liquid_share * power - plates / h
        self.grown = coolant
        self._watch(h, entering)
        return entering + (self.heat - volume_heat * coolant / h) / rate

    def _watch(self, h: float, entering: float) -> None:
        """Know a temperature that no junction is above, without looking at all of them in every step."""
        trays = self.trays
        if trays.is_kept and not self._fade:
            if self._rise is None:
                self._rise, self._top = trays.rise_at_most(), trays.hottest(trays.power)
            self._top = max(self._top, entering + self._rise)
            return
        if self._rise is not None:
            self._rise, self._look_in = None, 0.0
        self._look_in -= h
        if self._look_in <= 0.0:  # none gets warmer faster than its plate alone, or warm coolant, makes it
            self._top = trays.hottest(self._full)
            self._look_in = (self.parameters.throttle_temperature - CLOSE - self._top) / (self._fastest + 1.0)
