"""What checking costs: CPU of loading the simulated station and a plan with 20 mistakes, all of them reported.

Run: `python bench/check.py [rounds]`. Prints one JSON object; goal: `cpu_ms` below 300. The first round is counted
apart, since it also compiles the models.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.run.planted import PLAN

from harness.project.plan import load_project
from harness.project.station import load_station
from harness.schema.problems import ProblemsError

ROOT = Path(__file__).resolve().parent.parent


def check(plan: Path) -> int:
    """Load station and plan; the number of problems reported."""
    try:
        load_project(plan, load_station(ROOT / "testplans" / "stations" / "simulated.yaml"))
    except ProblemsError as error:
        return len(error.problems)
    return 0


def main(rounds: int) -> dict[str, float]:
    """CPU in ms of the first and of the fastest round."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.yaml"
        plan.write_text(PLAN)
        (Path(folder) / "limits.yaml").write_text((ROOT / "testplans" / "limits" / "nvl72.yaml").read_text())
        spent = []
        problems = 0
        for _ in range(rounds + 1):
            began = time.process_time()
            problems = check(plan)
            spent.append(1000 * (time.process_time() - began))
    return {"problems": problems, "cpu_first_ms": round(spent[0], 1), "cpu_ms": round(min(spent[1:]), 1)}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)) + "\n")
