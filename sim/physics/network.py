"""The switch of the rack: links to the trays, traffic that follows the workload, frame errors, optics, neighbours."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from sim.physics.noise import gauss, stream
from sim.physics.parameters import RackParameters
from sim.physics.variables import Input, Schedule, Variable

LINK_TRAINING = 5.0  # s from power to link
BASE_TRAFFIC = 0.001  # share of line rate without workload
LOAD_TRAFFIC = 0.6  # share of line rate at full workload
BASE_ERRORS = 2e-6  # frames/s of a good link
DRIFT_GROWTH = 0.05  # errors/s per s of a port whose bit error rate drifts
DRIFT_LIMIT = 20.0  # errors/s
HEAT_TAU = 20.0  # s
HOT_RISE = 30.0  # K
DARK = -40.0  # dBm without light


@dataclass
class Port:
    """One port: what was commanded, what is broken, and counters up to the last change."""

    neighbor: int
    speed: float  # Mb/s
    admin: bool = True
    broken: bool = False
    flapping: bool = False
    flap_down: bool = False
    trained: bool = False
    hot_at: float | None = None
    drift_at: float | None = None
    octets: list[float] = field(default_factory=lambda: [0.0, 0.0])
    up_time: float = 0.0
    drift_area: float = 0.0  # expected errors of an earlier drift
    mark: tuple[float, float] = (0.0, 0.0)  # plant time and traffic integral of the last change
    changed_at: float = -math.inf  # plant time at which the link last came up or went down
    changes: int = 0
    cleared_at: float = -math.inf  # plant time at which somebody cleared the counters
    cleared: int = 0  # errors until then
    arrivals: int = 0
    next_arrival: float = 0.0


class Switch:
    """All ports, counted from 0 here and from 1 in names. Counters are settled at changes, computed when read."""

    def __init__(self, parameters: RackParameters, seed: int, schedule: Schedule, now: Callable[[], float]) -> None:
        self.parameters = parameters
        self._schedule = schedule
        self._now = now
        self.boot = -parameters.switch_age
        self.traffic: Callable[[], float] = lambda: 0.0  # integral of the workload [s]
        self.load: Callable[[], float] = lambda: 0.0
        self.ambient: Callable[[], float] = lambda: parameters.ambient_temperature
        self.ports = [Port(neighbor=i + 1, speed=parameters.port_speed) for i in range(parameters.ports)]
        self._keys = [stream(seed, f"port{i}") for i in range(parameters.ports)]
        self._random = [random.Random(f"{seed}/fcs/{i}") for i in range(parameters.ports)]
        for port, rng in zip(self.ports, self._random, strict=True):
            port.next_arrival = rng.expovariate(1.0)
        self._alive = False
        self._order = 0

    def set_alive(self, *, alive: bool) -> None:
        """The trays got power (links come up after training) or lost it (links go down at once)."""
        if alive == self._alive:
            return
        self._alive = alive
        self._order += 1
        if alive:
            self._schedule(self._now() + LINK_TRAINING, partial(self._trained, self._order), disturbs=False)
        else:
            self._train(trained=False)

    def _trained(self, order: int) -> None:
        if order == self._order:
            self._train(trained=True)

    def _train(self, *, trained: bool) -> None:
        for i in range(len(self.ports)):
            self.change(i, "trained", trained)

    def restart(self) -> None:
        """The rack rebooted: uptime starts again and links train again."""
        self.boot = self._now()
        self._alive = False
        self._order += 1
        self._train(trained=False)

    def is_up(self, index: int) -> bool:
        """Operational state of a port."""
        port = self.ports[index]
        return port.trained and port.admin and not port.broken and not port.flap_down

    def _flow(self, index: int) -> tuple[float, float]:
        """Octets (in, out) since the last change."""
        port = self.ports[index]
        if not self.is_up(index):
            return 0.0, 0.0
        seconds = self._now() - port.mark[0]
        traffic = self.traffic() - port.mark[1]
        octets = port.speed * 1e6 / 8.0 * (BASE_TRAFFIC * seconds + LOAD_TRAFFIC * traffic)
        return octets, octets * 0.98

    def settle(self, index: int) -> None:
        """Bring the counters of a port up to now, before anything about it changes."""
        port = self.ports[index]
        into, out = self._flow(index)
        port.octets[0] += into
        port.octets[1] += out
        if self.is_up(index):
            port.up_time += self._now() - port.mark[0]
        port.mark = (self._now(), self.traffic())

    def octets(self, index: int, direction: int) -> float:
        """Octets in (0) or out (1) since the switch was made."""
        return float(math.floor(self.ports[index].octets[direction] + self._flow(index)[direction]))

    def errors(self, index: int) -> float:
        """Frames with a wrong check sequence: a Poisson process of the port's own error rate."""
        port = self.ports[index]
        up_time = port.up_time + (self._now() - port.mark[0] if self.is_up(index) else 0.0)
        expected = BASE_ERRORS * up_time + port.drift_area + self._drift(port)
        while port.next_arrival <= expected:
            port.arrivals += 1
            port.next_arrival += self._random[index].expovariate(1.0)
        return float(port.arrivals - port.cleared)

    def clear(self, index: int) -> None:
        """Somebody clears the counters of a port: they start again from zero, and the switch says when that was."""
        port = self.ports[index]
        self.errors(index)
        self.settle(index)
        port.octets[:] = [0.0, 0.0]
        port.cleared, port.cleared_at = port.arrivals, self._now()

    def _drift(self, port: Port) -> float:
        """Expected errors of the drift that is under way: rate grows linearly to its limit."""
        if port.drift_at is None:
            return 0.0
        seconds = self._now() - port.drift_at
        ramp = min(seconds, DRIFT_LIMIT / DRIFT_GROWTH)
        return 0.5 * DRIFT_GROWTH * ramp * ramp + DRIFT_LIMIT * (seconds - ramp)

    def set_drift(self, index: int, *, drifting: bool) -> None:
        """Start or stop the growth of a port's error rate."""
        port = self.ports[index]
        if drifting and port.drift_at is None:
            port.drift_at = self._now()
        elif not drifting:
            port.drift_area += self._drift(port)
            port.drift_at = None

    def change(self, index: int, name: str, value: float) -> None:
        """Set one of `admin`, `broken`, `flap_down`, `trained`, `speed`, `neighbor` of a port."""
        port, was_up = self.ports[index], self.is_up(index)
        self.settle(index)
        setattr(port, name, value)
        if self.is_up(index) != was_up:
            port.changed_at = self._now()
            port.changes += 1

    def set_flapping(self, index: int, period: float, *, flapping: bool) -> None:
        """Start (down first) or stop taking a link down every other half period [s]."""
        port = self.ports[index]
        port.flapping = flapping
        self.change(index, "flap_down", flapping)
        if flapping:
            self._schedule(self._now() + period / 2, partial(self._flap, index, period), disturbs=False)

    def _flap(self, index: int, period: float) -> None:
        port = self.ports[index]
        if port.flapping:
            self.change(index, "flap_down", not port.flap_down)
            self._schedule(self._now() + period / 2, partial(self._flap, index, period), disturbs=False)

    def temperature(self, index: int) -> float:
        """Temperature of the optic in degC."""
        port = self.ports[index]
        rise = 0.0
        if port.hot_at is not None:
            rise = HOT_RISE * (1.0 - math.exp(-(self._now() - port.hot_at) / HEAT_TAU))
        return self.ambient() + 18.0 + 6.0 * self.load() + gauss(self._keys[index], -1) + rise

    def rx_power(self, index: int) -> float:
        """Received light in dBm: the port's own level and a slow drift, or darkness when the other end is off."""
        port = self.ports[index]
        if not port.trained or port.broken or port.flap_down:
            return DARK
        key = self._keys[index]
        drift = 0.1 * math.sin(self._now() / 7200.0 + index)
        bad = 3.0 if port.drift_at is not None else 0.0
        return -1.5 + 0.4 * gauss(key, -2) + drift - bad

    def tx_power(self, index: int) -> float:
        """Sent light in dBm."""
        return 0.5 + 0.2 * gauss(self._keys[index], -3) if self.ports[index].admin else DARK

    def neighbor(self, index: int) -> float:
        """Number of the remote end as it announces itself, 0 while the link is down."""
        return float(self.ports[index].neighbor) if self.is_up(index) else 0.0

    def speed(self, index: int) -> float:
        """Negotiated speed in Mb/s, 0 while the link is down."""
        return self.ports[index].speed if self.is_up(index) else 0.0

    def variables(self) -> Iterator[Variable]:
        """What the switch reports."""
        yield Variable("switch.uptime", "s", lambda: self._now() - self.boot)
        for i in range(len(self.ports)):
            name = f"port[{i + 1}]"
            yield Variable(f"{name}.up", "", partial(lambda k: float(self.is_up(k)), i))
            yield Variable(f"{name}.speed", "Mb/s", partial(self.speed, i))
            yield Variable(f"{name}.octets_in", "", partial(self.octets, i, 0))
            yield Variable(f"{name}.octets_out", "", partial(self.octets, i, 1))
            yield Variable(f"{name}.errors_in", "", partial(self.errors, i))
            yield Variable(f"{name}.rx_power", "dBm", partial(self.rx_power, i))
            yield Variable(f"{name}.tx_power", "dBm", partial(self.tx_power, i))
            yield Variable(f"{name}.temperature", "degC", partial(self.temperature, i))
            yield Variable(f"{name}.neighbor", "", partial(self.neighbor, i))
            yield Variable(f"{name}.changes", "", partial(lambda k: float(self.ports[k].changes), i))
            yield Variable(f"{name}.last_change", "s", partial(lambda k: max(0.0, self.ports[k].changed_at), i))
            yield Variable(f"{name}.discontinuity", "s", partial(lambda k: max(0.0, self.ports[k].cleared_at), i))

    def inputs(self) -> Iterator[Input]:
        """What can be commanded."""
        for i in range(len(self.ports)):
            apply = partial(lambda k, value: self.change(k, "admin", value >= 0.5), i)
            yield Input(f"port[{i + 1}].admin", "", apply)
