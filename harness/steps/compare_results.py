"""Same seed, same result: what trays computed is compared, and the one that computes wrong now and then is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from harness.analysis.agreement import compare
from harness.api import HarnessError, Params, StepContext, StepFailedError, StrictText, Verdict, step
from harness.steps.workload_run import ABOUT, FOLDER

_MOST_BYTES = 64 << 20


class CompareResults(Params):
    """Parameters of `compare_results`."""

    of: Annotated[tuple[StrictText, ...], Field(min_length=1)]
    """The names of earlier `workload` steps with results, all of one seed; of each the last attempt counts."""
    trays: Annotated[int, Field(ge=1, le=1000)]
    """How many trays (or targets) there are: fewer with results are INCONCLUSIVE."""
    rounds: Annotated[int, Field(ge=1, le=1_000_000)] = 2
    """How many results each of them owes, at least."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Results."""
        return ("results of the trays",)

    def check_against(self, _catalog: Any, _limits: Mapping[str, Any]) -> None:
        """One result alone is equal to nothing."""
        if self.trays * self.rounds < 2:
            raise ValueError("one result of one tray has nothing to be compared with")


@step("compare_results", version=1)
async def compare_results(ctx: StepContext, p: CompareResults) -> None:
    """Compare what trays computed from one seed, with each other and over time: silent data corruption."""
    found: dict[str, list[str | None]] = {}
    due = 0
    for title in p.of:
        results = _results(ctx, title)
        of_step = max((len(each) for each in results.values()), default=0)
        for tray in {**found, **results}:
            there = results.get(tray, [])
            known = found.setdefault(tray, [None] * due)
            known += [*there, *[None] * (of_step - len(there))]
        due += of_step
    agreed = compare(found, max(p.rounds, due))
    about = f"{agreed.compared} results of {len(found)} trays"
    ctx.tell(f"{about} compared: {agreed.right if agreed.right is not None else 'no majority'}", right=agreed.right)
    if len(found) < p.trays:
        ctx.judge(f"{ctx.title}: trays", Verdict.INCONCLUSIVE, f"{len(found)} of {p.trays} trays gave results")
    if agreed.right is None:
        ctx.judge(f"{ctx.title}: majority", Verdict.INCONCLUSIVE, f"no result has the majority among {about}")
    for tray, given in found.items():
        name = f"{ctx.title}: {tray}"
        wrong, missing = agreed.wrong[tray], agreed.missing[tray]
        if wrong and agreed.right is not None:
            ctx.judge(name, Verdict.FAIL, f"{wrong} of {len(given)} results are wrong")
        elif missing or agreed.right is None:
            why = f"{missing} results are missing" if missing else "nobody knows which result is right"
            ctx.judge(name, Verdict.INCONCLUSIVE, why)
        else:
            ctx.judge(name, Verdict.PASS)
    if agreed.right is not None and agreed.odd:
        named = ", ".join(f"{tray} ({agreed.wrong[tray]} wrong)" for tray in agreed.odd)
        raise StepFailedError(
            f"silent data corruption: {named} of {about}", hint="exchange the tray; its other results are no evidence"
        )


def _results(ctx: StepContext, title: str) -> dict[str, list[str | None]]:
    """Tray -> the results of the last attempt of a workload step, as its record has them."""
    for folder in sorted((ctx.folders.record / FOLDER).glob("*"), reverse=True):
        path = folder / ABOUT
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            continue
        about = json.loads(path.read_text(encoding="utf-8"))
        if about["step"] == title:
            return {each["target"]: each["results"] for each in about.get("targets", ())}
    raise HarnessError(
        f"there is no workload step {title!r} before this one",
        hint="the results are those of steps, by their names in the plan",
    )
