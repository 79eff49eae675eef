"""Every measurement as a row of CSV (RFC 4180), with the run, the step and the limit that it is of."""

from __future__ import annotations

import csv
import io

from harness.record.opened import Record

_OF_RUN = ("run", "serial", "plan", "station")
_OF_STEP = ("step", "attempt", "started")
_OF_VALUE = (
    *("name", "signal", "value", "unit", "low", "high", "limit", "margin", "verdict", "samples", "coverage", "reason"),
)


def export(record: Record) -> str:
    """A head and a row for each; a value that is none is an empty field.

    A text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    result = record.result
    output = io.StringIO()
    writer = csv.writer(output)
    writer.writerow([*_OF_RUN, *_OF_STEP, *_OF_VALUE])
    run = [result.header.run, result.serial, result.plan, result.station]
    for step in result.steps:
        for one in step.measurements:
            values = [getattr(one, name) for name in _OF_VALUE]
            writer.writerow([_shown(each) for each in (*run, step.name, step.attempt, step.started, *values)])
    return output.getvalue()


def _shown(value: object) -> object:
    if isinstance(value, str) and value[:1] in tuple("=+-@\t\r"):
        return f"'{value}"
    return value
