"""What a run came to: `result.json`, schema 1. The truth that reports, pages and exports are made from.

Everything that differs between two runs of one seed (run id, host, real time) is in `header`; the rest is the same
byte for byte. Numbers that are not finite become null: JSON has no NaN.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.errors import TelemetryError
from harness.limits.verdict import Verdict


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


ENGINEERING = "ENGINEERING"
"""The word for the PASS of a run that can have no certificate."""

Number = Annotated[float | None, BeforeValidator(_finite)]
"""A finite float, or None where there is no number."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


class Header(_Part):
    """What differs between two runs of one seed. `recorded_at`: real UTC time when the run began."""

    run: str
    host: str = ""
    recorded_at: str = ""


class InputFile(_Part):
    """A file that the run was made from.

    `role` is plan, limits, sequence, parameters, station, profile, or file: one that a step names. `sha256` is
    of its bytes. `kept_as` is the name of its copy inside the record ('' in records from before that was written down).
    """

    role: str
    name: str
    sha256: str
    kept_as: str = ""


class ClockInfo(_Part):
    """How time ran: `real`, `fast` (at `speed` times real time) or `virtual`; `seed` of a simulated run."""

    mode: Literal["real", "fast", "virtual"] = "real"
    speed: Number = None
    seed: int | None = None
    is_simulated: bool = False


class DeviceRecord(_Part):
    """A device as it was met: `address` without secrets, `identity` as it answered.

    `evidence` is what speaks for its profile, in words; '' in records of before it was written down.
    """

    name: str
    profile: str
    address: str = ""
    identity: dict[str, str] = {}
    firmware: str = ""
    evidence: str = ""


class Measurement(_Part):
    """A value against its limit. `margin` is to the nearer bound, in `unit`; `coverage` the share of good samples.

    Of a watched limit `value` is the worst that was judged; `worst` is the worst of all samples and `outside` the share
    of them (0 to 1) that were outside of the limit, also when that was excused because it never lasted for `for`.
    """

    name: str
    signal: str
    value: Number = None
    unit: str = ""
    low: Number = None
    high: Number = None
    limit: str = ""
    provenance: str = ""
    verdict: Verdict = Verdict.INCONCLUSIVE
    margin: Number = None
    samples: int = 0
    coverage: Number = None
    reason: str = ""
    worst: Number = None
    outside: Number = None
    uncertainty: Number = None
    """U (k = 2), in `unit`, where the station declares how accurate its instruments are."""

    @property
    def is_judged(self) -> bool:
        """Whether there was a limit: a value without one is only recorded."""
        return bool(self.limit or self.provenance or self.low is not None or self.high is not None)


def excused_text(one: Measurement) -> str:
    """`, worst 169.3 L/min, 63 % of the samples outside`, or '' when nothing was excused."""
    if not one.outside or one.worst is None:
        return ""
    share = f"{100 * one.outside:.3g} % of the samples outside"
    return f", worst {one.worst:.6g} {one.unit}".rstrip() + f", {share}"


class StepResult(_Part):
    """A step as it went: `step` is its kind, `version` that of the kind (0: unknown), `name` its title; times in UTC.

    `path` is what it is known by, which stays when the plan grows; '' in older records. `attempt` counts from 1;
    `asked_by` is who asked for one after the first. `allowed` is how many the plan allows before a FAIL counts;
    None in records from before that was said: the last attempt counts. `hint` is what to do. `package` is whose step it
    is, `name version`; '' for this package's.
    """

    name: str
    path: str = ""
    step: str
    version: int = 0
    package: str = ""
    attempt: int = 1
    allowed: int | None = None
    asked_by: str = ""
    verdict: Verdict
    started: str = ""
    ended: str = ""
    reason: str = ""
    hint: str = ""
    measurements: tuple[Measurement, ...] = ()


class EventEntry(_Part):
    """A line of what happened: UTC time, kind, words."""

    at: str
    kind: str
    text: str = ""


class Intervention(_Part):
    """What a person did to a run: `pause` held the steps for `held_s`, `note` said `text`; `step` is what went on."""

    at: str
    who: str
    did: Literal["pause", "note"]
    step: str = ""
    text: str = ""
    held_s: Number = None


class InterlockResult(_Part):
    """An interlock, whether it tripped in its proof test at the start, how long it watched, and whether it fired.

    `bypassed` says by whom one that watched nothing was left out, until when and why.
    """

    name: str
    signal: str = ""
    is_proved: bool = False
    armed_s: Number = None
    bypassed: str = ""
    is_tripped: bool = False
    at: str = ""
    reason: str = ""
    value: Number = None


class SafeStateAction(_Part):
    """One act of the safe state, and whether it was confirmed by reading back."""

    action: str
    is_confirmed: bool
    took_s: Number = None
    reason: str = ""


class SafeState(_Part):
    """The safe state at the end of the run. Not confirmed means: look at the rack."""

    confirmed: bool
    name: str = "default"
    actions: tuple[SafeStateAction, ...] = ()


class DeviceCoverage(_Part):
    """Frames of a device: how many were due, came, and the share (0 to 1) of their values that was good."""

    device: str
    expected: int
    received: int
    good: Number = None


class Telemetry(_Part):
    """What a database had of the run at its end: lines sent and refused for good, journal entries that wait.

    `command` sends what waits; '' when all arrived. The journal has everything in any case.
    """

    sink: str
    sent: int = 0
    waiting: int = 0
    refused: int = 0
    reason: str = ""
    command: str = ""

    @property
    def lacking(self) -> str:
        """What is not there, in words; '' when all of it is."""
        parts = [f"{self.waiting} entries of the record are not there yet"] if self.waiting else []
        parts += [f"{self.refused} lines were refused for good"] if self.refused else []
        why = f" ({self.reason})" if self.reason else ""
        later = f"; send them with: {self.command}" if self.command else ""
        return f"{' and '.join(parts)}{why}{later}" if parts else ""


class Result(_Part):
    """The whole of `result.json`."""

    schema_version: Literal[1] = Field(default=1, alias="schema")
    header: Header
    serial: str
    operator: str = ""
    station: str = ""
    plan: str = ""
    plan_version: str = ""
    title: str = ""
    harness_version: str = ""
    inputs: tuple[InputFile, ...] = ()
    parameters: dict[str, Any] = {}
    replaced: dict[str, Any] = {}
    """The plan's own value of each parameter that was given another one."""
    engineering: tuple[str, ...] = ()
    """Why the run can prove nothing to a customer; empty: it may have the certificate of its plan."""
    clock: ClockInfo = ClockInfo()
    started: str
    ended: str
    duration_s: Number = None
    verdict: Verdict
    reason: str = ""
    devices: tuple[DeviceRecord, ...] = ()
    steps: tuple[StepResult, ...] = ()
    begun_at: str = ""
    """The step that the run began at, where that is not the first: an engineering run."""
    left_out: dict[str, str] = {}
    """Path of the steps and groups that `when`, `until` or `--from` left out -> why."""
    interlocks: tuple[InterlockResult, ...] = ()
    safe_state: SafeState
    coverage_required: Number = None
    coverage: tuple[DeviceCoverage, ...] = ()
    telemetry: Telemetry | None = None
    """What the station's database had of it; None without one, and in virtual time, where it is sent afterwards."""
    people: tuple[Intervention, ...] = ()
    still_set: tuple[str, ...] = ()
    """What steps have set and nobody has set back (after a trip nothing is), a line each."""
    twins: tuple[str, ...] = ()
    """The other runs of this serial number that went on on the same machine at the same time, a line each."""
    events: tuple[EventEntry, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """What is shown of the verdict: a PASS of an engineering run is not called one."""
        return shown_as(self.verdict, self.engineering)

    @property
    def changes(self) -> list[str]:
        """The parameters that are not the plan's own, in words: `soak_time 2 min, plan 24 h`."""
        return in_words(self.parameters, self.replaced)

    def to_bytes(self) -> bytes:
        """The file's content: UTF-8 JSON, the same bytes for the same result."""
        document = _all_finite(self.model_dump(mode="json", by_alias=True))
        return (json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read a result back; TelemetryError when it is not one."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "document"
            raise TelemetryError(
                f"result.json is not readable: {place}: {first['msg']}",
                hint="the record is damaged or of a newer version",
            ) from error


def shown_as(verdict: Verdict, engineering: Sequence[str]) -> str:
    """The word for a verdict, of a run with these reasons to have no certificate."""
    return ENGINEERING if engineering and verdict is Verdict.PASS else str(verdict)


def _all_finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _all_finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_all_finite(item) for item in value]
    return _finite(value)


def in_words(parameters: Mapping[str, Any], replaced: Mapping[str, Any]) -> list[str]:
    """A line for each parameter that is not the plan's own."""
    return [f"{name} {parameters.get(name)}, plan {own}" for name, own in replaced.items()]


def result_schema() -> dict[str, Any]:
    """The JSON Schema of `result.json`."""
    return Result.model_json_schema(by_alias=True)


def measurement_event(step: str, attempt: int, measurement: Measurement) -> dict[str, Any]:
    """What the journal's `measurement` event holds; `harness verify` compares it with result.json."""
    return {"step": step, "attempt": attempt, **measurement.model_dump(mode="json")}
