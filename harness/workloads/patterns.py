"""Searching the output of programs: in a process of its own, that is ended when it takes too long."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analysis import log_search
from harness.workloads.process import environment

_MOST_S = 30.0


async def find_patterns(
    files: Sequence[Path], patterns: Sequence[str], seconds: float | None = None
) -> list[dict[str, Any]] | None:
    """What `harness.analysis.log_search.search` finds in files; None when it did not come to an end in time."""
    asked = json.dumps({"files": [str(each) for each in files], "patterns": list(patterns)}).encode()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", log_search.__file__,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=environment(), start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_MOST_S if seconds is None else seconds):
            said, _ = await process.communicate(asked)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        found: list[dict[str, Any]] = json.loads(said)
    except ValueError:
        return None  # it ran out of what it allows itself
    return found
