"""The folder of a run: `<data>/runs/<run id>/`, and the moment when it becomes a record.

```
2026-11-22T084500Z-RACK-0001-3f9a/
  run.lock         which run of the data folder it is; locked while it goes on
  journal.db       everything, as it happened
  plan.yaml ...    copies of the files the run was made from
  result.json      what it came to
  manifest.json    hashes of all of these; its presence means: sealed
```
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from harness.errors import ConfigError, TelemetryError
from harness.faultpoint import fault_point
from harness.limits.verdict import Verdict
from harness.record import claim, manifest
from harness.record.result import Result
from harness.telemetry.files import atomic_write, make_folder, sync_directory
from harness.telemetry.reading import open_for_reading

MIN_FREE_BYTES = 50 * 1024 * 1024
LONGEST_PATH = 380
"""Longest path of a data folder, bytes: SQLite opens nothing at a path of more than 504 (tried), and the
journal of a run lies up to 110 below."""
RUN_ID = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z)-([A-Za-z0-9._-]{1,64})-([0-9a-f]{4})")
"""Time (UTC), serial, four random hexadecimal digits: safe as a file name. Sorts by time where the clock was right."""

_SERIAL = re.compile(r"[A-Za-z0-9._-]{1,64}")


def run_id(serial: str, when_ns: int, suffix: str) -> str:
    """The name of a run, e.g. `2026-11-22T084500Z-RACK-0001-3f9a`. ValueError when the serial cannot be in a name."""
    if _SERIAL.fullmatch(serial) is None:
        raise ValueError(f"serial {serial[:80]!r} is not 1 to 64 letters, digits, '.', '_' or '-'")
    moment = datetime.fromtimestamp(when_ns // 1_000_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H%M%SZ}-{serial}-{suffix}"


class RunFolder:
    """The folder of one run, until it is sealed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run(self) -> str:
        """The run id."""
        return self.path.name

    @property
    def journal(self) -> Path:
        """Where the run's journal is."""
        return self.path / manifest.JOURNAL

    @classmethod
    def create(cls, data_dir: Path, serial: str, when_ns: int) -> RunFolder:
        """Make a new folder; `when_ns` is the real UTC time of the start. TelemetryError when the disk refuses.

        Always another name, also for equal seeds, serials and seconds: the name is decided by the file system.
        """
        runs = data_dir / "runs"
        try:
            make_folder(runs)
            with claim.numbering(runs) as number:
                for _ in range(64):
                    path = runs / run_id(serial, when_ns, secrets.token_hex(2))
                    try:
                        make_folder(path, is_new=True)
                    except FileExistsError:
                        continue
                    sync_directory(runs)
                    claim.write_number(path, number)
                    return cls(path)
        except OSError as error:
            raise TelemetryError(f"cannot make a run folder: {error}", where=str(runs)) from error
        raise TelemetryError("no free name for a run folder", where=str(runs))

    def write(self, name: str, content: bytes) -> Path:
        """Keep a file in the record, durably (`/` makes folders). ValueError for a name outside the folder."""
        parts = PurePosixPath(name).parts
        if not parts or any(part in ("..", "/", "") or "\0" in part or "\\" in part for part in parts):
            raise ValueError(f"{name!r} is not a name inside the run folder")
        path = self.path.joinpath(*parts)
        try:
            make_folder(path.parent)
            atomic_write(path, content)
        except OSError as error:
            raise TelemetryError(f"cannot write {name}: {error}", where=str(self.path)) from error
        return path

    @property
    def is_sealed(self) -> bool:
        """Whether the folder is a finished record (it may have been damaged since: see `verify`)."""
        return (self.path / manifest.MANIFEST).is_file()

    def seal(self, result: Result) -> str:
        """Write the result and the manifest, durably, and read both back; returns the record id.

        The journal must be closed. Blocking, and it reads the whole journal twice: off the loop (`Clock.blocking`) for
        a run of days. Any failure raises TelemetryError, and then nobody may say PASS.
        """
        if self.is_sealed:
            raise TelemetryError("the record is sealed already", where=str(self.path))
        if result.verdict in (Verdict.RUNNING, Verdict.SKIPPED):
            raise TelemetryError(f"{result.verdict} is no verdict of a run", where=str(self.path))
        if result.header.run != self.run:
            raise TelemetryError(f"the result is of run {result.header.run!r}", where=str(self.path))
        if result.verdict is Verdict.PASS and self.journal.with_name(manifest.JOURNAL + "-wal").exists():
            # A journal that failed leaves its log behind; that is evidence too, but no evidence for a PASS.
            raise TelemetryError("the journal is still open, or failed", where=str(self.path), hint="this is no PASS")
        content = result.to_bytes()
        self.write(manifest.RESULT, content)
        fault_point("result-written")
        try:
            listing = manifest.build(self.path, self.run)
        except OSError as error:
            raise TelemetryError(f"cannot read the record back: {error}", where=str(self.path)) from error
        self._sync_all()
        self.write(manifest.MANIFEST, listing)
        problems = manifest.check(self.path)
        stored = Result.from_bytes(self._read(manifest.RESULT))
        if stored != result and stored.to_bytes() != content:
            problems.append("result.json reads back differently")
        if self.journal.is_file():
            with open_for_reading(self.journal) as reader:
                problems += [] if reader.is_open else reader.damage
        if problems:
            # Not a record: without its manifest it shows as interrupted.
            (self.path / manifest.MANIFEST).unlink(missing_ok=True)
            raise TelemetryError(f"the record does not read back: {'; '.join(problems)}", where=str(self.path))
        return str(manifest.read(self.path)["record_id"])

    def _read(self, name: str) -> bytes:
        try:
            return manifest.read_file(self.path / name)
        except OSError as error:
            raise TelemetryError(f"cannot read {name} back: {error}", where=str(self.path)) from error

    def _sync_all(self) -> None:
        """Every file that is about to be vouched for must be on the disk first."""
        try:
            for name in manifest.evidence(self.path):
                handle = os.open(self.path / name, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
            sync_directory(self.path)
        except OSError as error:
            raise TelemetryError(f"cannot make the record durable: {error}", where=str(self.path)) from error


def data_dir(explicit: Path | None = None) -> Path:
    """The data folder: `explicit` (--data), else $HARNESS_DATA, else the platform's user data folder.

    Made when missing. ConfigError when it cannot be written or has less than 50 MB free.
    """
    chosen = _chosen(explicit)
    hint = "choose another with --data or $HARNESS_DATA"
    try:
        chosen = chosen.expanduser().absolute()
        long = len(os.fsencode(chosen))
        if long > LONGEST_PATH:
            raise ConfigError(f"the path of the data folder has {long} bytes, {LONGEST_PATH} are the most", hint=hint)
        make_folder(chosen)
        with tempfile.TemporaryFile(dir=chosen):
            pass
        free = shutil.disk_usage(chosen).free
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"data folder {chosen} cannot be written: {reason}", hint=hint) from error
    if free < MIN_FREE_BYTES:
        raise ConfigError(f"data folder {chosen} has {free / 1e6:.0f} MB free, 50 MB are needed", hint=hint)
    return chosen


def where_data_is(explicit: Path | None = None) -> Path:
    """The data folder for those who only read, or reach a run that goes on: a full disk must not keep them out."""
    try:
        return _chosen(explicit).expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"no data folder: {error}", hint="choose one with --data or $HARNESS_DATA") from error


def _chosen(explicit: Path | None) -> Path:
    return explicit or (Path(os.environ["HARNESS_DATA"]) if os.environ.get("HARNESS_DATA") else _user_data())


def _user_data() -> Path:
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ConfigError("there is no home folder for data", hint="set --data or $HARNESS_DATA") from error
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "harness"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "harness"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if os.path.isabs(base) else home / ".local" / "share") / "harness"
