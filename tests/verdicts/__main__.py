"""`python -m tests.verdicts [--seeds 30] [PLAN...]`: shipped plans on good racks that nothing was tuned on."""

from __future__ import annotations

import argparse
import sys
import time

from tests.verdicts.campaign import campaign, left, shipped, station_of, wrong


def main() -> int:
    """Print verdicts and limits of each plan; 1 when a good rack did not pass."""
    parser = argparse.ArgumentParser(prog="python -m tests.verdicts")
    parser.add_argument("plans", nargs="*", default=shipped())
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=1000)
    given = parser.parse_args()
    bad = 0
    for plan in given.plans:
        began = time.monotonic()
        judged = campaign(plan, range(given.first, given.first + given.seeds))
        failed = wrong(judged)
        bad += len(failed)
        took = time.monotonic() - began
        print(f"{plan} on {station_of(plan).stem}: {len(judged) - len(failed)} of {len(judged)} PASS, {took:.0f} s")
        for line in failed:
            print(f"  {line}")
        print(f"  {'limit':<34} {'band':>26} {'good racks':>26} {'sigmas':>7} {'outside':>9}")
        for row in left(judged):
            band = f"{row.low:g} to {row.high:g} {row.unit}"
            racks = f"{row.mean:.4g} +- {row.sigma:.2g}"
            print(f"  {row.limit:<34} {band:>26} {racks:>26} {row.sigmas:>7.1f} {row.outside:>9.2g}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
