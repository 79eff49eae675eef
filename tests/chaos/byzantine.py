"""Every lie of every transport, told to a whole device: no poll may believe it, and it may confirm no command.

The plant stands still while polls are judged, so whatever they call GOOD can be compared with what the honest device
says. It moves for the command. One lie is left out, a flipped bit inside an SNMP v2c value: on a wire the checksum of
UDP catches it, in memory nothing can; SNMPv3 signs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.clock import Clock
from harness.device.actuate import actuate
from harness.device.build import DeviceBuilder
from harness.device.device import Device
from harness.device.setting import resolve_setting
from harness.errors import HarnessError
from harness.quantity import Frame
from sim.network import MemoryNetwork
from sim.physics.plant import Plant
from sim.rack import make_sources, parameters_of
from sim.servers.host import MemoryHost
from sim.servers.modbus import ModbusServer
from sim.servers.scpi import ScpiServer
from sim.twins.modbus import ModbusBank
from sim.twins.points import Twin
from sim.twins.scpi import instrument
from sim.twins.snmp import SnmpObjects, TwinResponder
from tests.chaos.rig import station
from tests.chaos.table import Row
from tests.tools.byzantine import modbus_lies, rtu_lies, scpi_lies
from tests.tools.modbus_rtu import RtuProtocol
from tests.tools.snmp_misbehaviour import Lie, LyingResponder

_POLLS = 4
_COMMANDS = {
    "cdu": ("flow_setpoint", "150 L/min"),
    "cdu over rtu": ("flow_setpoint", "150 L/min"),
    "pdu": ("outlet[3]", "on"),
    "rack": ("level", "35 %"),
}


class _Silent:
    """Nobody needs to read these notes."""

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        pass

    def note(self, kind: str, /, **data: Any) -> None:
        pass


@dataclass
class Bench:
    """One device, honest until it is told to lie."""

    device: Device
    clock: Clock
    lie: Callable[[Any], None]
    honest: Callable[[], None]
    twin: Twin


async def bench(name: str) -> Bench:
    """A device of the simulated station whose plant stands still."""
    on = station()
    name, _, framing = name.partition(" over ")
    entry, profile = on.station.devices[name], on.catalog.profiles[name]
    sources = make_sources(Plant(parameters_of("132kW"), 3))
    sources.refresh(force=True)
    twin = Twin(name, profile, sources, entry.parameters, entry.counts, entry.serial)
    network = MemoryNetwork()
    host = MemoryHost(network)
    clock = Clock()
    builder = DeviceBuilder(clock, on.base, network)
    if name == "pdu":
        responder = TwinResponder(SnmpObjects(twin).view, community="public", write_community="public", users=[])
        responder.sources = sources
        liar = LyingResponder(responder)
        listener = await host.serve_datagram(lambda: liar)
        other = await network.open_datagram("127.0.0.1", listener.port, _Nobody, any_source=True)
        liar.other_transport = other[0]
        device = builder.make(name, entry, profile, f"snmp://127.0.0.1:{listener.port}")
        return Bench(device, clock, liar.tell, liar.be_honest, twin)
    server: Any
    if framing == "rtu":
        server = ModbusServer(ModbusBank(twin, 12))
        listener = await host.serve_stream(lambda: RtuProtocol(server))
        address = f"modbus+rtutcp://127.0.0.1:{listener.port}/12"
    elif name == "cdu":
        server = ModbusServer(ModbusBank(twin, 12))
        listener = await host.serve_stream(server.tcp)
        address = f"modbus+tcp://127.0.0.1:{listener.port}/12"
    else:
        server = ScpiServer(instrument(twin))
        listener = await host.serve_stream(server.tcp)
        address = f"TCPIP::127.0.0.1::{listener.port}::SOCKET"
    device = builder.make(name, entry, profile, address)

    def tell(lie: Any) -> None:
        server.tamper = lie

    return Bench(device, clock, tell, lambda: tell(None), twin)


class _Nobody:
    """A protocol that hears nothing."""

    def connection_made(self, transport: Any) -> None:
        pass

    def datagram_received(self, data: bytes, addr: Any) -> None:
        pass

    def error_received(self, exc: Exception) -> None:
        pass

    def connection_lost(self, exc: Exception | None) -> None:
        pass


def _wrong(frame: Frame, truth: Frame, device: Device) -> list[str]:
    """Signals that the frame calls GOOD and that are not what the honest device shows. What counts time may move."""
    wrong = []
    for index, info in enumerate(device.signals):
        if frame.qualities[index] or truth.qualities[index]:
            continue
        if info.is_text:
            if frame.texts.get(index) != truth.texts.get(index):
                wrong.append(f"{info.name}={frame.texts.get(index)!r}")
            continue
        got, was = float(frame.values[index]), float(truth.values[index])
        if got != was and not ("uptime" in info.name or "energy" in info.name or "heartbeat" in info.name):
            wrong.append(f"{info.name}={got:g} (honest {was:g})")
    return wrong


async def _reported(name: str, lie: Any) -> tuple[list[str], list[str], str]:
    """(wrong GOOD values, confirmed commands that did not happen, what it was classified as)."""
    place = await bench(name)
    device, clock = place.device, place.clock
    try:
        await device.open()
        await device.poll()
        truth = await device.poll()
        assert truth is not None
        assert not np.all(truth.qualities)
        place.lie(lie)
        wrong: list[str] = []
        for _ in range(_POLLS):
            await clock.sleep(1.0)
            frame = await device.poll()
            if frame is not None:
                wrong += _wrong(frame, truth, device)
        control_name, to = _COMMANDS[name]
        control = device.expansion.controls[control_name]
        setting = resolve_setting(control, to)
        started = clock.monotonic()
        place.twin.sources.now = lambda: clock.monotonic() - started
        outcomes = await actuate(device, [(control, setting)], clock, _Silent())
        classified = ", ".join(sorted(device.health.by_kind)) or "nothing seen"
        place.honest()
        await clock.sleep(60.0)
        false: list[str] = []
        if outcomes[control_name].is_confirmed:
            await device.poll()
            (reading,) = await device.read([control.confirm_by])
            from harness.device.confirm import agrees

            if not agrees(control, setting, reading):
                false.append(f"{control_name} is {reading}")
        return wrong, false, classified
    except HarnessError as error:
        return [f"not recovered: {error}"], [], "not recovered"
    finally:
        await device.close()


async def _honest(name: str) -> Row:
    """The control of the experiment: an honest device is believed and confirms."""
    place = await bench(name)
    device, clock = place.device, place.clock
    try:
        await device.open()
        frame = await device.poll()
        good = int((frame.qualities == 0).sum()) if frame is not None else 0
        started = clock.monotonic()
        place.twin.sources.now = lambda: clock.monotonic() - started
        control_name, to = _COMMANDS[name]
        control = device.expansion.controls[control_name]
        outcomes = await actuate(device, [(control, resolve_setting(control, to))], clock, _Silent())
        found = f"{name}: {good} of {len(device.signals)} GOOD, {outcomes[control_name]}"
        ok = good > len(device.signals) // 2 and outcomes[control_name].is_confirmed
        return Row(f"{device.profile.protocol}: honest", found, "believed, confirmed", ok)
    finally:
        await device.close()


async def matrix() -> list[Row]:
    """All lies of Modbus TCP, Modbus RTU (over TCP), SNMP and raw-socket SCPI."""
    rows = [await _honest(name) for name in _COMMANDS]
    lies: list[tuple[str, str, str, Any]] = [
        *(("Modbus", "cdu", text, lie) for text, lie in modbus_lies().items()),
        *(("Modbus RTU", "cdu over rtu", text, lie) for text, lie in rtu_lies().items()),
        *(("SNMP", "pdu", lie.label, lie) for lie in Lie if lie is not Lie.CORRUPT),
        *(("SCPI", "rack", text, lie) for text, lie in scpi_lies().items()),
    ]
    for transport, name, text, lie in lies:
        wrong, false, classified = await _reported(name, lie)
        found = f"{len(wrong)} wrong GOOD, {len(false)} false confirmations, seen as: {classified}"
        found += f"; {(wrong + false)[0]}" if wrong or false else ""
        rows.append(Row(f"{transport}: {text}", found, "0, 0", not wrong and not false))
    return rows
