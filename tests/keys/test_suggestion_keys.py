"""Keys by which an SNMP agent's own words lead to a profile: of an installed package, as others ship theirs."""

from __future__ import annotations

import sys
from pathlib import Path

from harness.device import registry
from harness.device.protocol import known_protocols
from harness.schema.identity import Identity
from tests.keys.rows import Case, Files, Row, Table, every_row, written
from tests.tools.look_again import look_again

PROFILE = """
schema: 1
profile: pdu/own
title: Box
class: pdu
protocol: snmp
source: made up
unverified: made up
identity:
  match: [{signal: name, equals: AbCd}]
  sys_object_id: [1.3.6.1.4.1.99.7]
  sys_description: [Works Box]
signals:
  name: {oid: 1.3.6.1.4.1.99.7.1.0, type: text, poll: once}
"""
PACKAGE = """
from pathlib import Path

def root():
    return Path(__file__).parent
"""


def suggestion_bench(folder: Path, files: Files) -> list[str]:
    """What is suggested for an agent that says these two things of itself, with the profile in a package."""
    module = f"keys_{folder.name}"
    (folder / f"{module}.py").write_text(PACKAGE)
    info = folder / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[harness.drivers]\n{module} = {module}:root\n")
    (folder / "pdu" / "own").mkdir(parents=True)
    written(folder / "pdu" / "own", files, "profile")
    before = sys.path[:]
    known_protocols()  # they stay
    sys.path[:] = [str(folder)]  # the profiles that ship stay away: there are many to load
    try:
        look_again()
        return registry.matching_profiles("1.3.6.1.4.1.99.7.3", "The Works Box, release 7")
    finally:
        sys.path[:] = before
        sys.modules.pop(module, None)
        look_again()


TABLES = [
    Table(
        Identity,
        "profile/identity",
        {"profile": PROFILE},
        suggestion_bench,
        [
            Row("sys_object_id", ["1.3.6.1.4.1.98"], lambda found: found, ["pdu/own"], []),
            Row("sys_description", ["Yard Box"], lambda found: found, ["pdu/own"], []),
        ],
    )
]


@every_row(TABLES)
def test_the_key_changes_what_is_suggested(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
