"""A bay with the third layer whole: a folder for armed files, and a service manager that obeys the shipped units."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.safety import armed
from tests.integration.forked import Forked
from tests.integration.guarded_tools import ROOT, Bay, end_both, guardian_log, said, until
from tests.integration.service_manager import Service

UNITS = ROOT / "packaging" / "systemd"
HARNESS = str(Path(sys.executable).parent / "harness")
WITHIN_S = 15.0
"""From the end of runner and guardian to a dead rack, seconds, with a supervisor."""
V3 = """version: "3"
user: harness-sim
auth_protocol: SHA256
auth_key: simulated-auth-phrase
priv_protocol: AES128
priv_key: simulated-priv-phrase
"""


@dataclass(frozen=True)
class Begun:
    """A run and its guardian: process numbers, and the folder of the record."""

    folder: Path
    runner: int
    guardian: int

    def end(self, how: int) -> None:
        """Kill or freeze both."""
        end_both(self.runner, self.guardian, how)


class ServiceBay(Bay):
    """A bay whose station file has the real addresses, a folder for armed files, and services."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.armed = folder / "armed"
        self.armed.mkdir()
        self.services: list[Service] = []
        self.start_devices()
        found = json.loads(self.addresses.read_text())
        text = self.station.read_text()
        for old, device in (("snmp://127.0.0.1:16100", "pdu"), ("modbus+tcp://127.0.0.1:15020/12", "cdu")):
            text = text.replace(old, found["addresses"][device])
        (folder / "pdu.cred").write_text(V3)
        (folder / "pdu.cred").chmod(0o600)
        self.station.write_text(text.replace("counts: {outlet", "credentials: {file: pdu.cred}, counts: {outlet"))
        self.addresses.write_text(json.dumps({**found, "addresses": {}}))
        self.env |= {"HARNESS_ARMED": str(self.armed), "HARNESS_DATA": str(folder / "data")}
        self.env |= {"HARNESS_STATION": str(self.station), "PLAN": str(self.plan)}

    def serve(self, unit: str, instance: str = "") -> Service:
        """Start a shipped unit."""
        service = Service(UNITS / unit, self.folder, self.env, HARNESS, instance)
        self.services.append(service)
        return service.start()

    def supervise(self) -> Service:
        """Start the supervisor as the unit of the machine."""
        return self.serve("harness-supervisor.service")

    def begin_as_a_service(self) -> tuple[Service, Begun]:
        """A run as a unit, all outlets on."""
        before = set(self.runs())
        service = self.serve("harness@.service", "RACK-0042")
        until(lambda: self.outlets_on() == self.outlets, 60)
        assert service.main is not None
        (folder,) = set(self.runs()) - before
        return service, Begun(folder, service.main.pid, self.guardian_of(folder))

    def begin_by_hand(self, **environment: str) -> tuple[Forked, Begun]:
        """A run of somebody's shell, all outlets on."""
        process = self.start_run(**environment)
        folder = Path(said(process)["folder"])
        until(lambda: self.outlets_on() == self.outlets, 60)
        return process, Begun(folder, process.pid, self.guardian_of(folder))

    def runs(self) -> list[Path]:
        """The folders of all runs."""
        return sorted((self.folder / "data" / "runs").glob("*"))

    def guardian_of(self, folder: Path) -> int:
        """The process that guards a run."""
        pid = int(next(line["pid"] for line in guardian_log(folder) if line["kind"] == "start"))
        self.guardians.append(pid)
        return pid

    def armed_files(self) -> list[Path]:
        """What is armed."""
        return armed.listed(self.armed)

    def clear(self) -> None:
        """End everything but the devices; nothing stays armed."""
        self.close_services()
        self.end(self.started[1:])
        del self.started[1:], self.guardians[:]
        self._disarm()

    def close_services(self) -> None:
        """End every unit at once."""
        while self.services:
            self.services.pop().close()

    def close(self) -> None:
        """End everything, the devices too."""
        self.close_services()
        super().close()
        self._disarm()

    def _disarm(self) -> None:
        """No file stays on the disk, and no page of a lease in memory."""
        for path in self.armed_files():
            with contextlib.suppress(OSError, ValueError):
                os.unlink(armed.read(path)["live"])
            path.unlink()
