"""The live view: what the operator looks at while a rack is proved. One calm picture a second, no flicker.

It only reads what the runner has at hand. A real-time thread asks for pictures through the loop, so that a virtual
run, whose clock jumps, shows the same pictures and leaves the same record.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.cli.ui.colours import GREEN, ORANGE, SKY, SYMBOL, VERMILLION, YELLOW
from harness.cli.ui.key_hints import key_line
from harness.cli.ui.keyboard import Keyboard
from harness.cli.ui.terminal import Output
from harness.cli.ui.time_left import clock_text, remaining
from harness.clock import iso
from harness.engine.state import RunState
from harness.events import EventKind
from harness.limits.check import Check, compile_check
from harness.limits.verdict import Verdict
from harness.project.model import PlannedStep
from harness.quantity import Quality
from harness.record.log import Event
from harness.schema.problems import one_line

EVENTS_SHOWN = 6
_QUIET = frozenset({EventKind.ACKNOWLEDGED, EventKind.INTENT, EventKind.CONFIRMED})
"""Kinds of events that come in dozens: the record has them, the screen shows the others."""
_STYLES = {EventKind.STOP: f"bold {VERMILLION}", EventKind.BUG: f"bold {VERMILLION}", EventKind.SAFE: "bold"}
_ENTER, _LEAVE, _HOME = "\x1b[?1049h\x1b[?25l\x1b[2J", "\x1b[?25h\x1b[?1049l", "\x1b[H"


class LiveView:
    """Draws a runner's state. `start` when the run begins, `stop` at its end; `paused` around a question."""

    def __init__(self, console: Console, output: Output) -> None:
        self._console = console
        self._output = output
        self._keyboard = Keyboard(self.draw)
        self._events: deque[Event] = deque(maxlen=EVENTS_SHOWN)
        self._state: RunState | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_shown = False
        self._pending = False

    def observe(self, event: Event) -> None:
        """Take an event of the run."""
        if event.kind not in _QUIET:
            self._events.append(event)

    def remark(self, kind: EventKind, text: str) -> bool:
        """Show a line that is not an event of the run; False when the view is not shown."""
        if not self._is_shown or self._state is None:
            return False
        clock = self._state.clock
        self._events.append(Event(clock.wall_ns(), clock.monotonic(), kind, text))
        self.draw()
        return True

    def start(self, state: RunState) -> None:
        """Begin to draw, in the running loop."""
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._keyboard.start(state)
        self._show()
        self._thread = threading.Thread(target=self._tick, name="live view", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Draw no more and give the screen and the keyboard back."""
        self._ended.set()
        self._keyboard.stop()
        if self._thread is not None:
            self._thread.join(2.0)
            self._thread = None
        self._hide()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Give the screen and the keyboard back for as long as the block lasts (a question is asked)."""
        was_shown = self._is_shown
        self._hide()
        try:
            with self._keyboard.lent():
                yield
        finally:
            if was_shown and not self._ended.is_set():
                self._show()

    def _show(self) -> None:
        self._is_shown = True
        self._output.write(_ENTER)
        self.draw()

    def _hide(self) -> None:
        if self._is_shown:
            self._is_shown = False
            self._output.write(_LEAVE)

    def _tick(self) -> None:
        """Ask the loop for a picture each second of real time, one at a time."""
        while not self._ended.wait(1.0):
            if self._pending or self._loop is None:
                continue
            self._pending = True
            try:
                self._loop.call_soon_threadsafe(self._draw_once)
            except RuntimeError:
                return

    def _draw_once(self) -> None:
        self._pending = False
        self.draw()

    def draw(self) -> None:
        """Draw one picture over the last one."""
        if self._state is None or not self._is_shown:
            return
        height = max(10, self._console.height)
        last = key_line(self._state, is_live=self._keyboard.is_live, pending=self._keyboard.pending)
        lines = self._rendered(self.picture(self._state, height - 1))[: height - 1]
        body = "".join(f"{line}\x1b[K\r\n" for line in lines)
        # nothing after the last line: a new line there would scroll the picture
        self._output.write(f"{_HOME}{body}\x1b[J\x1b[{height};1H{self._rendered(last)[0]}\x1b[K")

    def _rendered(self, what: RenderableType) -> list[str]:
        """Lines with their colours, each cut at the right edge."""
        with self._console.capture() as capture:
            self._console.print(what, no_wrap=True, overflow="ellipsis", end="")
        return capture.get().split("\n")

    # ---- the picture ------------------------------------------------------------------------------------------------

    def picture(self, state: RunState, height: int) -> RenderableType:
        """Everything, within `height` lines."""
        events = list(self._events)
        trouble = list(_troubles(state))[:4]
        fixed = 6 + len(trouble) + 1 + len(events) + 2
        room = max(3, height - fixed)
        return Group(
            *self._head(state),
            Text(""),
            _signals(state, room),
            *trouble,
            Text(""),
            *(_event_line(event) for event in events),
        )

    def _head(self, state: RunState) -> Iterator[RenderableType]:
        project = state.project
        now = state.clock.monotonic()
        steps = [step for step in project.steps if step.section != "cleanup"]
        running, active = state.running, state.attempt_now
        finished = [step for step in state.summary.steps if step.verdict is not Verdict.SKIPPED and step.attempt == 1]
        # by place where it can be: steps that the operator skipped are behind us too
        done = steps.index(running) if running in steps else min(len(finished), len(steps))
        fraction, text = state.context.progress if state.context is not None else (0.0, "")
        elapsed = now - active.since if active is not None else 0.0
        left, is_known = remaining(project, done, running, elapsed, steps)
        title = one_line(project.plan.title or project.plan.plan)
        where = one_line(f"{state.options.serial} on {project.on.station.station}")
        mode = (" ENGINEERING" if project.engineering else "") + (" SIMULATED" if state.options.is_simulated else "")
        yield Text.assemble((f" {title} ", "bold reverse"), ("  " + where, "bold"), (mode, f"bold {SKY}"))
        total = clock_text(now - state.started)
        about = f"{'about' if is_known else 'at least'} {clock_text(left)} left" if left else "almost done"
        stop = state.summary.stop
        clock = "virtual time" if state.clock.is_virtual else f"{iso(state.clock.wall_ns())[11:19]} UTC"
        yield Text(f" elapsed {total}, {about}, {clock}")
        if stop is not None:
            colour = VERMILLION
            yield Text(one_line(f" {SYMBOL[stop.verdict]} {stop.verdict}: {stop.reason}"), style=f"bold {colour}")
            yield Text(" making the rack safe ...", style=f"bold {colour}")
            return
        name = state.doing or _between(state, steps[done:])
        number = min(done + 1, len(steps))
        section = f" ({running.section})" if running is not None and running.section != "steps" else ""
        symbol = "▌▌ PAUSED in" if state.operator.is_paused else SYMBOL[Verdict.RUNNING]
        yield Text(one_line(f" {symbol} step {number} of {len(steps)}{section}: {name}  {text}"), "bold")
        share = (done + (fraction if running is not None else 0.0)) / max(1, len(steps))
        bar = Table.grid(padding=(0, 1))
        width = max(10, self._console.width - 24)
        bar.add_row(
            Text(f" {100 * share:3.0f} %"),
            ProgressBar(total=1.0, completed=share, width=width, complete_style=GREEN, finished_style=GREEN),
            Text(f"step {clock_text(elapsed)}"),
        )
        yield bar


def _between(state: RunState, ahead: Sequence[PlannedStep]) -> str:
    """What goes on when no step does."""
    if state.context is None:
        return "opening devices"
    return f"before {ahead[0].title}" if ahead else "safe state"


def _wanted_signals(state: RunState) -> dict[str, tuple[Check | None, str]]:
    """Signal -> (check, whose): what the step watches, then what station and plan want shown, with interlock bounds."""
    assert state.context is not None
    project, store = state.project, state.context.store
    chosen: dict[str, tuple[Check | None, str]] = {}
    for signal, (check, _) in state.context.watched.items():
        chosen[signal] = (check, "limit")
    shown = [*project.plan.show, *project.on.station.show]
    for reference in shown or list(store.coverage)[:0]:
        for signal in project.catalog.find_signals(reference):
            chosen.setdefault(signal, (None, ""))
    for interlock in project.interlocks:
        for signal in interlock.all_signals:
            if signal in chosen and chosen[signal][0] is None and (interlock.quantities() or interlock.words):
                chosen[signal] = (compile_check(interlock, store.info(signal)), "interlock")
    return {signal: found for signal, found in chosen.items() if store.has(signal)}


def _signals(state: RunState, room: int) -> RenderableType:
    if state.context is None:
        return Text(" waiting for the devices ...")
    table = Table(box=None, padding=(0, 1), header_style="bold", show_edge=False)
    table.add_column("signal", no_wrap=True, overflow="ellipsis")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("limit", no_wrap=True, overflow="ellipsis")
    table.add_column("margin", justify="right", no_wrap=True)
    table.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")
    wanted = list(_wanted_signals(state).items())
    for signal, (check, whose) in wanted[: room - 1]:
        reading = state.context.store.latest(signal)
        shown = reading.text or (f"{reading.value:.5g} {reading.unit}".rstrip() if reading.is_good else "-")
        margin = check.margin(reading.value) if check is not None and reading.is_good else None
        is_ok = check is None or check.holds(reading.value, reading.quality)
        word, style = ("ok", GREEN) if is_ok else ("✘ OUT", f"bold {VERMILLION}")
        if not reading.is_good:
            word, style = reading.quality.word, f"bold {ORANGE if reading.quality is Quality.STALE else VERMILLION}"
        elif check is None:
            word, style = "", ""
        elif is_ok and margin is not None and _is_near(check, margin):
            word, style = "near limit", YELLOW
        limit = f"{check} (trip)" if check is not None and whose == "interlock" else str(check or "")
        shown_margin = "" if margin is None or abs(margin) == float("inf") else number(margin)
        table.add_row(
            Text(f"{signal}"), Text(one_line(shown)), Text(limit), Text(shown_margin), Text(word, style=style)
        )
    if len(wanted) > room - 1:
        table.add_row(Text(f"... and {len(wanted) - room + 1} more"))
    return table


def number(value: float) -> str:
    """Three digits, without an exponent where people write none."""
    return f"{value:.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def _is_near(check: Check, margin: float) -> bool:
    """Within a tenth of the band (or of the bound itself, when there is only one)."""
    inf = float("inf")
    if check.low > -inf and check.high < inf:
        return margin < 0.1 * (check.high - check.low)
    bound = check.high if check.high < inf else check.low
    return abs(bound) < inf and margin < 0.05 * abs(bound)


def _troubles(state: RunState) -> Iterator[Text]:
    """A line for each device in trouble, and for a database that is behind."""
    for device in state.devices.values():
        health = device.health
        if health.failures_in_a_row:
            text = f" ! {device.name}: {health.failures_in_a_row} polls failed: {health.last_error}"
            yield Text(one_line(text), style=f"bold {VERMILLION}")
    if state.outbox is not None:
        status = state.outbox.status
        if status.last_error or status.is_alarm:
            text = f" ! database: {status.backlog} entries wait, {status.last_error}"
            yield Text(one_line(text), style=f"bold {ORANGE}")
        else:
            yield Text(f" database: {status.sent} lines sent, {status.backlog} entries wait", style="dim")


def _event_line(event: Event) -> Text:
    stamp = iso(event.wall_ns)[11:19]
    first = event.text.partition("\n")[0]
    style = _STYLES.get(event.kind, "")
    return Text.assemble((f" {stamp} ", "dim"), (one_line(f"{event.kind:<11} {first}"), style))
