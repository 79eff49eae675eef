"""Instruments that greet, prompt, echo or acknowledge: only as their profile says, never at the price of a value."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import tty

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import run
from harness.device.scpi import PROTOCOL
from harness.device.scpi.make import manners_of
from harness.errors import ProtocolViolationError, Trouble, UnreachableError
from harness.guardian.connections import Connections
from harness.schema.profiles.scpi import ScpiProfile
from harness.transport.network import SocketNetwork
from harness.transport.visa.connect import open_instrument
from harness.transport.visa.manners import Manners, Turn, Unasked
from sim.servers.host import SocketHost
from sim.servers.scpi import ScpiServer
from sim.twins.scpi import talk
from tests.unit.transport.misbehaving_servers import MemoryNetwork

ANSWERS = {b"*IDN?": b"ACME,M1,SN1,1.0", b"VOLT?": b"49.5", b"CURR?": b"7.25", b"SYST:ERR?": b'0,"No error"'}
MODES = {
    "greeting": (Manners(greeting=("Welcome",)), b"Welcome to ACME M1\r\n", b"", b"", False),
    "greeting and prompt": (Manners(("", "Welcome"), "M1> "), b"\r\nWelcome to ACME M1\r\nM1> ", b"M1> ", b"", False),
    "prompt at once": (Manners((), "M1> "), b"M1> ", b"M1> ", b"", False),
    "prompt": (Manners(prompt="M1> "), b"", b"M1> ", b"", False),
    "nul": (Manners(prompt="\0"), b"", b"\0", b"", False),
    "echo": (Manners(echo=True), b"", b"", b"", True),
    "empty line": (Manners(acknowledge=""), b"", b"", b"\n", False),
    "ok": (Manners(acknowledge="OK"), b"", b"", b"OK\r\n", False),
    "all": (Manners(("Hello",), "\r\n# ", True, "OK"), b"Hello\n\r\n# ", b"\r\n# ", b"OK\n", True),
}


def said(mode: str, line: bytes) -> bytes:
    _, _, behind, acknowledged, echoes = MODES[mode]
    return (line + b"\r\n" if echoes else b"") + (ANSWERS[line] + b"\n" if line in ANSWERS else acknowledged) + behind


def memory(mode: str) -> MemoryNetwork:
    def script(peer, data):
        for line in data.splitlines():
            peer.say(said(mode, line))

    greeting = MODES[mode][1]
    return MemoryNetwork(script, greet=(lambda peer: peer.say(greeting)) if greeting else None)


@contextlib.asynccontextmanager
async def served(mode: str, host: str):
    """The instrument on a socket; gives its VISA resource."""

    async def serve(reader, writer):
        writer.write(MODES[mode][1])
        with contextlib.suppress(OSError):
            while line := (await reader.readline()).strip():
                writer.write(said(mode, line))
        writer.close()

    server = await asyncio.start_server(serve, host, 0)
    port = server.sockets[0].getsockname()[1]
    yield f"TCPIP::{'[::1]' if ':' in host else host}::{port}::SOCKET"
    server.close()
    await server.wait_closed()
    await asyncio.sleep(0.02)


async def dialogue(dmm) -> None:
    try:
        assert await dmm.query("*IDN?") == "ACME,M1,SN1,1.0"
        await dmm.write("OUTP ON")
        assert await dmm.drain_errors() == []
        assert [await dmm.query("VOLT?"), await dmm.query("CURR?")] == ["49.5", "7.25"]
        assert dmm.counters.connects == 1
        assert dmm.counters.violations == 0
    finally:
        await dmm.close()


@pytest.mark.parametrize("mode", MODES)
def test_manners_in_virtual_time(mode):
    async def main():
        network = memory(mode)
        dmm = open_instrument("TCPIP::m::5025::SOCKET", network, virtual=True, timeout=0.5, manners=MODES[mode][0])
        await dialogue(dmm)

    run(main, rate=math.inf)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("mode", MODES)
def test_manners_over_sockets(mode, host):
    """Through the VISA library, and over IPv6, which it cannot read."""

    async def main():
        async with served(mode, host) as resource:
            manners = MODES[mode][0]
            await dialogue(open_instrument(resource, SocketNetwork(), virtual=False, timeout=1.0, manners=manners))

    run(main)


@pytest.mark.parametrize("mode", ["echo", "prompt", "ok"])
def test_manners_over_a_serial_line(mode):
    async def main():
        master, slave = os.openpty()
        tty.setraw(slave)
        loop = asyncio.get_running_loop()

        def readable():
            for line in os.read(master, 4096).splitlines():
                os.write(master, said(mode, line))

        loop.add_reader(master, readable)
        resource = f"ASRL{os.ttyname(slave)}::INSTR"
        try:
            await dialogue(
                open_instrument(resource, SocketNetwork(), virtual=False, timeout=1.0, manners=MODES[mode][0])
            )
        finally:
            loop.remove_reader(master)
            os.close(master)
            os.close(slave)

    run(main)


@pytest.mark.parametrize(
    ("mode", "text", "key"),
    [
        ("greeting", "'Welcome to ACME M1", '`greeting: ["Welcome to ACME M1"]`'),
        ("prompt", "M1> ' = 34 39 2e 35 0a 4d 31 3e 20", '`prompt: "M1> "`'),
        ("nul", "0a 00", '`prompt: "\\u0000"`'),
        ("echo", "'VOLT?", "`echo: true`"),
    ],
)
def test_without_the_key_nothing_is_believed_and_the_key_is_named(mode, text, key):
    async def main():
        network = memory(mode)
        dmm = open_instrument("TCPIP::m::5025::SOCKET", network, virtual=True, timeout=0.5)
        await dmm.open()
        await asyncio.sleep(0.01)
        with pytest.raises(ProtocolViolationError) as caught:
            [await dmm.query("VOLT?") for _ in range(2)]
        await dmm.close()
        assert text in caught.value.message
        assert key in caught.value.advice
        assert "power and cable are fine" in caught.value.advice

    run(main, rate=math.inf)


def test_an_acknowledgement_is_never_the_answer_to_the_next_question():
    async def main():
        dmm = open_instrument("TCPIP::m::5025::SOCKET", memory("ok"), virtual=True, timeout=0.5)
        await dmm.query("*IDN?")
        await dmm.query("VOLT?")
        await dmm.write("OUTP ON")
        await asyncio.sleep(0.01)
        with pytest.raises(ProtocolViolationError, match=r"'OK\\r\\n' = 4f 4b 0d 0a") as caught:
            await dmm.query("VOLT?")
        await dmm.close()
        assert '`acknowledge: "OK"`' in caught.value.advice
        assert "greeting" not in caught.value.advice

    run(main, rate=math.inf)


@pytest.mark.parametrize(
    ("mode", "manners", "message"),
    [
        ("prompt", Manners(prompt="M2> "), r"expected the prompt 'M2> '"),
        ("echo", Manners(echo=True, prompt="> "), r"the prompt '> ' did not come"),
        ("ok", Manners(acknowledge="READY"), r"expected the acknowledgement 'READY'"),
        ("ok", Manners(echo=True), r"expected the echo 'OUTP ON'"),
        ("greeting", Manners(greeting=("Hello",)), r"expected the greeting 'Hello'"),
    ],
)
def test_other_manners_than_the_profile_says_are_refused(mode, manners, message):
    async def main():
        dmm = open_instrument("TCPIP::m::5025::SOCKET", memory(mode), virtual=True, timeout=0.5, manners=manners)
        with pytest.raises((ProtocolViolationError, UnreachableError), match=message) as caught:
            await dmm.write("OUTP ON")
        assert caught.value.trouble is Trouble.OTHERWISE
        assert "check power" not in caught.value.advice
        await dmm.close()

    run(main, rate=math.inf)


@given(st.lists(st.integers(1, 200), max_size=12), st.sampled_from(sorted(MODES)))
def test_drips_change_nothing(cuts, mode):
    manners = MODES[mode][0]
    data = said(mode, b"VOLT?")
    places = sorted({min(cut, len(data) - 1) for cut in cuts} - {0})
    parts = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    turn = manners.turn(b"VOLT?", is_query=True)
    whole = [turn.feed(part) for part in parts]
    assert whole == [False] * (len(parts) - 1) + [True]
    assert turn.answer == b"49.5"


@given(st.binary(max_size=40))
def test_without_manners_one_line_is_heard_and_nothing_else(data):
    turn = Manners().turn(b"VOLT?", is_query=True)
    try:
        is_whole = turn.feed(data)
    except Unasked:
        assert not data.endswith(b"\n") or data.count(b"\n") > 1
    else:
        assert is_whole == data.endswith(b"\n")
        assert data.count(b"\n") == is_whole


def test_a_setting_without_manners_waits_for_nothing():
    assert Manners().turn(b"OUTP ON", is_query=False).is_silent
    assert Turn([], "").is_silent
    assert not Manners(echo=True).turn(b"OUTP ON", is_query=False).is_silent


def profile(mode: str) -> ScpiProfile:
    manners = MODES[mode][0]
    options = {"prompt": manners.prompt, "echo": manners.echo, "acknowledge": manners.acknowledge}
    document = {
        "schema": 1,
        "profile": "meter/odd",
        "title": "An instrument",
        "class": "meter",
        "protocol": "scpi",
        "source": "a test",
        "unverified": "a test",
        "scpi": {**options, "greeting": manners.greeting},
        "signals": {"volt": {"query": "VOLT?", "unit": "V"}},
    }
    return ScpiProfile.model_validate(document)


class Meter:
    """A device of the simulator that knows the answers."""

    def handle(self, line: str) -> str | None:
        found = ANSWERS.get(line.encode())
        return found.decode() if found is not None else None


@pytest.mark.parametrize("mode", ["greeting and prompt", "echo", "ok", "all"])
def test_the_simulated_instrument_and_the_guardian_speak_as_the_profile_says(mode):
    async def main():
        listener = await SocketHost().serve_stream(ScpiServer(Meter(), talk(profile(mode))).tcp)
        resource = f"TCPIP::127.0.0.1::{listener.port}::SOCKET"
        manners = manners_of(profile(mode))
        assert manners == MODES[mode][0]
        await dialogue(open_instrument(resource, SocketNetwork(), virtual=False, timeout=1.0, manners=manners))
        greeting = None if manners.greeting is None else list(manners.greeting)
        packed = {"greeting": greeting, "prompt": manners.prompt, "echo": manners.echo}
        entry = {"protocol": "scpi", "channel": PROTOCOL.channel, "resource": resource, "timeout": 1.0}
        entry |= {"is_exclusive": False, "max_batch": 1}
        connections = Connections({"m": {**entry, "manners": {**packed, "acknowledge": manners.acknowledge}}})
        await dialogue(connections.channels["m"]._instrument)
        await listener.close()

    run(main)
