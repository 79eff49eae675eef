"""Telling systemd how the service is: ready, alive, what it does. Nothing happens where there is no systemd.

Source: sd_notify(3): datagrams of `NAME=VALUE` lines to the socket in $NOTIFY_SOCKET.
"""

from __future__ import annotations

import os
import socket


class Notifier:
    """Sends to $NOTIFY_SOCKET. Never blocks and never raises: a deaf service manager does not stop a run."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)

    def say(self, text: str) -> None:
        """Send `text` as it is."""
        if self._socket is None:
            return
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:
            return

    def ready(self) -> None:
        """The service is up."""
        self.say("READY=1")

    def alive(self, status: str = "") -> None:
        """The control loop runs; `status` is what `systemctl status` shows. Called at least every WatchdogSec / 2."""
        self.say(f"WATCHDOG=1\nSTATUS={status}" if status else "WATCHDOG=1")

    def stopping(self) -> None:
        """The service makes the rack safe and ends."""
        self.say("STOPPING=1")

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
