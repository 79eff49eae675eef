"""The simulated agent judged by net-snmp and pysnmp: independent managers over real UDP."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness.clock import run
from sim.servers.snmp import SnmpResponder, TableView, UsmUser
from tests.foreign_tools import foreign
from tests.tools.snmprec import load_snmprec

CAPTURES = Path(os.environ.get("HARNESS_CAPTURES", Path(__file__).parents[3] / "shared" / "captures"))
"""A folder of snmprec captures of real agents, where there is one; they are not part of this repository."""
E = (1, 3, 6, 1, 4, 1, 32473)
NAME = ".1.3.6.1.4.1.32473"

USERS = {
    "md5-des": UsmUser("md5-des", "MD5", "authentic-0", "DES", "private-0"),
    "sha-aes": UsmUser("sha-aes", "SHA1", "authentic-1", "AES128", "private-1"),
    "sha224-aes": UsmUser("sha224-aes", "SHA224", "authentic-2", "AES128", "private-2"),
    "sha256-aes": UsmUser("sha256-aes", "SHA256", "authentic-3", "AES128", "private-3"),
    "sha384-aes192": UsmUser("sha384-aes192", "SHA384", "authentic-4", "AES192", "private-4"),
    "sha512-aes256": UsmUser("sha512-aes256", "SHA512", "authentic-5", "AES256", "private-5"),
    "sha-aes256": UsmUser("sha-aes256", "SHA1", "authentic-6", "AES256", "private-6"),
    "auth-only": UsmUser("auth-only", "SHA256", "authentic-7"),
    "open": UsmUser("open", may_write=False),
}
NET_SNMP_NAMES = {
    "MD5": "MD5", "SHA1": "SHA", "SHA224": "SHA-224", "SHA256": "SHA-256", "SHA384": "SHA-384", "SHA512": "SHA-512",
    "DES": "DES", "AES128": "AES", "AES192": "AES-192", "AES256": "AES-256",
}  # fmt: skip


@pytest.fixture(autouse=True)
def net_snmp_home(tmp_path, monkeypatch):
    """A home of their own for the net-snmp tools: no configuration, no MIBs, no engine data of other runs."""
    (tmp_path / "cert_indexes").mkdir()
    for name, value in (("SNMPCONFPATH", tmp_path), ("SNMP_PERSISTENT_DIR", tmp_path), ("MIBS", "")):
        monkeypatch.setenv(name, str(value))


def table():
    view = TableView(
        [
            ((1, 3, 6, 1, 2, 1, 1, 1, 0), 4, b"rack agent"),
            ((1, 3, 6, 1, 2, 1, 1, 2, 0), 6, (1, 3, 6, 1, 4, 1, 32473, 7)),
            ((*E, 1, 1, 1), 2, -70_001),
            ((*E, 1, 1, 2), 2, lambda: 2),
            ((*E, 1, 2, 1), 0x41, 4_294_967_295),
            ((*E, 1, 3, 1), 0x42, 3_000_000_003),
            ((*E, 1, 4, 1), 0x43, 12_345),
            ((*E, 1, 5, 1), 0x40, bytes((10, 0, 0, 5))),
            ((*E, 1, 6, 1), 0x46, 18_446_744_073_709_551_606),
            ((*E, 1, 7, 1), 0x44, b"\x9f\x78\x04\x41\x20\x00\x00"),
            ((*E, 1, 8, 1), 5, None),
            ((*E, 1, 9, 1), 4, b"x" * 300),
            ((*E, 2, 4294967295), 2, 9),
        ]
    )
    view.on_set((*E, 1, 1, 1))
    view.on_set((*E, 1, 1, 2), lambda value: None, lambda value: 0 if value.value in (1, 2, 3) else 10)
    return view


@asynccontextmanager
async def serving(view, **options):
    options.setdefault("users", list(USERS.values()))
    responder = SnmpResponder(view, write_community="secret", **options)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: responder, local_addr=("127.0.0.1", 0)
    )
    try:
        yield responder, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)


async def tool(name, *arguments, port, timeout=60):
    arguments = [part.replace("AGENT", f"127.0.0.1:{port}") for part in arguments]
    process = await asyncio.create_subprocess_exec(name, *arguments, stdout=-1, stderr=-1)
    try:
        async with asyncio.timeout(timeout):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def v3(user, **other):
    words = ["-v3", "-l", "authPriv" if user.priv else "authNoPriv" if user.auth else "noAuthNoPriv", "-u", user.name]
    if user.auth:
        words += ["-a", NET_SNMP_NAMES[user.auth], "-A", other.get("auth_key", user.auth_key)]
    if user.priv:
        words += ["-x", NET_SNMP_NAMES[user.priv], "-X", other.get("priv_key", user.priv_key)]
    return words


EXPECTED = {
    f"{NAME}.1.1.1": "INTEGER: -70001",
    f"{NAME}.1.1.2": "INTEGER: 2",
    f"{NAME}.1.2.1": "Counter32: 4294967295",
    f"{NAME}.1.3.1": "Gauge32: 3000000003",
    f"{NAME}.1.4.1": "Timeticks: (12345) 0:02:03.45",
    f"{NAME}.1.5.1": "IpAddress: 10.0.0.5",
    f"{NAME}.1.6.1": "Counter64: 18446744073709551606",
    f"{NAME}.1.7.1": "Opaque: Float: 10.000000",
    f"{NAME}.1.8.1": "NULL",
    f"{NAME}.1.9.1": 'STRING: "' + "x" * 300 + '"',
    f"{NAME}.2.4294967295": "INTEGER: 9",
}


def answers(text):
    return dict(line.split(" = ", 1) for line in text.splitlines() if " = " in line)


@pytest.mark.parametrize("version", ["1", "2c"])
def test_snmpget_reads_every_type(version):
    foreign("snmpget")
    asked = [name for name in EXPECTED if version == "2c" or "1.6.1" not in name]

    async def main():
        async with serving(table()) as (_, port):
            return await tool("snmpget", f"-v{version}", "-c", "public", "-On", "AGENT", *asked, port=port)

    code, out, err = run(main)
    assert (code, err) == (0, "")
    assert answers(out) == {name: EXPECTED[name] for name in asked}


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_snmpget_reads_with_every_security_level(user):
    foreign("snmpget")

    async def main():
        async with serving(table()) as (responder, port):
            result = await tool("snmpget", *v3(user), "-On", "AGENT", *EXPECTED, port=port)
            return result, responder.counters

    (code, out, err), counters = run(main)
    assert (code, err) == (0, "")
    assert answers(out) == EXPECTED
    assert counters["unknown_engine_id"] == 1


@pytest.mark.parametrize(
    ("words", "said", "counter"),
    [
        (["-v2c", "-c", "wrong-community"], "Timeout", "wrong_community"),
        (v3(UsmUser("nobody", "SHA1", "authentic-9")), "Unknown user name", "unknown_user_name"),
        (v3(USERS["sha-aes"], auth_key="not-the-key"), "Authentication failure", "wrong_digest"),
        (v3(UsmUser("auth-only", "SHA256", "authentic-7", "AES128", "private-9")), "Unsupported security level",
         "unsupported_security_level"),
        (v3(UsmUser("sha-aes", "SHA1", "authentic-1")), "authorizationError", "out"),
        ([*v3(USERS["sha-aes"]), "-n", "elsewhere"], "bad context", "unknown_context"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_net_snmp_understands_a_refusal(words, said, counter):
    foreign("snmpget")

    async def main():
        async with serving(table()) as (responder, port):
            result = await tool("snmpget", *words, "-r0", "-t1", "-On", "AGENT", f"{NAME}.1.1.1", port=port)
            return result, responder.counters

    (code, out, err), counters = run(main)
    assert code != 0
    assert said.lower() in (out + err).lower()
    assert counters[counter] >= 1


def test_net_snmp_resynchronises_after_wrong_boots_and_time():
    foreign("snmpget")

    async def main():
        async with serving(table(), boots=41) as (responder, port):
            words = [*v3(USERS["sha256-aes"]), "-e", responder.engine.engine_id.hex(), "-Z", "3,9", "-On"]
            result = await tool("snmpget", *words, "AGENT", f"{NAME}.1.1.2", port=port)
            return result, responder.counters

    (code, out, _), counters = run(main)
    assert code == 0
    assert answers(out) == {f"{NAME}.1.1.2": "INTEGER: 2"}
    assert counters["not_in_time_window"] == 1


def test_missing_objects_in_each_version():
    foreign("snmpget")

    async def main():
        async with serving(table()) as (_, port):
            asked = [f"{NAME}.1.1.9", f"{NAME}.5.1", f"{NAME}.1.1.1"]
            second = await tool("snmpget", "-v2c", "-c", "public", "-On", "AGENT", *asked, port=port)
            first = await tool("snmpget", "-v1", "-c", "public", "-On", "AGENT", *asked, port=port)
            end = await tool("snmpgetnext", "-v2c", "-c", "public", "-On", "AGENT", f"{NAME}.3", port=port)
            over = await tool("snmpgetnext", "-v1", "-c", "public", "-On", "AGENT", f"{NAME}.1.5.1", port=port)
            return second, first, end, over

    second, first, end, over = run(main)
    assert answers(second[1]) == {
        f"{NAME}.1.1.9": "No Such Instance currently exists at this OID",
        f"{NAME}.5.1": "No Such Object available on this agent at this OID",
        f"{NAME}.1.1.1": "INTEGER: -70001",
    }
    assert "noSuchName" in first[2]
    assert "No more variables left" in end[1]
    assert list(answers(over[1])) == [f"{NAME}.1.7.1"]  # version 1 has no Counter64: it is passed over


@pytest.mark.parametrize(
    "who", [["-v1", "-c", "secret"], ["-v2c", "-c", "secret"], v3(USERS["sha256-aes"])], ids=["v1", "v2c", "v3"]
)
def test_snmpset_writes_and_is_refused(who):
    foreign("snmpset")
    view = table()

    async def main():
        async with serving(view) as (_, port):
            ok = await tool("snmpset", *who, "-On", "AGENT", f"{NAME}.1.1.1", "i", "2077", port=port)
            both = [f"{NAME}.1.1.1", "i", "31", f"{NAME}.1.1.2", "i", "9"]
            half = await tool("snmpset", *who, "-On", "AGENT", *both, port=port)
            kind = await tool("snmpset", *who, "-On", "AGENT", f"{NAME}.1.1.1", "u", "5", port=port)
            fixed = await tool("snmpset", *who, "-On", "AGENT", f"{NAME}.1.9.1", "s", "new", port=port)
            return ok, half, kind, fixed

    ok, half, kind, fixed = run(main)
    assert answers(ok[1]) == {f"{NAME}.1.1.1": "INTEGER: 2077"}
    is_v1 = who[0] == "-v1"
    assert ("badValue" if is_v1 else "wrongValue") in half[2]
    assert ("badValue" if is_v1 else "wrongType") in kind[2]
    assert ("noSuchName" if is_v1 else "notWritable") in fixed[2]
    assert view.get((*E, 1, 1, 1)).value == 2077  # the refused pair changed neither


@pytest.mark.parametrize("who", [["-v2c", "-c", "public"], v3(USERS["open"])], ids=["v2c", "v3"])
def test_readers_may_not_write(who):
    foreign("snmpset")
    view = table()

    async def main():
        async with serving(view) as (_, port):
            return await tool("snmpset", *who, "-On", "AGENT", f"{NAME}.1.1.1", "i", "5", port=port)

    assert "noAccess" in run(main)[2]
    assert view.get((*E, 1, 1, 1)).value == -70_001


@pytest.mark.parametrize("who", [["-v2c", "-c", "public"], v3(USERS["sha512-aes256"])], ids=["v2c", "v3"])
def test_snmpbulkwalk_sees_every_object_of_a_wide_table(who):
    foreign("snmpbulkwalk")
    view = TableView(((*E, 9, column, row), 4, b"%d:%d" % (column, row)) for column in (1, 2, 7) for row in range(700))

    async def main():
        async with serving(view, max_message=1472) as (responder, port):
            result = await tool("snmpbulkwalk", *who, "-Cr40", "-On", "AGENT", f"{NAME}.9", port=port)
            return result, responder.counters

    (code, out, _), counters = run(main)
    seen = answers(out)
    assert code == 0
    assert len(seen) == len(view) == 2100
    assert seen[f"{NAME}.9.2.699"] == 'STRING: "2:699"'
    assert counters["too_big"] == 0


def captures():
    return sorted(CAPTURES.glob("*.snmprec")) if CAPTURES.is_dir() else []


@pytest.mark.parametrize("name", ["apc_ap8959eu3", "sentry4", "rittal-lcp_cmciii-pu-lcp", "dell-sonic"])
def test_snmpbulkwalk_reads_a_capture_completely(name):
    foreign("snmpbulkwalk")
    path = CAPTURES / f"{name}.snmprec"
    if not path.is_file():
        pytest.skip(f"no captures of real devices at {CAPTURES}")
    view = load_snmprec(path)

    async def main():
        async with serving(view) as (_, port):
            words = ["-v2c", "-c", "public", "-Cr50", "-On", "-Oq", "AGENT"]
            return [await tool("snmpbulkwalk", *words, root, port=port) for root in (".1.0", ".1.3")]

    names = []
    for code, out, _ in run(main):
        assert code == 0
        names += [line.split(" ", 1)[0] for line in out.splitlines() if line.startswith(".1.") and "No more" not in line
                  and "No Such" not in line]  # fmt: skip
    known = {"." + ".".join(map(str, oid)) for oid in view}
    assert [name for name in names if name in known] == ["." + ".".join(map(str, oid)) for oid in view]


@pytest.mark.parametrize("path", captures() or [None], ids=lambda path: path.stem if path else "none")
def test_every_capture_loads(path):
    if path is None:
        pytest.skip(f"no captures of real devices at {CAPTURES}")
    lines = [line for line in path.read_bytes().split(b"\n") if b"|" in line]
    view = load_snmprec(path)
    assert len(view) == len({line.split(b"|")[0] for line in lines})
    assert view.get((1, 3, 6, 1, 2, 1, 1, 1, 0)).tag == 4


def test_pysnmp_reads_sets_and_walks_with_v3():
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    view = table()

    async def main():
        async with serving(view) as (_, port):
            engine = hlapi.SnmpEngine()
            try:
                who = hlapi.UsmUserData(
                    "sha256-aes", "authentic-3", "private-3",
                    authProtocol=hlapi.usmHMAC192SHA256AuthProtocol, privProtocol=hlapi.usmAesCfb128Protocol,
                )  # fmt: skip
                target = await hlapi.UdpTransportTarget.create(("127.0.0.1", port), timeout=5, retries=0)
                context = hlapi.ContextData()

                def row(*tail, value=None):
                    name = hlapi.ObjectIdentity((*E, *tail))
                    return hlapi.ObjectType(name) if value is None else hlapi.ObjectType(name, value)

                read = await hlapi.get_cmd(engine, who, target, context, row(1, 1, 1), row(1, 6, 1), lookupMib=False)
                wrote = await hlapi.set_cmd(
                    engine, who, target, context, row(1, 1, 1, value=hlapi.Integer32(404)), lookupMib=False
                )
                bulk = await hlapi.bulk_cmd(engine, who, target, context, 0, 30, row(1), lookupMib=False)
                return read, wrote, bulk
            finally:
                engine.close_dispatcher()
                await asyncio.sleep(0)

    read, wrote, bulk = run(main)
    assert read[0] is None
    assert [int(value) for _, value in read[3]] == [-70_001, 18_446_744_073_709_551_606]
    assert int(wrote[1]) == 0
    assert view.get((*E, 1, 1, 1)).value == 404
    names = [tuple(name) for name, _ in bulk[3]]
    assert names[:11] == [oid for oid in view if oid > (*E, 1)]
