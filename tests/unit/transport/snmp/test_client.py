"""The client against an agent that lies, is late, loses and doubles answers (in memory, in virtual time)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from harness.clock import run
from harness.errors import ConfigError, ProtocolViolationError, RefusedError, UnreachableError
from harness.secret import Secret
from harness.transport.snmp import Kind, SnmpClient, SnmpCredentials, VarBind
from harness.transport.snmp.ber import (
    decode_varbinds,
    encode_integer,
    encode_oid,
    encode_value,
    encode_varbinds,
    expect,
    header,
    read_integer,
    read_octets,
    tlv,
)
from harness.transport.snmp.exchange import BindingsError

WORD = "s3cret-community"
CREDENTIALS = SnmpCredentials("2c", community=Secret(WORD))
TABLE = {f"1.3.6.1.4.1.99.{row}.0": (Kind.GAUGE32, 1000 + 7 * row) for row in range(1, 61)}
OIDS = list(TABLE)
UPTIME = "1.3.6.1.2.1.1.3.0"


@dataclass
class Asked:
    """A request as the agent sees it."""

    tag: int
    request_id: int
    numbers: tuple[int, int]
    oids: list[str]
    values: list[tuple]


def read(data: bytes) -> Asked:
    start, stop = expect(data, 0, len(data), 0x30, "message")
    version, at = read_integer(data, start, stop, "version")
    community, at = read_octets(data, at, stop, "community")
    assert (version, community) == (1, WORD.encode())
    tag, at, stop = header(data, at, stop)
    request_id, at = read_integer(data, at, stop, "id")
    first, at = read_integer(data, at, stop, "status")
    second, at = read_integer(data, at, stop, "index")
    binds = decode_varbinds(data, *expect(data, at, stop, 0x30, "bindings"))
    return Asked(tag, request_id, (first, second), [b.oid for b in binds], [(b.kind, b.value) for b in binds])


def answer(asked, pairs, *, request_id=None, status=0, index=0, tag=0xA2, version=1, community=WORD, tail=b""):
    bindings = encode_varbinds(
        [(encode_oid(oid), value if isinstance(value, bytes) else encode_value(*value)) for oid, value in pairs]
    )
    body = encode_integer(asked.request_id if request_id is None else request_id)
    pdu = tlv(tag, body + encode_integer(status) + encode_integer(index) + bindings)
    return tlv(0x30, encode_integer(version) + tlv(4, community.encode()) + pdu) + tail


def honest(asked: Asked) -> list:
    """What an agent with TABLE answers."""
    if asked.tag == 0xA3:
        return [answer(asked, list(zip(asked.oids, asked.values, strict=True)))]
    if asked.tag == 0xA0:
        return [answer(asked, [(oid, TABLE.get(oid, b"\x81\0")) for oid in asked.oids])]
    count = asked.numbers[1] if asked.tag == 0xA5 else 1
    after = tuple(map(int, asked.oids[0].split(".")))
    rows = [(oid, value) for oid, value in TABLE.items() if tuple(map(int, oid.split("."))) > after][:count]
    return [answer(asked, rows or [(asked.oids[0], b"\x82\0")])]


class Memory(asyncio.DatagramTransport):
    """A network whose only host is `behave`: asked -> datagrams, each alone or as (delay, datagram[, source])."""

    def __init__(self, behave: Callable[[Asked], list]) -> None:
        super().__init__()
        self.behave = behave
        self.seen: list[Asked] = []
        self.is_mute = False

    async def open_datagram(self, host, port, protocol, *, any_source=False):
        self.peer = (host, port)
        self.protocol = protocol()
        return self, self.protocol

    def sendto(self, data, addr=None):
        loop = asyncio.get_running_loop()
        asked = read(data)
        self.seen.append(asked)
        if self.is_mute:
            return
        behave = honest if asked.oids == [UPTIME] else self.behave
        for item in behave(asked):
            delay, datagram, *source = item if isinstance(item, tuple) else (0.0, item)
            if isinstance(datagram, Exception):
                loop.call_later(delay, self.protocol.error_received, datagram)
            else:
                loop.call_later(delay, self.protocol.datagram_received, datagram, *(source or [self.peer]))

    def close(self):
        pass


def talk(behave, use, **options):
    """Run `use(client)` against an agent and give its result, the client's counters and the network."""

    async def main():
        network = Memory(behave)
        client = SnmpClient(network, "pdu", 161, CREDENTIALS, **options)
        await client.open()
        network.seen.clear()
        try:
            return await use(client), client, network
        finally:
            await client.close()

    return run(main, rate=float("inf"))


def refused(behave, use, error=ProtocolViolationError, **options):
    """The error and the counters of a use that must fail."""

    async def catch(client):
        with pytest.raises(error) as caught:
            await use(client)
        assert not isinstance(caught.value, RefusedError) or error is RefusedError
        assert WORD not in str(caught.value)
        assert WORD.encode().hex(" ") not in str(caught.value)
        return caught.value

    caught, client, network = talk(behave, catch, **options)
    return caught, client.counters, network


# --- reads ---


def test_get_gives_exactly_what_was_asked_in_that_order_over_several_requests():
    oids = [*reversed(OIDS), "1.3.6.1.4.1.98.1"]
    found, _, network = talk(honest, lambda c: c.get(oids), max_oids=25)
    assert [bind.oid for bind in found] == oids
    assert [(bind.kind, bind.value) for bind in found[:-1]] == [TABLE[oid] for oid in oids[:-1]]
    assert found[-1].kind is Kind.NO_SUCH_INSTANCE
    assert found[-1].is_missing
    assert [len(asked.oids) for asked in network.seen] == [25, 25, 11]


ONE, TWO = OIDS[0], OIDS[1]
GOOD = [(ONE, TABLE[ONE]), (TWO, TABLE[TWO])]
ENVELOPE_LIES = {
    "trailing": (lambda a: answer(a, GOOD, tail=b"\x00"), "behind the end"),
    "version": (lambda a: answer(a, GOOD, version=0), "version 2c"),
    "community": (lambda a: answer(a, GOOD, community="public"), "another community"),
    "request echoed": (lambda a: answer(a, GOOD, tag=0xA0), "a RESPONSE expected"),
    "report": (lambda a: answer(a, GOOD, tag=0xA8), "a RESPONSE expected"),
    "unknown status": (lambda a: answer(a, GOOD, status=19), "error-status 19"),
    "negative status": (lambda a: answer(a, GOOD, status=-1), "error-status -1"),
    "cut short": (lambda a: answer(a, GOOD)[:-3], "cut short"),
}
BINDING_LIES = {
    "wrong oid": (lambda a: answer(a, [GOOD[0], (OIDS[2], TABLE[TWO])]), "came in its place"),
    "order": (lambda a: answer(a, GOOD[::-1]), "came in its place"),
    "extra": (lambda a: answer(a, [*GOOD, GOOD[0]]), "more came"),
    "fewer": (lambda a: answer(a, [GOOD[0]]), "2 bindings asked, 1 came"),
    "none": (lambda a: answer(a, []), "2 bindings asked, 0 came"),
    "left over": (lambda a: answer(a, [GOOD[0], (TWO, b"\x02\x01\x01\x00")]), "left over"),
    "too long": (lambda a: answer(a, [GOOD[0], (TWO, b"\x02\x05\x01")]), "cut short"),
    "negative index": (lambda a: answer(a, GOOD, status=5, index=-1), "error-index -1"),
    "huge index": (lambda a: answer(a, GOOD, status=5, index=3), "error-index 3"),
}


@pytest.mark.parametrize("name", ENVELOPE_LIES)
def test_a_lie_with_the_right_id_is_refused_at_once(name):
    lie, why = ENVELOPE_LIES[name]
    error, counters, network = refused(lambda a: [lie(a)], lambda c: c.get([ONE, TWO]))
    assert why in str(error)
    assert counters.violations == 1
    assert counters.timeouts == 0
    assert len(network.seen) == 1


@pytest.mark.parametrize("name", BINDING_LIES)
def test_an_agent_whose_bindings_are_never_what_was_asked_is_refused_as_a_whole(name):
    lie, why = BINDING_LIES[name]
    error, counters, network = refused(
        lambda a: [lie(a) if len(a.oids) > 1 else answer(a, [])], lambda c: c.get([ONE, TWO]), BindingsError
    )
    assert why in str(error)
    assert (counters.violations, counters.timeouts, len(network.seen)) == (3, 0, 3)


BAD_VALUES = {
    "an INTEGER of no bytes": (b"\x02\x00", "INTEGER of 0 bytes"),
    "an unsigned number of no bytes": (b"\x42\x00", "unsigned number of 0 bytes"),
    "-999 as 40 bits": (b"\x02\x05\x00\xff\xff\xfc\x19", "more than 32 bits"),
    "a Gauge32 of 33 bits": (b"\x42\x05\x01\x00\x00\x00\x00", "larger than 4294967295"),
    "a type that is none": (b"\x4b\x01\x01", "0x4b is not an SNMP type"),
    "the end of the MIB": (b"\x82\x00", "end of the MIB"),
    "a NULL with content": (b"\x05\x01\x00", "1 bytes where there is no value"),
    "an address of three bytes": (b"\x40\x03\x01\x02\x03", "IpAddress of 3 bytes"),
}


@pytest.mark.parametrize("name", BAD_VALUES)
def test_one_value_that_cannot_be_decoded_costs_that_value(name):
    """Its frame is intact: what stands before and behind it is read, with one request and no violation."""
    value, why = BAD_VALUES[name]
    three = [ONE, TWO, OIDS[2]]
    binds = [(ONE, TABLE[ONE]), (TWO, value), (OIDS[2], TABLE[OIDS[2]])]
    found, client, network = talk(lambda a: [answer(a, binds)], lambda c: c.get(three))
    assert [bind.kind for bind in found] == [Kind.GAUGE32, Kind.UNDECODABLE, Kind.GAUGE32]
    assert why in found[1].problem
    assert found[1].value is None
    assert (client.counters.violations, len(network.seen)) == (0, 1)


def test_a_value_of_another_kind_than_prepared_is_none():
    def use(client):
        return client.poll(client.prepare([ONE, TWO], [Kind.GAUGE32, Kind.INTEGER]))

    found, _, _ = talk(honest, use)
    assert [bind.kind for bind in found] == [Kind.GAUGE32, Kind.UNDECODABLE]
    assert found[1].problem == "INTEGER expected, got GAUGE32"


SPOILING = {
    "genErr": lambda a: answer(a, [(oid, b"\x05\x00") for oid in a.oids], status=5, index=1),
    "left over": lambda a: answer(a, [(oid, b"\x02\x01\x01\x00") for oid in a.oids]),
    "authorizationError of one": lambda a: answer(a, [(oid, b"\x05\x00") for oid in a.oids], status=16, index=1),
    "an index of nothing": lambda a: answer(a, [(oid, b"\x05\x00") for oid in a.oids], status=5, index=99),
}


@pytest.mark.parametrize("how", SPOILING)
def test_an_object_that_spoils_what_it_is_in_is_found_once_and_left_out(how):
    """40 objects, the seventh is the bad one: 39 are read, from the second poll on with one request."""
    bad, sick = OIDS[6], [True]

    def behave(asked):
        return [SPOILING[how](asked)] if bad in asked.oids and sick[0] else honest(asked)

    async def use(client):
        prepared, seen = client.prepare(OIDS[:40]), []
        await client.poll(prepared)
        sick[0] = True
        for _ in range(4):
            found = await client.poll(prepared)
            assert [bind.oid for bind in found if bind.problem] == ([bad] if sick[0] else [])
            assert sum(bind.value is not None for bind in found) == 39 + (not sick[0])
            seen.append(len(client.network.seen))
            client.network.seen.clear()
        sick[0] = False
        await asyncio.sleep(60.0)
        back = await client.poll(prepared)
        return seen, [bind for bind in back if bind.problem], await client.poll(prepared)

    async def main():
        network = Memory(behave)
        client = SnmpClient(network, "pdu", 161, CREDENTIALS)
        await client.open()
        client.network = network
        network.seen.clear()
        sick[0] = False
        return await use(client), network

    (seen, problems, last), network = run(main, rate=float("inf"))
    assert seen[0] <= 1 + 2 * 6 + 1
    assert seen[1:] == [1, 1, 1]
    assert problems == []
    assert [bind.oid for bind in last if bind.problem] == []
    assert len(network.seen[-1].oids) == 40


def test_an_object_that_was_never_answered_is_tried_again_after_minutes_and_at_once_when_it_is_urgent():
    def behave(asked):
        return [SPOILING["genErr"](asked)] if TWO in asked.oids else honest(asked)

    async def use(client):
        prepared = client.prepare([ONE, TWO, OIDS[2]])
        asked = []
        for wait, is_urgent in ((0, False), (1, False), (250, False), (60, False), (1, False), (0, True)):
            await asyncio.sleep(wait)
            before = client.counters.requests
            found = await client.poll(prepared, is_urgent=is_urgent)
            assert found[1].kind is Kind.REFUSED
            asked.append(client.counters.requests - before)
        return asked

    asked, _, _ = talk(behave, use)
    assert asked[1:] == [1, 1, 2, 1, 2]


@pytest.mark.parametrize("bad", [range(6), range(31, 40), range(0, 40, 5), range(0, 40, 2), [0, 39]], ids=str)
def test_many_objects_that_spoil_cost_themselves_wherever_they_stand(bad):
    spoil = {OIDS[k] for k in bad}

    def behave(asked):
        return [SPOILING["genErr"](asked)] if spoil & {*asked.oids} else honest(asked)

    async def use(client):
        prepared = client.prepare(OIDS[:40])
        for _ in range(3):
            found = await client.poll(prepared)
        return {bind.oid for bind in found if bind.problem}

    problems, _, _ = talk(behave, use)
    assert problems == spoil


def test_an_agent_that_refuses_everything_for_a_while_is_back_at_once():
    sick = [False]

    def behave(asked):
        return [SPOILING["genErr"](asked)] if sick[0] else honest(asked)

    async def use(client):
        prepared = client.prepare(OIDS[:40])
        await client.poll(prepared)
        sick[0] = True
        before = client.counters.requests
        for _ in range(3):
            with pytest.raises(RefusedError):
                await client.poll(prepared)
        asked = client.counters.requests - before
        sick[0] = False
        return asked, [bind.problem for bind in await client.poll(prepared)]

    (asked, problems), _, _ = talk(behave, use)
    assert asked <= 42 + 2 * 14, "the first time it is looked for longer"
    assert not any(problems)


def test_objects_that_are_only_answered_in_parts_are_asked_in_parts():
    def behave(asked):
        return honest(asked) if len(asked.oids) <= 20 else [SPOILING["genErr"](asked)]

    async def use(client):
        prepared = client.prepare(OIDS[:40])
        counts = []
        for _ in range(5):
            before = client.counters.requests
            assert not any(bind.problem for bind in await client.poll(prepared))
            counts.append(client.counters.requests - before)
        return counts

    assert talk(behave, use)[0] == [3, 3, 3, 2, 2]


def test_noise_does_not_end_the_waiting_for_the_true_answer():
    def behave(asked):
        noise = [b"", b"\x30", b"garbage", answer(asked, GOOD, request_id=7)]
        return [*noise, (0.1, *honest(asked)), (0.2, answer(asked, []))]

    async def use(client):
        found = await client.get([ONE, TWO])
        await asyncio.sleep(1)
        return found

    found, client, _ = talk(behave, use)
    assert [bind.value for bind in found] == [1007, 1014]
    assert (client.counters.violations, client.counters.timeouts) == (4, 0)
    assert client.counters.stale_replies == 1


@pytest.mark.parametrize("noise", [b"", b"\x30\x80", b"\x02\x01\x00", b"x" * 70_000, b"\x30\x84\xff\xff\xff\xff"])
def test_nothing_but_noise_is_a_violation(noise):
    error, counters, _ = refused(lambda _: [noise], lambda c: c.get([ONE]))
    assert counters.violations == 2
    assert counters.timeouts == 2
    assert len(error.said) < 500


def test_silence_is_unreachable_within_the_deadline_and_each_try_has_a_new_id():
    async def use(client):
        loop = asyncio.get_running_loop()
        started = loop.time()
        with pytest.raises(UnreachableError, match=r"no answer from pdu:161 within 1\.5 s \(3 attempts\)"):
            await client.get([ONE])
        return loop.time() - started

    took, client, network = talk(lambda _: [], use, timeout=0.5, retries=2)
    assert took == pytest.approx(1.5, abs=0.01)
    assert len({asked.request_id for asked in network.seen}) == 3
    assert (client.counters.timeouts, client.counters.retries) == (3, 2)


def test_dripping_noise_does_not_stretch_the_deadline():
    async def use(client):
        started = asyncio.get_running_loop().time()
        with pytest.raises(ProtocolViolationError):
            await client.get([ONE])
        return asyncio.get_running_loop().time() - started

    took, _, _ = talk(lambda _: [(0.1 * n, b"x") for n in range(100)], use, timeout=1.0, retries=0)
    assert took == pytest.approx(1.0, abs=0.01)


def test_a_lost_answer_is_asked_for_again():
    drops = iter([True, False])
    found, client, _ = talk(lambda a: [] if next(drops) else honest(a), lambda c: c.get([ONE]))
    assert found[0].value == 1007
    assert client.counters.retries == 1


def test_a_late_answer_is_never_taken_for_the_next():
    """The answer to the first request comes 1.1 timeouts late, with another value under the same OID."""
    values = iter([1, 2, 3])

    def behave(asked):
        number = next(values)
        return [(1.1 if number == 1 else 0.3, answer(asked, [(ONE, (Kind.GAUGE32, number))]))]

    async def use(client):
        with pytest.raises(UnreachableError):
            await client.get([ONE])
        second = await client.get([ONE])
        return second[0].value, (await client.get([ONE]))[0].value

    found, client, _ = talk(behave, use, retries=0)
    assert found == (2, 3)
    assert client.counters.stale_replies == 1
    assert client.counters.violations == 0


def test_doubled_answers_are_thrown_away():
    def behave(asked):
        good = honest(asked)[0]
        return [good, good, (0.2, good)]

    async def use(client):
        first = await client.get([ONE])
        second = await client.get([TWO])
        await asyncio.sleep(1)
        return first[0].value, second[0].value

    found, client, _ = talk(behave, use)
    assert found == (1007, 1014)
    assert client.counters.stale_replies == 4
    assert client.counters.violations == 0


def test_cancelling_a_request_leaves_the_client_usable():
    async def use(client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.get([ONE])
        return (await client.get([TWO]))[0].value

    found, client, _ = talk(lambda a: [(0.2, honest(a)[0])], use)
    assert found == 1014
    assert client.counters.stale_replies == 1


def test_requests_of_many_tasks_go_out_one_after_the_other():
    waiting = []

    def behave(asked):
        assert not waiting
        waiting.append(asked)
        asyncio.get_running_loop().call_later(0.05, waiting.clear)
        return [(0.06, honest(asked)[0])]

    async def use(client):
        return await asyncio.gather(*(client.get([oid]) for oid in OIDS[:8]))

    found, _, _ = talk(behave, use)
    assert [binds[0].value for binds in found] == [TABLE[oid][1] for oid in OIDS[:8]]


def test_nobody_listening_is_told_at_once():
    async def use(client):
        started = asyncio.get_running_loop().time()
        with pytest.raises(UnreachableError, match="nobody listens on pdu:161"):
            await client.get([ONE])
        return asyncio.get_running_loop().time() - started

    took, _, _ = talk(lambda _: [(0.01, ConnectionRefusedError(111, "Connection refused"))], use)
    assert took < 0.1


def test_closing_ends_a_waiting_request_and_later_ones():
    async def use(client):
        asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(client.close()))
        with pytest.raises(UnreachableError, match="closed"):
            await client.get([ONE])
        with pytest.raises(UnreachableError, match="the connection is closed"):
            await client.get([ONE])
        return True

    assert talk(lambda _: [], use)[0]


def test_an_agent_that_did_not_answer_when_it_was_opened_is_asked_again_by_the_next_request():
    async def main():
        network = Memory(honest)
        network.is_mute = True
        client = SnmpClient(network, "pdu", 161, CREDENTIALS)
        with pytest.raises(UnreachableError, match="no answer"):
            await client.open()
        network.is_mute = False
        try:
            return (await client.get([ONE]))[0].value
        finally:
            await client.close()

    assert run(main, rate=float("inf")) == 1007


def test_an_endpoint_that_was_lost_is_made_again_by_the_next_request():
    async def main():
        network = Memory(honest)
        client = SnmpClient(network, "pdu", 161, CREDENTIALS)
        await client.open()
        network.protocol.connection_lost(OSError(100, "Network is down"))
        try:
            return (await client.get([ONE]))[0].value, client.counters.connects
        finally:
            await client.close()

    assert run(main, rate=float("inf")) == (1007, 2)


def test_another_source_is_taken_only_when_allowed_and_counted():
    found, client, _ = talk(lambda a: [(0, honest(a)[0], ("10.9.9.9", 4711))], lambda c: c.get([ONE]), any_source=True)
    assert found[0].value == 1007
    assert client.counters.foreign_sources == 1


def test_an_error_status_is_a_refusal_even_with_values():
    error, counters, _ = refused(
        lambda a: [answer(a, GOOD[: len(a.oids)], status=5, index=len(a.oids))],
        lambda c: c.get([ONE, TWO]),
        RefusedError,
    )
    assert error.vendor_code == "genErr"
    assert "object 2 of 2" in str(error)
    assert counters.refused == 3


def test_too_big_halves_the_request_and_is_remembered():
    def behave(asked):
        return honest(asked) if len(asked.oids) <= 12 else [answer(asked, [], status=1)]

    async def use(client):
        prepared = client.prepare(OIDS[:50])
        return await client.poll(prepared), await client.poll(prepared)

    (first, second), client, network = talk(behave, use)
    assert [bind.oid for bind in first] == [bind.oid for bind in second] == OIDS[:50]
    assert [len(asked.oids) for asked in network.seen] == [40, 20, *[10] * 10]
    assert client.counters.refused == 2


def test_one_object_that_is_too_big_is_refused():
    error, _, network = refused(lambda a: [answer(a, [], status=1)], lambda c: c.get([ONE, TWO, OIDS[2]]), RefusedError)
    assert error.vendor_code == "tooBig"
    assert [len(asked.oids) for asked in network.seen] == [3, 1]


# --- walks ---


def test_walk_gives_the_subtree_and_nothing_else():
    found, _, network = talk(honest, lambda c: c.walk("1.3.6.1.4.1.99"), max_repetitions=25)
    assert [(bind.oid, (bind.kind, bind.value)) for bind in found] == list(TABLE.items())
    assert [asked.tag for asked in network.seen] == [0xA5] * 4
    assert talk(honest, lambda c: c.walk("1.3.6.1.4.1.99.5"))[0] == [VarBind(OIDS[4], *TABLE[OIDS[4]])]
    assert talk(honest, lambda c: c.walk("1.3.6.1.4.1.9"))[0] == []


WALK_LIES = {
    "loop": (lambda a: answer(a, [(OIDS[3], TABLE[OIDS[3]])]), "do not increase"),
    "same": (lambda a: answer(a, [(a.oids[0], TABLE[ONE])]), "do not increase"),
    "not sorted": (lambda a: answer(a, [(OIDS[3], TABLE[OIDS[3]]), (ONE, TABLE[ONE])]), "do not increase"),
    "empty": (lambda a: answer(a, []), "0 came"),
    "too many": (lambda a: answer(a, list(TABLE.items())[:30]), "at most 20 objects asked"),
    "no such": (lambda a: answer(a, [(ONE, b"\x80\0")]), "no answer to a walk"),
}


@pytest.mark.parametrize("name", WALK_LIES)
def test_a_walk_that_would_not_end_well_is_refused(name):
    lie, why = WALK_LIES[name]
    error, _, network = refused(lambda a: [lie(a)], lambda c: c.walk("1.3.6.1.4.1.99"))
    assert why in str(error)
    assert len(network.seen) <= 2


def test_a_walk_that_is_too_long_is_refused_not_cut():
    error, _, _ = refused(honest, lambda c: c.walk("1.3.6.1.4.1.99", limit=59))
    assert "more than 59 objects" in str(error)
    assert len(talk(honest, lambda c: c.walk("1.3.6.1.4.1.99", limit=60))[0]) == 60


@pytest.mark.parametrize("failure", ["tooBig", "genErr", "silence"])
def test_fewer_repetitions_are_tried(failure):
    def behave(asked):
        if asked.numbers[1] <= 6:
            return honest(asked)
        return [] if failure == "silence" else [answer(asked, [], status={"tooBig": 1, "genErr": 5}[failure])]

    async def use(client):
        return await client.walk("1.3.6.1.4.1.99"), await client.walk("1.3.6.1.4.1.99")

    (first, second), _, network = talk(behave, use, timeout=0.2)
    assert first == second
    assert len(first) == 60
    tries = [asked.numbers[1] for asked in network.seen]
    assert tries[:3] == [20, 10, 5]
    assert tries.count(20) == (2 if failure == "silence" else 1), "silence may be loss, so only a refusal is remembered"


def test_an_agent_without_getbulk_is_walked_by_getnext():
    def behave(asked):
        return [answer(asked, [], status=5)] if asked.tag == 0xA5 else honest(asked)

    found, _, _ = talk(behave, lambda c: c.walk("1.3.6.1.4.1.99"))
    assert [bind.oid for bind in found] == OIDS


def test_a_dead_agent_ends_a_walk():
    error, counters, _ = refused(lambda _: [], lambda c: c.walk("1.3.6.1.4.1.99"), UnreachableError, timeout=0.1)
    assert "no answer" in str(error)
    assert counters.timeouts <= 8


# --- writes ---


def test_set_is_sent_once_and_its_echo_accepted():
    for kind, value in (
        (Kind.INTEGER, 2),
        (Kind.OCTET_STRING, b"rack\xff"),
        (Kind.GAUGE32, 2**32 - 1),
        (Kind.OID, ONE),
    ):
        _, _, network = talk(honest, lambda c, kind=kind, value=value: c.set(ONE, kind, value))
        assert [(a.tag, a.oids, a.values) for a in network.seen] == [(0xA3, [ONE], [(kind, value)])]


SET_LIES = {
    "value": lambda a: answer(a, [(ONE, (Kind.INTEGER, 3))]),
    "type": lambda a: answer(a, [(ONE, (Kind.GAUGE32, 2))]),
    "oid": lambda a: answer(a, [(TWO, (Kind.INTEGER, 2))]),
    "nothing": lambda a: answer(a, []),
    "twice": lambda a: answer(a, [(ONE, (Kind.INTEGER, 2))] * 2),
    "missing": lambda a: answer(a, [(ONE, b"\x81\0")]),
    "other request": lambda a: answer(a, [(ONE, (Kind.INTEGER, 2))], request_id=1),
}


@pytest.mark.parametrize("name", SET_LIES)
def test_a_set_with_another_echo_is_a_violation_and_not_sent_again(name):
    _, counters, network = refused(lambda a: [SET_LIES[name](a)], lambda c: c.set(ONE, Kind.INTEGER, 2), retries=3)
    assert len(network.seen) == 1
    assert counters.violations == 1


def test_an_unanswered_set_is_not_sent_again():
    error, counters, network = refused(lambda _: [], lambda c: c.set(ONE, Kind.INTEGER, 2), UnreachableError, retries=3)
    assert len(network.seen) == 1
    assert counters.retries == 0
    assert f"set {ONE}" in str(error)


SEVERAL = [(OIDS[0], Kind.INTEGER, 2), (OIDS[1], Kind.INTEGER, 4), (OIDS[2], Kind.GAUGE32, 6)]
PAIRS = [(oid, (kind, value)) for oid, kind, value in SEVERAL]
SET_MANY_LIES = {
    "order": [PAIRS[1], PAIRS[0], PAIRS[2]],
    "one value": [PAIRS[0], (OIDS[1], (Kind.INTEGER, 2)), PAIRS[2]],
    "one type": [*PAIRS[:2], (OIDS[2], (Kind.INTEGER, 6))],
    "too few": PAIRS[:2],
    "too many": [*PAIRS, PAIRS[0]],
    "another": [*PAIRS[:2], (OIDS[3], (Kind.GAUGE32, 6))],
    "nothing": [],
}


def test_several_sets_are_one_message():
    _, _, network = talk(honest, lambda c: c.set_many(SEVERAL))
    assert [(a.tag, a.oids, a.values) for a in network.seen] == [(0xA3, OIDS[:3], [pair[1] for pair in PAIRS])]
    with pytest.raises(ConfigError):
        talk(honest, lambda c: c.set_many([]))


@pytest.mark.parametrize("name", SET_MANY_LIES)
def test_every_echo_of_several_sets_is_checked(name):
    _, counters, network = refused(lambda a: [answer(a, SET_MANY_LIES[name])], lambda c: c.set_many(SEVERAL), retries=3)
    assert len(network.seen) == 1
    assert counters.violations == 1


def test_a_refused_set_says_why():
    error, _, network = refused(
        lambda a: [answer(a, [(ONE, (Kind.INTEGER, 2))], status=17, index=1)],
        lambda c: c.set(ONE, Kind.INTEGER, 2),
        RefusedError,
    )
    assert error.vendor_code == "notWritable"
    assert len(network.seen) == 1


def test_a_wrong_argument_contacts_nobody():
    for use in (
        lambda c: c.set("1.3.x", Kind.INTEGER, 2),
        lambda c: c.set(ONE, Kind.INTEGER, "2"),
        lambda c: c.get(["one"]),
        lambda c: c.walk("one"),
    ):
        _, _, network = refused(honest, use, ConfigError)
        assert network.seen == []


# --- opening ---


def test_open_says_that_nobody_answers_and_can_be_tried_again():
    async def main():
        network = Memory(honest)
        deaf, sendto = [True], network.sendto
        network.sendto = lambda data, addr=None: None if deaf[0] else sendto(data, addr)
        client = SnmpClient(network, "pdu", 161, CREDENTIALS, name="pdu-a", timeout=0.5)
        with pytest.raises(UnreachableError, match=r"pdu-a .*no answer .*check power, address, community") as caught:
            await client.open()
        assert WORD not in str(caught.value)
        deaf[0] = False
        await client.open()
        assert (await client.get([ONE]))[0].value == 1007
        await client.close()

    run(main, rate=float("inf"))


def test_open_maps_what_the_network_raises():
    class Broken:
        async def open_datagram(self, *_, **__):
            raise OSError(113, "No route to host")

    async def main():
        client = SnmpClient(Broken(), "pdu", 161, CREDENTIALS)
        with pytest.raises(UnreachableError, match="cannot reach pdu:161: No route to host"):
            await client.open()

    run(main, rate=float("inf"))
