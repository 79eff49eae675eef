"""The whole plant: advances loop, rack and electrics together with a step that follows what happens.

Steps end on a grid of 50 ms, or 0.1, 0.25, 0.5 or 1 s when little changes, and exactly on every command and event. The
grid does not depend on how `advance` is called, so neither does any result. Between grid points the truth is the last
computed state (at most 1 s old, and only while nothing moves); counters run on.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from sim.physics.ambient import Ambient
from sim.physics.black_box import BlackBox
from sim.physics.books import balances
from sim.physics.bus import Bus
from sim.physics.condensation import Condensation
from sim.physics.dead_man import RemoteControl
from sim.physics.faults import catalogue
from sim.physics.faults.arguments import split
from sim.physics.feeds import ALL, Feed, letter, wired
from sim.physics.gas import Gas
from sim.physics.instruments import ElectronicLoad, scanner_variables
from sim.physics.loop import Loop
from sim.physics.mains import reference, together
from sim.physics.network import Switch
from sim.physics.parameters import RackParameters
from sim.physics.pdu import Pdu
from sim.physics.rack import Rack
from sim.physics.readings import loop_inputs, loop_variables, rack_inputs, rack_variables
from sim.physics.sensors import Sensors
from sim.physics.shelf import Shelves
from sim.physics.shelf_variables import shelf_inputs, shelf_variables
from sim.physics.slow_sensors import SlowSensors
from sim.physics.spread import REFERENCE, rack_of_seed
from sim.physics.tray_readings import tray_inputs, tray_variables
from sim.physics.variables import Input, Variable, nearest
from sim.physics.withstand import WithstandTester
from sim.physics.workload import Calculation

TICK = 0.05  # s, the finest step
STEPS = (1, 2, 5, 10, 20)  # ticks
COARSEST = len(STEPS) - 1
BREAKER_CARE = (
    0.95  # of the rated current of a breaker, from where it is looked at: the power factor is at least this then
)
_UNREPORTED = ("port[", "daq[", "workload[", "tray[")


class Plant:
    """A liquid-cooled rack, its coolant unit, PDUs, shelves, switch and instruments, from a parameter set and a seed.

    At plant time 0 all outlets are off, there is no load, and the coolant unit circulates at its design flow. Without
    `feeds` there is one PDU with an outlet for each shelf. With `spread` (0 to 1) the rack and the sensors of each seed
    differ from the parameters, see `sim.physics.spread`.
    """

    def __init__(
        self,
        parameters: RackParameters = RackParameters(),  # noqa: B008 frozen
        seed: int = 1,
        feeds: Sequence[Feed] = (),
        spread: float = 0.0,
    ) -> None:
        parameters = rack_of_seed(parameters, seed, spread)
        self.parameters = parameters
        self.seed = seed
        self.time: float = 0.0
        self._t = 0.0  # integrated up to here, <= time
        self._level = 0  # index into STEPS
        self._queue: list[tuple[float, int, bool, Callable[[], None]]] = []
        self._order = itertools.count()
        self._active: list[catalogue.Active] = []
        self._boot = 0.0
        self._alive = False
        self.loop = Loop(parameters, seed)
        self.remote = RemoteControl(self.loop, self.schedule, self._now)
        self.black_box = BlackBox(loop_variables(self.loop, parameters))
        self.rack = Rack(parameters, self.loop.rack, seed, spread)
        self.ambient = Ambient(parameters, self._now)
        self.gas = Gas(seed, spread, self.ambient.temperature, self._now)
        self.condensation = Condensation(self.loop, self.ambient)
        self.energy = 0.0  # J, integral of the total power
        feeds = feeds or wired({"pdu": parameters.shelves}, parameters.shelves)
        self.pdus = [Pdu(parameters, seed, self.schedule, self._now, feed, k) for k, feed in enumerate(feeds)]
        wiring = list(zip(self.pdus, feeds, strict=True))
        self.bus = Bus(parameters, self.rack, self.schedule, self._now, self._load)
        self.bus.draw, self.bus.warm = self._draw, self._warm
        self.shelves = Shelves(parameters, seed, wiring, self.bus, self.schedule, self._now)
        self.shelves.demand = self._demand
        self.switch = Switch(parameters, seed, self.schedule, self._now)
        self.eload = ElectronicLoad(parameters, self.bus)
        self.hipot = WithstandTester(self.shelves, self.schedule, self._now)
        for pdu in self.pdus:
            pdu.scope = pdu.name if len(self.pdus) > 1 else ""
            pdu.changed = self.shelves.refresh
            pdu.total = self._total
            pdu.settled = lambda: self.energy
            pdu.energy = self._energy_now
        self._traffic = 0.0
        self.switch.traffic = lambda: self._traffic + self.rack.running * (self.time - self._t)
        self.calculation = Calculation(seed, self.switch.traffic)
        self.switch.load = lambda: self.rack.running
        self.switch.ambient = self.shelves.ambient = self.ambient.temperature
        self.plate_start = self.rack.plate
        self.air_energy = 0.0
        self._slow = SlowSensors(self.loop, self._total)
        self._metered = {name for pdu in self.pdus for name in pdu.metered()} | {f"{ALL}.power"}
        self._variables = {variable.name: variable for variable in self._all_variables()}
        self._inputs = {item.name: item for item in self._all_inputs()}
        self._units = MappingProxyType({name: variable.unit for name, variable in self._variables.items()})
        self._input_units = MappingProxyType({name: item.unit for name, item in self._inputs.items()})
        instruments = {name: f"meter of {pdu.name}" for pdu in self.pdus for name in pdu.metered()}
        instruments |= {name: REFERENCE for name in self._units if name.startswith(REFERENCE)}
        self.sensors = Sensors(seed, self._units, spread, instruments)
        self._sensors: dict[str, Callable[[], float]] = {}

    def _now(self) -> float:
        return self.time

    def _load(self) -> float:
        """W AC that everything behind the PDUs takes, whoever feeds it."""
        return self.rack.power + self.rack.extra

    def _total(self) -> float:
        """W AC that the PDUs deliver."""
        return self.shelves.drawn(self._demand())

    def _demand(self) -> float:
        """W that the bus takes from the shelves, at their nominal efficiency."""
        load = self.rack.power + self.rack.extra
        return load if self.bus.is_calm else self.bus.drawn(load)

    def _energy_now(self) -> float:
        return self.energy + self._total() * (self.time - self._t)

    def _draw(self, joules: float) -> None:
        self.energy += joules

    def _warm(self, joules: float) -> None:
        self.air_energy += joules

    def _all_variables(self) -> list[Variable]:
        return [
            *loop_variables(self.loop, self.parameters),
            *self.black_box.variables(),
            *self.remote.variables(),
            *rack_variables(self.rack, self.parameters, self._uptime),
            *tray_variables(self.rack, self.loop),
            *self.ambient.variables(),
            *self.gas.variables(),
            *self.condensation.variables(),
            *(variable for pdu in self.pdus for variable in pdu.variables()),
            *(together(self.pdus, self._total, self._energy_now) if len(self.pdus) > 1 else ()),
            *reference(self.pdus, self._total),
            Variable("outlets.closed", "", lambda: float(sum(sum(pdu.relay) for pdu in self.pdus))),
            *shelf_variables(self.shelves),
            *self.bus.variables(),
            *self.switch.variables(),
            *self.eload.variables(),
            *self.hipot.variables(),
            *self.calculation.variables(),
            *scanner_variables(self.truth, self.parameters.air_rate),
        ]

    def _all_inputs(self) -> list[Input]:
        return [
            *map(self.black_box.before, loop_inputs(self.loop, self.parameters)),
            *self.black_box.inputs(),
            *self.remote.inputs(),
            *rack_inputs(self.rack),
            *self.gas.inputs(),
            *tray_inputs(self.rack),
            *(item for pdu in self.pdus for item in pdu.inputs()),
            *shelf_inputs(self.shelves, self.pdus),
            *self.bus.inputs(),
            *self.switch.inputs(),
            *self.eload.inputs(),
            *self.hipot.inputs(),
        ]

    def _uptime(self) -> float:
        return self.time - self._boot if self._alive else 0.0

    # ---- time

    def schedule(self, at: float, action: Callable[[], None], *, disturbs: bool = True) -> None:
        """Call `action` when plant time reaches `at` [s]; `disturbs` makes the steps fine again from there."""
        heapq.heappush(self._queue, (max(at, self.time), next(self._order), disturbs, action))

    def advance(self, t: float) -> None:
        """Bring the plant to plant time t [s]; nothing happens when it is there. NaN and infinity: ValueError."""
        if not math.isfinite(t):
            raise ValueError(f"plant time must be finite, got {t}")
        queue = self._queue
        while queue and queue[0][0] <= t:
            at, _, disturbs, action = heapq.heappop(queue)
            self._reach(at, exactly=True)
            action()
            if disturbs:
                self._level = 0
        if t > self.time:
            self._reach(t, exactly=False)

    def _reach(self, t: float, *, exactly: bool) -> None:
        """Step to t, or (not exactly) to the last point of the present grid before it."""
        end = t + 1e-9
        while True:
            ticks = STEPS[self._level]
            following = (int(self._t / TICK + 1e-6) // ticks + 1) * ticks * TICK
            if following > end:
                break
            self._step(following - self._t)
            self._t = self.time = following
            if self._queue and self._queue[0][0] < t:  # the step itself scheduled something on the way
                self._run_before(t)
        if exactly and t - self._t > 1e-9:
            self._step(t - self._t)
            self._t = t
        self.time = max(self.time, t)
        self.sensors.turn(self.time)

    def _run_before(self, t: float) -> None:
        """Run what a step scheduled before t. Such events follow the present grid point, so order is kept."""
        while self._queue and self._queue[0][0] < t:
            at, _, disturbs, action = heapq.heappop(self._queue)
            self._reach(at, exactly=True)
            action()
            if disturbs:
                self._level = 0

    def _step(self, h: float) -> None:
        """Advance every state by h seconds and choose how long the next step may be."""
        loop, rack = self.loop, self.rack
        s1, s2 = loop.speeds
        plate, fluid, supply, valve = rack.plate, loop.rack, loop.supply, loop.valve
        if self.eload.on or rack.extra:
            rack.extra = self.eload.ac_power()
        power = rack.electrical(h)
        loop.step(self._t, h, rack, power)
        self.condensation.step(h)
        extra = rack.extra
        load = power + extra
        mains = self.shelves.carry(self._t, h, load if self.bus.is_calm else self.bus.step(self._t, h, load))
        self.energy += mains * h
        self.air_energy += ((1.0 - self.parameters.liquid_share) * power + extra) * h
        self._traffic += rack.running * h
        self._slow.follow(h, mains)
        if self.gas.is_moving:
            self.gas.step(h)
        alive = rack.is_on and not rack.booting
        if alive != self._alive:
            self._alive = alive
            self._boot = self.time
            self.switch.set_alive(alive=alive)
        p = self.parameters
        may_trip = mains * self.shelves.peak > p.breaker_current * p.line_voltage * BREAKER_CARE
        for pdu in self.pdus:
            if may_trip or pdu.is_warm:
                pdu.overload(self._t + h, h)
        change = max(
            100.0 * abs(loop.speeds[0] - s1),
            100.0 * abs(loop.speeds[1] - s2),
            4.0 * abs(rack.plate - plate),
            10.0 * abs(loop.rack - fluid),
            15.0 * abs(loop.supply - supply),
            20.0 * abs(loop.valve - valve),
        )
        if change > 1.0:
            if self._level:
                self._level -= 1
        elif change < 0.4 and self._level < COARSEST and self._level < self._coarsest():
            self._level += 1

    def _coarsest(self) -> int:
        """The longest step that is still fine: shorter while air, leaks or throttling do their work."""
        if self.loop.air > 0.0 or self.loop.inventory.air > 0.0 or self.loop.inventory.is_losing:
            return 3
        return 2 if self.rack.thermal < 1.0 else COARSEST

    # ---- reading and commanding

    def names(self) -> Mapping[str, str]:
        """Every variable and its unit."""
        return self._units

    def commands(self) -> Mapping[str, str]:
        """Every input and its unit."""
        return self._input_units

    def truth(self, name: str) -> float:
        """The true value of a variable at plant time; ValueError for a name that does not exist."""
        variable = self._variables.get(name)
        if variable is None:
            raise ValueError(f"no variable {name!r}{nearest(name, self._variables)}")
        return variable.read()

    def sensed(self, name: str) -> float:
        """What the sensor of a variable shows: lag, noise, resolution and faults (NaN for a dead one)."""
        return self.sensor(name)()

    def sensor(self, name: str) -> Callable[[], float]:
        """`sensed` of one variable, to be called again and again; ValueError for a name that does not exist."""
        found = self._sensors.get(name)
        if found is None:
            found = self._sensors[name] = self._sensor(name)
        return found

    def is_plain(self, name: str) -> bool:
        """Whether a variable may be among those of `together`."""
        return name in self._variables and self.sensors.is_plain(name)

    def together(self, names: Sequence[str]) -> Callable[[], NDArray[np.float64]]:
        """`sensed` of several plain variables at once (float64[n]), to be called again and again."""
        single = [self.sensor(name) for name in names]
        return self.sensors.together(names, [self._lagged(self._variables[name]) for name in names], single)

    def _sensor(self, name: str) -> Callable[[], float]:
        variable = self._variables.get(name)
        if variable is None:
            raise ValueError(f"no variable {name!r}{nearest(name, self._variables)}")
        sensors = self.sensors
        shown = sensors.prepare(name, self._lagged(variable), lambda: self.loop.total_air)
        if name not in self._metered:
            return shown
        return lambda: sensors.frozen[name] if name in sensors.frozen else shown()

    def _lagged(self, variable: Variable) -> Callable[[], float]:
        """How a variable reads behind the lag of its sensor."""
        return self._slow.power(variable) if self._is_power(variable.name) else self._slow.of(variable)

    def _is_power(self, name: str) -> bool:
        return name in self._metered and name.endswith(".power")

    def command(self, name: str, value: float) -> None:
        """Apply an input now; ValueError for an unknown name or a value outside its range."""
        item = self._inputs.get(name)
        if item is None:
            raise ValueError(f"no command {name!r}{nearest(name, self._inputs)}")
        if not item.low <= value <= item.high:
            raise ValueError(f"command {name} takes {item.low:g} to {item.high:g} {item.unit}, got {value}".rstrip())
        self._reach(self.time, exactly=True)
        item.apply(float(value))
        self._level = 0

    # ---- faults

    def pdu(self, which: str) -> Pdu:
        """A PDU by its name, its letter (A, B) or its number; the first when nothing is said. ValueError for others."""
        for index, pdu in enumerate(self.pdus):
            if which in (pdu.name, letter(index), str(index + 1)) or not which:
                return pdu
        raise ValueError(f"PDU must be one of {', '.join(pdu.name for pdu in self.pdus)}, got {which!r}")

    @property
    def faults(self) -> tuple[str, ...]:
        """The faults that are active now, as `name` or `name:arg`."""
        return tuple(item.label for item in self._active)

    def inject(self, fault: str, arg: str = "", at: float | None = None) -> None:
        """Schedule a fault at plant time `at` [s], now without it; ValueError for an unknown name or a bad argument.

        `fault` may also be written `name:arg@time`; `arg` and `at` count before what it says.
        """
        fault, written, when = split(fault)
        arg = arg or written
        at = when if at is None else at
        apply = catalogue.prepare(self, fault, arg)
        label = f"{fault}:{arg}" if arg else fault

        def begin() -> None:
            self._active.append(catalogue.Active(label, apply()))

        if at is None or at <= self.time:
            self._reach(self.time, exactly=True)
            begin()
            self._level = 0
        else:
            self.schedule(at, begin)

    def clear(self, fault: str) -> None:
        """End the active faults of this name or label; ValueError when there is none."""
        chosen = [item for item in self._active if item.label == fault or item.label.partition(":")[0] == fault]
        if not chosen:
            raise ValueError(f"fault {fault!r} is not active; active: {', '.join(self.faults) or 'none'}")
        self._reach(self.time, exactly=True)
        for item in reversed(chosen):
            self._active.remove(item)
            item.undo()
        self._level = 0

    def balances(self) -> dict[str, float]:
        """Energies and masses since plant time 0, and what of them does not add up, see `sim.physics.books`."""
        return balances(self)

    def snapshot(self) -> dict[str, float]:
        """The ground truth but for ports, thermocouples and results, with the balances; JSON can hold it."""
        shown = {name: each.read() for name, each in self._variables.items() if not name.startswith(_UNREPORTED)}
        return {"time": self.time, **shown, **self.balances()}
