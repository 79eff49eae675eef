"""One simulated device: the twin of a profile behind a listening port, with the faults a device as a whole can have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import cast

from harness.errors import ConfigError
from harness.schema.profiles.modbus import ModbusProfile
from harness.schema.profiles.scpi import ScpiProfile
from harness.schema.station import DeviceEntry
from sim.direct import offer_modbus, offer_scpi, offer_snmp
from sim.servers.host import Behaviour, Host, Listener
from sim.servers.modbus import ModbusServer
from sim.servers.redfish import RedfishService
from sim.servers.scpi import ScpiServer
from sim.servers.snmp import Auth, Priv, UsmUser
from sim.twins.modbus import ModbusBank
from sim.twins.points import Twin, controls
from sim.twins.redfish import RedfishTree
from sim.twins.scpi import instrument, talk
from sim.twins.snmp import SnmpObjects, TwinResponder

COMMUNITY = "public"
SNMP_USER = "harness-sim"
AUTH_PHRASE = "simulated-auth-phrase"
PRIV_PHRASE = "simulated-priv-phrase"
"""Well known on purpose: they open nothing but simulated devices."""

REBOOT_S = 3.0
"""How long a rebooting device is away."""


class SimulatedDevice:
    """A simulated device that listens; `address` is what a station file would say to reach it."""

    def __init__(self, twin: Twin, listener: Listener, address: str, hints: tuple[str, ...]) -> None:
        self.twin = twin
        self.listener = listener
        self.address = address
        self.hints = hints
        self.on_reboot: Callable[[], None] = lambda: None

    def behave(self, **changes: object) -> None:
        """Change the behaviour of the port (silent, delay, down ...)."""
        self.listener.behaviour = replace(self.listener.behaviour, **changes)  # type: ignore[arg-type]

    def heal(self) -> None:
        """A healthy device again."""
        self.listener.behaviour = Behaviour()
        self.twin.refuses = self.twin.wrong_model = self.twin.sticks = False
        self.twin.thaw()

    def come_back(self) -> None:
        """The end of a reboot: counters and uptime start again."""
        self.twin.reboot()
        self.on_reboot()
        self.behave(down=False)

    async def close(self) -> None:
        """Stop listening."""
        await self.listener.close()


Serve = Callable[[Twin, DeviceEntry, Host, int], Awaitable[SimulatedDevice]]
"""Starts what a twin's protocol is spoken by, on a port (0: a free one)."""


async def serve(
    twin: Twin, entry: DeviceEntry, host: Host, port: int = 0, servers: Mapping[str, Serve] | None = None
) -> SimulatedDevice:
    """Start the server of a twin on `port` (0: a free one). ConfigError when the port is taken.

    `servers` are those of protocols that the simulator does not know, by name.
    """
    spoken = twin.profile.protocol
    server = SERVERS.get(spoken) or (servers or {}).get(spoken)
    if server is None:
        raise ConfigError(f"no simulated device speaks {spoken}", where=twin.name)
    return await server(twin, entry, host, port)


def unit_of(entry: DeviceEntry, profile: ModbusProfile) -> int:
    """The unit that the station's address names (`.../12`), else the profile's."""
    tail = entry.address.partition("?")[2].rpartition("/")[2] if "?" in entry.address else ""
    if not tail:
        path = entry.address.partition("://")[2].partition("?")[0]
        tail = path.rpartition("/")[2] if "/" in path else ""
    return int(tail) if tail.isdigit() and int(tail) <= 255 else profile.modbus.unit


async def _serve_modbus(twin: Twin, entry: DeviceEntry, host: Host, port: int) -> SimulatedDevice:
    profile = cast("ModbusProfile", twin.profile)
    unit = unit_of(entry, profile)
    server = ModbusServer(ModbusBank(twin, unit))
    listener = await host.serve_stream(server.tcp, port)
    offer_modbus(host, listener, server)
    words = [(spec.address, name) for name, spec in profile.signals.items() if spec.table == "holding"]
    words.sort(key=lambda entry: (not profile.signals[entry[1]].unit, entry[0]))
    first, name = words[0] if words else (0, "register 0")
    at = first - profile.modbus.address_base
    ask = f"mbpoll -m tcp -p {listener.port} -a {unit} -0 -t 4"
    hints = [f"{ask}:hex -r {at} -c 1 -1 127.0.0.1   # {name}"]
    for key, control in profile.controls.items():
        if control.table == "holding" and control.range is not None and control.type in ("u16", "i16"):
            raw = round((control.range[1] - control.offset) * 2**control.precision / control.scale)
            where = control.address - profile.modbus.address_base
            hints.append(f"{ask} -r {where} 127.0.0.1 {raw}   # {key} {control.range[1]:g} {control.unit}".rstrip())
            break
    return SimulatedDevice(twin, listener, f"modbus+tcp://127.0.0.1:{listener.port}/{unit}", tuple(hints))


async def _serve_snmp(twin: Twin, entry: DeviceEntry, host: Host, port: int) -> SimulatedDevice:  # noqa: ARG001
    user = UsmUser(SNMP_USER, Auth.SHA256, AUTH_PHRASE, Priv.AES128, PRIV_PHRASE)
    responder = TwinResponder(
        SnmpObjects(twin).view,
        community=COMMUNITY,
        write_community=COMMUNITY,
        users=[user],
        engine_id=b"\x80\x00\x7e\xd9\x04" + f"sim-{twin.name}".encode()[:27],
    )
    responder.sources, responder.refuses = twin.sources, lambda: twin.refuses
    listener = await host.serve_datagram(lambda: responder, port)
    offer_snmp(host, listener, responder, twin.shown, COMMUNITY)
    where = f"127.0.0.1:{listener.port}"
    v3 = f"-v3 -l authPriv -u {SNMP_USER} -a SHA-256 -A {AUTH_PHRASE} -x AES -X {PRIV_PHRASE}"
    hints = [
        f"snmpget -v2c -c {COMMUNITY} {where} 1.3.6.1.2.1.1.3.0",
        f"snmpget {v3} {where} 1.3.6.1.2.1.1.3.0",
        f"snmpbulkwalk -v2c -c {COMMUNITY} {where} 1.3.6.1",
    ]
    for name, _, index, control, _ in controls(twin):
        if control.oid and control.type == "integer" and control.commands:
            word, raw = next(iter(control.commands.items()))
            oid = twin.fill(control.oid, index)
            hints.append(f"snmpset -v2c -c {COMMUNITY} {where} {oid} i {raw}   # {name} {word}")
            break
    device = SimulatedDevice(twin, listener, f"snmp://{where}", tuple(hints))
    device.on_reboot = responder.reboot
    return device


async def _serve_scpi(twin: Twin, entry: DeviceEntry, host: Host, port: int) -> SimulatedDevice:  # noqa: ARG001
    profile = cast("ScpiProfile", twin.profile)
    server = ScpiServer(instrument(twin), talk(profile))
    listener = await host.serve_stream(server.tcp, port)
    offer_scpi(host, listener, server)
    repeated = [spec for group in profile.repeat.values() for spec in group.signals.values()]
    queries = [spec.query for spec in (*profile.signals.values(), *repeated) if spec.poll == "fast"]
    query = next((text for text in queries if "{i}" not in text), "SYST:ERR?")
    hint = f"printf '*IDN?\\n{query}\\n' | nc -q 1 127.0.0.1 {listener.port}"
    return SimulatedDevice(twin, listener, f"TCPIP::127.0.0.1::{listener.port}::SOCKET", (hint,))


async def _serve_redfish(twin: Twin, entry: DeviceEntry, host: Host, port: int) -> SimulatedDevice:  # noqa: ARG001
    service = RedfishService(RedfishTree(twin).look, is_busy=lambda: twin.refuses)
    listener = await host.serve_stream(service.http, port)
    where = f"127.0.0.1:{listener.port}"
    return SimulatedDevice(twin, listener, f"redfish://{where}", (f"curl -s http://{where}/redfish/v1/",))


SERVERS: Mapping[str, Serve] = {
    "modbus": _serve_modbus,
    "snmp": _serve_snmp,
    "scpi": _serve_scpi,
    "redfish": _serve_redfish,
}
"""What serves the built-in protocols; those of other packages bring their own (`Protocol.twin`)."""
