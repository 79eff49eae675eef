"""The in-memory network and the hosts: what asyncio promises of sockets must hold in memory too."""

from __future__ import annotations

import asyncio

import pytest

from harness.clock import run
from harness.errors import ConfigError
from sim.network import MemoryNetwork
from sim.servers.host import Behaviour, MemoryHost, SocketHost

INF = float("inf")


class Recorder(asyncio.Protocol):
    def __init__(self):
        self.data = b""
        self.events = []
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport
        self.events.append("made")

    def data_received(self, data):
        assert type(data) is bytes
        self.data += data
        self.events.append((asyncio.get_running_loop().time(), data))

    def eof_received(self):
        self.events.append("eof")

    def connection_lost(self, exc):
        self.events.append(("lost", type(exc).__name__))


class Echo(Recorder):
    def data_received(self, data):
        super().data_received(data)
        self.transport.write(b"<" + data + b">")


class Datagrams(asyncio.DatagramProtocol):
    def __init__(self, answer=None):
        self.answer = answer
        self.got = []
        self.errors = []
        self.transport = None
        self.is_lost = False

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.got.append((data, addr))
        if self.answer is not None:
            self.transport.sendto(self.answer + data, addr)

    def error_received(self, exc):
        self.errors.append(exc)

    def connection_lost(self, exc):
        self.is_lost = True


def test_stream_carries_bytes_both_ways_in_order():
    async def main():
        network = MemoryNetwork()
        servers = []
        network.listen_stream(502, lambda: servers.append(Echo()) or servers[-1])
        transport, client = await network.open_stream("pdu", 502, Recorder)
        transport.write(b"one")
        transport.write(bytearray(b"two"))
        transport.writelines([b"th", memoryview(b"ree")])
        await asyncio.sleep(0.001)
        assert client.data == b"<one><two><three>"
        assert transport.get_extra_info("peername") == ("pdu", 502)
        assert servers[0].transport.get_extra_info("peername") == transport.get_extra_info("sockname")

    run(main, rate=INF)


def test_stream_is_refused_when_nobody_listens():
    async def main():
        network = MemoryNetwork()
        with pytest.raises(ConnectionRefusedError):
            await network.open_stream("pdu", 502, Recorder)
        network.listen_stream(502, Recorder)
        await network.open_stream("pdu", 502, Recorder)
        network.close_listener(502)
        with pytest.raises(ConnectionRefusedError):
            await network.open_stream("pdu", 502, Recorder)

    run(main, rate=INF)


def test_stream_listeners_of_two_hosts_share_a_port_number():
    async def main():
        network = MemoryNetwork()
        first, second = Recorder(), Recorder()
        network.listen_stream(502, lambda: first, host="a")
        network.listen_stream(502, lambda: second, host="b")
        with pytest.raises(OSError, match="taken"):
            network.listen_stream(502, Recorder, host="a")
        transport, _ = await network.open_stream("b", 502, Recorder)
        transport.write(b"x")
        await asyncio.sleep(0.001)
        assert (first.data, second.data) == (b"", b"x")
        assert network.listen_stream(0, Recorder) != network.listen_stream(0, Recorder)

    run(main, rate=INF)


@pytest.mark.parametrize("latency", [0.0, 0.25])
def test_close_delivers_what_was_written_then_the_end_to_both(latency):
    async def main():
        network = MemoryNetwork(latency)
        server = Recorder()
        network.listen_stream(502, lambda: server)
        transport, client = await network.open_stream("pdu", 502, Recorder)
        transport.write(b"last words")
        transport.close()
        assert transport.is_closing()
        transport.write(b"nothing more")
        await asyncio.sleep(1)
        assert server.data == b"last words"
        assert server.events[-2:] == ["eof", ("lost", "NoneType")]
        assert client.events[-1] == ("lost", "NoneType")
        assert [event for event in client.events if event[0] == "lost"] == [("lost", "NoneType")]

    run(main, rate=INF)


def test_abort_resets_the_other_side_and_a_late_write_too():
    async def main():
        network = MemoryNetwork()
        server = Recorder()
        network.listen_stream(502, lambda: server)
        transport, client = await network.open_stream("pdu", 502, Recorder)
        transport.abort()
        await asyncio.sleep(0.001)
        assert server.events[-1] == ("lost", "ConnectionResetError")
        assert client.events[-1] == ("lost", "NoneType")
        server.transport.write(b"dropped")
        await asyncio.sleep(0.001)
        assert client.data == b""

    run(main, rate=INF)


def test_half_close_keeps_the_other_direction():
    class Patient(Recorder):
        def eof_received(self):
            self.transport.write(b"answer after the end")
            return True

    async def main():
        network = MemoryNetwork()
        network.listen_stream(502, Patient)
        transport, client = await network.open_stream("pdu", 502, Recorder)
        assert transport.can_write_eof()
        transport.write_eof()
        await asyncio.sleep(0.001)
        assert client.data == b"answer after the end"
        assert not transport.is_closing()

    run(main, rate=INF)


def test_latency_is_kept_and_never_reorders():
    async def main():
        network = MemoryNetwork(0.5)
        server = Recorder()
        network.listen_stream(502, lambda: server)
        loop = asyncio.get_running_loop()
        began = loop.time()
        transport, _ = await network.open_stream("pdu", 502, Recorder)
        assert loop.time() - began == pytest.approx(1.0)
        sent = loop.time()
        for number in range(50):
            network.latency = 0.5 if number < 25 else 0.0
            transport.write(b"%02d." % number)
        await asyncio.sleep(2)
        assert server.data == b"".join(b"%02d." % number for number in range(50))
        assert all(when - sent == pytest.approx(0.5) for when, _ in server.events[1:])

    run(main, rate=INF)


def test_datagrams_find_their_client_and_carry_the_dialled_source():
    async def main():
        network = MemoryNetwork()
        network.listen_datagram(161, lambda: Datagrams(b"re:"))
        _, one = await network.open_datagram("10.0.0.11", 161, Datagrams)
        _, two = await network.open_datagram("10.0.0.12", 161, Datagrams, any_source=True)
        one.transport.sendto(b"a")
        two.transport.sendto(b"b", ("10.0.0.13", 161))
        await asyncio.sleep(0.001)
        assert one.got == [(b"re:a", ("10.0.0.11", 161))]
        assert two.got == [(b"re:b", ("10.0.0.13", 161))]

    run(main, rate=INF)


def test_connected_datagram_endpoint_hears_its_peer_only():
    async def main():
        network = MemoryNetwork()
        network.listen_datagram(161, lambda: Datagrams(b"re:"))
        other = network.listen_datagram(162, Datagrams)
        _, one = await network.open_datagram("pdu", 161, Datagrams)
        _, two = await network.open_datagram("pdu", 161, Datagrams, any_source=True)
        other.sendto(b"spoofed", one.transport.get_extra_info("sockname"))
        other.sendto(b"spoofed", two.transport.get_extra_info("sockname"))
        await asyncio.sleep(0.001)
        assert one.got == []
        assert two.got == [(b"spoofed", ("127.0.0.1", 162))]

    run(main, rate=INF)


def test_datagram_to_a_closed_port_is_told_to_connected_endpoints():
    async def main():
        network = MemoryNetwork()
        _, client = await network.open_datagram("pdu", 161, Datagrams)
        client.transport.sendto(b"anyone?")
        await asyncio.sleep(0.001)
        assert isinstance(client.errors[0], ConnectionRefusedError)
        server = network.listen_datagram(161, lambda: Datagrams(b"re:"))
        client.transport.sendto(b"now?")
        await asyncio.sleep(0.001)
        assert client.got == [(b"re:now?", ("pdu", 161))]
        network.close_listener(161)
        assert server.is_closing()
        client.transport.sendto(b"and now?")
        client.transport.close()
        await asyncio.sleep(0.001)
        assert client.is_lost
        assert len(client.errors) == 1

    run(main, rate=INF)


def test_a_message_is_handed_over_at_once_and_costs_no_callback(monkeypatch):
    async def main():
        network = MemoryNetwork()
        network.listen_stream(502, Echo)
        transport, client = await network.open_stream("pdu", 502, Recorder)
        loop = asyncio.get_running_loop()
        original, calls = loop.call_soon, []
        with monkeypatch.context() as patch:
            patch.setattr(loop, "call_soon", lambda *args, **named: calls.append(1) or original(*args, **named))
            patch.setattr(loop, "call_at", None)
            for _ in range(100):
                transport.write(b"x")
            assert not calls
        assert client.data == b"<x>" * 100

    run(main, rate=INF)


class Talker(Recorder):
    """Asks the next question out of the answer to the one before, and notes where it was meanwhile."""

    def __init__(self, questions):
        super().__init__()
        self.questions = list(questions)
        self.depth = self.deepest = 0

    def data_received(self, data):
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        super().data_received(data)
        for _ in range(2):
            if self.questions:
                self.transport.write(self.questions.pop(0))
        self.depth -= 1


def test_nobody_is_given_a_message_while_in_the_middle_of_one():
    async def main():
        network = MemoryNetwork()
        network.listen_stream(502, Echo)
        talker = Talker(bytes([65 + k]) for k in range(26))
        transport, _ = await network.open_stream("pdu", 502, lambda: talker)
        transport.write(b"!")
        for _ in range(60):
            await asyncio.sleep(0)
        assert talker.data == b"<!>" + b"".join(b"<" + bytes([65 + k]) + b">" for k in range(26))
        assert talker.deepest == 1

    run(main, rate=INF)


def test_what_fails_at_the_receiver_is_not_the_senders_problem():
    class Broken(asyncio.Protocol):
        def data_received(self, data):
            raise RuntimeError("a bug of the server")

    async def main():
        reported = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        network = MemoryNetwork()
        network.listen_stream(502, Broken)
        transport, _ = await network.open_stream("pdu", 502, Recorder)
        transport.write(b"x")
        assert [str(error) for error in reported] == ["a bug of the server"]

    run(main, rate=INF)


async def connect(host, listener, factory):
    if isinstance(host, MemoryHost):
        return await host.network.open_stream("device", listener.port, factory)
    return await asyncio.get_running_loop().create_connection(factory, host.address, listener.port)


HOSTS = [pytest.param(lambda: MemoryHost(MemoryNetwork()), id="memory"), pytest.param(SocketHost, id="socket")]


@pytest.mark.parametrize("make_host", HOSTS)
def test_host_serves_and_every_behaviour_shows(make_host):
    async def main():
        host = make_host()
        loop = asyncio.get_running_loop()
        servers = []
        listener = await host.serve_stream(lambda: servers.append(Echo()) or servers[-1])
        transport, client = await connect(host, listener, Recorder)

        async def heard(text, wait=0.05):
            transport.write(text)
            await asyncio.sleep(wait)
            said, client.data = client.data, b""
            return said

        assert await heard(b"a") == b"<a>"
        listener.behaviour = Behaviour(silent=True)
        assert await heard(b"b") == b""
        assert servers[0].data == b"a"
        listener.behaviour = Behaviour(mute=True)
        assert await heard(b"c") == b""
        assert servers[0].data == b"ac"
        listener.behaviour = Behaviour(delay=0.2)
        assert await heard(b"d") == b""
        listener.behaviour = Behaviour()
        assert await heard(b"e") == b""  # must not overtake the delayed one
        await asyncio.sleep(0.2)
        assert await heard(b"f") == b"<d><e><f>"
        listener.behaviour = Behaviour(max_connections=1)
        _, second = await connect(host, listener, Recorder)
        await asyncio.sleep(0.05)
        assert second.events[-1][0] == "lost"
        assert listener.connections == 1
        listener.behaviour = Behaviour(down=True)
        await asyncio.sleep(0.05)
        assert client.events[-1][0] == "lost"
        with pytest.raises(ConnectionRefusedError):
            await connect(host, listener, Recorder)
        listener.behaviour = Behaviour()
        transport, client = await connect(host, listener, Recorder)
        assert await heard(b"back") == b"<back>"
        listener.behaviour = Behaviour(flap=(0.1, 0.1))
        states = []
        for _ in range(12):
            await asyncio.sleep(0.034)
            states.append(listener.current.down)
        assert {True, False} == set(states)
        await listener.close()
        with pytest.raises(ConnectionRefusedError):
            await connect(host, listener, Recorder)
        assert listener.connections == 0
        del loop

    run(main, rate=INF if make_host is HOSTS[0].values[0] else 1.0)


@pytest.mark.parametrize("make_host", HOSTS)
def test_down_and_up_in_one_breath_leaves_the_port_open(make_host):
    async def main():
        host = make_host()
        listener = await host.serve_stream(Echo)
        for _ in range(3):
            listener.behaviour = Behaviour(down=True)
            listener.behaviour = Behaviour()
            listener.behaviour = Behaviour(down=True)
            await asyncio.sleep(0.02)
            with pytest.raises(ConnectionRefusedError):
                await connect(host, listener, Recorder)
            listener.behaviour = Behaviour()
            transport, _ = await connect(host, listener, Recorder)
            transport.close()
        await listener.close()

    run(main, rate=INF if make_host is HOSTS[0].values[0] else 1.0)


@pytest.mark.parametrize("make_host", HOSTS)
def test_host_reports_a_taken_port(make_host):
    async def main():
        host = make_host()
        listener = await host.serve_stream(Echo)
        with pytest.raises(ConfigError, match="taken"):
            await host.serve_stream(Echo, listener.port)
        await listener.close()
        again = await host.serve_stream(Echo, listener.port)
        await again.close()
        datagrams = await host.serve_datagram(Datagrams)
        with pytest.raises(ConfigError, match="taken"):
            await host.serve_datagram(Datagrams, datagrams.port)
        await datagrams.close()

    run(main, rate=INF if make_host is HOSTS[0].values[0] else 1.0)


@pytest.mark.parametrize("make_host", HOSTS)
def test_datagram_behaviours(make_host):
    async def main():
        host = make_host()
        server = Datagrams(b"re:")
        listener = await host.serve_datagram(lambda: server)
        if isinstance(host, MemoryHost):
            _, client = await host.network.open_datagram("device", listener.port, Datagrams)
        else:
            _, client = await asyncio.get_running_loop().create_datagram_endpoint(
                Datagrams, remote_addr=(host.address, listener.port)
            )

        async def heard(text, wait=0.05):
            client.transport.sendto(text)
            await asyncio.sleep(wait)
            said, client.got = [data for data, _ in client.got], []
            return said

        assert await heard(b"a") == [b"re:a"]
        for behaviour in (Behaviour(silent=True), Behaviour(down=True)):
            listener.behaviour = behaviour
            assert await heard(b"b") == []
        assert [data for data, _ in server.got] == [b"a"]
        listener.behaviour = Behaviour(mute=True)
        assert await heard(b"c") == []
        assert [data for data, _ in server.got] == [b"a", b"c"]
        listener.behaviour = Behaviour(delay=0.1)
        assert await heard(b"d") == []
        await asyncio.sleep(0.1)
        assert [data for data, _ in client.got] == [b"re:d"]
        client.transport.close()
        await listener.close()
        assert server.is_lost

    run(main, rate=INF if make_host is HOSTS[0].values[0] else 1.0)
