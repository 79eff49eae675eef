"""What the drivers have in common that run a program for each target: started, watched, stopped, collected."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic

from harness.workloads.driver import Ended, Progress, WorkloadJob, WorkloadStation, WorkloadTarget
from harness.workloads.process import ScriptedProcess

LEVEL, TARGET = "{level}", "{target}"
"""Arguments that stand for the level in % and for the name of the target."""
_STOP_ROOM_S = 3.0
"""What ending may take beyond the grace: a signal, an exit code on its way, the last output."""


def filled(command: Sequence[str], level: float | None, target: str) -> tuple[str, ...]:
    """A command with whole arguments put in."""
    shown = {LEVEL: "" if level is None else f"{level:g}", TARGET: target}
    return tuple(shown.get(each, each) for each in command)


class RunningPrograms:
    """One `ScriptedProcess` for each target. Who makes the arguments and reads the ends is the driver."""

    def __init__(self, station: WorkloadStation, job: WorkloadJob, folder: Path) -> None:
        self.station, self.job, self.folder = station, job, folder
        self.runs: dict[str, ScriptedProcess] = {}
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._was_lost: dict[str, str] = {}
        self._stopped: set[str] = set()
        self.is_stopping = False
        """Whether it was asked to end: from then on one that is killed is not lost."""

    def open(self, target: WorkloadTarget) -> ScriptedProcess:
        """A process for a target, with its logs in the record."""
        out, err = self.folder / f"{target.name}.out", self.folder / f"{target.name}.err"
        run = self.runs[target.name] = ScriptedProcess(out, err, self.job.most_output)
        self._began[target.name] = monotonic()
        return run

    def lost(self, name: str) -> str:
        """Why it is not known any more what became of a program whose process is over; '' when it is known."""
        run = self.runs[name]
        if run.exit_code is not None:
            return ""
        return self.why_gone(run) or ("" if self.is_stopping else "it ended without a word")

    def why_gone(self, _run: ScriptedProcess) -> str:
        """What is known to have parted us from a program that gave no exit code; '' for nothing: it was killed."""
        return ""

    def progress(self) -> Progress:
        """How it is now."""
        running, lost = [], {}
        for name, run in self.runs.items():
            if not run.has_ended:
                running.append(name)
                continue
            self._ended.setdefault(name, monotonic())
            if why := self._was_lost.setdefault(name, self.lost(name)):
                lost[name] = why
        return Progress(tuple(running), lost)

    async def stop(self, grace: float) -> Mapping[str, str]:
        """Close every stdin and wait: the script does the rest, on the other side as well."""
        still = {name: run for name, run in self.runs.items() if not run.has_ended}
        before = self.progress().lost
        self.is_stopping = True
        self._stopped.update(still)
        for run in self.runs.values():
            run.ask_to_stop()
        await asyncio.gather(*(run.ended(grace + _STOP_ROOM_S) for run in self.runs.values()))
        why = {name: f"it did not end within {grace:g} s" for name, run in still.items() if not run.has_ended}
        self._was_lost.update(why)
        self.kill()
        return {**before, **self.progress().lost, **why}

    async def collect(self) -> tuple[Ended, ...]:
        """What each came to; the logs are closed by then."""
        await self.killed()
        self.progress()
        found = []
        for target in self.job.targets:
            run = self.runs.get(target.name)
            if run is None:
                continue
            found.append(
                Ended(
                    target.name,
                    exit_code=run.exit_code,
                    was_stopped=target.name in self._stopped,
                    lost=self._was_lost.get(target.name, ""),
                    seconds=self._ended.get(target.name, monotonic()) - self._began[target.name],
                    stdout=run.out.path,
                    stderr=run.err.path,
                    is_cut=bool(run.out.left_out or run.err.left_out),
                )
            )
        return tuple(found)

    def kill(self) -> None:
        """Every process group, now."""
        for run in self.runs.values():
            run.kill()

    async def killed(self) -> None:
        """Wait until they are gone."""
        await asyncio.gather(*(run.killed() for run in self.runs.values()))
