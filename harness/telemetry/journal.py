r"""The run journal: everything that a run measured, intended, did and decided, durable before anybody relies on it.

One SQLite file a run, one connection, one thread that owns it. What is added goes to memory; `commit` writes all of it
in one transaction (WAL, synchronous=FULL) and returns when the disk has it; callers that ask meanwhile share the next
transaction. Nothing is acknowledged by anything else than a finished commit.

```
add_frame, add_event -> buffer --commit--> BEGIN; insert; COMMIT (fsync) -> durable_seq
                                     \- fails: poisoned for good, reserve released, no further acknowledgement
```

Why poisoned: after a failed fsync the kernel may drop the dirty pages and report success next time, so a retry that
"works" proves nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from harness.clock import Clock
from harness.errors import TelemetryError
from harness.events import EventKind
from harness.quantity import Frame
from harness.telemetry import rows
from harness.telemetry.batch import Refused
from harness.telemetry.rows import DeviceSchema, Entry, SignalInfo, StoredEvent, StoredFrame
from harness.telemetry.store import Batch, JournalStore

T = TypeVar("T")

COMMIT_EVERY_S = 1.0
"""Longest time that telemetry is only in memory, seconds."""

VIRTUAL_COMMIT_EVERY_S = 60.0
"""The same in virtual time, where a second lasts less than a millisecond and a disk's fsync longer than that. What is
asked for by `commit` (intents, the end) is durable at once there, too."""

LOCKED_AT_MOST_S = 60.0
"""A journal that another program keeps locked for longer has failed: memory is no place for evidence."""


class Journal:
    """The writer of one run's journal. Made by `create` (or `reopen` to go on after an interruption)."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.durable_seq = 0
        self.is_failed = False
        self.failure = ""
        self.dropped = 0
        self._locked_since: float | None = None
        self._clock = clock
        self._store = JournalStore(path)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._devices: dict[str, tuple[int, int]] = {}
        self._last_wall: dict[int, int] = {}
        self._positions: dict[str, int] = {}
        self._seq = 0
        self._ticket = 0
        self._done_ticket = 0
        self._batch = Batch()
        self._flight: asyncio.Task[TelemetryError | None] | None = None

    @classmethod
    async def create(cls, path: Path, clock: Clock, meta: Mapping[str, Any]) -> Journal:
        """Make a new journal; `meta` (JSON values) describes the run. TelemetryError when it cannot be made durable."""
        journal = cls(path, clock)
        await journal._open(journal._store.create, dict(meta))
        return journal

    @classmethod
    async def reopen(cls, path: Path, clock: Clock) -> Journal:
        """Go on with the journal of an interrupted run; sequence numbers continue after the last durable row."""
        journal = cls(path, clock)
        store = journal._store
        await journal._open(store.reopen)
        journal._devices = {schema.name: (schema.id, len(schema.signals)) for schema in store.schemas.values()}
        journal._last_wall = dict.fromkeys((0, *store.schemas), store.found_wall_ns)
        journal._positions = dict(store.found_positions)
        journal._seq = journal.durable_seq = store.found_seq
        return journal

    @property
    def damage(self) -> list[str]:
        """Rows that did not match their checksum when they were read back, in words."""
        return self._store.damage

    # ---- adding: memory only, called from the loop

    def declare(self, device: str, signals: Sequence[SignalInfo], measurement: str = "rack") -> None:
        """Describe the frames of a device: its signals in order, and its class (the measurement name in InfluxDB).

        Must come before the device's first frame. Declaring again (another firmware, another profile) is allowed:
        later frames belong to the new description.
        """
        identifier = len(self._store.schemas) + 1
        schema = rows.pack_schema(signals)
        crc = rows.text_crc(str(identifier), device, measurement, schema)
        self._batch.devices.append((identifier, device, measurement, schema, crc))
        self._store.schemas[identifier] = DeviceSchema(identifier, device, tuple(signals), measurement)
        self._devices[device] = (identifier, len(signals))
        self._touch()

    def add_frame(self, frame: Frame) -> int:
        """Buffer a frame; returns its sequence number. Durable once `durable_seq` has reached that.

        Stamps of one device strictly increase in the journal (by 1 ns at least), because a sink identifies a point by
        its stamp and would overwrite an equal one.
        """
        known = self._devices.get(frame.device)
        if known is None:
            raise ValueError(f"device {frame.device!r} was not declared to the journal")
        device, count = known
        if frame.values.size != count or frame.qualities.size != count:
            raise ValueError(
                f"frame of {frame.device!r} has {frame.values.size} values, {frame.qualities.size} qualities; "
                f"{count} signals were declared"
            )
        wall_ns = max(frame.wall_ns, self._last_wall.get(device, -1) + 1)
        self._last_wall[device] = wall_ns
        blob = rows.pack_values(frame)
        mono = float(frame.mono)
        self._seq = seq = self._seq + 1
        self._touch()
        if self.is_failed:
            self.dropped += 1  # nothing will ever write it; a run of days must not fill the memory
            return seq
        self._batch.frames.append((seq, device, wall_ns, mono, blob, rows.frame_crc(seq, device, wall_ns, mono, blob)))
        return seq

    def add_event(self, kind: EventKind, /, **data: Any) -> int:
        """Buffer an event (JSON values; NaN becomes null), stamped now; returns its sequence number."""
        wall_ns = max(self._clock.wall_ns(), self._last_wall.get(0, -1) + 1)
        self._last_wall[0] = wall_ns
        mono = self._clock.monotonic()
        text = rows.to_json(data)
        self._seq = seq = self._seq + 1
        self._touch()
        if self.is_failed:
            self.dropped += 1
            return seq
        word = str(kind)
        self._batch.events.append((seq, wall_ns, mono, word, text, rows.event_crc(seq, wall_ns, mono, word, text)))
        return seq

    def _touch(self) -> None:
        self._ticket += 1

    # ---- making durable

    async def commit(self) -> None:
        """Return when everything that was added before this call is on the disk; TelemetryError when it cannot be."""
        wanted = self._ticket
        while self._done_ticket < wanted:
            if self.is_failed:
                raise self._failed_error()
            if self._flight is None:
                self._flight = asyncio.ensure_future(self._flush())
            # Shielded: a caller that is cancelled must not take the transaction of the others with it.
            problem = await asyncio.shield(self._flight)
            if problem is not None:
                raise problem

    async def run(self, every: float = COMMIT_EVERY_S) -> None:
        """Commit once a second (or `every` seconds) until cancelled; TelemetryError when the journal fails."""
        while True:
            await self._clock.sleep(every)
            try:
                await self.commit()
            except TelemetryError:
                if self.is_failed:
                    raise

    async def _flush(self) -> TelemetryError | None:
        """Write the buffer. The problem is returned, not raised: nobody may be left waiting for this task."""
        batch, self._batch = self._batch, Batch()
        batch.ticket, batch.last_seq = self._ticket, self._seq
        try:
            await self._clock.blocking(self._executor, self._store.write, batch)
        except (sqlite3.Error, OSError, RuntimeError) as error:
            if self._is_only_locked(error):
                self._put_back(batch)
                return TelemetryError(
                    f"the journal is locked by another program: {error}",
                    where=self.path.name,
                    hint="close whatever has the file open for writing",
                )
            self._poison(error)
            return self._failed_error()
        else:
            self.durable_seq = batch.last_seq
            self._done_ticket = batch.ticket
            self._locked_since = None
            return None
        finally:
            self._flight = None

    def _is_only_locked(self, error: Exception) -> bool:
        """Whether another program stands in the way, and not for too long yet: nothing was written, nothing is lost."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return False
        now = self._clock.monotonic()
        if self._locked_since is None:
            self._locked_since = now
        return now - self._locked_since < LOCKED_AT_MOST_S

    def _put_back(self, batch: Batch) -> None:
        """Return an unwritten batch to the front of the buffer (only a lock stood in its way)."""
        later = self._batch
        batch.devices += later.devices
        batch.frames += later.frames
        batch.events += later.events
        batch.positions |= later.positions
        batch.dead += later.dead
        self._batch = batch

    def _poison(self, error: Exception) -> None:
        self.is_failed = True
        self._batch = Batch()
        self.failure = str(error) or type(error).__name__
        self._store.reserve.release()

    def _failed_error(self) -> TelemetryError:
        return TelemetryError(
            f"the journal cannot be written: {self.failure}",
            where=str(self.path),
            hint="nothing after this point is recorded; free space or replace the disk, then run again",
        )

    # ---- reading back what is durable, through the same connection

    async def read_frames(self, after_seq: int, limit: int) -> list[StoredFrame]:
        """Durable frames after a sequence number, at most `limit`, in order; damaged rows are left out."""
        found = await self._read(self._store.read_frames, after_seq, limit)
        return [entry for _, entry in found if entry is not None]

    async def read_events(self, after_seq: int, limit: int) -> list[StoredEvent]:
        """Durable events after a sequence number, at most `limit`, in order; damaged rows are left out."""
        found = await self._read(self._store.read_events, after_seq, limit)
        return [entry for _, entry in found if entry is not None]

    async def read_entries(self, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        """Durable frames and events in order, at most `limit`, and the sequence number they reach to."""
        return await self._read(self._store.read_entries, after_seq, limit)

    async def _read(self, query: Callable[[int, int], T], after_seq: int, limit: int) -> T:
        """In the thread that owns the connection; TelemetryError when SQLite cannot read."""
        try:
            return await self._clock.blocking(self._executor, query, after_seq, limit)
        except (sqlite3.Error, RuntimeError) as error:
            raise TelemetryError(f"the journal cannot be read: {error}", where=str(self.path)) from error

    # ---- how far the copies (outboxes) are

    @property
    def last_seq(self) -> int:
        """The highest sequence number that is durable."""
        return self.durable_seq

    def position(self, sink: str) -> int:
        """The highest sequence number that `sink` has acknowledged."""
        return self._positions.get(sink, 0)

    async def advance(self, sink: str, seq: int, refused: Iterable[Refused] = ()) -> None:
        """Note that `sink` has everything up to `seq`, except the `refused` lines.

        Written with the next transaction: to lose the last second of it costs re-sending identical bytes, no more.
        """
        self._positions[sink] = self._batch.positions[sink] = seq
        if not self.is_failed:
            self._batch.dead += [(sink, each.seq, each.line, str(each)) for each in refused]
            self._touch()

    # ---- opening and closing

    async def _open(self, work: Callable[..., None], *args: Any) -> None:
        try:
            await self._clock.blocking(self._executor, work, *args)
        except (sqlite3.Error, OSError) as error:
            await self._clock.blocking(self._executor, self._store.abandon)
            self._executor.shutdown()
            raise TelemetryError(
                f"cannot open the journal: {error}",
                where=str(self.path),
                hint="the data folder must be writable and have free space",
            ) from error

    async def close(self) -> None:
        """Commit, fold the log into the one file, close. TelemetryError when the last commit did not succeed."""
        if not self._store.is_open:
            return
        try:
            if self._flight is not None:
                await asyncio.shield(self._flight)
            await self.commit()
        finally:
            try:
                await self._clock.blocking(self._executor, self._shut)
            except (sqlite3.Error, OSError) as error:
                self._poison(error)
            self._executor.shutdown()
        if self.is_failed:
            raise self._failed_error()

    def _shut(self) -> None:
        self._store.shut(is_failed=self.is_failed)
