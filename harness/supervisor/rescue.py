"""One armed file made safe: by the same code as the runner and the guardian, with connections of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.device.third_party import third_party
from harness.errors import ConfigError
from harness.events import EventKind
from harness.guardian.connections import Connections
from harness.guardian.log import GuardianLog
from harness.safety import armed
from harness.safety.actions import Sequences
from harness.safety.keys import Key
from harness.safety.lease import SUPERVISOR, Lease
from harness.safety.lock import RackLock
from harness.safety.names import Doors
from harness.safety.sequence import make_safe
from harness.supervisor.credentials import with_secrets

AGAIN_S = 2.0
"""Pause before an unconfirmed safe state is carried out again, seconds."""


@dataclass(slots=True)
class Rescued:
    """What came of it."""

    unconfirmed: list[str] = field(default_factory=list)
    switches: list[str] = field(default_factory=list)
    """What the dead run had answered for."""
    is_busy: bool = False
    """Another process is at it."""


async def rescue(path: Path, cause: str, persist: float) -> Rescued:
    """Make safe what an armed file names, and remove it when that is confirmed. Tries for `persist` seconds.

    Never raises for what devices do or for what is in the file: that is reported as not confirmed.
    """
    try:
        with armed.held(path) as is_ours:
            return await _rescue(path, cause, persist) if is_ours else Rescued(is_busy=True)
    except FileNotFoundError:
        return Rescued()
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Rescued([f"the armed file {path} is of no use: {error}"])


async def _rescue(path: Path, cause: str, persist: float) -> Rescued:
    content = armed.read(path)
    lease = Lease.open(content["live"])
    noted = None
    if lease is not None:
        lease.revoke(SUPERVISOR)  # first of all: a frozen runner that wakes up energises nothing
        noted = lease.noted()
        lease.close()
    if noted is not None and noted.get("armed") == []:
        _disarm(path, content)
        return Rescued()
    sequences = Sequences.of(content)
    found = noted.get("armed") if noted is not None else None
    switches = [str(each) for each in found] if isinstance(found, list) else sorted(sequences.off)
    sequence = str(noted.get("sequence", "default")) if noted is not None else "default"
    guardian_log = GuardianLog(Path(content["guardian_log"]) if content["guardian_log"] else None)
    guardian_log.note(EventKind.START, pid=os.getpid(), run=content["run"], station=content["station"], by="supervisor")
    guardian_log.note(EventKind.TAKEOVER, cause=cause, armed=switches, sequence=sequence, by="supervisor")
    try:
        with _locked(content) as lock:
            doors = Doors(lock.answer)
            await doors.add(lock.sockets)
            try:
                missing = await _make_safe(content, sequences, switches, sequence, cause, persist, guardian_log)
            finally:
                doors.close()
    finally:
        await guardian_log.close()
    if not missing:
        _disarm(path, content)
    return Rescued(missing, switches)


async def _make_safe(
    content: Mapping[str, Any],
    sequences: Sequences,
    switches: list[str],
    sequence: str,
    cause: str,
    persist: float,
    guardian_log: GuardianLog,
) -> list[str]:
    started = time.monotonic()
    try:
        connections = await connect(content["devices"])
    except Exception as error:  # a device of a kind that is not known any more
        guardian_log.note(EventKind.UNSAFE, seconds=0.0, unconfirmed=[str(error)])
        return [str(error)]
    try:
        for device, problem in (await connections.open()).items():
            guardian_log.note(EventKind.NOT_REACHED, device=device, problem=problem)
        was_live: bool | None = None
        while True:
            chosen = sequences.chosen(sequence, switches)
            report = await make_safe(chosen, cause, connections, guardian_log, bus_was_live=was_live)
            was_live = True  # it is looked for once, before anything was switched off
            seconds = round(time.monotonic() - started, 3)
            missing = report.unconfirmed
            guardian_log.note(EventKind.UNSAFE if missing else EventKind.SAFE, seconds=seconds, unconfirmed=missing)
            if not missing or connections.unusable or seconds >= persist:
                return missing
            await asyncio.sleep(AGAIN_S)
    finally:
        await connections.close()


async def connect(devices: Mapping[str, Mapping[str, Any]]) -> Connections:
    """A way to each device. One whose secrets cannot be read keeps no other one's power on.

    Secrets are read beside the loop: what checks files takes seconds to load on a busy machine, and a disk may hang.
    """
    entries: dict[str, Mapping[str, Any]] = {}
    unusable: dict[str, str] = {}
    for name, entry in devices.items():
        try:
            with third_party(ConfigError, Exception):  # SystemExit and its like in the code of others
                entries[name] = await asyncio.to_thread(with_secrets, entry)
        except Exception as error:  # a credentials file that is gone, or open to others
            unusable[name] = str(error)
    return Connections(entries, unusable)


@contextlib.contextmanager
def _locked(content: Mapping[str, Any]) -> Any:
    """No run begins at these devices meanwhile. Dead and frozen ones keep nobody from making the rack safe."""
    keys = [Key(what, what) for what in content["keys"]]
    text = f"(the supervisor, for {content['run']})"
    lock = RackLock.take("safe", keys, run=str(content["run"]), station=str(content["station"]), text=text)
    try:
        yield lock
    finally:
        lock.release()


def _disarm(path: Path, content: Mapping[str, Any]) -> None:
    armed.remove(path)
    with contextlib.suppress(OSError):
        os.unlink(content["live"])
