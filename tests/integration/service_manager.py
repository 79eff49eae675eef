"""A service manager that obeys unit files as systemd does, as far as ours say anything: see systemd.service(5),
systemd.kill(5) and sd_notify(3). A unit's processes are known by a mark that they inherit, as by cgroup there."""

from __future__ import annotations

import configparser
import os
import shlex
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

_UNITS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "": 1.0}
_MARK = "SERVICE_MANAGER_UNIT"


def seconds(text: str) -> float:
    """A time span of systemd: `10`, `500ms`, `15min`."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(number) * _UNITS[text[len(number) :].strip()]


class Service:
    """One unit. Its main process is started again as `Restart` says, killed as `WatchdogSec` and `KillMode` say."""

    def __init__(self, unit: Path, folder: Path, env: Mapping[str, str], executable: str, instance: str = "") -> None:
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        parser.optionxform = str  # type: ignore[method-assign,assignment]
        parser.read(unit)
        self.settings = parser["Service"]
        words = shlex.split(self.settings["ExecStart"].replace("%i", instance))
        known = {**os.environ, **env}
        self._command = [known[w[2:-1]] if w.startswith("${") else w for w in words]
        self._command[0] = executable
        self._mark = f"{unit.stem}{instance}-{os.urandom(4).hex()}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.settimeout(0.05)
        address = folder / f"{self._mark}.notify"
        self._socket.bind(str(address))
        self._env = {**known, _MARK: self._mark, "NOTIFY_SOCKET": str(address)}
        self.log = (folder / f"{self._mark}.log").open("w+")
        self.main: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.is_ready = False
        self._fed = 0.0
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def setting(self, key: str, default: str = "") -> str:
        return self.settings.get(key, default)

    def start(self) -> Service:
        """Start it; returns when it says that it is ready."""
        self._thread.start()
        limit = time.monotonic() + seconds(self.setting("TimeoutStartSec", "90"))
        while not self.is_ready and self._thread.is_alive():
            assert time.monotonic() < limit, self.text()
            time.sleep(0.02)
        return self

    def text(self) -> str:
        self.log.flush()
        return Path(self.log.name).read_text()

    def members(self) -> list[int]:
        """The processes of the unit."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environment = (entry / "environ").read_bytes()
                    state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                except OSError:
                    continue
                if f"{_MARK}={self._mark}".encode() in environment and state != "Z":
                    found.append(int(entry.name))
        return found

    def kill(self, number: int, pids: list[int]) -> None:
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    # --- as systemd --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._spawn()
            self._attend()
            if self._is_stopping.is_set() or self.setting("Restart", "no") != "always":
                return
            time.sleep(seconds(self.setting("RestartSec", "100ms")))

    def _spawn(self) -> None:
        self.starts += 1
        watchdog = seconds(self.setting("WatchdogSec", "0"))
        env = {**self._env, "WATCHDOG_USEC": str(int(watchdog * 1e6))}
        self.main = subprocess.Popen(self._command, env=env, stdout=self.log, stderr=self.log, start_new_session=True)
        self._fed = time.monotonic()
        self.is_ready = False

    def _attend(self) -> None:
        """Until all of the unit's processes are gone."""
        assert self.main is not None
        watchdog = seconds(self.setting("WatchdogSec", "0"))
        while self.main.poll() is None:
            self._hear()
            if self._is_stopping.is_set():
                self._end("KillSignal", "SIGTERM", "TimeoutStopSec")
            elif watchdog and time.monotonic() - self._fed > watchdog:
                late = "TimeoutAbortSec" if self.setting("TimeoutAbortSec") else "TimeoutStopSec"
                self._end("WatchdogSignal", "SIGABRT", late)
        self._end("KillSignal", "SIGTERM", "TimeoutStopSec")

    def _end(self, key: str, default: str, timeout: str) -> None:
        """Send the signal as KillMode says, wait, and kill what is left."""
        assert self.main is not None
        mode = self.setting("KillMode", "control-group")
        if self.main.poll() is not None and mode == "process":
            return
        first = self.members() if mode == "control-group" else [self.main.pid] if self.main.poll() is None else []
        self.kill(getattr(signal, self.setting(key, default)), first)
        if mode == "mixed" and self.main.poll() is not None:
            self.kill(signal.SIGKILL, self.members())
        limit = time.monotonic() + seconds(self.setting(timeout, "90"))
        while self.main.poll() is None or (mode != "process" and self.members()):
            if time.monotonic() > limit and self.setting("SendSIGKILL", "yes") == "yes":
                self.kill(signal.SIGKILL, self.members())
            if self._abandoned():
                return
            time.sleep(0.02)

    def _abandoned(self) -> bool:
        return self._is_stopping.is_set() and not self._waits

    def _hear(self) -> None:
        assert self.main is not None
        try:
            data, ancillary, _, _ = self._socket.recvmsg(4096, 64)
        except TimeoutError:
            return
        sender = next((struct.unpack("iII", blob)[0] for *_, blob in ancillary), 0)
        if self.setting("NotifyAccess", "main") == "main" and sender != self.main.pid:
            return
        lines = data.decode().split("\n")
        self.is_ready = self.is_ready or "READY=1" in lines
        if "WATCHDOG=1" in lines or "READY=1" in lines:
            self._fed = time.monotonic()

    _waits = True

    def close(self) -> None:
        """End everything at once, as no service manager would."""
        self._waits = False
        self._is_stopping.set()
        self.kill(signal.SIGCONT, self.members())
        for _ in range(3):
            self.kill(signal.SIGKILL, self.members())
            time.sleep(0.05)
        self._thread.join(10)
        self._socket.close()
        self.log.close()
