"""Simulated SCPI instruments over every connection, with plain sockets and pyvisa-py as the foreign side."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
import pyvisa
from pyvisa.errors import VisaIOError

from harness.clock import run
from harness.errors import ConfigError
from sim.servers.host import SocketHost
from sim.servers.scpi import ScpiInterpreter, ScpiServer
from tests.tools.hislip import HislipServer
from tests.tools.rpc import PORTMAPPER_PORT, Portmapper
from tests.tools.vxi11 import CORE_PROGRAM, VERSION, Vxi11Server

IDENTITY = "ACME,LOAD-63,SN0042,1.07"


def make_device():
    device = ScpiInterpreter(IDENTITY)
    state = {"current": 12.5, "triggers": 0}

    def set_current(call):
        state["current"] = call.number(0, unit="A", minimum=0, maximum=500)

    def trigger(_):
        state["triggers"] += 1

    device.on("[SOURce:]CURRent[:LEVel]", set_current, parameters=1)
    device.on("[SOURce:]CURRent[:LEVel]?", lambda _: state["current"])
    device.on("MEASure:VOLTage?", lambda _: 48.25)
    device.on("DATA?", lambda call: "x" * int(call.number(0)))
    device.on("*TRG", trigger)
    device.state = state
    return device


def visa(resource, work, **options):
    """Open `resource` in this thread with pyvisa-py and give it to `work`."""
    manager = pyvisa.ResourceManager("@py")
    try:
        instrument = manager.open_resource(resource, timeout=3000, **options)
        try:
            return work(instrument)
        finally:
            instrument.close()
    finally:
        manager.close()


def everyday(instrument):
    """What each connection must carry: identity, a command, a query, an error, many bytes."""
    assert instrument.query("*IDN?").strip() == IDENTITY
    instrument.write("*CLS")
    instrument.write("CURR 33.5 A")
    assert float(instrument.query("SOUR:CURR:LEV?")) == 33.5
    assert instrument.query("MEAS:VOLT?;:CURR?").strip() == "+4.825000E+01;+3.350000E+01"
    instrument.write("NONSENSE 1")
    assert instrument.query("SYST:ERR?").strip() == '-113,"Undefined header;NONSENSE"'
    assert instrument.query("SYST:ERR?").strip() == '0,"No error"'
    assert instrument.query("DATA? 100000").strip() == "x" * 100_000


def clear_drops_the_unread_answer(instrument):
    instrument.write("MEAS:VOLT?")
    instrument.clear()
    assert instrument.query("*IDN?").strip() == IDENTITY


def settled_status(instrument):
    """The serial poll, once the written message has arrived: over HiSLIP it overtakes on a channel of its own."""
    time.sleep(0.1)
    return instrument.read_stb()


def status_byte_tells_errors_and_messages(instrument):
    instrument.write("*CLS")
    assert settled_status(instrument) == 0
    instrument.write("NONSENSE")
    assert settled_status(instrument) & 4
    instrument.write("MEAS:VOLT?")
    assert settled_status(instrument) & 16
    assert float(instrument.read()) == 48.25
    instrument.write("*CLS")
    assert settled_status(instrument) == 0


def test_plain_socket_lines():
    async def main():
        listener = await SocketHost().serve_stream(ScpiServer(make_device()).tcp)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"*IDN?\r\nCURR?\n*OPC")
        assert await reader.readline() == IDENTITY.encode() + b"\n"
        assert await reader.readline() == b"+1.250000E+01\n"
        writer.write(b"?\n\n" + b"A" * 70_000 + b"\nSYST:ERR?\n")
        assert await reader.readline() == b"1\n"
        assert await reader.readline() == b'-363,"Input buffer overrun"\n'
        writer.close()
        await writer.wait_closed()
        await listener.close()

    run(main)


def test_pyvisa_socket():
    async def main():
        listener = await SocketHost().serve_stream(ScpiServer(make_device()).tcp)
        await asyncio.to_thread(
            visa,
            f"TCPIP::127.0.0.1::{listener.port}::SOCKET",
            everyday,
            read_termination="\n",
            write_termination="\n",
        )
        await listener.close()

    run(main)


def test_pyvisa_hislip():
    def more(instrument):
        everyday(instrument)
        # (pyvisa-py 0.8.1 takes an answer that already arrived for the acknowledgement, so nothing is unread here.)
        instrument.clear()
        assert instrument.query("*IDN?").strip() == IDENTITY
        status_byte_tells_errors_and_messages(instrument)
        # An unread answer interrupts: the next question gets its own answer, and an error is queued.
        instrument.write("MEAS:VOLT?")
        instrument.write("CURR?")
        assert float(instrument.read()) == 33.5
        assert instrument.query("SYST:ERR?").startswith("-410")

    async def main():
        server = HislipServer(make_device())
        listener = await SocketHost().serve_stream(server.channel)
        await asyncio.to_thread(visa, f"TCPIP::127.0.0.1::hislip0,{listener.port}::INSTR", more)
        await asyncio.sleep(0.05)
        assert listener.connections == 0
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"HS\x00\x00\x01\x00xx" + (7).to_bytes(8, "big") + b"hislip9")
        refusal = await reader.read()
        assert refusal[:4] == b"HS\x02\x03"
        writer.close()
        await writer.wait_closed()
        await listener.close()

    run(main)


def hislip_pair(port):
    """Both channels of the client's own HiSLIP implementation, below the resource manager."""
    from pyvisa_py.protocols import hislip

    return hislip.Instrument("127.0.0.1", open_timeout=2000, timeout=2, port=port)


def test_hislip_locks_between_two_clients():
    def work(port):
        first, second = hislip_pair(port), hislip_pair(port)
        try:
            assert first.async_lock_info() == 0
            assert first.async_lock_request(0) == "success"
            assert second.async_lock_info() == 1
            assert second.async_lock_request(0.2) == "failure"
            second.send(b"*IDN?\n")  # held back until the lock is gone
            second._sync.settimeout(0.3)
            with pytest.raises(TimeoutError):
                second.receive()
            assert first.async_lock_release() == "success"
            assert second.receive().decode().strip() == IDENTITY
            assert first.async_lock_release() == "error"
            assert first.async_lock_request(0, "team") == "success"
            assert second.async_lock_request(0, "other") == "failure"
            assert second.async_lock_request(0, "team") == "success"
            first.trigger()
            first.async_remote_local_control("enableRemote")
        finally:
            first.close()
            second.close()

    async def main():
        device = make_device()
        listener = await SocketHost().serve_stream(HislipServer(device).channel)
        await asyncio.to_thread(work, listener.port)
        await asyncio.sleep(0.05)
        assert device.state["triggers"] == 1
        await listener.close()

    run(main)


def test_hislip_pieces_follow_the_clients_maximum():
    def work(port):
        client = hislip_pair(port)
        try:
            client.max_msg_size = 1000
            client._max_msg_size = 50  # write in pieces too
            client.send(b"DATA? 5000;" + b" " * 300 + b"*IDN?")
            answer = client.receive(100_000)
            assert answer.decode().strip() == "x" * 5000 + ";" + IDENTITY
        finally:
            client.close()

    async def main():
        listener = await SocketHost().serve_stream(HislipServer(make_device()).channel)
        await asyncio.to_thread(work, listener.port)
        await listener.close()

    run(main)


def test_hislip_clear_forgets_half_a_message():
    def work(port):
        client = hislip_pair(port)
        try:
            client._send_data_packet(b"CURR 99;NONS")
            client.device_clear()
            client.send(b"CURR?;:SYST:ERR?")
            assert client.receive().decode().strip() == '+1.250000E+01;0,"No error"'
        finally:
            client.close()

    async def main():
        listener = await SocketHost().serve_stream(HislipServer(make_device()).channel)
        await asyncio.to_thread(work, listener.port)
        await listener.close()

    run(main)


def vxi11_timeout(instrument):
    instrument.timeout = 100
    with pytest.raises(VisaIOError) as caught:
        instrument.read()
    assert caught.value.error_code == pyvisa.constants.StatusCode.error_timeout
    instrument.timeout = 3000


def wrong_name(port):
    from pyvisa_py.tcpip import Vxi11CoreClient

    client = Vxi11CoreClient("127.0.0.1", port)
    try:
        assert client.create_link(1, 0, 1000, "inst7")[0] == 3
        assert client.device_read_stb(99, 0, 0, 0)[0] == 4
        with pytest.raises(Exception, match="procedure_unavailable"):
            client.make_call(21, None, None, client.unpacker.unpack_device_error)
    finally:
        client.close()


def test_vxi11_locks_between_two_clients():
    def work(port):
        from pyvisa_py.tcpip import Vxi11CoreClient

        first, second = Vxi11CoreClient("127.0.0.1", port), Vxi11CoreClient("127.0.0.1", port)
        try:
            one, two = (client.create_link(1, 0, 1000, "inst0")[1] for client in (first, second))
            assert first.device_lock(one, 0, 0) == 0
            assert second.device_lock(two, 0, 0) == 11
            assert second.device_lock(two, 1, 150) == 11
            assert second.device_write(two, 1000, 0, 8, b"CURR 1") == (11, 0)
            assert second.device_unlock(two) == 12
            assert first.device_unlock(one) == 0
            assert second.device_write(two, 1000, 0, 8, b"CURR 1") == (0, 6)
            assert second.device_lock(two, 0, 0) == 0
            second.close()  # the lock goes with the connection
            assert first.device_lock(one, 1, 2000) == 0
        finally:
            first.close()
            second.close()

    async def main():
        listener = await SocketHost().serve_stream(Vxi11Server(make_device()).channel)
        await asyncio.to_thread(work, listener.port)
        await listener.close()

    run(main)


def test_pyvisa_vxi11():
    def more(instrument):
        everyday(instrument)
        vxi11_timeout(instrument)
        clear_drops_the_unread_answer(instrument)
        status_byte_tells_errors_and_messages(instrument)
        instrument.assert_trigger()
        instrument.lock_excl()
        instrument.unlock()
        instrument.write("MEAS:VOLT?")
        instrument.write("CURR?")
        assert float(instrument.read()) == 33.5
        assert instrument.query("SYST:ERR?").startswith("-410")

    async def main():
        device = make_device()
        server = Vxi11Server(device)
        listener = await SocketHost().serve_stream(server.channel)
        server.abort_port = listener.port
        await asyncio.to_thread(visa, f"TCPIP::127.0.0.1,{listener.port}::inst0::INSTR", more)
        assert device.state["triggers"] == 1
        await asyncio.sleep(0.05)
        assert server._links == {}
        await asyncio.to_thread(wrong_name, listener.port)
        await listener.close()

    run(main)


def test_pyvisa_finds_vxi11_through_the_port_mapper():
    async def main():
        host = SocketHost("127.0.0.2")
        mapper = Portmapper()
        try:
            mapper_listener = await host.serve_stream(mapper.stream, PORTMAPPER_PORT)
        except ConfigError as error:
            pytest.skip(f"port 111 of a loopback alias cannot be opened here: {error}")
        server = Vxi11Server(make_device())
        listener = await host.serve_stream(server.channel)
        mapper.register(CORE_PROGRAM, VERSION, listener.port)
        await asyncio.to_thread(visa, "TCPIP::127.0.0.2::inst0::INSTR", everyday)
        await listener.close()
        await mapper_listener.close()

    run(main)


def test_portmapper_answers_datagrams():
    async def main():
        mapper = Portmapper()
        mapper.register(CORE_PROGRAM, VERSION, 4321)
        listener = await SocketHost().serve_datagram(mapper.datagram)

        def ask():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(2)
                call = [77, 0, 2, 100000, 2, 3, 0, 0, 0, 0, CORE_PROGRAM, 1, 6, 0]
                client.sendto(b"".join(word.to_bytes(4, "big") for word in call), ("127.0.0.1", listener.port))
                return client.recv(100)

        reply = await asyncio.to_thread(ask)
        assert reply == b"".join(word.to_bytes(4, "big") for word in [77, 1, 0, 0, 0, 0, 4321])
        await listener.close()

    run(main)
