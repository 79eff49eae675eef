"""Runs the benchmarks that have goals, prints one table, and writes docs/reference/benchmarks.md with `--write`.

    python bench/run.py [--write]         some minutes
    python bench/run.py --quick           seconds: whether every benchmark still runs, its figures mean nothing

Machines differ and are shared, so each table begins with an anchor (what one million turns of a plain Python loop
cost here and now), and figures stand beside a well-known library that does less on the same machine in the same minute.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "bench"))

import journal
import modbus_client
import modbus_server
import pipeline
import plant
import snmp
import snmp_server

from harness.clock import run

PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
HEAD = """# Benchmarks

What the harness costs, measured by `make bench` (this page: `python bench/run.py --write`). CPU figures are of the
harness' own process; simulated devices run in another one, except in virtual time, where they are part of it.

Read the ratios rather than the figures: other machines are faster or slower, and shared ones change by the minute.
The anchor says how fast this one was: a current desktop needs about 40 ms for it.

"""


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    value: str
    goal: str = ""
    beside: str = ""


def anchor() -> float:
    """Milliseconds of CPU that one million turns of a plain loop take, the median of five."""
    found = []
    for _ in range(5):
        start, total = time.process_time(), 0
        for number in range(1_000_000):
            total += number * number & 7
        found.append((time.process_time() - start) * 1e3)
    return statistics.median(found)


def start_up(*arguments: str, rounds: int = 5) -> float:
    """The least CPU seconds (user and system) of a few runs of the command line."""
    best = float("inf")
    code = "from harness.cli.main import main; main()"
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return best


def figures(*, quick: bool = False) -> list[Figure]:
    """Measure everything, printing each line as soon as it is there; `quick`: hardly anything of each."""
    table: list[Figure] = []
    seconds, rounds = (1.5, 1) if quick else (4.0, 5)

    def add(*fields: str) -> None:
        table.append(Figure(*fields))
        print("  |  ".join(field for field in fields if field), flush=True)

    add("anchor: 1 million turns of a plain loop", f"{anchor():.0f} ms CPU")
    wall, cpu = pipeline.virtual_second(*((120, 1) if quick else ()))
    add("24 h burn-in in virtual time, six devices", f"{wall * 86.4:.0f} s ({cpu * 86.4:.0f} s CPU)", "60 s")
    add("one virtual second of it", f"{wall:.2f} ms ({cpu:.2f} ms CPU)", "0.55 ms")
    each, share, plain = pipeline.sockets("modbus", seconds)
    beside = f"pymodbus poller that keeps nothing: {plain:.1f} ms ({plain / each:.1f} x ours)"
    add("pipeline, 100 Modbus devices x 40 at 1 Hz, per 1000 samples", f"{each:.2f} ms CPU", "5 ms", beside)
    each, share, plain = pipeline.sockets("snmp", seconds)
    beside = f"pysnmp poller that keeps nothing: {plain:.0f} ms per 1000 samples ({plain / each:.0f} x ours)"
    add("pipeline, 100 SNMP devices x 40 OIDs at 1 Hz", f"{share:.1f} % of a core", "", beside)
    few, many = pipeline.step_cost(*((20, 100) if quick else ()))
    add("trivial step with its record, over 1000 steps", f"{few:.2f} ms CPU", "0.5 ms")
    add("the same over 3 500 steps", f"{many:.2f} ms CPU", "0.5 ms")
    ours, theirs = modbus_client.compare(50 if quick else 1500)
    add("client, one read of 40 registers", f"{ours:.0f} us CPU", "", f"pymodbus: {theirs:.0f} us")
    if shutil.which("snmpd"):
        with snmp.agent() as port:
            time.sleep(0.5)
            oids, own = run(lambda: snmp.ours(port, snmp.V2C, seconds / 4))
            other = asyncio.run(snmp.theirs(port, "2c", oids, seconds / 4))
            beside = f"pysnmp: {other:.0f} us"
            add(f"client, one GET of {len(oids)} (net-snmp's agent)", f"{own:.0f} us CPU", "", beside)
            for name, credentials, goal in (("v2c", snmp.V2C, "20 %"), ("v3 authPriv", snmp.V3, "25 %")):
                share = run(lambda c=credentials, o=oids: snmp.fleet(port, c, o, seconds))
                add(f"client, 500 agents x {len(oids)} OIDs at 1 Hz, {name}", share.partition(",")[0], goal)
    with tempfile.TemporaryDirectory() as folder:
        found = run(lambda: journal.measure(Path(folder, "journal.db"), 200 if quick else 5000))
    add("journal, one frame of 40 signals", f"{found['add_us_per_frame'] + found['insert_us_per_frame']:.0f} us CPU")
    add("journal, one durable step over 10 000", f"{found['durable_step_us_over_10000']:.0f} us (the disk's fsync)")
    add("simulated plant, one settled second", f"{plant.measure(60.0 if quick else 1200.0)['steady']:.0f} us CPU")
    add(
        "simulated Modbus server, one request of 20",
        f"{modbus_server.codec_us(500 if quick else 20_000):.1f} us",
        "10 us",
    )
    add("simulated SNMP agent, one GET of 20", f"{snmp_server.get_us(requests=200 if quick else 5000):.1f} us", "")
    add("harness --help", f"{start_up('--help', rounds=rounds):.2f} s CPU", "0.2 s")
    plan = str(ROOT / "testplans" / "burn_in_24h.yaml")
    station = str(pipeline.STATION)
    add(
        "harness check of a plan, a station and its profiles",
        f"{start_up('check', plan, station, rounds=rounds):.2f} s CPU",
        "",
    )
    add("anchor again", f"{anchor():.0f} ms CPU")
    return table


def page(table: list[Figure]) -> str:
    """The table as Markdown."""
    now = datetime.now(UTC)
    lines = [f"Measured {now:%Y-%m-%d}, Python {sys.version.split()[0]}, {os.cpu_count()} shared cores.", ""]
    lines += ["| what | figure | goal | beside it |", "|---|---|---|---|"]
    lines += [f"| {each.what} | {each.value} | {each.goal} | {each.beside} |" for each in table]
    return HEAD + "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and with --write leave the page."""
    table = figures(quick="--quick" in sys.argv)
    if "--write" in sys.argv:
        PAGE.write_text(page(table), encoding="utf-8")


if __name__ == "__main__":
    main()
