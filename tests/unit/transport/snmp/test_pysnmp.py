"""Our codec against pysnmp's: two implementations that share no line must agree on every message."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder
from pysnmp.proto import api, rfc1902, rfc1905

from harness.secret import Secret
from harness.transport.snmp.ber import encode_oid, encode_value, encode_varbinds, match_varbinds
from harness.transport.snmp.message import Community, Pdu, PduType
from harness.transport.snmp.types import Kind, SnmpCredentials

V2 = api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]
OURS = Community(SnmpCredentials("2c", community=Secret("rack")))

oids = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=12).map(
    lambda parts: "1.3.6." + ".".join(map(str, parts))
)
u32 = st.integers(0, 2**32 - 1)
VALUES = st.one_of(
    st.integers(-(2**31), 2**31 - 1).map(lambda n: (Kind.INTEGER, n, rfc1902.Integer32(n))),
    st.binary(max_size=200).map(lambda b: (Kind.OCTET_STRING, b, rfc1902.OctetString(b))),
    oids.map(lambda o: (Kind.OID, o, rfc1902.ObjectName(o))),
    st.ip_addresses(v=4).map(str).map(lambda a: (Kind.IP_ADDRESS, a, rfc1902.IpAddress(a))),
    u32.map(lambda n: (Kind.COUNTER32, n, rfc1902.Counter32(n))),
    u32.map(lambda n: (Kind.GAUGE32, n, rfc1902.Gauge32(n))),
    u32.map(lambda n: (Kind.TIMETICKS, n, rfc1902.TimeTicks(n))),
    st.integers(0, 2**64 - 1).map(lambda n: (Kind.COUNTER64, n, rfc1902.Counter64(n))),
    st.just((Kind.NULL, None, V2.Null(""))),
    st.just((Kind.NO_SUCH_OBJECT, None, rfc1905.noSuchObject)),
    st.just((Kind.NO_SUCH_INSTANCE, None, rfc1905.noSuchInstance)),
)
IDS = st.integers(0x0100_0000, 0x7FFF_FFFF)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(oids, VALUES), min_size=1, max_size=12), IDS)
def test_answers_of_pysnmp_are_read_as_it_meant_them(pairs, request_id):
    pdu = V2.ResponsePDU()
    V2.apiPDU.set_defaults(pdu)
    V2.apiPDU.set_request_id(pdu, request_id)
    V2.apiPDU.set_varbinds(pdu, [(rfc1902.ObjectName(oid), value) for oid, (_, _, value) in pairs])
    message = V2.Message()
    V2.apiMessage.set_defaults(message)
    V2.apiMessage.set_community(message, "rack")
    V2.apiMessage.set_pdu(message, pdu)
    reply = OURS.unpack(encoder.encode(message), request_id, 0.0)
    found = match_varbinds(reply.data, reply.start, reply.stop, [(encode_oid(oid), oid) for oid, _ in pairs])
    assert found == [(oid, kind, value, "") for oid, (kind, value, _) in pairs]
    assert (reply.error_status, reply.error_index) == (0, 0)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(oids, VALUES.filter(lambda value: value[0] < 0x80)), min_size=1, max_size=12), IDS)
def test_our_requests_are_read_by_pysnmp_as_we_meant_them(pairs, request_id):
    bindings = encode_varbinds([(encode_oid(oid), encode_value(kind, value)) for oid, (kind, value, _) in pairs])
    ours = Pdu(PduType.SET, b"\x02\x01\x00\x02\x01\x00" + bindings, len(pairs), "set", lambda *_: None)
    message, rest = decoder.decode(OURS.pack(ours, request_id, 0.0), asn1Spec=V2.Message())
    assert rest == b""
    assert bytes(V2.apiMessage.get_community(message)) == b"rack"
    pdu = V2.apiMessage.get_pdu(message)
    assert pdu.isSameTypeWith(V2.SetRequestPDU())
    assert int(V2.apiPDU.get_request_id(pdu)) == request_id
    read = [(str(oid), value) for oid, value in V2.apiPDU.get_varbinds(pdu)]
    assert [oid for oid, _ in read] == [oid for oid, _ in pairs]
    for (_, value), (_, (_, _, expected)) in zip(read, pairs, strict=True):
        assert type(value) is type(expected) or value.tagSet == expected.tagSet
        assert value == expected
