"""The SQLite side of the journal: everything here runs in the one thread that owns the connection."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from harness.faultpoint import fault_point
from harness.telemetry import rows
from harness.telemetry.files import Reserve, create_file, sync_directory
from harness.telemetry.rows import (
    DamagedRowError,
    DeviceSchema,
    Entry,
    EventRow,
    FrameRow,
    StoredEvent,
    StoredFrame,
)
from harness.telemetry.wal_tail import quarantine_tail

T = TypeVar("T")


@dataclass(slots=True)
class Batch:
    """What the next transaction will hold."""

    devices: list[tuple[int, str, str, str, int]] = field(default_factory=list)
    frames: list[FrameRow] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    dead: list[tuple[str, int, bytes, str]] = field(default_factory=list)
    ticket: int = 0
    last_seq: int = 0


class JournalStore:
    """One file, one connection. Raises sqlite3.Error and OSError; the journal maps them.

    `schemas` describes the devices by id; the journal adds to it, rows are decoded by it. `found_*` is what `reopen`
    met: the last sequence number, the last stamp, and the positions of the sinks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reserve = Reserve(path.with_name(path.name + ".reserve"))
        self.schemas: dict[int, DeviceSchema] = {}
        self.damage: list[str] = []
        self.found_seq = 0
        self.found_wall_ns = -1
        self.found_positions: dict[str, int] = {}
        self._connection: sqlite3.Connection | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    @property
    def db(self) -> sqlite3.Connection:
        """The connection; sqlite3.ProgrammingError when it is closed."""
        if self._connection is None:
            raise sqlite3.ProgrammingError("the journal is closed")
        return self._connection

    def abandon(self) -> None:
        """Close after a failed opening."""
        self.reserve.release()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> sqlite3.Connection:
        # The connection is used by one thread at a time: the executor's, or the loop's own in virtual time.
        connection = sqlite3.connect(self.path, timeout=5.0, isolation_level=None, check_same_thread=False)
        self._connection = connection
        return connection

    def create(self, meta: Mapping[str, Any]) -> None:
        """Make the file, its tables and the reserve, durably."""
        if self.path.exists():
            raise FileExistsError(f"{self.path.name} already exists; a journal is never overwritten")
        self.reserve.take()
        os.close(create_file(self.path))  # what SQLite puts beside it has the same mode
        db = self._connect()
        db.execute(f"PRAGMA application_id={rows.APPLICATION_ID}")
        db.execute(f"PRAGMA user_version={rows.USER_VERSION}")
        self._set_durable(db)
        db.executescript("BEGIN IMMEDIATE;" + rows.TABLES)
        for key, value in meta.items():
            text = rows.to_json(value)
            db.execute("INSERT INTO meta VALUES(?,?,?)", (key, text, rows.text_crc(key, text)))
        db.execute("COMMIT")
        sync_directory(self.path.parent)

    def _set_durable(self, db: sqlite3.Connection) -> None:
        mode = db.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise sqlite3.OperationalError(f"this file system cannot hold a write-ahead log (journal mode {mode})")
        db.execute("PRAGMA synchronous=FULL")

    def reopen(self) -> None:
        """Open an existing journal for writing, and read what is needed to go on."""
        if not self.path.is_file():
            raise FileNotFoundError(f"{self.path.name} does not exist")
        self.reserve.take()
        db = self._connect()
        identity = (db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0])
        if identity != (rows.APPLICATION_ID, rows.USER_VERSION):
            raise sqlite3.DatabaseError(f"not a run journal of version {rows.USER_VERSION}: {identity}")
        self._set_durable(db)
        believed = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1]  # frames up to the last whole transaction
        if lost := quarantine_tail(self.path, max(0, believed)):
            self.damage.append(lost)
        for row in db.execute("SELECT id, name, measurement, schema, crc FROM device ORDER BY id"):
            try:
                schema = rows.unpack_device(row)
            except DamagedRowError as error:
                raise sqlite3.DatabaseError(str(error)) from error
            self.schemas[schema.id] = schema
        for table in ("frame", "event"):
            last, wall = db.execute(f"SELECT max(seq), max(wall_ns) FROM {table}").fetchone()  # noqa: S608 (constants)
            self.found_seq = max(self.found_seq, last or 0)
            self.found_wall_ns = max(self.found_wall_ns, wall or -1)
        self.found_positions = dict(db.execute("SELECT sink, seq FROM outbox"))

    def write(self, batch: Batch) -> None:
        """One transaction: all of it, or nothing."""
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany("INSERT INTO device VALUES(?,?,?,?,?)", batch.devices)
            db.executemany("INSERT INTO frame VALUES(?,?,?,?,?,?)", batch.frames)
            db.executemany("INSERT INTO event VALUES(?,?,?,?,?,?)", batch.events)
            if batch.positions:
                db.executemany("INSERT OR REPLACE INTO outbox VALUES(?,?)", batch.positions.items())
            db.executemany("INSERT INTO dead VALUES(?,?,?,?)", batch.dead)
            fault_point("journal-commit")
            db.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def read_frames(self, after_seq: int, limit: int) -> list[tuple[int, StoredFrame | None]]:
        """Sequence numbers and frames; None for one that is damaged."""
        query = f"SELECT {rows.FRAME_COLUMNS} FROM frame WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 (constants)
        found = self.db.execute(query, (after_seq, limit)).fetchall()
        return [(row[0], self._believe(rows.unpack_frame, row, self.schemas)) for row in found]

    def read_events(self, after_seq: int, limit: int) -> list[tuple[int, StoredEvent | None]]:
        """Sequence numbers and events; None for one that is damaged."""
        query = f"SELECT {rows.EVENT_COLUMNS} FROM event WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 (constants)
        found = self.db.execute(query, (after_seq, limit)).fetchall()
        return [(row[0], self._believe(rows.unpack_event, row)) for row in found]

    def read_entries(self, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        """Frames and events merged in order, and the sequence number they reach to."""
        merged: list[tuple[int, Entry | None]] = [*self.read_frames(after_seq, limit)]
        merged += self.read_events(after_seq, limit)
        merged.sort(key=lambda pair: pair[0])
        del merged[limit:]
        reached = merged[-1][0] if merged else after_seq
        return [entry for _, entry in merged if entry is not None], reached

    def _believe(self, unpack: Callable[..., T], *row: Any) -> T | None:
        """A row, or None (and a line in `damage`) when its checksum says that it is not what was written."""
        try:
            return unpack(*row)
        except DamagedRowError as error:
            self.damage.append(str(error))
            return None

    def shut(self, *, is_failed: bool) -> None:
        """Leave one self-contained file: no -wal, no -shm. A failed journal is left as it lies."""
        db, self._connection = self.db, None
        if is_failed:
            self._leave(db)
            return
        try:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode=DELETE")
        finally:
            db.close()
            self.reserve.release()
        sync_directory(self.path.parent)

    def _leave(self, db: sqlite3.Connection) -> None:
        """Close without SQLite's last checkpoint: it would fill the space that the final record needs.

        SQLite skips it while somebody else reads, and a read-only connection cannot do it.
        """
        uri = self.path.resolve().as_uri() + "?mode=ro"
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(uri, uri=True)) as other:
            other.execute("SELECT count(*) FROM outbox").fetchone()
            db.close()
        db.close()
