"""A workload on the rack: started, watched, stopped whatever happens, graded; its logs stand in the record."""

from __future__ import annotations

from harness.api import StepContext, step
from harness.steps.workload_params import WorkloadParams
from harness.steps.workload_run import WorkloadRun


@step("workload", version=1)
async def workload(ctx: StepContext, p: WorkloadParams) -> None:
    """Run a workload on the rack and grade what it says; one that cannot be stopped is switched off."""
    await WorkloadRun(ctx, p).carry_out()
