"""`python chaos_runner.py STATION PLAN DATA ACKS [RESUME]`: a run that says what it has acknowledged.

ACKS is a file of 8 bytes: the journal's `durable_seq`, written as soon as it moves (memory of the kernel: it survives
the death of this process). Prints the run's folder when it starts and its verdict when it ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import sys
from pathlib import Path

from harness.clock import Clock, run
from harness.engine.options import RunOptions
from harness.engine.run import execute
from harness.engine.state import RunState
from harness.errors import HarnessError
from harness.limits.verdict import Verdict
from harness.project.plan import load_project
from harness.project.station import load_station


async def acknowledge(runner: RunState, handle: int) -> None:
    while True:
        os.pwrite(handle, struct.pack("<q", runner.journal.durable_seq), 0)
        await asyncio.sleep(0.01)


async def main() -> int:
    station, plan, data, acks = (Path(each) for each in sys.argv[1:5])
    options = RunOptions(serial="RACK-0042", data_dir=data, operator="chaos")
    options.resume = Path(sys.argv[5]) if len(sys.argv) > 5 else None
    handle = os.open(acks, os.O_RDWR | os.O_CREAT)

    def begin(runner: RunState) -> None:
        runner.attach(acknowledge(runner, handle))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, runner.request_stop, Verdict.ABORTED, f"signal {number}")
        print(json.dumps({"folder": str(runner.journal.path.parent)}), flush=True)

    try:
        outcome = await execute(load_project(plan, load_station(station)), options, Clock(), begin)
    except HarnessError as error:
        print(json.dumps({"refused": str(error)}), flush=True)
        return 6
    print(json.dumps({"verdict": str(outcome.verdict), "reason": outcome.reason, "safe": outcome.is_safe}), flush=True)
    return outcome.exit_code


if __name__ == "__main__":
    raise SystemExit(run(main))
