"""What became of the rack of a run that died: the log of its guardian (`guardian.jsonl`), in one sentence."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.events import EventKind
from harness.record.claim import is_held
from harness.schema.regular import open_regular

GUARDIAN_LOG = "guardian.jsonl"
_LOOK = "look at the rack"
_MOST_BYTES = 4 * 1024 * 1024


def aftermath(folder: Path) -> str:
    """When and how the guardian of an unsealed run made the rack safe, or that it did not."""
    lines = _last_life(_read(folder / GUARDIAN_LOG))
    if not lines:
        return f"no guardian wrote anything: nothing says that the rack was made safe; {_LOOK}"
    is_alive = is_held(folder / GUARDIAN_LOG)
    taken = next((line for line in reversed(lines) if line.get("kind") == EventKind.TAKEOVER), None)
    if taken is None:
        return _without_takeover(lines, is_alive=is_alive)
    who = "the supervisor" if taken.get("by") == "supervisor" else "its guardian"
    what = f"{who} took over at {taken.get('at')} ({taken.get('cause')}, sequence {taken.get('sequence')})"
    for line in reversed(lines[lines.index(taken) :]):
        kind = line.get("kind")
        if kind == EventKind.BYE:
            return f"{what}, and the runner, awake again, made the rack safe at {line.get('at')}"
        if kind in (EventKind.ENERGISED_AGAIN, EventKind.FAILED):
            break
        if kind == EventKind.SAFE:
            return f"{what} and made the rack safe: confirmed at {line.get('at')}, after {line.get('seconds')} s"
        if kind == EventKind.UNSAFE:
            open_ = "; ".join(map(str, line.get("unconfirmed") or ["nothing was confirmed"]))
            tries = "it still tries" if is_alive else "it has given up"
            return f"{what}; the safe state is NOT CONFIRMED ({open_}), {tries}: {_LOOK}"
    if is_alive:
        return f"{what} and is making the rack safe now"
    return f"{what} and ended without a confirmation: the safe state is NOT CONFIRMED, {_LOOK}"


def _without_takeover(lines: Sequence[Mapping[str, Any]], *, is_alive: bool) -> str:
    last = lines[-1]
    kinds = {line.get("kind") for line in lines}
    if EventKind.BYE in kinds:
        gone = f"its guardian was sent home at {last.get('at')}"
        if open_ := next(line for line in reversed(lines) if line.get("kind") == EventKind.BYE).get("unconfirmed"):
            return f"{gone}, the safe state NOT CONFIRMED ({'; '.join(map(str, open_))}): {_LOOK}"
        return f"{gone}: the run had made the rack safe itself"
    if EventKind.RUNNER_GONE in kinds:
        return f"nothing was switched on when it died ({last.get('cause')}): its guardian had nothing to make safe"
    if is_alive:
        return "its guardian watches"
    return f"its guardian ended too, before it had done anything: nothing made the rack safe; {_LOOK}"


def _read(path: Path) -> list[dict[str, Any]]:
    lines = []
    with contextlib.suppress(OSError), open_regular(path, follow=False) as file:
        for raw in file.read(_MOST_BYTES).splitlines():
            with contextlib.suppress(ValueError):
                line = json.loads(raw)
                if isinstance(line, dict):
                    lines.append(line)
    return lines


def _last_life(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines since the last guardian began: each life of a resumed run had its own."""
    starts = [number for number, line in enumerate(lines) if line.get("kind") == EventKind.START]
    return list(lines[starts[-1] :]) if starts else list(lines)
