"""Every n-th call to the disk of a whole run fails: no traceback, no PASS that is not on the disk, a safe rack."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.limits.verdict import Verdict
from harness.record.verification import verify
from harness.telemetry.store import JournalStore
from tests.chaos.rig import HEAD, play
from tests.chaos.table import Row
from tests.tools.files import FileFaults

PLAN = (
    HEAD
    + """
  - {step: measure, name: supply, signal: cdu.supply_temperature, over: 5 s, limit: {min: 10 degC, max: 50 degC}}
"""
)


async def _once(faults: FileFaults, data: Path) -> tuple[str, str]:
    """(verdict or `refused`, what was wrong: '' is nothing)."""
    data.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JournalStore, "write", faults.guard("transaction", JournalStore.write))
        try:
            with faults.installed():
                outcome, scene = await play(PLAN, data)
        except HarnessError:
            return "refused", ""
        except Exception as error:
            return "raised", repr(error)
    if any(scene.outlets()):
        return str(outcome.verdict), "outlets are on"
    if scene.of("bug"):
        return str(outcome.verdict), scene.of("bug")[0].text.splitlines()[-1]
    if outcome.verdict is Verdict.PASS:
        problems = verify(outcome.folder)
        if problems or not outcome.is_sealed:
            return "PASS", f"false PASS: {problems[:1]}"
    return str(outcome.verdict), ""


async def sweep(data: Path, every: int = 1) -> Row:
    """Fail each call in turn (every `every`-th n), with three errors, once and for good."""
    counted = FileFaults()
    verdict, wrong = await _once(counted, data / "whole")
    assert verdict == "PASS", wrong
    bad: list[str] = []
    verdicts: dict[str, int] = {}
    runs = 0
    codes = (errno.ENOSPC, errno.EIO, errno.EROFS)
    for n in range(1, counted.count + 1, every):
        for_good = bool(n // every % 2)
        faults = FileFaults(n, codes[n % 3], for_good=for_good)
        verdict, wrong = await _once(faults, data / f"run{n}")
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
        runs += 1
        if wrong:
            bad.append(f"n={n} {os.strerror(faults.code)} {faults.failed[:1]}: {wrong}")
    shown = ", ".join(f"{number} {word}" for word, number in sorted(verdicts.items()))
    found = f"{len(bad)} bad of {runs} ({shown})" + (f"; first: {bad[0]}" if bad else "")
    target = "0 tracebacks, 0 false PASS, all safe"
    return Row(f"n-th of {counted.count} disk calls fails", found, target, not bad)
