"""What a run has at hand while it goes, and how it commands: what no step gets hold of."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from harness.clock import Clock
from harness.device.actuate import actuate
from harness.device.confirm import Outcome
from harness.device.corrections import Corrections
from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.setting import Setting, puts_power_on
from harness.device.signal_store import SignalStore
from harness.engine.pausing import PauseGate
from harness.engine.still_set import StillSet
from harness.errors import SafetyError
from harness.limits.check import Check
from harness.project.gates import no_power_after
from harness.project.model import Project
from harness.record.log import STEP, RunLog
from harness.record.result import StepResult
from harness.safety.external_changes import ExternalChanges

Prompter = Callable[[str, Sequence[str]], Awaitable[str]]


@dataclass(slots=True)
class RunContext:
    """What a run has at hand while it goes: made by the runner, seen by steps through their context."""

    project: Project
    devices: Mapping[str, Device]
    store: SignalStore
    clock: Clock
    log: RunLog
    prompter: Prompter | None = None
    energising_allowed: bool = True
    unproved: str = ""
    """A step that the run went past without its PASS: nothing is energised after it."""
    pause_gate: PauseGate | None = None
    step_clock: Clock | None = None
    undo: dict[tuple[str, str], tuple[ControlPoint, Setting]] = field(default_factory=dict)
    """(device, control) -> how it was before this run first touched it; energised things go off."""
    progress: tuple[float, str] = (0.0, "")
    external: ExternalChanges | None = None
    done: Sequence[StepResult] = ()
    """The attempts of steps that have ended."""
    stopped_by: Callable[[], str] = str
    """What stopped the run, in words; '' while nothing has."""
    watched: dict[str, tuple[Check, str]] = field(default_factory=dict)
    """signal -> (check, name) that the running step watches, for the screen."""
    still_set: StillSet = field(default_factory=StillSet)
    """What has been set so far, and by which step."""
    corrections: Corrections = field(init=False)
    """What steps see less than devices show. Interlocks, journal and screen have what is shown."""

    def __post_init__(self) -> None:
        self.corrections = Corrections(self.store, self.project.catalog.accuracy)

    async def act(
        self, pairs: Sequence[tuple[str, ControlPoint, Setting]], within: float | None = None
    ) -> Mapping[str, Outcome]:
        """Command controls (grouped by device), confirmed. Outcomes by `device.control`."""
        outcomes: dict[str, Outcome] = {}
        for name in dict.fromkeys(device for device, _, _ in pairs):
            wanted = [(control, setting) for device, control, setting in pairs if device == name]
            for control, setting in wanted:
                self._register_undo(name, control, setting)
            result: Mapping[str, Outcome] = {}
            try:
                result = await actuate(self.devices[name], wanted, self.clock, self.log, within)
            finally:  # cut short, it may have been obeyed
                for control, setting in wanted:
                    outcome = result.get(control.name)
                    self.still_set.commanded((name, control.name), control, setting, self._doing(), outcome)
            outcomes.update({f"{name}.{control}": outcome for control, outcome in result.items()})
        return outcomes

    def _doing(self) -> str:
        """The title of the step that commands now; '' when none does."""
        path = STEP.get()
        return next((step.title for step in self.project.steps if step.path == path), "") if path else ""

    def _register_undo(self, device: str, control: ControlPoint, setting: Setting) -> None:
        key = (device, control.name)
        if puts_power_on(control, setting):
            if not self.energising_allowed:
                raise SafetyError(f"{device}.{control.name} is not energised any more in this run")
            if self.unproved:
                raise SafetyError(f"{device}.{control.name} is not energised: {no_power_after(self.unproved)}")
        if key in self.undo:
            return
        if control.spec.energises:
            self.undo[key] = (control, Setting(word="off"))
            return
        signal = f"{device}.{control.confirm_by}"
        if not control.confirm_by or not self.store.has(signal):
            return
        before = self.store.latest(signal)
        if not before.is_good or control.is_momentary:
            return
        if setting.word:
            confirm = control.spec.confirm
            shown = {confirm.words.get(word, word): word for word in control.spec.takes} if confirm else {}
            if before.text in shown:
                self.undo[key] = (control, Setting(word=shown[before.text]))
        else:
            low, high = control.spec.range or (-math.inf, math.inf)
            if low <= before.value <= high:
                self.undo[key] = (control, Setting(value=before.value))
