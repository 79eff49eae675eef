"""Every lie the simulated agent can tell, told to our client: it gets the truth, or an error, never the lie."""

from __future__ import annotations

import asyncio

import pytest

from harness.clock import run
from harness.errors import DeviceError, ProtocolViolationError, RefusedError, UnreachableError
from harness.secret import Secret
from harness.transport.snmp import Kind, SnmpClient, SnmpCredentials, VarBind
from sim.network import MemoryNetwork
from sim.servers.snmp import SnmpResponder, TableView, UsmUser
from tests.tools.snmp_misbehaviour import Lie, LyingResponder

BASE = (1, 3, 6, 1, 4, 1, 32473, 5)
TEXT = ".".join(map(str, BASE))
ROWS = {
    f"{TEXT}.1": (Kind.INTEGER, -70_001),
    f"{TEXT}.2": (Kind.OCTET_STRING, b"bay 4"),
    f"{TEXT}.3": (Kind.GAUGE32, 3_000_000_003),
    f"{TEXT}.4": (Kind.COUNTER64, 18_446_744_073_709_551_606),
    f"{TEXT}.5": (Kind.COUNTER32, 4_294_967_295),
    f"{TEXT}.6": (Kind.TIMETICKS, 12_345),
}
OIDS, KINDS = list(ROWS), [kind for kind, _ in ROWS.values()]
TRUTH = [VarBind(oid, kind, value) for oid, (kind, value) in ROWS.items()]
V2C = SnmpCredentials("2c", community=Secret("rack-word"))
V3 = SnmpCredentials(
    "3",
    user="station",
    auth_protocol="SHA256",
    auth_key=Secret("authentic-9"),
    priv_protocol="AES256",
    priv_key=Secret("private-9"),
)
VERSIONS = pytest.mark.parametrize("credentials", [V2C, V3], ids=["2c", "3"])

HARMLESS = {
    Lie.REBOOT,
    Lie.REBOOT_SAME_BOOTS,
    Lie.CLOCK_JUMP,
    Lie.NEW_ENGINE_ID,
    Lie.DUPLICATE,
    Lie.LOOPING_OIDS,
    Lie.EMPTY_BULK,
}
"""After these (or for a GET) the truth must still be got."""
SAYS_NOTHING = {Lie.NO_SUCH_INSTANCE: Kind.NO_SUCH_INSTANCE, Lie.NULL_VALUES: Kind.NULL}
"""After these the client says honestly that there is no value."""
SILENCE = {Lie.DROP_REQUEST, Lie.DROP_REPLY, Lie.DELAY, Lie.OTHER_PORT}
REFUSAL = {Lie.GEN_ERR_BUT_ACTS, Lie.TOO_BIG}
COSTS_VALUES = {Lie.WRONG_TYPE, Lie.EMPTY_INTEGER, Lie.WRONG_ORDER, Lie.OVERSIZE}
"""These spoil single values, or can only be told of several at once: what is not spoilt is the truth."""


def talk(credentials, use, **options):
    """Run `use(client, liar)` over an in-memory network in virtual time."""

    async def main():
        view = TableView([((*BASE, int(oid[-1])), int(kind), value) for oid, (kind, value) in ROWS.items()])
        view.on_set((*BASE, 1))
        users = [UsmUser("station", "SHA256", "authentic-9", "AES256", "private-9")]
        responder = SnmpResponder(view, community="look", write_community="rack-word", users=users)
        liar = LyingResponder(responder, delay_s=1.1)
        network = MemoryNetwork(latency=0.001)
        network.listen_datagram(161, lambda: liar)
        liar.other_transport = network.listen_datagram(9161, asyncio.DatagramProtocol)
        client = SnmpClient(network, "pdu", 161, credentials, timeout=1.0, **options)
        await client.open()
        try:
            return await use(client, liar)
        finally:
            await client.close()
            liar.close()

    return run(main, rate=float("inf"))


@VERSIONS
@pytest.mark.parametrize("lie", Lie, ids=lambda lie: lie.name)
def test_no_lie_becomes_a_reading(lie, credentials):
    async def use(client, liar):
        prepared = client.prepare(OIDS, KINDS)
        liar.tell(lie, times=1 if lie in HARMLESS and lie.place == "state" else None)
        try:
            outcome = await client.poll(prepared)
        except DeviceError as error:
            outcome = error
        told = liar.told
        liar.be_honest()
        await asyncio.sleep(3)
        return outcome, told, await client.poll(prepared), client.counters

    outcome, told, after, counters = talk(credentials, use, retries=0 if lie in SILENCE else 1)
    assert after == TRUTH, "the client must be usable after every lie"
    if lie not in (Lie.LOOPING_OIDS, Lie.EMPTY_BULK):
        assert told >= 1
    if lie in HARMLESS:
        assert outcome == TRUTH
    elif lie is Lie.UNPADDED_NUMBERS:  # it sends ff..ff, which is the largest number and not -1
        assert [bind.value for bind in outcome[2:]] == [2**32 - 1, 2**64 - 1, 2**32 - 1, 2**32 - 1]
    elif lie in SAYS_NOTHING:
        assert [(bind.kind, bind.value) for bind in outcome] == [(SAYS_NOTHING[lie], None)] * len(OIDS)
    elif lie in COSTS_VALUES:
        lied = [bind for bind, true in zip(outcome, TRUTH, strict=True) if not bind.problem and bind != true]
        assert not lied or (lie is Lie.OVERSIZE and [bind.oid for bind in lied] == [OIDS[1]])  # a text may be that long
        assert all(bind.value is None for bind in outcome if bind.problem)
        assert (lie is Lie.WRONG_ORDER) == (outcome == TRUTH)
    elif lie in SILENCE:
        assert isinstance(outcome, UnreachableError)
        assert counters.timeouts == 1
    elif lie in REFUSAL:
        assert isinstance(outcome, RefusedError)
    elif lie is Lie.CORRUPT and credentials is V2C:
        assert isinstance(outcome, DeviceError) or [bind.oid for bind in outcome] == OIDS  # 2c has no check of values
    else:
        assert isinstance(outcome, ProtocolViolationError), outcome
        assert counters.violations >= 1
    assert "rack-word" not in str(outcome)
    assert b"rack-word".hex(" ") not in str(outcome)


@VERSIONS
@pytest.mark.parametrize("lie", Lie, ids=lambda lie: lie.name)
def test_a_write_is_acted_on_at_most_once_whatever_the_agent_says(lie, credentials):
    taken = []

    async def use(client, liar):
        view = liar.responder.view
        view.on_set((*BASE, 1), lambda value: taken.append(value.value))
        liar.tell(lie, times=1)
        try:
            await client.set(OIDS[0], Kind.INTEGER, 2)
        except DeviceError as error:
            return error
        return None

    outcome = talk(credentials, use, retries=3)
    assert taken in ([], [2])
    if outcome is None:
        assert taken == [2]
    if lie is Lie.NEW_ENGINE_ID and credentials is V3:
        assert isinstance(outcome, UnreachableError)
        assert taken == []


@VERSIONS
@pytest.mark.parametrize("lie", [Lie.LOOPING_OIDS, Lie.EMPTY_BULK], ids=lambda lie: lie.name)
def test_a_walk_that_would_never_end_is_refused(lie, credentials):
    async def use(client, liar):
        liar.tell(lie)
        with pytest.raises(ProtocolViolationError):
            await client.walk(TEXT, limit=100)
        liar.be_honest()
        return await client.walk(TEXT)

    assert talk(credentials, use) == TRUTH
