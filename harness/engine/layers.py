"""What stands behind a run, should it die: its guardian, the service manager, and the dead-men of its devices.

What does not stand is said before anything is energised, and is in the record.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from harness.device.dead_man import DeadMan
from harness.engine.state import RunState
from harness.errors import ConfigError, HarnessError
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.project.checks.dead_men import switched_off_first
from harness.project.model import Project
from harness.safety import armed
from harness.safety.precedence import Stop
from harness.safety.sequence import ActionReport, SafeReport

_RESCUED_WITHIN_S = 600.0


def third_layer(project: Project) -> tuple[Path | None, str]:
    """The folder for the armed file of a run on a rack, or why there is none.

    ConfigError when a secret of the station could not be read again by who finds the armed file.
    """
    folder = armed.armed_folder()
    if folder is None:
        return None, f"no third layer (neither ${armed.FOLDER_ENV} nor {armed.FOLDER})"
    if not os.access(folder, os.W_OK | os.X_OK):
        return None, f"no third layer ({folder} is not yours to write)"
    for name, entry in project.on.station.devices.items():
        if entry.credentials is not None and entry.credentials.env:
            raise ConfigError(
                f"device {name}: credentials from the environment (${entry.credentials.env}) die with this process, "
                "and the third layer needs them after it",
                hint=f"put them into a file, mode 0600, or do without the layer: unset {armed.FOLDER_ENV}",
            )
    return folder, ""


class Layers:
    """The layers of one run."""

    def __init__(self, run: RunState) -> None:
        self._run = run
        self._dead_men: dict[str, DeadMan] = {}

    async def rescue(self) -> bool:
        """Make safe what a dead run on this bay left armed, before a device is opened; False when that fails."""
        config = self._run.guardian_config
        if config is None or config.armed is None:
            return True
        for path, problem in list(armed.armed_on(config.armed, config.keys)):
            if problem:
                self._run.log.event(EventKind.LAYERS, f"{path.name} may be armed on this bay, and {problem}")
                continue
            if not await self._rescue(path):
                return False
        return True

    async def _rescue(self, path: Path) -> bool:
        run = self._run
        name = path.stem
        run.log.event(EventKind.FOUND, f"{name} died on this bay and left it armed: it is made safe first")
        missing, switches = await _rescued(path)
        cause = f"{name} died on this bay"
        if not missing:
            run.log.event(
                EventKind.FOUND, f"what {name} left is safe, confirmed ({', '.join(switches) or 'nothing was on'})"
            )
            return True
        run.summary.safe = SafeReport("default", cause, [ActionReport(text, False) for text in missing])
        reason = f"{cause}, and what it left on is NOT CONFIRMED off: {'; '.join(missing)}"
        run.stop_with(Stop(Verdict.ERROR, reason, "look at the rack"))
        return False

    async def arm(self) -> None:
        """Arm the dead-man of every device that the station gives one; SafetyError when one does not take it."""
        run = self._run
        for name, entry in run.project.on.station.devices.items():
            spec = run.project.catalog.profiles[name].dead_man
            if spec is None or entry.dead_man is None:
                continue
            device = run.devices[name]
            held = switched_off_first(run.project.on.station, run.project.catalog, name)
            dead_man = DeadMan(device, spec, entry.dead_man, held, run.clock)
            await dead_man.arm()
            device.dead_man = self._dead_men[name] = dead_man

    def say(self) -> None:
        """One line: which layers stand between a dead run and a hot rack."""
        run = self._run
        guardian = (
            f"guardian (process {run.guardian.pid})" if run.guardian is not None else "no guardian (virtual time)"
        )
        third = self._third()
        men = [str(dead_man) for dead_man in self._dead_men.values()]
        without = sorted(
            name
            for name, expansion in run.project.catalog.expansions.items()
            if name not in self._dead_men and any(p.spec.energises for p in expansion.controls.values())
        )
        if without:
            men.append(f"no dead-man on {', '.join(without)}")
        proof = run.project.on.station.de_energised
        dead = (
            f"the rack is dead below {proof.below} of {', '.join(proof.bus)}"
            if proof is not None
            else "no busbar is named (de_energised): switches that read off are taken for a dead rack"
        )
        parts = [guardian, *([third] if third else []), *(men or ["no device needs a dead-man"]), dead]
        run.log.event(
            EventKind.LAYERS,
            "; ".join(parts),
            guardian=run.guardian is not None,
            supervisor=third.startswith("supervisor"),
            dead_men=list(self._dead_men),
        )

    def _third(self) -> str:
        config = self._run.guardian_config
        if config is None or config.is_simulated:
            return ""
        if config.armed is None:
            return self._run.unarmed
        who = armed.supervisor(config.armed)
        return f"supervisor ({who})" if who else f"armed file in {config.armed}, but NO supervisor runs"

    async def hold(self, controls: list[str]) -> None:
        """These switches (`device.control`) were found on: the run answers for them, and so do their dead-men."""
        for name, dead_man in self._dead_men.items():
            await dead_man.hold([each.partition(".")[2] for each in controls if each.startswith(f"{name}.")])

    def tick(self, now: float) -> None:
        """A round of the control loop: dead-men may be fed on. After a stop nothing holds power up any longer."""
        run = self._run
        for name, dead_man in self._dead_men.items():
            if run.summary.stop is None or dead_man.spec.acts == "local":
                dead_man.permit(now)
            if dead_man.problem and run.summary.stop is None:
                run.stop_with(Stop(Verdict.ERROR, dead_man.problem, f"check the dead-man of {name}, or leave it out"))

    async def disarm(self) -> None:
        """Let go, the rack being confirmed safe. Otherwise the devices act by themselves, as they are meant to."""
        run = self._run
        is_safe = run.summary.safe is None or run.summary.safe.is_confirmed
        if run.guardian is not None and is_safe:
            await asyncio.to_thread(run.guardian.disarm)
        elif run.guardian is not None and run.guardian.armed_file is not None:
            run.log.event(EventKind.LAYERS, f"{run.guardian.armed_file} stays: the safe state is not confirmed")
        for name, dead_man in self._dead_men.items():
            if not is_safe:
                run.log.event(EventKind.LAYERS, f"the dead-man of {name} stays armed: the safe state is not confirmed")
                continue
            try:
                async with run.clock.timeout(5.0):
                    await dead_man.disarm()
            except (HarnessError, TimeoutError) as error:
                run.log.event(
                    EventKind.LAYERS, f"the dead-man of {name} could not be let go of: {error or 'no answer'}"
                )


async def _rescued(path: Path) -> tuple[list[str], list[str]]:
    """Let a supervisor's process make an armed file safe: what is not confirmed, and the switches it was about."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "harness.supervisor", "--once", str(path)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_RESCUED_WITHIN_S):
            said, _ = await process.communicate()
        found: dict[str, Any] = json.loads(said)
    except (TimeoutError, ValueError):
        return ["who should have made it safe failed"], []
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode == 6:
        return ["another process is making it safe"], []
    return list(found["unconfirmed"]), list(found["switches"])
