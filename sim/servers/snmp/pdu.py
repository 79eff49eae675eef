"""Requests and answers of RFC 3416, read from and written to bytes.

```
PDU ::= [tag] { request-id, error-status | non-repeaters, error-index | max-repetitions, SEQUENCE OF VarBind }
VarBind ::= SEQUENCE { OID, value }
```
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sim.servers.snmp import ber, values
from sim.servers.snmp.ber import BerError
from sim.servers.snmp.values import Value

GET = 0xA0
GET_NEXT = 0xA1
RESPONSE = 0xA2
SET = 0xA3
GET_BULK = 0xA5
REPORT = 0xA8

REQUESTS = frozenset({GET, GET_NEXT, SET, GET_BULK})

V1, V2C, V3 = 0, 1, 3

_KNOWN: dict[bytes, tuple[bytes, ...]] = {}
"""OIDs of the VarBind lists that GETs brought: a poller sends the same ones again and again."""
_KEPT = 256


class Request:
    """One request PDU. `oids` are encoded TLVs; `values` is filled for SET only."""

    __slots__ = ("bindings", "first", "kind", "oids", "request_id", "second", "values")

    def __init__(self, kind: int, request_id: bytes, first: int, second: int) -> None:
        self.kind = kind
        self.request_id = request_id  # TLV, echoed as it came
        self.first = first  # error-status or non-repeaters
        self.second = second  # error-index or max-repetitions
        self.oids: list[bytes] = []
        self.values: list[Value] = []
        self.bindings = b""  # the VarBinds as they came, for answers that echo them


@dataclass(slots=True)
class Reply:
    """One answer: error-status, error-index and encoded VarBinds."""

    request_id: bytes
    bindings: list[bytes] = field(default_factory=list)
    status: int = 0
    index: int = 0
    kind: int = RESPONSE

    def encode(self) -> bytes:
        """The PDU's bytes."""
        if self.status == 0 and self.index == 0:
            errors = b"\x02\x01\x00\x02\x01\x00"
        else:
            errors = ber.tlv(2, ber.encode_int(self.status)) + ber.tlv(2, ber.encode_int(self.index))
        return ber.tlv(self.kind, self.request_id + errors + ber.tlv(0x30, b"".join(self.bindings)))


def parse(data: bytes, at: int, end: int) -> Request:
    """The request PDU that fills data[at:end]; BerError when it is not one."""
    kind, start, stop = ber.header(data, at, end)
    if stop != end:
        raise BerError("expected one PDU, got octets after it")
    if kind not in REQUESTS:
        raise BerError(f"expected a request PDU, got tag 0x{kind:02x}")
    first_at = ber.read_int(data, start, stop)[1]
    first, second_at = ber.read_int(data, first_at, stop)
    second, list_at = ber.read_int(data, second_at, stop)
    request = Request(kind, data[start:first_at], first, second)
    start, list_end = ber.expect(data, list_at, stop, 0x30)
    if list_end != stop:
        raise BerError("expected the VarBind list to end the PDU")
    request.bindings = data[start:list_end]
    known = _KNOWN.get(request.bindings) if kind == GET else None
    if known is not None:
        request.oids = list(known)
        return request
    _parse_bindings(request, data, start, list_end)
    if kind == GET:
        if len(_KNOWN) >= _KEPT:
            _KNOWN.clear()
        _KNOWN[request.bindings] = tuple(request.oids)
    return request


def _parse_bindings(request: Request, data: bytes, at: int, end: int) -> None:
    """Fill `oids` (and `values` of a SET) from the VarBinds in data[at:end]."""
    keep = request.oids.append
    is_set = request.kind == SET
    while at < end:
        # The usual shape, in which all lengths are short and the value is NULL, without a call per header.
        if at + 4 <= end and data[at] == 0x30 and data[at + 2] == 6 and data[at + 1] < 0x80 and data[at + 3] < 0x80:
            start, stop = at + 2, at + 2 + data[at + 1]
            value_at = start + 2 + data[at + 3]
            if stop > end or value_at > stop:
                raise BerError("expected a VarBind inside its list")
            wire = data[start:value_at]
        else:
            start, stop = ber.expect(data, at, end, 0x30)
            oid_start, value_at = ber.expect(data, start, stop, 6)
            wire = ber.tlv(6, data[oid_start:value_at])
        if is_set or data[value_at : value_at + 2] != b"\x05\x00" or value_at + 2 != stop:
            tag, value_start, value_end = ber.header(data, value_at, stop)
            if value_end != stop:
                raise BerError("expected one value in a VarBind, got octets after it")
            if is_set:
                request.values.append(values.decode(tag, data[value_start:value_end]))
        keep(wire)
        at = stop


def binding(wire: bytes, value: bytes) -> bytes:
    """An encoded VarBind of an encoded OID and an encoded value."""
    return ber.tlv(0x30, wire + value)


def split_binding(data: bytes) -> tuple[bytes, bytes]:
    """The encoded OID and the encoded value of an encoded VarBind."""
    start, stop = ber.expect(data, 0, len(data), 0x30)
    value_at = ber.expect(data, start, stop, 6)[1]
    return data[start:value_at], data[value_at:stop]
