"""Debian's sshd on a free loopback port, as the user who runs the tests: the target of workloads over ssh."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.foreign_tools import foreign
from tests.processes import family

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
SetEnv HOME={folder}
LogLevel VERBOSE
"""


class Sshd:
    """One running server with keys of its own; `folder` has what a station needs to log in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.make_key("host")
        self.make_key("id")
        shutil.copy(folder / "id.pub", folder / "authorized")
        self.know("host")
        self.write_credentials("id")
        (folder / "sshd_config").write_text(CONFIG.format(port=self.port, folder=folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd wants it; Debian makes it when its service starts
        self.log = (folder / "sshd.log").open("wb")
        program = foreign("sshd")
        argv = [program, "-D", "-e", "-f", str(folder / "sshd_config")]
        self.process = subprocess.Popen(argv, stderr=self.log, stdin=subprocess.DEVNULL, start_new_session=True)
        self._wait()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def make_key(self, name: str) -> None:
        """A new pair of keys."""
        tool = foreign("ssh-keygen", "ssh")
        argv = [tool, "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.folder / name)]
        subprocess.run(argv, check=True)

    def know(self, name: str) -> None:
        """Have known_hosts say that this is its host key."""
        key = (self.folder / f"{name}.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}")

    def write_credentials(self, key: str) -> None:
        """A credentials file with a key."""
        path = self.folder / "ssh.cred"
        path.write_text(f"user: {getpass.getuser()}\nkey: {key}\n")
        path.chmod(0o600)

    def _wait(self) -> None:
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"sshd did not start: {(self.folder / 'sshd.log').read_text()}")
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> list[int]:
        """A signal to it and to all that it has started; whom it was sent to."""
        members = family(self.process.pid)
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return members

    def close(self) -> None:
        """End it, and what it has started."""
        self.send(signal.SIGKILL)
        self.process.wait(10)
        self.log.close()


@contextlib.contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """A server for the length of a block."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Sshd(folder)
    try:
        yield server
    finally:
        server.close()
