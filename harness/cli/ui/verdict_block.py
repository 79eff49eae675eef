"""The end of a run on the screen: one block that cannot be misread, and the same in plain text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.cli.ui.banner import LOOK, NOT_SAFE_STYLE, NOT_SAFE_SYMBOL, band, banner, wrapped
from harness.cli.ui.colours import BLUE, MEANING, NOT_SAFE, OF_VERDICT, SYMBOL, TO_DO
from harness.cli.ui.live_view import number
from harness.engine.options import RunOutcome
from harness.events import VERSION as EVENTS
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.record.attempts import latest, notes_of, reported_of
from harness.record.result import excused_text
from harness.schema.problems import one_line

MOST_NOTES = 4


def headline(outcome: RunOutcome) -> tuple[str, str]:
    """(the word that is read from three metres away, what it means): the rack first, then the verdict."""
    result, verdict = outcome.result, outcome.verdict
    if not outcome.is_safe:
        return NOT_SAFE, f"{verdict}, and the rack is not known to be safe"
    if result.engineering and verdict is Verdict.PASS:
        return result.word, f"within limits, but no certificate of {result.plan}"
    return str(verdict), MEANING[verdict]


def engineering_line(outcome: RunOutcome) -> str:
    """Why the run can prove nothing to a customer; '' when it may."""
    reasons = outcome.result.engineering
    return f"ENGINEERING RUN, no certificate: {'; '.join(reasons)}" if reasons else ""


def facts(outcome: RunOutcome) -> Iterator[tuple[str, str]]:
    """(label, text) lines of the block, in order of importance."""
    result = outcome.result
    yield "serial", result.serial
    yield "reason", outcome.reason
    to_do = LOOK if not outcome.is_safe else outcome.hint or TO_DO.get(outcome.verdict, "")
    if to_do:
        yield "do", to_do
    if result.clock.is_simulated:
        yield "note", "simulated devices: this says nothing about a real rack"
    if result.clock.mode == "fast" and result.verdict in (Verdict.ERROR, Verdict.INCONCLUSIVE):
        yield "note", f"--speed {result.clock.speed:g} may be more than this machine can do; try less, or --virtual"
    for index, line in enumerate(few(result.still_set)):
        yield "still" if index == 0 else "", f"set: {line}"
    yield "plan", f"{result.plan} on {result.station}"
    lines = [line for line in reported_of(result) if line not in outcome.reason]
    for index, line in enumerate(lines):
        yield "changed" if index == 0 else "", line
    for index, line in enumerate(notes_of(result)[:MOST_NOTES]):
        yield "said" if index == 0 else "", line
    for index, line in enumerate(worst_measurements(outcome)):
        yield "values" if index == 0 else "", line
    if result.telemetry is not None and result.telemetry.lacking:
        yield "data", f"the database: {result.telemetry.lacking}"
    yield "record", f"{outcome.folder}" + ("" if outcome.is_sealed else "  (NOT SEALED: it proves nothing)")


def few(lines: Sequence[str], most: int = MOST_NOTES) -> list[str]:
    """The first lines, and how many more there are."""
    more = len(lines) - most
    return list(lines) if more <= 0 else [*lines[:most], f"and {more} more: see `harness report`"]


def worst_measurements(outcome: RunOutcome, most: int = 4) -> list[str]:
    """The measurements that decided: those that did not pass; of a PASS the ones with the least margin."""
    measured = [(step.name, m) for step in latest(outcome.result.steps) for m in step.measurements]
    bad = [pair for pair in measured if pair[1].verdict != "PASS"]

    def tightness(pair: tuple[str, Any]) -> float:
        one = pair[1]
        span = max(abs(bound) for bound in (one.low, one.high, 1e-9) if bound is not None)
        return one.margin / span if one.margin is not None else float("inf")

    chosen = bad
    if outcome.verdict is Verdict.PASS:
        # a count of faults that is 0 has no margin worth telling
        chosen = sorted((pair for pair in measured if pair[1].margin), key=tightness)
    lines = []
    for step, one in chosen[:most]:
        value = "no value" if one.value is None else f"{one.value:.6g} {one.unit}".rstrip()
        low, high = ("" if bound is None else f"{bound:g}" for bound in (one.low, one.high))
        band = f"{low} to {high}" if low and high else f">= {low}" if low else f"<= {high}" if high else "recorded"
        margin = f", margin {number(one.margin)}" if one.margin is not None else ""
        name = one.name if one.name.startswith(step) else f"{step}: {one.name}"
        lines.append(f"{one.verdict} {name} {value} (limit {band}{margin}{excused_text(one)})")
    return lines


def safe_line(outcome: RunOutcome) -> str:
    """SAFE CONFIRMED, or what is not."""
    if outcome.is_safe:
        actions = outcome.result.safe_state.actions
        if not actions:
            _, _, unread = outcome.result.safe_state.name.partition("; ")
            return f"NOT KNOWN: {unread}; this run commanded nothing" if unread else "SAFE: this run commanded nothing"
        missed = [f"{action.action} ({action.reason})" for action in actions if not action.is_confirmed]
        if not missed:
            return f"SAFE CONFIRMED ({len(actions)} actions)"
        done = len(actions) - len(missed)
        return f"SAFE CONFIRMED ({done} of {len(actions)} actions); not reached: {'; '.join(missed)}"
    return f"SAFE NOT CONFIRMED - LOOK AT THE RACK: {'; '.join(outcome.unsafe) or 'no reading'}"


def plain_block(outcome: RunOutcome, width: int = 78) -> str:
    """The block as plain text."""
    word, meaning = headline(outcome)
    rule = ("=" if outcome.is_safe else "!") * width
    lines = [rule, f"{word}  {outcome.result.serial}  ({meaning})", safe_line(outcome)]
    lines += [line] if (line := engineering_line(outcome)) else []
    for label, text in facts(outcome):
        if label != "serial":
            lines.append(f"{label:<8}{text}")
    lines += [f"{'exit':<8}{outcome.exit_code}", rule]
    return "\n".join(one_line(line) for line in lines)


def print_block(console: Console, outcome: RunOutcome) -> None:
    """The block over the full width of the terminal, in colour."""
    word, meaning = headline(outcome)
    style, symbol = _look_of(outcome)
    console.print()
    banner(console, word, symbol, style, is_striped=not outcome.is_safe)
    band(console, f"  {word}: {meaning}    {outcome.result.serial}", style)
    wrapped(console, safe_line(outcome), "bold black on #009e73" if outcome.is_safe else style)
    if not outcome.is_safe:
        wrapped(console, LOOK, style)
    wrapped(console, engineering_line(outcome), f"bold white on {BLUE}")
    said = ("serial",) if outcome.is_safe else ("serial", "do")
    for label, text in facts(outcome):
        if label not in said:
            _fact(console, label, one_line(text), console.width)
    console.print()


def _look_of(outcome: RunOutcome) -> tuple[str, str]:
    """(style of the band, symbol): a rack that is not known to be safe looks like no verdict at all."""
    if not outcome.is_safe:
        return NOT_SAFE_STYLE, NOT_SAFE_SYMBOL
    if outcome.result.engineering and outcome.verdict is Verdict.PASS:
        return f"bold white on {BLUE}", "≠"
    return f"bold black on {OF_VERDICT[outcome.verdict]}", SYMBOL[outcome.verdict]


def _fact(console: Console, label: str, text: str, width: int) -> None:
    # a path is left whole, to be copied
    lines = [text] if label == "record" else textwrap.wrap(text, max(20, width - 12), break_on_hyphens=False) or [""]
    for index, line in enumerate(lines):
        head = Text(f"  {label if index == 0 else '':<8}", style="bold")
        console.print(head + Text(line), no_wrap=True, overflow="ignore", crop=False)


def result_json(outcome: RunOutcome) -> dict[str, Any]:
    """The last line of `--json`."""
    return {
        "kind": EventKind.RESULT,
        "events": EVENTS,
        "verdict": str(outcome.verdict),
        "word": outcome.result.word,
        "reason": outcome.reason,
        "hint": outcome.hint,
        "exit_code": outcome.exit_code,
        "serial": outcome.result.serial,
        "plan": outcome.result.plan,
        "station": outcome.result.station,
        "safe_confirmed": outcome.is_safe,
        "unsafe": outcome.unsafe,
        "sealed": outcome.is_sealed,
        "engineering": list(outcome.result.engineering),
        "replaced": outcome.result.replaced,
        "reported": reported_of(outcome.result),
        "still_set": list(outcome.result.still_set),
        "telemetry": outcome.result.telemetry.model_dump() if outcome.result.telemetry is not None else None,
        "record": str(outcome.folder),
        "simulated": outcome.result.clock.is_simulated,
    }
