"""A program under a small shell script that starts it, says when it begins and ends, and ends it.

The script is the same here and on a target behind ssh. It holds its stdin: as soon as that is closed (because it is
asked to stop, because the run died, because the connection is gone) the program's process group gets TERM, and after
`grace` KILL. So nothing has to be sent to stop it, and a dead run leaves no workload behind. The arguments are never
part of a line for a shell.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
import tempfile
from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import BinaryIO

from harness.telemetry.files import create_file

SCRIPT = """\
m=$1 g=$2
shift 2
exec 3<&0 </dev/null
"$@" 3<&- &
p=$!
(trap '' TERM; cat <&3 >/dev/null; kill -TERM 0; sleep "$g"; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
trap : TERM
printf '\\n%s started\\n' "$m" >&2
wait "$p"; r=$?
while kill -0 "$p" 2>/dev/null; do wait "$p"; r=$?; done
printf '\\n%s exit %s\\n' "$m" "$r" >&2
exit "$r"
"""
"""POSIX sh; $1 the mark, $2 the grace in whole seconds, the rest program and arguments. Runs as leader of its process
group (a new session here; sshd gives each command one)."""
ENVIRONMENT = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""What programs see of the station's environment; the rest may hold secrets."""
_CHUNK = 1 << 16
_RATE = 4e6
"""Bytes a second that are taken of one stream: a flood must not keep the run from its interlocks."""
_TAIL = 1 << 14
_MARK_ROOM = 128
_RECENT = 4096
_LOOK_S = 0.1
_REAP_S = 0.5
"""How long a process that was killed is waited for; it is gone sooner unless it hangs in the kernel."""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """A bounded environment for programs."""
    return {**{name: os.environ[name] for name in ENVIRONMENT if name in os.environ}, **(more or {})}


def under_script(mark: str, grace: float, command: Sequence[str]) -> list[str]:
    """The arguments that run a command under the script."""
    return ["sh", "-c", SCRIPT, "harness-workload", mark, str(max(1, ceil(grace))), *command]


class Kept:
    """A file that takes the beginning of a stream, and its last lines; what is between is counted."""

    def __init__(self, path: Path, most: int) -> None:
        self.path = path
        self._left = most
        self._file: BinaryIO = os.fdopen(create_file(path), "wb")
        self._tail = bytearray()
        self.left_out = 0

    def take(self, chunk: bytes) -> None:
        """The next part of the stream. On a full disk it counts as left out: the stream has to be read on."""
        head, rest = chunk[: self._left], chunk[self._left :]
        self._left -= len(head)
        try:
            self._file.write(head)
        except OSError:
            self._left = 0
            self.left_out += len(head)
        if rest:
            self._tail += rest
            over = len(self._tail) - _TAIL
            if over > 0:
                del self._tail[:over]
                self.left_out += over

    def close(self) -> None:
        """Write what is left."""
        if self._file.closed:
            return
        try:
            with self._file as file:
                if self.left_out:
                    file.write(b"\n[%d bytes are left out here]\n" % self.left_out)
                file.write(self._tail)
        except OSError:
            self.left_out += len(self._tail) or 1


class ScriptedProcess:
    """One process that runs the script, here or through ssh, and what its marks say of the program."""

    def __init__(self, out: Path, err: Path, most: int, *, mark: str = "") -> None:
        self.mark = mark or f"harness-{secrets.token_hex(8)}"
        self._marks = re.compile(rf"\n{self.mark} (started|exit (\d{{1,3}}))\n".encode())
        self.out, self.err = Kept(out, most), Kept(err, most)
        self.is_started = False
        self.exit_code: int | None = None
        self.is_over = False
        """Whether the process itself has ended, whatever became of the program."""
        self.process: asyncio.subprocess.Process | None = None
        self._work: list[asyncio.Task[None]] = []
        self._told = asyncio.Event()
        self._unread = b"\n"
        self._recent = b""
        self._is_swept = False

    async def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: str | Path | None = None) -> None:
        """Start it; OSError as the system has it."""
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(env), cwd=cwd, start_new_session=True, limit=_CHUNK
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._work = [
            asyncio.ensure_future(self._read(self.process.stdout, self.out)),
            asyncio.ensure_future(self._read(self.process.stderr, self.err, has_marks=True)),
            asyncio.ensure_future(self._wait()),
        ]

    async def _read(self, stream: asyncio.StreamReader, kept: Kept, *, has_marks: bool = False) -> None:
        while chunk := await stream.read(_CHUNK):
            kept.take(chunk)
            if has_marks:
                self._look_for_marks(chunk)
            await asyncio.sleep(len(chunk) / _RATE)

    @property
    def recent(self) -> str:
        """What came last on its stderr, without marks."""
        return without_marks(self._recent, self.mark)

    def _look_for_marks(self, chunk: bytes) -> None:
        self._recent = (self._recent + chunk)[-_RECENT:]
        text = self._unread + chunk
        end = 0
        for found in self._marks.finditer(text):
            end = found.end() - 1  # the end of a line is the beginning of the next
            self.is_started = True
            if found[2] is not None:
                self.exit_code = int(found[2])
            self._told.set()
        self._unread = text[max(end, len(text) - _MARK_ROOM) :]

    async def _wait(self) -> None:
        assert self.process is not None
        ending = asyncio.ensure_future(self.process.wait())
        try:
            while self.process.returncode is None:  # asyncio may go on waiting as long as somebody holds the streams
                await asyncio.wait({ending}, timeout=_LOOK_S)
        finally:
            ending.cancel()
        self._sweep()
        await asyncio.wait(self._work[:2], timeout=1.0)  # what it said last; a daemon may hold the streams for ever
        self.is_over = True
        self._told.set()

    def _sweep(self) -> None:
        """KILL the process group, once: after its leader has gone its number may become somebody else's."""
        if self.process is None or self._is_swept:
            return
        self._is_swept = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    @property
    def has_ended(self) -> bool:
        """Whether the program has ended, or nothing will be heard of it any more."""
        return self.exit_code is not None or self.is_over

    async def told(self, seconds: float) -> None:
        """Wait until there is news of it, at most so long."""
        self._told.clear()
        if not self.has_ended:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), seconds)

    async def begun(self, seconds: float) -> bool:
        """Whether the program was started within so many seconds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not self.is_started and not self.is_over:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await self.told(left)
        return self.is_started

    async def ended(self, seconds: float) -> bool:
        """Whether the process is over within so many seconds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not self.is_over:
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                break
            if self.exit_code is None:
                await self.told(left)
            else:
                await asyncio.sleep(min(left, 0.05))
        return self.is_over

    def ask_to_stop(self) -> None:
        """Close its stdin: the script ends the program."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def kill(self) -> None:
        """KILL its whole process group, now."""
        self.ask_to_stop()
        self._sweep()

    async def killed(self) -> None:
        """Wait, not long, until it is gone and its streams are kept; to be called in every case."""
        try:
            if self._work:
                await asyncio.wait(self._work, timeout=_REAP_S)
                for task in self._work:
                    task.cancel()
                await asyncio.wait(self._work, timeout=_REAP_S)
        finally:
            if self.process is not None:
                self.process._transport.close()  # type: ignore[attr-defined]  # somebody may hold the other ends
            self.out.close()
            self.err.close()


async def said_by(argv: Sequence[str], env: Mapping[str, str], seconds: float) -> tuple[int | None, str]:
    """(exit code, the beginning of what it says on both streams) of a short program; None: it did not end in time."""
    with tempfile.TemporaryDirectory(prefix="harness-workload-") as folder:
        process = ScriptedProcess(Path(folder, "out"), Path(folder, "err"), _TAIL)
        try:
            await process.start(under_script(process.mark, 1.0, argv), env)
            await process.ended(seconds)
        finally:
            process.kill()
            await process.killed()
        return process.exit_code, without_marks(_read(process.out.path) + b"\n" + _read(process.err.path), process.mark)


def _read(path: Path) -> bytes:
    return path.read_bytes()


def without_marks(content: bytes, mark: str) -> str:
    """What a program said, without the marks of the script."""
    lines = content.decode("utf-8", "backslashreplace").splitlines()
    return "\n".join(line for line in lines if line.strip() and not line.startswith(mark))
