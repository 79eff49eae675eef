"""Plans of groups, passes and values on the small rack."""

from __future__ import annotations

import json
from typing import Any

from tests.keys.plans import LOOK
from tests.keys.rack import FILES
from tests.keys.rows import changed, parsed

SEQUENCE = {
    "schema": 1,
    "sequence": "point",
    "title": "point",
    "parameters": {"flow": {"type": "flow"}},
    "steps": [
        {"step": "set", "name": "set", "control": "cdu.setpoint", "to": "${flow}"},
        {"step": "hold", "name": "wait", "for": "5 s"},
    ],
}
LONG, SHORT = {"step": "hold", "name": "long", "for": "9 s"}, {"step": "hold", "name": "short", "for": "4 s"}
BAD = {"step": "check", "name": "bad", "on_fail": "continue", "conditions": [{"signal": "cdu.leak", "equals": "wet"}]}
FAST = {"signal": "cdu.flow", "min": "150 L/min"}
SET_Q = {"step": "set", "control": "cdu.setpoint", "to": "${q}"}
SET = {"step": "set", "control": "cdu.setpoint", "to": "90 L/min"}
POWER = {"step": "power_on", "name": "power", "outlets": "pdu.outlet[1]", "stagger": "0 s"}


def files(*entries: Any, **more: Any) -> dict[str, Any]:
    """The small rack with a plan of these entries."""
    base = {name: parsed(text) for name, text in FILES.items()} | {"sequence": SEQUENCE}
    base = changed(base, "plan/steps", [*json.loads(json.dumps(entries)), LOOK])
    for place, value in more.items():
        base = changed(base, place.replace("__", "/"), value)
    return base
