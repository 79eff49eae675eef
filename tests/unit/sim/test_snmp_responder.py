"""The simulated agent's answers, message by message: RFC 3416 semantics, RFC 3414 security, hostile input."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clock import run
from sim.network import MemoryNetwork
from sim.servers.snmp import SnmpResponder, TableView, UsmUser, Value, ber, pdu, values
from sim.servers.snmp.usm import Auth, LocalUser, localised_key
from sim.servers.snmp.v3 import REPORTS, Header

E = (1, 3, 6, 1, 4, 1, 32473)
ID = b"\x02\x03\x01\x86\xa1"


def request(kind, *oids, first=0, second=0, value=b"\x05\x00", request_id=ID):
    rows = b"".join(
        pdu.binding(ber.encode_oid(oid), value[at] if isinstance(value, list) else value) for at, oid in enumerate(oids)
    )
    numbers = ber.tlv(2, ber.encode_int(first)) + ber.tlv(2, ber.encode_int(second))
    return ber.tlv(kind, request_id + numbers + ber.tlv(0x30, rows))


def community(body, name=b"public", version=1):
    return ber.tlv(0x30, b"\x02\x01" + bytes((version,)) + ber.tlv(4, name) + body)


def read(answer):
    """(version, kind, request-id, status, index, [(OID, value TLV)]) of a v1 or v2c message."""
    start, end = ber.expect(answer, 0, len(answer), 0x30)
    assert end == len(answer)
    version, at = ber.read_int(answer, start, end)
    return version, *read_pdu(answer, ber.expect(answer, at, end, 4)[1], end)


def read_pdu(data, at, end):
    kind, start, stop = ber.header(data, at, end)
    number, at = ber.read_int(data, start, stop)
    status, at = ber.read_int(data, at, stop)
    index, at = ber.read_int(data, at, stop)
    at, list_end = ber.expect(data, at, stop, 0x30)
    assert list_end == stop == end
    rows = []
    while at < list_end:
        after = ber.expect(data, at, list_end, 0x30)[1]
        wire, value = pdu.split_binding(data[at:after])
        rows.append((ber.decode_oid(wire), value))
        at = after
    return kind, number, status, index, rows


def make(view=None, **options):
    if view is None:
        view = TableView([((*E, 1, row), 4, b"row-%d " % row * 9) for row in range(1, 41)] + [((*E, 2, 0), 0x46, 8)])
    return SnmpResponder(view, **options)


def ask(responder, body, **options):
    answer = responder.handle(community(body, **options))
    return None if answer is None else read(answer)


def test_request_id_and_order_come_back():
    version, kind, number, status, index, rows = ask(make(), request(pdu.GET, (*E, 1, 7), (*E, 2, 0), (*E, 1, 3)))
    assert (version, kind, number, status, index) == (1, pdu.RESPONSE, 100001, 0, 0)
    assert [oid for oid, _ in rows] == [(*E, 1, 7), (*E, 2, 0), (*E, 1, 3)]
    assert rows[1][1] == b"\x46\x01\x08"


def test_missing_objects_are_told_apart():
    rows = ask(make(), request(pdu.GET, (*E, 1, 99), (*E, 7, 1), (*E, 2), (*E, 2, 0)))[5]
    assert [value for _, value in rows] == [b"\x81\x00", b"\x80\x00", b"\x81\x00", b"\x46\x01\x08"]


def test_version_1_names_the_first_missing_object_and_hides_counter64():
    assert ask(make(), request(pdu.GET, (*E, 1, 1), (*E, 1, 99)), version=0)[3:5] == (2, 2)
    assert ask(make(), request(pdu.GET, (*E, 2, 0)), version=0)[3:5] == (2, 1)
    assert ask(make(), request(pdu.GET_NEXT, (*E, 1, 40)), version=0)[3:5] == (2, 1)
    assert ask(make(), request(pdu.GET_NEXT, (*E, 1, 40)))[5] == [((*E, 2, 0), b"\x46\x01\x08")]


def test_get_beyond_the_limit_is_too_big_and_fits_at_the_limit():
    body = request(pdu.GET, *((*E, 1, row) for row in range(1, 31)))
    whole = make().handle(community(body))
    exact, short = make(max_message=len(whole)), make(max_message=len(whole) - 1)
    assert exact.handle(community(body)) == whole
    assert ask(short, body)[3:] == (1, 0, [])
    assert short.counters["too_big"] == 1
    status, index, rows = ask(make(max_message=1500), body, version=0)[3:]
    assert (status, index, len(rows)) == (1, 0, 30)


@given(st.integers(484, 3000), st.integers(0, 3), st.integers(-1, 60), st.integers(1, 50))
@settings(deadline=None)
def test_getbulk_gives_a_prefix_of_the_full_answer_that_fits(limit, singles, repetitions, most):
    oids = [(*E, 1), (*E, 1, 5), (*E, 1, 38), (*E, 2, 0)]
    body = request(pdu.GET_BULK, *oids, first=singles, second=repetitions)
    answer = make(max_message=limit, max_varbinds=most).handle(community(body))
    assert len(answer) <= limit
    rows = read(answer)[5]
    full = ask(make(max_varbinds=10_000), body)[5]
    assert rows == full[: len(rows)]
    assert len(rows) <= most
    if len(full) > len(rows) and len(rows) < most:
        assert len(answer) + 80 > limit
    if repetitions < 1:
        assert len(full) == singles


def test_getbulk_ends_with_one_row_of_end_of_view():
    rows = ask(make(), request(pdu.GET_BULK, (*E, 1, 39), (*E, 2), second=50))[5]
    assert [oid for oid, _ in rows] == [
        (*E, 1, 40), (*E, 2, 0), (*E, 2, 0), (*E, 2, 0), (*E, 2, 0), (*E, 2, 0),
    ]  # fmt: skip
    assert [value[0] for _, value in rows] == [4, 0x46, 0x46, 0x82, 0x82, 0x82]


def test_a_single_object_that_cannot_fit_is_too_big_not_empty():
    responder = make(TableView([((*E, 1, 0), 4, b"z" * 600)]), max_message=500)
    assert ask(responder, request(pdu.GET_BULK, (*E, 1), second=5))[3:] == (1, 0, [])


def writable():
    view = TableView([((*E, 1, 0), 2, 1), ((*E, 2, 0), 2, 2), ((*E, 3, 0), 2, 3)])
    view.on_set((*E, 1, 0))
    view.on_set((*E, 2, 0), None, lambda value: 10 if value.value > 9 else 0)
    view.on_set((*E, 3, 0), lambda value: 5)
    return view


def setting(*numbers):
    oids = [(*E, at, 0) for at in range(1, len(numbers) + 1)]
    return request(pdu.SET, *oids, value=[values.encode(2, number) for number in numbers])


@pytest.mark.parametrize(
    ("body", "status", "after"),
    [
        (setting(7, 8), (0, 0), [7, 8, 3]),
        (setting(7, 80), (10, 2), [1, 2, 3]),  # checked before anything is applied
        (setting(7, 8, 9), (14, 3), [1, 2, 3]),  # the third fails when applied: the first two are undone
        (request(pdu.SET, (*E, 3, 0), value=b"\x02\x01\x09"), (5, 1), [1, 2, 3]),
        (request(pdu.SET, (*E, 1, 0), value=b"\x42\x01\x09"), (7, 1), [1, 2, 3]),
        (request(pdu.SET, (*E, 9, 0), value=b"\x02\x01\x09"), (11, 1), [1, 2, 3]),
    ],
    ids=["both", "none of two", "undone", "device refuses", "wrong type", "no such"],
)
def test_set_is_all_or_nothing(body, status, after):
    view = writable()
    responder = make(view, write_community="w")
    answer = ask(responder, body, name=b"w")
    assert answer[3:5] == status
    assert [oid for oid, _ in answer[5]] == [(*E, at, 0) for at in range(1, 4)][: len(answer[5])] or len(answer[5]) == 1
    assert [view.get((*E, at, 0)).value for at in (1, 2, 3)] == after
    assert ask(responder, body)[3:5] == (6, 1)  # the reading community may not


def test_undo_that_fails_is_said():
    view = writable()
    view.on_set((*E, 1, 0), lambda value: 0 if value.value == 7 else 5)
    assert ask(make(view, write_community="w"), setting(7, 8, 9), name=b"w")[3:5] == (15, 0)


def test_a_value_that_cannot_be_made_is_gen_err(caplog):
    view = TableView([((*E, 1, 0), 2, 1), ((*E, 2, 0), 2, lambda: 1 // 0), ((*E, 3, 0), 2, lambda: 2**40)])
    assert ask(make(view), request(pdu.GET, (*E, 1, 0), (*E, 2, 0)))[3:5] == (5, 2)
    assert ask(make(view), request(pdu.GET_NEXT, (*E, 2, 0)))[3:5] == (5, 1)
    assert ask(make(view), request(pdu.GET_BULK, (*E, 1), second=9))[3:5] == (5, 1)
    assert "ZeroDivisionError" in caplog.text
    assert ask(make(TableView([((*E, 1, 0), 6, lambda: (9, 9))])), request(pdu.GET, (*E, 1, 0)))[3:5] == (5, 1)


class Elsewhere:
    """A view that is not a table: two objects, one of them broken."""

    def get(self, oid):
        return {(*E, 1, 0): Value(0x43, 55), (*E, 2, 0): Value(2, "no number")}.get(oid)

    def next(self, oid):
        return next(((at, self.get(at)) for at in ((*E, 1, 0), (*E, 2, 0)) if at > oid), None)

    def check(self, oid, value):
        return 0 if oid == (*E, 1, 0) else 6

    def set(self, oid, value):
        return 13


def test_any_view_can_be_served():
    responder = make(Elsewhere(), write_community="w")
    assert ask(responder, request(pdu.GET, (*E, 1, 0), (*E, 1, 1)))[5] == [
        ((*E, 1, 0), b"\x43\x01\x37"), ((*E, 1, 1), b"\x81\x00"),
    ]  # fmt: skip
    assert ask(responder, request(pdu.GET, (*E, 1, 0), (*E, 2, 0)))[3:5] == (5, 2)
    assert ask(responder, request(pdu.GET_BULK, E, second=1))[5] == [((*E, 1, 0), b"\x43\x01\x37")]
    assert ask(responder, request(pdu.SET, (*E, 1, 0)), name=b"w")[3:5] == (13, 1)
    assert ask(responder, request(pdu.SET, (*E, 2, 0)), name=b"w")[3:5] == (6, 1)
    bad = community(request(pdu.GET, (*E, 1, 0))).replace(
        ber.encode_oid((*E, 1, 0))[2:], b"\x2b\x80\x01\x04\x01\x81\xfd\x59\x01\x80"
    )
    assert responder.handle(bad) is None
    assert responder.counters["malformed"] == 1


def test_an_agent_answers_over_the_memory_network_in_virtual_time():
    class Asker(asyncio.DatagramProtocol):
        heard = None

        def datagram_received(self, data, addr):
            self.heard = data

    async def main():
        network = MemoryNetwork()
        responder = make(users=USERS)
        server = network.listen_datagram(161, lambda: responder, host="10.0.0.7")
        transport, asker = await network.open_datagram("10.0.0.7", 161, Asker)
        transport.sendto(message(SHA, GET, engine_id=responder.engine.engine_id, boots=1))
        await asyncio.sleep(1)
        transport.close()
        server.close()
        await asyncio.sleep(0)
        return open_answer(SHA, asker.heard)[3][4]

    assert run(main, rate=float("inf")) == [((*E, 2, 0), b"\x46\x01\x08")]


@pytest.mark.parametrize(
    ("message", "counter"),
    [
        (community(request(pdu.GET, (*E, 2, 0)), name=b"Public"), "wrong_community"),
        (community(request(pdu.GET, (*E, 2, 0)), version=2), "bad_version"),
        (community(request(pdu.GET_BULK, (*E, 2, 0)), version=0), "malformed"),
        (community(request(pdu.RESPONSE, (*E, 2, 0))), "malformed"),
        (community(request(pdu.GET, (*E, 2, 0))) + b"\0", "malformed"),
        (community(request(pdu.GET, (*E, 2, 0)))[:-1], "malformed"),
        (b"", "malformed"),
    ],
)
def test_what_is_no_request_gets_no_answer(message, counter):
    responder = make()
    assert responder.handle(message) is None
    assert responder.counters == {"in": 1, counter: 1}


# --- version 3 ------------------------------------------------------------------------------------------------------

SHA = UsmUser("sha", "SHA1", "authentic-1", "AES128", "private-1")
BIG = UsmUser("big", "SHA512", "authentic-2", "AES256", "private-2")
DES = UsmUser("des", "MD5", "authentic-3", "DES", "private-3")
OPEN = UsmUser("open")
USERS = (SHA, BIG, DES, OPEN)
ENGINE_ID = bytes.fromhex("80007ed90500000000000000f1")


def test_keys_of_rfc_3414_appendix_a3():
    engine = bytes(11) + b"\x02"
    assert localised_key(Auth.MD5, "maplesyrup", engine).hex() == "526f5eed9fcce26f8964c2930787d82b"
    assert localised_key(Auth.SHA1, "maplesyrup", engine).hex() == "6695febc9288e36282235fc7151f128497b38f3f"


def test_users_that_make_no_sense_are_refused():
    for bad in (
        {"priv": "AES128", "priv_key": "private-1"}, {"auth": "SHA1", "auth_key": "short"}, {"auth": "SHA3"},
        {"auth": "SHA1", "auth_key": "authentic", "priv": "AES128"},
    ):  # fmt: skip
        with pytest.raises(ValueError):
            UsmUser("u", **bad)
    with pytest.raises(ValueError):
        UsmUser("")
    assert "authentic" not in repr(SHA)
    assert "private" not in repr(SHA)


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def message(
    user, body, *, engine_id=ENGINE_ID, boots=5, time=0, flags=None, size=65507, context=None, name=b"", padding=0
):
    """A v3 request, put together here rather than by the agent's own code."""
    flags = user.level | 4 if flags is None else flags
    local = LocalUser(user, engine_id) if engine_id else LocalUser(OPEN, ENGINE_ID)
    scoped = ber.tlv(0x30, ber.tlv(4, engine_id if context is None else context) + ber.tlv(4, name) + body)
    parameters = b""
    scoped += bytes(padding)
    if flags & 2:
        secret, parameters = local.encrypt(scoped, boots, time, 77)
        scoped = ber.tlv(4, secret)
    mac = bytes(local.mac_octets) if flags & 1 else b""
    numbers = ber.tlv(2, ber.encode_int(boots)) + ber.tlv(2, ber.encode_int(time))
    security = (
        ber.tlv(4, engine_id) + numbers + ber.tlv(4, user.name.encode()) + ber.tlv(4, mac) + ber.tlv(4, parameters)
    )
    about = b"\x02\x01\x09" + ber.tlv(2, ber.encode_int(size)) + ber.tlv(4, bytes((flags,))) + b"\x02\x01\x03"
    whole = ber.tlv(0x30, b"\x02\x01\x03" + ber.tlv(0x30, about) + ber.tlv(4, ber.tlv(0x30, security)) + scoped)
    if mac:
        at = whole.index(ber.tlv(4, user.name.encode()) + ber.tlv(4, mac)) + len(user.name) + 4
        whole = whole[:at] + local.mac(whole) + whole[at + len(mac) :]
    return whole


def open_answer(user, answer):
    """(flags, boots, time, PDU fields) of a v3 answer; checks its digest and decrypts it."""
    start, end = ber.expect(answer, 0, len(answer), 0x30)
    at = ber.read_int(answer, start, end)[1]
    header = Header(answer, at, end)
    at = header.read(answer, ber.expect(answer, at, end, 0x30)[1], end)
    assert header.message_id == b"\x02\x01\x09"
    local = LocalUser(user, header.engine_id)
    scoped = answer[at:end]
    if header.flags & 1:
        blank = answer[: header.mac_at] + bytes(header.mac_end - header.mac_at) + answer[header.mac_end :]
        assert local.mac(blank) == answer[header.mac_at : header.mac_end]
    if header.flags & 2:
        inner = ber.expect(scoped, 0, len(scoped), 4)[0]
        scoped = local.decrypt(scoped[inner:], header.boots, header.time, header.priv_parameters)
    start, stop = ber.expect(scoped, 0, len(scoped), 0x30)
    at = ber.expect(scoped, ber.expect(scoped, start, stop, 4)[1], stop, 4)[1]
    return header.flags, header.boots, header.time, read_pdu(scoped, at, stop)


def agent(**options):
    clock = Clock()
    options.setdefault("users", USERS)
    responder = make(engine_id=ENGINE_ID, boots=5, clock=clock, **options)
    assert responder.engine.time() == 0
    return responder, clock


@pytest.mark.parametrize("user", USERS, ids=lambda user: user.name)
def test_v3_answers_at_the_level_it_was_asked(user):
    responder, clock = agent()
    clock.now += 33.7
    answer = responder.handle(message(user, request(pdu.GET, (*E, 2, 0)), time=30))
    flags, boots, time, (kind, number, status, _, rows) = open_answer(user, answer)
    assert (flags, boots, time) == (user.level, 5, 33)
    assert (kind, number, status, rows) == (pdu.RESPONSE, 100001, 0, [((*E, 2, 0), b"\x46\x01\x08")])


GET = request(pdu.GET, (*E, 2, 0))


@pytest.mark.parametrize("padding", [1, 9, 15])
@pytest.mark.parametrize("user", [SHA, BIG], ids=lambda user: user.name)
def test_v3_takes_padding_of_less_than_a_block_behind_an_encrypted_pdu(user, padding):
    """There are managers that pad AES, which needs none; real agents answer them."""
    responder, _ = agent()
    answer = responder.handle(message(user, GET, padding=padding))
    assert open_answer(user, answer)[3][4] == [((*E, 2, 0), b"\x46\x01\x08")]


@pytest.mark.parametrize(("user", "padding"), [(SHA, 16), (OPEN, 1)], ids=["a block", "in the clear"])
def test_v3_takes_no_more_than_that(user, padding):
    responder, _ = agent()
    assert responder.handle(message(user, GET, padding=padding)) is None
    assert responder.counters["malformed"] == 1


REPORT_CASES = {
    "unknown_engine_id": message(OPEN, request(pdu.GET), engine_id=b""),
    "unknown_user_name": message(UsmUser("nobody"), GET),
    "unsupported_security_level": message(UsmUser("open", "SHA1", "authentic-9"), GET),
    "wrong_digest": message(UsmUser("sha", "SHA1", "authentic-x", "AES128", "private-1"), GET),
    "not_in_time_window": message(SHA, GET, boots=4),
    "unknown_context": message(SHA, GET, name=b"bridge1"),
    "unknown_pdu_handler": message(SHA, GET, context=b"another"),
}


@pytest.mark.parametrize("name", REPORT_CASES)
def test_v3_reports(name):
    responder, _ = agent()
    user = SHA if name == "not_in_time_window" else OPEN
    flags, _, _, (kind, number, _, _, rows) = open_answer(user, responder.handle(REPORT_CASES[name]))
    assert kind == pdu.REPORT
    assert flags == (1 if name == "not_in_time_window" else 0)
    assert rows == [(REPORTS[name], b"\x41\x01\x01")]
    assert responder.counters[name] == 1
    assert number == (0 if name in ("wrong_digest", "not_in_time_window") else 100001)  # 0: it was encrypted


def test_v3_reports_only_when_asked_to():
    responder, _ = agent()
    assert responder.handle(message(UsmUser("nobody"), GET, flags=0)) is None
    assert responder.counters["not_reportable"] == responder.counters["unknown_user_name"] == 1


@pytest.mark.parametrize(("ago", "is_taken"), [(150, True), (151, False), (-150, True), (-151, False)])
def test_v3_time_window_is_150_seconds(ago, is_taken):
    responder, clock = agent()
    clock.now += 500
    assert open_answer(SHA, responder.handle(message(SHA, GET, time=500 - ago)))[3][0] == (
        pdu.RESPONSE if is_taken else pdu.REPORT
    )


def test_v3_below_the_users_level_is_an_authorization_error():
    responder, _ = agent()
    assert open_answer(SHA, responder.handle(message(SHA, GET, flags=5)))[3][2] == 16


def test_v3_privacy_without_authentication_gets_no_answer():
    responder, _ = agent()
    asked = bytearray(message(SHA, GET))
    flags_at = asked.index(b"\x04\x01\x07\x02\x01\x03") + 2
    asked[flags_at] = 6
    assert responder.handle(bytes(asked)) is None
    assert responder.counters["invalid_message"] == 1


def test_v3_wrong_privacy_key_gets_no_answer():
    responder, _ = agent()
    assert responder.handle(message(UsmUser("sha", "SHA1", "authentic-1", "AES128", "private-x"), GET)) is None
    assert responder.counters["malformed"] == 1


def test_v3_ciphertext_of_broken_blocks_is_a_decryption_error():
    responder, _ = agent()
    local = LocalUser(DES, ENGINE_ID)
    scoped = ber.tlv(4, b"seven..")
    asked = message(DES, GET)
    start, end = ber.expect(asked, 0, len(asked), 0x30)
    at = ber.read_int(asked, start, end)[1]
    header = Header(asked, at, end)
    at = header.read(asked, ber.expect(asked, at, end, 0x30)[1], end)
    body = asked[start : header.mac_at] + bytes(12) + asked[header.mac_end : at] + scoped
    whole = ber.tlv(0x30, body)
    mac_at = header.mac_at - start + len(whole) - len(body)
    whole = whole[:mac_at] + local.mac(whole) + whole[mac_at + 12 :]
    assert open_answer(DES, responder.handle(whole))[3][4] == [(REPORTS["decryption_error"], b"\x41\x01\x01")]


@pytest.mark.parametrize("user", [SHA, BIG, DES, OPEN], ids=lambda user: user.name)
def test_v3_answers_keep_to_the_askers_message_size(user):
    responder, _ = agent()
    bulk = request(pdu.GET_BULK, (*E, 1), second=40)
    answer = responder.handle(message(user, bulk, size=900))
    assert 780 < len(answer) <= 900
    big = request(pdu.GET, *((*E, 1, row) for row in range(1, 40)))
    assert open_answer(user, responder.handle(message(user, big, size=900)))[3][2] == 1


def test_v3_follows_the_virtual_clock_and_reboots():
    async def main():
        responder = make(users=USERS, engine_id=ENGINE_ID, boots=5)
        responder.connection_made(asyncio.DatagramTransport({"sockname": ("10.0.0.1", 161)}))
        await asyncio.sleep(86_400)
        before = (responder.engine.boots, responder.engine.time())
        responder.reboot()
        await asyncio.sleep(40)
        return before, (responder.engine.boots, responder.engine.time())

    before, after = run(main, rate=float("inf"))
    assert before == (5, 86_400)
    assert after == (6, 40)


def test_v3_engine_id_follows_the_address_and_answers_reproduce():
    async def main():
        made = []
        for host in ("10.0.0.1", "10.0.0.2", "10.0.0.1"):
            responder = make(users=USERS)
            responder.connection_made(asyncio.DatagramTransport({"sockname": (host, 161)}))
            made.append(responder)
        one, two, three = (responder.engine.engine_id for responder in made)
        asked = message(SHA, GET, engine_id=one, boots=1)
        return one, two, three, made[0].handle(asked), made[2].handle(asked)

    one, two, three, first, second = run(main, rate=float("inf"))
    assert one == three != two
    assert first == second is not None


# --- hostile input --------------------------------------------------------------------------------------------------

SEEDS = [
    community(request(pdu.GET, (*E, 1, 7), (*E, 2, 0))),
    community(request(pdu.GET_BULK, (*E, 1), (*E, 2), first=1, second=9)),
    community(setting(7, 8), name=b"w"),
    message(OPEN, GET),
    message(SHA, GET),
    message(DES, GET),
]


@given(st.one_of(st.binary(max_size=200), st.sampled_from(SEEDS)), st.data())
@settings(max_examples=400, deadline=None)
def test_no_datagram_raises_or_goes_uncounted(datagram, data):
    datagram = bytearray(datagram)
    for _ in range(data.draw(st.integers(0, 4))):
        if datagram:
            at = data.draw(st.integers(0, len(datagram) - 1))
            if data.draw(st.booleans()):
                datagram[at] = data.draw(st.integers(0, 255))
            else:
                del datagram[at : at + data.draw(st.integers(1, 5))]
    responder, _ = agent(view=writable(), write_community="w")
    answer = responder.handle(bytes(datagram))
    counters = responder.counters
    assert counters["in"] == 1
    assert (answer is not None) == (counters["out"] == 1)
    if answer is None:
        assert sum(counters.values()) >= 2
    else:
        assert ber.expect(answer, 0, len(answer), 0x30)[1] == len(answer)


@given(st.binary(min_size=1, max_size=80))
@settings(deadline=None)
def test_no_authenticated_nonsense_raises(plain):
    responder, _ = agent()
    responder.handle(message(SHA, plain))
    assert responder.counters["out"] + responder.counters["malformed"] == 1
