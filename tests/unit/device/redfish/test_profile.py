"""What a profile of a Redfish device may say, its addresses and its credentials."""

from __future__ import annotations

import pytest

from harness.device.address import parse_address
from harness.device.redfish.credentials import redfish_credentials
from harness.errors import ConfigError
from harness.schema.fields import FileRef
from harness.schema.problems import ProblemsError
from harness.schema.profiles.redfish import RedfishProfile
from harness.schema.source import parse_source, validate

CDU = "/redfish/v1/ThermalEquipment/CDUs/East"
LOOP = f"{CDU}/SecondaryCoolantConnectors/B"

PROFILE = """
schema: 1
profile: cdu/x
title: X
class: cdu
protocol: redfish
source: a test of the schema
unverified: a test
redfish: {find: {cdu: {collection: /redfish/v1/ThermalEquipment/CDUs}}}
signals:
  flow: {path: "{cdu}", pointer: /Flow/Reading, unit: L/min}
repeat:
  pump:
    count: 2
    walk: "{cdu}/Pumps"
    signals:
      speed: {pointer: /PumpSpeedPercent/Reading, unit: "%"}
"""


def checked(text):
    return validate(parse_source(text.encode(), "profile.yaml"), RedfishProfile)


def test_the_smallest_profile():
    assert set(checked(PROFILE).signals) == {"flow"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("signals:\n  flow", "controls: {pump: {commands: {on: 1}}}\nsignals:\n  flow", "controls"),
        ('walk: "{cdu}/Pumps"', 'walk: "{cdu}/Pumps"\n    controls: {speed: {}}', "controls"),
        ("pointer: /Flow/Reading", "pointer: Flow/Reading", "begins with /"),
        ('path: "{cdu}", pointer', "pointer", "needs a path"),
        ('path: "{cdu}", pointer: /Flow/Reading', "max_of: pump.rpm", "no column"),
        ('path: "{cdu}", pointer: /Flow/Reading', "sum_of: pump.speed", "another unit"),
        ('{path: "{cdu}", pointer: /Flow/Reading', '{path: "{cdu}", max_of: pump.speed', "none here"),
        ("pointer: /Flow/Reading, unit: L/min", "pointer: /Flow/Reading, enum: {a: 1}", "give answers"),
        ("pointer: /Flow/Reading, unit: L/min", "pointer: /F, answers: {a: A}, enum: {b: 1}", "very same words"),
        ('walk: "{cdu}/Pumps"', "", "walk"),
    ],
)
def test_what_a_profile_may_not_say(old, new, says):
    assert old in PROFILE
    with pytest.raises(ProblemsError) as caught:
        checked(PROFILE.replace(old, new))
    assert says in str(caught.value)


# --- addresses and credentials ------------------------------------------------------------


def test_addresses():
    assert parse_address("redfishs://10.0.0.9").port == 443
    assert parse_address("redfish://127.0.0.1:8000").protocol == parse_address("redfishs://cdu").protocol == "redfish"
    assert parse_address("redfish://10.0.0.9?insecure=true").options == {"insecure": "true"}
    fingerprint = ":".join(["AB"] * 32)
    assert parse_address(f"redfishs://10.0.0.9?fingerprint={fingerprint}").options == {"fingerprint": "ab" * 32}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("redfish://10.0.0.9", "not encrypted"),
        ("redfish://10.0.0.9?insecure=false", "insecure is true"),
        ("redfishs://10.0.0.9?fingerprint=abcd", "64 hexadecimal"),
        ("redfishs://10.0.0.9?verify=no", "unknown option"),
        ("redfishs://10.0.0.9?insecure=true&ca=x.pem", "give one of"),
        ("redfishs://10.0.0.9/redfish/v1", "ends after the port"),
        ("redfishs://me:secret@10.0.0.9", "never stand in an address"),
    ],
)
def test_addresses_that_are_none(text, says):
    with pytest.raises(ValueError, match=says):
        parse_address(text)


def test_credentials(tmp_path):
    path = tmp_path / "cdu.cred"
    path.write_text("user: op\npassword: hunter-2-secret\nmethod: basic\n")
    path.chmod(0o600)
    found = redfish_credentials(FileRef(file="cdu.cred"), tmp_path)
    assert (found.user, found.password.reveal(), found.uses_session) == ("op", "hunter-2-secret", False)
    assert "hunter-2" not in repr(found)
    path.write_text("user: op\npasswort: hunter-2-secret\n")
    with pytest.raises(ConfigError) as caught:
        redfish_credentials(FileRef(file="cdu.cred"), tmp_path)
    assert "hunter-2" not in str(caught.value)


# --- whole devices, told lies ------------------------------------------------------------
