"""Every lie of the lying agent is reported as named, and told only as often and to whom it should be."""

import asyncio

import pytest

from harness.clock import run
from sim.servers.snmp import SnmpResponder, TableView, UsmUser, ber, pdu, values
from tests.tools.snmp_misbehaviour import DATAGRAM, PDU, STATE, Lie, LyingResponder

E = (1, 3, 6, 1, 4, 1, 32473)
ONE, TWO, NAME = (*E, 1, 0), (*E, 2, 0), (*E, 3, 0)
NULL = b"\x05\x00"
PEER = ("10.9.9.9", 40123)


class Wire(asyncio.DatagramTransport):
    """Keeps what is sent, with the time and the sending port."""

    def __init__(self, port=161, log=None):
        super().__init__({"sockname": ("10.0.0.1", port)})
        self.port = port
        self.log = [] if log is None else log

    def sendto(self, data, addr=None):
        assert addr == PEER
        self.log.append((asyncio.get_running_loop().time(), self.port, data))

    def close(self):
        pass


def ask(kind, *rows, second=0):
    rows = b"".join(pdu.binding(ber.encode_oid(oid), value) for oid, value in rows)
    body = b"\x02\x02\x12\x34\x02\x01\x00" + ber.tlv(2, ber.encode_int(second)) + ber.tlv(0x30, rows)
    return ber.tlv(0x30, b"\x02\x01\x01\x04\x01w" + ber.tlv(kind, body))


def read(answer):
    """(version, community, kind, request-id, status, index, rows)."""
    start, end = ber.expect(answer, 0, len(answer), 0x30)
    if end != len(answer):
        raise ber.BerError("trailing octets")
    version, at = ber.read_int(answer, start, end)
    name, at = ber.expect(answer, at, end, 4)
    community = answer[name:at]
    kind, at, stop = ber.header(answer, at, end)
    number, at = ber.read_int(answer, at, stop)
    status, at = ber.read_int(answer, at, stop)
    index, at = ber.read_int(answer, at, stop)
    at, stop = ber.expect(answer, at, stop, 0x30)
    rows = []
    while at < stop:
        after = ber.expect(answer, at, stop, 0x30)[1]
        wire, value = pdu.split_binding(answer[at:after])
        rows.append((ber.decode_oid(wire), value))
        at = after
    return version, community, kind, number, status, index, rows


GET = ask(pdu.GET, (ONE, NULL), (TWO, NULL))
BULK = ask(pdu.GET_BULK, (E, NULL), second=3)
SET = ask(pdu.SET, (ONE, b"\x02\x01\x21"))
TRUTH = [(ONE, b"\x02\x01\x0b"), (TWO, b"\x42\x01\x16")]


class Station:
    """A lying agent on a hand-made wire."""

    def __init__(self, **options):
        self.view = TableView([(ONE, 2, 11), (TWO, 0x42, 22), (NAME, 4, b"name")])
        self.view.on_set(ONE)
        user = UsmUser("u", "SHA1", "authentic-1")
        self.wire = Wire()
        self.liar = LyingResponder(SnmpResponder(self.view, write_community="w", users=[user]), **options)
        self.liar.connection_made(self.wire)
        self.liar.other_transport = Wire(9161, self.wire.log)

    @property
    def engine(self):
        return self.liar.responder.engine

    def send(self, data):
        before = len(self.wire.log)
        self.liar.datagram_received(data, PEER)
        return [sent for _, _, sent in self.wire.log[before:]]

    def truth(self, data):
        return self.liar.responder.handle(data)


def only(answers):
    (answer,) = answers
    return read(answer)


def state(change):
    """A lie about the engine: what `change` reads before and after, with the answer still true."""

    def check(station, told):
        before = change(station.engine)
        assert only(told(GET))[6] == TRUTH
        return before, change(station.engine)

    return check


def drop_request(station, told):
    assert told(SET) == []
    assert station.view.get(ONE).value == 11


def drop_reply(station, told):
    assert told(SET) == []
    assert station.view.get(ONE).value == 33


def reboot(station, told):
    assert state(lambda engine: engine.boots)(station, told) == (1, 2)


def forgetful_reboot(station, told):
    station.engine.jump(500)
    assert state(lambda engine: (engine.boots, engine.time()))(station, told) == ((1, 500), (1, 0))


def clock_jump(station, told):
    assert state(lambda engine: engine.time())(station, told) == (0, 100_000)


def new_engine_id(station, told):
    before, after = state(lambda engine: (engine.engine_id, engine.local[b"u"].auth_key))(station, told)
    assert before[0] != after[0]
    assert len(before[0]) == len(after[0])
    assert before[1] != after[1]


def gen_err_but_acts(station, told):
    assert only(told(SET))[4:] == (5, 1, [(ONE, b"\x02\x01\x21")])
    assert station.view.get(ONE).value == 33


def looping(station, told):
    assert only(told(BULK))[6] == [(E, b"\x02\x01\x07")] * 3
    assert only(told(ask(pdu.GET_NEXT, (ONE, NULL))))[6] == [(ONE, b"\x02\x01\x07")]
    assert station.liar.told == 2
    assert only(told(GET))[6] == TRUTH
    assert station.liar.told == 2


def empty_bulk(station, told):
    assert only(told(BULK))[4:] == (0, 0, [])
    assert only(told(GET))[6] == TRUTH
    assert station.liar.told == 1


def other_port(station, told):
    told(GET)
    assert [port for _, port, _ in station.wire.log] == [9161]
    assert read(station.wire.log[0][2])[6] == TRUTH


def answer_is(expected, data=GET):
    """The lie changes exactly these fields of the true answer."""

    def check(station, told):
        truth = dict(zip(("version", "community", "kind", "number", "status", "index", "rows"),
                         (1, b"w", pdu.RESPONSE, 0x1234, 0, 0, TRUTH), strict=True))  # fmt: skip
        assert only(told(data)) == tuple((truth | expected).values())
        assert station.liar.told == 1

    return check


def corrupt(station, told):
    honest = station.truth(GET)
    (answer,) = told(GET)
    flipped = int.from_bytes(answer, "big") ^ int.from_bytes(honest, "big")
    assert len(answer) == len(honest)
    assert flipped.bit_count() == 1


def oversize(station, told):
    (answer,) = told(GET)
    assert 60_000 < len(answer) < 65_507
    assert read(answer)[6][0][0] == ONE


def trailing(station, told):
    (answer,) = told(GET)
    end = ber.header(answer, 0, len(answer))[2]
    assert end < len(answer)
    assert read(answer[:end])[6] == TRUTH


def garbage(station, told):
    honest = station.truth(GET)
    (answer,) = told(GET)
    assert answer not in honest


def truncated(station, told):
    honest = station.truth(GET)
    (answer,) = told(GET)
    assert 0 < len(answer) < len(honest)
    assert honest.startswith(answer)


EXTRA = ((*E, 99), b"\x02\x01\x63")
CHECKS = {
    Lie.DROP_REQUEST: drop_request,
    Lie.REBOOT: reboot,
    Lie.REBOOT_SAME_BOOTS: forgetful_reboot,
    Lie.CLOCK_JUMP: clock_jump,
    Lie.NEW_ENGINE_ID: new_engine_id,
    Lie.WRONG_REQUEST_ID: answer_is({"number": 0x1235}),
    Lie.WRONG_OID: answer_is({"rows": [((*E, 1, 1), TRUTH[0][1]), ((*E, 2, 1), TRUTH[1][1])]}),
    Lie.WRONG_ORDER: answer_is({"rows": TRUTH[::-1]}),
    Lie.EXTRA_VARBINDS: answer_is({"rows": [*TRUTH, EXTRA]}),
    Lie.FEWER_VARBINDS: answer_is({"rows": TRUTH[:1]}),
    Lie.ZERO_VARBINDS: answer_is({"rows": []}),
    Lie.WRONG_TYPE: answer_is({"rows": [(ONE, b"\x04\x0242"), (TWO, b"\x04\x0242")]}),
    Lie.NO_SUCH_INSTANCE: answer_is({"rows": [(ONE, values.NO_SUCH_INSTANCE), (TWO, values.NO_SUCH_INSTANCE)]}),
    Lie.NULL_VALUES: answer_is({"rows": [(ONE, NULL), (TWO, NULL)]}),
    Lie.GEN_ERR_BUT_ACTS: gen_err_but_acts,
    Lie.TOO_BIG: answer_is({"status": 1, "rows": []}),
    Lie.ERROR_INDEX_OUTSIDE: answer_is({"status": 10, "index": 99, "rows": [(ONE, NULL), (TWO, NULL)]}),
    Lie.LOOPING_OIDS: looping,
    Lie.EMPTY_BULK: empty_bulk,
    Lie.UNPADDED_NUMBERS: answer_is({"rows": [TRUTH[0], (TWO, b"\x42\x04\xff\xff\xff\xff")]}),
    Lie.EMPTY_INTEGER: answer_is({"rows": [(ONE, b"\x02\x00"), (TWO, b"\x42\x00")]}),
    Lie.WRONG_PDU: answer_is({"kind": pdu.GET}),
    Lie.OVERSIZE: oversize,
    Lie.DROP_REPLY: drop_reply,
    Lie.DELAY: None,
    Lie.DUPLICATE: None,
    Lie.WRONG_VERSION: answer_is({"version": 0}),
    Lie.WRONG_COMMUNITY: answer_is({"community": b"w-other"}),
    Lie.OTHER_PORT: other_port,
    Lie.GARBAGE: garbage,
    Lie.TRUNCATED: truncated,
    Lie.TRAILING: trailing,
    Lie.CORRUPT: corrupt,
}


def test_every_lie_has_a_check_a_name_and_a_place():
    assert set(CHECKS) == set(Lie)
    assert len({lie.label for lie in Lie}) == len(Lie)
    assert {lie.place for lie in Lie} == {STATE, PDU, DATAGRAM}


@pytest.mark.parametrize("lie", [lie for lie in Lie if CHECKS[lie]], ids=lambda lie: lie.name)
def test_a_lie_is_told_as_named(lie):
    async def main():
        station = Station()
        station.liar.tell(lie)
        CHECKS[lie](station, station.send)
        assert station.liar.told >= 1
        station.liar.be_honest()
        told = station.liar.told
        station.view.put(ONE, 2, 11)
        assert only(station.send(GET)) == (1, b"w", pdu.RESPONSE, 0x1234, 0, 0, TRUTH)
        assert station.liar.told == told
        station.liar.close()

    run(main, rate=float("inf"))


def test_a_delayed_answer_comes_late_and_a_duplicate_twice():
    async def main():
        station = Station(delay_s=1.25)
        start = asyncio.get_running_loop().time()
        station.liar.tell(Lie.DELAY, times=1)
        assert station.send(GET) == []
        assert len(station.send(BULK)) == 1
        await asyncio.sleep(2)
        assert [round(at - start, 3) for at, _, _ in station.wire.log] == [0.0, 1.25]
        assert read(station.wire.log[1][2])[6] == TRUTH
        station.liar.tell(Lie.DUPLICATE)
        first, second = station.send(GET)
        assert first == second
        station.liar.tell(Lie.DELAY)
        station.send(GET)
        station.liar.connection_lost(None)
        await asyncio.sleep(2)
        assert len(station.wire.log) == 4  # nothing is sent after the end

    run(main, rate=float("inf"))


def test_a_lie_keeps_to_its_number_and_its_kinds():
    async def main():
        station = Station()
        station.liar.tell(Lie.ZERO_VARBINDS, times=2, only={pdu.GET})
        seen = [len(only(station.send(data))[6]) for data in (GET, SET, BULK, GET, GET)]
        station.liar.tell(Lie.DROP_REPLY, only={pdu.SET})
        seen += [len(station.send(data)) for data in (GET, SET, BULK)]
        return seen, station.liar.told

    assert run(main, rate=float("inf")) == ([0, 1, 3, 0, 2, 1, 0, 1], 3)


def test_an_authentic_lie_in_version_3_is_signed():
    from tests.unit.sim.test_snmp_responder import ENGINE_ID, SHA, message, open_answer, request

    async def main():
        view = TableView([(ONE, 2, 11)])
        liar = LyingResponder(SnmpResponder(view, users=[SHA], engine_id=ENGINE_ID, boots=5))
        wire = Wire()
        liar.connection_made(wire)
        liar.tell(Lie.WRONG_OID)
        liar.datagram_received(message(SHA, request(pdu.GET, ONE)), PEER)
        return open_answer(SHA, wire.log[0][2])[3][4]  # checks the digest

    assert run(main, rate=float("inf")) == [((*E, 1, 1), b"\x02\x01\x0b")]


def test_another_port_must_be_open_before_it_is_used():
    async def main():
        liar = LyingResponder(SnmpResponder(TableView()))
        with pytest.raises(RuntimeError, match="open_other_port"):
            liar.tell(Lie.OTHER_PORT)

    run(main, rate=float("inf"))


def test_another_port_over_real_sockets():
    class Asker(asyncio.DatagramProtocol):
        def __init__(self):
            self.heard = asyncio.get_running_loop().create_future()

        def datagram_received(self, data, addr):
            self.heard.set_result((data, addr[1]))

    async def main():
        loop = asyncio.get_running_loop()
        liar = LyingResponder(SnmpResponder(TableView([(ONE, 2, 11), (TWO, 0x42, 22)]), community="w"))
        server, _ = await loop.create_datagram_endpoint(lambda: liar, local_addr=("127.0.0.1", 0))
        await liar.open_other_port()
        liar.tell(Lie.OTHER_PORT)
        client, asker = await loop.create_datagram_endpoint(Asker, local_addr=("127.0.0.1", 0))
        port = server.get_extra_info("sockname")[1]
        try:
            client.sendto(GET, ("127.0.0.1", port))
            async with asyncio.timeout(5):
                answer, source = await asker.heard
        finally:
            client.close()
            server.close()
            await asyncio.sleep(0.01)
        assert liar.other_transport is None
        return read(answer)[6], source == port

    assert run(main) == (TRUTH, False)
