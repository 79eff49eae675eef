"""The page that a run, its guardian and the supervisor share, and the file beside it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.safety import armed
from harness.safety.lease import SUPERVISOR, Lease
from harness.supervisor.watch import GONE_TICKS, STILL_TICKS, Watched


@pytest.fixture
def named():
    lease = Lease.create(is_named=True)
    yield lease
    lease.close()
    os.unlink(lease.path)


def test_who_opens_the_page_sees_beats_notes_and_the_revocation(named):
    other = Lease.open(named.path)
    assert other is not None
    assert stat.S_IMODE(os.stat(named.path).st_mode) == 0o600
    assert other.noted() is None
    assert other.beats() == (0, 0)
    named.beat("runner")
    named.beat("guardian")
    named.beat("guardian")
    named.note(["pdu.outlet[1]"], "leak")
    assert other.beats() == (1, 2)
    assert other.noted() == {"armed": ["pdu.outlet[1]"], "sequence": "leak"}
    named.note([], "default")
    assert other.noted() == {"armed": [], "sequence": "default"}
    other.revoke(SUPERVISOR)
    assert named.revoked_by == SUPERVISOR
    other.close()


def test_more_switches_than_fit_are_all_of_the_station(named):
    named.note([f"pdu_{n}.outlet[{k}]" for n in range(100) for k in range(48)], "leak")
    assert named.noted() == {"armed": None, "sequence": "leak"}


def test_a_link_or_a_page_that_is_gone_is_none(named, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(named.path)
    assert Lease.open(str(link)) is None
    assert Lease.open(str(tmp_path / "gone")) is None
    short = tmp_path / "short"
    short.write_bytes(b"1")
    assert Lease.open(str(short)) is None


def test_somebody_who_beats_is_trusted_and_looks_are_counted(named):
    watched = Watched(Path("x"), Lease.open(named.path), (os.getpid(), os.getpid()), "run")
    for _ in range(5 * STILL_TICKS):
        named.beat("guardian")
        assert not watched.is_alone()
    found = [bool(watched.is_alone()) for _ in range(STILL_TICKS)]
    assert found == [False] * (STILL_TICKS - 1) + [True], "processes that are there may hang for three seconds"


def test_processes_that_are_gone_are_believed_sooner(named):
    watched = Watched(Path("x"), Lease.open(named.path), (2**22 - 1, 2**22 - 2), "run")
    found = [bool(watched.is_alone()) for _ in range(GONE_TICKS + 1)]
    assert found == [False] * GONE_TICKS + [True]


def test_without_a_page_a_process_that_lives_is_trusted():
    assert not Watched(Path("x"), None, (os.getpid(),), "run").is_alone()
    assert Watched(Path("x"), None, (2**22 - 1,), "run").is_alone()


def test_an_armed_file_is_for_its_user_alone_whatever_the_umask(tmp_path):
    path = armed.place(tmp_path, "run-1")
    old = os.umask(0)
    try:
        armed.write(path, {"run": "run-1", "keys": ["udp 1"], "devices": {}, "off": {}, "sequences": {}})
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path], "nothing half-written stays"
    assert list(armed.armed_on(tmp_path, ["udp 1"])) == [(path, "")]
    assert list(armed.armed_on(tmp_path, ["udp 2"])) == []
    for other, why in (("{", "cannot be read"), (path.read_text().replace('"form": ', '"form": 9'), "another version")):
        path.write_text(other)
        ((found, problem),) = armed.armed_on(tmp_path, ["udp 2"])
        assert found == path
        assert why in problem
    armed.remove(path)
    armed.remove(path)
    assert armed.listed(tmp_path) == []


def test_a_folder_that_is_named_and_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(armed.FOLDER_ENV, str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match="is no folder"):
        armed.armed_folder()
