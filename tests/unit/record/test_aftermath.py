"""What is said of the rack of a run that died, by its guardian's log alone."""

from __future__ import annotations

import json

import pytest

from harness.events import EventKind
from harness.record.aftermath import aftermath

START = {"kind": EventKind.START, "at": "2026-11-29T10:00:00Z", "pid": 1}
TAKEN = {"kind": EventKind.TAKEOVER, "at": "2026-11-29T10:05:00Z", "cause": "it died", "sequence": "default"}


@pytest.mark.parametrize(
    ("lines", "said", "is_calm"),
    [
        ([], "no guardian wrote anything", False),
        (
            [{"kind": EventKind.BYE, "at": "X", "unconfirmed": []}],
            "sent home at X: the run had made the rack safe itself",
            True,
        ),
        ([{"kind": EventKind.BYE, "at": "X"}], "the run had made the rack safe itself", True),
        (
            [{"kind": EventKind.BYE, "at": "X", "unconfirmed": ["pdu.outlet off"]}],
            "NOT CONFIRMED (pdu.outlet off)",
            False,
        ),
        ([{"kind": EventKind.RUNNER_GONE, "at": "X", "cause": "it died"}], "had nothing to make safe", True),
        ([{"kind": EventKind.READY, "at": "X"}], "nothing made the rack safe", False),
        ([TAKEN, {"kind": EventKind.SAFE, "at": "Y", "seconds": 2}], "made the rack safe: confirmed at Y", True),
        ([TAKEN, {"kind": EventKind.UNSAFE, "at": "Y", "unconfirmed": ["a.1"]}], "NOT CONFIRMED (a.1)", False),
        ([TAKEN, {"kind": EventKind.FAILED, "at": "Y", "error": "odd"}], "ended without a confirmation", False),
    ],
)
def test_nothing_is_called_safe_that_was_not_confirmed(lines, said, is_calm, tmp_path):
    written = [START, *lines] if lines else []
    (tmp_path / "guardian.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in written))
    text = aftermath(tmp_path)
    assert said in text
    assert ("look at the rack" in text) is not is_calm
