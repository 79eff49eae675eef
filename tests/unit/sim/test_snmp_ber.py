"""BER and SNMP values of the simulated agent, against the standards' own examples and each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pyasn1.type import univ

from sim.servers.snmp import ber, values

OIDS = st.one_of(
    st.tuples(st.integers(0, 1), st.integers(0, 39)),
    st.tuples(st.just(2), st.integers(0, 0xFFFFFFFF - 80)),
).flatmap(lambda head: st.lists(st.integers(0, 0xFFFFFFFF), max_size=126).map(lambda tail: (*head, *tail)))


@given(OIDS)
def test_oids_agree_with_pyasn1_and_come_back(oid):
    wire = ber.encode_oid(oid)
    assert wire == encoder.encode(univ.ObjectIdentifier(oid))
    assert ber.decode_oid(wire) == oid


@given(st.integers(-(2**63), 2**64 - 1))
def test_integers_agree_with_pyasn1_and_come_back(number):
    content = ber.encode_int(number)
    assert int(decoder.decode(ber.tlv(2, content))[0]) == number
    # Shortest form, X.690 section 8.3.2 (pyasn1 itself writes -128 in two octets).
    assert len(content) == 1 or not -(1 << 8 * len(content) - 9) <= number < 1 << 8 * len(content) - 9
    assert ber.decode_int(content, most=9) == number


@given(st.binary(max_size=70_000))
def test_lengths_agree_with_pyasn1(content):
    wire = ber.tlv(4, content)
    assert wire == encoder.encode(univ.OctetString(content))
    assert ber.header(wire, 0, len(wire)) == (4, len(wire) - len(content), len(wire))


@given(st.binary(max_size=60))
def test_header_of_anything_stays_inside_or_is_an_error(data):
    try:
        _, start, stop = ber.header(data, 0, len(data))
    except ber.BerError:
        return
    assert 2 <= start <= stop <= len(data)


@given(st.binary(max_size=30))
def test_an_oid_that_decodes_is_the_only_encoding_of_itself(content):
    try:
        oid = ber.decode_oid_content(content)
    except ber.BerError:
        return
    assert ber.encode_oid(oid) == ber.tlv(6, content)
    assert tuple(decoder.decode(ber.tlv(6, content))[0]) == oid


@pytest.mark.parametrize(
    "content",
    [b"", b"\x2b\x86", b"\x2b\x80\x01", b"\x90\x80\x80\x80\x00", b"\x2b\x90\x80\x80\x80\x00", b"\x2b" + b"\x01" * 127],
    ids=["empty", "cut off", "leading zero group", "first too big", "33 bits", "129 sub-ids"],
)
def test_bad_oids_are_refused(content):
    with pytest.raises(ber.BerError):
        ber.decode_oid_content(content)


@pytest.mark.parametrize("oid", [(), (1,), (3, 1), (1, 40), (1, 3, -1), (1, 3, 2**32), (1, 3, *range(200))])
def test_oids_that_do_not_exist_are_not_encoded(oid):
    with pytest.raises(ber.BerError):
        ber.encode_oid(oid)


@pytest.mark.parametrize(
    ("tag", "value", "wire"),
    [
        (values.INTEGER, -129, "0202ff7f"),
        (values.INTEGER, -128, "020180"),
        (values.INTEGER, 128, "02020080"),
        (values.COUNTER32, 2**32 + 5, "410105"),
        (values.GAUGE32, 2**32 + 5, "420500ffffffff"),
        (values.GAUGE32, -7, "420100"),
        (values.TIMETICKS, 2**32 + 6, "430106"),
        (values.COUNTER64, 2**64 - 2, "460900fffffffffffffffe"),
        (values.COUNTER64, 2**64 + 8, "460108"),
        (values.IP_ADDRESS, b"\x0a\x00\x00\x07", "40040a000007"),
        (values.OPAQUE, b"\x9f", "44019f"),
        (values.OBJECT_ID, (1, 3, 6, 1), "06032b0601"),
        (values.NULL, None, "0500"),
    ],
)
def test_values_wrap_latch_and_encode(tag, value, wire):
    assert values.encode(tag, value).hex() == wire


@pytest.mark.parametrize(
    ("tag", "value", "error"),
    [
        (values.INTEGER, 2**31, ValueError),
        (values.INTEGER, 1.5, TypeError),
        (values.OCTETS, "text", TypeError),
        (values.IP_ADDRESS, b"\x01\x02\x03", ValueError),
        (values.OBJECT_ID, "1.3", TypeError),
        (values.NULL, 0, TypeError),
        (0x99, 1, ValueError),
    ],
)
def test_values_that_do_not_fit_are_refused(tag, value, error):
    with pytest.raises(error):
        values.encode(tag, value)


@given(st.sampled_from(sorted(values.TAGS)), st.binary(max_size=12))
def test_what_decodes_is_what_was_meant(tag, content):
    try:
        value = values.decode(tag, content)
    except ber.BerError:
        return
    again = values.encode(*value)
    start = ber.header(again, 0, len(again))[1]
    assert values.decode(tag, again[start:]) == value
