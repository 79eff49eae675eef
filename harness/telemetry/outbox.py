"""The outbox: copies the journal to a database, in order, at least once, and never in the way of the run.

It keeps no queue of its own. The journal is the queue; a position in it says how far the database has acknowledged.
A batch is built once and re-sent byte for byte, so that sending twice stores once.

```
stored      -> next          rejected    -> see `batch`: the bad lines are kept apart, the others go on
too big     -> halve         denied      -> alarm, keep everything, try once a minute with the token read again
busy        -> as asked, 1 s to 5 min     unavailable -> backoff with full jitter, up to a minute; then as rejected
unreachable -> the same, up to 5 s: a refused connection costs nobody anything, and the return is noticed soon
```
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from harness.clock import Clock
from harness.errors import TelemetryError
from harness.telemetry.batch import Batch, Horizon, Line, Refused
from harness.telemetry.influx import Answer, InfluxSettings, InfluxWriter, Outcome
from harness.telemetry.lines import LineWriter
from harness.telemetry.rows import Entry
from harness.telemetry.sinkthread import SinkThread

MAX_LINES = 5_000
MAX_BYTES = 1 << 20
READ_AT_ONCE = 500
IDLE_S = 1.0
DENIED_RETRY_S = 60.0
BACKOFF_S = (1.0, 60.0)
UNREACHABLE_CAP_S = 5.0
REQUEST_S = 75.0
"""Longest request, from connecting to the end of its answer, seconds: the library's own limits are for each byte."""
MOST_ABANDONED = 4
"""Threads that may be left behind with an answer that never ends; then nothing is sent until one of them is free."""
NEWEST = 50
"""So many of the newest entries are looked at for one that has a line."""


class Source(Protocol):
    """Where entries come from and positions are kept: the journal of a run, or a sealed run's folder."""

    @property
    def last_seq(self) -> int:
        """The highest sequence number that is durable."""

    def position(self, sink: str) -> int:
        """The highest sequence number that `sink` has acknowledged."""

    async def read_entries(self, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        """Entries in order, and the sequence number they reach to."""

    async def advance(self, sink: str, seq: int, refused: Iterable[Refused] = ()) -> None:
        """Keep a position, and the lines that the sink refused for good."""


class Writer(Protocol):
    """What sends a batch: blocking, one outcome."""

    def send(self, body: bytes) -> Answer:
        """Send lines, joined by newlines."""

    def renew_token(self) -> None:
        """Read the token again."""

    def close(self) -> None:
        """Drop connections."""


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """How the copy is doing. `backlog` in journal entries; `sent` and `refused` (for good) in lines of this session.

    `last_error` and `since` (UTC ns) describe the present trouble, '' and 0 when there is none; `is_alarm` says that a
    person must act, because waiting does not help.
    """

    backlog: int
    last_error: str
    since: int
    sent: int
    refused: int
    is_alarm: bool = False
    refusal: str = ""
    """Why the last of the refused lines was."""


def run_tags(meta: Mapping[str, Any]) -> dict[str, str]:
    """The tags every line of a run carries, by the journal's meta: run, serial, station, and `engineering`: yes or no.

    Runs of before that was said have no such tag, so that sending them again changes nothing.
    """
    tags = {key: str(meta[key]) for key in ("run", "serial", "station") if meta.get(key)}
    if "engineering" in meta:
        tags["engineering"] = "yes" if meta["engineering"] else "no"
    return tags


class Outbox:
    """Sends one journal to one sink. `run` is the background task; `drain` catches up at the end."""

    def __init__(
        self,
        source: Source,
        writer: Writer,
        clock: Clock,
        *,
        sink: str,
        tags: Mapping[str, str],
        jitter: random.Random | None = None,
    ) -> None:
        self._source = source
        self._writer = writer
        self._clock = clock
        self._sink = sink
        self._lines = LineWriter(tags)
        self._jitter = jitter or random.Random()
        self._thread = SinkThread("outbox")
        self._abandoned: list[SinkThread] = []
        self._turn = asyncio.Lock()
        self._max_bytes = MAX_BYTES
        self._batch: Batch | None = None
        self._horizon = Horizon()
        self._witness = b""
        self._repeats = 0
        self._attempt = 0
        self._must_renew = False
        self._error, self._since, self._alarm = "", 0, False
        self._sent = self._refused = 0
        self._refusal = ""

    @classmethod
    def to_influxdb(cls, source: Source, settings: InfluxSettings, clock: Clock, tags: Mapping[str, str]) -> Outbox:
        """The outbox of a run to InfluxDB."""
        return cls(source, InfluxWriter(settings), clock, sink=settings.sink, tags=tags)

    @property
    def status(self) -> OutboxStatus:
        """How the copy is doing, for the live view."""
        backlog = max(0, self._source.last_seq - self._source.position(self._sink))
        return OutboxStatus(backlog, self._error, self._since, self._sent, self._refused, self._alarm, self._refusal)

    async def run(self) -> None:
        """Send what becomes durable, until cancelled. Never raises for what the database does."""
        while True:
            try:
                wait = await self._step()
            except TelemetryError as error:  # the journal has its own alarm; the copy just waits
                self._trouble(str(error), is_alarm=True)
                wait = DENIED_RETRY_S
            await self._clock.sleep(wait)

    async def drain(self, at_most: float, *, patience: float = math.inf) -> OutboxStatus:
        """Catch up, for at most so many seconds; gives up at once when a wait would be longer than what is left.

        With `patience` it also gives up when nothing was taken for so many seconds, or waiting does not help. Never
        raises: a copy that is behind is reported by its status, and does not spoil the record.
        """
        deadline = self._clock.monotonic() + at_most
        moved_at, moved_to = self._clock.monotonic(), self._progress
        try:
            async with self._clock.timeout(at_most):
                while self._batch is not None or self._source.position(self._sink) < self._source.last_seq:
                    wait = await self._step()
                    now = self._clock.monotonic()
                    if self._progress != moved_to:
                        moved_at, moved_to = now, self._progress
                    is_vain = now + wait > moved_at + patience or (self._alarm and patience < math.inf)
                    if now + wait > deadline or is_vain:
                        break
                    await self._clock.sleep(wait)
        except TimeoutError:
            pass
        except TelemetryError as error:
            self._trouble(str(error), is_alarm=True)
        return self.status

    @property
    def _progress(self) -> tuple[int, int]:
        """What changes when the database takes something."""
        return self._source.position(self._sink), self._batch.accepted if self._batch is not None else 0

    async def close(self) -> None:
        """Close the connection and end the thread; a request that hangs is left behind after two seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self._clock.blocking(self._thread, self._writer.close)
        self._thread.shutdown()

    # ---- one request at a time

    async def _step(self) -> float:
        """Send one request; returns the seconds to wait before the next."""
        async with self._turn:
            batch = self._batch = self._batch or await self._fill()
            if batch is None:
                return IDLE_S
            wait = 0.0
            if not batch.is_done:
                wait = self._act(batch, await self._ask(batch.body))
            if batch.is_place_doubted:
                wait = await self._look_at_place(batch)
            if batch.is_done and not batch.is_place_doubted:
                await self._finish(batch)
            elif wait and batch.is_whole:
                # built again next time, with what is younger: one bad line must not hold what follows it
                self._batch, self._repeats = None, batch.repeats
            return wait

    async def _ask(self, body: bytes) -> Answer:
        """One request and its answer. A thread that is still at it when time is up is left behind."""
        self._abandoned = [thread for thread in self._abandoned if thread.is_busy]
        if len(self._abandoned) >= MOST_ABANDONED:
            return Answer(Outcome.UNAVAILABLE, f"{MOST_ABANDONED} requests before are still being answered")
        try:
            # the database's time is real; in virtual time the request is made in place
            async with self._clock.timeout(None if self._clock.is_virtual else REQUEST_S * self._clock.rate):
                return await self._clock.blocking(self._thread, self._send, body)
        except TimeoutError:
            self._thread.shutdown(wait=False)
            self._abandoned.append(self._thread)
            self._thread = SinkThread("outbox")
            self._writer.close()
            return Answer(Outcome.UNAVAILABLE, f"no whole answer within {REQUEST_S:g} s")

    def _send(self, body: bytes) -> Answer:
        """In the sink's thread."""
        if self._must_renew:
            self._writer.renew_token()
            self._must_renew = False
        return self._writer.send(body)

    async def _fill(self) -> Batch | None:
        """The next batch; None when there is nothing to send."""
        position = self._source.position(self._sink)
        lines: list[Line] = []
        size = 0
        reached = position
        is_full = False
        while not is_full and len(lines) + READ_AT_ONCE <= MAX_LINES:
            entries, upto = await self._source.read_entries(reached, READ_AT_ONCE)
            if upto == reached:
                break
            for seq, line in await self._clock.blocking(self._thread, self._build, entries):
                if lines and size + len(line) + 1 > self._max_bytes:
                    is_full = True
                    break
                lines.append((seq, line))
                size += len(line) + 1
            reached = lines[-1][0] if is_full else upto
        if lines:
            return Batch(lines, reached, self._horizon, self._witness, self._repeats)
        if reached > position:  # nothing but entries that have no line
            await self._source.advance(self._sink, reached)
        return None

    def _build(self, entries: list[Entry]) -> list[Line]:
        built = ((entry.seq, self._lines.line(entry)) for entry in entries)
        return [(seq, line) for seq, line in built if line is not None]

    async def _finish(self, batch: Batch) -> None:
        await self._source.advance(self._sink, batch.reached, batch.refused)
        self._sent += batch.stored_lines
        self._refused += batch.refused_lines
        if batch.refused:
            self._refusal = batch.refused[-1].reason
        self._witness, self._repeats, self._batch = batch.witness, 0, None

    def _act(self, batch: Batch, answer: Answer) -> float:
        """Apply an outcome to the batch; returns the seconds to wait."""
        outcome = answer.outcome
        if outcome is Outcome.STORED:
            self._well()
            return batch.stored()
        if outcome is Outcome.TOO_BIG and (bound := batch.too_big()):
            self._max_bytes = bound
            return 0.0
        if outcome in (Outcome.REJECTED, Outcome.TOO_BIG):
            batch.reject(answer.reason)
            return 0.0
        if outcome is Outcome.DENIED:
            return self._denied(answer.reason)
        self._trouble(answer.reason, is_alarm=False)
        if outcome is Outcome.BUSY and answer.retry_after_s is not None:
            return answer.retry_after_s
        if outcome is Outcome.UNAVAILABLE and answer.status >= 500 and batch.fail(answer.reason):
            return 0.0
        return self._backoff(UNREACHABLE_CAP_S if outcome is Outcome.UNREACHABLE else BACKOFF_S[1])

    async def _look_at_place(self, batch: Batch) -> float:
        """Every line so far was refused: if the newest of all is taken, it is the lines, else the place is wrong."""
        last = self._source.last_seq
        entries, _ = await self._source.read_entries(max(0, last - NEWEST), NEWEST)
        newest = await self._clock.blocking(self._thread, self._build, entries)
        reason = batch.refused[-1].reason
        if newest:
            answer = await self._ask(newest[-1][1])
            if answer.outcome is Outcome.STORED:
                batch.trust_place()
                return 0.0
            if answer.outcome not in (Outcome.REJECTED, Outcome.DENIED):
                self._trouble(answer.reason, is_alarm=False)
                return self._backoff(BACKOFF_S[1])
        batch.restore()
        return self._denied(f"every line is refused: {reason}")

    def _denied(self, reason: str) -> float:
        self._trouble(reason, is_alarm=True)
        self._must_renew = True
        return DENIED_RETRY_S

    def _backoff(self, cap: float) -> float:
        """Full jitter: anything from a quarter second to the doubled bound, the first bound being a second."""
        bound = min(cap, BACKOFF_S[0] * 2.0 ** min(self._attempt, 10))
        self._attempt += 1
        return self._jitter.uniform(0.25, bound)

    def _trouble(self, reason: str, *, is_alarm: bool) -> None:
        if not self._error:
            self._since = self._clock.wall_ns()
        self._error, self._alarm = reason, is_alarm

    def _well(self) -> None:
        self._error, self._since, self._alarm, self._attempt = "", 0, False, 0
