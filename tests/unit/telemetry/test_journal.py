"""The journal: what is acknowledged is there, in order, and a failed disk is never taken for a good one."""

from __future__ import annotations

import asyncio
import sqlite3

import numpy as np
import pytest

from harness.clock import Clock, run
from harness.errors import TelemetryError
from harness.quantity import Frame
from harness.telemetry.journal import Journal
from harness.telemetry.reading import open_for_reading
from harness.telemetry.rows import SignalInfo

INF = float("inf")
SIGNALS = [SignalInfo("supply_temperature", "degC"), SignalInfo("flow", "L/min"), SignalInfo("leak", "", {0: "dry"})]


def frame(number: int, device: str = "cdu", texts: dict[int, str] | None = None) -> Frame:
    values = np.array([number + 0.25, -number * 1e-3, np.nan if number % 3 == 0 else float(number % 2)])
    return Frame(
        device, 1_000_000_000 + number * 7, number * 0.5, values, np.array([0, 1, number % 11], np.uint8), texts or {}
    )


def contents(path):
    with open_for_reading(path) as reader:
        assert reader.check() == []
        return (
            [
                (
                    f.seq,
                    f.frame.wall_ns,
                    f.frame.mono,
                    f.frame.values.tobytes(),
                    f.frame.qualities.tobytes(),
                    dict(f.frame.texts),
                )
                for f in reader.frames()
            ],
            [(e.seq, e.wall_ns, e.mono, e.kind, dict(e.data)) for e in reader.events()],
        )


@pytest.mark.parametrize("rate", [1.0, INF])
def test_everything_comes_back_in_order(tmp_path, rate):
    path = tmp_path / "journal.db"

    async def main():
        journal = await Journal.create(path, Clock(), {"run": "r1", "serial": "RACK-0001", "nothing": None})
        journal.declare("cdu", SIGNALS, "cdu")
        assert journal.add_frame(frame(1, texts={2: "naïve\ntext"})) == 1
        assert journal.add_event("step", name="soak", value=float("nan"), levels=[1, float("inf")]) == 2
        assert journal.durable_seq == 0
        await journal.commit()
        assert journal.durable_seq == 2
        for number in range(2, 50):
            journal.add_frame(frame(number))
        assert [f.seq for f in await journal.read_frames(0, 5)] == [1], "only what is durable is read back"
        await journal.commit()
        assert [f.seq for f in await journal.read_frames(1, 3)] == [3, 4, 5]
        assert [e.kind for e in await journal.read_events(0, 9)] == ["step"]
        entries, reached = await journal.read_entries(0, 4)
        assert ([entry.seq for entry in entries], reached) == ([1, 2, 3, 4], 4)
        await journal.close()

    run(main, rate=rate)
    frames, events = contents(path)
    assert [f[0] for f in frames] == [1, *range(3, 51)]
    assert frames[0][5] == {2: "naïve\ntext"}
    for number, stored in enumerate(frames, 1):
        given = frame(number)
        assert stored[1:5] == (given.wall_ns, given.mono, given.values.tobytes(), given.qualities.tobytes())
    assert [(seq, kind, data) for seq, _, _, kind, data in events] == [
        (2, "step", {"name": "soak", "value": None, "levels": [1, None]})
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["journal.db"], "sealed into one file, reserve given back"
    with open_for_reading(path) as reader:
        assert reader.meta == {"run": "r1", "serial": "RACK-0001", "nothing": None}
        assert reader.signals()["cdu.leak"].labels == {0: "dry"}
        stamps, values, qualities = reader.series("cdu.flow")
        assert (stamps.dtype, values.dtype, qualities.dtype) == (np.int64, np.float64, np.uint8)
        assert values.tolist() == [-number * 1e-3 for number in range(1, 50)]
        assert set(qualities.tolist()) == {1}
        with pytest.raises(KeyError):
            reader.series("cdu.nothing")


def test_concurrent_commits_share_a_transaction_and_each_returns_after_its_own_data(tmp_path):
    async def main():
        journal = await Journal.create(tmp_path / "journal.db", Clock(), {})
        transactions = []
        journal._store.db.set_trace_callback(lambda text: transactions.append(text) if text == "COMMIT" else None)

        async def one(number):
            seq = journal.add_event("intent", number=number)
            await journal.commit()
            assert journal.durable_seq >= seq

        await asyncio.gather(*(one(number) for number in range(200)))
        await journal.commit()
        assert len(transactions) <= 3
        await journal.close()

    run(main)


def test_a_cancelled_commit_does_not_take_the_others_with_it(tmp_path):
    async def main():
        journal = await Journal.create(tmp_path / "journal.db", Clock(), {})
        journal.add_event("a")
        first = asyncio.ensure_future(journal.commit())
        second = asyncio.ensure_future(journal.commit())
        await asyncio.sleep(0)
        first.cancel()
        await second
        assert journal.durable_seq == 1
        assert (await asyncio.gather(first, return_exceptions=True))[0].__class__ is asyncio.CancelledError
        await journal.close()

    run(main)


def test_the_background_loop_commits_once_a_second(tmp_path):
    async def main():
        clock = Clock()
        journal = await Journal.create(tmp_path / "journal.db", clock, {})
        task = asyncio.ensure_future(journal.run())
        journal.add_event("a")
        await clock.sleep(0.9)
        assert journal.durable_seq == 0
        await clock.sleep(0.2)
        assert journal.durable_seq == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await journal.close()

    run(main, rate=INF)


@pytest.mark.parametrize("rate", [1.0, INF])
def test_a_full_disk_poisons_the_journal_and_releases_the_reserve(tmp_path, rate):
    path = tmp_path / "journal.db"
    reserve = tmp_path / "journal.db.reserve"

    async def main():
        journal = await Journal.create(path, Clock(), {})
        assert reserve.stat().st_size == 1 << 20
        assert reserve.stat().st_blocks * 512 >= 1 << 20
        journal.add_event("kept", number=1)
        await journal.commit()
        pages = journal._store.db.execute("PRAGMA page_count").fetchone()[0]
        journal._store.db.execute(f"PRAGMA max_page_count={pages}")
        journal.add_event("lost", text="x" * 100_000)
        with pytest.raises(TelemetryError, match="full"):
            await journal.commit()
        assert journal.is_failed
        assert journal.durable_seq == 1
        assert not reserve.exists()
        journal._store.db.execute("PRAGMA max_page_count=100000")
        journal.add_event("after", number=3)
        with pytest.raises(TelemetryError):
            await journal.commit()
        assert journal.durable_seq == 1, "a disk that works again proves nothing"
        assert (journal.dropped, journal._batch.events) == (1, []), "nothing is kept in memory for a disk that failed"
        with pytest.raises(TelemetryError):
            await journal.close()

    run(main, rate=rate)
    with open_for_reading(path) as reader:
        assert [event.kind for event in reader.events()] == ["kept"]


def test_the_background_loop_ends_with_the_error_when_the_disk_fails(tmp_path):
    async def main():
        journal = await Journal.create(tmp_path / "journal.db", Clock(), {})
        journal._store.db.execute("PRAGMA max_page_count=1")
        journal.add_event("lost", text="x" * 100_000)
        with pytest.raises(TelemetryError):
            await journal.run()
        with pytest.raises(TelemetryError):
            await journal.close()

    run(main, rate=INF)


def test_a_lock_held_by_another_program_is_an_error_but_loses_nothing(tmp_path):
    path = tmp_path / "journal.db"

    async def main():
        journal = await Journal.create(path, Clock(), {})
        journal._store.db.execute("PRAGMA busy_timeout=50")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        journal.add_event("a", number=1)
        with pytest.raises(TelemetryError, match="locked by another program"):
            await journal.commit()
        assert not journal.is_failed
        other.execute("ROLLBACK")
        other.close()
        journal.add_event("b", number=2)
        await journal.commit()
        assert journal.durable_seq == 2
        await journal.close()

    run(main)
    assert [event[3] for event in contents(path)[1]] == ["a", "b"]


def test_a_lock_that_is_never_released_is_a_failure(tmp_path):
    path = tmp_path / "journal.db"

    async def main():
        clock = Clock()
        journal = await Journal.create(path, clock, {})
        journal._store.db.execute("PRAGMA busy_timeout=1")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        journal.add_event("a")
        started = clock.monotonic()
        with pytest.raises(TelemetryError, match="cannot be written"):
            await journal.run()
        assert 60 <= clock.monotonic() - started <= 63
        other.close()
        with pytest.raises(TelemetryError):
            await journal.close()

    run(main, rate=INF)


def test_equal_stamps_become_distinct(tmp_path):
    """A sink identifies a point by its stamp: two events, or frames of one device, in one instant must not merge."""
    path = tmp_path / "journal.db"

    async def main():
        journal = await Journal.create(path, Clock(), {})
        journal.declare("cdu", SIGNALS)
        journal.declare("pdu", SIGNALS)
        for device in ("cdu", "cdu", "pdu"):
            journal.add_frame(frame(5, device))
        for kind in "abc":
            journal.add_event(kind)
        await journal.close()

    run(main, rate=INF)
    frames, events = contents(path)
    assert [f[1] - frame(5).wall_ns for f in frames] == [0, 1, 0]
    assert [e[1] - events[0][1] for e in events] == [0, 1, 2]


def test_reopening_goes_on_where_the_run_was_interrupted(tmp_path):
    path = tmp_path / "journal.db"

    async def first():
        journal = await Journal.create(path, Clock(), {"serial": "A"})
        journal.declare("cdu", SIGNALS)
        journal.add_frame(frame(1))
        journal.add_event("a")
        await journal.advance("influxdb", 1)
        await journal.close()

    async def second():
        journal = await Journal.reopen(path, Clock())
        assert journal.durable_seq == 2
        assert journal.position("influxdb") == 1
        assert journal.add_frame(frame(2)) == 3
        await journal.close()

    run(first)
    run(second)
    assert [f[0] for f in contents(path)[0]] == [1, 3]


def test_misuse_is_refused(tmp_path):
    path = tmp_path / "journal.db"

    async def main():
        journal = await Journal.create(path, Clock(), {})
        with pytest.raises(ValueError, match="not declared"):
            journal.add_frame(frame(1))
        journal.declare("cdu", SIGNALS[:2])
        with pytest.raises(ValueError, match="2 signals were declared"):
            journal.add_frame(frame(1))
        with pytest.raises(TelemetryError, match="never overwritten"):
            await Journal.create(path, Clock(), {})
        await journal.close()
        await journal.close()
        with pytest.raises(TelemetryError, match="cannot open"):
            await Journal.create(tmp_path / "missing" / "journal.db", Clock(), {})
        (tmp_path / "other.db").write_bytes(b"")
        with pytest.raises(TelemetryError, match="not a run journal"):
            await Journal.reopen(tmp_path / "other.db", Clock())
        with pytest.raises(TelemetryError, match="does not exist"):
            await Journal.reopen(tmp_path / "no.db", Clock())

    run(main)


def test_two_virtual_runs_leave_the_same_rows(tmp_path):
    def once(path):
        async def main():
            clock = Clock()
            journal = await Journal.create(path, clock, {"seed": 7})
            journal.declare("cdu", SIGNALS)
            task = asyncio.ensure_future(journal.run())
            for number in range(30):
                await clock.sleep(0.3)
                journal.add_frame(frame(number))
                journal.add_event("tick", number=number)
                if number % 7 == 0:
                    await journal.commit()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await journal.close()

        run(main, rate=INF)
        return contents(path)

    assert once(tmp_path / "a.db") == once(tmp_path / "b.db")
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()
