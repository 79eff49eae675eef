"""The kinds of events are one table: nothing writes or reads one that is not in it, and none stands there unused."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

from harness.clock import Clock, run
from harness.engine.resume import replay
from harness.events import VERSION, EventKind
from harness.record.log import RunLog
from harness.record.manifest import JOURNAL
from harness.telemetry.journal import Journal
from harness.telemetry.reading import open_for_reading
from tests.integration.cli_tools import harness as command

ROOT = Path(__file__).parents[2]
SOURCES = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "harness").rglob("*.py"))}
BARE = re.compile(
    r"\.(?:event|events|note|add_event)\(\s*[\"']|(?:event\.kind|line\.get\(.kind.\)) (?:==|!=|in) [\"'({]"
)


def test_nothing_names_a_kind_by_a_bare_word():
    found = [f"{path.relative_to(ROOT)}: {hit}" for path, text in SOURCES.items() for hit in BARE.findall(text)]
    assert found == []


def test_every_kind_is_used():
    used = {name for text in SOURCES.values() for name in re.findall(r"EventKind\.([A-Z_]+)", text)}
    assert used == set(EventKind.__members__)


def test_a_resumed_run_reads_every_kind_that_it_has_a_method_for():
    methods = {name.removeprefix("_on_").upper() for name in vars(replay._Story) if name.startswith("_on_")}
    asked = set(re.findall(r"EventKind\.([A-Z_]+): self\._on_", inspect.getsource(replay._Story.read)))
    assert methods == asked


def test_a_new_kind_makes_a_new_version():
    """Kinds are only added: who adds one writes the new number and count here."""
    assert (VERSION, len(EventKind)) == (2, 61)


def test_a_run_says_by_which_version_it_was_written(tmp_path):
    done = command("run", "smoke", "--simulate", "--virtual", "--json", data=tmp_path)
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["kind"], result["events"]) == (EventKind.RESULT, VERSION)
    with open_for_reading(Path(result["record"]) / JOURNAL) as reader:
        assert reader.meta["events"] == VERSION


def test_words_and_meanings_are_one_each():
    assert len({kind.value for kind in EventKind}) == len({kind.meaning for kind in EventKind}) == len(EventKind)


def test_the_record_and_the_journal_have_the_plain_word(tmp_path):
    async def main():
        clock = Clock()
        journal = await Journal.create(tmp_path / "journal.db", clock, {})
        log = RunLog(clock, journal)
        log.event(EventKind.STEP_END, "soak: PASS", reason="")
        await journal.close()
        return log.entries

    (entry,) = run(main)
    assert (type(entry.kind), entry.kind) == (str, "step end")
    with open_for_reading(tmp_path / "journal.db") as reader:
        assert [event.data["text"] for event in reader.events(EventKind.STEP_END)] == ["soak: PASS"]
        assert [event.kind for event in reader.events()] == ["step end"]
