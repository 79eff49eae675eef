"""One step of a plan, checked: its kind, its parameters, and everything that these name."""

from __future__ import annotations

from collections.abc import Mapping

from harness.plugins import names, why_not
from harness.project.catalog import did_you_mean
from harness.project.checks.parts import attempt, check_conditions, check_reference, validated
from harness.project.expand import Laid
from harness.project.model import NamedLimit, PlannedStep, StationProject
from harness.project.references import references
from harness.project.step import GROUP as STEPS
from harness.project.step import StepDefinition, find_step, package_of_step, says_what_it_is
from harness.schema.document import value_at
from harness.schema.problems import Problems
from harness.schema.sequence import COMMON

NOT_INSTALLED = "not installed, given by the program that ran the plan"
"""Stands for the package of a step that is none's."""


def planned(
    laid: Laid,
    on: StationProject,
    limits: Mapping[str, NamedLimit],
    known: Mapping[str, NamedLimit] | None,
    own: Mapping[str, StepDefinition],
    found: Problems,
) -> PlannedStep | None:
    """The step that was laid out, None when it is wrong. `known`: the limits, None when a limit set could not be read.

    `own`: steps that are known beside the installed ones.
    """
    source, loc, name = laid.source, laid.loc, laid.entry.step
    definition = own.get(name) or find_step(name)
    if definition is None:
        message = why_not(STEPS, name) or f"unknown step {name!r}{did_you_mean(name, [*own, *names(STEPS)])}"
        found.add(source.problem((*loc, "step"), "HX-1351", message))
        return None
    for place, kind, text in references(definition.params, value_at(source.data, loc), loc):
        if kind != "limit" or known is not None:  # what is wrong with the limit set has been said
            check_reference(on.catalog, limits, source, place, kind, text, found)
    params = validated(found, source, definition.params, loc, COMMON)
    if params is None:
        return None
    check_conditions(on.catalog, source, params, loc, found)
    attempt(found, source, loc, "HX-1352", lambda: says_what_it_is(params, on.catalog, limits))
    package = NOT_INSTALLED if name in own else package_of_step(name)
    return PlannedStep(
        laid.section,
        laid.path,
        laid.title,
        laid.entry,
        definition,
        params,
        source,
        loc,
        laid.groups,
        laid.needs,
        package,
    )
