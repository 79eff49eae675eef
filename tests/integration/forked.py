"""Processes of the harness without the price of starting Python: forked from this one, which has all of it loaded.

What they are tested for they have of their own: number, signals, files, sockets, locks and death. Starting from nothing
is tested where it matters: units of the service manager, guardians and supervisors are started as at a station.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import os
import pkgutil
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

import harness.cli
import harness.cli.main
import sim
from harness import faultpoint

ROOT = Path(__file__).resolve().parents[2]
Work = Callable[[], Any]
_end = os._exit


def preload() -> None:
    """Import what commands and runs need, once: who is forked later does not import it again."""
    for module in pkgutil.walk_packages(harness.cli.__path__, "harness.cli."):
        importlib.import_module(module.name)
    for name in ("harness.safety.lock", "harness.engine.run", "drivers", sim.__name__):
        importlib.import_module(name)


class Forked:
    """A process that does some work; to its parent as `subprocess.Popen` is, as far as tests use one.

    `stdout` is a pipe, or a file when one is given; `stderr` goes with it when none is; stdin is empty. A process with
    a session of its own hears nothing that is meant for this one.
    """

    def __init__(
        self,
        work: Work,
        *,
        env: Mapping[str, str],
        stderr: IO[Any] | None = None,
        stdout: IO[Any] | None = None,
        cwd: Path = ROOT,
        own_session: bool = False,
    ) -> None:
        preload()
        self.returncode: int | None = None
        self.stdout: IO[str] | None = None
        ours, theirs = os.pipe() if stdout is None else (-1, stdout.fileno())
        sys.stdout.flush()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of this process: none is needed over there
            self.pid = os.fork()
        if not self.pid:
            if own_session:
                os.setsid()
            nothing = os.open(os.devnull, os.O_RDONLY)
            become(work, env, cwd, (nothing, theirs, theirs if stderr is None else stderr.fileno()))
        if stdout is None:
            os.close(theirs)
            self.stdout = os.fdopen(ours, encoding="utf-8", errors="replace")
        self._handle = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """The exit code, -N after signal N; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
                os.close(self._handle)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            select.select([self._handle], [], [], left)
        return code

    def communicate(self, timeout: float | None = None) -> str:
        """Read on, so that it never waits for us, and wait for its end."""
        assert self.stdout is not None
        said = "" if self.stdout.closed else self.stdout.read()
        self.stdout.close()
        self.wait(timeout)
        return said

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def script(path: Path, *arguments: object) -> Work:
    """A Python file as the main program."""

    def work() -> None:
        sys.argv = [str(path), *(str(each) for each in arguments)]
        runpy.run_path(str(path), run_name="__main__")

    return work


def command(*arguments: object, before: Callable[[], None] | str | None = None) -> Work:
    """A command of `harness`; `before` (a function, or a text of Python) is done first, in its process."""

    def work() -> None:
        if callable(before):
            before()
        elif before is not None:
            exec(before, {"__name__": "__main__"})
        sys.argv = ["harness", *(str(each) for each in arguments)]
        harness.cli.main.main()

    return work


def run(work: Work, env: Mapping[str, str], timeout: float = 90.0, cwd: Path = ROOT) -> tuple[int, str, str]:
    """Do some work in a process to its end: exit code, stdout, stderr."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = Forked(work, env=env, stdout=out, stderr=err, cwd=cwd)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
            process.wait()
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


# --- in the child ----------------------------------------------------------------------------------------------------


def become(work: Work, env: Mapping[str, str], cwd: Path, files: Sequence[int] = (0, 1, 2)) -> NoReturn:
    """Leave the test behind and do the work, with these files as stdin, stdout and stderr."""
    code = 70
    try:
        gc.freeze()  # what the test left to be collected is not ours to close
        _take_files(files)
        _forget_the_test(dict(env), cwd)
        code = _done(work)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        _end(code)


def _take_files(files: Sequence[int]) -> None:
    for number, handle in enumerate([os.dup(handle) for handle in files]):
        os.dup2(handle, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115 (as long as the process)
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115


def _forget_the_test(env: dict[str, str], cwd: Path) -> None:
    faulthandler.disable()
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    importlib.reload(faultpoint)
    for folder in env.get("PYTHONPATH", "").split(os.pathsep):
        if (Path(folder) / "sitecustomize.py").is_file():
            runpy.run_path(str(Path(folder) / "sitecustomize.py"))


def _done(work: Work) -> int:
    try:
        work()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0
