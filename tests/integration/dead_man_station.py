"""A small station whose devices have dead-men of a few seconds: a PDU (delayed off), a relay module (a timer each), a
coolant unit (a watchdog over remote control)."""

from __future__ import annotations

from pathlib import Path

WITHIN_S = 6
SHORT_S = 4
"""The shortest that all of them take: for tests in real time."""
PDU = """
schema: 1
profile: pdu/quick
extends: pdu/apc_rpdu2
title: A PDU whose outlets have a power off delay of WITHIN s
unverified: for a test
dead_man: {shortest: 4 s}
repeat:
  outlet:
    controls:
      lease: {sim_words: {off_later: WITHIN, cancel: 0}}
"""
RELAY = """
schema: 1
profile: relay/quick
extends: relay/ryn4
title: A relay module with a timer of WITHIN s
unverified: for a test
dead_man: {shortest: WITHIN s, longest: WITHIN s}
repeat:
  relay:
    controls:
      hold: {sim_words: {for_60_s: WITHIN}}
"""
STATION = """
schema: 1
station: bay-8
simulation: {rack: 30kW, seed: 5}
devices:
  DEVICE
  cdu:
    profile: cdu/generic_cdu
    address: "modbus+tcp://127.0.0.1:15020/12"
    counts: {pump: 2}
    poll: 0.5 s
    dead_man: WITHIN s
interlocks:
  - {name: leak, signal: cdu.leak, equals: dry, on_trip: leak}
  - {name: no flow, signal: cdu.flow, min: 5 L/min, for: 30 s}
  - {name: too hot, signal: cdu.supply_temperature, max: 55 degC, for: 2 s}
unguarded: {emergency_stop: acts on the breaker, door: simulated}
safe_state:
  default:
    - {set: SWITCH, to: "off", confirm_within: 3 s}
    - {keep: cdu.pump, until: {signal: cdu.return_temperature, max: 60 degC}, at_most: 10 s}
  leak:
    kind: leak
    actions:
      - {set: SWITCH, to: "off", confirm_within: 3 s}
      - {set: cdu.pump, to: "off", confirm_within: 5 s}
"""
_PDU = 'profile: quick_pdu.yaml, address: "snmp://127.0.0.1:16100", counts: {outlet: 4}'
_RELAY = 'profile: quick_relay.yaml, address: "modbus+tcp://127.0.0.1:15030/1", counts: {relay: 4}'
DEVICES = {
    "pdu": (f"pdu: {{{_PDU}, poll: 0.5 s, dead_man: WITHIN s}}", "pdu.outlet"),
    "relay": (f"relay: {{{_RELAY}, poll: 0.5 s, dead_man: WITHIN s}}", "relay.relay"),
}
OUTLETS = 4


def write_station(folder: Path, kind: str, *, within: int = WITHIN_S, **replaced: str) -> Path:
    """The station with a switch of this kind, its dead-men of so many seconds; `replaced`: texts of it to replace."""
    device, switch = DEVICES[kind]
    (folder / "quick_pdu.yaml").write_text(PDU.replace("WITHIN", str(within)))
    (folder / "quick_relay.yaml").write_text(RELAY.replace("WITHIN", str(within)))
    text = STATION.replace("DEVICE", device).replace("SWITCH", switch).replace("WITHIN", str(within))
    for old, new in replaced.items():
        text = text.replace(old, new)
    path = folder / "station.yaml"
    path.write_text(text)
    return path


def write_plan(folder: Path, kind: str, hold: str) -> Path:
    """Switch all on and wait for something that does not come."""
    path = folder / "plan.yaml"
    path.write_text(
        "schema: 1\nplan: hold\ncoverage: 90 %\nsteps:\n"
        f"  - {{step: power_on, outlets: {DEVICES[kind][1]}, stagger: 50 ms}}\n"
        f"  - {{step: hold, for: {hold}, watch: [{{signal: cdu.flow, min: 5 L/min}}]}}\n"
    )
    return path
