"""What a workload driver is: a record, and the five things that a workload made by it can do.

```
 prepare()        is it possible at all, and what is there: a fault here is the station's
 start(level)     begin on every target
 progress()       who runs, who has ended, who is lost
 stop(grace)      end it everywhere within `grace`, also where nobody answers any more; says who is not known to have
 collect()        what each target came to, with its logs
 kill()           at once, without waiting: nothing of it is left on the station
```
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from harness.clock import Clock
from harness.device.third_party import bordered, third_party
from harness.errors import ConfigError, HarnessError
from harness.plugins import find, is_ours, names, owner_of, why_not
from harness.quantity import Reading
from harness.schema.fields import LocatedError, Model
from harness.schema.source import parse_source
from harness.schema.validation import validate_part

GROUP = "harness.workloads"


class NoSettings(Model):
    """The settings of a driver that has none."""


@dataclass(frozen=True, slots=True)
class WorkloadTarget:
    """One thing that computes: its name in the record, and where it is reached (`HOST`, `HOST:PORT`; '' here)."""

    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class WorkloadJob:
    """What is to be run."""

    targets: tuple[WorkloadTarget, ...]
    settings: Any
    """Of the driver's own model."""
    command: tuple[str, ...] = ()
    """Program and arguments, never a line for a shell."""
    version: tuple[str, ...] = ()
    """A command that says what versions are there; () for none."""
    most_output: int = 1 << 20
    """Bytes that are kept of each stream of output."""
    control: str = ""
    """The control that sets the load, for a driver that commands one; '': the station's only one."""
    grace: float = 10.0
    """Seconds between asking for the end and forcing it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Who runs still; who is lost, and why; all others have ended by themselves."""

    running: tuple[str, ...]
    lost: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """What one target came to."""

    target: str
    exit_code: int | None = None
    """Of the workload itself; None when it did not end by itself, or nobody knows."""
    was_stopped: bool = False
    """Whether it still ran when it was asked to end."""
    lost: str = ""
    """Why it is not known any more what it does: it died under load; '' when that is not so."""
    is_way_fine: bool = False
    """Of a lost one: whether something at its address still answers, so that network and station are not to blame."""
    seconds: float = 0.0
    stdout: Path | None = None
    stderr: Path | None = None
    is_cut: bool = False
    """Whether there was more output than is kept."""
    results: tuple[str | None, ...] = ()
    """What it computed, round by round; None for a round whose result is missing."""


class WorkloadStation(Protocol):
    """What a driver may use of the run; a step's context is one."""

    clock: Clock

    @property
    def folders(self) -> Any:
        """`station`: the folder of the station file; credentials and known hosts are found there."""
        ...

    def observe(self, signal: str) -> Reading:
        """The latest reading of a signal."""
        ...

    def signals(self, reference: str) -> list[str]:
        """The signals that a reference stands for."""
        ...

    async def refresh(self, signals: Iterable[str]) -> None:
        """Have signals read now, and wait for it: what was commanded a moment ago shows."""
        ...

    def load_control(self) -> str:
        """The control of the rack's load."""
        ...

    async def act(self, reference: str, to: str | float, within: float | None = None) -> None:
        """Set a control, confirmed."""
        ...

    def tell(self, text: str, **data: Any) -> None:
        """Put a line into the record."""
        ...


class Workload(Protocol):
    """One workload, made by a driver for one step; see the module."""

    async def prepare(self) -> Mapping[str, Any]:
        """What stands in the record of it (JSON): exact commands, versions. HarnessError when it cannot be."""
        ...

    async def start(self, level: float | None) -> None:
        """Begin; `level` in %. HarnessError when a target does not take it."""
        ...

    def progress(self) -> Progress:
        """How it is now; waits for nothing."""
        ...

    async def stop(self, grace: float) -> Mapping[str, str]:
        """End it; target -> why it may still run. Comes back within `grace` and a little, whoever is dead."""
        ...

    async def collect(self) -> tuple[Ended, ...]:
        """What each target came to, in the order of the targets."""
        ...

    def kill(self) -> None:
        """Leave nothing of it on the station, now."""
        ...

    async def killed(self) -> None:
        """Wait, not long, until what was killed is gone."""
        ...


@dataclass(frozen=True, slots=True)
class WorkloadDriver:
    """One driver."""

    name: str
    make: Callable[[WorkloadStation, WorkloadJob, Path], Workload]
    """(the run, what is to be run, the folder of the record for its logs) -> a workload."""
    settings: type[Model] = NoSettings
    """The model of `settings:`."""
    needs_command: bool = True
    needs_targets: bool = True
    """Whether its targets have addresses; without, it runs once, on the station or on the whole rack."""
    needs_level: bool = False
    ends_by_itself: bool = True
    """Whether a workload of it ever ends without being stopped."""
    in_virtual_time: bool = False
    """Whether it can be used where the clock jumps: real programs cannot."""
    accuses_station: bool = False
    """Whether what hangs is the station's own fault: it runs there."""
    look_every: float = 0.25
    """Seconds between two looks at its progress."""
    check_address: Callable[[str], object] = str
    """ValueError for what is no address of a target."""
    signals: Callable[[Any], tuple[str, ...]] = field(default=lambda _: ())
    """(settings) -> the signals that it reads, where the settings name some."""


def workload_driver(name: str) -> WorkloadDriver:
    """The installed driver of a name, imported now. ConfigError when there is none that can be used."""
    found = find(GROUP, name, lambda given: given)
    if found is None:
        raise ConfigError(why_not(GROUP, name) or f"no workload driver {name!r}, there are: {', '.join(names(GROUP))}")
    if not isinstance(found, WorkloadDriver) or found.name != name:
        raise ConfigError(f"the workload driver {name!r} cannot be used: its entry point names no record of that name")
    package = workload_package(name)
    return found if is_ours(package) else replace(found, make=partial(_made_by, found, package))


def _made_by(theirs: WorkloadDriver, package: str, *given: Any) -> Any:
    """A workload of another package: whatever its code does, sys.exit included, is an error that names the package."""

    def failed(why: str) -> HarnessError:
        return HarnessError(f"the workload driver {theirs.name} of the package {package} failed: {why}")

    with third_party(failed):
        made = theirs.make(*given)
        parts = {part: bordered(getattr(made, part), failed) for part in _PARTS}
    return SimpleNamespace(**parts)


_PARTS = ("prepare", "start", "progress", "stop", "collect", "kill", "killed")


def workload_package(name: str) -> str:
    """The package that adds a driver, `name version`."""
    return owner_of(GROUP, name)


def workload_settings(driver: WorkloadDriver, given: Mapping[str, Any]) -> Any:
    """`settings:` of a plan as the driver's model; LocatedError, at `settings`."""
    checked, problems = validate_part(parse_source(json.dumps(given).encode(), "settings"), driver.settings)
    if checked is None:
        one = problems[0]
        raise LocatedError(f"{driver.name}: {one.message}{f', {one.hint}' if one.hint else ''}", "settings")
    return checked
