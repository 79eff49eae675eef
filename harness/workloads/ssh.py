"""The driver `ssh`: a command on every target, by the system's own `ssh`.

No password, no agent, no forwarding, no file of the user's own: the key and the host keys are those that the station
names. What the other side says of a host key, a key or a way that fails is a fault of the station as long as nothing
has been started there. The connection is asked every few seconds whether it lives; with it stdin closes on the other
side, and the script there ends the workload.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from harness.device.credentials import given
from harness.errors import ConfigError, HarnessError, Trouble, UnreachableError
from harness.schema.fields import Duration, FileRef, Model, StrictText
from harness.workloads.driver import Ended, WorkloadDriver, WorkloadJob, WorkloadStation, WorkloadTarget
from harness.workloads.process import ScriptedProcess, environment, said_by, under_script
from harness.workloads.running import RunningPrograms, filled

T = TypeVar("T")
_MISSED = 3
"""Questions whether the connection lives that may go without an answer."""
_ROOM_S = 10.0
_WAY_S = 3.0
"""How long a target that was lost is asked for an answer at its port, seconds."""
_WHY = (
    ("Host key verification failed", Trouble.MODEL, "its host key is not the one of known_hosts"),
    ("Permission denied", Trouble.CREDENTIALS, "it does not take the key"),
    ("Connection refused", Trouble.CLOSED, "nothing listens at its port"),
    ("Could not resolve", Trouble.UNREACHED, "its name does not resolve"),
    ("No route to host", Trouble.UNREACHED, "there is no route to it"),
    ("timed out", Trouble.SILENT, "it does not answer"),
    ("not responding", Trouble.SILENT, "it does not answer any more"),
    ("closed by", Trouble.CLOSED, "it has closed the connection"),
    ("Connection closed", Trouble.CLOSED, "it has closed the connection"),
    ("Connection reset", Trouble.CLOSED, "it has closed the connection"),
    ("Broken pipe", Trouble.CLOSED, "the connection broke"),
)


class SshFile(Model):
    """What a credentials file for ssh holds."""

    user: StrictText
    key: StrictText
    """The file of the private key, beside the station file; without a passphrase, and for its owner alone (0600)."""


class SshSettings(Model):
    """`settings:` of the driver `ssh`."""

    credentials: FileRef
    """Who logs in and by which key: a YAML file with `user` and `key`."""
    known_hosts: StrictText
    """The file of the targets' host keys, beside the station file. One that is not in it, or changed, is refused."""
    connect_timeout: Duration = 10.0
    alive_every: Duration = 5.0
    """How often a connection is asked whether it lives; after three questions without an answer the target is lost."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 8
    """How many targets are logged in to at the same time."""


def host_and_port(address: str) -> tuple[str, int]:
    """`HOST`, `HOST:PORT` or `[IPV6]:PORT`; ValueError."""
    host, bracket, rest = address.removeprefix("[").partition("]") if address.startswith("[") else (address, "", "")
    if bracket:
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = address.partition(":")
    if not host or host.startswith("-") or any(char.isspace() or char in "@/%" for char in host):
        raise ValueError(f"{address!r} is no host")
    is_number = port.isascii() and port.isdigit() and len(port) < 6
    if (bracket and rest and colon != ":") or (colon and not is_number):
        raise ValueError(f"{address!r} has no port behind its ':'")
    if colon and not 0 < int(port) < 65536:
        raise ValueError(f"{address!r}: ports are 1 to 65535")
    return host, int(port) if colon else 22


def ssh_arguments(settings: SshSettings, file: SshFile, base: Path, address: str) -> list[str]:
    """Everything of the command line before the remote command."""
    host, port = host_and_port(address)
    options = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": _quoted(base / settings.known_hosts),
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "IdentityFile": _quoted(base / file.key),
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ConnectTimeout": f"{max(1, round(settings.connect_timeout))}",
        "ConnectionAttempts": "1",
        "ServerAliveInterval": f"{max(1, round(settings.alive_every))}",
        "ServerAliveCountMax": str(_MISSED),
        "TCPKeepAlive": "yes",
        "LogLevel": "INFO",
    }
    argv = ["ssh", "-F", "none", "-T", "-p", str(port), "-l", file.user]
    for name, value in options.items():
        argv += ["-o", f"{name}={value}"]
    return [*argv, "--", host]


def _quoted(path: Path) -> str:
    """A path as ssh reads one in an option: `%` begins something there, and blanks end it."""
    text = str(path)
    if '"' in text or "\n" in text or "${" in text:
        raise HarnessError(f"ssh cannot be told the path {text!r}", hint="name the folder otherwise")
    return f'"{text.replace("%", "%%")}"'


def remote_line(mark: str, grace: float, command: Sequence[str]) -> str:
    """The one text that ssh hands to the login shell there: quoted, so that it runs the script and nothing else."""
    return f"exec {shlex.join(under_script(mark, grace, command))}"


def why_failed(said: str) -> tuple[Trouble, str]:
    """What ssh meant, and in words; its own last line where it is none of the known."""
    for part, trouble, words in _WHY:
        if part in said:
            return trouble, words
    lines = [line for line in said.splitlines() if line.strip()]
    return Trouble.UNKNOWN, lines[-1][:200] if lines else "ssh ended without a word"


class RemotePrograms(RunningPrograms):
    """A command on each target."""

    def __init__(self, station: WorkloadStation, job: WorkloadJob, folder: Path) -> None:
        super().__init__(station, job, folder)
        self._settings: SshSettings = job.settings
        self._env = environment()
        self._ssh: dict[str, list[str]] = {}
        self._gate = asyncio.Semaphore(self._settings.parallel)

    async def prepare(self) -> Mapping[str, Any]:
        """There is ssh, the key and the host keys are, and every target lets us in; what they say of their versions."""
        settings, base = self._settings, self.station.folders.station
        if shutil.which("ssh", path=self._env.get("PATH")) is None:
            raise HarnessError("there is no program ssh", hint="install openssh-client on the station")
        file = given(settings.credentials, base, SshFile)
        for what, name in (("key", file.key), ("known_hosts", settings.known_hosts)):
            try:
                os.close(os.open(base / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
            except OSError as error:
                raise ConfigError(f"the file of `{what}`, {base / name}, cannot be read: {error.strerror}") from error
        self._ssh = {each.name: ssh_arguments(settings, file, base, each.address) for each in self.job.targets}
        _, version = await said_by(["ssh", "-V"], self._env, _ROOM_S)
        asked = await _each(self._asked(each) for each in self.job.targets)
        return {
            "ssh": version,
            "user": file.user,
            "targets": {
                each.name: {"address": each.address, "version": said}
                for each, said in zip(self.job.targets, asked, strict=True)
            },
        }

    async def _asked(self, target: WorkloadTarget) -> str:
        """What a target says of its versions ('' when it is not asked); an error when it lets nobody in."""
        command = filled(self.job.version, None, target.name) or ("true",)
        async with self._gate:
            argv = [*self._ssh[target.name], f"exec {shlex.join(command)}"]
            code, said = await said_by(argv, self._env, self._settings.connect_timeout + 2 * _ROOM_S)
        if code == 0:
            return said if self.job.version else ""
        if code in (255, None):
            trouble, why = (Trouble.SILENT, "it lets in and never ends") if code is None else why_failed(said)
            raise _unreachable(target, why, trouble)
        raise HarnessError(f"{target.name}: `version:` ended with {code}: {said[-200:]}", where=target.address)

    async def start(self, level: float | None) -> None:
        """Start it everywhere, so many at a time. The first that does not take it ends all."""
        await _each(self._start(each, level) for each in self.job.targets)

    async def _start(self, target: WorkloadTarget, level: float | None) -> None:
        command = filled(self.job.command, level, target.name)
        async with self._gate:
            run = self.open(target)
            argv = [*self._ssh[target.name], remote_line(run.mark, self.job.grace, command)]
            self.station.tell(
                f"{target.name}: {shlex.join(command)}", target=target.name, command=list(command), ssh=argv[:-1]
            )
            await run.start(argv, self._env)
            if await run.begun(self._settings.connect_timeout + _ROOM_S):
                return
            await run.ended(0.5)
        run.kill()
        await run.killed()
        trouble, why = why_failed(run.recent)
        raise _unreachable(target, why, trouble)

    def why_gone(self, run: ScriptedProcess) -> str:
        """The connection went before the program had ended."""
        said = run.recent
        return next((words for part, _, words in _WHY if part in said), "")

    async def collect(self) -> tuple[Ended, ...]:
        """What each came to; one that was lost is asked at its port whether the way to it is fine."""
        found = await super().collect()
        addresses = {each.name: each.address for each in self.job.targets}
        fine = await asyncio.gather(*(_answers(addresses[one.target]) if one.lost else _no() for one in found))
        return tuple(replace(one, is_way_fine=way) for one, way in zip(found, fine, strict=True))


async def _each(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All of them at once; the first that fails ends the others, and is what is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _no() -> bool:
    return False


async def _answers(address: str) -> bool:
    """Whether a computer at an address accepts a connection or refuses it: then the network to it is in order."""
    host, port = host_and_port(address)
    try:
        async with asyncio.timeout(_WAY_S):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _unreachable(target: WorkloadTarget, why: str, trouble: Trouble) -> UnreachableError:
    return UnreachableError(f"{target.address}: {why}", device=target.name, operation="ssh", trouble=trouble)


DRIVER = WorkloadDriver("ssh", RemotePrograms, SshSettings, check_address=host_and_port)
