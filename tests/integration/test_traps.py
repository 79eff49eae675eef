"""Traps and informs from net-snmp, received and told; floods are thinned."""

from __future__ import annotations

import asyncio
import socket
import time
from types import SimpleNamespace

import pytest

from harness.clock import run
from harness.device.snmp import traps as traps_module
from harness.device.snmp.trap_limiter import (
    ALL_BURST,
    ALL_RATE_PER_S,
    BURST,
    MAX_TRAP,
    MOST,
    STRANGERS_BURST,
    STRANGERS_RATE_PER_S,
    TrapLimiter,
)
from harness.device.snmp.traps import MOST_TEXT, MOST_VALUES, Trap, TrapReceiver, TrapUser
from harness.engine.traps import Teller, serve_traps
from harness.errors import ConfigError
from harness.schema.problems import ProblemsError
from harness.schema.source import parse_source, validate
from harness.schema.station import Station
from harness.secret import Secret
from harness.transport.snmp import SnmpCredentials
from tests.foreign_tools import foreign

LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
ENGINE = "8000000001020304"
V2C = TrapUser(SnmpCredentials(version="2c", community=Secret("to-harness")))
V3 = TrapUser(
    SnmpCredentials(
        version="3",
        user="pdu-traps",
        auth_protocol="SHA256",
        auth_key=Secret("auth-phrase-1"),
        priv_protocol="AES128",
        priv_key=Secret("priv-phrase-2"),
    ),
    ENGINE,
)
AS_V3 = ["-v3", "-e", f"0x{ENGINE}", "-u", "pdu-traps", "-l", "authPriv", "-a", "SHA-256", "-A", "auth-phrase-1"]
AS_V3 += ["-x", "AES"]


async def send(port, *arguments):
    process = await asyncio.create_subprocess_exec(
        foreign("snmptrap"), "-m", "", *arguments, f"127.0.0.1:{port}", "4711", LINK_DOWN,
        "1.3.6.1.2.1.2.2.1.1.7", "i", "7", "1.3.6.1.2.1.2.2.1.2.7", "s", "swp7",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await asyncio.wait_for(process.wait(), 20)


async def received(count, *senders):
    """What arrives of some snmptrap calls, within 3 s after the last."""
    traps = []
    receiver = TrapReceiver("127.0.0.1", 0, [V2C, V3], traps.append)
    await receiver.open()
    try:
        codes = [await send(receiver.port, *arguments) for arguments in senders]
        for _ in range(60):
            if len(traps) >= count:
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
    finally:
        await receiver.close()
    return traps, codes


@pytest.mark.parametrize(
    "arguments",
    [["-v2c", "-c", "to-harness"], [*AS_V3, "-X", "priv-phrase-2"], ["-v2c", "-c", "to-harness", "-Ci"]],
    ids=["v2c", "v3", "inform"],
)
def test_a_trap_becomes_a_source_a_kind_and_values(arguments):
    traps, codes = run(lambda: received(1, arguments))
    assert codes == [0]
    (trap,) = traps
    assert (trap.source, trap.oid, trap.left_out) == ("127.0.0.1", LINK_DOWN, 0)
    assert trap.values[0] == ("1.3.6.1.2.1.1.3.0", "4711")
    assert trap.values[1:] == (("1.3.6.1.2.1.2.2.1.1.7", "7"), ("1.3.6.1.2.1.2.2.1.2.7", "swp7"))
    assert "swp7" in str(trap)


def test_strangers_are_not_believed():
    wrong = [["-v2c", "-c", "stranger"], [*AS_V3, "-X", "another-phrase"]]
    traps, _ = run(lambda: received(1, *wrong, ["-v2c", "-c", "to-harness"]))
    assert len(traps) == 1


def flood(gate, sources, seconds, per_second=3000, size=200):
    """How many of a flood pass, sent in turn from some sources."""
    passed, count = 0, int(seconds * per_second)
    for k in range(count):
        passed += gate.passes(sources[k % len(sources)], k / per_second, size)
    return passed, count


def test_a_flood_of_one_device_is_thinned_before_it_is_decoded():
    gate = TrapLimiter(["10.0.0.1", "10.0.0.2"])
    passed, sent = flood(gate, ["10.0.0.1"], 1)
    assert BURST <= passed <= BURST + 11
    assert gate.passes("10.0.0.2", 1.0), "another device is not kept out"
    assert gate.left_out() == sent - passed
    assert gate.left_out() == 0
    assert gate.passes("10.0.0.1", 2.0)


@pytest.mark.parametrize("known", [None, ["10.0.0.1"]], ids=["anybody", "devices"])
def test_a_flood_from_spoofed_sources_is_bounded_over_all_of_them(known):
    """250 sources in turn: each had an allowance of its own, 6.5 MB a second into the journal."""
    gate = TrapLimiter(known)
    sources = [f"10.1.{k // 250}.{k % 250}" for k in range(500)]
    passed, _ = flood(gate, sources, 60, per_second=500)
    assert passed <= ALL_BURST + 60 * ALL_RATE_PER_S
    assert len(gate._buckets) <= ALL_BURST + 1
    if known:
        assert passed <= STRANGERS_BURST + 60 * STRANGERS_RATE_PER_S
        assert gate.passes("10.0.0.1", 60.0), "strangers take nothing from the devices of the station"


def test_a_run_takes_only_so_many_and_none_that_is_huge():
    gate = TrapLimiter()
    assert not gate.passes("10.0.0.1", 0.0, MAX_TRAP + 1)
    taken = sum(gate.passes(f"10.0.0.{k % 9}", k / 5, 200) for k in range(200_000))
    assert MOST <= taken <= MOST + 200_000 / 5 / 60 + 1


def test_what_cannot_be_decoded_is_counted_and_nothing_reaches_the_screen(capfd):
    """Three octets of a good trap changed: pysnmp raises out of its callback, and asyncio prints a traceback."""

    async def main():
        traps = []
        receiver = TrapReceiver("127.0.0.1", 0, [V2C], traps.append)
        await receiver.open()
        try:
            receiver._own.call_soon_threadsafe(lambda: 1 / 0)
            broken = bytes.fromhex("302e020101040a746f2d6861726e657373a71d020101020100020100301230100609")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                for cut in range(3, len(broken)):
                    sender.sendto(broken[:cut], ("127.0.0.1", receiver.port))
                    if cut % 20 == 0:
                        await asyncio.sleep(0.3)
            await asyncio.sleep(0.3)
            assert await send(receiver.port, "-v2c", "-c", "to-harness") == 0
            for _ in range(60):
                if traps:
                    break
                await asyncio.sleep(0.05)
        finally:
            await receiver.close()
        return traps

    (trap,) = run(main)
    assert trap.left_out >= 1
    assert capfd.readouterr().err == ""


def test_what_is_kept_of_one_trap_is_bounded():
    receiver = TrapReceiver("127.0.0.1", 0, [V2C], print)
    kept = []
    receiver._loop = SimpleNamespace(call_soon_threadsafe=lambda _, trap: kept.append(trap))
    long = SimpleNamespace(asOctets=lambda: b"x" * 60_000)
    receiver._received("10.0.0.1", [(f"1.3.6.1.4.1.9.{k}", long) for k in range(500)])
    receiver._received("10.0.0.1", [("1.3." + "1." * 4000 + "1", long)] * 500)
    for trap in kept:
        assert len(trap.values) <= MOST_VALUES
        assert sum(len(oid) + len(text) for oid, text in trap.values) <= MOST_TEXT + 256


def test_a_flood_fills_the_journal_with_what_was_taken_and_the_screen_with_some():
    shown, journal, now = [], [], [0.0]
    runner = SimpleNamespace(
        clock=SimpleNamespace(monotonic=lambda: now[0]),
        log=SimpleNamespace(event=lambda kind, text, **data: shown.append((now[0], text))),
        journal=SimpleNamespace(add_event=lambda kind, **data: journal.append(kind)),
    )
    teller = Teller(runner, {"10.0.0.1": "pdu"})
    for second in range(600):
        now[0] = float(second)
        for _ in range(5):
            teller.tell(Trap("10.0.0.1", LINK_DOWN, (("1.3", "7"),), 3))
    assert len(shown) <= 20 + 10 + 1
    assert len(journal) == 3000 - len(shown)
    assert "more since the last that was shown are in the journal" in shown[-1][1]


def test_a_receiver_that_is_stuck_does_not_keep_the_run_from_its_end(monkeypatch):
    monkeypatch.setattr(traps_module, "_ENDS_WITHIN_S", 0.2)

    async def main():
        receiver = TrapReceiver("127.0.0.1", 0, [V2C], [].append)
        await receiver.open()
        thread = receiver._thread
        receiver._own.call_soon_threadsafe(time.sleep, 1.0)
        began = time.monotonic()
        await receiver.close()
        assert time.monotonic() - began < 0.9
        thread.join()

    run(main)


def test_an_address_in_use_is_said():
    async def main():
        first = TrapReceiver("127.0.0.1", 0, [V2C], print)
        await first.open()
        try:
            with pytest.raises(ConfigError, match="cannot listen for traps"):
                await TrapReceiver("127.0.0.1", first.port, [V2C], print).open()
        finally:
            await first.close()

    run(main)


STATION = """\
schema: 1
station: trapped
devices:
  pdu: {{profile: pdu/raritan_pdu2, address: "snmp://127.0.0.1:16100"}}
traps:
  listen: "127.0.0.1:{port}"
  users:
    - {{credentials: {{file: trap.cred}}}}
"""


def runner_of(station, folder, reported, **options):
    return SimpleNamespace(
        project=SimpleNamespace(on=SimpleNamespace(station=station, base=folder)),
        options=SimpleNamespace(is_simulated=False, **options),
        clock=SimpleNamespace(is_virtual=False, monotonic=time.monotonic),
        log=SimpleNamespace(event=lambda kind, text, **data: reported.append((kind, text, data))),
    )


def test_a_station_that_listens_tells_traps_as_events_of_the_device(tmp_path):
    (tmp_path / "trap.cred").write_text('version: "2c"\ncommunity: to-harness\n')
    (tmp_path / "trap.cred").chmod(0o600)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    station = validate(parse_source(STATION.format(port=port).encode(), "station.yaml"), Station)
    reported = []

    async def main():
        receiver = await serve_traps(runner_of(station, tmp_path, reported))
        try:
            await send(port, "-v2c", "-c", "to-harness")
            for _ in range(60):
                if reported:
                    break
                await asyncio.sleep(0.05)
        finally:
            await receiver.close()

    run(main)
    ((kind, text, data),) = reported
    assert kind == "trap"
    assert text.startswith(f"pdu: trap {LINK_DOWN}")
    assert data["device"] == "pdu"
    assert data["values"]["1.3.6.1.2.1.2.2.1.2.7"] == "swp7"


def test_a_run_goes_on_without_traps_and_says_so(tmp_path):
    station = validate(parse_source(STATION.format(port=10162).encode(), "station.yaml"), Station)
    reported = []
    assert run(lambda: serve_traps(runner_of(station, tmp_path, reported))) is None
    ((kind, text, _),) = reported
    assert kind == "note"
    assert "traps are not received" in text
    assert "trap.cred" in text


@pytest.mark.parametrize("listen", ["10162", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:99999", ":10162"])
def test_a_wrong_address_is_found_at_load_time(listen):
    text = STATION.format(port=1).replace('127.0.0.1:1"', f'{listen}"')
    with pytest.raises(ProblemsError, match="must be ADDRESS:PORT"):
        validate(parse_source(text.encode(), "station.yaml"), Station)
