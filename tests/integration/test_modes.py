"""Who may read and write what a run leaves behind: the same whatever the umask, and nothing through a link."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import TelemetryError
from harness.guardian.log import GuardianLog
from harness.record.claim import claimed
from harness.telemetry.files import FILE_MODE, FOLDER_MODE, create_file, make_folder
from tests.integration.guarded_tools import ROOT, Bay, until


def modes_below(folder: Path) -> dict[str, int]:
    """The mode of everything below a folder, itself included."""
    return {str(path): stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.rglob("*"))}


def assert_right(folder: Path) -> None:
    for path, mode in modes_below(folder).items():
        assert mode == (FOLDER_MODE if Path(path).is_dir() else FILE_MODE), f"{path}: {mode:o}"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_modes_of_a_record_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    data = tmp_path / "new" / "data"
    command = [sys.executable, "-c", "from harness.cli.main import main; main()"]
    done = subprocess.run(
        [*command, "run", "smoke", "--simulate", "--virtual"],
        check=False, capture_output=True, text=True, cwd=ROOT, umask=umask, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HARNESS_DATA": str(data), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(modes_below(data)) > 8
    assert_right(tmp_path / "new")


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_nor_do_those_of_a_run_that_goes_on_and_of_its_guardian(tmp_path: Path, umask: int) -> None:
    bay = Bay(tmp_path)
    before = os.umask(umask)
    try:
        bay.start_devices()
        _, folder, _ = bay.power_up()
        assert (folder / "guardian.jsonl").exists()
        kept = modes_below(tmp_path / "data")
        assert any(path.endswith("-wal") for path in kept)
        reserves = {path for path in kept if kept[path] == 0o600}
        assert len(reserves) <= 1, "only the reserve, which is empty and goes"
        for path, mode in kept.items():
            assert mode == (FOLDER_MODE if Path(path).is_dir() else FILE_MODE) or path in reserves, f"{path}: {mode:o}"
    finally:
        os.umask(before)
        bay.close()


def test_a_folder_keeps_the_group_that_its_parent_gives_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o2770)
    make_folder(tmp_path / "runs" / "one")
    assert stat.S_IMODE((tmp_path / "runs" / "one").stat().st_mode) == 0o2750


def test_a_folder_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    make_folder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o777
    with pytest.raises(FileExistsError):
        make_folder(tmp_path, is_new=True)
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file")


def test_nothing_is_opened_through_a_link(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    for name in ("guardian.jsonl", "run.lock", "new"):
        (tmp_path / name).symlink_to(victim)

    async def write() -> int:
        guardian_log = GuardianLog(tmp_path / "guardian.jsonl")
        guardian_log.note("start")
        await guardian_log.close()
        return guardian_log.lost

    assert asyncio.run(write()) == 1
    with pytest.raises(TelemetryError), claimed(tmp_path):
        pass
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "new")
    assert victim.read_text() == "untouched"
    assert stat.S_IMODE(victim.stat().st_mode) != FILE_MODE


def test_a_guardians_log_that_is_there_gets_the_mode_of_a_record(tmp_path: Path) -> None:
    path = tmp_path / "guardian.jsonl"
    path.touch(0o666)
    path.chmod(0o666)

    async def write() -> None:
        guardian_log = GuardianLog(path)
        guardian_log.note("start")
        await guardian_log.close()

    asyncio.run(write())
    until(lambda: stat.S_IMODE(path.stat().st_mode) == FILE_MODE, 2)
