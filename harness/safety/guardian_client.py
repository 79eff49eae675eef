"""The runner's end of the guardian: started before anything is energised, fed by the control loop, obeyed when it acts.

In virtual time there is no guardian: nothing real is energised, and the guardian's clock cannot jump.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import harness.version
from harness.device.device import Device
from harness.device.signal_store import SignalStore
from harness.errors import SafetyError
from harness.project.model import Project
from harness.safety import armed
from harness.safety.compile import devices_of
from harness.safety.connections import connection, referenced
from harness.safety.lease import SUPERVISOR, Lease
from harness.safety.lock import RackLock

BEAT_S = 0.25
"""Time between beats of the control loop, seconds; three missing ones and the guardian acts."""
READY_WITHIN_S = 15.0
_ENDS_WITHIN_S = 6.0
_UNANSWERED = 9
_UNANSWERED_S = 2.25
"""A guardian counts as frozen after so many rounds of the control loop without a word of it, and so many seconds."""
_SAY_AGAIN_S = 0.05
_LENIENT = 4
"""How much longer a runner may be silent that carries its own simulated devices: they share its processor and risk
nothing."""


@dataclass(frozen=True, slots=True)
class GuardianConfig:
    """What a guardian is told of the run it guards. `interval` is between beats, in seconds of real time."""

    station: str
    run: str
    serial: str
    epoch: int
    guardian_log: Path | None
    lock: RackLock | None = None
    keys: tuple[str, ...] = ()
    """What the run has for itself: see `harness.safety.keys`."""
    armed: Path | None = None
    """The folder of armed files, where a supervisor looks after them; None: no third layer."""
    is_simulated: bool = False
    interval: float = BEAT_S


async def guard_run(
    config: GuardianConfig,
    plan: Mapping[str, Any],
    project: Project,
    devices: Mapping[str, Device],
    addresses: Mapping[str, str],
    on_loss: Callable[[str], None],
) -> GuardianClient:
    """Start a guardian with the compiled safe state of the station, and with connections of its own."""
    base = project.on.base
    reached = {name: connection(devices[name], addresses.get(name, ""), base) for name in devices_of(plan)}
    client = await GuardianClient.start(config, {"devices": reached, **plan}, on_loss)
    if config.armed is not None:
        named = {
            name: referenced(entry, devices[name], addresses.get(name, ""), base) for name, entry in reached.items()
        }
        try:
            await asyncio.to_thread(client.write_armed, {"devices": named, **plan})
        except OSError as error:
            await client.close()
            client.disarm()
            raise SafetyError(f"the armed file cannot be written to {config.armed}: {error.strerror}") from error
    return client


def energised_now(devices: Mapping[str, Device], store: SignalStore, stays_on: Container[str]) -> list[str]:
    """The switches that are on as a run begins: from now on it answers for them, although it did not put them on."""
    found = []
    for name, device in devices.items():
        for control in device.expansion.controls.values():
            confirm = control.spec.confirm
            signal = f"{name}.{control.confirm_by}"
            if control.spec.energises and confirm is not None and store.has(signal):
                reading = store.latest(signal)
                is_on = reading.is_good and reading.text == confirm.words.get("on", "on")
                if is_on and f"{name}.{control.name}" not in stays_on:
                    found.append(f"{name}.{control.name}")
    return found


class GuardianClient(asyncio.Protocol):
    """One guardian process. `on_loss` is called once, with the reason, when it died, froze or took over."""

    def __init__(self, config: GuardianConfig, on_loss: Callable[[str], None]) -> None:
        self.config = config
        self.problems: dict[str, str] = {}
        """device -> why the guardian could not open its own connection to it (it tries again when it has to act)."""
        self.events: list[str] = []
        """Things worth telling since the last look (a connection of the guardian's lost or back); emptied by the
        runner."""
        self.pid = 0
        self.lost = ""
        """Why the guardian does not guard any more."""
        self._on_loss = on_loss
        self._transport: asyncio.WriteTransport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        self._lease: Lease | None = None
        self._unanswered = 0
        self._asked = 0.0
        self._rest = b""
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._is_closing = False
        self._armed: dict[str, None] = {}
        self.sequence = "default"
        """The sequence of the safe state that fits now; the runner changes it when it trips."""

    @classmethod
    async def start(
        cls, config: GuardianConfig, plan: Mapping[str, Any], on_loss: Callable[[str], None]
    ) -> GuardianClient:
        """Start a guardian with its plan (see `harness.safety.actions`) and wait until it is ready to act.

        SafetyError when it does not come up: then nothing may be energised.
        """
        client = cls(config, on_loss)
        try:
            try:
                await client._launch()
            except OSError as error:
                raise SafetyError(f"the guardian cannot be started: {error.strerror}") from error
            client._say(
                "hello",
                interval=config.interval * (_LENIENT if config.is_simulated else 1),
                run=config.run,
                station=config.station,
                guardian_log=str(config.guardian_log or ""),
                serial=config.serial,
                is_simulated=config.is_simulated,
                armed=str(client.armed_file or ""),
                live=client._lease.path if client._lease is not None else "",
                **plan,
            )
            # the guardian lives in real time, also when this loop's time runs faster
            deadline = time.monotonic() + READY_WITHIN_S
            while not client._ready.done():
                if time.monotonic() >= deadline:
                    raise SafetyError(f"the guardian was not ready within {READY_WITHIN_S:g} s")
                await asyncio.wait([client._ready], timeout=_SAY_AGAIN_S)
            client._ready.result()
        except BaseException:
            await client._dispose()
            raise
        return client

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair()
        self._stderr = _memory("guardian-stderr")
        with theirs:
            try:
                self._lease = Lease.create(is_named=self.config.armed is not None)
                self._process = _spawn(self.config, theirs.fileno(), self._lease.handle, self._stderr)
                self._lease.close_handle()
            except BaseException:
                ours.close()
                raise
        self.pid = self._process.pid
        ours.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self, sock=ours)

    # --- what the control loop says ----------------------------------------------------------------------------------

    def beat(self) -> None:
        """Say that the control loop runs, and which controls this run answers for. Called in each of its rounds.

        Rounds are counted, not seconds alone: a loop that was held up itself could have heard nobody.
        """
        self._say_beat()
        if not self._unanswered:
            self._asked = time.monotonic()
        self._unanswered += 1
        if self.lost or self._is_closing:
            return
        if self._lease is not None and self._lease.is_open and self._lease.revoked_by == SUPERVISOR:
            self._lose("the supervisor has made the rack safe: this process and its guardian were frozen")
            return
        silent = time.monotonic() - self._asked
        patience = _UNANSWERED_S * (_LENIENT if self.config.is_simulated else 1)
        if self._unanswered > _UNANSWERED and silent > patience:
            self._lose(f"the guardian (process {self.pid}) does not answer any more: it is frozen")

    def _say_beat(self) -> None:
        if self._lease is not None and self._lease.is_open:
            self._lease.note(tuple(self._armed), self.sequence)
            self._lease.beat("runner")
        self._say("beat", armed=list(self._armed), sequence=self.sequence)

    def arm(self, *controls: str) -> None:
        """Let the guardian know, before a command leaves, that this run answers for `controls` (`device.control`).

        What it was told is in the pipe when this returns, whatever becomes of this process.
        """
        if not self._armed.keys() >= set(controls):
            self._armed.update(dict.fromkeys(controls))
            self._say_beat()

    @property
    def armed(self) -> tuple[str, ...]:
        """The controls that this run answers for."""
        return tuple(self._armed)

    @property
    def revocation(self) -> str:
        """Why this run's epoch has been revoked; '' as long as it is not. Known before the guardian's word is read."""
        if self._lease is None or not self._lease.is_open or not self._lease.revoked_by:
            return ""
        who = "supervisor" if self._lease.revoked_by == SUPERVISOR else "guardian"
        return self.lost or f"the {who} has made the rack safe: this process was frozen, epoch {self.config.epoch}"

    def may_energise(self) -> bool:
        """Whether the guardian lives and has not revoked this run's epoch. Asks memory that both share: no waiting."""
        return not self.lost and not self._is_closing and self._lease is not None and not self.revocation

    def check(self) -> None:
        """SafetyError unless `may_energise`."""
        if not self.may_energise():
            reason = self.lost or self.revocation or "the guardian is not there"
            raise SafetyError(f"nothing is energised any more: {reason}")

    @property
    def armed_file(self) -> Path | None:
        """Where this run's armed file is; None: there is no third layer."""
        return armed.place(self.config.armed, self.config.run) if self.config.armed is not None else None

    def write_armed(self, plan: Mapping[str, Any]) -> None:
        """Write the armed file: the compiled safe state, references to credentials, who guards. Blocking; OSError."""
        assert self.armed_file is not None
        assert self._lease is not None
        content = {
            "run": self.config.run,
            "station": self.config.station,
            "guardian_log": str(self.config.guardian_log or ""),
            "keys": list(self.config.keys),
            "live": self._lease.path,
            "boot": armed.boot(),
            "pids": [os.getpid(), self.pid],
        }
        armed.write(self.armed_file, {**content, **plan})

    def disarm(self) -> None:
        """The rack is confirmed safe, or nothing was commanded: nobody has to look after it. Blocking."""
        if self.armed_file is not None:
            armed.remove(self.armed_file)
        if self._lease is not None and self._lease.path:
            with contextlib.suppress(OSError):
                os.unlink(self._lease.path)

    def hand_over(self) -> None:
        """Ask the guardian to make the rack safe in the runner's place; it goes on when this process ends."""
        self._say("takeover")

    async def close(self, unconfirmed: Sequence[str] = ()) -> None:
        """Say good-bye, wait for the guardian's end (its record must be complete before the run's is sealed).

        `unconfirmed`: what of the safe state the run could not confirm, for who reads the guardian's log.
        """
        if self._is_closing:
            return
        self._say("bye", unconfirmed=list(unconfirmed))
        self._is_closing = True
        await self._dispose()

    def _say(self, what: str, **data: Any) -> None:
        if self._transport is not None and not self._transport.is_closing() and not self._is_closing:
            line = json.dumps({"say": what, "epoch": self.config.epoch, **data})
            self._transport.write(line.encode() + b"\n")

    # --- what the guardian says --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The pipe is up."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Take in whole lines."""
        self._unanswered = 0
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            say = message["say"]
            if say == "ready":
                self.problems = dict(message["problems"])
                if not self._ready.done():
                    self._ready.set_result(None)
            elif say == "connection":
                self.problems.pop(message["device"], None)
                if message["problem"]:
                    self.problems[message["device"]] = message["problem"]
                word = "has lost its connection to" if message["problem"] else "reaches again"
                self.events.append(f"the guardian {word} {message['device']}: {message['problem']}".rstrip(": "))
            elif say == "failed":
                self._lose(f"the guardian failed: {message['reason']}")
            elif say == "revoked":
                self._lose(f"the guardian has made the rack safe ({message['cause']})")

    def eof_received(self) -> None:
        """The guardian has ended."""
        self._lose(f"the guardian (process {self.pid}) died")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (all endings are the same here)
        """The pipe is gone."""
        self._lose(f"the guardian (process {self.pid}) died")

    def _lose(self, reason: str) -> None:
        if self.lost or self._is_closing:
            return
        self.lost = reason
        if not self._ready.done():
            said = self._last_words()
            self._ready.set_exception(SafetyError(f"{reason} before it was ready{f': {said}' if said else ''}"))
        else:
            self._on_loss(reason)

    def _last_words(self) -> str:
        if self._stderr is None:
            return ""
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    async def _dispose(self) -> None:
        """Let go of the process: it ends by itself, or after a while it is ended."""
        self._is_closing = True
        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._transport.write_eof()
        if self._process is not None:
            await _ended(self._process)
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)
        if self._stderr is not None:
            self._stderr.close()
        if self._lease is not None and self._lease.is_open:
            self._lease.close()
        if not self._ready.done():
            self._ready.cancel()


def _spawn(config: GuardianConfig, pipe: int, lease: int, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the process: in a session of its own, so that no terminal and no process group ends it with the runner.

    It inherits the run's lock and holds it as long as it lives. Its run is named for those who find it in a list.
    """
    root = str(Path(harness.version.__file__).resolve().parents[1])
    path = os.pathsep.join(part for part in (root, os.environ.get("PYTHONPATH", "")) if part)
    locks = [each.fileno() for each in config.lock.sockets] if config.lock is not None else []
    command = [sys.executable, "-P", "-m", "harness.guardian", "--pipe", str(pipe), "--lease", str(lease)]
    return subprocess.Popen(  # noqa: S603 (our own interpreter and module)
        [*command, "--run", config.run, "--locks", ",".join(str(each) for each in locks)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=(pipe, lease, *locks),
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": path},
    )


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of the process; one that does not come to an end is killed. In real time, at any loop's pace."""
    deadline = time.monotonic() + _ENDS_WITHIN_S
    while process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 (nothing tells us)
        await asyncio.sleep(0.02)
    if process.poll() is None:
        process.kill()
        process.wait()


def _memory(name: str) -> IO[bytes]:
    """A file in memory where there is such a thing: a full disk must not reach it."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create(name), "w+b")
    return tempfile.TemporaryFile()
