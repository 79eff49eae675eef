"""What the journal costs: CPU a frame, bytes a point, time of a durable step, CPU a point of the outbox.

Run: `python bench/journal.py [frames]`. Prints one JSON object, figures for the record in docs/adr/0005.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.clock import Clock, run
from harness.quantity import Frame
from harness.telemetry.journal import Journal
from harness.telemetry.lines import LineWriter
from harness.telemetry.reading import open_for_reading
from harness.telemetry.rows import SignalInfo

SIGNALS = 40


def frames(count: int) -> list[Frame]:
    """Frames of 40 signals with sensor-like values."""
    rng = np.random.default_rng(1)
    qualities = np.zeros(SIGNALS, np.uint8)
    return [
        Frame("cdu", 10**18 + number * 10**9, float(number), np.round(rng.normal(40, 5, SIGNALS), 1), qualities)
        for number in range(count)
    ]


async def measure(path: Path, count: int) -> dict[str, float]:
    """Write `count` frames committing every 100, then 10 000 durable steps."""
    journal = await Journal.create(path, Clock(), {})
    journal.declare("cdu", [SignalInfo(f"signal_{index}", "degC") for index in range(SIGNALS)], "cdu")
    given = frames(count)
    start = time.process_time()
    for frame in given:
        journal.add_frame(frame)
    added = time.process_time() - start
    await journal.commit()
    inserted = time.process_time() - start - added
    await asyncio.sleep(0)
    steps = {}
    begun = time.perf_counter()
    for number in range(1, 10_001):
        journal.add_event("intent", step="power_on", control=f"pdu.outlet[{number % 24}]", to="on")
        await journal.commit()
        if number in (1_000, 5_000, 10_000):
            steps[number] = (time.perf_counter() - begun) / number * 1e6
    await journal.close()
    return {
        "add_us_per_frame": added / count * 1e6,
        "insert_us_per_frame": inserted / count * 1e6,
        **{f"durable_step_us_over_{number}": took for number, took in steps.items()},
    }


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        figures = run(lambda: measure(path, count))
        figures["bytes_per_point"] = path.stat().st_size / (count * SIGNALS)
        with open_for_reading(path) as reader:
            start = time.process_time()
            entries = list(reader.frames())
            figures["read_us_per_frame"] = (time.process_time() - start) / count * 1e6
            start = time.process_time()
            reader.series("cdu.signal_7")
            figures["series_us_per_frame"] = (time.process_time() - start) / count * 1e6
        writer = LineWriter({"run": "r1", "serial": "RACK-0001", "station": "line-3"})
        start = time.process_time()
        size = sum(len(writer.line(entry) or b"") for entry in entries)
        figures["line_us_per_point"] = (time.process_time() - start) / (count * SIGNALS) * 1e6
        figures["line_bytes_per_point"] = size / (count * SIGNALS)
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in figures.items()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
