"""Keys of credentials: who a device lets in."""

from __future__ import annotations

from harness.device.redfish.credentials import RedfishFile
from harness.device.snmp.credentials import SnmpFile
from sim.servers.snmp import Auth, Priv, UsmUser
from tests.keys.device_bench import Seen, device_bench, value
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.servers import ROOT, Objects, Service

AGENT = {
    "profile": f"""
schema: 1
profile: own/box
title: Box
class: meter
protocol: snmp
source: made up
unverified: made up
signals:
  x: {{oid: "{ROOT}.1.0"}}
""",
    "entry": "{profile: it, address: SERVER, credentials: {file: snmp.yaml}}",
    "snmp": "{version: '2c', community: secret}",
}
SERVICE = {
    "profile": f"""
schema: 1
profile: own/box
title: Box
class: meter
protocol: redfish
source: made up
unverified: made up
signals:
  x: {{path: {Service.ROOT}, pointer: /X}}
""",
    "entry": "{profile: it, address: SERVER, credentials: {file: redfish.yaml}}",
    "redfish": "{user: kim, password: word}",
}
USER = UsmUser("kim", Auth.SHA256, "authentication", Priv.AES128, "privatisation")
V3 = {
    "snmp": {
        "version": "3",
        "user": "kim",
        "auth_protocol": "SHA256",
        "auth_key": "authentication",
        "priv_protocol": "AES128",
        "priv_key": "privatisation",
    }
}


def agent() -> Objects:
    """An agent that lets the community `secret` read, and the user kim."""
    return Objects({"1.0": 1000}, community="secret", write_community="secret", users=[USER])


def logs_in(seen: Seen) -> bool:
    """Whether a session was begun, instead of a password with every request."""
    return any(str(what).startswith("POST") for _, what in seen.asked)


x = value("x")

TABLES = [
    Table(
        SnmpFile,
        "snmp",
        AGENT,
        device_bench(agent),
        [
            Row("version", "3", x, 1000.0, Has("SNMP version 3 has no use for community")),
            Row("community", "wrong", x, 1000.0, Has("no answer")),
            Row("user", "kim", x, 1000.0, Has("SNMP version 2c has no use for user")),
            Row("user", "lee", x, 1000.0, Has("user"), V3),
            Row("auth_protocol", "SHA1", x, 1000.0, Has("Digest"), V3),
            Row("auth_key", "something else", x, 1000.0, Has("Digest"), V3),
            Row("priv_protocol", "AES256", x, 1000.0, Has("it"), V3),
            Row("priv_key", "something else", x, 1000.0, Has("it"), V3),
            Row("context", "other", x, 1000.0, Has("ontext"), V3),
        ],
    ),
    Table(
        RedfishFile,
        "redfish",
        SERVICE,
        device_bench(lambda: Service({"": {"X": 1000}}, user="kim", password="word")),
        [
            Row("user", "lee", x, 1000.0, Has("401")),
            Row("password", "other", x, 1000.0, Has("401")),
            Row("method", "basic", logs_in, True, False),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_who_is_let_in(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
