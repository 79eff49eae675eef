"""What a device sends costs bounded time: sizes have bounds, and so have pieces, values and tries.

Times are not judged closely here (a busy machine is no fault); what is judged grew with the square of the size, or had
no end at all.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time

import pytest

from harness.clock import run
from harness.errors import UnreachableError
from harness.transport.modbus.frames import Mismatch, TcpFraming
from harness.transport.modbus.link import Link
from harness.transport.redfish import client as redfish_client
from harness.transport.redfish.http import MAX_CHUNKS, MAX_FIELDS, MAX_PIECES, BadResponse, ResponseParser
from harness.transport.redfish.resource import MAX_VALUES, UNDECODABLE, parse_resource
from harness.transport.snmp.ber import BerError, decode_oid, decode_varbinds, encode_oid, encode_varbinds
from tests.unit.transport.snmp.test_client import OIDS, TABLE, answer, talk

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def took(work):
    """Seconds of CPU that a piece of work takes."""
    before = time.process_time()
    work()
    return time.process_time() - before


def doubled(count):
    keys = ",".join(f'"{number:05}":0' for number in range(count))
    return ('{"@odata.id":"/redfish/v1/X",' + keys + ',"00000":1}').encode()


def test_doubled_keys_cost_no_more_than_any_others():
    """It was a second for 12 000 keys and a minute for a megabyte: the runner froze, and the guardian took over."""
    resource = parse_resource(doubled(15_000))
    assert resource["00000"] is UNDECODABLE
    assert resource["00001"] == 0
    assert took(lambda: parse_resource(doubled(15_000))) < 0.5


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":[' + b"{}," * MAX_VALUES + b"{}]}",
        b'{"a":[' + (b"[" * 400 + b"]" * 400 + b",") * 1200 + b"0]}",
        doubled(95_000),
    ],
    ids=["objects", "lists", "keys"],
)
def test_more_values_than_a_resource_has_are_not_looked_at(body):
    def refused():
        with pytest.raises(BadResponse, match="more than"):
            parse_resource(body)

    assert took(refused) < 0.05


def test_a_number_of_thousands_of_digits_is_none():
    body = b'{"a":[' + (b"9" * 4299 + b",") * 230 + b'0], "b": 7}'
    resource = parse_resource(body)
    assert set(resource["a"]) == {UNDECODABLE, 0}
    assert resource["b"] == 7


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (CHUNKED + b"1\r\nx\r\n" * (MAX_CHUNKS + 1), "chunks"),
        (CHUNKED + b"0\r\n" + b"a: b\r\n" * (MAX_FIELDS + 1), "trailers"),
        (HEAD + b"X:" + b" " * 32_000 + b"\x01\r\n\r\n", "header that is none"),
    ],
    ids=["chunks of one byte", "trailers", "blanks"],
)
def test_a_response_in_too_many_parts_is_refused(sent, why):
    def refused():
        with pytest.raises(BadResponse, match=why):
            ResponseParser().feed(sent)

    assert took(refused) < 0.5


def test_a_response_that_drips_is_refused_after_so_many_pieces():
    parser = ResponseParser()
    parser.feed(HEAD + b"Content-Length: 1000000\r\n\r\n")
    for _ in range(MAX_PIECES - 1):
        parser.feed(b"x")
    with pytest.raises(BadResponse, match="pieces"):
        parser.feed(b"x")


def test_what_takes_long_to_parse_is_parsed_beside_the_loop(monkeypatch):
    """In real time: the loop has a rack to watch. In virtual time in place, so that a run can be repeated exactly."""
    threads = []

    def parse(body):
        threads.append(threading.current_thread() is threading.main_thread())
        return parse_resource(body)

    monkeypatch.setattr(redfish_client, "parse_resource", parse)
    big = doubled(8_000)

    async def main():
        assert (await redfish_client._parsed(big))["00001"] == 0
        assert (await redfish_client._parsed(b'{"a": 1}')) == {"a": 1}

    run(main)
    assert threads == [False, True]
    threads.clear()
    run(main, rate=math.inf)
    assert threads == [True, True]


def test_an_answer_of_thousands_of_objects_is_not_decoded_to_its_end():
    many = encode_varbinds([(encode_oid(f"1.3.6.{number}"), b"\x02\x01\x07") for number in range(5000)])
    start = 4
    with pytest.raises(BerError, match="at most 20"):
        decode_varbinds(many, start, len(many), 20)
    with pytest.raises(BerError, match="longer"):
        decode_oid(b"\x01" * 60_000)


def test_a_flood_on_a_modbus_connection_is_not_searched():
    async def main():
        unasked = []
        link = Link(TcpFraming(), redfish_client.Counters(), frozenset(range(65_536)), unasked.append)
        link.connection_made(asyncio.Transport())
        link.abort = lambda: setattr(link, "is_open", False)
        link.data_received(b"\x00\x01\x00\x00\x00\x03\x01\x83\x02" * 20_000)
        return unasked, link.is_open

    unasked, is_open = run(main)
    assert [type(error) for error in unasked] == [Mismatch]
    assert unasked[0].kind == "flood"
    assert not is_open


def test_a_walk_that_is_answered_just_in_time_ends():
    def behave(asked):
        after = tuple(map(int, asked.oids[0].split(".")))
        row = next((oid for oid in OIDS if tuple(map(int, oid.split("."))) > after), OIDS[-1])
        return [(4.9, answer(asked, [(row, TABLE[row])]))]

    async def use(client):
        started = asyncio.get_running_loop().time()
        with pytest.raises(UnreachableError, match="took longer than 120 s"):
            await client.walk("1.3.6.1.4.1.99")
        return asyncio.get_running_loop().time() - started

    assert talk(behave, use, timeout=5.0)[0] < 126
