"""What to do about a device follows the kind of trouble: one that answers is no cabling fault."""

from __future__ import annotations

import errno
import socket
import ssl

import pytest

from harness.clock import run
from harness.device.connect import reasons, to_do, tree_report
from harness.errors import (
    ADVICE,
    DeviceError,
    IdentityError,
    NotConfirmedError,
    ProtocolViolationError,
    RefusedError,
    Trouble,
    UnreachableError,
)
from harness.secret import Secret
from harness.transport.foreign import hexed, unreachable
from harness.transport.modbus import ModbusClient
from harness.transport.redfish import RedfishClient
from tests.unit.transport.misbehaving_servers import MemoryNetwork

CABLE = ("check power", "cable and address", "check cable")


def test_every_kind_of_trouble_has_its_advice_and_only_silence_is_about_cables():
    assert set(ADVICE) == set(Trouble) - {Trouble.UNKNOWN, Trouble.OURS}
    assert len(set(ADVICE.values())) == len(ADVICE)
    for trouble, text in ADVICE.items():
        about_cables = any(word in text for word in CABLE)
        assert about_cables == (trouble is Trouble.SILENT), trouble


def test_each_class_of_error_says_what_kind_of_trouble_it_is():
    assert UnreachableError("x").trouble is Trouble.SILENT
    assert ProtocolViolationError("x").trouble is Trouble.OTHERWISE
    assert RefusedError("x").trouble is Trouble.REFUSES
    assert RefusedError("x", is_busy=True).trouble is Trouble.BUSY
    assert IdentityError("x").trouble is Trouble.MODEL
    assert NotConfirmedError("x").advice == DeviceError("x").advice == ""
    assert UnreachableError("x", hint="read the manual").advice == "read the manual"
    assert UnreachableError("x", trouble=Trouble.OURS).advice == ""
    assert str(UnreachableError("x", device="cdu", operation="open")) == f"cdu open: x; {ADVICE[Trouble.SILENT]}"
    assert UnreachableError("x", device="cdu", operation="open").said == "cdu open: x"


@pytest.mark.parametrize(
    ("error", "trouble", "word"),
    [
        (TimeoutError(), Trouble.SILENT, "check power"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), Trouble.CLOSED, "nothing listens"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), Trouble.CLOSED, "sessions"),
        (EOFError(), Trouble.CLOSED, "sessions"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), Trouble.UNREACHED, "netmask"),
        (OSError(errno.EACCES, "Permission denied"), Trouble.UNREACHED, "permissions"),
        (socket.gaierror(-2, "Name or service not known"), Trouble.UNREACHED, "literal addresses"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong"), Trouble.OTHERWISE, "redfish://"),
        (ssl.SSLCertVerificationError("the certificate has the fingerprint ab"), Trouble.CREDENTIALS, "fingerprint"),
    ],
)
def test_what_the_system_says_is_sorted_by_kind(error, trouble, word):
    found = unreachable(error, device="d", operation="open", what="cannot connect")
    assert found.trouble is trouble
    assert word in found.advice
    assert "('" not in found.message


def served(client, script):
    async def main():
        network = MemoryNetwork(script)
        with pytest.raises(DeviceError) as caught:
            await client(network)
        return caught.value

    return run(main, rate=float("inf"))


def test_another_modbus_unit_is_told_as_one():
    def script(peer, data):
        peer.say(data[:2] + b"\x00\x00\x00\x05\x01\x03\x02\x00\x2a")

    async def ask(network):
        client = ModbusClient(network, "cdu", 502, timeout=0.5)
        try:
            await client.read(19, 3, 100, 1)
        finally:
            await client.close()

    error = served(ask, script)
    assert "expected unit 19, got unit 1" in error.message
    assert error.trouble is Trouble.UNIT
    assert "the one set at the device" in error.advice


@pytest.mark.parametrize(
    ("framing", "word"), [("tcp", "power and network are fine"), ("rtu", "its power and its line")]
)
def test_a_unit_that_never_answers_behind_a_connection_that_is_up_is_looked_for_by_its_number(framing, word):
    async def ask(network):
        client = ModbusClient(network, "cdu", 502, framing=framing, timeout=0.5)
        try:
            await client.read(13, 3, 100, 1)
        finally:
            await client.close()

    error = served(ask, lambda peer, data: None)
    assert error.trouble is Trouble.SILENT
    assert "nothing comes from unit 13: check the unit in the address" in error.advice
    assert word in error.advice
    assert not any(cable in error.advice for cable in CABLE)


def test_a_unit_that_has_answered_and_falls_silent_is_a_matter_of_power_and_cable():
    def script(peer, data):
        if data[9] == 100:  # the low byte of the address
            peer.say(data[:2] + b"\x00\x00\x00\x05\x13\x03\x02\x00\x2a")

    async def ask(network):
        client = ModbusClient(network, "cdu", 502, timeout=0.5)
        try:
            await client.read(19, 3, 100, 1)
            await client.read(19, 3, 101, 1)
        finally:
            await client.close()

    error = served(ask, script)
    assert error.advice == ADVICE[Trouble.SILENT]


def response(status: str, head: str = "", body: str = "{}") -> bytes:
    kind = "Content-Type: application/json"
    return f"HTTP/1.1 {status}\r\n{kind}\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "user", "trouble", "words"),
    [
        (
            response("308 Permanent Redirect", "Location: https://cdu/login\r\n"),
            "u",
            Trouble.REDIRECTS,
            "method: basic",
        ),
        (
            response("301 Moved", "Location: https://cdu/redfish/v1/\r\n"),
            "",
            Trouble.REDIRECTS,
            "scheme, host and port",
        ),
        (response("401 Unauthorized"), "u", Trouble.CREDENTIALS, "the password of user 'u'"),
        (response("401 Unauthorized"), "", Trouble.CREDENTIALS, "name a credentials file"),
        (response("403 Forbidden"), "", Trouble.REFUSES, "not allowed without a log-in"),
        (response("503 Busy"), "", Trouble.BUSY, "busy"),
        (response("418 Teapot"), "", Trouble.OTHERWISE, "check port and protocol"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "", Trouble.OTHERWISE, "check port and protocol"),
    ],
)
def test_a_redfish_service_that_answers_is_no_cabling_fault(answer, user, trouble, words):
    async def ask(network):
        client = RedfishClient(network, "cdu", 80, user=user, password=Secret("secret"), timeout=0.5)
        try:
            await client.open()
        finally:
            await client.close()

    error = served(ask, lambda peer, data: peer.say(answer))
    assert error.trouble is trouble
    assert words in error.advice
    assert not any(word in error.advice for word in CABLE)
    if trouble is Trouble.REDIRECTS:
        assert "it redirects to 'https://cdu/" in error.message


def test_several_devices_are_named_each_with_its_own_advice():
    silent = [UnreachableError("no answer within 2 s", device=name) for name in ("pdu_a", "pdu_b")]
    failures = {
        "pdu_a": ("snmp://10.0.0.1", silent[0]),
        "pdu_b": ("snmp://10.0.0.2", silent[1]),
        "dmm": ("TCPIP::m::5025::SOCKET", ProtocolViolationError("nothing was asked, but it said", device="dmm")),
        "cdu": ("modbus", RefusedError("no", device="cdu")),
    }
    assert reasons(failures).startswith("pdu_a at snmp://10.0.0.1: no answer within 2 s; pdu_b at ")
    assert reasons(failures).endswith("; and 1 more")
    assert "dmm" in reasons(failures)
    parts = to_do(failures)
    assert parts.startswith("pdu_a, pdu_b: check power, cable and address; dmm: it answers")
    assert parts.count("check power") == 1
    assert "cdu: it answers" in parts
    report = tree_report("4 of 5 devices cannot be used", failures).splitlines()
    assert len(report) == 5
    assert report[3].startswith("├─ dmm")
    assert report[3].endswith(ADVICE[Trouble.OTHERWISE])


def test_text_is_shown_before_its_bytes():
    assert hexed(b"M1> ") == "'M1> ' = 4d 31 3e 20"
    assert hexed(b"SSH-2.0\r\n").startswith("'SSH-2.0\\r\\n' = 53")
    assert hexed(b"\x00\x2a\x01") == "00 2a 01"
    assert hexed(b"\xc3\xa4") == "c3 a4"
    assert hexed(b"") == "nothing"
    assert hexed(b"a" * 70, 64).endswith("61 and 6 bytes more")
