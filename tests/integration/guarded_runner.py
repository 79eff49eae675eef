"""`python guarded_runner.py STATION PLAN DATA ADDRESSES`: a run, its devices elsewhere.

Prints the run's folder when it starts and its verdict when it ends.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.clock import Clock, run
from harness.engine.options import RunOptions
from harness.engine.run import execute
from harness.engine.state import RunState
from harness.errors import RunError
from harness.project.plan import load_project
from harness.project.station import load_station


def tell(runner: RunState) -> None:
    print(json.dumps({"folder": str(runner.journal.path.parent)}), flush=True)


async def main() -> int:
    station, plan, data, addresses = (Path(each) for each in sys.argv[1:5])
    options = RunOptions(serial="RACK-0042", data_dir=data, operator="tester")
    options.addresses = json.loads(addresses.read_text())["addresses"]
    try:
        outcome = await execute(load_project(plan, load_station(station)), options, Clock(), tell)
    except RunError as error:
        print(json.dumps({"refused": str(error)}), flush=True)
        return 6
    shown = {"verdict": str(outcome.verdict), "reason": outcome.reason, "sealed": outcome.is_sealed}
    print(json.dumps({**shown, "safe": outcome.is_safe}), flush=True)
    return outcome.exit_code


raise SystemExit(run(main))
