"""What the caller of a run decides, and what the caller gets back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.engine.run_context import Prompter
from harness.limits.verdict import EXIT_CODES, EXIT_IN_USE, EXIT_NOT_SAFE, EXIT_TERMINATED, Verdict
from harness.record.log import Observer
from harness.record.result import Result
from harness.telemetry.influx import InfluxSettings
from harness.transport.network import Network


@dataclass(slots=True)
class RunOptions:
    """How to run: on which unit, by whom, into which folder, over which wire."""

    serial: str
    data_dir: Path
    operator: str = ""
    is_simulated: bool = False
    seed: int | None = None
    network: Network | None = None
    addresses: Mapping[str, str] = field(default_factory=dict)
    """device -> address to use instead of the station's (simulated devices)."""
    prompter: Prompter | None = None
    observers: list[Observer] = field(default_factory=list)
    influxdb: InfluxSettings | None = None
    resume: Path | None = None
    """Folder of the interrupted run to go on with; None: a new run."""
    hold_on_fail: bool = False
    """Hold the run after a step that would end it, and let the operator decide: retry, skip or continue."""


@dataclass(slots=True)
class RunOutcome:
    """What a run came to. `is_sealed` is false when the record could not be saved: then the verdict is ERROR."""

    verdict: Verdict
    reason: str
    folder: Path
    result: Result
    is_safe: bool
    unsafe: list[str]
    is_sealed: bool
    hint: str = ""
    by_signal: str = ""
    is_refused: bool = False
    """The rack belongs to another run; found out when its devices were open."""

    @property
    def exit_code(self) -> int:
        """The exit code of `harness run`: only a sealed result says anything about the rack."""
        if self.is_refused:
            return EXIT_IN_USE
        if not self.is_safe:
            return EXIT_NOT_SAFE
        if not self.is_sealed:
            return EXIT_CODES[Verdict.ERROR]
        if self.verdict is Verdict.ABORTED and self.by_signal == "SIGTERM":
            return EXIT_TERMINATED
        return EXIT_CODES[self.verdict]
