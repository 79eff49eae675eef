"""The simulated station: one plant, a twin of every device of the station file in front of it, and faults.

    simulation = await start(station, profiles, seed=7, faults=["filter_clog@10s"])
    simulation.addresses["cdu"]      # "modbus+tcp://127.0.0.1:40123/12", instead of the station's address

The devices are real servers on loopback sockets; with `virtual` they listen on an in-memory network, so that the clock
of the event loop may jump. Plant time is the loop's time since the start, and the plant is computed when it is asked.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from harness.errors import ConfigError
from harness.quantity import convert
from harness.schema.profile import Profile
from harness.schema.station import Station
from sim.bindings import Place, binding_problems
from sim.network import MemoryNetwork
from sim.physics import Plant
from sim.rack import feeds_of, make_sources, rack_of, scope_of
from sim.servers.host import Host, Listener, MemoryHost, PacedProtocol, SocketHost
from sim.station_faults import (
    DEVICE_FAULTS,
    SENSOR_FAULTS,
    StationFault,
    device_argument,
    fault_names,
    parse_fault,
)
from sim.twin import REBOOT_S, Serve, SimulatedDevice, serve
from sim.twins.points import Twin, points
from sim.twins.sources import Sources

__all__ = ["Simulation", "fault_names", "parse_fault", "serve_truth", "start"]


class Simulation:
    """A running simulated station. Made by `start`; ended by `close`."""

    def __init__(self, plant: Plant, sources: Sources, host: Host, network: MemoryNetwork | None) -> None:
        self.plant = plant
        self.network = network
        self.host = host
        self.devices: dict[str, SimulatedDevice] = {}
        self._sources = sources
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time()
        self._timers: list[asyncio.TimerHandle] = []
        sources.now = self.now

    @property
    def addresses(self) -> dict[str, str]:
        """Where each device is reached, to use instead of the station's address."""
        return {name: device.address for name, device in self.devices.items()}

    def now(self) -> float:
        """Plant time: seconds since the start, on the clock of the event loop."""
        return self._loop.time() - self._start

    def truth(self) -> dict[str, float]:
        """The ground truth of the plant at this moment."""
        self._sources.refresh(force=True)
        return self.plant.snapshot()

    def inject(self, text: str) -> None:
        """Let a fault (`NAME[:ARG][@TIME]`) begin now, or at TIME since the start; ConfigError for nonsense."""
        fault = parse_fault(text)
        if fault.name in DEVICE_FAULTS:
            name, seconds = device_argument(fault, self.devices)
            if fault.at is None or fault.at <= self.now():
                self._disturb(fault.name, name, seconds)
            else:
                self._later(fault.at, fault.name, name, seconds)
            return
        argument = self._plant_argument(fault) if fault.name in SENSOR_FAULTS else fault.argument
        self._sources.refresh(force=True)
        try:
            self.plant.inject(fault.name, argument, self.plant.time if fault.at is None else fault.at)
        except ValueError as error:
            raise ConfigError(f"fault {text!r}: {error}") from error

    def _later(self, at: float, fault: str, name: str, seconds: float) -> None:
        self._timers.append(self._loop.call_at(self._start + at, self._disturb, fault, name, seconds))

    def _disturb(self, fault: str, name: str, seconds: float) -> None:
        """Make a whole device misbehave from now on."""
        device = self.devices[name]
        if fault == "device_silent":
            device.behave(silent=True)
        elif fault == "device_slow":
            device.behave(delay=seconds)
        elif fault == "device_down":
            device.behave(down=True)
        elif fault == "device_refuses":
            device.twin.refuses = True
        elif fault == "meter_refresh":
            device.twin.shown.hold(seconds, everything=False)
        elif fault == "values_frozen":
            device.twin.shown.hold(math.inf, everything=True)
        elif fault == "device_frozen":
            device.twin.freeze()
        elif fault == "wrong_model":
            device.twin.wrong_model = True
        elif fault == "device_reboot":
            device.behave(down=True)
            self._timers.append(self._loop.call_later(REBOOT_S, device.come_back))
        else:
            device.heal()

    def _plant_argument(self, fault: StationFault) -> str:
        """The argument of a sensor fault with the station's signal replaced by the variable of the plant behind it.

        Amounts are in the unit of the signal and converted to that of the variable.
        """
        signal, equals, amount = fault.argument.partition("=")
        device, _, name = signal.strip().partition(".")
        if device not in self.devices or (signal in self.plant.names() and not self.devices[device].twin.pdu):
            return fault.argument
        twin = self.devices[device].twin
        point = points(twin).get(name)
        if point is None or not point.variable:
            raise ConfigError(f"fault {fault.name}: {signal!r} is not a simulated signal of {device}")
        if not equals:
            return point.variable
        source, target = point.spec.unit, self.plant.names().get(point.variable, "")
        try:
            value = float(amount)
        except ValueError:
            raise ConfigError(f"fault {fault.name}: {amount!r} is not a number") from None
        if source and target:
            zero = convert(0.0, source, target) if fault.name == "sensor_offset" else 0.0
            value = convert(value, source, target) - zero
        return f"{point.variable}={value!r}"

    def describe(self) -> str:
        """How to reach each device, with commands to paste."""
        width = max((len(name) for name in self.devices), default=0)
        lines: list[str] = []
        for name, device in self.devices.items():
            lines.append(f"{name:<{width}}  {device.twin.profile.profile}  {device.address}")
            lines.extend(f"{'':<{width}}    {hint}" for hint in device.hints)
        return "\n".join(lines)

    async def serve_truth(self, port: int = 0) -> Listener:
        """Let other processes ask for the ground truth and inject faults; the caller closes the listener."""
        return await serve_truth(self, port)

    async def close(self) -> None:
        """Stop every device."""
        for timer in self._timers:
            timer.cancel()
        for device in self.devices.values():
            await device.close()


class Starter:
    """What the entry point of the simulator names: called, it starts a station; see `_started`."""

    def __call__(
        self, station: Station, profiles: Mapping[str, Profile], **options: Any
    ) -> Coroutine[Any, Any, Simulation]:
        """Start the simulated devices of a station in the running loop."""
        return _started(station, profiles, **options)

    @staticmethod
    def problems(profile: Profile) -> list[tuple[Place, str, str]]:
        """What of a profile cannot be simulated: (location, message, hint)."""
        return binding_problems(profile)


start = Starter()


async def _started(
    station: Station,
    profiles: Mapping[str, Profile],
    *,
    virtual: bool = False,
    seed: int | None = None,
    faults: Sequence[str] = (),
    ports: Mapping[str, int] | None = None,
    direct: bool = True,
    lot: str = "",
    servers: Mapping[str, Serve] | None = None,
) -> Simulation:
    """Start the simulated devices of a station in the running loop; `profiles` by name, `ports` by device.

    `lot` goes into the serial numbers: devices that other processes reach are not those of another simulation.

    In virtual time, `direct` lets clients read healthy devices beneath the codecs.

    `servers` serve the protocols of other packages, by name; see `sim.twin.serve`.

    ConfigError when a profile is missing, a port is taken or a fault makes no sense; nothing is left running then.
    """
    parameters = rack_of(station, profiles)
    feeds = feeds_of(station, profiles, parameters.shelves)
    plant = Plant(parameters, station.simulation.seed if seed is None else seed, feeds, station.simulation.spread)
    sources = make_sources(plant)
    network = MemoryNetwork(direct=direct) if virtual else None
    host: Host = SocketHost() if network is None else MemoryHost(network)
    simulation = Simulation(plant, sources, host, network)
    try:
        for name, entry in station.devices.items():
            profile = profiles.get(entry.profile)
            if profile is None:
                raise ConfigError(f"device {name}: no profile {entry.profile!r}", where=station.station)
            serial = entry.serial or (f"SIM-{lot}-{name}" if lot else "")
            twin = Twin(name, profile, sources, entry.parameters, entry.counts, serial, scope_of(name, feeds))
            simulation.devices[name] = await serve(twin, entry, host, (ports or {}).get(name, 0), servers)
        for fault in faults:
            simulation.inject(fault)
    except BaseException:
        await simulation.close()
        raise
    return simulation


class _TruthProtocol(PacedProtocol):
    """Lines in, lines out: `truth` gives JSON, `faults` the known faults, `inject NAME...` gives ok or error."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer every complete line; a line that does not end within 4 KiB ends the connection."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self.transport.write(self._answer(line.decode("utf-8", "replace").strip()).encode() + b"\n")
        if len(self._rest) > 4096:
            self.transport.close()

    def _answer(self, line: str) -> str:
        verb, _, argument = line.partition(" ")
        if verb == "truth":
            return json.dumps(self._simulation.truth())
        if verb == "faults":
            return json.dumps(fault_names())
        if verb != "inject":
            return f"error: expected truth, faults or inject NAME[:ARG][@TIME], got {line[:80]!r}"
        try:
            self._simulation.inject(argument)
        except ConfigError as error:
            return f"error: {error}"
        return "ok"


async def serve_truth(simulation: Simulation, port: int = 0) -> Listener:
    """Let other processes ask for the ground truth and inject faults, line by line over TCP; the caller closes it."""
    return await simulation.host.serve_stream(lambda: _TruthProtocol(simulation), port)
