"""What a step is: a function, its parameters, and a name. Each comes in by an entry point of its name.

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
import re
import typing
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from harness.errors import ConfigError, HarnessError
from harness.in_words import shown
from harness.plugins import (
    by_name,
    clash_of,
    entries,
    find,
    installed,
    is_ours,
    is_several,
    names,
    owner_of,
    package_of,
)
from harness.schema.conditions import Watch
from harness.schema.fields import Model

if TYPE_CHECKING:
    from harness.project.catalog import Catalog

GROUP = "harness.steps"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
MAX_SECONDS = 366 * 86400.0
"""The longest that a step may plan to take."""
P = TypeVar("P", bound="Params")


class Resume(Enum):
    """What becomes of a completed step when its run is resumed."""

    KEEP = "keep"
    """It stays done, unless a control that it set has changed."""
    WAIT = "wait"
    """It only waits for a state: done again behind a step that had to be done again."""
    TIME = "time"
    """It is its time: never done again, only what it had set is set again."""


class Accused(Enum):
    """Who is at fault when a step fails, or measures what is beyond its limit."""

    PRODUCT = "product"
    """The rack: FAIL."""
    STATION = "station"
    """What tests it: ERROR, and the run ends. It says nothing about the rack."""


class Params(Model):
    """Base of a step's parameters: unknown keys are refused, and the plan's schema is made from it.

    The engine, the checks, the time left and a resumed run know no step's name: what they must know of a step, its
    parameters say here.
    """

    after_resume: ClassVar[Resume] = Resume.KEEP
    accuses: ClassVar[Accused] = Accused.PRODUCT

    def planned_seconds(self, _catalog: Catalog) -> float | None:
        """How long the step should take; None when the rack or a person decides. Default: a second."""
        return 1.0

    def check_against(self, _catalog: Catalog, _limits: Mapping[str, Any], /) -> None:
        """Whether the values fit each other, the station and the limits: ValueError where not."""

    def leaves(self, _catalog: Catalog) -> Mapping[str, str]:
        """Control -> word or quantity that it has when the step is done, as far as the step knows: for the forecast."""
        return {}

    @property
    def mean_level(self) -> float | None:
        """Mean workload while the step lasts, %, where it is another than at its end."""
        return None

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

    @property
    def measures(self) -> tuple[str, ...] | None:
        """What the step measures against limits: signals, devices, questions to somebody; None: it is not known."""
        return tuple(each.signal for each in self.watches) or None

    @property
    def watches(self) -> tuple[Watch, ...]:
        """Limits that must hold as long as the step lasts."""
        return ()

    @property
    def least_coverage(self) -> float | None:
        """Share of good samples that it needs, %, where it is another than the plan's."""
        return None

    @property
    def restart_within(self) -> Mapping[str, float]:
        """Signals that may show a restart of the rack while the step lasts: how long they may take to, seconds."""
        return {}


class Acting(Params):
    """Base of the parameters of a step that only sets something."""

    @property
    def judges(self) -> bool:
        """Nothing can be found to be bad."""
        return False

    @property
    def measures(self) -> tuple[str, ...]:
        """Nothing."""
        return ()


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

    def __post_init__(self) -> None:
        """TypeError or ValueError for what no plan or record could hold."""
        if not isinstance(self.name, str) or _NAME.fullmatch(self.name) is None:
            raise ValueError(f"{self.name!r} is no name of a step: letters, digits, '_', '.' and '-'")
        if type(self.version) is not int or self.version < 1:
            raise TypeError(f"step {self.name}: version is {self.version!r}, not a whole number from 1 on")
        if not isinstance(self.params, type) or not issubclass(self.params, Params):
            raise TypeError(f"step {self.name}: its second parameter is annotated with {self.params!r}, no Params")


def step(name: str, *, version: int) -> Callable[[Callable[[Any, P], Awaitable[None]]], StepDefinition]:
    """Declare a coroutine function as a step; its second parameter's annotation is the parameter model."""

    def declare(function: Callable[[Any, P], Awaitable[None]]) -> StepDefinition:
        hints = typing.get_type_hints(function)
        taken = list(inspect.signature(function).parameters)
        if len(taken) != 2 or taken[1] not in hints:
            raise TypeError(
                f"step {name}: a step takes its context and its parameters: (ctx: StepContext, p: MyParams)"
            )
        summary = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
        return StepDefinition(name, version, hints[taken[1]], function, summary)

    return declare


def find_step(name: str) -> StepDefinition | None:
    """The installed step of a name, imported now; None: see `harness.plugins.why_not`."""
    several = _steps_of_functions().get(name)
    if clash_of(GROUP, name) is not None:
        return None
    return several[0] if several is not None else find(GROUP, name, partial(_definition, name))


def package_of_step(name: str) -> str:
    """The package that adds an installed step, `name version`; '' for this one."""
    several = _steps_of_functions().get(name)
    package = several[1] if several is not None else owner_of(GROUP, name)
    return "" if is_ours(package) else package


def refuse_installed(own: Iterable[StepDefinition]) -> None:
    """ConfigError for a step that is given by hand under the name of another one that is installed."""
    for each in own:
        there = find_step(each.name)
        if there is not None and _origin(there) != _origin(each):
            whose = package_of_step(each.name) or "built in"
            raise ConfigError(f"there is a step {each.name!r} already: {whose}", hint="give yours another name")


def _origin(definition: StepDefinition) -> tuple[str, str]:
    return str(getattr(definition.run, "__module__", "")), str(getattr(definition.run, "__qualname__", ""))


@cache
def known_steps() -> Mapping[str, StepDefinition]:
    """Every installed step that can be used, by name."""
    found = {name: find_step(name) for name in (*names(GROUP), *_steps_of_functions())}
    return {name: each for name, each in found.items() if each is not None}


@cache
def _steps_of_functions() -> Mapping[str, tuple[StepDefinition, str]]:
    """The steps, with their packages, of entry points that name a function which returns several.

    The function has to be called to know their names.
    """
    several = [entry for entry in entries(GROUP) if is_several(entry)]
    if not several:
        return {}
    found = installed(GROUP, _definitions, among=several)
    given: list[tuple[str, tuple[StepDefinition, str] | None, str]] = [
        (each.name, (each, one.package), one.package) for one in found for each in one.value
    ]
    alone = [(each.name, None, package_of(each)) for each in entries(GROUP) if not is_several(each)]
    usable = by_name(GROUP, "step", [*given, *alone])
    return {name: each for name, each in usable.items() if each is not None}


def _definitions(function: Any) -> list[StepDefinition]:
    definitions = list(function()) if not isinstance(function, StepDefinition) else [function]
    for each in definitions:
        if not isinstance(each, StepDefinition):
            raise TypeError(f"{each!r} is no step; a function becomes one by the decorator `step`")
    return definitions


def _definition(name: str, found: Any) -> StepDefinition:
    """What the entry point `name` of group `harness.steps` gives: one step, under its own name."""
    if not isinstance(found, StepDefinition):
        raise TypeError(
            f"{type(found).__name__} is no step: each step has an entry point of its own, "
            f"and a function becomes one by the decorator `step`"
        )
    if found.name != name:
        raise ValueError(f"it gives the step {found.name!r}: the entry point must have its name")
    return found


def says_what_it_is(params: Params, catalog: Catalog, limits: Mapping[str, Any]) -> None:
    """Ask a step everything that it says of itself; ValueError for what does not fit, or fails.

    Asked here, while nothing is contacted: what a run, its time left and its record ask later has been answered before.
    """
    try:
        params.check_against(catalog, limits)
        said = {name: getattr(params, name) for name in _SAID if name not in ("planned_seconds", "leaves")}
        said["planned_seconds"] = params.planned_seconds(catalog)
        said["leaves"] = params.leaves(catalog)
        wrong = [(name, wanted) for name, (is_right, wanted) in _SAID.items() if not is_right(said[name])]
    except (ValueError, KeyboardInterrupt):
        raise
    except BaseException as error:  # code of others
        raise ValueError(f"the step's own code fails when it is asked: {shown(error)}") from error
    if wrong:
        name, wanted = wrong[0]
        raise ValueError(f"{name} gives {_short(said[name])}: {wanted}")


def _short(value: Any) -> str:
    try:
        return repr(value)[:60]
    except Exception:  # a number too long to be written, or code of others
        return f"a {type(value).__name__}"


def _is_number(value: Any, most: float = MAX_SECONDS) -> bool:
    return type(value) in (int, float) and 0 <= value <= most


def _all(kind: type, values: Any) -> bool:
    return isinstance(values, tuple) and all(isinstance(each, kind) for each in values)


_SAID: dict[str, tuple[Callable[[Any], bool], str]] = {
    "after_resume": (lambda value: isinstance(value, Resume), "one of harness.api.Resume"),
    "accuses": (lambda value: isinstance(value, Accused), "one of harness.api.Accused"),
    "sets_load": (lambda value: isinstance(value, bool), "True or False"),
    "switches_off": (lambda value: isinstance(value, bool), "True or False"),
    "judges": (lambda value: isinstance(value, bool), "True or False"),
    "measures": (lambda value: value is None or _all(str, value), "a tuple of names, or None where it is not known"),
    "watches": (lambda value: _all(Watch, value), "a tuple of Watch"),
    "least_coverage": (
        lambda value: value is None or _is_number(value, 100.0),
        "a share in %, or None for that of the plan",
    ),
    "restart_within": (
        lambda value: isinstance(value, Mapping) and _all(str, tuple(value)) and all(map(_is_number, value.values())),
        "signals with the seconds that each may take",
    ),
    "leaves": (
        lambda value: isinstance(value, Mapping) and _all(str, tuple(value)) and _all(str, tuple(value.values())),
        "controls with what they are left at, in words",
    ),
    "mean_level": (lambda value: value is None or _is_number(value, 100.0), "a workload in %, or None"),
    "planned_seconds": (
        lambda value: value is None or _is_number(value),
        "seconds, or None where nobody knows",
    ),
}
"""What a step says of itself -> whether that is of the kind that it must be, and which that is."""
