"""Files are the old one or the new one, and the reserve is real space."""

from __future__ import annotations

import os
import stat

import pytest

from harness.telemetry.files import Reserve, atomic_write


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path):
    path = tmp_path / "result.json"
    atomic_write(path, b"old")
    atomic_write(path, b"new and longer", mode=0o600)
    assert path.read_bytes() == b"new and longer"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["result.json"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "result.json"
    path.mkdir()
    (path / "inside").write_bytes(b"kept")
    with pytest.raises(OSError):
        atomic_write(path, b"new")
    assert (path / "inside").read_bytes() == b"kept"
    assert os.listdir(tmp_path) == ["result.json"]
    with pytest.raises(OSError):
        atomic_write(tmp_path / "missing" / "x", b"")


def test_the_reserve_takes_blocks_and_gives_them_back(tmp_path):
    reserve = Reserve(tmp_path / "reserve")
    reserve.take(300_000)
    assert reserve.path.stat().st_blocks * 512 >= 300_000
    reserve.release()
    reserve.release()
    assert os.listdir(tmp_path) == []
    with pytest.raises(OSError):
        Reserve(tmp_path / "huge").take(1 << 50)
    assert os.listdir(tmp_path) == [], "a reserve that cannot be had leaves nothing behind"
