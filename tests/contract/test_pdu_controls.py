"""Every control of every PDU profile, against its simulated twin: the vendor's own numbers go over the wire.

The numbers are written here by hand from the vendors' MIBs, not taken from the profiles, and read off the wire by
pysnmp's codec, not by the harness' or the simulator's.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pyasn1.codec.ber import decoder
from pysnmp.proto.api import v2c

import sim
import sim.twin
from harness.clock import Clock, run
from harness.device.actuate import actuate
from harness.device.build import DeviceBuilder
from harness.device.registry import known_profiles, load_profile
from harness.device.setting import resolve_setting
from harness.schema.source import parse_source, validate
from harness.schema.station import Station
from sim.servers.snmp.status import GEN_ERR
from sim.twins.snmp import TwinResponder

INFINITE = float("inf")
OUTLETS = 8


@dataclass(frozen=True)
class Vendor:
    """Object and number of each command, object of the state and its numbers. `{n}` is the number of the outlet."""

    on: tuple[str, int]
    off: tuple[str, int]
    state: str
    is_on: int
    is_off: int


APC, RARITAN, SENTRY = "1.3.6.1.4.1.318.1.1", "1.3.6.1.4.1.13742.6.4.1.2.1", "1.3.6.1.4.1.1718"
GEIST, LIEBERT = "1.3.6.1.4.1.21239.5.2.3.5.1", "1.3.6.1.4.1.476.1.42.3.8.50.20.1"
EATON = "1.3.6.1.4.1.534.6.6.7.6.6.1"
ENLOGIC, PANDUIT = "1.3.6.1.4.1.38446.1.5", "1.3.6.1.4.1.19536.10.1.5.2.1"
HPE3, HPE2 = "1.3.6.1.4.1.232.165.11.5.2.1", "1.3.6.1.4.1.232.165.7.5.2.1"
DELL = "1.3.6.1.4.1.674.10903.200.2.200.130.1"
RITTAL, CPI, MAC = "1.3.6.1.4.1.2606.7.4.2.2.1.11", "1.3.6.1.4.1.30932.1.10.1.4.10.1.11", "0.14.211.0.0.1"
VENDORS = {
    "pdu/apc_rpdu2": Vendor(
        (f"{APC}.26.9.2.4.1.5.{{n}}", 1), (f"{APC}.26.9.2.4.1.5.{{n}}", 2), f"{APC}.26.9.2.3.1.5.{{n}}", 2, 1
    ),
    "pdu/apc_rpdu": Vendor(
        (f"{APC}.12.3.3.1.1.4.{{n}}", 1), (f"{APC}.12.3.3.1.1.4.{{n}}", 2), f"{APC}.12.3.5.1.1.4.{{n}}", 1, 2
    ),
    "pdu/raritan_pdu2": Vendor((f"{RARITAN}.2.1.{{n}}", 1), (f"{RARITAN}.2.1.{{n}}", 0), f"{RARITAN}.3.1.{{n}}", 7, 8),
    "pdu/servertech_sentry4": Vendor(
        (f"{SENTRY}.4.1.8.5.1.2.1.1.{{n}}", 1),
        (f"{SENTRY}.4.1.8.5.1.2.1.1.{{n}}", 2),
        f"{SENTRY}.4.1.8.3.1.1.1.1.{{n}}",
        1,
        2,
    ),
    "pdu/servertech_sentry3": Vendor(
        (f"{SENTRY}.3.2.3.1.11.1.1.{{n}}", 1),
        (f"{SENTRY}.3.2.3.1.11.1.1.{{n}}", 2),
        f"{SENTRY}.3.2.3.1.5.1.1.{{n}}",
        1,
        0,
    ),
    "pdu/geist_v5": Vendor((f"{GEIST}.6.{{n}}", 2), (f"{GEIST}.6.{{n}}", 4), f"{GEIST}.4.{{n}}", 1, 2),
    "pdu/liebert_mpx": Vendor(
        (f"{LIEBERT}.100.1.1.{{n}}", 1), (f"{LIEBERT}.100.1.1.{{n}}", 0), f"{LIEBERT}.95.1.1.{{n}}", 2, 1
    ),
    "pdu/enlogic_en": Vendor(
        (f"{ENLOGIC}.5.1.4.1.{{n}}", 2), (f"{ENLOGIC}.5.1.4.1.{{n}}", 1), f"{ENLOGIC}.4.1.4.1.{{n}}", 1, 0
    ),
    "pdu/panduit_g5": Vendor((f"{PANDUIT}.3.1.{{n}}", 0), (f"{PANDUIT}.2.1.{{n}}", 0), f"{PANDUIT}.1.1.{{n}}", 2, 1),
    "pdu/hpe_pdu3": Vendor((f"{HPE3}.3.1.{{n}}", 0), (f"{HPE3}.2.1.{{n}}", 0), f"{HPE3}.1.1.{{n}}", 2, 1),
    "pdu/hpe_pdu2": Vendor((f"{HPE2}.3.1.{{n}}", 0), (f"{HPE2}.2.1.{{n}}", 0), f"{HPE2}.1.1.{{n}}", 2, 1),
    "pdu/dell_rpdu": Vendor((f"{DELL}.4.1.4.{{n}}", 1), (f"{DELL}.4.1.4.{{n}}", 2), f"{DELL}.2.1.4.{{n}}", 1, 2),
    "pdu/rittal_pdu": Vendor((f"{RITTAL}.2.1{{n}}", 1), (f"{RITTAL}.2.1{{n}}", 0), f"{RITTAL}.2.1{{n}}", 1, 0),
    "pdu/chatsworth_econnect": Vendor((f"{CPI}.{{n}}.{MAC}", 1), (f"{CPI}.{{n}}.{MAC}", 0), f"{CPI}.{{n}}.{MAC}", 1, 0),
    "pdu/eaton_epdu_g3": Vendor((f"{EATON}.4.0.{{n}}", 0), (f"{EATON}.3.0.{{n}}", 0), f"{EATON}.2.0.{{n}}", 1, 0),
}

STATION = """\
schema: 1
station: one-pdu
simulation: {{rack: 132kW, seed: 3}}
devices:
  pdu: {{profile: {profile}, address: "snmp://127.0.0.1:16100", counts: {{outlet: 8}}}}
safe_state:
  default:
    - {{set: pdu.outlet, to: "off", confirm_within: 5 s}}
"""


class Wire:
    """What went over the wire, as pysnmp reads it."""

    def __init__(self) -> None:
        self.sets: list[tuple[str, int]] = []
        self.answers: dict[str, int] = {}
        self.agent = None
        self.view = None

    def saw(self, request: bytes, reply: bytes | None) -> None:
        """Note one exchange."""
        message, _ = decoder.decode(request, asn1Spec=v2c.Message())
        asked = v2c.apiMessage.get_pdu(message)
        if asked.isSameTypeWith(v2c.SetRequestPDU()):
            for oid, value in v2c.apiPDU.get_varbinds(asked):
                self.sets.append((str(oid), int(value)))
        elif reply is not None:
            message, _ = decoder.decode(reply, asn1Spec=v2c.Message())
            for oid, value in v2c.apiPDU.get_varbinds(v2c.apiMessage.get_pdu(message)):
                if isinstance(value, v2c.Integer):
                    self.answers[str(oid)] = int(value)


class Notes:
    """What actuation wrote down."""

    def __init__(self) -> None:
        self.written: list[tuple[str, dict]] = []

    async def intent(self, device, commands):
        self.written.append(("intent", dict(commands)))

    def note(self, kind, /, **data):
        self.written.append((kind, data))

    def of(self, kind):
        return [data for name, data in self.written if name == kind]


@asynccontextmanager
async def pdu(profile, monkeypatch, faults=()):
    """The twin of a profile and the harness' device on it: (simulation, device, wire)."""
    wire = Wire()

    class Tapped(TwinResponder):
        def __init__(self, view, **options):
            super().__init__(view, **options)
            wire.agent, wire.view = self, view

        def handle(self, data):
            reply = super().handle(data)
            wire.saw(data, reply)
            return reply

    monkeypatch.setattr(sim.twin, "TwinResponder", Tapped)
    station = validate(parse_source(STATION.format(profile=profile).encode(), "station.yaml"), Station)
    loaded = load_profile(known_profiles()[profile])[0]
    simulation = await sim.start(station, {profile: loaded}, virtual=True, faults=faults)
    monkeypatch.setattr(simulation.network, "peer", lambda *_: None)  # by bytes, not beneath them: they are judged here
    builder = DeviceBuilder(Clock(), Path(), simulation.network)
    device = builder.make("pdu", station.devices["pdu"], loaded, simulation.addresses["pdu"])
    try:
        await device.open()
        wire.sets.clear()
        yield simulation, device, wire
    finally:
        await device.close()
        await simulation.close()


async def switch(device, to, *, only=None, within=None):
    """Command outlets, and what came of it."""
    controls = [control for control in device.expansion.bank("outlet") if only is None or control.row == only]
    notes = Notes()
    wanted = [(control, resolve_setting(control, to)) for control in controls]
    return await actuate(device, wanted, Clock(), notes, within), notes


def test_the_table_has_every_pdu_profile_that_switches():
    profiles = {name: load_profile(path)[0] for name, path in known_profiles().items() if name.startswith("pdu/")}
    assert set(VENDORS) == {name for name, profile in profiles.items() if profile.protocol != "redfish"}


@pytest.mark.parametrize("profile", VENDORS)
def test_every_outlet_switches_by_the_vendors_numbers(profile, monkeypatch):
    vendor = VENDORS[profile]

    async def main():
        async with pdu(profile, monkeypatch) as (simulation, device, wire):
            outlets = [f"outlet[{n}]" for n in range(1, OUTLETS + 1)]
            assert [control.name for control in device.expansion.bank("outlet")] == outlets
            for to, (oid, number), shown in (
                ("on", vendor.on, vendor.is_on),
                ("off", vendor.off, vendor.is_off),
                ("on", vendor.on, vendor.is_on),
            ):
                wire.sets.clear()
                wire.answers.clear()
                outcomes, notes = await switch(device, to)
                assert all(outcome.is_confirmed for outcome in outcomes.values()), [str(o) for o in outcomes.values()]
                assert len(notes.of("confirmed")) == len(notes.of("acknowledged")) == OUTLETS
                assert wire.sets == [(oid.format(n=n), number) for n in range(1, OUTLETS + 1)]
                for n in range(1, OUTLETS + 1):
                    assert wire.answers[vendor.state.format(n=n)] == shown
                    assert simulation.truth()[f"outlet[{n}].state"] == (to == "on")

    run(main, rate=INFINITE)


@pytest.mark.parametrize("profile", VENDORS)
def test_a_single_outlet_moves_no_other(profile, monkeypatch):
    async def main():
        async with pdu(profile, monkeypatch) as (simulation, device, wire):
            outcomes, _ = await switch(device, "on", only=7)
            assert outcomes["outlet[7]"].is_confirmed
            assert [n for n in range(1, OUTLETS + 1) if simulation.truth()[f"outlet[{n}].state"]] == [7]
            assert wire.sets == [(VENDORS[profile].on[0].format(n=7), VENDORS[profile].on[1])]

    run(main, rate=INFINITE)


@pytest.mark.parametrize("profile", VENDORS)
def test_a_stuck_relay_is_acknowledged_but_not_confirmed(profile, monkeypatch):
    async def main():
        async with pdu(profile, monkeypatch, faults=["outlet_stuck:3"]) as (_simulation, device, wire):
            outcomes, notes = await switch(device, "on")
            assert [name for name, outcome in outcomes.items() if not outcome.is_confirmed] == ["outlet[3]"]
            assert outcomes["outlet[3]"].reading.text == "off"
            assert wire.answers[VENDORS[profile].state.format(n=3)] == VENDORS[profile].is_off
            assert len(notes.of("acknowledged")) == OUTLETS
            assert [note["control"] for note in notes.of("not confirmed")] == ["outlet[3]"]
            assert len(wire.sets) == OUTLETS, "a write is never repeated"

    run(main, rate=INFINITE)


@pytest.mark.parametrize("profile", VENDORS)
def test_a_refusal_is_said_and_nothing_moved(profile, monkeypatch):
    async def main():
        async with pdu(profile, monkeypatch) as (simulation, device, _wire):
            simulation.devices["pdu"].twin.refuses = True
            outcomes, notes = await switch(device, "on", only=2, within=2.0)
            assert not outcomes["outlet[2]"].is_confirmed
            assert "refused" in outcomes["outlet[2]"].error
            assert [note["control"] for note in notes.of("refused")] == ["outlet[2]"]
            assert not simulation.truth()["outlet[2].state"]

    run(main, rate=INFINITE)


@pytest.mark.parametrize("profile", VENDORS)
def test_an_error_after_acting_is_confirmed_with_a_warning(profile, monkeypatch):
    """Seen on management cards: the relay moves, and the answer to the SET is genErr."""

    async def main():
        async with pdu(profile, monkeypatch) as (simulation, device, wire):
            wire.agent.tamper = lambda request, reply: (
                replace(reply, status=GEN_ERR, index=1) if request.kind == 0xA3 else reply
            )
            outcomes, notes = await switch(device, "on", only=5)
            assert outcomes["outlet[5]"].is_confirmed
            (noted,) = notes.of("confirmed")
            assert "genErr" in noted["warning"]
            assert simulation.truth()["outlet[5].state"]
            assert len(wire.sets) == 1, "a write is never repeated"

    run(main, rate=INFINITE)


def test_a_state_on_the_way_is_not_the_state(monkeypatch):
    """Eaton's pending_on (3) is not on (1): confirmation waits for the relay."""

    async def main():
        async with pdu("pdu/eaton_epdu_g3", monkeypatch) as (_simulation, device, wire):
            oid = tuple(map(int, VENDORS["pdu/eaton_epdu_g3"].state.format(n=1).split(".")))
            closed_at = asyncio.get_running_loop().time() + 4.0
            wire.view.put(oid, 2, lambda: 1 if asyncio.get_running_loop().time() >= closed_at else 3)
            outcomes, _ = await switch(device, "on", only=1)
            assert outcomes["outlet[1]"].is_confirmed
            assert asyncio.get_running_loop().time() >= closed_at

    run(main, rate=INFINITE)
