"""The trays as branches between the two manifolds: how flow divides, and what plates, coolant and junctions do.

All branches see the same pressure drop, dp = K_i q_i^n, so q_i = (dp/K_i)^(1/n): how the flow divides does not hang on
how much there is. Each tray is a plate and the coolant in it,

    C_i dTp_i/dt = phi P_i - U_i (Tp_i - T_i)
    rho cp V_i dT_i/dt = U_i (Tp_i - T_i) + rho cp q_i (Ts - T_i),   U_i = UA_i (q_i/q_i0)^0.6

which is stepped exactly for constant inputs; what leaves the rack follows from the balance over the step, so heat is
conserved for any step. A junction is above its plate by R_jc and the power of its device.

Vectors have one number a tray. What only changes with flow, step or power is kept until it does.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sim.physics.noise import gauss, stream
from sim.physics.parameters import LITRES_PER_MINUTE, RackParameters

Vector = NDArray[np.float64]

CREEP = 1e-5  # of the design flow, what moves at least: heat does not stand still in a loop that does
LEAST_FILM = 0.02  # of the design flow, below which heat transfer to the coolant falls no further
FILM_EXPONENT = 0.6
KEPT = 3e-4  # relative change of flow or heat capacity up to which the coefficients are kept
PURGE_FLOW = 0.8  # of a tray's design flow, above which air is carried off
PURGE_TAU = 600.0  # s
PURGE_EACH = 5.0  # s after which the film is found again
KNOWN = 12  # lengths of step whose coefficients are kept
WORTH_IT = 6  # steps of one kind, after which they are put into one matrix: a third of the time
SPREAD = {"resistance": 0.03, "conductance": 0.04, "power": 0.015, "junction": 0.04}
"""Standard deviations between the trays of one rack, relative."""


class Trays:
    """State of all trays. Temperatures in degC, powers in W AC, flows in m3/s."""

    def __init__(self, parameters: RackParameters, temperature: float, seed: int, spread: float) -> None:
        p = parameters
        groups = [group for group in p.trays for _ in range(group.number)]
        self.count = count = len(groups)
        self.kinds = [group.name for group in groups]

        def drawn(name: str) -> Vector:
            deviations = [gauss(stream(seed, f"tray[{k + 1}].{name}"), 0) for k in range(count)]
            return 1.0 + spread * SPREAD[name] * np.array(deviations)

        flow = np.array([group.flow for group in groups])
        self.nominal: Vector = flow / flow.sum()
        """Share of the flow that each tray is made for."""
        power = np.array([group.power for group in groups]) * drawn("power")
        power /= power.sum()
        self.idle: Vector = p.idle_power * power
        self.dynamic: Vector = (p.maximum_power - p.idle_power) * power
        film = self.nominal * drawn("conductance")
        self._film: Vector = p.plate_conductance * film / film.sum()
        self._capacity: Vector = p.plate_capacity * self.nominal
        self._volume: Vector = p.rack_volume * p.tray_share * 1e-3 * self.nominal
        each = np.array([group.device_share / group.devices for group in groups])
        self._resistance: Vector = p.junction_resistance * drawn("junction") * each  # K for each W of its tray
        # how the flow divides
        self._exponent = p.rack_exponent
        place = np.concatenate([np.linspace(1.0, -1.0, g.number) if g.number > 1 else np.zeros(1) for g in p.trays])
        header = 1.0 + p.header_share * place
        self._open: Vector = self.nominal * header * drawn("resistance") ** (-1.0 / p.rack_exponent)
        self._whole = float(self._open.sum())
        self.passage = np.ones(count)  # conductance left of each branch, a fault
        self.bypass = 0.0  # share of the rack's flow that passes all trays by, a fault
        self.share: Vector = self.nominal
        self.hydraulic = 1.0
        """Factor on the resistance of the rack."""
        # faults of the heat
        self.air = np.zeros(count)  # share of a tray's film that an air pocket takes
        self.has_air = False
        self._purged = 0.0  # s that pockets were carried off since the film was found last
        self.junction_factor = np.ones(count)
        self._liquid = p.liquid_share
        self._design = p.design_flow * LITRES_PER_MINUTE
        # state: plates, coolant, and two places for what goes into a step (inlet, 1) or comes out (heat contents)
        self._capacities = np.zeros((2, 2 * count))
        self._capacities[0, :count] = self._capacity
        self._capacities[1, count:] = self._volume
        self._sums = [float(self._capacity.sum()), float(self._volume.sum())]
        self._now = np.full(2 * count + 2, temperature)
        self._next = np.empty(2 * count + 2)
        self._content: list[float] = (self._capacities @ self._now[:-2]).tolist()
        self.mean_plate = self.mean_fluid = temperature
        self.power = np.zeros(count)
        self._final = np.zeros((2, count))  # K above the inlet, where plates and coolant go
        self._inlet = temperature
        self._known: dict[float, Step] = {}
        self._last: Step | None = None
        self.is_kept = False
        """Whether the last step used the coefficients and powers of the one before."""
        self.divide()
        self.warm()

    @property
    def plates(self) -> Vector:
        """Temperature of each plate, degC."""
        return self._now[: self.count]

    @property
    def fluids(self) -> Vector:
        """Temperature of the coolant that leaves each tray, degC."""
        return self._now[self.count : -2]

    def divide(self) -> None:
        """Find how the flow divides, after something changed in a branch."""
        passing = self._open * self.passage
        through = max(float(passing.sum()), 1e-9 * self._whole) / (1.0 - self.bypass)
        self.share = passing / through
        self.hydraulic = (self._whole / through) ** self._exponent
        film = np.maximum(self.share / self.nominal, LEAST_FILM) ** FILM_EXPONENT
        self._film_now: Vector = self._film * film * (1.0 - self.air)
        self._known.clear()
        self._last = None

    def warm(self) -> None:
        """Find how far junctions are above their plates, after something changed between the two."""
        self._heating: Vector = self._resistance * self.junction_factor
        self.is_kept = False

    @property
    def junctions(self) -> Vector:
        """Temperature of the hottest device of each tray, degC."""
        return self.plates + self._heating * self.power

    def junction(self, index: int) -> float:
        """Temperature of the hottest device of one tray, degC."""
        return float(self._now[index] + self._heating[index] * self.power[index])

    def trap(self, index: int, share: float) -> None:
        """Have an air pocket cover this share of a tray's plate."""
        self.air[index] = share
        self.has_air = bool(self.air.any())
        self.divide()

    def purge(self, h: float, flow: float) -> None:
        """Carry air pockets off for h s, where there is enough flow [m3/s]."""
        self._purged += h
        if self._purged < PURGE_EACH:
            return
        fast = self.share * flow > PURGE_FLOW * self._design * self.nominal
        self.air = np.where(fast, self.air * math.exp(-self._purged / PURGE_TAU), self.air)
        self.air[self.air < 1e-3] = 0.0
        self._purged = 0.0
        self.has_air = bool(self.air.any())
        self.divide()

    def room(self, limit: float, band: float, load: float, share: float) -> Vector:
        """Share of its workload that each tray may run: all below `limit` degC of its junction, nothing `band` K above.

        What a junction does follows the power at once, so this is solved: with t the share that runs,
        t = 1 - (Tp + R (idle + t load) - limit) / band.
        """
        heating = self._heating * share
        over = self.plates + heating * self.idle - limit
        wanted = (1.0 - over / band) / (1.0 + heating * self.dynamic * (load / band))
        clipped: Vector = np.minimum(np.maximum(wanted, 0.0), 1.0)
        return clipped

    def hottest(self, power: Vector) -> float:
        """The hottest junction with this power of the trays in W, degC."""
        return float((self.plates + self._heating * power).max())

    def fastest(self, power: Vector) -> float:
        """K/s by which the fastest plate gets warmer with this power in W and no coolant."""
        return float((self._liquid * power / self._capacity).max())

    def rise_at_most(self) -> float:
        """K above the supply that no junction passes while flow and power stay as they are.

        Each tray goes where it goes from one side, and no further: what is away from there does not grow.
        """
        away = self._now[:-2] - self._final.reshape(-1) - self._inlet
        return float((self._final[0] + self._heating * self.power).max()) + max(0.0, float(away.max()))

    def step(
        self,
        h: float,
        power: Vector,
        is_new: bool,  # noqa: FBT001 called in every step
        inlet: float,
        flow: float,
        volume_heat: float,
    ) -> tuple[float, float]:
        """Advance by h s under `power` W AC (`is_new`: another than before).

        `inlet` degC comes in with `flow` m3/s (not zero); `volume_heat` is in J/(m3 K). Returns by how much the heat of
        the plates [J] and that of the coolant [K m3] grew.
        """
        known = self._known.get(h)
        kept = KEPT * min(1.0, flow / self._design)  # what is wrong with little flow is wrong by many kelvin
        if (
            known is None
            or abs(flow - known.flow) > kept * flow
            or abs(volume_heat - known.volume_heat) > kept * volume_heat
        ):
            known = self._prepare(h, flow, volume_heat)
        if is_new or known is not self._last:
            np.multiply(known.rise, power, out=self._final)
            known.uses, known.matrix = 0, None
            self.is_kept = False
        else:
            self.is_kept = True
        self._last = known
        self._inlet = inlet
        before, after = self._now, self._next
        if known.matrix is not None:
            before[-2], before[-1] = inlet, 1.0
            np.dot(known.matrix, before, out=after)
            now = after[-2:].tolist()
        else:
            known.uses += 1
            if known.uses == WORTH_IT:
                known.matrix = self._whole_step(known)
            state = after[:-2]
            aim = np.add(self._final, inlet, out=state.reshape(2, -1))
            away = before[:-2].reshape(2, -1) - aim  # it falls off exactly
            aim += known.across * away[::-1]
            away *= known.straight
            aim += away
            now = (self._capacities @ state).tolist()
        self._now, self._next = after, before
        plates, fluids = self._content
        self._content = now
        self.mean_plate = now[0] / self._sums[0]
        self.mean_fluid = now[1] / self._sums[1]
        return now[0] - plates, now[1] - fluids

    def _prepare(self, h: float, flow: float, volume_heat: float) -> Step:
        """Coefficients of an exact step of h s: the exponential of each tray's two by two matrix, in closed form."""
        ratio = flow / self._design
        film = self._film_now * ((ratio if ratio > LEAST_FILM else LEAST_FILM) ** FILM_EXPONENT)
        through = np.maximum(self.share * flow, self.nominal * (CREEP * self._design))
        to_coolant = film / self._capacity
        from_plate = film / (volume_heat * self._volume)
        leaving = through / self._volume
        half = 0.5 * (from_plate + leaving - to_coolant)
        root = np.sqrt(half * half + to_coolant * from_plate)
        fast = -(to_coolant + half + root)  # both rates are negative; the slow one without a difference of equals
        slow = to_coolant * leaving / fast
        one, two = np.exp(h * slow), np.exp(h * fast)
        mean, odd = 0.5 * (one + two), (one - two) / (2.0 * root)
        turn = half * odd
        coolant = (self._liquid / volume_heat) / through
        known = Step(
            flow,
            volume_heat,
            straight=np.array((mean + turn, mean - turn)),
            across=np.array((odd * to_coolant, odd * from_plate)),
            rise=np.array((coolant + self._liquid / film, coolant)),
        )
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known[h] = known
        return known

    def _whole_step(self, known: Step) -> NDArray[np.float64]:
        """The step as one matrix, from (plates, coolant, inlet, 1) to (plates, coolant, both heat contents)."""
        count = self.count
        size = 2 * count
        matrix = np.zeros((size + 2, size + 2))
        places = np.arange(count)
        matrix[places, places], matrix[places + count, places + count] = known.straight
        matrix[places, places + count], matrix[places + count, places] = known.across
        stays = np.eye(size) - matrix[:size, :size]
        matrix[:size, size] = stays.sum(axis=1)
        matrix[:size, size + 1] = stays @ self._final.reshape(-1)
        matrix[size:] = self._capacities @ matrix[:size]
        return matrix


class Step:
    """Coefficients of one length of step, for a flow [m3/s] and a heat capacity [J/(m3 K)]."""

    __slots__ = ("across", "flow", "matrix", "rise", "straight", "uses", "volume_heat")

    def __init__(
        self, flow: float, volume_heat: float, straight: NDArray[np.float64], across: NDArray[np.float64], rise: Vector
    ) -> None:
        self.flow, self.volume_heat = flow, volume_heat
        self.straight, self.across = straight, across  # how what is away from its aim falls off
        self.rise = rise  # K above the inlet for each W
        self.uses = 0
        self.matrix: NDArray[np.float64] | None = None
