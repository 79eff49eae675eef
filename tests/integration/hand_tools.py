"""Other hands at a bay: commands of another user, by another name of the host, with another station file."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import forked
from tests.integration.forked import Forked
from tests.integration.guarded_tools import Bay

NOBODY = 65534
User = Callable[[], None]
"""Becomes somebody, in the process of a command."""


def as_nobody() -> None:
    """Give up all rights but those to files: the interpreter may lie where nobody else can read."""
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, 0)
    os.setresuid(NOBODY, NOBODY, 0)
    ctypes.CDLL(None).setfsuid(0)


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="another user's processes need root to be started")


def write_station(bay: Bay, file: str, *, host: str = "127.0.0.1", name: str = "bay-7", **replaced: str) -> Path:
    """A station file of the bay's devices; `replaced` gives a device another address."""
    text = bay.station.read_text().replace("station: bay-7", f"station: {name}")
    for device, address in {**json.loads(bay.addresses.read_text())["addresses"], **replaced}.items():
        text = re.sub(rf"({device}: {{[^}}]*address: )\"[^\"]*\"", rf'\g<1>"{address}"', text)
    path = bay.folder / file
    path.write_text(text.replace("127.0.0.1", host))
    return path


class Done:
    """What a command came to."""

    def __init__(self, code: int, said: str) -> None:
        self.code = code
        self.said = said


def harness(bay: Bay, *arguments: object, user: User | None = None, **environment: str) -> Done:
    """Carry a command out in a process of its own, as this user or as another one."""
    env = {**bay.env, **environment}
    code, out, err = forked.run(forked.command(*arguments, before=user), env)
    assert "Traceback" not in err, err
    return Done(code, out + err)


def run_again(bay: Bay, station: Path, data: str = "data-2", **environment: str) -> Done:
    return harness(
        bay, "run", bay.plan, "--station", station, "--serial", "OTHER-1", "--data", bay.folder / data, **environment
    )


def set_(bay: Bay, station: Path, control: str, value: str, *more: str, user: User | None = None) -> Done:
    return harness(bay, "set", control, value, "--yes", "--station", station, *more, user=user)


def said_last(process: Forked) -> dict[str, Any]:
    """The last line of a runner that has ended."""
    assert process.stdout is not None
    lines = process.stdout.read().splitlines()
    process.wait(60)
    return dict(json.loads(lines[-1]))


class Relay:
    """Another way to a device that speaks datagrams: its own port, the same device behind it."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def _carry(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as onward:
            onward.settimeout(1.0)
            while True:
                data, sender = self._socket.recvfrom(65536)
                if not data:
                    return
                onward.sendto(data, self._target)
                with contextlib.suppress(TimeoutError):
                    self._socket.sendto(onward.recv(65536), sender)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()


@contextlib.contextmanager
def forwarded(port: int) -> Iterator[int]:
    """Another TCP port that leads to `port`."""

    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as door, contextlib.ExitStack() as ends:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    near = ends.enter_context(door.accept()[0])
                    far = ends.enter_context(socket.create_connection(("127.0.0.1", port)))
                    for pair in ((near, far), (far, near)):
                        threading.Thread(target=pump, args=pair, daemon=True).start()

        taking = threading.Thread(target=accept, daemon=True)
        taking.start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)
        taking.join(5)
