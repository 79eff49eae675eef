"""What is told of the copy to the database, and when."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from harness.engine.database_copy import CopyWatch
from harness.telemetry.outbox import OutboxStatus

WELL = OutboxStatus(0, "", 0, 100, 0)


def watched(statuses):
    """What is reported when these statuses are looked at, a second apart: (second, text)."""
    reported = []
    log = SimpleNamespace(event=lambda kind, text, **data: reported.append((kind, text, data)))
    on = SimpleNamespace(source=SimpleNamespace(path=Path("/lab/bay 7.yaml")))
    runner = SimpleNamespace(
        log=log, journal=SimpleNamespace(path=Path("/data/run-1/journal.db")), project=SimpleNamespace(on=on)
    )
    watch = CopyWatch(runner)
    found = []
    for second, status in enumerate(statuses):
        watch.look(status, float(second), second * 10**9)
        found += [(second, text) for _, text, _ in reported]
        reported.clear()
    return found


def behind(since, **more):
    return OutboxStatus(40, "cannot connect", since * 10**9, 100, 0, **more)


def test_nothing_is_told_of_a_copy_that_arrives_or_is_late_for_a_moment():
    assert watched([WELL] * 30) == []
    assert watched([WELL, *[behind(1)] * 9, *[WELL] * 30]) == []


def test_trouble_is_told_once_after_ten_seconds_and_so_is_its_end():
    found = watched([WELL, *[behind(1)] * 200, *[WELL] * 30])
    assert [second for second, _ in found] == [11, 201]
    assert found[0][1].startswith("the database has taken nothing since 00:00:01 (cannot connect); 40 entries wait")
    assert "harness push run-1 --station '/lab/bay 7.yaml'" in found[0][1]
    assert "takes everything again" in found[1][1]


def test_what_a_person_must_mend_is_told_at_once():
    found = watched([WELL, behind(1, is_alarm=True), *[behind(1)] * 20])
    assert [second for second, _ in found] == [1]
    assert "a person must act" in found[0][1]


def test_a_database_that_comes_and_goes_fills_no_record():
    flapping = ([behind(0)] * 15 + [WELL] * 5) * 60
    assert len(watched(flapping)) <= 2 * 20 * 60 / 60 + 2


def test_lines_that_are_refused_for_good_are_told_and_counted():
    refused = [OutboxStatus(0, "", 0, 100, count, False, "HTTP 400 bad") for count in (0, 1, 2, *[9] * 100)]
    found = watched(refused)
    assert [text for _, text in found] == [
        "the database refuses 1 lines for good: HTTP 400 bad",
        "the database refuses 8 lines for good: HTTP 400 bad",
    ]
