"""The control loop: silence, lost devices, the guardian's beat and a stepped clock, looked at four times a second."""

from __future__ import annotations

from collections.abc import Callable

from harness.engine.state import RunState
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.safety.precedence import Stop

_TICK_S = 0.25


class Watch:
    """Watches one run."""

    def __init__(self, run: RunState, tick: Callable[[float], None]) -> None:
        """`tick` is called each round with the time of the clock."""
        self._run = run
        self._tick = tick

    def _quiet_for(self) -> float:
        """Seconds until silence is looked for again. In virtual time not before there can be any, or for a second."""
        run = self._run
        if not run.clock.is_virtual or run.interlocks is None or run.guardian is not None:
            return _TICK_S
        first = min(device.health.last_good + device.entry.grace for device in run.devices.values())
        first = min(first, run.interlocks.silent_at())
        return min(4 * _TICK_S, max(_TICK_S, first - run.clock.monotonic() + 1e-6))

    async def run(self) -> None:
        """Notice silence, lost devices and a stepped clock."""
        run = self._run
        step_s = 0.0
        while True:
            due = run.clock.monotonic() + self._quiet_for()
            await run.clock.sleep_until(due)
            run.summary.loop_lag_s = max(run.summary.loop_lag_s, run.clock.monotonic() - due)
            if run.guardian is not None:
                run.guardian.beat()
                for event in run.guardian.events:
                    run.log.event(EventKind.GUARDIAN, event)
                run.guardian.events.clear()
            run.notifier.alive(run.doing)
            if run.is_closing:
                continue
            if run.interlocks is not None:
                run.interlocks.evaluate()
            now = run.clock.monotonic()
            self._tick(now)
            for device in run.devices.values():
                for event in device.events:
                    run.log.event(EventKind.DEVICE, f"{device.name}: {event}", device=device.name)
                device.events.clear()
                silent = now - max(device.health.last_good, run.summary.armed_at or now)
                if silent > device.entry.grace and device.entry.needed == "control":
                    reason = f"{device.name} at {run.address(device.name)} {device.health.silence(silent)}"
                    run.stop_with(Stop(Verdict.ERROR, f"{reason} ({device.health.last_error})", f"check {device.name}"))
            moved = run.clock.wall_step_s()
            if abs(moved - step_s) > 0.5:
                run.log.event(
                    EventKind.CLOCK, f"the system's clock was stepped by {moved - step_s:+.3f} s; stamps go on evenly"
                )
                step_s = moved
