"""Which runs there are. There is no index file that could disagree with the folders: the folders are the index."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.errors import ConfigError, TelemetryError
from harness.record import manifest
from harness.record.aftermath import aftermath
from harness.record.attempts import reported_of
from harness.record.claim import in_order, is_running
from harness.record.folder import RUN_ID
from harness.record.result import Result
from harness.telemetry.reading import open_for_reading


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of `harness runs`. Without a sealed result: RUNNING while somebody holds it, else INTERRUPTED."""

    run: str
    path: Path
    serial: str
    started: str
    plan: str = ""
    station: str = ""
    verdict: str = "INTERRUPTED"
    reason: str = ""
    duration_s: float | None = None
    is_sealed: bool = False
    word: str = ""
    """The verdict as it is shown; '' when it is shown as it is."""
    engineering: tuple[str, ...] = ()
    reported: tuple[str, ...] = ()
    """What people changed of the run."""


def list_runs(data_dir: Path) -> list[RunSummary]:
    """Every run below a data folder, in the order of making. Damaged ones are listed too, with the reason."""
    return [summarise(folder) for folder in run_folders(data_dir)]


def run_folders(data_dir: Path) -> list[Path]:
    """The folders of all runs, the last made last, whatever the clocks said that named them."""
    try:
        folders = [Path(entry.path) for entry in os.scandir(data_dir / "runs") if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"cannot list runs: {error}") from error
    return in_order(folder for folder in folders if RUN_ID.fullmatch(folder.name))


def summarise(folder: Path) -> RunSummary:
    """One run in a line."""
    match = RUN_ID.fullmatch(folder.name)
    serial = match[2] if match else ""
    started = (
        f"{datetime.strptime(match[1], '%Y-%m-%dT%H%M%SZ').replace(tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}" if match else ""
    )
    if not (folder / manifest.MANIFEST).is_file():
        with open_for_reading(folder / manifest.JOURNAL) as reader:
            plan, station = (str(reader.meta.get(key) or "") for key in ("plan", "station"))
            engineering = tuple(map(str, reader.meta.get("engineering") or ()))
            damage = "" if reader.is_open else "; ".join(reader.damage)
        if is_running(folder):
            return RunSummary(
                folder.name, folder, serial, started, plan, station, "RUNNING", damage, engineering=engineering
            )
        reason = "; ".join(part for part in ("no sealed result", damage, aftermath(folder)) if part)
        return RunSummary(folder.name, folder, serial, started, plan, station, reason=reason, engineering=engineering)
    try:
        result = Result.from_bytes(manifest.read_file(folder / manifest.RESULT))
    except (OSError, TelemetryError) as error:
        return RunSummary(folder.name, folder, serial, started, verdict="ERROR", reason=f"damaged record: {error}")
    return RunSummary(
        folder.name, folder, result.serial, started, result.plan, result.station, result.verdict, result.reason,
        result.duration_s, is_sealed=True, word=result.word, engineering=result.engineering,
        reported=tuple(reported_of(result)),
    )  # fmt: skip


def find_run(data_dir: Path, wanted: str) -> Path:
    """The folder of a run: by a path, its id, an unambiguous part of it, or `last` (made). ConfigError when none is."""
    if os.sep in wanted or wanted in (".", ".."):
        path = Path(wanted)
        if (path / manifest.JOURNAL).exists() or (path / manifest.RESULT).exists():
            return path
        raise ConfigError(f"{wanted} is not a run folder")
    names = [folder.name for folder in run_folders(data_dir)]
    if wanted == "last" and names:
        return data_dir / "runs" / names[-1]
    found = [name for name in names if name == wanted] or [name for name in names if wanted and wanted in name]
    if len(found) == 1:
        return data_dir / "runs" / found[0]
    if not found:
        raise ConfigError(f"no run {wanted!r} in {data_dir}", hint="`harness runs` lists them")
    raise ConfigError(f"{wanted!r} fits {len(found)} runs, {found[0]} and {found[-1]} among them", hint="name one")


def interrupted_runs(data_dir: Path, station: str) -> list[str]:
    """Ids of the runs of a station that were never sealed, oldest first. Only for the holder of the station's lock."""
    return [one.run for one in list_runs(data_dir) if one.station == station and one.verdict == "INTERRUPTED"]
