"""The built-in steps, one module a family."""

from __future__ import annotations

from collections.abc import Sequence

from harness.api import StepDefinition


def builtin() -> Sequence[StepDefinition]:
    """The steps that come with the harness (entry point of group `harness.steps`)."""
    from harness.steps import checking, measuring, power, prompting, setting, soaking, waiting

    return (
        power.power_on,
        power.power_off,
        setting.set_,
        setting.ramp,
        waiting.wait_until,
        waiting.settle,
        waiting.hold,
        measuring.measure,
        soaking.soak,
        checking.check,
        prompting.prompt,
    )
