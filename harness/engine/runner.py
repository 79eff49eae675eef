"""The run: open, arm, set up, step, clean up, make safe, seal - whatever happens in between.

```
 open all devices --any fails--> ERROR, nothing energised
      |
 first frames -> interlocks armed -> setup -> steps ----------------> cleanup -> safe state -> sealed -> verdict
                                        |                               ^
                 trip, abort, device lost, journal failed: safe state --'   (energising refused from here on)
```
"""

from __future__ import annotations

from harness.device.build import DeviceBuilder
from harness.engine.layers import Layers
from harness.engine.shutdown import Shutdown
from harness.engine.start import Start
from harness.engine.state import RunState
from harness.engine.step_runner import StepRunner
from harness.errors import HarnessError
from harness.limits.verdict import Verdict
from harness.safety.precedence import Stop

_ENDS = 3
"""How often the end of a run is begun at most when code that is not ours breaks it off."""


class Runner:
    """Conducts one run of a project. `conduct` never raises for what devices or steps do."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._layers = Layers(state)
        self._step_runner = StepRunner(state)

    async def conduct(self) -> None:
        """Carry the run out; what it found is in `found`. Raises nothing, whatever anybody's code does."""
        state = self._state
        builder = DeviceBuilder(state.clock, state.project.on.base, state.options.network)
        try:
            for name, entry in state.project.on.station.devices.items():
                profile = state.project.catalog.profiles[name]
                state.devices[name] = builder.make(name, entry, profile, state.options.addresses.get(name, ""))
            if await Start(state, self._layers).begin():
                await self._step_runner.work()
        except HarnessError as error:
            state.stop_with(Stop(Verdict.ERROR, error.said, error.advice))
        except BaseException as error:
            state.broken("the run failed", error)
        await self._end()

    async def _end(self) -> None:
        """Make the rack safe and close everything; begun again when that itself is broken off."""
        state = self._state
        for _ in range(_ENDS):
            try:
                await Shutdown(state, self._layers, self._step_runner).end()
                return
            except BaseException as error:
                state.broken("the end of the run failed", error)
        if state.guardian is not None:
            state.guardian.hand_over()
