"""One run with its screen: the live view, lines or JSON while it goes, and the verdict at its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.cli.database import push_now
from harness.cli.signals import Stopper
from harness.cli.ui.live_view import LiveView
from harness.cli.ui.prompts import Asker
from harness.cli.ui.terminal import Output, can_ask
from harness.cli.ui.verdict_block import plain_block, print_block, result_json
from harness.clock import Clock, iso
from harness.clock import run as run_loop
from harness.engine.database_copy import push_command
from harness.engine.options import RunOutcome
from harness.engine.run import execute
from harness.engine.state import RunState
from harness.events import EventKind
from harness.project.model import Project
from harness.quantity import as_json as finite
from harness.record.log import Event
from harness.session import influx_settings, run_options
from harness.simulator import simulated

PUSH_S = 60.0
"""Longest wait for the database after a virtual run, seconds."""


@dataclass(slots=True)
class RunRequest:
    """What the command line asks for, checked."""

    project: Project
    serial: str
    data_dir: Path
    operator: str = ""
    is_simulated: bool = False
    rate: float = 1.0
    seed: int | None = None
    faults: tuple[str, ...] = ()
    as_json: bool = False
    resume: Path | None = None
    hold_on_fail: bool = False


def conduct(wanted: RunRequest) -> int:
    """Carry a run out and show it; returns the exit code."""
    with Output(sys.stdout) as output:
        screen = _screen(wanted, output)
        outcome = run_loop(lambda: _run(wanted, screen), wanted.rate)
        screen.finish(outcome)
        settings = influx_settings(wanted.project.on)
        if settings is not None and wanted.rate == float("inf"):
            later = push_command(outcome.folder.name, wanted.project.on)
            pushed = push_now(outcome.folder, settings, PUSH_S, again=later)
            screen.note(EventKind.DATABASE, pushed.text, complete=pushed.is_complete)
        screen.last(outcome)
    return outcome.exit_code


async def _run(wanted: RunRequest, screen: Screen) -> RunOutcome:
    stopper = Stopper(lambda text: screen.note(EventKind.SIGNAL, text))
    on = wanted.project.on
    with stopper.listening():
        async with simulated(
            on,
            simulate=wanted.is_simulated,
            virtual=wanted.rate == float("inf"),
            seed=wanted.seed,
            faults=wanted.faults,
        ) as simulation:
            asker = screen.asker()
            if asker is not None:
                stopper.on_stop.append(asker.stop)
            options = run_options(
                on,
                simulation,
                wanted.serial,
                wanted.data_dir,
                seed=wanted.seed,
                operator=wanted.operator,
                prompter=asker,
                observers=[screen.observe],
                resume=wanted.resume,
                hold_on_fail=wanted.hold_on_fail,
            )

            def started(state: RunState) -> None:
                screen.start(state)
                stopper.attach(state)

            try:
                return await execute(wanted.project, options, Clock(), started)
            finally:
                screen.stop()


def _screen(wanted: RunRequest, output: Output) -> Screen:
    if wanted.as_json:
        return JsonScreen(output)
    return LiveScreen(output) if output.isatty() else LineScreen(output)


class Screen:
    """One way to show a run. The default shows nothing."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def start(self, state: RunState) -> None:
        """The run begins."""

    def stop(self) -> None:
        """The run is over; its outcome follows."""

    def observe(self, event: Event) -> None:
        """Something happened."""

    def note(self, kind: EventKind, text: str, **data: Any) -> None:
        """Something that is not of the run itself (a signal, the database)."""

    def finish(self, outcome: RunOutcome) -> None:
        """Show the verdict."""

    def last(self, outcome: RunOutcome) -> None:
        """The very last thing written."""

    def asker(self) -> Asker | None:
        """Who asks the operator; None: nobody can."""
        return None


class JsonScreen(Screen):
    """For machines: an object a line."""

    def observe(self, event: Event) -> None:
        """One event."""
        self._put({"kind": event.kind, "at": iso(event.wall_ns), "text": event.text, "data": _plain(event.data)})

    def note(self, kind: EventKind, text: str, **data: Any) -> None:
        """One more line."""
        self._put({"kind": kind, "text": text, "data": _plain(data)})

    def last(self, outcome: RunOutcome) -> None:
        """The result."""
        self._put(_plain(result_json(outcome)))

    def _put(self, document: Mapping[str, Any]) -> None:
        # ASCII only: control characters of devices are escaped, and any terminal and any pipe can take it
        self.output.write(json.dumps(document, allow_nan=False, default=str) + "\n")


class LineScreen(Screen):
    """Without a terminal: one line an event."""

    def observe(self, event: Event) -> None:
        """Time, kind, text."""
        for line in event.text.split("\n"):
            self.output.line(f"{iso(event.wall_ns)} {event.kind:<12} {line}")

    def note(self, kind: EventKind, text: str, **data: Any) -> None:  # noqa: ARG002
        """Kind, text."""
        self.output.line(f"{kind:<12} {text}")

    def finish(self, outcome: RunOutcome) -> None:
        """The block in plain text."""
        self.output.write("\n" + plain_block(outcome) + "\n")


class LiveScreen(Screen):
    """At a terminal: the live view, then the block."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._console = Console(file=output, highlight=False, emoji=False, markup=False)  # type: ignore[arg-type]
        self._view = LiveView(self._console, output)
        self._after: list[str] = []

    def start(self, state: RunState) -> None:
        """Begin to draw."""
        self._view.start(state)

    def stop(self) -> None:
        """Give the screen back."""
        self._view.stop()

    def observe(self, event: Event) -> None:
        """Into the view; a report of several lines is shown again when the view is gone."""
        self._view.observe(event)
        if event.kind is EventKind.REPORT:
            self._after.append(event.text)

    def note(self, kind: EventKind, text: str, **data: Any) -> None:  # noqa: ARG002
        """Into the view while it is shown, else onto the screen."""
        if not self._view.remark(kind, text):
            self.output.line(f"{kind}: {text}")

    def finish(self, outcome: RunOutcome) -> None:
        """What the view could not hold, and the block."""
        for text in self._after:
            for line in text.split("\n"):
                self.output.line(line)
        print_block(self._console, outcome)
        if not outcome.is_safe:
            self.output.write("\a")

    def last(self, outcome: RunOutcome) -> None:
        """What to do next."""
        self.output.line(f"  harness report {outcome.folder.name}")

    def asker(self) -> Asker | None:
        """The terminal, when somebody sits there."""
        return Asker(self.output.write, self._view.paused) if can_ask() else None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return finite(value)
