"""The last line of the live view: which keys act, what waits for a second press, and that the run is paused."""

from __future__ import annotations

from rich.text import Text

from harness.cli.ui.colours import ORANGE, YELLOW
from harness.cli.ui.keyboard import KEYS
from harness.cli.ui.time_left import clock_text
from harness.engine.state import RunState

_PAUSED = f"bold black on {YELLOW}"
_ASKING = f"bold black on {ORANGE}"
_SPELT_OUT = {"skip": "skip the step", "retry": "do the step again", "abort": "abort the run"}


def key_line(state: RunState, *, is_live: bool, pending: str) -> Text:
    """One line, as wide as it is; for a run without keys it still says PAUSED."""
    if state.summary.stop is not None:
        return Text(" stopping: the safe state is under way and nothing interrupts it", style="dim")
    paused = state.operator.is_paused
    if pending:
        key = next(key for key, do in KEYS.items() if do == pending)
        return Text(f" press {key} again to {_SPELT_OUT[pending]}, any other key to cancel ", style=_ASKING)
    hints = ""
    if is_live:
        useless = "pause" if paused else "continue"
        hints = "   ".join(f"{key} {do}" for key, do in KEYS.items() if do != useless)
    if not paused:
        return Text(f" {hints}" if hints else " Ctrl-C: stop and make the rack safe", style="dim")
    held = clock_text(state.operator.pause_gate.held_s())
    return Text.assemble((f" ▌▌ PAUSED {held}, interlocks stay live ", _PAUSED), f"  {hints or 'harness ctl continue'}")
