"""The outbox against a scripted database: every answer has its consequence, nothing is lost, nothing blocks."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import random
import socket
import threading
import time

import numpy as np
import pytest

from harness.clock import Clock, run
from harness.errors import ConfigError
from harness.quantity import Frame
from harness.secret import Secret
from harness.telemetry import outbox as outbox_module
from harness.telemetry import push as push_module
from harness.telemetry.influx import Answer, InfluxSettings, InfluxWriter, Outcome, retry_after
from harness.telemetry.journal import Journal
from harness.telemetry.outbox import Outbox
from harness.telemetry.push import resume_outbox
from harness.telemetry.reading import open_for_reading
from harness.telemetry.rows import SignalInfo
from tests.tools.database import Reply, ScriptedDatabase

TOKEN = "tok-canary-5f2a"


def settings(url, **more):
    return InfluxSettings(url, org="factory", bucket="burnin", token=Secret(TOKEN), **more)


async def filled(path, frames, meta=None):
    journal = await Journal.create(path, Clock(), meta or {"run": "r1", "serial": "RACK-0001", "station": "s"})
    journal.declare("cdu", [SignalInfo("flow", "L/min"), SignalInfo("heat", "kW")], "cdu")
    for number in range(frames):
        values = np.array([number + 0.5, -1.5 * number])
        journal.add_frame(Frame("cdu", 10**18 + number * 1_000, float(number), values, np.zeros(2, np.uint8)))
    await journal.commit()
    return journal


def fresh(journal, url, clock=None, **more):
    wanted = settings(url, **more)
    return Outbox(
        journal, InfluxWriter(wanted), clock or Clock(), sink=wanted.sink, tags={"run": "r1"}, jitter=random.Random(1)
    )


def deliver(tmp_path, frames, database, at_most=8.0, rate=1.0, **more):
    """Send `frames` frames; returns the status, and the dead lines as (seq, reason)."""

    async def main():
        journal = await filled(tmp_path / "journal.db", frames)
        outbox = fresh(journal, database.url, **more)
        status = await outbox.drain(at_most)
        await outbox.close()
        await journal.commit()
        dead = journal._store.db.execute("SELECT seq, line, reason FROM dead ORDER BY seq").fetchall()
        await journal.close()
        return status, dead

    return run(main, rate=rate)


def test_everything_arrives_once_and_in_order(tmp_path):
    with ScriptedDatabase() as database:
        status, dead = deliver(tmp_path, 1234, database)
    assert (status.backlog, status.last_error, status.sent, dead) == (0, "", 1234, [])
    assert [stamp for _, stamp in database.points] == [10**18 + number * 1_000 for number in range(1234)]
    assert database.points[(b"cdu,device=cdu,run=r1", 10**18 + 7_000)] == b"flow=7.5,heat=-10.5"
    request = database.requests[0]
    assert request.path == "/api/v2/write?org=factory&bucket=burnin&precision=ns"
    assert request.headers["authorization"] == f"Token {TOKEN}"
    assert request.headers["content-type"].startswith("text/plain")


def test_batches_are_bounded(tmp_path):
    with ScriptedDatabase() as database:
        deliver(tmp_path, 12_000, database)
    assert max(len(request.lines) for request in database.requests) == 5_000
    assert max(len(request.body) for request in database.requests) <= 1 << 20
    assert len(database.points) == 12_000


def test_v1_uses_its_own_address_and_basic_authorisation(tmp_path):
    with ScriptedDatabase() as database:

        async def main():
            journal = await filled(tmp_path / "journal.db", 3)
            wanted = InfluxSettings(database.url + "/", api="v1", database="burn in", user="me", password=Secret("pw"))
            outbox = Outbox.to_influxdb(journal, wanted, Clock(), {})
            assert (await outbox.drain(5)).backlog == 0
            await outbox.close()
            await journal.close()

        run(main)
    assert database.requests[0].path == "/write?db=burn+in&precision=ns"
    assert database.requests[0].headers["authorization"] == "Basic bWU6cHc="


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("poisoned", [0, 2500, 4999])
def test_one_poison_line_is_isolated_within_two_log_n_requests(tmp_path, poisoned, partial):
    stamp = str(10**18 + poisoned * 1_000).encode()
    with ScriptedDatabase(refuses=lambda line: line.endswith(stamp), is_partial=partial) as database:
        status, dead = deliver(tmp_path, 5_000, database)
        assert len(database.requests) <= 28
    assert (status.backlog, status.sent, status.refused, len(database.points)) == (0, 4_999, 1, 4_999)
    assert [(seq, line.endswith(stamp)) for seq, line, _ in dead] == [(poisoned + 1, True)]
    assert "HTTP 4" in dead[0][2]
    assert "unable to parse" in dead[0][2]


def test_many_poison_lines_all_leave_the_queue(tmp_path):
    with ScriptedDatabase(refuses=lambda line: int(line[-6:-3]) % 10 == 3) as database:
        status, dead = deliver(tmp_path, 300, database)
    assert (status.sent, status.refused, len(database.points)) == (270, 30, 270)
    assert [seq for seq, _, _ in dead] == [number + 1 for number in range(300) if number % 10 == 3]


def test_a_place_that_refuses_every_line_is_an_alarm_and_nothing_is_thrown_away(tmp_path):
    with ScriptedDatabase(refuses=lambda _: True) as database:
        status, dead = deliver(tmp_path, 1_000, database, at_most=5)
    assert (status.backlog, status.sent, status.refused, status.is_alarm, dead) == (1_000, 0, 0, True, [])
    assert "every line is refused" in status.last_error


def retention(cutoff, status):
    """An InfluxDB that refuses what is older than its retention: what it stores, and a writer to it."""
    stored = set()

    class Writer(Listed):
        def __init__(self, clock):
            super().__init__([], clock)

        def send(self, body):
            self.times.append(self.clock.monotonic())
            lines = body.split(b"\n")
            old = [line for line in lines if int(line.rsplit(b" ", 1)[1]) < cutoff]
            stored.update(set(lines) - set(old))
            text = f"partial write: points beyond retention policy dropped={len(old)}"
            return InfluxWriter(settings("http://x"))._judge(status if old else 204, {}, text.encode())

    return stored, Writer


@pytest.mark.parametrize("status_code", [400, 422, 500])
def test_what_is_older_than_the_retention_holds_nothing_newer(tmp_path, status_code):
    """7 000 entries, the first 6 000 too old: the young ones arrive, the old ones are counted, in some 40 requests."""

    async def main():
        clock = Clock()
        journal = await filled(tmp_path / "journal.db", 7_000)
        stored, make = retention(10**18 + 6_000 * 1_000, status_code)
        writer = make(clock)
        outbox = Outbox(journal, writer, clock, sink="s", tags={"run": "r1"})
        status = await outbox.drain(60)
        await outbox.close()
        await journal.commit()
        dead = journal._store.db.execute("SELECT seq, line, reason FROM dead ORDER BY seq").fetchall()
        await journal.close()
        return status, dead, len(stored), len(writer.times)

    status, dead, stored, requests = run(main, rate=float("inf"))
    assert (status.backlog, status.sent, status.refused, status.last_error) == (0, 1_000, 6_000, "")
    assert stored == 1_000
    assert requests <= 40
    assert "beyond retention policy" in status.refusal
    assert [(seq, line) for seq, line, _ in dead] == [(1, b""), (5_001, b"")]
    assert "5000 lines of the entries up to 5000" in dead[0][2]


@pytest.mark.parametrize("place", [0, 149, 299])
def test_a_line_that_the_database_fails_at_again_and_again_is_kept_apart(tmp_path, place):
    """500 for every request that holds it, although the server is well: it costs half a minute, not the rest."""
    stamp = str(10**18 + place * 1_000).encode()

    async def main():
        clock = Clock()
        journal = await filled(tmp_path / "journal.db", 300)
        writer = Listed([], clock)
        took = set()

        def send(body):
            lines = body.split(b"\n")
            if any(line.endswith(stamp) for line in lines):
                return Answer(Outcome.UNAVAILABLE, "HTTP 500 panic", 500)
            took.update(lines)
            return Answer(Outcome.STORED)

        writer.send = send
        outbox = Outbox(journal, writer, clock, sink="s", tags={"run": "r1"}, jitter=random.Random(1))
        status = await outbox.drain(300)
        await outbox.close()
        await journal.close()
        return status, len(took), clock.monotonic()

    status, took, now = run(main, rate=float("inf"))
    assert (status.backlog, status.sent, status.refused, took) == (0, 299, 1, 299)
    assert now < 60


def test_a_database_that_is_ill_loses_no_line(tmp_path):
    """500 to everything for ten minutes: nothing is kept apart, and all is sent when it is well."""

    async def main():
        clock = Clock()
        journal = await filled(tmp_path / "journal.db", 300)
        writer = Listed([], clock)
        writer.send = lambda _: Answer(
            Outcome.UNAVAILABLE if clock.monotonic() < 600 else Outcome.STORED, "HTTP 500", 500
        )
        outbox = Outbox(journal, writer, clock, sink="s", tags={"run": "r1"}, jitter=random.Random(1))
        status = await outbox.drain(900)
        await outbox.close()
        await journal.close()
        return status

    status = run(main, rate=float("inf"))
    assert (status.backlog, status.sent, status.refused) == (0, 300, 0)


def test_lines_that_are_all_bad_do_not_hold_what_comes_after_them(tmp_path):
    """200 bad lines in a batch of their own (a field that was a text once): the newest shows that it is the lines."""

    async def main():
        clock = Clock()
        journal = await filled(tmp_path / "journal.db", 400)
        writer = Listed([], clock)
        writer.send = lambda body: Answer(
            Outcome.REJECTED if any(int(line[-6:-3]) < 200 for line in body.split(b"\n")) else Outcome.STORED,
            "HTTP 400",
            400,
        )
        outbox = Outbox(journal, writer, clock, sink="s", tags={"run": "r1"})
        outbox._max_bytes = 200 * 80
        status = await outbox.drain(300)
        await outbox.close()
        await journal.close()
        return status

    status = run(main, rate=float("inf"))
    assert (status.backlog, status.sent, status.refused) == (0, 200, 200)


def test_a_push_says_how_far_it_is_and_ends_when_the_database_takes_nothing(tmp_path, monkeypatch):
    async def record():
        await (await filled(tmp_path / "journal.db", 700)).close()

    run(record)
    monkeypatch.setattr(push_module, "PATIENCE_S", 1.5)
    monkeypatch.setattr(push_module, "TOLD_EVERY_S", 0.2)
    heard = []
    with ScriptedDatabase([Reply(503)] * 99) as database:
        started = time.monotonic()
        status = run(lambda: resume_outbox(tmp_path, settings(database.url), report=heard.append))
        assert time.monotonic() - started < 6
    assert status.backlog == 700
    assert heard
    assert {each.backlog for each in heard} == {700}
    with ScriptedDatabase([Reply(401)] * 9) as database:
        status = run(lambda: resume_outbox(tmp_path, settings(database.url)))
        assert status.is_alarm
        assert len(database.requests) == 1


def test_too_big_is_halved_until_it_fits_and_stays_small(tmp_path):
    with ScriptedDatabase(limit=20_000) as database:
        status, _ = deliver(tmp_path, 3_000, database)
        sizes = [len(request.body) for request in database.requests]
    assert (status.backlog, len(database.points)) == (0, 3_000)
    assert sum(size > 20_000 for size in sizes) <= 4


@pytest.mark.parametrize("status_code", [401, 403, 404, 302, 307, 200, 405])
def test_denied_keeps_everything_raises_an_alarm_and_waits_a_minute(tmp_path, status_code):
    page = b"<html>please log in</html>"
    headers = {"Location": "http://127.0.0.1:9/steal", "Content-Type": "text/html"}
    with ScriptedDatabase([Reply(status_code, headers, page, stores=False)] * 9) as database:
        started = time.monotonic()
        status, dead = deliver(tmp_path, 10, database, at_most=30)
        assert time.monotonic() - started < 10, "a drain does not sit out a wait that is longer than what is left"
        assert len(database.requests) == 1
    assert (status.backlog, status.is_alarm, dead) == (10, True, [])
    assert f"HTTP {status_code}" in status.last_error
    assert status.since > 0


def test_a_denied_token_is_read_again_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox_module, "DENIED_RETRY_S", 0.05)
    file = tmp_path / "influx.token"
    file.write_text("new-token\n")
    with ScriptedDatabase([Reply(401)]) as database:
        status, _ = deliver(tmp_path, 3, database, token_file=file)
        used = [request.headers["authorization"] for request in database.requests]
    assert used == [f"Token {TOKEN}", "Token new-token"]
    assert (status.backlog, status.is_alarm, status.last_error) == (0, False, "")


@pytest.mark.parametrize("status_code", [500, 502, 504, 429, 503])
def test_later_is_later_with_identical_bytes(tmp_path, status_code):
    with ScriptedDatabase([Reply(status_code, body=b"\x1b[31mbusy"), Reply(status_code)]) as database:
        status, _ = deliver(tmp_path, 20, database, at_most=200, rate=20.0)
        bodies = [request.body for request in database.requests]
    assert (status.backlog, status.last_error, len(bodies)) == (0, "", 3)
    assert bodies[0] == bodies[1] == bodies[2]


def test_a_connection_that_dies_after_storing_changes_nothing(tmp_path):
    with ScriptedDatabase([Reply(drop=True, stores=True), Reply(drop=True)]) as database:
        status, _ = deliver(tmp_path, 50, database, at_most=200, rate=20.0)
    assert (status.backlog, len(database.points), database.conflicts) == (0, 50, [])
    assert len({request.body for request in database.requests}) == 1


def test_a_huge_body_is_not_read_to_its_end(tmp_path):
    with ScriptedDatabase([Reply(500, body=b"x" * 50_000_000)]) as database:
        status, _ = deliver(tmp_path, 5, database)
    assert status.backlog == 0


def test_errors_show_no_token_and_no_control_characters(tmp_path):
    body = f"bad token {TOKEN}\x1b[2J\nnext".encode()
    with ScriptedDatabase([Reply(401, body=body)]) as database:
        status, _ = deliver(tmp_path, 5, database, at_most=2)
    assert status.last_error == "HTTP 401 bad token *** [2J next"
    assert TOKEN not in repr(settings(database.url))


def test_a_database_that_comes_back_is_noticed_within_seconds(tmp_path):
    database = ScriptedDatabase()
    database.start()
    database.stop()

    async def main():
        journal = await filled(tmp_path / "journal.db", 20)
        outbox = fresh(journal, database.url)
        task = asyncio.ensure_future(outbox.run())
        await asyncio.sleep(1.5)
        status = outbox.status
        assert (status.backlog, status.is_alarm) == (20, False)
        assert "cannot connect" in status.last_error
        database.start()
        async with asyncio.timeout(8):
            while outbox.status.backlog:
                await asyncio.sleep(0.05)
        assert outbox.status.last_error == ""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
        await journal.close()

    try:
        run(main)
    finally:
        database.stop()
    assert len(database.points) == 20


def test_the_position_survives_and_only_the_rest_is_sent(tmp_path):
    with ScriptedDatabase() as database:
        deliver(tmp_path, 10, database)
        assert len(database.requests) == 1

        async def again():
            journal = await Journal.reopen(tmp_path / "journal.db", Clock())
            journal.add_event("resumed")
            await journal.commit()
            outbox = fresh(journal, database.url)
            assert outbox.status.backlog == 1
            await outbox.drain(5)
            await outbox.close()
            await journal.close()

        run(again)
    assert [len(request.lines) for request in database.requests] == [10, 1]


def test_a_late_push_sends_what_is_owed_and_leaves_the_journal_alone(tmp_path):
    async def record():
        await (await filled(tmp_path / "journal.db", 700)).close()

    run(record)
    before = (tmp_path / "journal.db").read_bytes()
    with ScriptedDatabase(refuses=lambda line: line.endswith(b"0000000000000123000")) as database:

        def push():
            return run(lambda: resume_outbox(tmp_path, settings(database.url)))

        assert (push().backlog, push().backlog) == (0, 0)
        assert sum(len(request.lines) for request in database.requests) >= 700
        requests = len(database.requests)
        assert push().sent == 0
        assert len(database.requests) == requests
    assert len(database.points) == 700
    assert (tmp_path / "journal.db").read_bytes() == before
    with open_for_reading(tmp_path / "journal.db") as reader:
        assert reader.check() == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0), ("0", 1.0), ("-5", 1.0), ("1000000000", 300.0), ("9" * 5000, 300.0), ("soon", None), ("", None),
        (None, None), ("1.5", None), (email.utils.formatdate(1_000_020, usegmt=True), 20.0),
        (email.utils.formatdate(0, usegmt=True), 1.0), ("Thu, 99 Foo 2026 00:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_honoured_within_bounds(header, seconds):
    assert retry_after(header, now=1_000_000.0) == seconds


class Listed:
    """A writer that gives listed answers and remembers when it was asked, in the clock's time."""

    def __init__(self, answers, clock):
        self.answers, self.clock, self.times, self.renewed = list(answers), clock, [], 0

    def send(self, body):
        self.times.append(self.clock.monotonic())
        return self.answers.pop(0) if self.answers else Answer(Outcome.STORED)

    def renew_token(self):
        self.renewed += 1

    def close(self):
        pass


@pytest.mark.parametrize(
    ("answer", "shortest", "longest"),
    [
        (Answer(Outcome.DENIED, "401"), 60.0, 60.1),
        (Answer(Outcome.BUSY, "429", 429, 123.0), 123.0, 123.1),
        (Answer(Outcome.BUSY, "503", 503, None), 0.25, 60.0),
        (Answer(Outcome.UNAVAILABLE, "500"), 0.25, 60.0),
        (Answer(Outcome.UNREACHABLE, "refused"), 0.25, 5.0),
    ],
)
def test_waits_are_those_of_the_outcome(tmp_path, answer, shortest, longest):
    async def main():
        clock = Clock()
        journal = await filled(tmp_path / "journal.db", 5)
        writer = Listed([answer] * 40, clock)
        outbox = Outbox(journal, writer, clock, sink="s", tags={}, jitter=random.Random(3))
        task = asyncio.ensure_future(outbox.run())
        while outbox.status.backlog:
            await clock.sleep(5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
        await journal.close()
        return [later - earlier for earlier, later in zip(writer.times, writer.times[1:], strict=False)], writer.renewed

    gaps, renewed = run(main, rate=float("inf"))
    assert len(gaps) == 40
    assert min(gaps) >= shortest
    assert max(gaps) <= longest
    assert gaps[0] <= max(1.0, shortest + 0.1), "the first retry comes soon"
    assert renewed == (40 if answer.outcome is Outcome.DENIED else 0)


def test_a_journal_that_cannot_be_read_is_an_alarm_not_an_error(tmp_path):
    async def main():
        clock = Clock()
        journal = await filled(tmp_path / "journal.db", 5)
        outbox = Outbox(journal, Listed([], clock), clock, sink="s", tags={})
        journal._store.db.execute("DROP TABLE frame")
        status = await outbox.drain(5)
        assert (status.backlog, status.is_alarm) == (5, True)
        assert "cannot be read" in status.last_error
        task = asyncio.ensure_future(outbox.run())
        await clock.sleep(200)
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
        await journal.close()

    run(main, rate=float("inf"))


def test_settings_that_cannot_work_are_refused():
    for wrong in (
        {"url": "influx:8086", "bucket": "b"}, {"url": "ftp://x", "bucket": "b"},
        {"url": "http://u:p@x", "bucket": "b"},
        {"url": "http://x"}, {"url": "http://x", "api": "v1"}, {"url": "http://x?token=1", "bucket": "b"},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            InfluxSettings(**wrong)


class Moody:
    """A database in memory that answers at random but keeps to its own rules, and sometimes stores before it fails."""

    def __init__(self, seed, poison):
        self.rng, self.poison, self.stored, self.requests = random.Random(seed), poison, {}, 0

    def send(self, body):
        self.requests += 1
        lines = body.split(b"\n")
        mood = self.rng.choice(["well", "well", "well", "late", "busy", "denied", "big", "gone", "ill"])
        if mood == "ill":
            return Answer(Outcome.UNAVAILABLE, "HTTP 500", 500)
        if mood == "denied":
            return Answer(Outcome.DENIED, "401")
        if mood == "busy":
            return Answer(Outcome.BUSY, "429", 429, self.rng.choice([None, 1.0, 300.0]))
        if mood == "gone":
            return Answer(Outcome.UNREACHABLE, "refused")
        if mood == "big" and len(lines) > 3:
            return Answer(Outcome.TOO_BIG, "413")
        good = [line for line in lines if line not in self.poison]
        if len(good) == len(lines) or self.rng.random() < 0.5:
            for line in good:
                assert self.stored.setdefault(line.rsplit(b" ", 1)[1], line) == line
        if mood == "late":
            return Answer(Outcome.UNAVAILABLE, "timeout")
        return Answer(Outcome.STORED) if len(good) == len(lines) else Answer(Outcome.REJECTED, "400")

    def renew_token(self):
        pass

    def close(self):
        pass


@pytest.mark.parametrize("seed", range(25))
def test_whatever_the_database_does_every_line_is_stored_or_kept_apart(tmp_path, seed):
    rng = random.Random(seed)
    count = rng.choice([1, 7, 300, 1100])
    bad = set(rng.sample(range(count), rng.choice([0, 1, count // 20])))
    line = "cdu,device=cdu,run=r1 flow={},heat={} {}"
    lines = [line.format(n + 0.5, -1.5 * n, 10**18 + n * 1_000).encode() for n in range(count)]
    moody = Moody(seed, {lines[number] for number in bad})

    async def main():
        journal = await filled(tmp_path / "journal.db", count)
        outbox = Outbox(journal, moody, Clock(), sink="s", tags={"run": "r1"}, jitter=random.Random(seed))
        task = asyncio.ensure_future(outbox.run())
        while outbox.status.backlog:
            await asyncio.sleep(10)
        status = outbox.status
        await journal.commit()
        dead = journal._store.db.execute("SELECT line FROM dead ORDER BY seq").fetchall()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
        await journal.close()
        return status, dead

    status, dead = run(main, rate=float("inf"))
    assert (status.sent, status.refused, status.last_error) == (count - len(bad), len(bad), "")
    assert [moody.stored[stamp] for stamp in sorted(moody.stored)] == [
        text for number, text in enumerate(lines) if number not in bad
    ]
    assert [row[0] for row in dead] == [lines[number] for number in sorted(bad)]


def test_a_database_that_hangs_holds_up_neither_the_run_nor_its_end(tmp_path):
    with ScriptedDatabase([Reply(delay=30)]) as database:

        async def main():
            journal = await filled(tmp_path / "journal.db", 10)
            outbox = fresh(journal, database.url)
            task = asyncio.ensure_future(outbox.run())
            await asyncio.sleep(0.1)
            before = time.monotonic()
            for number in range(20):
                journal.add_event("intent", number=number)
                await journal.commit()
            assert time.monotonic() - before < 2
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (await outbox.drain(0.3)).backlog == 30
            await outbox.close()
            await journal.close()
            return time.monotonic() - before

        assert run(main) < 6
        database.pause.set()
        deadline = time.monotonic() + 5
        while any(thread.name == "outbox" for thread in threading.enumerate()):
            assert time.monotonic() < deadline, "the thread ends when its request does"
            time.sleep(0.01)


def test_an_answer_that_drips_for_ever_ends_at_a_deadline_of_the_whole(tmp_path, monkeypatch):
    """One byte of a header every tenth of a second: the library waits again for each."""
    monkeypatch.setattr(outbox_module, "REQUEST_S", 1.0)
    over = threading.Event()
    heard, threads = [], []

    def serve(server):
        server.settimeout(0.1)
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                heard.append(server.accept()[0])
                heard[-1].settimeout(5.0)
                threads.append(threading.Thread(target=drip if len(heard) == 1 else well, args=(heard[-1],)))
                threads[-1].start()

    def drip(connection):
        with contextlib.suppress(OSError):
            connection.sendall(b"HTTP/1.1 204 No Content\r\nX: ")
            while not over.wait(0.1):
                connection.sendall(b"x")

    def well(connection):
        with contextlib.suppress(OSError):
            connection.recv(1 << 20)
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def main(url):
        journal = await filled(tmp_path / "journal.db", 3)
        outbox = fresh(journal, url)
        started = time.monotonic()
        status = await outbox.drain(20)
        took = time.monotonic() - started
        await outbox.close()
        await journal.close()
        return status, took

    with socket.create_server(("127.0.0.1", 0)) as server:
        threads.append(threading.Thread(target=serve, args=(server,)))
        threads[0].start()
        status, took = run(lambda: main(f"http://127.0.0.1:{server.getsockname()[1]}"))
        over.set()
        for thread in threads:
            thread.join()
        for connection in heard:
            connection.close()
    assert (status.backlog, status.sent) == (0, 3)
    assert took < 8
    assert len(heard) >= 2
