"""Simulated devices, found by entry point: the harness itself knows no simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from harness.device.protocol import protocol
from harness.device.registry import find_profile, load_profile
from harness.errors import ConfigError
from harness.plugins import broken, installed
from harness.project.model import StationProject
from harness.schema.document import Source
from harness.schema.problems import Problem, ProblemsError
from harness.schema.profile import Profile
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
    """Start the simulated devices of a station in the running loop. ConfigError when there is no simulator.

    `lot` goes into their serial numbers: what other processes reach is told apart from other simulations.
    """
    found = installed(GROUP, lambda start: start)
    if not found:
        why = "; ".join(map(str, broken(GROUP))) or "install the whole package, or leave --simulate out"
        raise ConfigError("no simulator is installed", hint=why)
    if len(found) > 1:
        raise ConfigError(f"{' and '.join(one.package for one in found)} both add a simulator", hint="uninstall one")
    refuse(station_problems(on))
    profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
    spoken = {profile.protocol: protocol(profile.protocol) for profile in profiles.values()}
    simulation: Simulation = await found[0].value(
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


def binding_problems(profile: Profile, source: Source | None) -> list[Problem]:
    """What the profile's `sim:` keys name that no simulated device could show or be told; [] without a simulator.

    A simulator that cannot tell (it has no `problems`) finds nothing. `source` gives places; None: no line is known.
    """
    simulator = next(iter(installed(GROUP, lambda start: start)), None)
    find = getattr(simulator.value, "problems", None) if simulator is not None else None
    found = find(profile) if find is not None else []
    if source is None:
        return [Problem(profile.profile, 0, 0, CODE, message, hint) for _, message, hint in found]
    return [source.problem(place, CODE, message, hint) for place, message, hint in found]


def station_problems(on: StationProject) -> list[Problem]:
    """The same for every profile of a station."""
    found: list[Problem] = []
    for name, entry in on.station.devices.items():
        profile = on.catalog.profiles.get(name)
        if profile is not None and binding_problems(profile, None):
            path = find_profile(entry.profile, on.base)
            found += binding_problems(profile, load_profile(path)[1] if path else None)
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
