"""Torn, zeroed and flipped journals: reading never raises, nothing damaged is believed, and what is lost is said."""

from __future__ import annotations

import random
import shutil

import numpy as np
import pytest

from harness.clock import Clock, run
from harness.quantity import Frame
from harness.telemetry.journal import Journal
from harness.telemetry.reading import open_for_reading
from harness.telemetry.rows import SignalInfo

SIGNALS = 40
COUNT = 300


def frame(number):
    values = np.sin(np.arange(SIGNALS) * 0.37 + number)
    return Frame(
        "cdu", 10**18 + number, number / 4, values, (np.arange(SIGNALS) % 11).astype(np.uint8), {3: f"t{number}"}
    )


def key(stored):
    one = stored.frame
    return stored.seq, one.device, one.wall_ns, one.mono, one.values.tobytes(), one.qualities.tobytes(), dict(one.texts)


@pytest.fixture(scope="module")
def journals(tmp_path_factory):
    """A sealed journal, and one as a killed process leaves it (database, log and shared memory); and their truth."""
    folder = tmp_path_factory.mktemp("journals")

    async def main():
        journal = await Journal.create(folder / "sealed.db", Clock(), {"run": "r1"})
        journal.declare("cdu", [SignalInfo(f"s{index}", "degC") for index in range(SIGNALS)])
        for number in range(COUNT):
            journal.add_frame(frame(number))
            journal.add_event("tick", number=number)
            if number % 10 == 9:
                await journal.commit()
        for suffix in ("", "-wal", "-shm"):
            shutil.copyfile(f"{folder}/sealed.db{suffix}", f"{folder}/killed.db{suffix}")
        await journal.close()

    run(main)
    truth = {}
    for name in ("sealed", "killed"):
        with open_for_reading(folder / f"{name}.db") as reader:
            assert reader.check() == []
            frames = {f.seq: key(f) for f in reader.frames()}
            events = {e.seq: (e.kind, e.data["number"]) for e in reader.events()}
            assert (len(frames), len(events)) == (COUNT, COUNT)
            truth[name] = frames, events
    return folder, truth


def damage(content, rng):
    """One of the things that disks do."""
    raw = bytearray(content)
    kind = rng.choice(["flip", "flip", "flip", "cut", "zero tail", "zero page", "swap pages", "noise"])
    at = rng.randrange(len(raw))
    if kind == "flip":
        for _ in range(rng.choice([1, 1, 3, 20])):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del raw[at:]
    elif kind == "zero tail":
        raw[-min(len(raw), 2048) :] = bytes(min(len(raw), 2048))
    elif kind == "zero page":
        page = at // 4096 * 4096
        raw[page : page + 4096] = bytes(len(raw[page : page + 4096]))
    elif kind == "swap pages":
        one, two = (rng.randrange(len(raw) // 4096) * 4096 for _ in range(2))
        raw[one : one + 4096], raw[two : two + 4096] = raw[two : two + 4096], raw[one : one + 4096]
    else:
        raw[at : at + 64] = rng.randbytes(len(raw[at : at + 64]))
    return kind, bytes(raw)


@pytest.mark.parametrize("which", ["sealed", "killed"])
def test_damaged_files_open_and_no_damaged_row_is_believed(journals, tmp_path, which):
    folder, truth = journals
    frames, events = truth[which]
    recovered = 0
    silent = []
    for seed in range(200):
        rng = random.Random(seed)
        path = tmp_path / f"{seed}.db"
        suffixes = ("", "-wal", "-shm") if which == "killed" else ("",)
        target = rng.choice(suffixes[:2])
        kind = ""
        for suffix in suffixes:
            content = (folder / f"{which}.db{suffix}").read_bytes()
            if suffix == target:
                kind, content = damage(content, rng)
            path.with_name(path.name + suffix).write_bytes(content)
        with open_for_reading(path) as reader:
            problems = reader.check()
            found = list(reader.frames())
            for one in found:
                assert frames.get(one.seq) == key(one), f"seed {seed} ({kind}): a frame that was never written"
            for event in reader.events():
                assert events.get(event.seq) == (event.kind, event.data["number"]), f"seed {seed} ({kind})"
            reader.signals()
            reader.entries(0, 10_000)
        recovered += len(found)
        if len(found) < COUNT and not problems and target == "":
            silent.append((seed, kind))
        for suffix in suffixes:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert silent == [], "rows were lost without a word"
    assert recovered > 0.5 * 200 * COUNT, "damage costs the damaged rows, not the run"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"x" * 10_000, None])
def test_foreign_and_missing_files_are_quarantined_with_a_word(tmp_path, content):
    path = tmp_path / "journal.db"
    if content is not None:
        path.write_bytes(content)
    with open_for_reading(path) as reader:
        assert reader.check()
        assert list(reader.frames()) == []
        assert (reader.signals(), reader.meta, reader.last_seq) == ({}, {}, 0)
        assert reader.entries(0, 5) == ([], 0)


def test_reading_changes_no_byte_of_the_evidence(journals, tmp_path):
    folder, _ = journals
    for suffix in ("", "-wal"):  # no shared memory: as copied by hand from a dead station
        shutil.copyfile(f"{folder}/killed.db{suffix}", f"{tmp_path}/journal.db{suffix}")
    for _ in range(2):
        with open_for_reading(tmp_path / "journal.db") as reader:
            assert reader.check() == []
            assert len(list(reader.frames())) == COUNT
        for suffix in ("", "-wal"):
            assert (tmp_path / f"journal.db{suffix}").read_bytes() == (folder / f"killed.db{suffix}").read_bytes()


def test_a_missing_row_is_noticed_by_its_number(journals, tmp_path):
    import sqlite3

    folder, _ = journals
    path = tmp_path / "journal.db"
    shutil.copyfile(folder / "sealed.db", path)
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM frame WHERE seq = 7")
        db.execute("DELETE FROM event WHERE seq IN (10, 12)")
        db.execute("UPDATE event SET data = '{}' WHERE seq = 14")
    db.close()
    with open_for_reading(path) as reader:
        assert reader.check() == [
            "event 14: checksum does not match", "row 7 missing or damaged", "row 10 missing or damaged",
            "row 12 missing or damaged", "row 14 missing or damaged",
        ]  # fmt: skip


def died(folder, target, spoil):
    """Reopen what a killed process leaves, spoiled before: (damage, last sequence number, kept files)."""
    target.mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{folder}/killed.db{suffix}", f"{target}/journal.db{suffix}")
    log = target / "journal.db-wal"
    data = bytearray(log.read_bytes())
    log.write_bytes(spoil(data))

    async def main():
        journal = await Journal.reopen(target / "journal.db", Clock())
        found = list(journal.damage), journal.durable_seq
        journal.add_event("again")
        await journal.close()
        return found

    damage, last = run(main)
    return damage, last, sorted(path.name for path in target.glob("journal-cut-*"))


def flipped(data):
    data[len(data) // 2] ^= 0x40
    return data


@pytest.mark.parametrize(
    "spoil",
    [flipped, lambda data: data[: len(data) // 2 + 17]],
    ids=["flipped", "torn"],
)
def test_what_is_cut_from_the_log_is_said_and_kept(journals, tmp_path, spoil):
    folder, _ = journals
    whole = died(folder, tmp_path / "whole", lambda data: data)
    assert whole == ([], 2 * COUNT, [])
    damage, last, kept = died(folder, tmp_path / "spoiled", spoil)
    assert last < 2 * COUNT
    assert len(damage) == 1
    assert "pages at the end of the journal's log" in damage[0]
    assert kept == ["journal-cut-1.bin"]
    assert (tmp_path / "spoiled" / kept[0]).stat().st_size > 1000
