"""Responses byte by byte, and values by their pointers."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.transport.redfish.http import MAX_BODY, BadResponse, ResponseParser
from harness.transport.redfish.resource import MISSING, UNDECODABLE, at, is_path, number, parse_resource

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def framed(body, chunks):
    """A response with a length, or in chunks of the given sizes."""
    if not chunks:
        return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    parts, rest = [], body
    for size in chunks:
        parts, rest = [*parts, rest[:size]], rest[size:]
    parts.append(rest)
    reported = b"".join(b"%X;name=value\r\n%s\r\n" % (len(part), part) for part in parts if part)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + reported + b"0\r\nExpires: never\r\n\r\n"


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=5), st.lists(st.integers(0, 600), max_size=8))
def test_however_the_bytes_arrive_the_response_is_the_same(body, chunks, cuts):
    sent = framed(body, chunks)
    parser, places = ResponseParser(), sorted({0, *(cut for cut in cuts if cut < len(sent)), len(sent)})
    answers = [parser.feed(sent[a:b]) for a, b in pairwise(places)]
    assert answers[:-1] == [None] * (len(answers) - 1)
    assert answers[-1].body == body
    assert answers[-1].status == 200
    assert answers[-1].keeps_open


@settings(max_examples=300)
@given(st.binary(max_size=200), st.integers(0, 260), st.integers(0, 255))
def test_rubbish_ends_in_one_error(noise, at_byte, value):
    """Whatever is sent: a response, nothing yet, or BadResponse; never another exception."""
    sent = bytearray(framed(b'{"@odata.id": "/redfish/v1/X", "Reading": 12.5}', [9, 9]))
    if at_byte < len(sent):
        sent[at_byte] = value
    for data in (bytes(sent), noise, b"HTTP/1.1 " + noise, HEAD + noise):
        try:
            ResponseParser().feed(data)
        except BadResponse:
            continue


def agrees(found, true):
    """Whether what was read is what another reader reads, but for what was refused to be a value."""
    if found is UNDECODABLE:
        return True
    if isinstance(found, dict) and isinstance(true, dict):
        return found.keys() == true.keys() and all(agrees(found[key], true[key]) for key in found)
    if isinstance(found, list) and isinstance(true, list):
        return len(found) == len(true) and all(map(agrees, found, true))
    return found == true


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_a_body_is_an_object_or_an_error(noise):
    for body in (noise, b"{" + noise + b"}", b'{"a": ' + noise + b"}"):
        try:
            resource = parse_resource(body)
        except BadResponse:
            continue
        assert agrees(resource, json.loads(body))


def test_a_body_just_too_long_is_noticed_before_it_has_come():
    parser = ResponseParser()
    with pytest.raises(BadResponse, match="the most is"):
        parser.feed(HEAD + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1))
    parser = ResponseParser()
    with pytest.raises(BadResponse, match="longer than"):
        parser.feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % (MAX_BODY + 1))


def test_pointers_follow_the_examples_of_their_standard():
    document = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, " ": 7}
    pointers = {"/foo/0": "bar", "/foo/1": "baz", "/": 0, "/a~1b": 1, "/m~0n": 8, "/ ": 7, "": document}
    for pointer, value in pointers.items():
        assert at(document, pointer) == value
    for nowhere in ("/foo/2", "/foo/-1", "/foo/-", "/bar", "/foo/bar", "/a~1b/x"):
        assert at(document, nowhere) is MISSING


@pytest.mark.parametrize("value", [True, False, "12.5", "Out of range", None, [], {}, [12.5], 10**400, math.inf])
def test_what_is_no_number(value):
    assert math.isnan(number(value))


def test_paths_stay_inside_the_service():
    assert is_path("/redfish/v1/Chassis/Rack%201/Sensors/Flow(1)")
    for text in ("/etc/passwd", "//192.0.2.1/redfish/v1", "/redfish/v1/../x", "/redfish/v1/a b", "/redfish/v1/ä", 5):
        assert not is_path(text)
