"""The stable facade: all that drivers and third-party steps may import.

What stands in `__all__` keeps its name and meaning within a major version; everything else of `harness` may change
with any release. See docs/how-to/add-a-step.md and docs/how-to/add-a-pdu.md.
"""

from __future__ import annotations

from harness.clock import Clock
from harness.device.points import ControlPoint
from harness.device.setting import resolve_setting
from harness.engine.context import StepContext
from harness.engine.judging import Excused, ResolvedLimit
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
from harness.limits.check import Check, compile_check
from harness.limits.debounce import Debounce
from harness.limits.span import check_binds
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
from harness.record.result import Measurement
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

__all__ = [
    "Accused",
    "Acting",
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
    "Excused",
    "Frame",
    "HarnessError",
    "IdentityError",
    "LimitName",
    "LocatedError",
    "Measurement",
    "Model",
    "Name",
    "NotConfirmedError",
    "Params",
    "Percent",
    "ProtocolViolationError",
    "Quality",
    "Quantity",
    "QuantityField",
    "Rate",
    "Reading",
    "RefusedError",
    "ResolvedLimit",
    "Resume",
    "RunError",
    "SafetyError",
    "SignalInfo",
    "SignalRef",
    "Statistic",
    "StepContext",
    "StepDefinition",
    "StepFailedError",
    "StrictText",
    "TelemetryError",
    "Title",
    "Trouble",
    "Unit",
    "UnreachableError",
    "Verdict",
    "Watch",
    "Window",
    "check_binds",
    "compile_check",
    "convert",
    "difference_unit",
    "parse_duration",
    "parse_quantity",
    "resolve_setting",
    "samples_needed",
    "statistic_info",
    "step",
    "unit",
]
