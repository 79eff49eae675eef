"""The small rack of the run bench: three devices on Modbus with hand-made registers, and what hangs together in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.schema.profile import Profile
from sim.network import MemoryNetwork
from tests.keys.servers import Instrument, Objects, Registers

PDU = """
schema: 1
profile: own/pdu
title: PDU
class: pdu
protocol: modbus
source: made up
unverified: made up
identity: {serial: serial, firmware: firmware}
signals:
  serial: {address: 70, type: string, length: 2, poll: once}
  firmware: {address: 72, type: string, length: 1, poll: once}
  power: {address: 1, unit: W, range: [0, 20000]}
  bus: {address: 3, unit: V, scale: 0.1, range: [0, 100]}
  bus2: {address: 5, unit: V, scale: 0.1, range: [0, 100]}
  battery: {address: 4, unit: A, type: i16, range: [-500, 500]}
repeat:
  outlet:
    count: 2
    signals:
      state: {address: 10, enum: {"off": 0, "on": 1}}
    control: {address: 10, commands: {"off": 0, "on": 1}, energises: true, confirm: {signal: state}}
"""
CDU = """
schema: 1
profile: own/cdu
title: CDU
class: cdu
protocol: modbus
source: made up
unverified: made up
identity: {serial: serial}
signals:
  serial: {address: 70, type: string, length: 2, poll: once}
  flow: {address: 1, unit: L/min, range: [0, 500]}
  temperature: {address: 2, unit: degC, range: [0, 100]}
  leak: {address: 3, enum: {dry: 0, damp: 1, wet: 2}}
  pump: {address: 4, enum: {"off": 0, "on": 1}}
  setpoint: {address: 5, unit: L/min}
  uptime: {address: 6, unit: s}
  level: {address: 7, unit: "%", poll: slow}
controls:
  pump: {address: 4, commands: {"off": 0, "on": 1}, confirm: {signal: pump}}
  setpoint: {address: 5, unit: L/min, range: [0, 400], confirm: {signal: setpoint}}
repeat:
  zone:
    count: 2
    signals:
      temperature: {address: 20, unit: degC, range: [0, 100]}
"""
LOAD = """
schema: 1
profile: own/load
title: Load
class: load
protocol: modbus
source: made up
unverified: made up
signals:
  level: {address: 1, unit: "%", range: [0, 100]}
  fan: {address: 2, unit: "%", range: [0, 100]}
  label: {address: 30, type: string, length: 2}
controls:
  fan: {address: 2, unit: "%", range: [0, 100], confirm: {signal: fan}}
  level: {address: 1, unit: "%", range: [0, 100], confirm: {signal: level}}
"""
STATION = """
schema: 1
station: bench
devices:
  pdu: {profile: ./pdu.yaml, address: "modbus+tcp://10.0.0.1:502"}
  cdu: {profile: ./cdu.yaml, address: "modbus+tcp://10.0.0.2:502"}
  load: {profile: ./load.yaml, address: "modbus+tcp://10.0.0.3:502"}
unguarded: {coolant: a bench, temperature: a bench, leak: a bench, emergency_stop: a bench, door: a bench}
interlocks:
  - {name: much power, signal: pdu.power, max: 10 kW}
safe_state:
  default:
    - {set: pdu.outlet, to: "off"}
"""
PLAN = """
schema: 1
plan: trial
coverage: 90 %
steps:
  - {step: check, name: look, conditions: [{signal: cdu.leak, equals: dry}]}
"""
FILES = {"pdu": PDU, "cdu": CDU, "load": LOAD, "station": STATION, "plan": PLAN}
ON = {"step": "power_on", "name": "power", "outlets": "pdu.outlet", "stagger": "0 s"}
"""The step that energises the rack."""

CONTENTS = {
    "pdu": {"holding/3": [500], "holding/70": [0x5031, 0x3233, 0x4631]},
    "cdu": {"holding/1": [100, 25, 0, 1, 100, 1000, 80], "holding/20": [30, 40], "holding/70": [0x4331, 0x3233]},
    "load": {"holding/1": [0], "holding/30": [0x4162, 0x4364]},
}
"""Serial numbers P123 and C123, firmware F1, flow 100, 25 degC, dry, level 80 %, zones of 30 and 40 degC; label AbCd.
"""


OBJECTS: dict[str, int | str] = {"1.0": 0, "50.0": 0, "51.0": 1, "52.0": 0}
ANSWERS = {"X?": "0", "LEV?": "0", "MODE?": "STOP"}
"""A load on SNMP, and one that speaks SCPI: what runs, what was asked for, in which mode."""


class Box(Registers):
    """A device of the rack. At the place `stuck` it keeps from then on what its first registers hold, whatever it is
    told."""

    def __init__(self, name: str, rack: Rack) -> None:
        super().__init__(CONTENTS.get(name, {}))
        self._rack = rack
        self._name = name
        self._stuck = b""

    def show(self, place: str, value: int) -> None:
        """Put a word or bit at a place."""
        if place == "stuck":
            self._stuck = self.bank.read(1, 3, 0, 20) if value else b""
        else:
            super().show(place, value)

    def note(self, notes: list[tuple[float, Any]], what: Any) -> None:
        """Note it; what was written may have consequences."""
        super().note(notes, what)
        if notes is self.told:
            if self._stuck:
                self.bank.write(1, 3, 0, self._stuck, 20)
            self._rack.written(self._name)


class Rack:
    """The devices, each at an address of its own. `told` and `asked` are (second, device, what)."""

    def __init__(self) -> None:
        self.servers: dict[str, Any] = {}

    @property
    def told(self) -> list[tuple[float, str, Any]]:
        """Every write, in order of time."""
        return _merged({name: each.told for name, each in self.servers.items()})

    @property
    def asked(self) -> list[tuple[float, str, Any]]:
        """Every read, in order of time."""
        return _merged({name: each.asked for name, each in self.servers.items()})

    @property
    def addresses(self) -> dict[str, str]:
        """Where each device is reached."""
        return {name: server.address for name, server in self.servers.items()}

    async def start(self, network: MemoryNetwork, profiles: Mapping[str, Profile]) -> None:
        """Listen. A load may speak another protocol."""
        for name, profile in profiles.items():
            others = {"snmp": lambda: Objects(OBJECTS), "scpi": lambda: Instrument(ANSWERS)}
            self.servers[name] = others.get(profile.protocol, lambda name=name: Box(name, self))()
            await self.servers[name].start(network)

    def written(self, name: str) -> None:
        """Each closed outlet carries 500 W."""
        if name == "pdu":
            bank = self.servers[name].bank
            closed = sum(bank.read(1, 3, 10, 2)[1::2])
            self.servers[name].show("holding/1", 500 * closed)

    async def close(self) -> None:
        """Listen no more."""
        for server in self.servers.values():
            await server.close()


def _merged(notes: Mapping[str, list[tuple[float, Any]]]) -> list[tuple[float, str, Any]]:
    found = [(second, name, what) for name, each in notes.items() for second, what in each]
    return sorted(found, key=lambda one: one[0])
