"""Prompts: what only a person can do or see."""

from __future__ import annotations

from harness.engine.context import StepContext
from harness.engine.step import Params, StepFailedError, step
from harness.schema.fields import StrictText


class Prompt(Params):
    """Parameters of `prompt`."""

    text: StrictText
    answers: tuple[StrictText, ...] = ("done",)
    """What may be answered."""
    passes: tuple[StrictText, ...] = ()
    """Answers that pass; default: all of them."""


@step("prompt", version=1)
async def prompt(ctx: StepContext, p: Prompt) -> None:
    """Ask the operator at the terminal; ERROR at once when nobody can answer."""
    answer = await ctx.ask(p.text, p.answers)
    if p.passes and answer not in p.passes:
        raise StepFailedError(f"the operator answered {answer!r} to {p.text!r}")
