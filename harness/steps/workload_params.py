"""What a plan says of a workload: by which driver, where, for how long, and what its end means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.analysis.dcgm_report import VERSIONS
from harness.analysis.log_search import RESULT, usable
from harness.api import (
    Catalog,
    ConfigError,
    ControlPoint,
    ControlRef,
    Duration,
    LocatedError,
    Model,
    Params,
    Percent,
    StrictText,
    WorkloadDriver,
    workload_driver,
    workload_settings,
)
from harness.steps.setting import possible


class Target(Model):
    """One computer that the workload runs on; written short, its address."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """How the record calls it; default: its address."""
    address: StrictText
    """`HOST` or `HOST:PORT`."""
    off: tuple[ControlRef, ...] = ()
    """What switches this one off when it does not stop; default: the step's `off`."""


class ExitCodes(Model):
    """What the exit codes of a program mean; one that stands nowhere here is INCONCLUSIVE."""

    pass_: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Field(alias="pass")] = (0,)
    fail: tuple[Annotated[int, Field(ge=0, le=255)], ...] = ()
    """The product is bad."""
    error: tuple[Annotated[int, Field(ge=0, le=255)], ...] = ()
    """The station is bad: nothing is said of the product."""

    @property
    def table(self) -> dict[int, str]:
        """Code -> verdict."""
        return {
            **dict.fromkeys(self.pass_, "PASS"),
            **dict.fromkeys(self.fail, "FAIL"),
            **dict.fromkeys(self.error, "ERROR"),
        }


class Report(Model):
    """A diagnostic whose own report on stdout is judged."""

    form: Literal["dcgm"]
    """`dcgm`: `dcgmi diag --json`."""
    versions: Annotated[tuple[StrictText, ...], Field(min_length=1)]
    """The versions that the plan is made for. A report of another one is INCONCLUSIVE."""
    tests: tuple[StrictText, ...] = ()
    """Tests that must have been run, by the report's own names."""
    may_skip: tuple[StrictText, ...] = ()
    """Tests that may be skipped."""


class WorkloadParams(Params):
    """Parameters of `workload`."""

    driver: StrictText
    """Who runs it: `simulated` (the workload agent of the rack), `command` (a program on the station), `ssh`, or one of
    another package."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Of the driver, see below."""
    targets: tuple[Target, ...] = ()
    """Where it runs, for a driver that reaches computers."""
    command: tuple[StrictText, ...] = ()
    """Program and arguments, each an item of the list: no shell reads them. The items `{level}` and `{target}` stand
    for the level in % and the name of the target."""
    version: tuple[StrictText, ...] = ()
    """A command that says which versions are there; it must end with 0. What it says stands in the record."""
    level: Percent | None = None
    """Share of the full workload."""
    control: ControlRef | None = None
    """What sets the load, for the driver `simulated`; default: the station's only workload control."""
    for_: Annotated[Duration | None, Field(alias="for")] = None
    """It runs so long and is then stopped. One that ends before is no PASS."""
    within: Duration | None = None
    """It ends by itself, within this time."""
    grace: Duration = 10.0
    """What lies between asking for the end and forcing it."""
    off: tuple[ControlRef, ...] = ()
    """What switches targets off when stopping them does not work: the first that is confirmed is enough. A BMC first,
    then the outlets."""
    exit_codes: ExitCodes = ExitCodes()
    must: tuple[StrictText, ...] = ()
    """Patterns (Python's, searched line by line) that must be in the output. A line of more than a million characters
    is not searched; where it or NUL bytes may hide something, that is INCONCLUSIVE."""
    must_not: tuple[StrictText, ...] = ()
    """Patterns that must not."""
    result: StrictText | None = None
    """A pattern with a group `(?P<result>...)`: all that it finds, in order, are the results for
    `compare_results`."""
    report: Report | None = None
    keep_mib: Annotated[int, Field(ge=1, le=1024)] = 8
    """How much of each stream of output the record keeps, MiB; of more the beginning and the last lines."""

    @property
    def sets_load(self) -> bool:
        """That is what it is for."""
        return True

    @property
    def mean_level(self) -> float | None:
        """The level, where one is given; at its end the load is back where it was."""
        return self.level

    @property
    def measures(self) -> tuple[str, ...]:
        """What its targets come to."""
        return (f"workload {self.driver}",)

    def planned_seconds(self, _catalog: Catalog) -> float:
        """As long as it says; with `within`, at most."""
        return (self.for_ or self.within or 0.0) + self.grace

    @field_validator("targets", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            return value
        return tuple(_target(each) for each in value)

    @model_validator(mode="after")
    def _one_time(self) -> WorkloadParams:
        if (self.for_ is None) == (self.within is None):
            raise ValueError("give either `for:` (it is stopped then) or `within:` (it ends by itself)")
        return self

    def check_against(self, catalog: Catalog, _limits: Mapping[str, Any]) -> None:
        """The driver must be there and take all of this; what is searched for must be a pattern."""
        try:
            driver = workload_driver(self.driver)
        except ConfigError as error:
            raise LocatedError(error.message, "driver") from None
        settings = workload_settings(driver, self.settings)
        for name in driver.signals(settings):
            if not catalog.find_signals(name):
                raise LocatedError(catalog.signal_problem(name), "settings")
        self._check_driver(driver, catalog)
        self._check_targets(driver)
        for index, control in enumerate(self.off):
            for _, point in catalog.find_controls(control)[:1]:
                _possible(point, "off", index)
        for key, patterns in (("must", self.must), ("must_not", self.must_not)):
            for index, pattern in enumerate(patterns):
                if problem := usable(pattern):
                    raise LocatedError(problem, key, index)
        if self.result is not None and ((problem := usable(self.result)) or f"(?P<{RESULT}>" not in self.result):
            raise LocatedError(problem or f"it has no group (?P<{RESULT}>...)", "result")
        unknown = sorted(set(self.report.versions) - set(VERSIONS)) if self.report is not None else []
        if unknown:
            message = f"nobody can judge a report of DCGM {unknown[0]}; known are {', '.join(VERSIONS)}"
            raise LocatedError(message, "report", "versions")

    def _check_driver(self, driver: WorkloadDriver, catalog: Catalog) -> None:
        for key in ("command", "version"):
            for index, each in enumerate(getattr(self, key)):
                if "\0" in each or (index == 0 and not each.strip()):
                    raise LocatedError("this can be no argument of a program", key, index)
        if driver.needs_command and not self.command:
            raise ValueError(f"the driver {driver.name} needs a `command:`")
        if not driver.needs_command:
            reads = ("command", "version", "must", "must_not", "result", "report")
            for key in (each for each in reads if getattr(self, each)):
                raise LocatedError(f"the driver {driver.name} runs no program that would use it", key, key=True)
        if driver.needs_level and self.level is None:
            raise ValueError(f"the driver {driver.name} needs a `level:`")
        if not driver.ends_by_itself and self.within is not None:
            raise LocatedError(f"a workload of {driver.name} never ends by itself: give `for:`", "within", key=True)
        if self.control is not None and not driver.needs_level:
            raise LocatedError(f"the driver {driver.name} commands nothing", "control", key=True)
        if self.level is not None and not 0 <= self.level <= 100:
            raise LocatedError("a level is 0 to 100 %", "level")
        if driver.needs_level:
            for _, point in catalog.find_controls(self.control or catalog.load_control())[:1]:
                possible(point, f"{self.level:g} %", "level")

    def _check_targets(self, driver: WorkloadDriver) -> None:
        if driver.needs_targets != bool(self.targets):
            has = "needs" if driver.needs_targets else "has no"
            raise ValueError(f"the driver {driver.name} {has} `targets:`")
        names: set[str] = set()
        for index, target in enumerate(self.targets):
            if target.name.lower() in names:
                raise LocatedError(f"there are two targets {target.name!r}", "targets", index)
            names.add(target.name.lower())
            try:
                driver.check_address(target.address)
            except ValueError as error:
                raise LocatedError(str(error), "targets", index) from None


def _possible(point: ControlPoint, key: str, index: int) -> None:
    try:
        possible(point, "off")
    except ValueError as error:
        raise LocatedError(str(error), key, index) from None


def _target(value: Any) -> Any:
    """A target written short, and the name of one that has none."""
    given = {"address": value} if isinstance(value, str) else value
    if not isinstance(given, dict):
        return given
    given = {key: tuple(each) if isinstance(each, list) else each for key, each in given.items()}
    if "name" in given or not isinstance(given.get("address"), str):
        return given
    name = "".join(char if (char.isalnum() and char.isascii()) or char in "._-" else "-" for char in given["address"])
    return {**given, "name": name.strip(".-")[:64] or "target"}
