"""The driver `simulated`: the workload agent of the rack, as the simulated rack has one.

It commands the load control as any step does, and takes what the trays computed from the agent's signals: the number of
the last finished round, and one result a tray. The profile `load/rack_workload` is the template of such an agent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.schema.fields import Model, SignalRef
from harness.workloads.driver import Ended, Progress, WorkloadDriver, WorkloadJob, WorkloadStation

_ANSWER_S = 10.0


class SimulatedSettings(Model):
    """`settings:` of the driver `simulated`."""

    rounds: SignalRef | None = None
    """The number of the last finished round; default: the signal `batch` of the same device."""
    results: SignalRef | None = None
    """The result of each tray; default: the column `tray.result` of the same device."""


class AgentWorkload:
    """A level that was set, and the results that come meanwhile."""

    def __init__(self, station: WorkloadStation, job: WorkloadJob, _folder: Path) -> None:
        self._station = station
        self._job = job
        settings: SimulatedSettings = job.settings
        self._control = job.control or station.load_control()
        device = self._control.partition(".")[0]
        self._rounds = settings.rounds or f"{device}.batch"
        self._trays = station.signals(settings.results or f"{device}.tray.result")
        self._found: dict[str, list[str | None]] = {name: [] for name in self._trays}
        self._last: int | None = None
        self._before = 0.0
        self._began = self._ended = station.clock.monotonic()
        self._is_running = False

    async def prepare(self) -> Mapping[str, Any]:
        """Where the load stands: there it goes back to. Read now: the step before may just have set it."""
        shown = self._station.signals(self._control)  # a control and what shows it have one name
        await self._station.refresh(shown)
        reading = self._station.observe(shown[0]) if shown else None
        self._before = reading.value if reading is not None and reading.is_good else 0.0
        return {"control": self._control, "level_before": self._before, "trays": len(self._trays)}

    async def start(self, level: float | None) -> None:
        """Set the level, confirmed."""
        assert level is not None
        self._look()
        self._is_running = True
        self._began = self._station.clock.monotonic()
        await self._station.act(self._control, f"{level:g} %")

    def progress(self) -> Progress:
        """It runs until it is stopped. Also takes what has come since the last look."""
        if self._is_running:
            self._look()
        return Progress(("rack",) if self._is_running else ())

    def _look(self) -> None:
        """Take the results of a round that is new; one that was finished unseen has no result."""
        if not self._trays:
            return
        number = self._station.observe(self._rounds)
        if not number.is_good:
            return
        last, self._last = self._last, int(number.value)
        if last is None or self._last <= last:
            return
        for name, found in self._found.items():
            reading = self._station.observe(name)
            is_of_it = reading.is_good and reading.mono == number.mono
            found += [None] * (self._last - last - 1)
            found.append(f"{reading.value:.0f}" if is_of_it else None)

    async def stop(self, grace: float) -> Mapping[str, str]:
        """Set the level back; an agent that does not take it is told by what it did."""
        self.progress()
        self._is_running = False
        self._ended = self._station.clock.monotonic()
        try:
            async with self._station.clock.timeout(grace + _ANSWER_S):
                await self._station.act(self._control, f"{self._before:g} %", grace)
        except TimeoutError:
            return {"rack": f"{self._control} did not answer within {grace + _ANSWER_S:g} s"}
        except HarnessError as error:
            return {"rack": error.said}
        return {}

    async def collect(self) -> tuple[Ended, ...]:
        """One for each tray that gives results, else one for the rack."""
        seconds = self._ended - self._began
        if not self._trays:
            return (Ended("rack", was_stopped=True, seconds=seconds),)
        device = f"{self._control.partition('.')[0]}."
        return tuple(
            Ended(name.removeprefix(device).partition(".")[0], was_stopped=True, seconds=seconds, results=tuple(found))
            for name, found in self._found.items()
        )

    def kill(self) -> None:
        """Nothing of it is on the station; what it set, the run undoes."""

    async def killed(self) -> None:
        """There is nothing to wait for."""


def _signals(settings: SimulatedSettings) -> tuple[str, ...]:
    return tuple(each for each in (settings.rounds, settings.results) if each is not None)


DRIVER = WorkloadDriver(
    "simulated",
    AgentWorkload,
    SimulatedSettings,
    needs_command=False,
    needs_targets=False,
    needs_level=True,
    ends_by_itself=False,
    in_virtual_time=True,
    look_every=1.0,
    signals=_signals,
)
