"""A record from Python: its result, whether it stands, and every signal of the run as arrays.

record = harness.open_record("last")
record.result.verdict, record.verify()
flow = record.series("cdu.flow")
flow.times, flow.values, flow.is_good
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.errors import ConfigError, TelemetryError
from harness.events import EventKind
from harness.quantity import Quality
from harness.record import manifest
from harness.record.folder import where_data_is
from harness.record.index import find_run
from harness.record.result import Result
from harness.record.verification import verify
from harness.telemetry.reading import open_for_reading
from harness.telemetry.rows import SignalInfo, StoredEvent


@dataclass(frozen=True, slots=True)
class RecordedSeries:
    """A signal of a run, all arrays of one length: a sample each time its device was polled."""

    times: npt.NDArray[np.datetime64]
    """UTC, nanoseconds."""
    values: npt.NDArray[np.float64]
    """In `unit`; NaN where there is no number."""
    qualities: npt.NDArray[np.uint8]
    """See `harness.api.Quality`."""
    unit: str

    @property
    def is_good(self) -> npt.NDArray[np.bool_]:
        """Which values count."""
        good: npt.NDArray[np.bool_] = self.qualities == Quality.GOOD
        return good


class Record:
    """The folder of a run, sealed or interrupted; nothing in it is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def result(self) -> Result:
        """What it came to. TelemetryError for a run that was interrupted or goes on, and where it is damaged."""
        try:
            return Result.from_bytes(manifest.read_file(self.folder / manifest.RESULT))
        except OSError as error:
            raise TelemetryError(f"{self.folder.name} has no result: {'; '.join(self.verify())}") from error

    def verify(self) -> list[str]:
        """What speaks against the record, in words; nothing: it is what was sealed, and its verdict follows."""
        return verify(self.folder)

    def signals(self) -> Mapping[str, SignalInfo]:
        """Every signal of the run by its name, `cdu.flow`: unit and words."""
        with open_for_reading(self.folder / manifest.JOURNAL) as reader:
            return reader.signals()

    def series(self, signal: str) -> RecordedSeries:
        """A signal over the whole run. ConfigError for one that the run did not have."""
        with open_for_reading(self.folder / manifest.JOURNAL) as reader:
            known = reader.signals()
            if signal not in known:
                raise ConfigError(f"the run has no signal {signal!r}", hint="see `signals()`")
            stamps, values, qualities = reader.series(signal)
        return RecordedSeries(stamps.view("datetime64[ns]"), values, qualities, known[signal].unit)

    def events(self, kind: EventKind | str | None = None) -> list[StoredEvent]:
        """What happened, in order; of one kind when given (docs/reference/events.md)."""
        if kind is not None and kind not in list(EventKind):
            raise ConfigError(f"there is no kind of event {kind!r}", hint="docs/reference/events.md lists them")
        with open_for_reading(self.folder / manifest.JOURNAL) as reader:
            return list(reader.events(kind))


def open_record(run: str | Path = "last", data: Path | str | None = None) -> Record:
    """The record of a run: its id, a part of it, `last`, or its folder. ConfigError when there is none.

    `data`: where records are; default: $HARNESS_DATA, else the user's data folder.
    """
    if isinstance(run, Path):
        return Record(find_run(run.parent, str(run.absolute())))
    return Record(find_run(where_data_is(Path(data) if data is not None else None), run))
