"""The table of `harness watch`: on a terminal in place, elsewhere as lines."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from harness.cli.ui.colours import ORANGE, VERMILLION
from harness.cli.ui.terminal import Output
from harness.clock import iso
from harness.device.signal_store import SignalStore
from harness.quantity import Quality
from harness.schema.problems import one_line
from harness.session import Session


class LineTable:
    """Without a terminal: time, signal, reading."""

    def __init__(self, output: Output) -> None:
        self.output = output

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Nothing to give back."""

    def draw(self, session: Session, store: SignalStore, signals: list[str]) -> None:
        """A line a signal."""
        stamp = iso(session.clock.wall_ns())
        for signal in signals:
            self.output.line(f"{stamp} {signal} {store.latest(signal)}")


class ScreenTable(LineTable):
    """On a terminal: drawn in place."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self._console = Console(file=output, highlight=False, emoji=False, markup=False)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        self.output.write("\x1b[?1049h\x1b[?25l\x1b[2J")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.output.write("\x1b[?25h\x1b[?1049l")

    def draw(self, session: Session, store: SignalStore, signals: list[str]) -> None:
        """One picture over the last one."""
        height = max(6, self._console.height)
        table = Table(box=None, padding=(0, 1), expand=True, header_style="bold")
        table.add_column("signal", ratio=5, no_wrap=True, overflow="ellipsis")
        table.add_column("value", ratio=4, justify="right", no_wrap=True)
        table.add_column("", ratio=4, no_wrap=True, overflow="ellipsis")
        room = height - 4 - len(session.failures)
        for signal in signals[:room]:
            reading = store.latest(signal)
            shown = reading.text or (f"{reading.value:.6g} {reading.unit}".rstrip() if reading.is_good else "-")
            colour = ORANGE if reading.quality is Quality.STALE else VERMILLION
            word = Text("") if reading.is_good else Text(reading.quality.word, style=f"bold {colour}")
            table.add_row(Text(signal), Text(one_line(shown)), word)
        if len(signals) > room:
            table.add_row(Text(f"... and {len(signals) - room} more: name some with --signal"))
        head = Text.assemble(
            (f" {session.on.station.station} ", "bold reverse"), f"  {iso(session.clock.wall_ns())[11:19]} UTC"
        )
        trouble = [Text(one_line(f" ! {n}: {e}"), style=f"bold {VERMILLION}") for n, e in session.failures.items()]
        with self._console.capture() as capture:
            self._console.print(Group(head, table, *trouble), no_wrap=True, overflow="ellipsis")
        lines = capture.get().split("\n")[: height - 1]
        self.output.write("\x1b[H" + "".join(f"{line}\x1b[K\r\n" for line in lines) + "\x1b[J")
