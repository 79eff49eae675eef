"""The stable facade: all that drivers, steps and programs of others may import.

What stands in `__all__` keeps its name and meaning within a major version; everything else of `harness` may change
with any release. See docs/how-to/add-a-step.md and docs/how-to/add-a-pdu.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import harness
from harness.clock import Clock
from harness.device.confirm import Outcome
from harness.device.points import ControlPoint
from harness.device.setting import resolve_setting
from harness.engine.context import StepContext
from harness.engine.judging import Excused, ResolvedLimit
from harness.engine.options import RunOutcome
from harness.engine.view import DeviceView
from harness.errors import (
    BadValueError,
    ConfigError,
    DeviceError,
    HarnessError,
    IdentityError,
    NotConfirmedError,
    ProtocolViolationError,
    RefusedError,
    RunError,
    SafetyError,
    TelemetryError,
    Trouble,
    UnreachableError,
)
from harness.events import EventKind
from harness.limits.check import Check, compile_check
from harness.limits.debounce import Debounce
from harness.limits.span import check_binds
from harness.limits.uncertainty import Accuracy, Zero
from harness.limits.verdict import Verdict
from harness.limits.window import Statistic, Window, samples_needed, statistic_info
from harness.project.catalog import Catalog
from harness.project.references import LimitName
from harness.project.step import Accused, Acting, Params, Resume, StepDefinition, StepFailedError, step
from harness.quantity import (
    Frame,
    Quality,
    Quantity,
    Reading,
    SignalInfo,
    Unit,
    convert,
    difference_unit,
    parse_duration,
    parse_quantity,
    unit,
)
from harness.record.result import Measurement, Result, StepResult
from harness.schema.conditions import Bounds, Condition, Watch
from harness.schema.fields import (
    ControlRef,
    Coverage,
    Duration,
    DurationOrZero,
    LocatedError,
    Model,
    Name,
    Percent,
    QuantityField,
    Rate,
    SignalRef,
    StrictText,
    Title,
)
from harness.schema.input_file import InputFile
from harness.schema.problems import Problem, ProblemsError
from harness.workloads.driver import (
    Ended,
    Progress,
    Workload,
    WorkloadDriver,
    WorkloadJob,
    WorkloadStation,
    WorkloadTarget,
    workload_driver,
    workload_package,
    workload_settings,
)
from harness.workloads.patterns import find_patterns

if TYPE_CHECKING:
    from harness.rack import AsyncRack, Rack, open_station, simulated_rack, virtual_time
    from harness.record.opened import Record, open_record

__all__ = [
    "Accuracy",
    "Accused",
    "Acting",
    "AsyncRack",
    "BadValueError",
    "Bounds",
    "Catalog",
    "Check",
    "Clock",
    "Condition",
    "ConfigError",
    "ControlPoint",
    "ControlRef",
    "Coverage",
    "Debounce",
    "DeviceError",
    "DeviceView",
    "Duration",
    "DurationOrZero",
    "Ended",
    "EventKind",
    "Excused",
    "Frame",
    "HarnessError",
    "IdentityError",
    "InputFile",
    "LimitName",
    "LocatedError",
    "Measurement",
    "Model",
    "Name",
    "NotConfirmedError",
    "Outcome",
    "Params",
    "Percent",
    "Problem",
    "ProblemsError",
    "Progress",
    "ProtocolViolationError",
    "Quality",
    "Quantity",
    "QuantityField",
    "Rack",
    "Rate",
    "Reading",
    "Record",
    "RefusedError",
    "ResolvedLimit",
    "Result",
    "Resume",
    "RunError",
    "RunOutcome",
    "SafetyError",
    "SignalInfo",
    "SignalRef",
    "Statistic",
    "StepContext",
    "StepDefinition",
    "StepFailedError",
    "StepResult",
    "StrictText",
    "TelemetryError",
    "Title",
    "Trouble",
    "Unit",
    "UnreachableError",
    "Verdict",
    "Watch",
    "Window",
    "Workload",
    "WorkloadDriver",
    "WorkloadJob",
    "WorkloadStation",
    "WorkloadTarget",
    "Zero",
    "check_binds",
    "compile_check",
    "convert",
    "difference_unit",
    "find_patterns",
    "open_record",
    "open_station",
    "parse_duration",
    "parse_quantity",
    "resolve_setting",
    "samples_needed",
    "simulated_rack",
    "statistic_info",
    "step",
    "unit",
    "virtual_time",
    "workload_driver",
    "workload_package",
    "workload_settings",
]


def __getattr__(name: str) -> Any:
    """A station from Python, imported when it is asked for: steps do without."""
    if name in harness.__all__:
        return getattr(harness, name)
    raise AttributeError(f"module 'harness.api' has no attribute {name!r}")
