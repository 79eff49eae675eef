"""Operator control of a run from another terminal: a socket in the runtime folder that only its owner may open.

One line of JSON asks, one line answers: `{"do": "pause"}` -> `{"ok": true, "said": "...", "status": {...}}`. Who asks
is what the kernel says of the peer (SO_PEERCRED), not what the peer says of itself. Every command is an event of the
run, refused ones too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.engine.runner import Runner
from harness.errors import RunError
from harness.limits.verdict import Verdict

COMMANDS = ("status", "pause", "continue", "skip", "retry", "abort", "reset-trip")
_PREFIX = "run-"
_SUFFIX = ".ctl"
_LONGEST_LINE = 4096
_IDLE_S = 30.0
_MODE = 0o600


def obey(runner: Runner, command: Mapping[str, Any], who: str) -> dict[str, Any]:
    """Carry out one command for `who`; what is refused says why. Never raises for what was asked."""
    do = str(command.get("do", ""))
    name = str(command.get("name", ""))
    if do == "status":
        return {"ok": True, "said": "", "status": status(runner)}
    try:
        said = _obey(runner, do, name, who)
    except RunError as error:
        runner.log.tell(
            "operator", f"{do[:40]} by {who} refused: {error.message}", command=do[:40], who=who, done=False
        )
        return {"ok": False, "said": str(error), "status": status(runner)}
    about = f" {name}" if name else ""
    runner.log.tell("operator", f"{do}{about} by {who}: {said}", command=do, name=name, who=who, done=True)
    return {"ok": True, "said": said, "status": status(runner)}


def _obey(runner: Runner, do: str, name: str, who: str) -> str:
    if do not in COMMANDS:
        raise RunError(f"unknown command {do[:40]!r}", hint=f"one of {', '.join(COMMANDS)}")
    if do == "reset-trip":
        return _reset(runner, name)
    if runner.found.stop is not None:
        raise RunError("the run is already stopping, the safe state goes on")
    if do == "abort":
        runner.request_stop(Verdict.ABORTED, f"aborted by {who}")
        return "the rack is made safe"
    desk = runner.desk
    running = runner.running
    if do == "pause":
        desk.gate.close()
        return f"{running.title if running is not None else 'the run'} is held; interlocks stay live"
    if do == "continue":
        desk.gate.open()
        return "the steps go on"
    target = running or runner.held_after
    if target is None or target.section == "cleanup":
        raise RunError(f"there is no step to {do} now", hint="`harness ctl status` shows what the run does")
    desk.ask("skip" if do == "skip" else "retry", who)
    return f"{target.title} is {'left' if do == 'skip' else 'begun again'}"


def _reset(runner: Runner, name: str) -> str:
    if runner.interlocks is None:
        raise RunError("no interlock is armed")
    runner.interlocks.reset(name)
    return f"interlock {name!r} is reset; the run still ends as TRIPPED"


def status(runner: Runner) -> dict[str, Any]:
    """What the run does now, as plain data (seconds, 0 to 1 for progress)."""
    project, found = runner.project, runner.found
    running = runner.running
    fraction, text = runner.bench.progress if runner.bench is not None else (0.0, "")
    verdict = found.stop.verdict if found.stop is not None else Verdict.RUNNING
    return {
        "run": runner.journal.path.parent.name,
        "pid": os.getpid(),
        "station": project.on.station.station,
        "plan": project.plan.plan,
        "serial": runner.options.serial,
        "verdict": str(verdict),
        "reason": found.stop.reason if found.stop is not None else "",
        "is_paused": runner.desk.is_paused,
        "held_s": round(runner.desk.gate.held_s(), 3),
        "step": running.title if running is not None else "",
        "held_after": runner.held_after.title if runner.held_after is not None else "",
        "step_s": round(runner.clock.monotonic() - runner.step_started, 3) if running is not None else 0.0,
        "progress": round(fraction, 4),
        "text": text,
        "steps_done": len(found.steps),
        "steps": len(project.steps),
        "trips": [trip.interlock for trip in runner.interlocks.trips] if runner.interlocks is not None else [],
    }


class ControlSocket:
    """Serves one run's commands; made by `serve`, ended by `close`."""

    def __init__(self, runner: Runner, path: Path) -> None:
        self.path = path
        self._runner = runner
        self._server: asyncio.Server | None = None

    @classmethod
    async def serve(cls, runner: Runner, folder: Path) -> ControlSocket:
        """Listen in `folder`, mode 0600 from the first moment on. RunError when that cannot be."""
        control = cls(runner, folder / f"{_PREFIX}{os.getpid()}{_SUFFIX}")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            os.fchmod(listener.fileno(), _MODE)  # Linux makes the file with the mode that the socket has
            with contextlib.suppress(FileNotFoundError):
                control.path.unlink()  # of a dead process that had the same number
            with _reachable(control.path) as name:
                listener.bind(name)
            os.chmod(control.path, _MODE)
            control._server = await asyncio.start_unix_server(control._talk, sock=listener, limit=_LONGEST_LINE)
        except OSError as error:
            listener.close()
            raise RunError(f"no control socket at {control.path}: {error.strerror}") from error
        return control

    async def close(self) -> None:
        """Stop listening and remove the file."""
        if self._server is not None:
            self._server.close()
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = peer(writer.get_extra_info("socket"))
        try:
            async with asyncio.timeout(_IDLE_S):
                while line := await reader.readline():
                    writer.write(json.dumps(self._answer(line, who)).encode() + b"\n")
                    await writer.drain()
        except (TimeoutError, ValueError, OSError):
            return  # a peer that says nothing, too much, or is gone
        finally:
            writer.close()

    def _answer(self, line: bytes, who: str) -> dict[str, Any]:
        try:
            command = json.loads(line)
        except ValueError:
            command = None
        if not isinstance(command, dict):
            return {"ok": False, "said": 'expected one line of JSON like {"do": "status"}'}
        return obey(self._runner, command, who)


def peer(connection: socket.socket) -> str:
    """Who is at the other end of a unix socket: the user's name, as the kernel knows it."""
    try:
        _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return pwd.getpwuid(uid).pw_name
    except (OSError, AttributeError):
        return "unknown"
    except KeyError:
        return f"user {uid}"


@contextlib.contextmanager
def _reachable(path: Path) -> Any:
    """A name of at most 107 bytes for a socket's path: longer ones go by the folder's descriptor."""
    if len(os.fsencode(path)) <= 107:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def live_runs(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """(socket, status) of every run that answers in a runtime folder. Sockets of other users are passed over."""
    found = []
    for path in sorted(folder.glob(f"{_PREFIX}*{_SUFFIX}")):
        with contextlib.suppress(RunError):
            found.append((path, ask(path, {"do": "status"})["status"]))
    return found


def ask(path: Path, command: Mapping[str, Any], timeout: float = 5.0) -> dict[str, Any]:
    """Send one command to a run and return its answer; blocking. RunError when nobody answers within `timeout` s."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(timeout)
        try:
            with _reachable(path) as name:
                connection.connect(name)
            connection.sendall(json.dumps(dict(command)).encode() + b"\n")
            answer = json.loads(_line(connection))
        except (OSError, ValueError) as error:
            raise RunError(f"no run answers at {path}: {error}", hint="it may have ended") from error
    if not isinstance(answer, dict):
        raise RunError(f"{path} does not answer like a run")
    return answer


def _line(connection: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n") and len(data) < 1 << 20:
        part = connection.recv(65536)
        if not part:
            break
        data += part
    return data
