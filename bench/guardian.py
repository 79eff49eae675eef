"""What the guardian costs and how fast it is, with the simulator's truth as judge; and the race for the station's lock.

Run: `python bench/guardian.py [rounds]`. Prints one JSON object, figures for the record in docs/adr/0006. Devices,
runner and guardian are processes of their own, as at a station.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.integration.guarded_tools import Bay, guardian_log, is_alive, until, wanted
from tests.integration.test_lock import race

IDLE_S = 5.0


def memory(pid: int) -> dict[str, float]:
    """Resident and proportional memory of a process, MB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    kilobytes = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    return {"rss_mb": round(kilobytes["Rss:"] / 1024, 1), "pss_mb": round(kilobytes["Pss:"] / 1024, 1)}


def processor(pid: int) -> float:
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def one(bay: Bay, how: str) -> dict[str, float]:
    """Power up, kill or freeze the runner (or kill the guardian), and time the rack's way to safety."""
    runner, folder, guardian = bay.power_up()
    found = memory(guardian)
    if how == "idle":
        before = processor(guardian)
        time.sleep(IDLE_S)
        found["cpu_percent"] = round(100 * (processor(guardian) - before) / IDLE_S, 2)
        found["start_cpu_s"] = before
        how = "kill"
    if how == "guardian":
        os.kill(guardian, signal.SIGKILL)
    else:
        os.kill(runner.pid, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
    found["off_s"] = round(until(lambda: bay.outlets_on() == 0, 30), 3)
    again = 0
    if how == "freeze":
        time.sleep(max(0.0, 5.0 - found["off_s"]))
        os.kill(runner.pid, signal.SIGCONT)
        while runner.poll() is None:
            again = max(again, bay.outlets_on())
            time.sleep(0.02)
    runner.wait(60)
    until(lambda: not is_alive(guardian), 60)
    found["energised_again"] = again
    takeover = next(wanted(guardian_log(folder), "takeover"), None)
    first = next(wanted(guardian_log(folder), "command"), None)
    if takeover is not None and first is not None:
        found["takeover_to_first_command_ms"] = round(1000 * (first["t"] - takeover["t"]), 2)
    return found


def many(outlets: int, slow_s: float) -> dict[str, float]:
    """From the runner's death to the last of many outlets off, at an agent that answers late."""
    with tempfile.TemporaryDirectory() as folder:
        bay = Bay(Path(folder), outlets=outlets)
        try:
            bay.start_devices()
            runner, _, guardian = bay.power_up()
            bay.ask(f"inject device_slow:pdu={slow_s}s")
            os.kill(runner.pid, signal.SIGKILL)
            off_s = round(until(lambda: bay.outlets_on() == 0, 60), 3)
            until(lambda: not is_alive(guardian), 60)
        finally:
            bay.close()
    return {"outlets": outlets, "device_latency_s": slow_s, "off_s": off_s}


def main() -> int:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    figures: dict[str, object] = {"rounds": rounds}
    with tempfile.TemporaryDirectory() as folder:
        bay = Bay(Path(folder))
        try:
            bay.start_devices()
            figures["idle"] = one(bay, "idle")
            for how in ("kill", "freeze", "guardian"):
                found = [one(bay, how) for _ in range(rounds)]
                times = [each["off_s"] for each in found]
                figures[how] = {
                    "off_s_median": statistics.median(times),
                    "off_s_max": max(times),
                    "rss_mb_max": max(each["rss_mb"] for each in found),
                    "energised_again": sum(each["energised_again"] for each in found),
                }
        finally:
            bay.close()
    figures["many"] = [many(24, slow_s) for slow_s in (0.3, 1.0)]
    with tempfile.TemporaryDirectory() as folder:
        won = [sum(line.startswith("won") for line in said) for said in race(Path(folder), 20, 100)]
        figures["lock"] = {"rounds": len(won), "exactly_one_winner": sum(count == 1 for count in won)}
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
