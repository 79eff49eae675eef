"""Reading a journal back, whatever has happened to it: nothing is believed without its checksum, nothing raises.

A damaged page costs the rows on it, not the run: reading goes on behind it, and what is missing is listed. The file is
evidence, so it is only ever opened read-only.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from harness.telemetry import rows
from harness.telemetry.rows import DamagedRowError, DeviceSchema, Entry, SignalInfo, StoredEvent, StoredFrame

MAX_DAMAGE_LINES = 100
"""Damage beyond this many lines is counted, not listed."""

_UNREADABLE = (sqlite3.Error, OSError, OverflowError, UnicodeError, MemoryError)
"""What reading a damaged file can raise. SQLite quotes the damaged text in its message: that is the UnicodeError."""

Series = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.uint8]]


class JournalReader:
    """Read-only view of a journal. `damage` lists in words what could not be read; empty means intact as far as read.

    `is_open` is False when the file cannot be read at all; then everything is empty and `damage` says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damage: list[str] = []
        self.damaged_rows = 0
        self.meta: dict[str, Any] = {}
        self.devices: dict[int, DeviceSchema] = {}
        self._db: sqlite3.Connection | None = None
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._open()

    @property
    def is_open(self) -> bool:
        """Whether SQLite could open the file."""
        return self._db is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file and remove the working copy, if one was needed."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    # ---- opening

    def _open(self) -> None:
        if not self.path.is_file():
            self._report(f"quarantined: {self.path.name} does not exist")
            return
        try:
            self._db = self._connect(self.path)
        except _UNREADABLE:
            # A write-ahead log beside a file in a folder that cannot be written: read a copy, leave the original alone.
            try:
                self._db = self._connect(self._copied())
            except _UNREADABLE as error:
                self._report(f"quarantined: {self.path.name} cannot be opened: {error}")
                return
        self._read_meta()
        self._read_devices()

    def _connect(self, path: Path) -> sqlite3.Connection:
        uri = path.resolve().as_uri() + "?mode=ro"
        db = sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False)
        try:
            db.text_factory = _text
            application = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if application != rows.APPLICATION_ID:
                self._report(f"{path.name}: the header says application {application:#x}, not a run journal")
            elif version != rows.USER_VERSION:
                self._report(f"{path.name}: written as version {version}, this program knows {rows.USER_VERSION}")
        except BaseException:
            db.close()
            raise
        return db

    def _copied(self) -> Path:
        self._copy = tempfile.TemporaryDirectory(prefix="journal-")
        target = Path(self._copy.name) / self.path.name
        for suffix in ("", "-wal"):
            source = self.path.with_name(self.path.name + suffix)
            if source.is_file():
                shutil.copyfile(source, target.with_name(target.name + suffix))
        return target

    def _read_meta(self) -> None:
        for row in self._select("SELECT key, value, crc FROM meta"):
            try:
                key, value, crc = row
                if rows.text_crc(key, value) != crc:
                    raise DamagedRowError(f"meta {key!r}: checksum does not match")
                self.meta[key] = json.loads(value)
            except (TypeError, ValueError) as error:
                self._count(f"{error}")

    def _read_devices(self) -> None:
        for row in self._select("SELECT id, name, measurement, schema, crc FROM device ORDER BY id"):
            try:
                schema = rows.unpack_device(row)
            except DamagedRowError as error:
                self._count(str(error))
            else:
                self.devices[schema.id] = schema

    def _select(self, query: str, arguments: Sequence[Any] = ()) -> Iterator[Sequence[Any]]:
        if self._db is None:
            return
        try:
            yield from self._db.execute(query, arguments)
        except _UNREADABLE as error:
            self._count(f"unreadable: {error}")

    # ---- rows

    def frames(self, after_seq: int = 0, device: str | None = None) -> Iterator[StoredFrame]:
        """Every believable frame after a sequence number, in order; of one device when named."""
        wanted = None if device is None else [key for key, schema in self.devices.items() if schema.name == device]
        for row in self._scan("frame", rows.FRAME_COLUMNS, after_seq, wanted):
            try:
                yield rows.unpack_frame(row, self.devices)
            except DamagedRowError as error:
                self._count(str(error))

    def events(self, kind: str | None = None, after_seq: int = 0) -> Iterator[StoredEvent]:
        """Every believable event after a sequence number, in order; of one kind when named."""
        for row in self._scan("event", rows.EVENT_COLUMNS, after_seq):
            try:
                event = rows.unpack_event(row)
            except DamagedRowError as error:
                self._count(str(error))
                continue
            if kind is None or event.kind == kind:
                yield event

    def entries(self, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        """Frames and events in order after a sequence number, at most `limit`, and the number they reach to."""
        merged: list[Entry] = []
        streams: tuple[Iterable[Entry], ...] = (self.frames(after_seq), self.events(after_seq=after_seq))
        for stream in streams:
            for count, entry in enumerate(stream, 1):
                merged.append(entry)
                if count >= limit:
                    break
        merged.sort(key=lambda entry: entry.seq)
        del merged[limit:]
        return merged, merged[-1].seq if merged else after_seq

    def _scan(
        self, table: str, columns: str, after_seq: int, devices: Sequence[int] | None = None
    ) -> Iterator[Sequence[Any]]:
        """Rows of a table in the order of `seq`; a page that cannot be read is stepped over."""
        position = after_seq
        chosen = "" if devices is None else f" AND device IN ({','.join(map(str, devices))})"
        query = f"SELECT {columns} FROM {table} WHERE seq > ?{chosen} ORDER BY seq"  # noqa: S608 (our own constants)
        while self._db is not None:
            try:
                for row in self._db.execute(query, (position,)):
                    if not isinstance(row[0], int) or row[0] <= position:
                        raise sqlite3.DatabaseError(f"{table}: rows out of order")
                    position = row[0]
                    yield row
            except _UNREADABLE as error:
                resumed = self._step_over(table, position)
                self._count(f"{table} {position + 1} to {'the end' if resumed is None else resumed - 1}: {error}")
                if resumed is None:
                    return
                position = resumed - 1
            else:
                return

    def _step_over(self, table: str, position: int) -> int | None:
        """The smallest sequence number after `position` from which the table can be read again, found by halving."""

        def readable_from(seq: int) -> int | None:
            query = f"SELECT seq, crc FROM {table} WHERE seq >= ? ORDER BY seq LIMIT 1"  # noqa: S608 (our constants)
            try:
                row = self._db.execute(query, (seq,)).fetchone() if self._db is not None else None
            except _UNREADABLE:
                return None
            return row[0] if row is not None and isinstance(row[0], int) and row[0] >= seq else None

        low, step = position + 1, 1
        found = None
        while found is None and step < 1 << 40:
            step *= 2
            found = readable_from(position + step)
        if found is None:
            return None
        high = found
        while low + 1 < high:
            middle = (low + high) // 2
            answer = readable_from(middle)
            if answer is not None and answer <= high:
                high = middle
            else:
                low = middle
        return readable_from(high)

    # ---- what the readers of a run ask for

    def signals(self) -> dict[str, SignalInfo]:
        """Every signal by its full name (`device.signal`)."""
        return {
            schema.full_name(index): info
            for schema in self.devices.values()
            for index, info in enumerate(schema.signals)
        }

    def series(self, signal: str) -> Series:
        """Stamps (int64, UTC ns), values (float64) and qualities (uint8) of one signal; KeyError when unknown.

        A text has no number: NaN, also in records of before, which held the number 0 beside some texts.
        """
        places = {
            identifier: index
            for identifier, schema in self.devices.items()
            for index in range(len(schema.signals))
            if schema.full_name(index) == signal
        }
        if not places:
            raise KeyError(signal)
        stamps: list[int] = []
        values: list[float] = []
        qualities: list[int] = []
        for stored in self.frames(device=self.devices[next(iter(places))].name):
            index = places.get(stored.schema.id)
            if index is not None:
                stamps.append(stored.frame.wall_ns)
                values.append(math.nan if index in stored.frame.texts else float(stored.frame.values[index]))
                qualities.append(int(stored.frame.qualities[index]))
        return np.array(stamps, np.int64), np.array(values, np.float64), np.array(qualities, np.uint8)

    def position(self, sink: str) -> int:
        """How far a sink had acknowledged when the journal was written last."""
        for row in self._select("SELECT seq FROM outbox WHERE sink = ?", (sink,)):
            return row[0] if isinstance(row[0], int) else 0
        return 0

    @property
    def last_seq(self) -> int:
        """The highest sequence number in the file."""
        tops = [row[0] for t in ("frame", "event") for row in self._select(f"SELECT max(seq) FROM {t}")]  # noqa: S608
        return max([0, *(top for top in tops if isinstance(top, int))])

    def check(self) -> list[str]:
        """Read every row, and say what is damaged or missing; empty when the journal is whole."""
        seen: list[int] = [frame.seq for frame in self.frames()]
        seen += [event.seq for event in self.events()]
        expected = 1
        for seq in sorted(seen):
            if seq > expected:
                missing = f"rows {expected} to {seq - 1}" if seq - expected > 1 else f"row {expected}"
                self._report(f"{missing} missing or damaged")
            expected = seq + 1
        if self.damaged_rows > MAX_DAMAGE_LINES:
            self._report(f"{self.damaged_rows} damaged places in all")
        return self.damage

    def _count(self, line: str) -> None:
        self.damaged_rows += 1
        if self.damaged_rows <= MAX_DAMAGE_LINES:
            self._report(line)

    def _report(self, line: str) -> None:
        if line not in self.damage:
            self.damage.append(line)


def _text(raw: bytes) -> str:
    """Bytes of a damaged text must not raise in the middle of a scan; the checksum refuses them afterwards."""
    return raw.decode("utf-8", "surrogateescape")


def open_for_reading(path: Path) -> JournalReader:
    """Open a journal read-only; never raises on a damaged file, see `JournalReader.damage`."""
    return JournalReader(path)
