"""The Modbus client against a server that lies: every row of the list of lies that pymodbus' client believes."""

from __future__ import annotations

import asyncio
import itertools
import math
import struct

import pymodbus.exceptions
import pytest

from harness.clock import run
from harness.errors import ConfigError, DeviceError, ProtocolViolationError, RefusedError, UnreachableError
from harness.transport.modbus import ModbusClient, ModbusPool, requests
from harness.transport.modbus.frames import KINDS
from tests.unit.transport.misbehaving_servers import MemoryNetwork

A, B = 0x1234, 0xBEEF


def virtual(main):
    return run(main, rate=math.inf)


def adu(tid: int, unit: int, pdu: bytes, *, protocol: int = 0, length: int | None = None) -> bytes:
    """A frame made by hand, wrong where the test wants it wrong."""
    return struct.pack(">HHHB", tid, protocol, len(pdu) + 1 if length is None else length, unit) + pdu


def parts(request: bytes) -> tuple[int, int, bytes]:
    tid, _, _, unit = struct.unpack(">HHHB", request[:7])
    return tid, unit, request[7:]


def honest(request: bytes) -> bytes:
    """The right answer: registers A, B; coils on, off, ...; echoes."""
    tid, unit, pdu = parts(request)
    function = pdu[0]
    if function in (3, 4):
        count = int.from_bytes(pdu[3:5], "big")
        data = b"".join(struct.pack(">H", (A, B)[index % 2]) for index in range(count))
        return adu(tid, unit, bytes([function, len(data)]) + data)
    if function in (1, 2):
        size = (int.from_bytes(pdu[3:5], "big") + 7) // 8
        return adu(tid, unit, bytes([function, size]) + b"\x05" * size)
    return adu(tid, unit, pdu[:5])


def lie(pdu: bytes, **changes):
    """A script that answers every request with this PDU; `tid` and `unit` may be functions of the right ones."""

    def script(peer, request):
        tid, unit, _ = parts(request)
        tid = changes.get("tid", lambda right: right)(tid)
        unit = changes.get("unit", lambda right: right)(unit)
        framing = {key: changes[key] for key in ("protocol", "length") if key in changes}
        peer.say(adu(tid, unit, pdu, **framing) + changes.get("extra", b""))

    return script


def good(peer, request):
    peer.say(honest(request))


async def attempt(client, call):
    """The error of a call and how long it took on the clock; None when it was believed."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    try:
        value = await call(client)
    except DeviceError as error:
        return error, loop.time() - started
    return value, loop.time() - started


def read2(client):
    return client.read(1, 3, 100, 2)


READ_LIES = {
    "one register instead of two": (lie(bytes([3, 2]) + struct.pack(">H", A)), "count"),
    "three registers instead of two": (lie(bytes([3, 6]) + struct.pack(">HHH", A, B, 7)), "count"),
    "odd byte count": (lie(bytes([3, 3]) + b"\x12\x34\x56"), "count"),
    "byte count right, a register short": (lie(bytes([3, 4]) + struct.pack(">H", A)), "length"),
    "byte count right, a byte long": (lie(bytes([3, 4]) + struct.pack(">HH", A, B) + b"x"), "length"),
    "no byte count": (lie(bytes([3]), length=2), "length"),
    "function 4 for 3": (lie(bytes([4, 4]) + struct.pack(">HH", A, B)), "function"),
    "transaction 0": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), tid=lambda right: 0), "transaction"),
    "transaction one too high": (
        lie(bytes([3, 4]) + struct.pack(">HH", A, B), tid=lambda right: right % 0xFFFF + 1),
        "transaction",
    ),
    "wrong unit": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), unit=lambda right: right + 1), "unit"),
    "unit 0": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), unit=lambda right: 0), "unit"),
    "protocol id 1": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), protocol=1), "protocol"),
    "length 0": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), length=0), "length"),
    "length 2": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), length=2), "length"),
    "length one short": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), length=6), "length"),
    "length one long": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), length=8), "length"),
    "length oversize": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), length=0xFFFF), "length"),
    "length 254": (lie(bytes([3, 4]) + struct.pack(">HH", A, B), length=254), "length"),
    "exception for another function": (lie(bytes([0x84, 2])), "function"),
    "exception without code": (lie(bytes([0x83]), length=2), "length"),
    "exception with two codes": (lie(bytes([0x83, 2, 2])), "length"),
    "exception code 0": (lie(bytes([0x83, 0])), "length"),
    "garbage": (lambda peer, request: peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "protocol"),
    "garbage flood": (lambda peer, request: peer.say(b"\xa5" * 70_000), "protocol"),
}


@pytest.mark.parametrize("case", READ_LIES)
def test_transport_modbus_refuses_each_lie_at_once_and_closes(case):
    script, kind = READ_LIES[case]

    async def main():
        network = MemoryNetwork(script)
        client = ModbusClient(network, "cdu", 502, name="cdu", timeout=1.0)
        error, took = await attempt(client, read2)
        assert isinstance(error, ProtocolViolationError), f"believed: {error!r}"
        assert error.code == KINDS[kind]
        assert client.kinds == {kind: 1}
        assert client.counters.violations == 1
        assert took < 0.1
        assert not client.is_open
        assert "cdu read 2 holding registers at 100 of unit 1" in str(error)
        assert "expected" in str(error)
        assert "got" in str(error)
        assert len(str(error)) < 500, "at most 64 bytes of the reply are shown"
        await asyncio.sleep(0.01)
        assert network.peers[0].is_lost
        network.script = good
        assert await read2(client) == struct.pack(">HH", A, B)
        assert len(network.peers) == 2, "a connection that lied is not used again"
        await client.close()

    virtual(main)


WRITE_LIES = {
    "register echo with another value": (lambda c: c.write_register(1, 7, 500), bytes([6, 0, 7, 1, 0xF5])),
    "register echo with another address": (lambda c: c.write_register(1, 7, 500), bytes([6, 0, 8, 1, 0xF4])),
    "register echo cut": (lambda c: c.write_register(1, 7, 500), bytes([6, 0, 7, 1])),
    "coil echo off for on": (lambda c: c.write_coil(1, 7, True), bytes([5, 0, 7, 0, 0])),
    "coil echo 0x0001 for on": (lambda c: c.write_coil(1, 7, True), bytes([5, 0, 7, 0, 1])),
    "registers echo with another count": (lambda c: c.write_registers(1, 7, [1, 2]), bytes([16, 0, 7, 0, 1])),
    "registers echo with another address": (lambda c: c.write_registers(1, 7, [1, 2]), bytes([16, 0, 6, 0, 2])),
    "coils echo with another count": (lambda c: c.write_coils(1, 7, [True] * 3), bytes([15, 0, 7, 0, 4])),
    "registers echo too long": (lambda c: c.write_registers(1, 7, [1, 2]), bytes([16, 0, 7, 0, 2, 4])),
}


@pytest.mark.parametrize("case", WRITE_LIES)
def test_transport_modbus_compares_echoes_to_the_letter_and_never_writes_twice(case):
    call, pdu = WRITE_LIES[case]

    async def main():
        network = MemoryNetwork(lie(pdu))
        client = ModbusClient(network, "pdu", 502)
        error, _ = await attempt(client, call)
        assert isinstance(error, ProtocolViolationError)
        assert error.code == KINDS["echo"]
        assert sum(len(peer.heard) for peer in network.peers) == 1
        assert not client.is_open
        await client.close()

    virtual(main)


def test_transport_modbus_encodes_and_returns_exactly():
    async def main():
        network = MemoryNetwork(good)
        client = ModbusClient(network, "cdu", 502)
        assert await client.read(9, 3, 0x0102, 3) == struct.pack(">HHH", A, B, A)
        assert await client.read(9, 4, 0x0103, 1) == struct.pack(">H", A)
        assert await client.read(9, 1, 0x0104, 9) == b"\x05\x05"
        assert await client.read(9, 2, 0x0105, 8) == b"\x05"
        await client.write_coil(9, 0x0106, True)
        await client.write_coil(9, 0x0106, False)
        await client.write_register(9, 0x0107, 0xCAFE)
        await client.write_coils(9, 0x0108, [True, False, True, True, False, False, False, False, True, False])
        await client.write_registers(9, 0x0109, [0x000A, 0x0102])
        assert [parts(heard)[2].hex() for heard in network.peers[0].heard] == [
            "0301020003",
            "0401030001",
            "0101040009",
            "0201050008",
            "050106ff00",
            "0501060000",
            "060107cafe",
            "0f0108000a020d01",  # the bits of the specification's example, 6.11
            "1001090002040" + "00a0102",
        ]
        numbers = [parts(heard)[0] for heard in network.peers[0].heard]
        assert all(after == before % 0xFFFF + 1 for before, after in itertools.pairwise(numbers))
        assert client.counters.requests == 9
        await client.close()

    virtual(main)


def test_transport_modbus_transaction_numbers_skip_zero():
    async def main():
        network = MemoryNetwork(good)
        client = ModbusClient(network, "cdu", 502)
        client._transaction = 0xFFFE
        for _ in range(3):
            await read2(client)
        assert [parts(heard)[0] for heard in network.peers[0].heard] == [0xFFFF, 1, 2]
        await client.close()

    virtual(main)


@pytest.mark.parametrize("sent", [0, 4, 8, 12])
def test_transport_modbus_silence_and_hang_in_mid_frame_end_at_the_deadline(sent):
    async def main():
        network = MemoryNetwork(lambda peer, request: peer.say(honest(request)[:sent]) if sent else None)
        client = ModbusClient(network, "cdu", 502, timeout=0.3)
        error, took = await attempt(client, read2)
        assert isinstance(error, UnreachableError)
        assert 0.3 <= took < 0.4
        assert client.counters.timeouts == 1
        assert not client.is_open
        await client.close()

    virtual(main)


def test_transport_modbus_deadline_is_for_the_whole_reply_not_each_byte():
    def drip(peer, request):
        for index, byte in enumerate(honest(request)):
            peer.say(bytes([byte]), after=0.5 * (index + 1))

    async def main():
        client = ModbusClient(MemoryNetwork(drip), "cdu", 502, timeout=1.2)
        error, took = await attempt(client, read2)
        assert isinstance(error, UnreachableError)
        assert 1.2 <= took < 1.3
        await client.close()

    virtual(main)


def test_transport_modbus_takes_a_reply_that_comes_byte_by_byte_in_time():
    def drip(peer, request):
        for index, byte in enumerate(honest(request)):
            peer.say(bytes([byte]), after=0.01 * (index + 1))

    async def main():
        client = ModbusClient(MemoryNetwork(drip), "cdu", 502, timeout=1.0)
        assert await read2(client) == struct.pack(">HH", A, B)
        assert await read2(client) == struct.pack(">HH", A, B)
        await client.close()

    virtual(main)


def test_transport_modbus_skips_and_counts_a_late_reply_and_never_believes_it():
    """The first answer comes after its deadline, on the next connection, in one segment with the right one."""
    late = []

    def script(peer, request):
        if not late:
            tid, unit, _ = parts(request)
            late.append(adu(tid, unit, bytes([3, 4]) + struct.pack(">HH", 0xDEAD, 0xDEAD)))
            return
        peer.say(late[0] + honest(request))

    async def main():
        client = ModbusClient(MemoryNetwork(script), "cdu", 502, timeout=0.2)
        error, _ = await attempt(client, read2)
        assert isinstance(error, UnreachableError)
        assert await read2(client) == struct.pack(">HH", A, B)
        assert client.counters.stale_replies == 1
        assert client.counters.violations == 0
        await client.close()

    virtual(main)


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
def test_transport_modbus_late_answer_over_the_old_connection_is_lost(framing):
    """1.1 timeouts late, before the next request: the connection is gone, so the answer has nowhere to go."""

    async def main():
        answers = [0xDEAD, A]

        def script(peer, request):
            data = struct.pack(">HH", answers.pop(0), B)
            if framing == "tcp":
                tid, unit, _ = parts(request)
                reply = adu(tid, unit, bytes([3, 4]) + data)
            else:
                reply = rtu(bytes([1, 3, 4]) + data)
            peer.say(reply, after=0.22 if len(answers) == 1 else 0.0)

        client = ModbusClient(MemoryNetwork(script), "cdu", 502, timeout=0.2, framing=framing)
        error, _ = await attempt(client, read2)
        assert isinstance(error, UnreachableError)
        assert await read2(client) == struct.pack(">HH", A, B)
        await client.close()

    virtual(main)


def test_transport_modbus_duplicate_reply_closes_before_it_can_answer_another_request():
    async def main():
        network = MemoryNetwork(lambda peer, request: peer.say(honest(request) * 2))
        client = ModbusClient(network, "cdu", 502)
        assert await read2(client) == struct.pack(">HH", A, B)
        assert not client.is_open
        assert client.kinds == {"unasked": 1}
        network.script = good
        assert await read2(client) == struct.pack(">HH", A, B)
        await client.close()

    virtual(main)


def test_transport_modbus_unasked_bytes_close_the_connection():
    async def main():
        network = MemoryNetwork(good)
        client = ModbusClient(network, "cdu", 502)
        await read2(client)
        network.peers[0].say(adu(77, 1, b"\x03\x04" + b"\xde\xad" * 2))
        await asyncio.sleep(0.1)
        assert not client.is_open
        assert client.counters.violations == 1
        assert await read2(client) == struct.pack(">HH", A, B)
        await client.close()

    virtual(main)


@pytest.mark.parametrize("reset", [None, ConnectionResetError(104, "Connection reset by peer")])
@pytest.mark.parametrize("sent", [0, 10])
def test_transport_modbus_peer_that_closes_is_noticed_at_once(reset, sent):
    def script(peer, request):
        if sent:
            peer.say(honest(request)[:sent])
        peer.hang_up(reset)

    async def main():
        network = MemoryNetwork(script)
        client = ModbusClient(network, "cdu", 502, timeout=5.0)
        error, took = await attempt(client, read2)
        assert isinstance(error, UnreachableError)
        assert took < 0.1
        assert client.counters.lost == 1
        assert "sessions" in error.hint
        network.script = good
        assert await read2(client) == struct.pack(">HH", A, B)
        await client.close()

    virtual(main)


@pytest.mark.parametrize(("number", "is_busy", "word"), [
    (1, False, "illegal function"), (2, False, "illegal data address"), (3, False, "illegal data value"),
    (4, False, "device failure"), (5, True, "acknowledge"), (11, False, "gateway target"), (99, False, "unknown"),
])  # fmt: skip
def test_transport_modbus_refusals_raise_keep_the_connection_and_are_not_repeated(number, is_busy, word):
    async def main():
        network = MemoryNetwork(lie(bytes([0x83, number])))
        client = ModbusClient(network, "cdu", 502)
        error, _ = await attempt(client, read2)
        assert isinstance(error, RefusedError)
        assert (error.vendor_code, error.is_busy) == (number, is_busy)
        assert word in str(error)
        assert client.is_open
        assert len(network.peers[0].heard) == 1
        assert client.counters.refused == 1
        await client.close()

    virtual(main)


def test_transport_modbus_busy_reads_are_repeated_a_little_and_writes_never():
    async def main():
        answers = [6, 6, 0]

        def script(peer, request):
            tid, unit, pdu = parts(request)
            busy = answers.pop(0) if answers else 6
            peer.say(adu(tid, unit, bytes([pdu[0] | 0x80, 6])) if busy else honest(request))

        network = MemoryNetwork(script)
        client = ModbusClient(network, "cdu", 502, timeout=1.0)
        value, took = await attempt(client, read2)
        assert value == struct.pack(">HH", A, B)
        assert 0.3 <= took < 0.35
        numbers = [parts(heard)[0] for heard in network.peers[0].heard]
        assert len(set(numbers)) == 3, "each repetition has a new transaction"
        error, took = await attempt(client, read2)
        assert isinstance(error, RefusedError)
        assert error.is_busy
        assert took <= 1.0
        assert client.counters.requests == 3 + 4
        assert client.counters.busy_retries == 2 + 3
        error, took = await attempt(client, lambda c: c.write_register(1, 5, 6))
        assert isinstance(error, RefusedError)
        assert client.counters.requests == 8
        client.timeout = 0.25
        error, took = await attempt(client, read2)
        assert isinstance(error, RefusedError)
        assert took < 0.25, "repetitions stay inside the deadline"
        await client.close()

    virtual(main)


def test_transport_modbus_cancellation_closes_and_the_next_request_works():
    async def main():
        network = MemoryNetwork(lambda peer, request: None)
        client = ModbusClient(network, "cdu", 502, timeout=10.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await read2(client)
        assert not client.is_open
        await asyncio.sleep(0.01)
        assert network.peers[0].is_lost
        network.script = good
        assert await read2(client) == struct.pack(">HH", A, B)
        task = asyncio.create_task(read2(client))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await read2(client) == struct.pack(">HH", A, B)
        await client.close()

    virtual(main)


def test_transport_modbus_cancelled_while_dialling_or_waiting_leaves_the_turn_free():
    async def main():
        network = MemoryNetwork(good, hang=True)
        client = ModbusClient(network, "cdu", 502, connect_timeout=3.0)
        first = asyncio.create_task(read2(client))
        second = asyncio.create_task(read2(client))
        await asyncio.sleep(0.1)
        for task in (first, second):
            task.cancel()
        assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(
            first, second, return_exceptions=True
        ))  # fmt: skip
        network.hang = False
        assert await read2(client) == struct.pack(">HH", A, B)
        await client.close()

    virtual(main)


def test_transport_modbus_one_request_at_a_time_for_all_units():
    async def main():
        open_requests = most = 0

        def script(peer, request):
            nonlocal open_requests, most
            open_requests += 1
            most = max(most, open_requests)

            def answer():
                nonlocal open_requests
                open_requests -= 1
                peer.say(honest(request))

            asyncio.get_running_loop().call_later(0.05, answer)

        network = MemoryNetwork(script)
        pool = ModbusPool(network)
        clients = [pool.shared("gateway", 502, timeout=0.2, min_gap=0.001 * unit) for unit in range(8)]
        assert len(set(clients)) == 1
        assert clients[0].min_gap == 0.007
        replies = await asyncio.gather(*(client.read(unit, 3, 0, 2) for unit, client in enumerate(clients)))
        assert replies == [struct.pack(">HH", A, B)] * 8
        assert most == 1
        assert len(network.peers) == 1
        for client in clients[:-1]:
            await pool.release(client)
            assert client.is_open
        await pool.release(clients[-1])
        assert not client.is_open
        with pytest.raises(UnreachableError):
            await client.read(1, 3, 0, 2)
        assert pool.shared("gateway", 502) is not client
        with pytest.raises(ConfigError):
            pool.shared("gateway", 502, framing="rtu")
        await pool.close()

    virtual(main)


def test_transport_modbus_min_gap_and_pause_are_kept():
    async def main():
        sent = []
        loop = asyncio.get_running_loop()

        def script(peer, request):
            sent.append(loop.time())
            peer.say(honest(request))

        client = ModbusClient(MemoryNetwork(script), "cdu", 502, min_gap=0.05, pause_after_connect=0.4)
        started = loop.time()
        for _ in range(3):
            await read2(client)
        assert sent[0] - started >= 0.4
        assert all(after - before > 0.0499 for before, after in itertools.pairwise(sent))
        await client.close()

    virtual(main)


def test_transport_modbus_refused_connection_is_not_stormed_and_good_again_within_a_second():
    """D13: a poller that asks ten times a second and six that queue see at most one dial a second."""

    async def main():
        loop = asyncio.get_running_loop()
        back_at = loop.time() + 30.3
        network = MemoryNetwork(good, refuse=lambda: loop.time() < back_at)
        client = ModbusClient(network, "cdu", 502, name="cdu")
        first_good = []
        failures = set()

        async def poll():
            while not first_good:
                try:
                    await read2(client)
                    first_good.append(loop.time())
                except UnreachableError as error:
                    failures.add(error.message)
                await asyncio.sleep(0.1)

        await asyncio.gather(*(poll() for _ in range(6)))
        assert len(network.dials) <= 32
        assert first_good[0] - back_at <= 1.01
        assert all("Connection refused" in failure for failure in failures)
        assert client.counters.connect_failures == len(network.dials) - 1
        await client.close()

    virtual(main)


def test_transport_modbus_flapping_device_is_used_while_up_and_not_stormed():
    """D13: up 3 s, down 2 s, for a minute, asked every 50 ms."""

    async def main():
        loop = asyncio.get_running_loop()
        network = MemoryNetwork(good, refuse=lambda: loop.time() % 5 >= 3)
        client = ModbusClient(network, "cdu", 502)
        good_at = []

        async def fell():
            while True:
                await asyncio.sleep(3 - loop.time() % 5 if loop.time() % 5 < 3 else 8 - loop.time() % 5)
                for peer in network.peers:
                    peer.hang_up(ConnectionResetError(104, "Connection reset by peer"))
                await asyncio.sleep(0.01)

        falling = asyncio.create_task(fell())
        while loop.time() < 60:
            value, _ = await attempt(client, read2)
            if isinstance(value, bytes):
                good_at.append(loop.time())
            await asyncio.sleep(0.05)
        falling.cancel()
        assert len(network.dials) <= 60
        for start in range(0, 60, 5):
            first = min(at for at in good_at if at >= start)
            assert first - start <= 1.01, f"up at {start}, used again at {first}"
        await client.close()

    virtual(main)


@pytest.mark.parametrize("framing", ["tcp", "rtu"])
def test_transport_modbus_keeps_little_of_what_a_peer_sends(framing):
    """D5: however the bytes come, a session never holds more than 4 KiB of them."""

    async def main():
        kept = []

        def script(peer, request):
            for index in range(2000):
                peer.say(b"\x05\x03\x04" if framing == "rtu" and not index else bytes([index % 7]), after=1e-4 * index)

        client = ModbusClient(MemoryNetwork(script), "cdu", 502, timeout=0.5, framing=framing)

        async def watch():
            while True:
                kept.append(len(client._link._buffer) if client._link else 0)
                await asyncio.sleep(1e-3)

        watching = asyncio.create_task(watch())
        error, _ = await attempt(client, lambda c: c.read(5, 3, 0, 2))
        assert isinstance(error, ProtocolViolationError)
        watching.cancel()
        assert max(kept) <= 4096
        await client.close()

    virtual(main)


def test_transport_modbus_accept_then_close_is_not_stormed():
    """A device at its session limit accepts and closes: that, too, is a dial in vain."""

    async def main():
        loop = asyncio.get_running_loop()
        network = MemoryNetwork(lambda peer, request: None, greet=lambda peer: peer.hang_up())
        client = ModbusClient(network, "cdu", 502)
        end = loop.time() + 10
        while loop.time() < end:
            error, _ = await attempt(client, read2)
            assert isinstance(error, UnreachableError)
            await asyncio.sleep(0.05)
        assert len(network.dials) <= 12
        await client.close()

    virtual(main)


def test_transport_modbus_connect_timeout():
    async def main():
        client = ModbusClient(MemoryNetwork(good, hang=True), "10.0.0.12", 502, connect_timeout=2.0)
        error, took = await attempt(client, lambda c: c.open())
        assert isinstance(error, UnreachableError)
        assert "10.0.0.12:502" in str(error)
        assert 2.0 <= took < 2.1
        await client.close()

    virtual(main)


def test_transport_modbus_close_ends_waiting_requests():
    async def main():
        client = ModbusClient(MemoryNetwork(lambda peer, request: None), "cdu", 502, timeout=60)
        waiting = [asyncio.create_task(attempt(client, read2)) for _ in range(3)]
        await asyncio.sleep(0.1)
        await client.close()
        assert all([isinstance((await task)[0], UnreachableError) for task in waiting])
        await client.open()

    virtual(main)


@pytest.mark.parametrize("call", [
    lambda c: c.read(256, 3, 0, 1), lambda c: c.read(1, 7, 0, 1), lambda c: c.read(1, 3, 0, 126),
    lambda c: c.read(1, 3, 0, 0), lambda c: c.read(1, 1, 0, 2001), lambda c: c.read(1, 3, 65535, 2),
    lambda c: c.read(1, 3, -1, 1), lambda c: c.write_register(1, 0, 65536), lambda c: c.write_register(1, 0, -1),
    lambda c: c.write_registers(1, 0, []), lambda c: c.write_registers(1, 0, [0] * 124),
    lambda c: c.write_coils(1, 0, [True] * 1969),
])  # fmt: skip
def test_transport_modbus_impossible_requests_never_leave(call):
    async def main():
        network = MemoryNetwork(good)
        client = ModbusClient(network, "cdu", 502)
        with pytest.raises(ConfigError):
            await call(client)
        assert network.dials == []

    virtual(main)


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS, bit by bit (MODBUS over Serial Line V1.02, 6.2.2), independent of any table."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value.to_bytes(2, "little")


def rtu(frame: bytes) -> bytes:
    return frame + crc(frame)


RTU_LIES = {
    "bad checksum": (bytes([5, 3, 4, 0x12, 0x34, 0xBE, 0xEF, 0, 0]), "checksum"),
    "wrong unit": (rtu(bytes([6, 3, 4, 0x12, 0x34, 0xBE, 0xEF])), "unit"),
    "wrong function": (rtu(bytes([5, 4, 4, 0x12, 0x34, 0xBE, 0xEF])), "function"),
    "one register": (rtu(bytes([5, 3, 2, 0x12, 0x34])), "count"),
    "three registers": (rtu(bytes([5, 3, 6, 0x12, 0x34, 0xBE, 0xEF, 0, 7])), "count"),
    "odd": (rtu(bytes([5, 3, 3, 0x12, 0x34, 0xBE])), "count"),
    "exception of another function": (rtu(bytes([5, 0x84, 2])), "function"),
    "exception with a bad checksum": (bytes([5, 0x83, 2, 0, 0]), "checksum"),
    "twice": (rtu(bytes([5, 3, 4, 0x12, 0x34, 0xBE, 0xEF])) * 2, "length"),
    "a byte of noise before": (b"\xff" + rtu(bytes([5, 3, 4, 0x12, 0x34, 0xBE, 0xEF])), "unit"),
    "flood": (b"\x05\x03\x04" + b"\x00" * 9000, "length"),
}


@pytest.mark.parametrize("case", RTU_LIES)
def test_transport_modbus_rtu_refuses_each_lie(case):
    reply, kind = RTU_LIES[case]

    async def main():
        network = MemoryNetwork(lambda peer, request: peer.say(reply))
        client = ModbusClient(network, "/dev/ttyUSB0", 0, framing="rtu")
        error, took = await attempt(client, lambda c: c.read(5, 3, 100, 2))
        assert isinstance(error, ProtocolViolationError), f"believed: {error!r}"
        assert error.code == KINDS[kind]
        assert took < 0.1
        assert network.peers[0].heard == [rtu(bytes([5, 3, 0, 100, 0, 2]))]
        await client.close()

    virtual(main)


def test_transport_modbus_rtu_reads_writes_and_refusals():
    replies = [
        rtu(bytes([5, 3, 4, 0x12, 0x34, 0xBE, 0xEF])),
        rtu(bytes([5, 0x83, 2])),
        rtu(bytes([5, 6, 0, 7, 1, 0xF4])),
        rtu(bytes([5, 6, 0, 7, 1, 0xF5])),
    ]

    async def main():
        def script(peer, request):
            reply = replies.pop(0)
            peer.say(reply[:3])
            peer.say(reply[3:], after=0.02)

        client = ModbusClient(MemoryNetwork(script), "/dev/ttyUSB0", 0, framing="rtu")
        assert await client.read(5, 3, 100, 2) == struct.pack(">HH", A, B)
        error, _ = await attempt(client, lambda c: c.read(5, 3, 100, 2))
        assert isinstance(error, RefusedError)
        assert error.vendor_code == 2
        await client.write_register(5, 7, 500)
        error, _ = await attempt(client, lambda c: c.write_register(5, 7, 500))
        assert isinstance(error, ProtocolViolationError)
        await client.close()

    virtual(main)


def test_transport_modbus_rtu_waits_for_silence_after_a_timeout():
    """A late reply on a serial line reaches the next connection as well: it is listened out, not believed."""

    async def main():
        network = MemoryNetwork(lambda peer, request: None)
        late = rtu(bytes([5, 3, 4, 0xDE, 0xAD, 0xDE, 0xAD]))
        client = ModbusClient(network, "/dev/ttyUSB0", 0, framing="rtu", timeout=0.6)
        error, _ = await attempt(client, lambda c: c.read(5, 3, 100, 2))
        assert isinstance(error, UnreachableError)
        network.script = lambda peer, request: peer.say(rtu(bytes([5, 3, 4, 0x12, 0x34, 0xBE, 0xEF])))
        network.greet = lambda peer: peer.say(late, after=0.3)
        assert await client.read(5, 3, 100, 2) == struct.pack(">HH", A, B)
        assert client.counters.stale_replies == 1
        await client.close()

    virtual(main)


def test_transport_modbus_rtu_unasked_bytes_are_listened_out():
    """Noise, or the rest of somebody's reply, while nothing was asked: silence first, then the next request."""

    async def main():
        loop = asyncio.get_running_loop()
        reply = rtu(bytes([5, 3, 4, 0x12, 0x34, 0xBE, 0xEF]))
        network = MemoryNetwork(lambda peer, request: peer.say(reply))
        client = ModbusClient(network, "/dev/ttyUSB0", 0, framing="rtu")
        await client.read(5, 3, 100, 2)
        network.peers[0].say(reply[:4])
        await asyncio.sleep(0.01)
        assert client.kinds == {"unasked": 1}
        network.greet = lambda peer: peer.say(reply[4:], after=0.1)
        started = loop.time()
        assert await client.read(5, 3, 100, 2) == struct.pack(">HH", A, B)
        assert loop.time() - started >= 0.5
        await client.close()

    virtual(main)


def test_transport_modbus_maps_every_exception_of_pymodbus():
    """Whatever pymodbus may raise, encoding or decoding, nothing of it leaves the package."""
    foreign = [
        kind
        for kind in vars(pymodbus.exceptions).values()
        if isinstance(kind, type) and issubclass(kind, Exception) and kind.__module__ == "pymodbus.exceptions"
    ]
    assert len(foreign) >= 7

    class Broken:
        function_code = 3

        def __init__(self, kind):
            self.kind = kind

        def encode(self):
            raise self.kind("as pymodbus does")

        def decode(self, frame):
            raise self.kind("as pymodbus does")

    async def main(kind):
        client = ModbusClient(MemoryNetwork(good), "cdu", 502)
        client._framing._framer.decode = Broken(kind).decode
        error, _ = await attempt(client, read2)
        assert isinstance(error, ProtocolViolationError)
        assert "as pymodbus does" in str(error)
        assert not client.is_open
        await client.close()

    for kind in foreign:
        virtual(lambda kind=kind: main(kind))
        with pytest.raises(ConfigError):
            requests._encoded(Broken(kind))
