"""Slips in OIDs, queries and scales are told by `harness check`, with the place, not found at the rack."""

from __future__ import annotations

import pytest

from harness.device.registry import known_profiles, load_profile
from harness.schema.problems import ProblemsError

SNMP = """\
schema: 1
profile: pdu/x
title: X
class: pdu
protocol: snmp
source: a MIB
unverified: not tried
parameters: {module: 1}
signals:
  power: {oid: "OID", unit: W, scale: SCALE, fallbacks: ["1.3.{module}.4"]}
repeat:
  outlet:
    count: 2
    walk: WALK
    signals:
      state: {oid: "1.3.9.{i.0}.{i.1}", enum: {"off": 0, "on": 1}}
"""
SCPI = """\
schema: 1
profile: load/x
title: X
class: load
protocol: scpi
source: a manual
unverified: not tried
signals:
  power: {query: "MEAS? QUERY", unit: W}
controls:
  level: {set: "LEV {value},(@SET)", unit: W, range: [0, 1]}
"""


def reported(tmp_path, text):
    """The problems of a profile, each as its line and message."""
    path = tmp_path / "x.yaml"
    path.write_text(text)
    try:
        load_profile(path)
    except ProblemsError as error:
        return [(problem.line, problem.message) for problem in error.problems]
    return []


def snmp(oid="1.3.6.{module}.0", scale="0.1", walk='"1.3.9.1.*.1"'):
    """An SNMP profile."""
    return SNMP.replace("OID", oid).replace("SCALE", scale).replace("WALK", walk)


def test_what_is_right_is_accepted(tmp_path):
    assert reported(tmp_path, snmp()) == []
    assert reported(tmp_path, SCPI.replace("QUERY", "1").replace("SET", "{i}")) == []
    for path in known_profiles().values():
        load_profile(path)


@pytest.mark.parametrize("oid", [".1.3.6.1", "1.3.6.1.", "1.3.x.1", "1..3", "sysUpTime.0", "1.3.6 .1", "1.3.{i"])
def test_what_is_no_oid_is_told(oid, tmp_path):
    ((line, message),) = reported(tmp_path, snmp(oid=oid))
    assert line == 10
    assert "is no OID" in message


def test_names_that_stand_for_nothing_are_told(tmp_path):
    ((line, message),) = reported(tmp_path, snmp(oid="1.3.{modul}.0"))
    assert (line, message) == (10, "{modul} stands for nothing here; known are {i}, {module}")
    ((line, message),) = reported(tmp_path, snmp(walk="1.3.{n}"))
    assert line == 14
    assert "{n}" in message
    ((line, message),) = reported(tmp_path, SCPI.replace("QUERY", "{value}").replace("SET", "{i}"))
    assert (line, message) == (9, "{value} stands for nothing here; known are {i}")
    ((line, message),) = reported(tmp_path, SCPI.replace("QUERY", "1").replace("SET", "{channel}"))
    assert (line, message) == (11, "{channel} stands for nothing here; known are {i}, {value}")


def test_a_scale_of_nothing_is_told(tmp_path):
    ((line, message),) = reported(tmp_path, snmp(scale="0"))
    assert line == 10
    assert "scale: 0" in message
