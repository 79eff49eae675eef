"""What an operator may ask of a run that goes on, at the keyboard or from another terminal (see `reception`).

`{"do": "pause"}` -> `{"ok": true, "said": "...", "status": {...}}`. Every command is an event of the run, refused ones
too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import RunError
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.project.model import PlannedStep
from harness.record.attempts import tried

if TYPE_CHECKING:
    from harness.engine.state import RunState

COMMANDS = ("status", "pause", "continue", "skip", "retry", "abort", "reset-trip", "note")


def obey(state: RunState, command: Mapping[str, Any], who: str) -> dict[str, Any]:
    """Carry out one command for `who`; what is refused says why. Never raises for what was asked."""
    do = str(command.get("do", ""))
    name = str(command.get("name", ""))
    if do == "status":
        return {"ok": True, "said": "", "status": status(state)}
    try:
        said = _obey(state, do, name, who)
    except RunError as error:
        state.log.event(
            EventKind.OPERATOR, f"{do[:40]} by {who} refused: {error.message}", command=do[:40], who=who, done=False
        )
        return {"ok": False, "said": str(error), "status": status(state)}
    if do == "note":
        return {"ok": True, "said": said, "status": status(state)}  # it is in the log already
    about = f" {name}" if name else ""
    state.log.event(EventKind.OPERATOR, f"{do}{about} by {who}: {said}", command=do, name=name, who=who, done=True)
    return {"ok": True, "said": said, "status": status(state)}


def _obey(state: RunState, do: str, name: str, who: str) -> str:
    if do not in COMMANDS:
        raise RunError(f"unknown command {do[:40]!r}", hint=f"one of {', '.join(COMMANDS)}")
    if do == "reset-trip":
        return _reset(state, name)
    if do == "note":
        state.operator.note(name, who, state.doing)
        return "it is in the record"
    if state.summary.stop is not None:
        raise RunError("the run is already stopping, the safe state goes on")
    if do == "abort":
        state.request_stop(Verdict.ABORTED, f"aborted by {who}")
        return "the rack is made safe"
    operator = state.operator
    if do == "pause":
        operator.hold(who, state.doing)
        return f"{state.doing or 'the run'} is held; interlocks stay live"
    if do == "continue":
        operator.release()
        return "the steps go on"
    running = state.running
    if running is not None and running.is_parallel and state.held_after is None:
        raise RunError(f"{state.doing}: there is no {do} beside each other", hint="pause, or abort the run")
    target = state.held_after or running
    if target is None or target.section == "cleanup":
        raise RunError(f"there is no step to {do} now", hint="`harness ctl status` shows what the run does")
    operator.ask("skip" if do == "skip" else "retry", who)
    return f"{target.title} is {'left' if do == 'skip' else 'begun again'}{_all_the_same(state, target, do)}"


def _all_the_same(state: RunState, target: PlannedStep, do: str) -> str:
    """What does not change by leaving a step, or doing it again, that has failed as often as the plan allows."""
    ended = [one for one in tried(state.summary.steps) if one.attempts[-1].name == target.title]
    failed = len(ended[-1].failed) if ended else 0
    allowed = state.project.attempts_of(target)
    if do == "skip":
        return "; its FAIL stays" if failed else ""
    return f" for the record: its FAIL stays, the plan allows {allowed} of them" if failed >= allowed else ""


def _reset(state: RunState, name: str) -> str:
    if state.interlocks is None:
        raise RunError("no interlock is armed")
    state.interlocks.reset(name)
    return f"interlock {name!r} is reset; the run still ends as TRIPPED"


def status(state: RunState) -> dict[str, Any]:
    """What the run does now, as plain data (seconds, 0 to 1 for progress)."""
    project, found = state.project, state.summary
    running, now = state.running, state.attempt_now
    fraction, text = state.context.progress if state.context is not None else (0.0, "")
    verdict = found.stop.verdict if found.stop is not None else Verdict.RUNNING
    return {
        "run": state.journal.path.parent.name,
        "pid": os.getpid(),
        "station": project.on.station.station,
        "plan": project.plan.plan,
        "serial": state.options.serial,
        "engineering": list(project.engineering),
        "verdict": str(verdict),
        "reason": found.stop.reason if found.stop is not None else "",
        "is_paused": state.operator.is_paused,
        "held_s": round(state.operator.pause_gate.held_s(), 3),
        "step": state.doing,
        "path": running.path if running is not None else "",
        "held_after": state.held_after.title if state.held_after is not None else "",
        "step_s": round(state.clock.monotonic() - now.since, 3) if now is not None else 0.0,
        "progress": round(fraction, 4),
        "text": text,
        "attempt": now.attempt if now is not None else 0,
        "steps_done": project.steps.index(running) if running is not None else len(tried(found.steps)),
        "steps": len(project.steps),
        "trips": [trip.interlock for trip in state.interlocks.trips] if state.interlocks is not None else [],
    }
