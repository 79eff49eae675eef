"""What stands behind a run, should it die: its guardian, the service manager, and the dead-men of its devices.

What does not stand is said before anything is energised, and is in the record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.device.dead_man import DeadMan
from harness.engine.dead_man_checks import put_off_first
from harness.errors import HarnessError
from harness.limits.verdict import Verdict
from harness.safety.precedence import Stop

if TYPE_CHECKING:
    from harness.engine.runner import Runner


class Layers:
    """The layers of one run."""

    def __init__(self, run: Runner) -> None:
        self._run = run
        self._dead_men: dict[str, DeadMan] = {}

    async def arm(self) -> None:
        """Arm the dead-man of every device that the station gives one; SafetyError when one does not take it."""
        run = self._run
        for name, entry in run.project.on.station.devices.items():
            spec = run.project.catalog.profiles[name].dead_man
            if spec is None or entry.dead_man is None:
                continue
            device = run.devices[name]
            held = put_off_first(run.project.on.station, run.project.catalog, name)
            dead_man = DeadMan(device, spec, entry.dead_man, held, run.clock)
            await dead_man.arm()
            device.dead_man = self._dead_men[name] = dead_man

    def say(self) -> None:
        """One line: which layers stand between a dead run and a hot rack."""
        run = self._run
        guardian = f"guardian (process {run.guard.pid})" if run.guard is not None else "no guardian (virtual time)"
        armed = [str(dead_man) for dead_man in self._dead_men.values()]
        without = sorted(
            name
            for name, expansion in run.project.catalog.expansions.items()
            if name not in self._dead_men and any(p.spec.energises for p in expansion.controls.values())
        )
        if without:
            armed.append(f"no dead-man on {', '.join(without)}")
        proof = run.project.on.station.de_energised
        dead = (
            f"the rack is dead below {proof.below} of {', '.join(proof.bus)}"
            if proof is not None
            else "no busbar is named (de_energised): switches that read off are taken for a dead rack"
        )
        text = f"{guardian}; {'; '.join(armed) or 'no device needs a dead-man'}; {dead}"
        run.log.tell("layers", text, guardian=run.guard is not None, dead_men=list(self._dead_men))

    async def hold(self, controls: list[str]) -> None:
        """These switches (`device.control`) were found on: the run answers for them, and so do their dead-men."""
        for name, dead_man in self._dead_men.items():
            await dead_man.hold([each.partition(".")[2] for each in controls if each.startswith(f"{name}.")])

    def tick(self, now: float) -> None:
        """A round of the control loop: dead-men may be fed on. After a stop nothing holds power up any longer."""
        run = self._run
        for name, dead_man in self._dead_men.items():
            if run.found.stop is None or dead_man.spec.acts == "local":
                dead_man.permit(now)
            if dead_man.problem and run.found.stop is None:
                run.halt(Stop(Verdict.ERROR, dead_man.problem, f"check the dead-man of {name}, or leave it out"))

    async def disarm(self) -> None:
        """Let go, the rack being confirmed safe. Otherwise the devices act by themselves, as they are meant to."""
        run = self._run
        for name, dead_man in self._dead_men.items():
            if run.found.safe is not None and not run.found.safe.is_confirmed:
                run.log.tell("layers", f"the dead-man of {name} stays armed: the safe state is not confirmed")
                continue
            try:
                async with run.clock.timeout(5.0):
                    await dead_man.disarm()
            except (HarnessError, TimeoutError) as error:
                run.log.tell("layers", f"the dead-man of {name} could not be let go of: {error or 'no answer'}")
