"""Simulated devices, found by entry point: the harness itself knows no simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from harness.device.protocol import protocol
from harness.device.registry import find_profile, load_profile
from harness.device.third_party import third_party
from harness.errors import ConfigError
from harness.plugins import find, names, why_not
from harness.project.model import StationProject
from harness.schema.document import Source
from harness.schema.problems import Problem, ProblemsError
from harness.schema.profile import Profile
from harness.schema.simulation import BUILT_IN_SIMULATOR
from harness.transport.network import Network

GROUP = "harness.simulators"
CODE = "HX-1402"
"""Of a mistake in a `sim:` key."""


class Simulation(Protocol):
    """What a simulator gives back: see `sim.station` for the one that ships."""

    network: Network | None

    @property
    def addresses(self) -> Mapping[str, str]:
        """Device -> address."""
        ...

    def describe(self) -> str:
        """How to reach each device."""
        ...

    def truth(self) -> dict[str, float]:
        """The ground truth."""
        ...

    async def serve_truth(self, port: int = 0) -> Any:
        """Serve truth and fault injection to other processes; has `.port` and `close()`."""
        ...

    async def close(self) -> None:
        """Stop the devices."""
        ...


async def start_simulation(
    on: StationProject,
    *,
    virtual: bool = False,
    seed: int | None = None,
    faults: Sequence[str] = (),
    ports: Mapping[str, int] | None = None,
    lot: str = "",
) -> Simulation:
    """Start the simulated devices of a station in the running loop. ConfigError when there is no such simulator.

    `lot` goes into their serial numbers: what other processes reach is told apart from other simulations.
    """
    start = _simulator(on.station.simulation.simulator)
    refuse(station_problems(on))
    profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
    spoken = {profile.protocol: protocol(profile.protocol) for profile in profiles.values()}
    simulation: Simulation = await start(
        on.station,
        profiles,
        virtual=virtual,
        seed=seed,
        faults=tuple(faults),
        ports=ports,
        lot=lot,
        servers={name: each.part("twin") for name, each in spoken.items() if each.twin},
    )
    return simulation


def _simulator(name: str) -> Any:
    """The simulator of a name. ConfigError when there is none that can be used."""
    start = find(GROUP, name, lambda start: start)
    if start is None:
        known = ", ".join(names(GROUP)) or "none, install the whole package"
        why = why_not(GROUP, name) or f"there is no simulator {name!r}, installed: {known}"
        raise ConfigError(why, hint="leave --simulate out, or name another in the station's `simulation:`")
    return start


def binding_problems(profile: Profile, source: Source | None, simulator: str = BUILT_IN_SIMULATOR) -> list[Problem]:
    """What the profile's `sim:` keys name that no simulated device could show or be told; [] without that simulator.

    A simulator that cannot tell (it has no `problems`) finds nothing. `source` gives places; None: no line is known.
    """
    tell = getattr(find(GROUP, simulator, lambda start: start), "problems", None)
    if tell is None:
        return []
    with third_party(lambda why: ConfigError(f"the simulator {simulator!r} failed: {why}"), KeyboardInterrupt):
        found = [(place, str(message), str(hint)) for place, message, hint in tell(profile)]
    if source is None:
        return [Problem(profile.profile, 0, 0, CODE, message, hint) for _, message, hint in found]
    return [source.problem(place, CODE, message, hint) for place, message, hint in found]


def station_problems(on: StationProject) -> list[Problem]:
    """The same for every profile of a station, by the simulator that it names."""
    found: list[Problem] = []
    simulator = on.station.simulation.simulator
    for name, entry in on.station.devices.items():
        profile = on.catalog.profiles.get(name)
        if profile is not None and binding_problems(profile, None, simulator):
            path = find_profile(entry.profile, on.base)
            found += binding_problems(profile, load_profile(path)[1] if path else None, simulator)
    return list(dict.fromkeys(found))


def refuse(problems: list[Problem]) -> None:
    """ProblemsError when there are any."""
    if problems:
        raise ProblemsError(problems)


@asynccontextmanager
async def simulated(
    on: StationProject, *, simulate: bool, virtual: bool = False, seed: int | None = None, faults: Sequence[str] = ()
) -> AsyncIterator[Simulation | None]:
    """Simulated devices for as long as the block lasts; None when `simulate` is off."""
    if not simulate:
        yield None
        return
    simulation = await start_simulation(on, virtual=virtual, seed=seed, faults=faults)
    try:
        yield simulation
    finally:
        await simulation.close()
