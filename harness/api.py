"""The stable facade: all that drivers and third-party steps may import.

What stands in `__all__` keeps its name and meaning within a major version; everything else of `harness` may change
with any release. See docs/how-to/add-a-step.md and docs/how-to/add-a-pdu.md.
"""

from __future__ import annotations

from harness.clock import Clock
from harness.engine.context import StepContext
from harness.engine.judging import ResolvedLimit
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
from harness.limits.verdict import Verdict
from harness.limits.window import Statistic, Window
from harness.project.catalog import Catalog
from harness.project.references import LimitName
from harness.project.step import Params, StepDefinition, StepFailedError, step
from harness.quantity import (
    Frame,
    Quality,
    Quantity,
    Reading,
    SignalInfo,
    Unit,
    convert,
    parse_duration,
    parse_quantity,
    unit,
)
from harness.record.result import Measurement
from harness.schema.conditions import Bounds, Condition, Watch
from harness.schema.fields import (
    ControlRef,
    Duration,
    DurationOrZero,
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
    "BadValueError",
    "Bounds",
    "Catalog",
    "Check",
    "Clock",
    "Condition",
    "ConfigError",
    "ControlRef",
    "DeviceError",
    "DeviceView",
    "Duration",
    "DurationOrZero",
    "Frame",
    "HarnessError",
    "IdentityError",
    "LimitName",
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
    "compile_check",
    "convert",
    "parse_duration",
    "parse_quantity",
    "step",
    "unit",
]
