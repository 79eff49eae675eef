"""Sending what a finished or interrupted run still owes to the database: `harness push RUN`.

A sealed journal is evidence and is not written any more, so the position of a late copy is kept beside it in
`outbox.json`, which the manifest leaves out. The higher of the two counts; to lose the file costs re-sending the same
bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from harness.clock import Clock
from harness.errors import TelemetryError
from harness.telemetry.batch import Refused
from harness.telemetry.files import atomic_write
from harness.telemetry.influx import InfluxSettings
from harness.telemetry.outbox import Outbox, OutboxStatus, run_tags
from harness.telemetry.reading import JournalReader, open_for_reading
from harness.telemetry.rows import Entry

POSITIONS = "outbox.json"
JOURNAL = "journal.db"
MOST_REFUSED = 10_000
"""Refused lines that are kept with their text; of more there is only the number."""
PATIENCE_S = 120.0
"""So long without a line that the database takes, and a push ends; seconds."""
TOLD_EVERY_S = 2.0


class FolderSource:
    """The journal of a run that is over, and `outbox.json` beside it."""

    def __init__(self, folder: Path, reader: JournalReader, *, from_start: bool = False) -> None:
        self._path = folder / POSITIONS
        self._reader = reader
        self._last = reader.last_seq
        self._state: dict[str, dict[str, Any]] = {}
        self._again: dict[str, int] = {}
        self._from_start = from_start
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                self._state = {key: value for key, value in found.items() if isinstance(value, dict)}

    @property
    def last_seq(self) -> int:
        """The highest sequence number in the journal."""
        return self._last

    def position(self, sink: str) -> int:
        """The highest sequence number that `sink` has acknowledged, during the run or later."""
        if self._from_start:
            return self._again.get(sink, 0)
        late = self._state.get(sink, {}).get("seq", 0)
        return max(late if isinstance(late, int) and late <= self._last else 0, self._reader.position(sink))

    async def read_entries(self, after_seq: int, limit: int) -> tuple[list[Entry], int]:
        """Believable entries in order, and the sequence number they reach to (over damaged rows too)."""
        entries, reached = self._reader.entries(after_seq, limit)
        return entries, reached if len(entries) == limit else max(reached, self._last)

    async def advance(self, sink: str, seq: int, refused: Iterable[Refused] = ()) -> None:
        """Keep a position, and the lines that the sink refused for good."""
        state = self._state.setdefault(sink, {})
        kept = state.setdefault("dead", [])
        found = [{"seq": e.seq, "line": e.line.decode("utf-8", "replace"), "reason": str(e)} for e in refused]
        room = max(0, MOST_REFUSED - len(kept))
        kept += found[:room]
        if found[room:]:
            state["more_dead"] = state.get("more_dead", 0) + len(found) - room
        state["seq"] = self._again[sink] = seq
        try:
            atomic_write(self._path, json.dumps(self._state, indent=1, ensure_ascii=False).encode())
        except OSError as error:
            raise TelemetryError(f"cannot keep the position of the copy: {error}", where=str(self._path)) from error


async def resume_outbox(
    run_folder: Path,
    settings: InfluxSettings,
    at_most: float = 3600.0,
    *,
    from_start: bool = False,
    report: Callable[[OutboxStatus], None] | None = None,
) -> OutboxStatus:
    """Send what the database has not acknowledged; returns how far that came. TelemetryError without a journal.

    It ends when all is sent, after `at_most` seconds, when a person must act (the token is refused), and when the
    database has taken nothing for two minutes. `report` hears every few seconds how far it is. `from_start` sends
    everything again, for a database that has lost what it had acknowledged.
    """
    with open_for_reading(run_folder / JOURNAL) as reader:
        if not reader.is_open:
            raise TelemetryError("; ".join(reader.damage), where=str(run_folder))
        source = FolderSource(run_folder, reader, from_start=from_start)
        clock = Clock()
        outbox = Outbox.to_influxdb(source, settings, clock, run_tags(reader.meta))
        telling = asyncio.create_task(_tell(outbox, clock, report)) if report is not None else None
        try:
            return await outbox.drain(at_most, patience=PATIENCE_S)
        finally:
            if telling is not None:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
            await outbox.close()


async def _tell(outbox: Outbox, clock: Clock, report: Callable[[OutboxStatus], None]) -> None:
    while True:
        await clock.sleep(TOLD_EVERY_S)
        report(outbox.status)
