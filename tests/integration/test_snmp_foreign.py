"""Our SNMP client against net-snmp's snmpd, with net-snmp's own tools as the judge."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness.clock import run
from harness.errors import RefusedError, UnreachableError
from harness.secret import Secret
from harness.transport.network import SocketNetwork
from harness.transport.snmp import Kind, SnmpClient, SnmpCredentials, VarBind
from tests.foreign_tools import foreign

AUTH = {"MD5": "MD5", "SHA1": "SHA", "SHA224": "SHA-224", "SHA256": "SHA-256", "SHA384": "SHA-384", "SHA512": "SHA-512"}
PRIV = {"AES128": "AES", "AES192": "AES-192", "AES256": "AES-256", "AES192C": "AES-192-C", "AES256C": "AES-256-C"}
AUTH_KEY, PRIV_KEY = "authentic-s3cret", "private-s3cret"
LOCATION = "1.3.6.1.2.1.1.6.0"
CONTACT = "1.3.6.1.2.1.1.4.0"
CONF = """agentAddress udp:127.0.0.1:{port}
rocommunity look 127.0.0.1
rwcommunity touch 127.0.0.1
sysContact night shift
load 12 12 12
engine
rwuser open noauth
createUser open
"""


def user(auth: str | None = None, priv: str | None = None, **changed: object) -> SnmpCredentials:
    """The credentials of the user that the agent knows for these protocols."""
    fields = {
        "user": f"u{auth or ''}{priv or ''}" if auth else "open",
        "auth_protocol": auth,
        "auth_key": Secret(AUTH_KEY),
        "priv_protocol": priv,
        "priv_key": Secret(PRIV_KEY),
    }
    return SnmpCredentials("3", **(fields | changed))


class Snmpd:
    """A snmpd of our own on a free loopback port."""

    def __init__(self, folder: Path, levels: list[tuple[str, str | None]]) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = folder
        self.levels = levels
        self.generation = 0
        self.child: subprocess.Popen[bytes] | None = None

    def start(self, engine: str = "") -> None:
        """Start; with `engine` as another engine with an empty memory."""
        if engine:
            self.generation += 1
        text = CONF.format(port=self.port).replace("engine\n", f"exactEngineID {engine}\n" if engine else "")
        for auth, priv in self.levels:
            name = f"u{auth}{priv or ''}"
            text += f"rwuser {name} {'priv' if priv else 'auth'}\ncreateUser {name} {AUTH[auth]} {AUTH_KEY}"
            text += f" {PRIV[priv]} {PRIV_KEY}\n" if priv else "\n"
        conf = self.folder / "snmpd.conf"
        conf.write_text(text)
        memory = self.folder / f"memory{self.generation}"
        memory.mkdir(exist_ok=True)
        saved = memory / "snmpd.conf"
        files = f"{conf},{saved}" if saved.exists() else str(conf)
        self.child = subprocess.Popen(
            ["snmpd", "-f", "-C", "-c", files, "-Lf", str(self.folder / "log"), "-I", "-smux"],
            env={**os.environ, "SNMP_PERSISTENT_DIR": str(memory), "MIBS": ""},
        )
        until = time.monotonic() + 10
        while time.monotonic() < until:
            if self.tool("snmpget", "-r0", "-t0.3", "1.3.6.1.2.1.1.3.0", check=False):
                return
            time.sleep(0.05)
        raise RuntimeError("snmpd did not start:\n" + (self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        """Stop as an administrator does, so that it saves its memory."""
        if self.child is not None:
            self.child.terminate()
            self.child.wait(10)
            self.child = None

    def tool(self, name: str, *arguments: str, check: bool = True) -> str:
        """What a net-snmp tool prints, numbers and bytes raw."""
        where = ["-v2c", "-clook", "-Onetx", f"127.0.0.1:{self.port}"]
        options = [item for item in arguments if item.startswith("-")]
        oids = [item for item in arguments if not item.startswith("-")]
        done = subprocess.run(
            [name, *options, *where, *oids], env={**os.environ, "MIBS": ""}, capture_output=True, text=True, check=check
        )
        return done.stdout if done.returncode == 0 else ""

    def client(self, credentials: SnmpCredentials, **options: object) -> SnmpClient:
        """Our client towards it."""
        return SnmpClient(SocketNetwork(), "127.0.0.1", self.port, credentials, timeout=2.0, **options)

    def use(self, credentials: SnmpCredentials, work, **options: object):
        """Run `work(client)` over an opened client."""

        async def main():
            client = self.client(credentials, **options)
            await client.open()
            try:
                return await work(client)
            finally:
                await client.close()

        return run(main)


LOOK = SnmpCredentials("2c", community=Secret("look"))
TOUCH = SnmpCredentials("2c", community=Secret("touch"))
LEVELS: list[tuple[str, str | None]] = [(auth, priv) for auth in AUTH for priv in (None, *PRIV)]


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory):
    foreign("snmpd", "snmpget", "snmpbulkwalk")
    agent = Snmpd(tmp_path_factory.mktemp("snmpd"), LEVELS)
    try:
        agent.start()
        yield agent
    finally:
        agent.stop()


@pytest.fixture
def mortal(tmp_path):
    """A snmpd that the test may stop and start."""
    foreign("snmpd", "snmpget", "snmpbulkwalk")
    agent = Snmpd(tmp_path, [("SHA256", "AES128")])
    try:
        agent.start()
        yield agent
    finally:
        agent.stop()


WORDS = {
    "INTEGER": Kind.INTEGER,
    "Hex-STRING": Kind.OCTET_STRING,
    "STRING": Kind.OCTET_STRING,
    "OID": Kind.OID,
    "IpAddress": Kind.IP_ADDRESS,
    "Network Address": Kind.IP_ADDRESS,
    "Counter32": Kind.COUNTER32,
    "Gauge32": Kind.GAUGE32,
    "Timeticks": Kind.TIMETICKS,
    "Counter64": Kind.COUNTER64,
    "Opaque: Float": Kind.OPAQUE,
}


def parse(printed: str) -> dict[str, tuple[Kind, object]]:
    """The output of snmpbulkwalk -Onetx as OID -> (kind, value)."""
    found: dict[str, tuple[Kind, object]] = {}
    for chunk in re.split(r"\n(?=\.1)", printed.strip()):
        oid, _, shown = chunk.partition(" = ")
        if shown == '""':
            found[oid[1:]] = (Kind.OCTET_STRING, b"")
            continue
        word = next((word for word in WORDS if shown.startswith(word + ":")), None)
        text = shown[len(word) + 1 :].strip() if word else shown
        kind = WORDS[word] if word else Kind.TIMETICKS
        value: object = text
        if kind is Kind.OCTET_STRING:
            value = bytes.fromhex(text.strip('"'))
        elif kind is Kind.OID:
            value = text.removeprefix(".")
        elif kind is Kind.OPAQUE:
            value = float(text)
        elif kind is Kind.IP_ADDRESS:
            value = text if "." in text else ".".join(str(int(part, 16)) for part in text.split(":"))
        else:
            value = int(text)
        found[oid[1:]] = (kind, value)
    return found


def shown(bind: VarBind) -> tuple[Kind, object]:
    """A value as net-snmp prints it."""
    return bind.kind, float(f"{bind.value:f}") if bind.kind is Kind.OPAQUE else bind.value


ROOTS = ["1.3.6.1.2.1.1", "1.3.6.1.2.1.2", "1.3.6.1.2.1.4", "1.3.6.1.2.1.31.1.1", "1.3.6.1.4.1.2021.10.1"]


@pytest.mark.parametrize("credentials", [LOOK, user("SHA512", "AES256")], ids=["2c", "3"])
@pytest.mark.parametrize("root", ROOTS)
def test_values_are_those_that_net_snmp_reads(snmpd, root, credentials):
    before = parse(snmpd.tool("snmpbulkwalk", root))

    async def work(client):
        walked = await client.walk(root)
        return walked, await client.get([bind.oid for bind in walked])

    walked, got = snmpd.use(credentials, work)
    after = parse(snmpd.tool("snmpbulkwalk", root))
    assert [bind.oid for bind in walked] == [bind.oid for bind in got] == list(before) == list(after)
    steady = {oid for oid, value in before.items() if after[oid] == value}
    assert len(steady) >= 3
    for found in (walked, got):
        assert {bind.oid: shown(bind) for bind in found if bind.oid in steady} == {oid: before[oid] for oid in steady}
        assert [bind.kind for bind in found] == [kind for kind, _ in before.values()]


def test_a_long_walk_gives_every_object_that_net_snmp_finds(snmpd):
    expected = re.findall(r"^\.(\S+) = (?!No more variables)", snmpd.tool("snmpbulkwalk", "1.3.6.1.6"), re.M)
    found = snmpd.use(LOOK, lambda client: client.walk("1.3.6.1.6"))
    assert [bind.oid for bind in found] == expected
    assert len(expected) > 50


def test_more_repetitions_than_the_agent_likes_still_walk(snmpd):
    counts = [
        len(snmpd.use(credentials, lambda client: client.walk("1.3.6.1.6"), max_repetitions=2000))
        for credentials in (LOOK, user("SHA1", "AES128"))
    ]
    assert counts[0] == counts[1] > 50


@pytest.mark.parametrize(("auth", "priv"), [(None, None), *LEVELS], ids=lambda item: item or "none")
def test_every_security_level_reads_and_writes(snmpd, auth, priv):
    text = f"bay {auth} {priv}".encode()

    async def work(client):
        await client.set(LOCATION, Kind.OCTET_STRING, text)
        return await client.get([LOCATION, CONTACT])

    assert snmpd.use(user(auth, priv), work) == [
        VarBind(LOCATION, Kind.OCTET_STRING, text),
        VarBind(CONTACT, Kind.OCTET_STRING, b"night shift"),
    ]
    assert parse(snmpd.tool("snmpget", LOCATION))[LOCATION] == (Kind.OCTET_STRING, text)


def test_missing_objects_are_data(snmpd):
    oids = ["1.3.6.1.2.1.1.1.9", CONTACT, "1.3.6.1.9.9.9"]
    kinds = [bind.kind for bind in snmpd.use(LOOK, lambda client: client.get(oids))]
    assert kinds == [Kind.NO_SUCH_INSTANCE, Kind.OCTET_STRING, Kind.NO_SUCH_OBJECT]


@pytest.mark.parametrize(
    ("credentials", "oid", "kind", "value", "word"),
    [
        (LOOK, LOCATION, Kind.OCTET_STRING, b"x", "noAccess"),
        (TOUCH, CONTACT, Kind.OCTET_STRING, b"x", "notWritable"),
        (TOUCH, LOCATION, Kind.INTEGER, 4, "wrongType"),
        (TOUCH, LOCATION, Kind.OCTET_STRING, b"x" * 300, "wrongLength"),
    ],
)
def test_a_refused_write_says_why_and_changes_nothing(snmpd, credentials, oid, kind, value, word):
    before = snmpd.tool("snmpget", oid)

    async def work(client):
        with pytest.raises(RefusedError) as caught:
            await client.set(oid, kind, value)
        return caught.value.vendor_code

    assert snmpd.use(credentials, work) == word
    assert snmpd.tool("snmpget", oid) == before


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        (user("SHA1", user="nobody"), "does not know this user (unknownUserNames)"),
        (user("SHA1", auth_key=Secret("wrong-s3cret")), "authentication password (or protocol) is wrong"),
        (user("SHA256", user="uSHA1"), "authentication password (or protocol) is wrong"),
        (user("SHA1", "AES128", priv_key=Secret("wrong-s3cret")), "encryption password or protocol of user"),
        (user("SHA1", "AES128", priv_protocol=None), "authorizationError"),
        (user("SHA1", "AES128", user="uSHA1"), "does not allow this security level"),
        (SnmpCredentials("2c", community=Secret("wrong-s3cret")), "no answer from 127.0.0.1"),
    ],
)
def test_wrong_credentials_are_told_in_words_without_showing_them(snmpd, credentials, said):
    async def main():
        client = SnmpClient(SocketNetwork(), "127.0.0.1", snmpd.port, credentials, name="pdu-a", timeout=0.3)
        with pytest.raises(UnreachableError) as caught:
            await client.open()
        return caught.value

    error = run(main)
    assert said in str(error)
    assert "pdu-a" in str(error)
    assert "s3cret" not in f"{error} {error!r} {credentials!r}"


def test_an_agent_that_restarts_is_followed(mortal):
    async def work(client):
        boots = "1.3.6.1.6.3.10.2.1.2.0"
        (first,) = await client.get([boots])
        mortal.stop()
        with pytest.raises(UnreachableError, match=r"nobody listens on 127\.0\.0\.1"):
            await client.get([boots])
        mortal.start()
        await client.set(LOCATION, Kind.OCTET_STRING, b"after restart")
        return first.value, (await client.get([boots]))[0].value

    first, second = mortal.use(user("SHA256", "AES128"), work)
    assert second == first + 1
    assert parse(mortal.tool("snmpget", LOCATION))[LOCATION][1] == b"after restart"


def test_an_agent_that_was_replaced_is_found_by_reading(mortal):
    async def work(client):
        mortal.stop()
        mortal.start(engine="0x8000000004aabbccdd")
        with pytest.raises(UnreachableError, match="nothing was written"):
            await client.set(LOCATION, Kind.OCTET_STRING, b"too early")
        found = await client.get(["1.3.6.1.6.3.10.2.1.1.0", LOCATION])
        await client.set(LOCATION, Kind.OCTET_STRING, b"now")
        return found, client.counters

    found, counters = mortal.use(user("SHA256", "AES128"), work)
    assert found[0].value.hex() == "8000000004aabbccdd"
    assert found[1].value != b"too early"
    assert counters.violations == 0
    assert parse(mortal.tool("snmpget", LOCATION))[LOCATION][1] == b"now"


def test_any_source_works_over_sockets(snmpd):
    found = snmpd.use(LOOK, lambda client: client.get([CONTACT]), any_source=True)
    assert found == [VarBind(CONTACT, Kind.OCTET_STRING, b"night shift")]
