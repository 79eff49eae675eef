"""Prompts: what only a person can do or see."""

from __future__ import annotations

from harness.api import Catalog, Check, Params, ResolvedLimit, StepContext, StepFailedError, StrictText, step


class Prompt(Params):
    """Parameters of `prompt`."""

    text: StrictText
    answers: tuple[StrictText, ...] = ("done",)
    """What may be answered."""
    passes: tuple[StrictText, ...] = ()
    """Answers that pass, any other FAILs; default: all of them, and then nothing is judged."""

    @property
    def judges(self) -> bool:
        """Only where some answers do not pass."""
        return bool(self.passes)

    @property
    def measures(self) -> tuple[str, ...]:
        """What is asked, where some answers do not pass."""
        return (self.text,) if self.passes else ()

    def planned_seconds(self, _catalog: Catalog) -> None:
        """A person decides."""


@step("prompt", version=1)
async def prompt(ctx: StepContext, p: Prompt) -> None:
    """Ask the operator at the terminal; ERROR at once when nobody can answer."""
    answer = await ctx.ask(p.text, p.answers)
    if not p.passes:
        return
    wrong = answer not in p.passes
    none_wrong = ResolvedLimit(Check(high=0.0, shown="<= 0"), provenance="plan")
    ctx.measure(f"{ctx.title}: answered {answer!r}", "", float(wrong), none_wrong)
    if wrong:
        raise StepFailedError(f"the operator answered {answer!r} to {p.text!r}")
