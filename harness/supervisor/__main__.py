"""`python -m harness.supervisor FOLDER`, or `--once FILE`: one armed file, then the end (the next run on that bay)."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from harness.supervisor.rescue import rescue
from harness.supervisor.watch import supervise

PERSIST_S = 20.0
"""How long the next run waits for devices that do not answer, seconds."""


def main() -> int:
    """0: safe, or nothing was armed; 5: not confirmed; 6: another process is at it."""
    parser = argparse.ArgumentParser(prog="harness.supervisor", description="See `harness supervise`.")
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--once", type=Path)
    given = parser.parse_args()
    if given.once is None:
        return asyncio.run(supervise(given.folder))
    ended = asyncio.run(rescue(given.once, "found by the next run on this bay", persist=PERSIST_S))
    sys.stdout.write(json.dumps({"unconfirmed": ended.unconfirmed, "switches": ended.switches}))
    return 6 if ended.is_busy else 5 if ended.unconfirmed else 0


if __name__ == "__main__":
    raise SystemExit(main())
