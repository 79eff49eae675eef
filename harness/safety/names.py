"""Names that all processes of this machine share: abstract unix sockets, which are locks and doorbells at once.

Such a name belongs to the process that bound it and to those that inherited its socket; it is free when the last of
them has ended. There is no file: no folder must be made, no umask counts, no link can be followed, and nobody can
delete it. The kernel says who listens behind a name (SO_PEERCRED), also when he is frozen or does not answer.

One line of JSON asks, one line answers. An answer is another process's word: it is never more than text here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import socket
import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import RunError
from harness.utf8 import utf8

ANSWERS_WITHIN_S = 1.0
"""Longest time for one answer in all, seconds; who is frozen does not answer."""
_LONGEST_LINE = 1 << 16
_IDLE_S = 30.0
_STRANGER_IDLE_S = 2.0
_TOGETHER = 32
"""So many strangers are served at once: more only cost this process what it needs for its devices."""
_BACKLOG = 1024
"""So many may knock at a frozen process before the next one cannot even be told whose it is."""
_LISTENS = 0x10000
_TABLE = Path("/proc/net/unix")
_STATES = {
    "R": "running",
    "S": "waiting",
    "T": "stopped",
    "t": "stopped by a debugger",
    "D": "waiting for the system",
    "Z": "dead",
}

Command = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end of a socket, as the kernel knows it. `pid` 0: of another container."""

    pid: int
    uid: int

    @property
    def user(self) -> str:
        """The user's name."""
        try:
            return utf8(pwd.getpwuid(self.uid).pw_name)
        except (KeyError, OverflowError):
            return f"user {self.uid}" if self.uid >= 0 else "somebody"

    def __str__(self) -> str:
        return (
            f"{self.user}, process {self.pid}" if self.pid else f"{self.user}, a process that cannot be seen from here"
        )


def own_peer() -> Peer:
    """This process."""
    return Peer(os.getpid(), os.getuid())


def is_own(peer: Peer) -> bool:
    """Whether a peer may do with this process what its owner may: the same user, or root."""
    return peer.uid in (0, os.getuid())


def may_command(peer: Peer) -> bool:
    """Whether a process of that user obeys this one: the same user's, or this one is root's."""
    return os.getuid() in (0, peer.uid)


def peer_of(connection: socket.socket) -> Peer:
    """Who is at the other end of a connected unix socket; who listens, when this end is the one that connected."""
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(pid, uid)


def bind(name: str) -> socket.socket:
    """Take a name and listen behind it. FileExistsError when it is taken; RunError where there are no such names."""
    taken = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        taken.bind(f"\0{name}")
        taken.listen(_BACKLOG)
    except OSError as error:
        taken.close()
        if error.errno == 98:  # EADDRINUSE
            raise FileExistsError(name) from None
        raise RunError(f"no lock can be taken here: {error.strerror}", hint="racks are run from Linux") from error
    return taken


def inherited(handles: Sequence[int]) -> list[socket.socket]:
    """The sockets of names in a process that inherited them; from now on the kernel says that this process has them."""
    found = [socket.socket(fileno=handle) for handle in handles]
    for each in found:
        os.set_inheritable(each.fileno(), False)
        each.listen(_BACKLOG)
    return found


def listed(*beginnings: str) -> list[str]:
    """The names in use that begin so. RunError when the system does not tell."""
    found: set[str] = set()
    for _ in range(2):  # the table may move on between two parts of one reading
        try:
            text = _TABLE.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise RunError(f"cannot see who uses what: {_TABLE}: {error.strerror}", hint="mount /proc") from error
        for line in text.splitlines()[1:]:
            parts = line.split(maxsplit=7)
            if len(parts) == 8 and parts[7].startswith("@") and int(parts[3], 16) & _LISTENS:
                found.add(parts[7][1:])
    return sorted(name for name in found if name.startswith(beginnings))


def ask(name: str, command: Command, within: float = ANSWERS_WITHIN_S) -> tuple[Peer, dict[str, Any] | None] | None:
    """Ask who listens behind a name: (who he is, his answer or None). None when nobody is there.

    Blocking, at most `within` seconds in all. Anything but one line with a JSON object is no answer.
    """
    deadline = time.monotonic() + within
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(within)
        try:
            connection.connect(f"\0{name}")
        except TimeoutError:
            return Peer(0, -1), None
        except OSError:
            return None
        peer = peer_of(connection)
        try:
            connection.sendall(json.dumps(dict(command)).encode() + b"\n")
            answer = json.loads(_line(connection, deadline))
        except (OSError, ValueError, RecursionError):
            return peer, None
    return peer, answer if isinstance(answer, dict) else None


def _line(connection: socket.socket, deadline: float) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or len(data) > _LONGEST_LINE:
            raise TimeoutError("no line in time")
        connection.settimeout(left)
        part = connection.recv(4096)
        if not part:
            raise ValueError("the line does not end")
        data += part
    return data


class Doors:
    """Answers at names that this process holds; made by `open_doors`, ended by `close`. The names stay taken."""

    def __init__(self, answer: Callable[[Command, Peer], Command]) -> None:
        self._answer = answer
        self._servers: list[asyncio.Server] = []
        self._strangers = 0
        self._talks: set[asyncio.StreamWriter] = set()

    async def add(self, sockets: Iterable[socket.socket]) -> None:
        """Answer at these sockets too."""
        for each in sockets:
            own = each.dup()  # a server closes the socket it was given
            own.setblocking(False)
            # listening again also tells the kernel that it is this process who answers from now on
            self._servers.append(
                await asyncio.start_unix_server(self._talk, sock=own, limit=_LONGEST_LINE, backlog=_BACKLOG)
            )

    def close(self) -> None:
        """Answer no more; who is still on the line is hung up on, also one who does not take his answers."""
        for server in self._servers:
            server.close()
        self._servers = []
        for writer in self._talks:
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            else:
                writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = peer_of(writer.get_extra_info("socket"))
        is_stranger = not is_own(peer)
        self._strangers += is_stranger
        self._talks.add(writer)
        try:
            if not is_stranger or self._strangers <= _TOGETHER:
                async with asyncio.timeout(_STRANGER_IDLE_S if is_stranger else _IDLE_S):
                    while line := await reader.readline():
                        writer.write(json.dumps(self._said(line, peer)).encode() + b"\n")
                        await writer.drain()
        except (TimeoutError, ValueError, OSError):
            return  # a peer that says nothing, too much, or is gone
        finally:
            self._strangers -= is_stranger
            self._talks.discard(writer)
            writer.close()

    def _said(self, line: bytes, peer: Peer) -> Command:
        try:
            command = json.loads(line)
        except (ValueError, RecursionError):
            command = None
        if not isinstance(command, dict):
            return {"ok": False, "said": 'expected one line of JSON like {"do": "status"}'}
        return self._answer(command, peer)


def state_of(pid: int) -> str:
    """The letter that the system gives to a process's state (T: stopped); '' when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] if pid else ""
    except (OSError, IndexError):
        return ""


def state_in_words(pid: int) -> str:
    """The same in words, `state T, stopped`."""
    letter = state_of(pid)
    if not letter:
        return "gone" if pid else "unknown"
    return f"state {letter}, {_STATES[letter]}" if letter in _STATES else f"state {letter}"


def command_line(pid: int) -> list[str]:
    """The command line of a process; [] when it cannot be read."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
    return []


def processes_behind(name: str) -> list[int]:
    """The processes that have the name's socket open, as far as this user may look: his own, or all for root."""
    try:
        rows = [line.split(maxsplit=7) for line in _TABLE.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return []
    nodes = {f"socket:[{r[6]}]" for r in rows[1:] if len(r) == 8 and r[7] == f"@{name}" and int(r[3], 16) & _LISTENS}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(os.readlink(each) in nodes for each in (folder / "fd").iterdir()):
                found.append(int(folder.name))
    return sorted(found)
