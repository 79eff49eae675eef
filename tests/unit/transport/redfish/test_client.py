"""The Redfish client against a service that is honest, busy, gone, or lies; in virtual time."""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import asynccontextmanager

import pytest

from harness.clock import run
from harness.errors import DeviceError, ProtocolViolationError, RefusedError, UnreachableError
from harness.secret import Secret
from harness.transport.redfish import RedfishClient
from harness.transport.redfish.client import NoResourceError
from harness.transport.redfish.resource import UNDECODABLE
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.redfish import RedfishService
from tests.tools.redfish_misbehaviour import BEHIND, OF_ONE_VALUE, chunked, redfish_lies

PUMP = "/redfish/v1/ThermalEquipment/CDUs/West/Pumps/Left"
TREE = {
    "/redfish/v1": {"@odata.id": "/redfish/v1/", "Name": "Root Service"},
    PUMP: {"@odata.id": PUMP, "Name": "Pumpe für Süd", "PumpSpeedPercent": {"Reading": 62.5, "SpeedRPM": 1800}},
    "/redfish/v1/Empty": {"@odata.id": "/redfish/v1/Empty", "Name": "Nothing", "Members": []},
}


@asynccontextmanager
async def served(tree=None, user="", **options):
    """A service on a network in memory, and a client on it."""
    network = MemoryNetwork()
    service = RedfishService((tree or TREE).get, user=user, password="right one" if user else "")
    listener = await MemoryHost(network, "127.0.0.1").serve_stream(service.http, 8000)
    options = {"timeout": 2.0, "user": user, "password": Secret("right one")} | options
    client = RedfishClient(network, "127.0.0.1", 8000, **options)
    try:
        yield service, listener, client
    finally:
        await client.close()
        await listener.close()


def virtually(main):
    return run(main, rate=math.inf)


def test_reads_a_resource_over_one_connection():
    async def main():
        async with served() as (service, listener, client):
            await client.open()
            for _ in range(5):
                pump = await client.get(PUMP)
            assert pump["PumpSpeedPercent"] == {"Reading": 62.5, "SpeedRPM": 1800}
            assert pump["Name"] == "Pumpe für Süd"
            assert client.counters.connects == listener.connections == 1
            assert [method for method, _ in service.log] == ["GET"] * 6

    virtually(main)


def test_chunks_are_as_good_as_a_length():
    async def main():
        async with served() as (service, _, client):
            honest = await client.get(PUMP)
            service.tamper = chunked
            assert await client.get(PUMP) == honest

    virtually(main)


def test_a_body_that_ends_with_the_connection():
    """HTTP/1.0 manners: no length, the close is the end. A JSON object cannot be cut short unnoticed."""

    def old(_, sent):
        head, _, body = sent.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n")[1:] if not line.startswith(b"Content-Length")]
        return b"\r\n".join([b"HTTP/1.0 200 OK", *lines]) + b"\r\n\r\n" + body

    async def main():
        async with served() as (service, listener, client):
            service.tamper = old
            asking = asyncio.create_task(client.get(PUMP))
            await asyncio.sleep(0.1)
            assert not asking.done()
            for gate in list(listener._filters):
                gate.transport.close()
            assert (await asking)["PumpSpeedPercent"]["Reading"] == 62.5

    virtually(main)


@pytest.mark.parametrize("name", sorted(redfish_lies().keys() - OF_ONE_VALUE - BEHIND))
def test_no_lie_is_believed(name):
    async def main():
        async with served() as (service, _, client):
            honest = await client.get(PUMP)
            service.tamper = redfish_lies()[name]
            for path in ("/redfish/v1/Empty", PUMP, "/redfish/v1/Empty"):
                before = asyncio.get_running_loop().time()
                with pytest.raises((ProtocolViolationError, UnreachableError)):
                    await client.get(path)
                assert asyncio.get_running_loop().time() - before < 2.0 + 1.1
            service.tamper = None
            await asyncio.sleep(2.0)
            assert await client.get(PUMP) == honest

    virtually(main)


@pytest.mark.parametrize("name", sorted(BEHIND))
def test_a_whole_response_is_used_whatever_follows_and_the_connection_is_not(name):
    async def main():
        async with served() as (service, _, client):
            honest = await client.get(PUMP)
            service.tamper = redfish_lies()[name]
            for _ in range(5):
                assert await client.get(PUMP) == honest
                assert not client.is_open
            assert client.counters.connects == 5
            assert client.counters.violations == 0

    virtually(main)


def test_a_line_end_that_comes_late_is_no_part_of_the_next_response():
    """It may arrive when the next request is on its way: nothing is lost by it."""

    def late(_, sent):
        return b"\n" + sent

    async def main():
        async with served() as (service, _, client):
            honest = await client.get(PUMP)
            service.tamper = late
            assert await client.get(PUMP) == honest
            service.tamper = lambda _, sent: b"\n" * 9 + sent
            with pytest.raises(ProtocolViolationError):
                await client.get(PUMP)

    virtually(main)


@pytest.mark.parametrize("name", sorted(OF_ONE_VALUE))
def test_one_value_that_is_none_costs_that_value(name):
    async def main():
        async with served() as (service, _, client):
            service.tamper = redfish_lies()[name]
            pump = await client.get(PUMP)
            assert (pump["X"] if name == "Infinity" else pump["PumpSpeedPercent"]["Reading"]) is UNDECODABLE
            assert pump["PumpSpeedPercent"]["SpeedRPM"] == 1800
            assert client.is_open

    virtually(main)


def test_html_where_a_resource_belongs_leaves_the_connection_open():
    async def main():
        async with served() as (service, _, client):
            service.tamper = redfish_lies()["HTML"]
            with pytest.raises(NoResourceError, match="expected JSON"):
                await client.get(PUMP)
            service.tamper = None
            assert (await client.get(PUMP))["PumpSpeedPercent"]["Reading"] == 62.5
            assert client.counters.connects == 1

    virtually(main)


def test_yesterdays_answer_is_known_by_its_name():
    """Two resources of the same shape: the answer to the question before must not pass for this one's."""
    tree = {f"/redfish/v1/Sensors/{n}": {"@odata.id": f"/redfish/v1/Sensors/{n}", "Reading": n} for n in range(10, 20)}

    async def main():
        async with served(tree) as (service, _, client):
            service.tamper = redfish_lies()["yesterday's answer"]
            for n in range(10, 20):
                with pytest.raises(DeviceError):
                    await client.get(f"/redfish/v1/Sensors/{n}")

    virtually(main)


def test_a_slow_drip_ends_at_the_deadline():
    async def main():
        async with served(timeout=1.5) as (service, listener, client):
            await client.open()
            (gate,) = listener._filters
            whole = bytearray()
            service.tamper = lambda _, sent: bytes(whole.extend(sent) or b"")
            asking = asyncio.create_task(client.get(PUMP))
            await asyncio.sleep(0)
            started = asyncio.get_running_loop().time()
            for byte in bytes(whole):
                if asking.done():
                    break
                gate.transport.write(bytes([byte]))
                await asyncio.sleep(0.1)
            with pytest.raises(UnreachableError, match="no whole answer within 1"):
                await asking
            assert asyncio.get_running_loop().time() - started < 1.7
            assert client.counters.timeouts == 1
            assert not client.is_open

    virtually(main)


@pytest.mark.parametrize(
    ("path", "status", "is_busy"), [("/redfish/v1/Nowhere", 404, False), (PUMP, 503, True), (PUMP, 429, True)]
)
def test_a_no_is_a_refusal_and_the_connection_stays(path, status, is_busy):
    async def main():
        async with served() as (service, _, client):
            await client.open()
            if status == 503:
                service.is_busy = lambda: True
            if status == 429:
                service.tamper = lambda _, sent: sent.replace(b"200 OK", b"429 Too Many Requests", 1)
            with pytest.raises(RefusedError) as caught:
                await client.get(path)
            assert caught.value.vendor_code == status
            assert caught.value.is_busy is is_busy
            assert client.is_open
            assert client.counters.refused == 1

    virtually(main)


def test_a_session_is_opened_once_and_ended():
    async def main():
        async with served(user="op") as (service, _, client):
            await client.open()
            await client.get(PUMP)
            assert len(service.sessions) == 1
            await client.close()
            assert service.sessions == {}
            methods = [method for method, _ in service.log]
            assert methods == ["POST", "GET", "GET", "DELETE"]

    virtually(main)


def test_a_session_that_timed_out_is_opened_again():
    async def main():
        async with served(user="op") as (service, _, client):
            await client.get(PUMP)
            service.sessions.clear()
            assert (await client.get(PUMP))["PumpSpeedPercent"]["Reading"] == 62.5
            assert len(service.sessions) == 1

    virtually(main)


CUT_OFF = {
    "chunks cut off": b"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n<html\r\n",
    "headers cut off": b"HTTP/1.1 401 Unauthorized\r\nContent-Type: text/ht",
    "chunks that are none": b"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n\r\n",
    "two lengths": b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
}


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("name", CUT_OFF)
def test_a_session_that_timed_out_is_opened_again_whatever_becomes_of_the_body(name, closes):
    async def main():
        async with served(user="op") as (service, listener, client):
            await client.get(PUMP)
            service.sessions.clear()

            def tamper(request, sent):
                if b"401" not in sent[:12] or request.method != "GET":
                    return sent
                if closes:
                    for gate in list(listener._filters):
                        asyncio.get_running_loop().call_soon(gate.transport.close)
                return CUT_OFF[name]

            service.tamper = tamper
            assert (await client.get(PUMP))["PumpSpeedPercent"]["Reading"] == 62.5
            assert len(service.sessions) == 1

    virtually(main)


def test_the_session_before_is_closed_when_a_new_one_is_opened():
    """The service forgets the token and keeps the session: with eight of those it lets nobody in any more."""

    async def main():
        async with served(user="op") as (service, _, client):
            for round_ in range(6):
                await client.get(PUMP)
                service.sessions = dict.fromkeys(service.sessions, f"forgotten {round_}")
            assert (await client.get(PUMP))["PumpSpeedPercent"]["Reading"] == 62.5
            assert len(service.sessions) == 1
            await client.close()
            assert service.sessions == {}

    virtually(main)


def test_a_session_is_closed_at_the_end_on_a_connection_of_its_own_where_there_is_none():
    async def main():
        async with served(user="op") as (service, _, client):
            service.tamper = redfish_lies()["a byte more"]
            await client.get(PUMP)
            assert not client.is_open
            await client.close()
            assert service.sessions == {}

    virtually(main)


async def _tries(client, seconds):
    """One try a second, as a device makes them."""
    for _ in range(seconds):
        with pytest.raises(DeviceError):
            await client.get(PUMP)
        await asyncio.sleep(1.0)


def test_a_refused_log_in_is_repeated_after_minutes_only():
    """Accounts are locked after 3 to 10 wrong passwords."""

    async def main():
        async with served(user="op", password=Secret("wrong one")) as (service, _, client):
            await _tries(client, 55)
            assert [method for method, _ in service.log] == ["POST"]
            await _tries(client, 1800)
            assert [method for method, _ in service.log].count("POST") <= 7
            client._password = Secret("right one")
            await asyncio.sleep(600)
            assert (await client.get(PUMP))["PumpSpeedPercent"]["Reading"] == 62.5

    virtually(main)


def test_a_session_whose_token_is_refused_at_once_is_closed_and_not_opened_again_and_again():
    async def main():
        async with served(user="op") as (service, _, client):
            service.tamper = lambda request, sent: (
                b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" if request.method == "GET" else sent
            )
            await _tries(client, 55)
            assert [method for method, _ in service.log].count("POST") == 1
            assert service.sessions == {}

    virtually(main)


def test_one_resource_that_the_user_may_not_read_ends_no_session():
    """Some services say 401 where 403 is meant."""

    async def main():
        async with served(user="op") as (service, _, client):
            service.tamper = lambda request, sent: (
                b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n" if "Empty" in request.path else sent
            )
            for _ in range(20):
                assert (await client.get(PUMP))["PumpSpeedPercent"]["Reading"] == 62.5
                with pytest.raises(RefusedError) as caught:
                    await client.get("/redfish/v1/Empty")
                assert caught.value.vendor_code == 403
                await asyncio.sleep(1.0)
            assert [method for method, _ in service.log].count("POST") <= 2
            assert len(service.sessions) == 1

    virtually(main)


def test_a_service_that_hangs_up_on_an_old_token_is_logged_in_to_again():
    async def main():
        async with served(user="op") as (service, listener, client):
            await client.get(PUMP)
            service.sessions.clear()

            def tamper(request, sent):
                if b" 401 " in sent[:14]:
                    for gate in list(listener._filters):
                        asyncio.get_running_loop().call_soon(gate.transport.close)
                    return b""
                return sent

            service.tamper = tamper
            lost = 0
            for _ in range(10):
                try:
                    await client.get(PUMP)
                    break
                except UnreachableError:
                    lost += 1
                await asyncio.sleep(1.0)
            assert lost <= 2
            assert len(service.sessions) == 1

    virtually(main)


@pytest.mark.parametrize("uses_session", [True, False])
def test_a_wrong_password_is_refused_and_never_shown(uses_session, caplog):
    async def main():
        wrong = Secret("hunter-2-secret")
        async with served(user="op", password=wrong, uses_session=uses_session) as (service, _, client):
            with pytest.raises(RefusedError) as caught:
                await client.get(PUMP)
            assert caught.value.vendor_code == 401
            assert "hunter-2" not in str(caught.value) + repr(caught.value) + repr(vars(client))
            assert service.sessions == {}

    virtually(main)


def test_a_password_with_every_request():
    async def main():
        async with served(user="op", uses_session=False) as (service, _, client):
            assert (await client.get(PUMP))["PumpSpeedPercent"]["Reading"] == 62.5
            assert [method for method, _ in service.log] == ["GET"]

    virtually(main)


def test_no_more_sessions_is_told():
    async def main():
        async with served(user="op") as (service, _, client):
            service.max_sessions = 0
            with pytest.raises(RefusedError) as caught:
                await client.open()
            assert caught.value.is_busy

    virtually(main)


def test_a_token_that_would_break_the_next_request_is_none():
    async def main():
        async with served(user="op") as (service, _, client):
            service.tamper = lambda request, sent: (
                sent.replace(b"X-Auth-Token: ", b"X-Auth-Token: \xe4") if request.method == "POST" else sent
            )
            with pytest.raises(ProtocolViolationError, match="token"):
                await client.open()

    virtually(main)


def test_a_connection_that_was_closed_while_idle_is_replaced():
    async def main():
        async with served() as (_, listener, client):
            await client.get(PUMP)
            for gate in list(listener._filters):
                gate.transport.close()
            await asyncio.sleep(60)
            assert (await client.get(PUMP))["PumpSpeedPercent"]["Reading"] == 62.5
            assert client.counters.connects == 2

    virtually(main)


def test_bytes_nobody_asked_for_are_counted_and_end_the_connection():
    async def main():
        async with served() as (_, listener, client):
            await client.get(PUMP)
            for gate in list(listener._filters):
                gate.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await asyncio.sleep(1)
            assert not client.is_open
            assert (await client.get(PUMP))["PumpSpeedPercent"]["Reading"] == 62.5
            assert client.counters.violations == 1

    virtually(main)


def test_a_closed_client_asks_nobody():
    async def main():
        async with served() as (service, _, client):
            await client.get(PUMP)
            await client.close()
            with pytest.raises(UnreachableError):
                await client.get(PUMP)
            assert len(service.log) == 1

    virtually(main)


def test_a_collection_over_several_pages():
    base = "/redfish/v1/PowerEquipment/RackPDUs/A/Outlets"

    def page(first):
        more = {"Members@odata.nextLink": f"{base}?$skip={first + 3}"} if first < 6 else {}
        return {"@odata.id": base, "Members": [{"@odata.id": f"{base}/{n}"} for n in range(first, first + 3)]} | more

    async def main():
        async with served() as (service, _, client):
            wanted = []

            def tamper(request, _):
                wanted.append(request.path)
                body = json.dumps(page(int(request.path.partition("skip=")[2] or 0))).encode()
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
                return head + body

            service.tamper = tamper
            assert await client.members(base) == [f"{base}/{n}" for n in range(9)]
            assert wanted == [base, f"{base}?$skip=3", f"{base}?$skip=6"]

    virtually(main)


@pytest.mark.parametrize(
    "members",
    [
        "none",
        None,
        ["text"],
        [{"@odata.id": "http://192.0.2.1/redfish/v1/X"}],
        [{"@odata.id": "/redfish/v1/../../etc/passwd"}],
        [{"@odata.id": "/redfish/v1/X HTTP/1.1\r\nX-Injected: 1"}],
        [{"@odata.id": 7}],
    ],
)
def test_members_that_cannot_be_asked_for(members):
    tree = {"/redfish/v1/Things": {"@odata.id": "/redfish/v1/Things", "Members": members}}

    async def main():
        async with served(tree) as (_, __, client):
            with pytest.raises(ProtocolViolationError):
                await client.members("/redfish/v1/Things")

    virtually(main)


def test_pages_without_end():
    endless = {"@odata.id": "/redfish/v1/L", "Members": [], "Members@odata.nextLink": "/redfish/v1/L?$skip=1"}

    async def main():
        async with served({"/redfish/v1/L": endless}) as (_, __, client):
            with pytest.raises(ProtocolViolationError, match="pages"):
                await client.members("/redfish/v1/L")

    virtually(main)
