"""One run a station: a lock that dies with its holder.

`flock` on `<runtime folder>/<station>.lock` is the lock; what stands in the file only tells people who holds it. The
file is never removed (removing it would let two runs lock two files of one name). The guardian holds a lock of its own
beside it: while it still makes the rack safe for a run that died, no other run starts.

Two stations that reach one rack over the network are not kept apart by this: their locks are on two machines.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import re
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.clock import iso
from harness.errors import RunError

SHARED = Path("/run/harness")
"""The runtime folder of a station that several users share (systemd: RuntimeDirectory=harness)."""
_READ_AGAIN_S = 0.02
_MODE = 0o664


class StationLock:
    """The lock of one station, held from `take` to `release` or to the end of the process."""

    def __init__(self, path: Path, handle: int, epoch: int, bay: Sequence[int] = ()) -> None:
        self.path = path
        self._bay = list(bay)
        self.epoch = epoch
        """Counts the runs of the station: what an older one was allowed to do, it is not allowed any more."""
        self._handle = handle

    @property
    def guardian_path(self) -> Path:
        """The lock that the run's guardian holds."""
        return _guardian_path(self.path)

    @classmethod
    def take(
        cls, station: str, data_dir: Path, *, run: str = "", serial: str = "", switches: Iterable[str] = ()
    ) -> StationLock:
        """Take the station's lock. RunError names who holds it, since when and on which host.

        `data_dir` is where locks go when the platform has no runtime folder. `switches` are the addresses of the
        devices that put power on the bay: two station files that name one of them cannot run together either.
        """
        folder = runtime_dir(data_dir)
        path = folder / f"{file_name(station)}.lock"
        handle = _locked(path, f"station {station}")
        bay: list[int] = []
        try:
            for address in sorted(set(switches)):
                # one by one: those taken before a refusal are given back
                bay.append(_locked(folder / f"bay.{_digest(address)}.lock", f"{address} of station {station}"))  # noqa: PERF401
            _refuse_while_guarded(_guardian_path(path), station)
            epoch = _number(_read(handle), "epoch") + 1
            lock = cls(path, handle, epoch, bay)
            lock.describe(station, run, serial)
        except BaseException:
            for each in (handle, *bay):
                os.close(each)
            raise
        return lock

    def describe(self, station: str, run: str, serial: str) -> None:
        """Write who holds the lock and for which run, for those who find it taken."""
        content = {
            "station": station,
            "pid": os.getpid(),
            "user": _user(),
            "host": socket.gethostname(),
            "started": iso(time.time_ns()),
            "run": run,
            "serial": serial,
            "epoch": self.epoch,
        }
        data = json.dumps(content).encode() + b"\n"
        try:
            for handle in (self._handle, *self._bay):
                os.pwrite(handle, data, 0)
                os.ftruncate(handle, len(data))
        except OSError as error:
            raise RunError(f"cannot write the lock {self.path}: {error.strerror}", hint="check the disk") from error

    def release(self) -> None:
        """Let the next run in. What the file says stays, for the epoch; it means nothing while nobody holds it."""
        handles = [self._handle, *self._bay] if self._handle >= 0 else []
        self._handle, self._bay = -1, []
        for handle in handles:
            os.close(handle)


def runtime_dir(data_dir: Path) -> Path:
    """$HARNESS_RUNTIME, else /run/harness, else $XDG_RUNTIME_DIR/harness, else `<data>/locks`; made when missing.

    A folder that exists but cannot be used is refused, not passed over: runs of two users would not see each other.
    """
    explicit = os.environ.get("HARNESS_RUNTIME", "")
    private = os.environ.get("XDG_RUNTIME_DIR", "")
    if explicit:
        folder = Path(explicit)
    elif SHARED.is_dir():
        folder = SHARED
    elif private and os.access(private, os.W_OK):
        folder = Path(private) / "harness"
    else:
        folder = data_dir / "locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make the folder for locks {folder}: {error.strerror}", hint=_HINT) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RunError(f"the folder for locks {folder} cannot be written by {_user()}", hint=_HINT)
    return folder


def _share(handle: int, folder: Path) -> None:
    """Let everybody who may use the folder's group use a lock in it, whatever the umask of who made it."""
    with contextlib.suppress(OSError):  # of another owner: they have done it
        os.fchown(handle, -1, folder.stat().st_gid)
        os.fchmod(handle, _MODE)


_HINT = "join the group it belongs to, or name another with $HARNESS_RUNTIME (the same for everyone at the station)"


def file_name(station: str) -> str:
    """A station's name as part of a file name; different names stay different."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,100}", station):
        return station
    safe = re.sub(r"[^A-Za-z0-9_-]", lambda found: f".{ord(found[0]):x}.", station)
    return safe if safe and len(safe) <= 200 else f"{safe[:150]}.{_digest(station)}"


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _guardian_path(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".lock") + ".guardian.lock")


def _locked(path: Path, what: str) -> int:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    except OSError as error:
        raise RunError(f"cannot open the lock {path}: {error.strerror}", hint=_HINT) from error
    _share(handle, path.parent)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(handle)
        os.close(handle)
        raise RunError(f"{what} is in use by {holder}", hint="wait for it, or stop it") from None
    except OSError as error:
        os.close(handle)
        raise RunError(f"cannot lock {path}: {error.strerror}", hint="locks need a local file system") from error
    return handle


def _holder(handle: int) -> str:
    """Who holds a lock, in words. The holder may just have taken it and not written yet: look twice."""
    content = _read(handle)
    if not content.get("pid"):
        time.sleep(_READ_AGAIN_S)
        content = _read(handle)
    if not content.get("pid"):
        return "another run that has only just started"
    run = content.get("run") or "a run"
    serial = f" (serial {content['serial']})" if content.get("serial") else ""
    who = f"{content.get('user')}, process {content.get('pid')} on {content.get('host')}"
    return f"{run}{serial}, started {content.get('started')} by {who}"


def _refuse_while_guarded(path: Path, station: str) -> None:
    try:
        # made here, so that every member of the group can use it, whoever's guardian is the first
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    except OSError as error:
        raise RunError(f"cannot open the lock {path}: {error.strerror}", hint=_HINT) from error
    _share(handle, path.parent)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        run = _read(handle).get("run") or "a run that died"
        raise RunError(
            f"station {station}: the guardian of {run} is still making the rack safe",
            hint="wait until it has; its guardian.jsonl in the run's folder tells what it does",
        ) from None
    finally:
        os.close(handle)


def _read(handle: int) -> Mapping[str, Any]:
    """What a lock file says; {} for one that is new or damaged."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(os.pread(handle, 65536, 0))
        if isinstance(content, dict):
            return content
    return {}


def _number(content: Mapping[str, Any], key: str) -> int:
    value = content.get(key)
    return value if isinstance(value, int) and value >= 0 else 0


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
