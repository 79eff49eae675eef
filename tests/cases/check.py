"""One case, from its files to what differs: served by the simulator's servers, read by the harness' own client."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.device import Device
from harness.device.registry import load_profile
from harness.device.wire import Read, packed, unpacked
from harness.errors import DeviceError, IdentityError
from harness.quantity import Quality, Reading, SignalInfo, parse_quantity
from harness.safety.compile import compile_read
from harness.schema.document import Source
from harness.schema.problems import Problem, ProblemsError, did_you_mean
from harness.schema.source import parse_source, validate
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.servers.host import Listener, MemoryHost
from sim.servers.modbus import ModbusServer
from sim.servers.redfish import RedfishService
from sim.servers.scpi import ScpiServer
from sim.servers.snmp.responder import SnmpResponder
from tests.cases import Case
from tests.cases.expected import Expected
from tests.cases.lines import shown
from tests.cases.registers import read_registers
from tests.cases.resources import read_resources
from tests.cases.talk import Talk, read_talk
from tests.cases.walk import read_walk

EXPECTED = "expected.yaml"


@dataclass(frozen=True, slots=True)
class Way:
    """How the devices of one protocol are written down, served and addressed."""

    file: str
    read: Callable[[Path], Any]
    server: Callable[[Any], Callable[[], asyncio.BaseProtocol]]
    address: str


WAYS = {
    "snmp": Way("walk.txt", read_walk, lambda view: lambda: SnmpResponder(view), "snmp://127.0.0.1:{}"),
    "modbus": Way("registers.txt", read_registers, lambda bank: ModbusServer(bank).tcp, "modbus+tcp://127.0.0.1:{}"),
    "scpi": Way("talk.txt", read_talk, lambda talk: ScpiServer(talk).tcp, "TCPIP::127.0.0.1::{}::SOCKET"),
    "redfish": Way(
        "resources.json", read_resources, lambda tree: RedfishService(tree.get).http, "redfish://127.0.0.1:{}"
    ),
}
"""Protocol: its way."""


def check_case(case: Case) -> list[str]:
    """What is wrong with a case, a line each: mistakes in its files, or what comes out otherwise. Empty: it holds."""
    try:
        return [str(problem) for problem in run(lambda: _problems(case), rate=math.inf)]
    except ProblemsError as error:
        return [str(problem) for problem in error.problems]


async def _problems(case: Case) -> list[Problem]:
    profile, _ = load_profile(case.path)
    way = WAYS.get(profile.protocol)
    if way is None:
        return [Problem(shown(case.folder), 0, 0, "HX-1206", f"no device that speaks {profile.protocol} can be a case")]
    strangers = {path.name for path in case.folder.iterdir()} - {way.file, EXPECTED}
    if strangers:
        message = f"{', '.join(sorted(strangers))}: a case over {profile.protocol} holds {way.file} and {EXPECTED} only"
        return [Problem(shown(case.folder), 0, 0, "HX-1206", message)]
    path = case.folder / EXPECTED
    if not path.is_file():
        return [Problem(shown(path), 0, 0, "HX-1001", "is missing: it says what must come out")]
    source = parse_source(path.read_bytes(), shown(path))
    expected = validate(source, Expected)
    answers = way.read(case.folder / way.file)
    network = MemoryNetwork()
    listener = await _serve(profile.protocol, way.server(answers), MemoryHost(network, "127.0.0.1"))
    data = {"counts": expected.counts, "parameters": expected.parameters}
    entry = DeviceEntry.model_validate({"profile": case.profile, "address": way.address.format(listener.port), **data})
    device = DeviceBuilder(Clock(), case.folder, network).make("it", entry, profile)
    judge = _Judge(source, expected, device)
    try:
        return list(await judge.judge()) + _unanswered(answers, shown(case.folder / way.file))
    finally:
        await device.close()
        await listener.close()


async def _serve(protocol: str, factory: Any, host: MemoryHost) -> Listener:
    return await (host.serve_datagram if protocol == "snmp" else host.serve_stream)(factory)


def _unanswered(answers: object, name: str) -> list[Problem]:
    asked = answers.unanswered if isinstance(answers, Talk) else []
    return [Problem(name, 0, 0, "HX-1206", f"the device is asked {query!r}, and no line answers it") for query in asked]


class _Judge:
    """Opens and reads the device, and says what comes out otherwise than expected."""

    def __init__(self, source: Source, expected: Expected, device: Device) -> None:
        self._source = source
        self._expected = expected
        self._device = device

    async def judge(self) -> list[Problem]:
        """Every difference."""
        if unknown := list(self._unknown()):
            return unknown
        expected = self._expected
        try:
            await self._device.open()
        except IdentityError as error:
            if expected.refused and expected.refused in error.message:
                return []
            wanted = f"which should say {expected.refused!r}" if expected.refused else "but must be let in"
            return [self._at(("refused",), f"the device is refused, {wanted}: {error.message}")]
        except DeviceError as error:
            return [self._at((), f"the device cannot be opened: {error}")]
        if expected.refused:
            return [self._at(("refused",), f"the device is let in as {self._device.identity}, but must be refused")]
        return [*self._identity(), *self._absence(), *await self._values()]

    def _at(self, loc: tuple[str | int, ...], message: str) -> Problem:
        return self._source.problem(loc, "HX-1206", message)

    def _unknown(self) -> Iterator[Problem]:
        """Signals, repetitions and parameters that the profile does not know, where they stand."""
        known = self._device.expansion.signals
        expected, profile = self._expected, self._device.profile
        for key, given, allowed in (
            ("counts", expected.counts, profile.repeat),
            ("parameters", expected.parameters, profile.parameters),
        ):
            for name in sorted(set(given) - set(allowed)):
                message = f"{name!r} is none of the {key} of this profile"
                yield self._source.problem((key, name), "HX-1305", message, did_you_mean(name, allowed), key=True)
        places = [("reads", name) for name in expected.reads] + [("bad", name) for name in expected.bad]
        for loc, name in [
            *((place, place[1]) for place in places),
            *((("absent", k), name) for k, name in enumerate(expected.absent)),
        ]:
            if name not in known:
                yield self._source.problem(
                    loc, "HX-1306", f"{name!r} is no signal of this profile", did_you_mean(name, known), key=True
                )

    def _identity(self) -> Iterator[Problem]:
        found = self._device.identity
        for key, wanted in self._expected.identity.items():
            if found.get(key) != wanted:
                yield self._at(("identity", key), f"the {key} is {found.get(key)!r}, expected {wanted!r}")

    def _absence(self) -> Iterator[Problem]:
        there = self._there()
        for k, name in enumerate(self._expected.absent):
            if name in there:
                yield self._at(("absent", k), f"{name} is there, expected none")

    def _there(self) -> dict[str, SignalInfo]:
        return {info.name.partition(".")[2]: info for info in self._device.signals}

    async def _values(self) -> list[Problem]:
        expected, there = self._expected, self._there()
        wanted = [*expected.reads, *expected.bad]
        problems = []
        for name in wanted:
            if name not in there:
                loc = ("reads" if name in expected.reads else "bad", name)
                problems.append(self._at(loc, f"{name} is not there: the device does not have it"))
        names = [name for name in wanted if name in there]
        try:
            readings = await self._device.read(names)
        except DeviceError as error:
            return [*problems, self._at((), f"the device cannot be read: {error}")]
        for name, reading in zip(names, readings, strict=True):
            if name in expected.reads:
                message = self._differs(there[name], reading, expected.reads[name])
                loc = "reads", name
            else:
                quality = Quality[f"BAD_{expected.bad[name].upper()}"]
                message = "" if reading.quality is quality else f"{name} is {reading}, expected {quality.word}"
                loc = "bad", name
            problems += [self._at(loc, message)] if message else []
        return problems or await self._alone(readings)

    async def _alone(self, readings: list[Reading]) -> list[Problem]:
        """Where the guardian, which gets each read as JSON and scales it itself, reads something else."""
        problems = []
        for reading in readings:
            name = reading.signal.partition(".")[2]
            value = await self._read_alone(name)
            if isinstance(value, str):
                is_equal = value == (reading.text if reading.is_good else "")
            else:
                is_equal = math.isclose(value, reading.value, rel_tol=1e-6) if reading.is_good else math.isnan(value)
            if not is_equal:
                message = f"{name} is {reading}, but read alone, as the guardian does, it is {value!r}"
                problems.append(self._at(("reads" if reading.is_good else "bad", name), message))
        return problems

    async def _read_alone(self, name: str) -> float | str:
        """What the guardian makes of one signal; NaN where there is nothing that it could read."""
        try:
            read = await compile_read(self._device, self._device.expansion.signals[name])
        except DeviceError:
            return math.nan
        (value,) = await self._device.look([unpacked(Read, json.loads(json.dumps(packed(read))))])
        return value

    @staticmethod
    def _differs(info: SignalInfo, reading: Reading, wanted: str | float) -> str:
        """How a reading differs from what was expected; '' when it does not."""
        name = info.name.partition(".")[2]
        if info.is_text or info.labels or info.flags:
            if not isinstance(wanted, str):
                return f"{name} is a text or a word: write {wanted} in quotes"
            is_equal = reading.text == wanted
        else:
            try:
                value = parse_quantity(wanted).to(info.unit)
            except ValueError as error:
                return f"{name}: {error}"
            is_equal = math.isclose(reading.value, value, rel_tol=1e-6, abs_tol=1e-9)
        return "" if reading.is_good and is_equal else f"{name} is {reading}, expected {wanted}"
