"""Two ports of a switch on the load of the small rack, and the files that say what belongs at them."""

from __future__ import annotations

from typing import Any

from tests.keys.plans import only
from tests.keys.rack import FILES

WIRING = """
schema: 1
wiring: two
version: "1.0"
speed: 400 Mb/s
links:
  "load.port[1]": "a:1"
  "load.port[2]": {to: "b:2"}
"""
BILL = """
schema: 1
bill: small
version: "1.0"
parts:
  pdu: {device: pdu, serial: "P*", firmware: [F1]}
"""
PORT_FILES = {**FILES, "wiring": WIRING, "bill": BILL}
COLUMNS: dict[str, dict[str, Any]] = {
    "neighbor": {"address": 40, "type": "string", "length": 2},
    "name": {"address": 44, "type": "string", "length": 1},
    "speed": {"address": 50, "unit": "Mb/s"},
    "state": {"address": 52, "enum": {"up": 1, "down": 2}},
    "last_change": {"address": 54, "unit": "s"},
    "errors_in": {"address": 56, "counter": 16},
    "octets_in": {"address": 58, "counter": 16, "scale": 1000},
    "rx_power": {"address": 60, "unit": "dBm", "type": "i16", "range": [-60, 20]},
    "rx_power_low_warning": {"address": 62, "unit": "dBm", "type": "i16"},
    "rx_power_high_warning": {"address": 64, "unit": "dBm", "type": "i16"},
}
SHOWN = {
    40: [0x613A, 0x3100, 0x623A, 0x3200],
    44: [0x5859, 0x585A],
    50: [400, 400],
    52: [1, 1],
    54: [5, 5],
    56: [0, 0],
    58: [0, 0],
}
SHOWN |= {60: [2, 2], 62: [0, 0], 64: [4, 4]}
"""Both links right, up, without errors, with light."""


def put(address: int, value: int, step: str = "", second: float = 0) -> list[Any]:
    """The switch shows another word."""
    return [step, second, "load", f"holding/{address}", value]


def ports(step: str, *wire: list[Any], **keys: Any) -> dict[str, Any]:
    """A plan whose first step, `it`, looks at the two ports; `wire` is what they show later."""
    begin = [put(address + k, word) for address, words in SHOWN.items() for k, word in enumerate(words)]
    given = only(step, wire=[*begin, *wire], **keys)
    return {**given, "load/repeat": {"port": {"count": 2, "signals": COLUMNS}}}
