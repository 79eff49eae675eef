"""SCPI sessions against an instrument that is late, silent, talkative or gone: in memory and through pyvisa-py."""

from __future__ import annotations

import asyncio
import inspect
import math
import subprocess
import sys
import threading
import time

import pytest
import pyvisa.errors

from harness.clock import run
from harness.errors import ConfigError, DeviceError, ProtocolViolationError, RefusedError, UnreachableError
from harness.transport.network import SocketNetwork
from harness.transport.visa.connect import open_instrument
from harness.transport.visa.instrument import Instrument
from harness.transport.visa.manners import MAX_REPLY, Unasked
from harness.transport.visa.pyvisa_session import PyvisaSession, Worker, mapped
from harness.transport.visa.session import Abandoned
from tests.unit.transport.misbehaving_servers import MemoryNetwork

ANSWERS = {b"*IDN?": b"Acme,L63,SN7,1.02", b"VOLT?": b"48.125", b"CURR?": b"12.5", b"SYST:ERR?": b'0,"No error"'}


def answer(line: bytes) -> bytes:
    return ANSWERS.get(line, b"") + b"\n"


class Bench:
    """One lying SCPI server, in memory (virtual time) or on a loopback socket behind pyvisa-py (real time).

    `script(say, hang_up, line)` is called for every line heard; `say(data, after)`.
    """

    def __init__(self, kind: str, script) -> None:
        self.kind = kind
        self.script = script
        self.lines: list[bytes] = []
        self.sessions = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self):
        if self.kind == "memory":
            self.network = MemoryNetwork(self._hear)
            self.resource = "TCPIP::dmm::5025::SOCKET"
        else:
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            port = self.server.sockets[0].getsockname()[1]
            self.resource = f"TCPIP::127.0.0.1::{port}::SOCKET"
            self.network = SocketNetwork()
        return self

    async def __aexit__(self, *_):
        if self.kind != "memory":
            self.server.close()
            for writer in self.writers:
                writer.transport.abort()
            await self.server.wait_closed()
            await asyncio.sleep(0.01)

    def instrument(self, timeout=0.3) -> Instrument:
        return open_instrument(self.resource, self.network, virtual=self.kind == "memory", name="dmm", timeout=timeout)

    def dials(self) -> int:
        return len(self.network.dials) if self.kind == "memory" else self.sessions

    def _hear(self, peer, data):
        for line in data.splitlines():
            self.lines.append(line)
            self.script(peer.say, peer.hang_up, line)

    async def _line(self, reader):
        try:
            return await reader.readline()
        except ConnectionResetError:
            return b""

    async def _serve(self, reader, writer):
        self.sessions += 1
        self.writers.append(writer)
        loop = asyncio.get_running_loop()

        def say(data, after=0.0):
            loop.call_later(after, writer.write, data)

        while line := await self._line(reader):
            self.lines.append(line.strip())
            self.script(say, lambda: loop.call_later(0.01, writer.transport.close), line.strip())
        writer.close()


@pytest.fixture(params=["memory", "pyvisa"])
def kind(request):
    yield request.param
    deadline = time.monotonic() + 2
    while any(thread.name.startswith("visa ") for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("visa ")]


def on(kind, main, script):
    async def whole():
        async with Bench(kind, script) as bench:
            await main(bench)

    run(whole, rate=math.inf if kind == "memory" else 1.0)


async def failing(call) -> tuple[DeviceError, float]:
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(DeviceError) as caught:
        await call
    return caught.value, loop.time() - started


def polite(say, hang_up, line):
    if line.endswith(b"?"):
        say(answer(line))


def test_transport_visa_queries_writes_and_drains(kind):
    errors = [b'-113,"Undefined header"', b'-222,"Data out of range"', b'+0,"No error"']

    def script(say, hang_up, line):
        if line == b"SYST:ERR?":
            say(errors.pop(0) + b"\r\n")
        else:
            polite(say, hang_up, line)

    async def main(bench):
        dmm = bench.instrument()
        assert await dmm.query("*IDN?") == "Acme,L63,SN7,1.02"
        await dmm.write("VOLT 48.125")
        assert await dmm.query("VOLT?") == "48.125"
        assert await dmm.drain_errors() == ['-113,"Undefined header"', '-222,"Data out of range"']
        assert bench.lines == [b"*IDN?", b"VOLT 48.125", b"VOLT?", b"SYST:ERR?", b"SYST:ERR?", b"SYST:ERR?"]
        assert bench.dials() == 1
        assert (dmm.counters.requests, dmm.counters.connects) == (6, 1)
        await dmm.close()
        with pytest.raises(UnreachableError):
            await dmm.query("VOLT?")

    on(kind, main, script)


def test_transport_visa_late_answer_is_never_given_to_the_next_query(kind):
    def script(say, hang_up, line):
        say(answer(line), 0.33 if line == b"VOLT?" else 0.0)

    async def main(bench):
        dmm = bench.instrument()
        error, took = await failing(dmm.query("VOLT?"))
        assert isinstance(error, UnreachableError)
        assert 0.3 <= took < (0.4 if kind == "memory" else 1.5)
        assert not dmm.is_open
        assert await dmm.query("CURR?") == "12.5"
        assert await dmm.query("*IDN?") == "Acme,L63,SN7,1.02"
        assert bench.dials() == 2
        assert dmm.counters.timeouts == 1
        await dmm.close()

    on(kind, main, script)


def test_transport_visa_unasked_answer_is_a_violation_and_costs_the_session(kind):
    def script(say, hang_up, line):
        say(answer(line))
        if line == b"VOLT?":
            say(b"99.9\n", 0.05)

    async def main(bench):
        dmm = bench.instrument()
        assert await dmm.query("VOLT?") == "48.125"
        await asyncio.sleep(0.15)
        error, _ = await failing(dmm.query("CURR?"))
        assert isinstance(error, ProtocolViolationError)
        assert "39 39 2e 39" in str(error)
        assert bench.lines == [b"VOLT?"], "nothing is sent on a session that is out of step"
        assert await dmm.query("CURR?") == "12.5"
        await dmm.close()

    on(kind, main, script)


@pytest.mark.parametrize("reply", [b"1\n2\n", b"48.1\x00\n", b"48.\xb51\n", b"\x1b[31m48\n"])
def test_transport_visa_garbage_is_refused(kind, reply):
    async def main(bench):
        dmm = bench.instrument()
        error, _ = await failing(dmm.query("VOLT?"))
        assert isinstance(error, ProtocolViolationError)
        assert error.operation == "VOLT?"
        assert not dmm.is_open
        assert dmm.counters.violations == 1
        await dmm.close()

    on(kind, main, lambda say, hang_up, line: say(reply))


def test_transport_visa_endless_answer_is_bounded(kind):
    async def main(bench):
        dmm = bench.instrument(timeout=5.0)
        error, took = await failing(dmm.query("TRAC?"))
        assert isinstance(error, ProtocolViolationError)
        assert took < 4
        await dmm.close()

    on(kind, main, lambda say, hang_up, line: say(b"7" * (MAX_REPLY + 100)))


def test_transport_visa_long_answer_is_whole(kind):
    text = ",".join(str(index) for index in range(40_000))

    async def main(bench):
        dmm = bench.instrument(timeout=5.0)
        assert await dmm.query("TRAC?") == text
        await dmm.close()

    on(kind, main, lambda say, hang_up, line: say(text.encode() + b"\n"))


@pytest.mark.parametrize("part", [b"", b"48."])
def test_transport_visa_peer_that_closes_is_noticed_at_once(kind, part):
    def script(say, hang_up, line):
        if line == b"CURR?":
            say(answer(line))
            return
        if part:
            say(part)
        hang_up()

    async def main(bench):
        dmm = bench.instrument(timeout=3.0)
        error, took = await failing(dmm.query("VOLT?"))
        assert isinstance(error, UnreachableError)
        assert took < 1.0
        assert dmm.counters.lost == 1
        assert await dmm.query("CURR?") == "12.5"
        await dmm.close()

    on(kind, main, script)


def test_transport_visa_session_closed_while_idle_is_replaced_before_anything_is_sent(kind):
    def script(say, hang_up, line):
        if line.endswith(b"?"):
            say(answer(line))
        if line == b"VOLT?":
            hang_up()

    async def main(bench):
        dmm = bench.instrument()
        assert await dmm.query("VOLT?") == "48.125"
        await asyncio.sleep(0.1)
        await dmm.write("OUTP OFF")
        assert await dmm.query("VOLT?") == "48.125"
        await asyncio.sleep(0.1)
        assert await dmm.query("CURR?") == "12.5"
        assert bench.lines == [b"VOLT?", b"OUTP OFF", b"VOLT?", b"CURR?"]
        assert bench.dials() == 3
        assert dmm.counters.lost == 0
        await dmm.close()

    on(kind, main, script)


def test_transport_visa_session_limit_accepts_and_hangs_up():
    """Accepted and closed at once, always: an error, not an endless loop."""

    async def main():
        network = MemoryNetwork(lambda peer, data: None, greet=lambda peer: peer.hang_up())
        dmm = open_instrument("TCPIP::dmm::5025::SOCKET", network, virtual=True, name="dmm")
        for _ in range(5):
            error, _ = await failing(dmm.query("*IDN?"))
            assert isinstance(error, UnreachableError)
        assert len(network.dials) <= asyncio.get_running_loop().time() + 2
        await dmm.close()

    run(main, rate=math.inf)


@pytest.mark.parametrize("part", [b"", b"48.1"])
def test_transport_visa_never_answers_or_never_ends_its_line(kind, part):
    async def main(bench):
        dmm = bench.instrument()
        error, took = await failing(dmm.query("VOLT?"))
        assert isinstance(error, UnreachableError)
        assert 0.3 <= took < (0.4 if kind == "memory" else 1.5)
        error, took = await failing(dmm.query("VOLT?", timeout=0.1))
        assert isinstance(error, UnreachableError)
        await dmm.close()

    on(kind, main, lambda say, hang_up, line: say(part) if part else None)


def test_transport_visa_cancellation_costs_the_session_and_two_users_take_turns(kind):
    def script(say, hang_up, line):
        say(answer(line), 0.1 if line == b"VOLT?" else 0.0)

    async def main(bench):
        dmm = bench.instrument()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await dmm.query("VOLT?")
        assert not dmm.is_open
        replies = await asyncio.gather(*(dmm.query(text) for text in ("CURR?", "*IDN?") * 10))
        assert replies == ["12.5", "Acme,L63,SN7,1.02"] * 10
        await dmm.close()

    on(kind, main, script)


def test_transport_visa_nobody_there():
    async def main():
        network = MemoryNetwork(lambda peer, data: None, refuse=lambda: True)
        dmm = open_instrument("TCPIP::dmm::5025::SOCKET", network, virtual=True, name="dmm")
        started = asyncio.get_running_loop().time()
        for _ in range(50):
            error, _ = await failing(dmm.query("*IDN?"))
            assert isinstance(error, UnreachableError)
            assert "Connection refused" in str(error)
        took = asyncio.get_running_loop().time() - started
        assert len(network.dials) <= took + 2, "one dial a second at most"
        await dmm.close()

    run(main, rate=math.inf)


def test_transport_visa_refused_port_is_unreachable_on_open():
    async def main():
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        dmm = open_instrument(f"TCPIP::127.0.0.1::{port}::SOCKET", SocketNetwork(), virtual=False, timeout=2.0)
        error, took = await failing(dmm.open())
        assert isinstance(error, UnreachableError)
        assert took < 1.0
        await dmm.close()

    run(main)


def test_transport_visa_error_queue_that_never_empties():
    async def main():
        network = MemoryNetwork(lambda peer, data: peer.say(b'-350,"Queue overflow' + b"!" * 9000 + b'"\n'))
        dmm = open_instrument("TCPIP::dmm::5025::SOCKET", network, virtual=True)
        with pytest.raises(RefusedError) as caught:
            await dmm.drain_errors()
        assert "-350" in str(caught.value.vendor_code)
        assert len(str(caught.value)) < 400
        assert dmm.counters.requests == 32
        await dmm.close()

    run(main, rate=math.inf)


@pytest.mark.parametrize("resource", [
    "TCPIP::dmm::SOCKET", "TCPIP::dmm::99999::SOCKET", "dmm:5025", "GPIB0::7", "TCPIP::dmm::x::SOCKET",
])  # fmt: skip
def test_transport_visa_bad_resources_are_refused(resource):
    with pytest.raises(ConfigError):
        open_instrument(resource, SocketNetwork(), virtual=False)


def test_transport_visa_virtual_time_needs_a_socket():
    with pytest.raises(ConfigError):
        open_instrument("TCPIP::dmm::INSTR", SocketNetwork(), virtual=True)


@pytest.mark.parametrize("text", ["VOLT 1\nOUTP ON", "", "  ", "VOLT\x00?", "µ?"])
def test_transport_visa_only_one_line_of_text_is_sent(text):
    async def main():
        network = MemoryNetwork(lambda peer, data: None)
        dmm = open_instrument("TCPIP::dmm::5025::SOCKET", network, virtual=True)
        with pytest.raises(ConfigError):
            await dmm.write(text)
        assert network.dials == []

    run(main, rate=math.inf)


class Stuck:
    """A session whose driver call does not come back until it is let go."""

    def __init__(self, gate: threading.Event) -> None:
        self.gate = gate
        self.worker = Worker("visa stub")
        self.busy = False

    @property
    def is_blocked(self):
        return self.busy

    async def open(self, timeout):
        pass

    async def write(self, line, timeout):
        await self.ask(line, timeout)

    def at_once(self, text):
        return None

    async def ask(self, line, timeout):
        self.busy = True

        def block():
            self.gate.wait()
            self.busy = False
            return b"late"

        return await self.worker.do(block, timeout)

    async def close(self):
        self.worker.end(lambda: None)


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_transport_visa_blocked_drivers_are_left_behind_and_counted(is_cancelled):
    gate = threading.Event()
    before = threading.active_count()

    async def main():
        loop = asyncio.get_running_loop()
        dmm = Instrument(lambda: Stuck(gate), name="dmm", timeout=0.02)
        dmm._pacing.wait = lambda: asyncio.sleep(0)
        worst = 0.0

        async def heartbeat():
            nonlocal worst
            while True:
                at = loop.time()
                await asyncio.sleep(0.005)
                worst = max(worst, loop.time() - at - 0.005)

        beat = asyncio.create_task(heartbeat())
        for _ in range(9):
            if is_cancelled:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.01):
                        await dmm.query("VOLT?", timeout=9.0)
            else:
                error, took = await failing(dmm.query("VOLT?"))
                assert isinstance(error, UnreachableError)
                assert took < 0.5
        error, _ = await failing(dmm.query("VOLT?"))
        assert "given up" in str(error)
        assert threading.active_count() == before + 9, "no tenth thread"
        assert dmm.counters.abandoned == (0 if is_cancelled else 9)
        beat.cancel()
        assert worst < 0.5, "others are not delayed"
        await dmm.close()

    try:
        run(main)
    finally:
        gate.set()
    deadline = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_transport_visa_blocked_driver_does_not_hold_up_the_exit():
    program = (
        "import asyncio, threading\n"
        "from harness.transport.visa.pyvisa_session import Worker\n"
        "from harness.transport.visa.session import Abandoned\n"
        "async def main():\n"
        "    try:\n"
        "        await Worker('visa stub').do(threading.Event().wait, 0.05)\n"
        "    except Abandoned:\n"
        "        print('left behind')\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "left behind\n"
    assert done.stderr == ""


def test_transport_visa_maps_every_exception_of_pyvisa_and_pyvisa_py():
    """Every class of exception they define becomes an OSError, which the instrument maps to UnreachableError."""
    import pyvisa_py.sessions
    import pyvisa_py.tcpip
    from pyvisa.constants import StatusCode
    from pyvisa_py.protocols import rpc, vxi11

    def classes(module):
        return [
            found
            for _, found in inspect.getmembers(module, inspect.isclass)
            if issubclass(found, Exception) and found.__module__ == module.__name__ and not issubclass(found, Warning)
        ]

    foreign = {kind for module in (pyvisa.errors, pyvisa_py.sessions, rpc, vxi11) for kind in classes(module)}
    assert {"VisaIOError", "LibraryError", "InvalidSession", "RPCError", "OpenError"} <= {k.__name__ for k in foreign}

    made = [pyvisa.errors.VisaIOError(code) for code in StatusCode if code < 0]
    made.append(Exception("could not connect"))
    for kind in foreign - {pyvisa.errors.VisaIOError}:
        error = kind.__new__(kind)
        for name in ("msg", "function_name", "attribute", "description"):
            setattr(error, name, "as the driver does")
        error.error_code = StatusCode.error_io
        made.append(error)
    for error in made:
        ours = mapped(error)
        assert isinstance(ours, OSError), type(error)
        assert type(ours).__module__ == "builtins"

    async def main(error):
        class Broken(PyvisaSession):
            def _open(self, timeout):
                raise error

        dmm = Instrument(lambda: Broken("TCPIP::dmm::INSTR"), name="dmm", timeout=0.5)
        caught, _ = await failing(dmm.open())
        assert isinstance(caught, UnreachableError)
        await dmm.close()

    for error in made[-3:]:
        run(lambda error=error: main(error))
    assert isinstance(mapped(pyvisa.errors.VisaIOError(StatusCode.error_timeout)), TimeoutError)
    assert isinstance(mapped(Unasked("x", b"y")), Unasked)
    assert not issubclass(Abandoned, OSError)
