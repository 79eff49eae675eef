"""For tests of your own steps, plans and profiles, on the simulated rack in virtual time: hours take seconds.

    from harness.testing import rack, run_plan, run_step  # `rack` is a fixture

    def test_dip(tmp_path):
        outcome = run_step(dip, tmp_path, {"signal": "cdu.flow", "below": "165 L/min"}, faults=["pump_stop:1@20s"])
        assert outcome.verdict == "PASS"

The simulated rack is the judge (`outcome`, `rack.truth()`); neither network nor hardware is needed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import mkstemp
from typing import Any

import pytest

from harness.engine.options import RunOutcome
from harness.project.step import StepDefinition
from harness.rack import Rack, simulated_rack

__all__ = ["rack", "run_plan", "run_step"]

SERIAL = "TRIAL-1"


@pytest.fixture
def rack() -> Iterator[Rack]:
    """The built-in simulated rack, open, without faults."""
    with simulated_rack(virtual=True, seed=1) as opened:
        yield opened


def run_step(
    definition: StepDefinition,
    folder: Path | str,
    parameters: Mapping[str, Any] | None = None,
    *,
    before: Sequence[Mapping[str, Any]] = (),
    station: Path | str = "simulated",
    seed: int = 1,
    faults: Sequence[str] = (),
    at_most: float = 4 * 3600.0,
) -> RunOutcome:
    """Run one step, as a plan of its own; it need not be installed. Its result is the last of `outcome.result.steps`.

    `parameters`: as a plan writes them, `{"within": "30 s"}`; `before`: steps of the plan ahead of it, as
    `{"step": "power_on", "outlets": "pdu.outlet"}`; the others: see `run_plan`. ProblemsError where a plan would be
    refused, TypeError for what is no step.
    """
    if not isinstance(definition, StepDefinition):
        raise TypeError(f"{definition!r} is no step; a function becomes one by the decorator `step`")
    rows = [*before, {"step": definition.name, **(parameters or {})}]
    content = json.dumps({"schema": 1, "plan": "trial", "coverage": "90 %", "steps": rows})
    Path(folder).mkdir(parents=True, exist_ok=True)
    handle, name = mkstemp(prefix="trial-", suffix=".yaml", dir=folder)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(content)
    return run_plan(name, folder, station=station, seed=seed, faults=faults, steps=[definition], at_most=at_most)


def run_plan(
    plan: Path | str,
    folder: Path | str,
    *,
    station: Path | str = "simulated",
    seed: int = 1,
    faults: Sequence[str] = (),
    parameters: Mapping[str, Any] | None = None,
    steps: Sequence[StepDefinition] = (),
    at_most: float = math.inf,
) -> RunOutcome:
    """Run a plan (a file, or the name of an installed one); its record is laid under `folder`.

    `faults`: as `--fault` has them; `parameters`: of the plan, as `--set` has them; `steps`: beside the installed ones;
    `at_most`: seconds of the rack's time after which the run ends with ERROR: what never ends is found out.
    """
    with simulated_rack(station, virtual=True, seed=seed, faults=faults) as opened:
        return opened.run(plan, serial=SERIAL, parameters=parameters, data=folder, steps=steps, at_most=at_most)
