"""Version 3 against an engine that lies, restarts and is replaced (in memory, in virtual time)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from harness.clock import run
from harness.errors import ProtocolViolationError, UnreachableError
from harness.secret import Secret
from harness.transport.snmp import Kind, SnmpClient, SnmpCredentials
from harness.transport.snmp.aes import AesCfb
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
from harness.transport.snmp.keys import keys_for, sign

USER = SnmpCredentials(
    "3",
    user="station",
    auth_protocol="SHA256",
    auth_key=Secret("auth-s3cret"),
    priv_protocol="AES128",
    priv_key=Secret("priv-s3cret"),
    context="rack",
)
OID = "1.3.6.1.4.1.99.7.0"
USM = "1.3.6.1.6.3.15.1.1."


@dataclass
class Engine:
    """An SNMP engine, and the network it is on. The `lie_` fields replace parts of its answers."""

    credentials: SnmpCredentials = USER
    engine_id: bytes = b"\x80\x00\x1f\x88\x04one"
    boots: int = 7
    born: float = -1000.0
    never_in_time: bool = False
    report: str = ""
    lies: dict = field(default_factory=dict)
    sets: list = field(default_factory=list)
    log: list = field(default_factory=list)

    async def open_datagram(self, host, port, protocol, *, any_source=False):
        self.protocol = protocol()
        return self, self.protocol

    def close(self):
        pass

    def clock(self) -> int:
        return int(asyncio.get_running_loop().time() - self.born)

    def sendto(self, data, addr=None):
        for datagram in self.answer(data):
            asyncio.get_running_loop().call_later(0.01, self.protocol.datagram_received, datagram, ("pdu", 161))

    def answer(self, data):
        start, stop = expect(data, 0, len(data), 0x30, "message")
        _, at = read_integer(data, start, stop, "version")
        head, at = self.within(data, at, stop)
        message_id, pos = read_integer(data, *head, "msgID")
        _, pos = read_integer(data, pos, head[1], "size")
        flags, pos = read_octets(data, pos, head[1], "flags")
        outer, at = self.within(data, at, stop)
        pos, end = expect(data, *outer, 0x30, "security")
        engine_id, pos = read_octets(data, pos, end, "engine")
        boots, pos = read_integer(data, pos, end, "boots")
        time, pos = read_integer(data, pos, end, "time")
        user, pos = read_octets(data, pos, end, "user")
        code, pos = read_octets(data, pos, end, "code")
        code_at = pos - len(code)
        salt, pos = read_octets(data, pos, end, "salt")
        if engine_id != self.engine_id:
            return [self.message(message_id, 0, self.report_pdu(message_id, "4"))]
        if self.report:
            return [self.message(message_id, 0, self.report_pdu(message_id, self.report))]
        auth, priv = keys_for(self.credentials, self.engine_id)
        zeroed = data[:code_at] + bytes(len(code)) + data[code_at + len(code) :]
        if user != b"station" or sign("SHA256", auth, zeroed) != code:
            return [self.message(message_id, 0, self.report_pdu(message_id, "5"))]
        if boots != self.boots or abs(time - self.clock()) > 150 or self.never_in_time:
            self.log.append("late")
            return [self.message(message_id, 1, self.report_pdu(message_id, "2"))]
        assert flags[0] & 3 == 3
        secret, _ = read_octets(data, at, stop, "encrypted")
        scoped = AesCfb(priv).decrypt(secret, boots, time, salt)
        pos, end = expect(scoped, 0, len(scoped), 0x30, "scoped")
        assert read_octets(scoped, pos, end, "context engine")[0] == self.engine_id
        _, pos = read_octets(scoped, pos, end, "context engine")
        context, pos = read_octets(scoped, pos, end, "context")
        assert context == b"rack"
        tag, pos, end = header(scoped, pos, end)
        request_id, pos = read_integer(scoped, pos, end, "id")
        binds = decode_varbinds(scoped, *expect(scoped, pos + 6, end, 0x30, "bindings"))
        self.log.append(tag)
        if tag == 0xA3:
            self.sets += binds
        content = encode_varbinds([(encode_oid(b.oid), encode_value(Kind.INTEGER, 5)) for b in binds])
        request_id = self.lies.get("request_id", request_id)
        pdu = tlv(0xA2, encode_integer(request_id) + encode_integer(0) * 2 + content)
        return [self.message(message_id, self.lies.get("flags", 3), pdu)]

    @staticmethod
    def within(data, at, stop):
        _, start, end = header(data, at, stop)
        return (start, end), end

    @staticmethod
    def report_pdu(request_id, number):
        binding = encode_varbinds([(encode_oid(f"{USM}{number}.0"), encode_value(Kind.COUNTER32, 1))])
        return tlv(0xA8, encode_integer(request_id) + encode_integer(0) * 2 + binding)

    def message(self, message_id, flags, pdu):
        lies = self.lies
        engine = lies.get("engine_id", self.engine_id)
        boots = lies.get("boots", self.boots)
        time = lies.get("time", self.clock())
        context = tlv(4, lies.get("context_engine", self.engine_id)) + tlv(4, lies.get("context", b"rack"))
        scoped = tlv(0x30, context + pdu)
        auth, priv = keys_for(self.credentials, self.engine_id)
        salt = b""
        if flags & 2:
            salt = b"saltsalt"
            scoped = tlv(4, AesCfb(priv).encrypt(scoped, boots, time, salt))
        size = lies.get("code_size", 24) if flags & 1 else 0
        user = lies.get("user", b"station" if flags else b"")
        security = tlv(4, engine) + encode_integer(boots) + encode_integer(time)
        security = tlv(0x30, security + tlv(4, user) + tlv(4, b"\xee" * size) + tlv(4, salt))
        head = encode_integer(message_id) + encode_integer(65507) + tlv(4, bytes((flags,))) + encode_integer(3)
        message = tlv(0x30, encode_integer(3) + tlv(0x30, head) + tlv(4, security) + scoped)
        if not flags & 1:
            return message
        zeroed = message.replace(b"\xee" * size, bytes(size))
        return message.replace(b"\xee" * size, lies.get("code", sign("SHA256", auth, zeroed)[:size]))


def talk(engine, use, credentials=USER):
    async def main():
        client = SnmpClient(engine, "pdu", 161, credentials, timeout=0.5)
        await client.open()
        try:
            return await use(client), client.counters
        finally:
            await client.close()

    return run(main, rate=float("inf"))


def test_an_honest_engine_is_read_and_written():
    engine = Engine()

    async def use(client):
        await client.set(OID, Kind.INTEGER, 5)
        return await client.get([OID])

    found, counters = talk(engine, use)
    assert found == [(OID, Kind.INTEGER, 5, "")]
    assert [(bind.oid, bind.value) for bind in engine.sets] == [(OID, 5)]
    assert (counters.resyncs, counters.requests, counters.violations) == (1, 4, 0)


LIES = {
    "context engine": ({"context_engine": b"\x80other"}, "another context"),
    "context name": ({"context": b""}, "another context"),
    "engine": ({"engine_id": b"\x80\x00other"}, "another engine"),
    "user": ({"user": b"root"}, "another user"),
    "not encrypted": ({"flags": 1}, "security level 1"),
    "in the clear": ({"flags": 0}, "security level 0"),
    "code": ({"code": bytes(24)}, "authentication code"),
    "short code": ({"code_size": 12}, "authentication code"),
    "boots back": ({"boots": 6}, "boot 6"),
    "old": ({"time": 800}, "s old"),
    "request id": ({"request_id": 4}, ""),
    "impossible clock": ({"boots": 2**31 + 5}, "impossible engine clock"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lying_engine_is_refused(name):
    lies, why = LIES[name]
    engine = Engine()

    async def use(client):
        engine.lies = lies
        with pytest.raises(ProtocolViolationError) as caught:
            await client.get([OID])
        assert why in str(caught.value)
        assert "s3cret" not in str(caught.value)
        return True

    _, counters = talk(engine, use)
    assert counters.violations >= 1


@pytest.mark.parametrize(
    "change",
    [
        {"boots": 8, "born": 0.0},
        {"boots": 7, "born": 5.0},
        {"boots": 1, "born": 0.0},
        {"boots": 7, "born": -90_000.0},
    ],
    ids=["restarted", "restarted without counting", "lost its memory", "clock jumped"],
)
def test_an_engine_that_restarted_is_followed_within_the_request(change):
    engine = Engine()

    async def use(client):
        await asyncio.sleep(1000)
        for name, value in change.items():
            setattr(engine, name, value)
        await client.set(OID, Kind.INTEGER, 5)
        return (await client.get([OID]))[0].value

    found, counters = talk(engine, use)
    assert found == 5
    assert engine.log.count("late") == 1
    assert [bind.value for bind in engine.sets] == [5]
    assert (counters.resyncs, counters.violations, counters.retries) == (2, 0, 0)


def test_resynchronising_ends():
    engine = Engine()

    async def use(client):
        engine.never_in_time = True
        with pytest.raises(UnreachableError, match="clock is not where it should be"):
            await client.get([OID])
        return engine.log.count("late")

    assert talk(engine, use)[0] == 2


def test_a_replaced_engine_is_read_but_not_written_before_it_is_read():
    engine = Engine()

    async def use(client):
        engine.engine_id, engine.boots = b"\x80\x00\x1f\x88\x04two", 2
        for _ in range(2):
            with pytest.raises(UnreachableError, match="nothing was written"):
                await client.set(OID, Kind.INTEGER, 5)
        assert engine.sets == []
        first = await client.get([OID])
        await client.set(OID, Kind.INTEGER, 5)
        return first[0].value

    found, counters = talk(engine, use)
    assert found == 5
    assert len(engine.sets) == 1
    assert counters.violations == 0


@pytest.mark.parametrize(
    ("report", "said"),
    [
        ("1", "security level"),
        ("3", "does not know this user"),
        ("5", "authentication password"),
        ("6", "encryption password"),
        ("9", USM + "9.0"),
    ],
)
def test_reports_are_told_in_words(report, said):
    async def main():
        client = SnmpClient(Engine(report=report), "pdu", 161, USER, name="pdu-a", timeout=0.5)
        with pytest.raises(UnreachableError, match="pdu-a") as caught:
            await client.open()
        assert said in str(caught.value)
        assert "s3cret" not in str(caught.value)

    run(main, rate=float("inf"))


def test_an_unauthenticated_report_about_the_clock_is_not_believed():
    engine = Engine()

    async def use(client):
        engine.report = "2"
        with pytest.raises(ProtocolViolationError, match="unauthenticated report"):
            await client.get([OID])
        engine.report = ""
        return (await client.get([OID]))[0].value

    found, counters = talk(engine, use)
    assert found == 5
    assert counters.resyncs == 1


def test_a_wrong_password_is_told():
    async def main():
        wrong = replace(USER, auth_key=Secret("another-s3cret"))
        client = SnmpClient(Engine(), "pdu", 161, wrong, timeout=0.5)
        with pytest.raises(
            UnreachableError, match=r"password .* is wrong .wrongDigests.; check user 'station'"
        ) as caught:
            await client.open()
        assert "s3cret" not in str(caught.value)

    run(main, rate=float("inf"))


def test_every_changed_byte_of_an_answer_is_refused():
    """Authentication covers the whole message: flip any byte and nothing is believed."""
    engine = Engine()
    honest = Engine.answer

    async def use(client):
        believed = []
        for position in range(220):

            def flipped(data, position=position):
                (good,) = honest(engine, data)
                bad = bytearray(good)
                bad[position % len(bad)] ^= 0x5A
                return [bytes(bad)]

            engine.answer = flipped
            with suppress(ProtocolViolationError, UnreachableError):
                believed.append((position, await client.get([OID])))
        del engine.answer
        assert (await client.get([OID]))[0].value == 5
        return believed

    assert talk(engine, use)[0] == []
