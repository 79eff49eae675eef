"""The armed file: on disk from before anything is energised until the rack is confirmed safe.

It holds the compiled safe state and how the devices are reached, with references to credentials and no secrets. Whoever
finds it and nobody alive makes safe what it names: the supervisor, also after a start of the machine, or the next run
on that bay.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.utf8 import utf8

FOLDER = Path("/var/lib/harness-armed")
FOLDER_ENV = "HARNESS_ARMED"
SUPERVISOR = "supervisor.lock"
FORM = 2
"""Changes whenever what stands in an armed file does: another version's orders are not carried out half understood."""
_SUFFIX = ".armed"
_MOST_BYTES = 16 * 1024 * 1024


def armed_folder() -> Path | None:
    """Where armed files are: $HARNESS_ARMED, else /var/lib/harness-armed where it exists; None: no third layer."""
    given = os.environ.get(FOLDER_ENV, "")
    if given:
        if not Path(given).is_dir():
            raise ConfigError(f"${FOLDER_ENV}: {given} is no folder", hint="create it, or unset the variable")
        return Path(given)
    return FOLDER if FOLDER.is_dir() else None


def place(folder: Path, run: str) -> Path:
    """Where the armed file of a run is."""
    return folder / f"{run}{_SUFFIX}"


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write an armed file, mode 0600, whole or not at all, and on the disk when this returns. OSError."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(json.dumps({"form": FORM, **content}).encode())
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise
    _sync(path.parent)


def remove(path: Path) -> None:
    """The rack is confirmed safe: nothing is armed any more."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
        _sync(path.parent)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> dict[str, Any]:
    """What an armed file holds. OSError; ValueError when it is none."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        content = json.loads(file.read(_MOST_BYTES))
    if not isinstance(content, dict) or not {"run", "keys", "devices", "off", "sequences"} <= content.keys():
        raise ValueError("not an armed file")
    if content.get("form") != FORM:
        raise ValueError("another version of the harness wrote it: look at the rack, then `harness safe STATION`")
    return content


def boot() -> str:
    """Which start of the machine this is: process numbers of another one say nothing. '' where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def listed(folder: Path) -> list[Path]:
    """All armed files."""
    with contextlib.suppress(OSError):
        return sorted(path for path in folder.iterdir() if path.suffix == _SUFFIX)
    return []


def armed_on(folder: Path, keys: Collection[str]) -> Iterator[tuple[Path, str]]:
    """The armed files that name one of these devices (see `harness.safety.keys`), each with why it cannot be read."""
    for path in listed(folder):
        try:
            content = read(path)
        except PermissionError:
            yield path, f"it belongs to {_owner(path)}"
            continue
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            yield path, f"it cannot be read: {error}"
            continue
        if not set(keys).isdisjoint(content["keys"]):
            yield path, ""


def _owner(path: Path) -> str:
    try:
        return utf8(pwd.getpwuid(path.stat().st_uid).pw_name)
    except (OSError, KeyError):
        return "another user"


@contextlib.contextmanager
def held(path: Path) -> Iterator[bool]:
    """Have a file for oneself; False when another process has it. Ends with the process, whatever happens to it."""
    with path.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def supervisor(folder: Path) -> str:
    """Who supervises the folder, as people are told; '' when nobody does, or nobody who can read this user's files."""
    try:
        with (folder / SUPERVISOR).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                said = json.loads(file.read(4096))
                return f"process {said['pid']}" if said["uid"] in (os.getuid(), 0) else ""
            return ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""
