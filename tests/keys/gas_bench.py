"""A run on the simulated bay for leak tests: a rack that is filled to 500 kPa and closed off, then the step `it`.

The files hold `plan` and, beside it, `faults`: what is wrong with the simulated rack or panel from the begin.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from tests.keys.rows import Files, written
from tests.plan_runs import PLANS, run_plan

STATION = (PLANS / "stations" / "leak_test.yaml").read_text().replace("spread: 1", "spread: 0").replace("2 s}", "1 s}")
FILL = [
    {"step": "set", "name": "shut", "control": "gas.vent", "to": "closed"},
    {"step": "set", "name": "regulator", "control": "gas.pressure_setpoint", "to": "500 kPa"},
    {"step": "set", "name": "fill", "control": "gas.fill", "to": "on"},
    {"step": "wait_until", "name": "full", "signal": "gas.pressure", "min": "495 kPa", "for": "3 s", "within": "5 min"},
    {"step": "set", "name": "filled", "control": "gas.fill", "to": "off"},
    {"step": "set", "name": "closed off", "control": "gas.isolation", "to": "isolated"},
]
IT = f"plan/steps/{len(FILL)}"


def filled(step: str, *more: dict[str, Any], faults: list[str] | None = None, **keys: Any) -> dict[str, Any]:
    """A plan whose step `it` finds a filled rack."""
    return {"plan/steps": [*FILL, {"step": step, "name": "it", **keys}, *more], "faults": faults or []}


FILES = {"plan": "schema: 1\nplan: it\ncoverage: 90 %\nsteps: []\n"}


@dataclass
class Ran:
    """What a run came to; after a refusal `error` says why, and all else is empty."""

    error: str = ""
    verdict: str = ""
    reason: str = ""
    notes: str = ""
    seconds: float = 0.0
    values: dict[str, float] = field(default_factory=dict)


def gas_bench(folder: Path, files: Files) -> Ran:
    """Load the plan and carry it out in virtual time."""
    written(folder, files, "plan")
    (folder / "station.yaml").write_text(STATION)
    try:
        ran = run_plan(
            folder / "plan.yaml", folder / "data", station=folder / "station.yaml", faults=files.get("faults", ())
        )
    except HarnessError as error:
        return Ran(error=str(error))
    step = ran.step("it")
    mine = [each for each in ran.events if each.data.get("step") == "it"]
    return Ran(
        verdict=str(step.verdict),
        reason=step.reason or ran.reason,
        notes="; ".join(each.text for each in mine if each.kind == "note"),
        seconds=mine[-1].mono - mine[0].mono,
        values={each.name: each.value for each in step.measurements if each.value is not None},
    )


# --- what rows look at


def error(ran: Ran) -> str:
    """Why the plan was refused."""
    return ran.error


def ends(ran: Ran) -> str:
    """Verdict and reason of the step; or why the plan was refused."""
    return ran.error or f"{ran.verdict} {ran.reason}".strip()


def verdict(ran: Ran) -> str:
    """The verdict of the step; or why the plan was refused."""
    return ran.error or ran.verdict


def notes(ran: Ran) -> str:
    """What the step told."""
    return ran.error or ran.notes


def minutes(ran: Ran) -> int:
    """How long the step took, whole halves of a minute."""
    return round(ran.seconds / 30.0)
