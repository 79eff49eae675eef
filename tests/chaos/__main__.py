"""`python -m tests.chaos [--long] [--seed N] [--only NAME]`: the chaos table, measured here and now."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from harness.clock import run
from tests.chaos import (
    byzantine,
    clocks,
    closing,
    diskfull,
    files,
    hands,
    honesty,
    interlocking,
    journals,
    killing,
    latency,
    losses,
    orphans,
    physics,
    stops,
)
from tests.chaos.table import Row

INF = float("inf")


def _physics(data: Path, seed: int, *, long: bool) -> list[Row]:
    rows = []
    for k in range(5 if long else 1):
        rows.append(run(lambda k=k: physics.both_pumps(data, seed + k), rate=INF))
        rows.append(run(lambda k=k: physics.leak(data, seed + k), rate=INF))
    return rows


def _interlocks(_: Path, seed: int, *, long: bool) -> list[Row]:
    return [interlocking.crossings(10_000 if long else 3000, seed)]


def _false_trips(data: Path, seed: int, *, long: bool) -> list[Row]:
    return [run(lambda: honesty.false_trips(1000 if long else 1, data, seed), rate=INF)]


def _honesty(data: Path, seed: int, *, long: bool) -> list[Row]:
    return [run(lambda: honesty.randomised(500 if long else 20, data, seed), rate=INF)]


def _journals(data: Path, seed: int, *, long: bool) -> list[Row]:
    return [journals.damaged(5000 if long else 1500, data, seed)]


def _files(data: Path, _: int, *, long: bool) -> list[Row]:
    return [run(lambda: files.sweep(data / "sweep", 1 if long else 5), rate=INF)]


def _byzantine(_: Path, __: int, *, long: bool) -> list[Row]:
    return run(byzantine.matrix, rate=INF)


def _latency(data: Path, _: int, *, long: bool) -> list[Row]:
    return [run(lambda: latency.starved(1000 if long else 40, data))]


def _clocks(data: Path, _: int, *, long: bool) -> list[Row]:
    return [run(lambda: clocks.steps(data, 20.0 if long else 4.0))]


def _deaths(data: Path, seed: int, *, long: bool) -> list[Row]:
    rng = Random(seed)
    with killing.yard(data) as place:
        return [
            killing.kills(place, 200 if long else 3, rng),
            killing.fault_points(place) if long else killing.fault_points(place, ("sent", "safe-between")),
            killing.freezes(place, 50 if long else 1, rng),
            killing.guardian_kills(place, 20 if long else 1, rng),
            killing.resumes(place, 20 if long else 1, rng),
            killing.announces(place),
            *([diskfull.full(place)] if diskfull.is_possible() else []),
        ]


def _losses(data: Path, seed: int, *, long: bool) -> list[Row]:
    rows = []
    for k in range(5 if long else 1):
        rows += [losses.outlets_lost(data, seed + k), losses.mute_feed(data, seed + k)]
        rows += [losses.frozen_then_dry(data, seed + k, frozen) for frozen in losses.FROZEN]
        rows += [losses.partial_flow(data, seed + k, clog) for clog in ((30, 60, 100, 200) if long else (30, 200))]
        rows += [losses.live_bus(data, seed + k), losses.shut_down(data, seed + k)]
    return rows


def _never_pass(data: Path, seed: int, *, long: bool) -> list[Row]:
    seeds = range(seed, seed + (20 if long else 1))
    burn_in = losses.never_pass("burn_in_24h", seeds, data, 400.0, {"soak_time": "10 min"})
    return [losses.never_pass("acceptance", seeds, data, 400.0, {}), burn_in]


def _stops(data: Path, seed: int, *, long: bool) -> list[Row]:
    with killing.yard(data) as place:
        return stops.all_ways(place, 100 if long else 1, Random(seed))


def _hands(data: Path, seed: int, *, long: bool) -> list[Row]:
    rng = Random(seed)
    with killing.yard(data) as place:
        return [
            hands.in_a_run(place, 40 if long else 2, rng),
            hands.behind_the_dead(place, 20 if long else 1, rng),
        ]


def _orphans(data: Path, seed: int, *, long: bool) -> list[Row]:
    rng = Random(seed)
    places = orphans.POINTS if long else ("intent-durable@3",)
    rounds = [(way, point) for point in (*places, *[""] * (10 if long else 1)) for way in orphans.WAYS]
    with orphans.bay(_folder(data, "with")) as place:
        rows = [orphans.with_supervisor(place, rounds, rng)]
    with orphans.bay(_folder(data, "without")) as place:
        watched = orphans.WITHIN_S + 1.0 if long else 3.0
        rows.append(orphans.without_supervisor(place, orphans.NEXT * (3 if long else 1), watched))
    return rows


def _folder(data: Path, name: str) -> Path:
    (data / name).mkdir()
    return data / name


def _closing(data: Path, _: int, *, long: bool) -> list[Row]:
    async def rows() -> list[Row]:
        plays = closing.Plays(data)
        moments = await closing.all_moments(plays) if long else [(kind, 1) for kind in closing.MOMENTS]
        found = [await closing.guardian(plays, moments), await closing.partners(plays, closing.PARTNERS)]
        talked = [*moments, ("verdict", 1)]
        found += [await each(plays, talked) for each in (closing.telemetry, closing.control, closing.traps)]
        return [*found, await closing.database(plays)] if long else found

    return [*run(rows)]


PARTS: dict[str, Callable[..., list[Row]]] = {
    "physics": _physics,
    "interlocks": _interlocks,
    "byzantine": _byzantine,
    "journals": _journals,
    "files": _files,
    "clocks": _clocks,
    "latency": _latency,
    "honesty": _honesty,
    "losses": _losses,
    "never-pass": _never_pass,
    "false-trips": _false_trips,
    "stops": _stops,
    "deaths": _deaths,
    "hands": _hands,
    "orphans": _orphans,
    "closing": _closing,
}


def main() -> int:
    """Measure, print, and say by the exit code whether every row is good."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--long", action="store_true", help="the whole numbers; takes hours")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--only", choices=list(PARTS), action="append")
    given = parser.parse_args()
    bad = 0
    for name in given.only or PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            (Path(folder) / "sweep").mkdir()
            rows = PARTS[name](Path(folder), given.seed, long=given.long)
        for row in rows:
            print(row, flush=True)
        print(f"    | {name}: {time.monotonic() - began:.0f} s", flush=True)
        bad += sum(not row.ok for row in rows)
    print(f"{bad} bad rows" if bad else "every row is good")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
