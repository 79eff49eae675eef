"""BER: what goes in comes out, and nothing foreign gets through or raises anything but BerError."""

from __future__ import annotations

import copy
import json
import pickle
import struct
from contextlib import suppress
from dataclasses import asdict

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.secret import Secret
from harness.transport.snmp.ber import (
    BerError,
    decode_oid,
    decode_value,
    decode_varbinds,
    encode_oid,
    encode_value,
    encode_varbinds,
    header,
    match_varbinds,
    tlv,
)
from harness.transport.snmp.keys import keys_for
from harness.transport.snmp.message import Community
from harness.transport.snmp.types import Kind, SnmpCredentials, VarBind
from harness.transport.snmp.usm import UserSecurity

subid = st.integers(0, 2**32 - 1)
oids = st.one_of(
    st.tuples(st.integers(0, 1), st.integers(0, 39), st.lists(subid, max_size=20)),
    st.tuples(st.just(2), st.integers(0, 2**32 - 81), st.lists(subid, max_size=20)),
).map(lambda parts: ".".join(map(str, (parts[0], parts[1], *parts[2]))))
values = st.one_of(
    st.tuples(st.just(Kind.INTEGER), st.integers(-(2**31), 2**31 - 1)),
    st.tuples(st.just(Kind.OCTET_STRING), st.binary(max_size=300)),
    st.tuples(st.just(Kind.NULL), st.none()),
    st.tuples(st.just(Kind.OID), oids),
    st.tuples(st.just(Kind.IP_ADDRESS), st.ip_addresses(v=4).map(str)),
    st.tuples(st.sampled_from([Kind.COUNTER32, Kind.GAUGE32, Kind.TIMETICKS]), st.integers(0, 2**32 - 1)),
    st.tuples(st.just(Kind.COUNTER64), st.integers(0, 2**64 - 1)),
    st.tuples(st.just(Kind.OPAQUE), st.floats(width=32, allow_nan=False)),
)


def split(element: bytes) -> tuple[int, bytes]:
    tag, start, stop = header(element, 0, len(element))
    assert stop == len(element)
    return tag, element[start:stop]


@given(oids)
def test_oids_round_trip(oid):
    assert decode_oid(split(encode_oid(oid))[1]) == oid


@given(st.lists(st.tuples(oids, values), max_size=30))
def test_bindings_round_trip_both_ways_of_reading(pairs):
    body = split(encode_varbinds([(encode_oid(oid), encode_value(*value)) for oid, value in pairs]))[1]
    wanted = [VarBind(oid, *value) for oid, value in pairs]
    assert decode_varbinds(body, 0, len(body)) == wanted
    assert match_varbinds(body, 0, len(body), [(encode_oid(oid), oid) for oid, _ in pairs]) == wanted


@pytest.mark.parametrize(
    ("tag", "content", "kind", "value"),
    [
        (0x42, "ffffffff", Kind.GAUGE32, 2**32 - 1),
        (0x42, "00ffffffff", Kind.GAUGE32, 2**32 - 1),
        (0x42, "0000002a", Kind.GAUGE32, 42),
        (0x46, "ffffffffffffffff", Kind.COUNTER64, 2**64 - 1),
        (0x02, "007fffffff", Kind.INTEGER, 2**31 - 1),
        (0x02, "ffff", Kind.INTEGER, -1),
        (0x44, "9f7804" + struct.pack(">f", 1.5).hex(), Kind.OPAQUE, 1.5),
        (0x44, "9f7908" + struct.pack(">d", -2.25).hex(), Kind.OPAQUE, -2.25),
        (0x44, "9f7804ff", Kind.OPAQUE, b"\x9f\x78\x04\xff"),
        (0x06, "00", Kind.OID, "0.0"),
        (0x06, "2b0601", Kind.OID, "1.3.6.1"),
        (0x06, "01c000", Kind.OID, "0.1.8192"),
    ],
)
def test_sloppy_and_rare_forms_are_read(tag, content, kind, value):
    assert decode_value(tag, bytes.fromhex(content)) == (kind, value)


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        (0x02, ""),
        (0x02, "0100000000"),
        (0x02, "0080000000"),
        (0x02, "00fffffc19"),
        (0x02, "00" * 9),
        (0x41, ""),
        (0x42, "0100000000"),
        (0x42, "ffffffffff"),
        (0x46, "010000000000000000"),
        (0x40, "7f0000"),
        (0x05, "00"),
        (0x81, "00"),
        (0x06, ""),
        (0x06, "2b86"),
        (0x06, "2b8006"),
        (0x06, "2bffffffffff7f"),
        (0x47, "01"),
        (0x30, ""),
    ],
)
def test_values_that_lie_are_refused(tag, content):
    with pytest.raises(BerError):
        decode_value(tag, bytes.fromhex(content))


def test_long_form_lengths_are_read():
    oid, value = bytes.fromhex("068103 2b0601"), bytes.fromhex("02820001 2a")
    body = bytes.fromhex("3083 00000b") + oid + value
    assert len(oid + value) == 11
    assert match_varbinds(body, 0, len(body), [(encode_oid("1.3.6.1"), "1.3.6.1")]) == [
        VarBind("1.3.6.1", Kind.INTEGER, 42)
    ]
    assert decode_varbinds(body, 0, len(body)) == [VarBind("1.3.6.1", Kind.INTEGER, 42)]


@pytest.mark.parametrize(
    ("element", "why"),
    [
        ("3080", "indefinite"),
        ("3085", "absurd"),
        ("3005aa", "cut short"),
        ("1f01", "not an SNMP tag"),
        ("30", "missing"),
    ],
)
def test_lengths_that_lie_are_refused(element, why):
    data = bytes.fromhex(element)
    with pytest.raises(BerError, match=why):
        header(data, 0, len(data))


@given(st.binary(max_size=80))
@example(bytes.fromhex("30060601000501"))
def test_foreign_bytes_raise_only_bererror(data):
    for read in (
        lambda: decode_varbinds(data, 0, len(data)),
        lambda: match_varbinds(data, 0, len(data), [(encode_oid("1.3.6.1"), "1.3.6.1")]),
        lambda: decode_oid(data),
        lambda: Community(SnmpCredentials("2c", community=Secret("c"))).unpack(data, 0x01020304, 0.0),
        lambda: UserSecurity(SnmpCredentials("3", user="u")).unpack(data, 0x01020304, 0.0),
    ):
        with suppress(BerError):
            read()


GOOD = encode_varbinds(
    [(encode_oid("1.3.6.1.4.7"), encode_value(Kind.GAUGE32, 77)), (encode_oid("1.3.6.1.4.8"), b"\x05\0")]
)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_one_changed_byte_never_changes_the_question(position, flip):
    """A flipped byte is refused, or it hit a value; the OIDs that come out are those asked."""
    data = bytearray(GOOD)
    data[position] ^= flip
    wanted = [(encode_oid(oid), oid) for oid in ("1.3.6.1.4.7", "1.3.6.1.4.8")]
    try:
        found = match_varbinds(bytes(data), 2, len(data), wanted)
    except BerError:
        return
    assert [bind.oid for bind in found] == ["1.3.6.1.4.7", "1.3.6.1.4.8"]


@pytest.mark.parametrize(
    "text", ["", "1", "1.40.1", "3.1", "1.3.x", "1..3", "1.3.4294967296", "1.3." + "1" * 5000, "1.3.²"]
)
def test_what_is_no_oid_is_refused(text):
    with pytest.raises(ConfigError):
        encode_oid(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.INTEGER, 2**31),
        (Kind.INTEGER, "1"),
        (Kind.INTEGER, True),
        (Kind.INTEGER, 1.0),
        (Kind.GAUGE32, -1),
        (Kind.GAUGE32, 2**32),
        (Kind.COUNTER64, 2**64),
        (Kind.IP_ADDRESS, "1.2.3"),
        (Kind.OCTET_STRING, 5),
        (Kind.OPAQUE, 1e300),
        (Kind.NO_SUCH_OBJECT, None),
        (Kind.OCTET_STRING, b"x" * 70_000),
    ],
)
def test_values_that_cannot_be_written_are_refused_before_sending(kind, value):
    with pytest.raises(ConfigError):
        encode_value(kind, value)


def test_tlv_uses_the_shortest_length():
    assert [tlv(4, bytes(n))[:4].hex() for n in (1, 127, 128, 256)] == ["040100", "047f0000", "04818000", "04820100"]


def test_keys_of_rfc_3414_appendix_a3():
    engine = bytes.fromhex("000000000000000000000002")
    for protocol, key in (
        ("MD5", "526f5eed9fcce26f8964c2930787d82b"),
        ("SHA1", "6695febc9288e36282235fc7151f128497b38f3f"),
    ):
        credentials = SnmpCredentials("3", user="u", auth_protocol=protocol, auth_key=Secret("maplesyrup"))
        assert keys_for(credentials, engine) == (bytes.fromhex(key), b"")


def test_secrets_are_not_shown():
    secret = Secret("s3cret-word")
    credentials = SnmpCredentials("3", user="u", auth_protocol="SHA1", auth_key=secret, community=Secret("s3cret-word"))
    for shown in (repr(secret), str(secret), f"{secret:>20}", f"{secret}", repr(credentials), str(asdict(credentials))):
        assert "s3cret" not in shown
    for dump in (json.dumps, pickle.dumps):
        with pytest.raises(TypeError) as caught:
            dump(secret)
        assert "s3cret" not in str(caught.value)
    assert copy.deepcopy(secret).reveal() == "s3cret-word"
    assert secret == Secret("s3cret-word") != Secret("other")
    assert secret != "s3cret-word"


@pytest.mark.parametrize(
    "fields",
    [
        {"version": "1"},
        {"version": "2c"},
        {"version": "3"},
        {"version": "3", "user": "u" * 33},
        {"version": "3", "user": "u", "auth_protocol": "SHA3", "auth_key": Secret("long-enough")},
        {"version": "3", "user": "u", "auth_protocol": "SHA1", "auth_key": Secret("short")},
        {"version": "3", "user": "u", "priv_protocol": "AES128", "priv_key": Secret("long-enough")},
        {
            "version": "3",
            "user": "u",
            "auth_protocol": "SHA1",
            "auth_key": Secret("long-enough"),
            "priv_protocol": "DES",
        },
    ],
)
def test_credentials_that_do_not_fit_together_are_refused(fields):
    with pytest.raises(ConfigError) as caught:
        SnmpCredentials(**fields)
    assert "short" not in str(caught.value).replace("shorter", "")
