"""The outbox: copies the journal to a database, in order, at least once, and never in the way of the run.

It keeps no queue of its own. The journal is the queue; a position in it says how far the database has acknowledged.
A batch is built once and re-sent byte for byte, so that sending twice stores once.

```
stored      -> next          rejected    -> halve until the bad line is alone; keep it apart with the reason; go on
too big     -> halve         denied      -> alarm, keep everything, try once a minute with the token read again
busy        -> as asked, 1 s to 5 min     unavailable -> backoff with full jitter, up to a minute
unreachable -> the same, up to 5 s: a refused connection costs nobody anything, and the return is noticed soon
```
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from harness.clock import Clock
from harness.errors import TelemetryError
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
ALL_REFUSED = 64
"""So many bad lines without one good line: not the lines are wrong but the place they are sent to."""

Line = tuple[int, bytes]


class Source(Protocol):
    """Where entries come from and positions are kept: the journal of a run, or a sealed run's folder."""

    @property
    def last_seq(self) -> int:
        """The highest sequence number that is durable."""

    def position(self, sink: str) -> int:
        """The highest sequence number that `sink` has acknowledged."""

    async def read_entries(self, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        """Entries in order, and the sequence number they reach to."""

    async def advance(self, sink: str, seq: int, dead: Iterable[tuple[int, bytes, str]] = ()) -> None:
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
    """How the copy is doing. `backlog` in journal entries; `sent` and `dead` in lines of this session.

    `last_error` and `since` (UTC ns) describe the present trouble, '' and 0 when there is none; `is_alarm` says that a
    person must act, because waiting does not help.
    """

    backlog: int
    last_error: str
    since: int
    sent: int
    dead: int
    is_alarm: bool = False


def run_tags(meta: Mapping[str, Any]) -> dict[str, str]:
    """The tags every line of a run carries, from the journal's meta: run, serial, station."""
    return {key: str(meta[key]) for key in ("run", "serial", "station") if meta.get(key)}


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
        self._turn = asyncio.Lock()
        self._max_bytes = MAX_BYTES
        self._work: deque[list[Line]] = deque()
        self._batch: list[Line] = []
        self._reached = 0
        self._dead: list[tuple[int, bytes, str]] = []
        self._accepted = 0
        self._attempt = 0
        self._must_renew = False
        self._error, self._since, self._alarm = "", 0, False
        self._sent_total = 0
        self._dead_total = 0

    @classmethod
    def to_influxdb(cls, source: Source, settings: InfluxSettings, clock: Clock, tags: Mapping[str, str]) -> Outbox:
        """The outbox of a run to InfluxDB."""
        return cls(source, InfluxWriter(settings), clock, sink=settings.sink, tags=tags)

    @property
    def status(self) -> OutboxStatus:
        """How the copy is doing, for the live view."""
        backlog = max(0, self._source.last_seq - self._source.position(self._sink))
        return OutboxStatus(backlog, self._error, self._since, self._sent_total, self._dead_total, self._alarm)

    async def run(self) -> None:
        """Send what becomes durable, until cancelled. Never raises for what the database does."""
        while True:
            try:
                wait = await self._step()
            except TelemetryError as error:  # the journal has its own alarm; the copy just waits
                self._trouble(str(error), is_alarm=True)
                wait = DENIED_RETRY_S
            await self._clock.sleep(wait)

    async def drain(self, at_most: float) -> OutboxStatus:
        """Catch up, for at most so many seconds; gives up at once when a wait would be longer than what is left.

        Never raises: a copy that is behind is told by its status, and does not spoil the record.
        """
        deadline = self._clock.monotonic() + at_most
        try:
            async with self._clock.timeout(at_most):
                while self._work or self._source.position(self._sink) < self._source.last_seq:
                    wait = await self._step()
                    if self._clock.monotonic() + wait > deadline:
                        break
                    await self._clock.sleep(wait)
        except TimeoutError:
            pass
        except TelemetryError as error:
            self._trouble(str(error), is_alarm=True)
        return self.status

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
            if not self._work and not await self._fill():
                return IDLE_S
            part = self._work[0]
            answer = await self._clock.blocking(self._thread, self._send, part)
            wait = self._act(part, answer)
            if not self._work and wait == 0.0:
                await self._finish()
            return wait

    def _send(self, part: list[Line]) -> Answer:
        """In the sink's thread."""
        if self._must_renew:
            self._writer.renew_token()
            self._must_renew = False
        return self._writer.send(b"\n".join(line for _, line in part))

    async def _fill(self) -> bool:
        """Build the next batch; False when there is nothing to send."""
        position = self._source.position(self._sink)
        batch: list[Line] = []
        size = 0
        reached = position
        is_full = False
        while not is_full and len(batch) + READ_AT_ONCE <= MAX_LINES:
            entries, upto = await self._source.read_entries(reached, READ_AT_ONCE)
            if upto == reached:
                break
            lines = await self._clock.blocking(self._thread, self._build, entries)
            for seq, line in lines:
                if batch and size + len(line) + 1 > self._max_bytes:
                    is_full = True
                    break
                batch.append((seq, line))
                size += len(line) + 1
            reached = batch[-1][0] if is_full else upto
        if batch:
            self._batch, self._reached, self._dead, self._accepted = batch, reached, [], 0
            self._work.append(batch)
        elif reached > position:  # nothing but entries that have no line
            await self._source.advance(self._sink, reached)
        return bool(batch)

    def _build(self, entries: list[Entry]) -> list[Line]:
        built = ((entry.seq, self._lines.line(entry)) for entry in entries)
        return [(seq, line) for seq, line in built if line is not None]

    async def _finish(self) -> None:
        await self._source.advance(self._sink, self._reached, self._dead)
        self._sent_total += len(self._batch) - len(self._dead)
        self._dead_total += len(self._dead)
        self._batch = []

    def _act(self, part: list[Line], answer: Answer) -> float:
        """Apply an outcome to the work that is left; returns the seconds to wait."""
        outcome = answer.outcome
        if outcome is Outcome.STORED:
            self._work.popleft()
            self._accepted += len(part)
            self._well()
            return 0.0
        if outcome in (Outcome.REJECTED, Outcome.TOO_BIG):
            return self._divide(part, answer)
        if outcome is Outcome.DENIED:
            return self._denied(answer.reason)
        self._trouble(answer.reason, is_alarm=False)
        if outcome is Outcome.BUSY and answer.retry_after_s is not None:
            return answer.retry_after_s
        return self._backoff(UNREACHABLE_CAP_S if outcome is Outcome.UNREACHABLE else BACKOFF_S[1])

    def _divide(self, part: list[Line], answer: Answer) -> float:
        self._work.popleft()
        if len(part) > 1:
            if answer.outcome is Outcome.TOO_BIG:
                # All that waits is divided at once, or each large part would be refused on its own again.
                self._max_bytes = max(1, sum(len(line) + 1 for _, line in part) // 2)
                self._work.appendleft(part)
                self._work = deque(smaller for large in self._work for smaller in _parts(large, self._max_bytes))
            else:
                middle = len(part) // 2
                self._work.extendleft((part[middle:], part[:middle]))
            return 0.0
        seq, line = part[0]
        self._dead.append((seq, line, answer.reason))
        if not self._accepted and len(self._dead) >= ALL_REFUSED:
            self._work = deque([self._batch])
            self._dead = []
            return self._denied(f"every line is refused: {answer.reason}")
        return 0.0

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


def _parts(lines: list[Line], max_bytes: int) -> list[list[Line]]:
    """Lines in order, in parts of at most `max_bytes` (or one line)."""
    parts: list[list[Line]] = []
    size = max_bytes
    for seq, line in lines:
        size += len(line) + 1
        if size > max_bytes:
            parts.append([])
            size = len(line) + 1
        parts[-1].append((seq, line))
    return parts
