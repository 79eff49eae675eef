"""What a step is: a function, its parameters, and a name. Steps come in by entry points, like drivers.

    class Dwell(Params):
        duration: Duration

    @step("dwell", version=1)
    async def dwell(ctx: StepContext, p: Dwell) -> None:
        await ctx.sleep(p.duration)

A step returns when it is done. It raises `StepFailedError` when the product is at fault; device errors are the
station's. Measurements decide for themselves.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from harness.errors import HarnessError
from harness.plugins import by_name, installed
from harness.schema.fields import Model

if TYPE_CHECKING:
    from harness.project.catalog import Catalog

GROUP = "harness.steps"
P = TypeVar("P", bound="Params")


class Resume(Enum):
    """What becomes of a completed step when its run is resumed."""

    KEEP = "keep"
    """It stays done, unless a control that it set has changed."""
    WAIT = "wait"
    """It only waits for a state: done again behind a step that had to be done again."""
    TIME = "time"
    """It is its time: never done again, only what it had set is set again."""


class Params(Model):
    """Base of a step's parameters: unknown keys are refused, and the plan's schema is made from it.

    The engine, the checks, the forecast and a resumed run know no step's name: what they must know of a step, its
    parameters say here.
    """

    after_resume: ClassVar[Resume] = Resume.KEEP

    def planned_seconds(self, _catalog: Catalog) -> float | None:
        """How long the step should take; None when the rack or a person decides. Default: a second."""
        return 1.0

    @property
    def sets_load(self) -> bool:
        """Whether the step sets the rack's workload, by a control that its parameters need not name."""
        return False

    @property
    def switches_off(self) -> bool:
        """Whether whatever the step commands is switched off by it: then it is behind no gate."""
        return False

    @property
    def judges(self) -> bool:
        """Whether the step can find anything to be bad: skipped by the operator, nothing is energised after it."""
        return True


class Acting(Params):
    """Base of the parameters of a step that only sets something."""

    @property
    def judges(self) -> bool:
        """Nothing can be found to be bad."""
        return False


class StepFailedError(HarnessError):
    """The rack did not do what it must: the step FAILs. `hint` says what to do."""

    code = "HX-6000"


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """A step as plans know it."""

    name: str
    version: int
    params: type[Params]
    run: Callable[[Any, Any], Awaitable[None]]
    summary: str


def step(name: str, *, version: int) -> Callable[[Callable[[Any, P], Awaitable[None]]], StepDefinition]:
    """Declare a coroutine function as a step; its second parameter's annotation is the parameter model."""

    def declare(function: Callable[[Any, P], Awaitable[None]]) -> StepDefinition:
        hints = typing.get_type_hints(function)
        second = list(inspect.signature(function).parameters)[1]
        summary = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
        return StepDefinition(name, version, hints[second], function, summary)

    return declare


@cache
def known_steps() -> Mapping[str, StepDefinition]:
    """Every installed step by name. An entry point of group `harness.steps` is a function that returns definitions."""
    packages = installed(GROUP, _definitions)
    return by_name(GROUP, "step", ((each.name, each, one.package) for one in packages for each in one.value))


def _definitions(function: Any) -> list[StepDefinition]:
    definitions = list(function())
    for each in definitions:
        if not isinstance(each, StepDefinition):
            raise TypeError(f"{each!r} is no step; a function becomes one by the decorator `step`")
    return definitions
