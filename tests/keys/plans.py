"""Plans and safe states that many tables begin with, as places and values of the files of the small rack."""

from __future__ import annotations

from typing import Any

from tests.keys.rows import Row
from tests.keys.run_bench import Ran, verdict

FIRST, SECOND = "plan/steps/0", "plan/steps/1"
LOOK = {"step": "check", "name": "end", "conditions": [{"signal": "cdu.leak", "equals": "dry"}]}


def steps(*entries: dict[str, Any], wire: list[list[Any]] | None = None) -> dict[str, Any]:
    """A plan of these steps, and what devices show meanwhile."""
    return {"plan/steps": [*entries, LOOK], "wire": wire or []}


def only(step: str, *, wire: list[list[Any]] | None = None, **keys: Any) -> dict[str, Any]:
    """A plan whose first step, `it`, has these keys."""
    return steps({"step": step, "name": "it", **keys}, wire=wire)


def flow(value: int, step: str = "", second: float = 0) -> list[Any]:
    """The cooling unit shows another flow."""
    return [step, second, "cdu", "holding/1", value]


def leak(code: int, step: str = "", second: float = 0) -> list[Any]:
    """The cooling unit shows dry (0), damp (1) or wet (2)."""
    return [step, second, "cdu", "holding/3", code]


def bounds_rows(given: Any, **where: Any) -> list[Row]:
    """The four bounds; `given(signal=, **bounds)` is a plan that judges a signal: flow is 100 L/min, leak is dry."""
    return [
        Row("min", "150 L/min", verdict, "PASS", "FAIL", given("cdu.flow", min="50 L/min"), **where),
        Row("max", "90 L/min", verdict, "PASS", "FAIL", given("cdu.flow", max="150 L/min"), **where),
        Row("equals", "wet", verdict, "PASS", "FAIL", given("cdu.leak", equals="dry"), **where),
        Row("one_of", ["damp", "wet"], verdict, "PASS", "FAIL", given("cdu.leak", one_of=["dry", "damp"]), **where),
    ]


# --- what makes safe

DEFAULT = "station/safe_state/default"
OFF = {"set": "pdu.outlet", "to": "off"}
PUMP_OFF = {"set": "cdu.pump", "to": "off"}


def default(*actions: dict[str, Any], wire: list[list[Any]] | None = None) -> dict[str, Any]:
    """What the default sequence does after the outlets are off."""
    return {DEFAULT: [OFF, *actions], "wire": wire or []}


def code(ran: Ran) -> int:
    """The exit code: 0 for a safe PASS, 5 for a rack that is not confirmed safe."""
    assert ran.outcome is not None, ran.error
    return ran.outcome.exit_code


PLACE = "station/de_energised"


def bus(volts: float, battery: float = 0, *, wire: list[list[Any]] | None = None, **keys: Any) -> dict[str, Any]:
    """A busbar at so many volts, a battery that feeds so many ampere; the pump stops when there is no heat."""
    shown = [["", 0, "pdu", "holding/3", round(10 * volts)], ["", 0, "pdu", "holding/4", battery]]
    return {
        **default(PUMP_OFF, wire=[*shown, *(wire or [])]),
        PLACE: {"bus": ["pdu.bus"], "under_voltage": "40 V", "within": "60 s", **keys},
    }
