"""The driver `command`: a program on the station itself."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from harness.errors import HarnessError
from harness.schema.fields import Model, StrictText
from harness.workloads.driver import WorkloadDriver, WorkloadJob, WorkloadStation
from harness.workloads.process import environment, said_by, under_script
from harness.workloads.running import RunningPrograms, filled

_VERSION_S = 30.0
_START_S = 10.0


class CommandSettings(Model):
    """`settings:` of the driver `command`."""

    environment: dict[str, StrictText] = Field(default_factory=dict)
    """Variables of its environment, beside PATH, HOME, language and time zone; nothing else of the station's is there.
    They stand in the record: no secrets."""


class LocalPrograms(RunningPrograms):
    """The program, in a folder of its own that goes with it."""

    def __init__(self, station: WorkloadStation, job: WorkloadJob, folder: Path) -> None:
        super().__init__(station, job, folder)
        self._env = environment(job.settings.environment)
        self._program = ""
        self._at = tempfile.TemporaryDirectory(prefix="harness-workload-", ignore_cleanup_errors=True)

    async def prepare(self) -> Mapping[str, Any]:
        """The program is there and may be run; what it is, byte for byte, and what it says of its version."""
        self._program = self._found(self.job.command[0])
        about: dict[str, Any] = {"program": self._program}
        try:
            content = await self.station.clock.blocking(None, Path(self._program).read_bytes)
            about["sha256"] = hashlib.sha256(content).hexdigest()
        except OSError:
            about["sha256"] = "it may be run but not read"
        if self.job.version:
            command = (self._found(self.job.version[0]), *self.job.version[1:])
            code, text = await said_by(command, self._env, _VERSION_S)
            if code != 0:
                raise HarnessError(
                    f"`version:` {'did not end' if code is None else f'ended with {code}'}: {text[-200:]}",
                    where=command[0],
                )
            about["version"] = text
        return about

    def _found(self, program: str) -> str:
        """The path of a program; one with `/` is beside the station file."""
        at = str(self.station.folders.station / program) if "/" in program else program
        found = shutil.which(at, path=self._env.get("PATH", os.defpath))
        if found is None:
            raise HarnessError(f"there is no program {program!r} that may be run", hint="is it installed here?")
        return found

    async def start(self, level: float | None) -> None:
        """Start it."""
        target = self.job.targets[0]
        command = (self._program, *filled(self.job.command[1:], level, target.name))
        self.station.tell(f"{target.name}: {' '.join(command)}", command=list(command))
        run = self.open(target)
        try:
            await run.start(under_script(run.mark, self.job.grace, command), self._env, self._at.name)
        except OSError as error:
            raise HarnessError(f"{self._program} cannot be started: {error.strerror}") from error
        if not await run.begun(_START_S):
            raise HarnessError(f"{self._program} was not started within {_START_S:g} s", hint="is there a shell `sh`?")

    async def killed(self) -> None:
        """Wait until it is gone, and its folder with it."""
        await super().killed()
        await asyncio.to_thread(self._at.cleanup)


DRIVER = WorkloadDriver("command", LocalPrograms, CommandSettings, needs_targets=False, accuses_station=True)
