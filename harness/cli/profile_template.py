"""The commented beginning of a device profile, one for each protocol; right as it is, so that it can be checked."""

from __future__ import annotations

import re

from harness.errors import ConfigError
from harness.schema.canonical import CONTROLS, SIGNALS
from harness.schema.profile_base import CLASSES

_NAME = re.compile(r"([a-z]+)/([a-z0-9][a-z0-9_]*)")

_HEAD = """\
# {about}
# Change what is in <...> and what a comment asks for; delete what the device does not have. Then:
#   harness profile check {file}
#   harness profile try {file} {address}        reads the device once, writes nothing
# Every key: docs/reference/profile.md, or `harness schema profile` for your editor.
{canonical}schema: 1
profile: {name}
title: <Vendor Model, what it is>
class: {class_}
protocol: {protocol}
source: <the document this was written from, with version and date>
unverified: written from the document; not yet tried on a unit  # once tried: verified_on instead, see the reference
timeout: 1 s

identity:                         # proved before anything is ever written to the device
  match:
    - {{signal: model, starts_with: <Model>}}    # or equals, one_of, contains, under, without, range
MINE
  model: model
  serial: serial
"""

_SNMP = """\
heartbeat: uptime                 # a decrease means that the device has restarted

signals:
  uptime: {oid: 1.3.6.1.2.1.1.3.0, unit: s, scale: 0.01, counter: 32, sim: twin.uptime}
  model:                          # 1.3.6.1.4.1.32473 is for examples: put the vendor's OIDs
    {oid: 1.3.6.1.4.1.32473.1.1.0, type: text, poll: once, sim: {text: <Model> 1}}
  serial: {oid: 1.3.6.1.4.1.32473.1.2.0, type: text, poll: once, sim: twin.serial}
MEASURED
    oid: 1.3.6.1.4.1.32473.1.3.0
SCALED

repeat:
GROUP
    count: 8                      # at most; fewer are found by `walk`
    walk: 1.3.6.1.4.1.32473.2.1.2         # a column that every row has; {i} is then the row's index
    signals:
      state:
        oid: "1.3.6.1.4.1.32473.2.1.2.{i}"
        enum: {"off": 0, "on": 1}         # what the device says (quote on and off)
STATE
      current:
        oid: "1.3.6.1.4.1.32473.2.1.3.{i}"
        unit: A
        scale: 0.1                # the MIB says tenths
        range: [0, 63]
        sim: 0
    control:
      oid: "1.3.6.1.4.1.32473.2.1.4.{i}"
      type: integer               # ASN.1 type that the agent insists on: integer, gauge, unsigned, text
      commands: {"on": 1, "off": 2}       # what is written; often other numbers than those of the state
      confirm: {signal: state, within: 5 s}       # an acknowledgement is not a proof
      danger: true
      energises: true             # never switched on once an interlock has tripped
      shown_by: current           # a breaker that trips behind it leaves the state as it is
SWITCHED
"""

_MODBUS = """\
modbus: {unit: 1, address_base: 0, max_span: 100, max_gap: 0}     # address_base 1 or 40001: as the document counts

signals:
  model: {address: 0, type: string, length: 8, poll: once, sim: {text: <Model> 1}}
  serial: {address: 8, type: string, length: 8, poll: once, sim: twin.serial}
MEASURED
    address: 100
    table: holding                # or input, coil, discrete
    type: u16                     # i16, u32, f32 ...; two registers and more: order ABCD, CDAB, BADC or DCBA
SCALED
  running:
    address: 101
    enum: {"off": 0, "on": 1}     # quote on and off
    sim: 0
  alarms:
    address: 102
    flags: {over_temperature: 0, fan: 1}  # name: bit, from the least significant
    sim: 0

controls:
  run:
    address: 200
    commands: {"on": 1, "off": 0}
    confirm: {signal: running, within: 5 s}       # an acknowledgement is not a proof
    danger: true                  # it energises something, or stops cooling
"""

_SCPI = """\
scpi: {at_open: ["*CLS"], error_query: "SYST:ERR?"}       # '' when there is no error queue

signals:
  model: {query: "*IDN?", parse: field, index: 1, poll: once, sim: {text: <Model> 1}}
  serial: {query: "*IDN?", parse: field, index: 2, poll: once, sim: twin.serial}
MEASURED
    query: "MEAS?"
SCALED
  setpoint:
    query: "LEV?"
    unit: A
    range: [0, 100]
    sim: 0
  output:
    query: "OUTP?"
    parse: word
    answers: {"on": "1", "off": "0"}      # what the instrument answers for each word
    enum: {"on": 1, "off": 0}
    sim: 0

controls:
  setpoint:
    set: "LEV {value}"
    unit: A
    range: [0, 100]
    confirm: {signal: setpoint, within: 3 s, tolerance: 0.05 A}   # an acknowledgement is not a proof
  output:
    texts: {"on": "OUTP ON", "off": "OUTP OFF"}
    confirm: {signal: output, within: 3 s}
    danger: true
"""

_REDFISH = """\
redfish:                          # read only: there are no controls
  find:                           # a member of a collection; {unit} in paths is then its path
    unit: {collection: /redfish/v1/Chassis}

signals:
  model: {path: "{unit}", pointer: /Model, type: text, poll: once, sim: {text: <Model> 1}}
  serial: {path: "{unit}", pointer: /SerialNumber, type: text, poll: once, sim: twin.serial}
MEASURED
    path: "{unit}/EnvironmentMetrics"
    pointer: /Example/Reading     # where the value stands in the resource
SCALED
  health:
    path: "{unit}"
    pointer: /Status/Health
    answers: {ok: OK, warning: Warning, critical: Critical}     # what the service answers for each word

repeat:
GROUP
    count: 8                      # at most; fewer are found by `walk`
    walk: "{unit}/Sensors"        # a collection; each member is a row
    sim_rows: 8
    signals:
      state:
        pointer: /Status/State
        answers: {"on": Enabled, "off": [Disabled, StandbyOffline]}
STATE
"""

_BODIES = {"snmp": _SNMP, "modbus": _MODBUS, "scpi": _SCPI, "redfish": _REDFISH}
_ADDRESSES = {
    "snmp": "snmp://HOST:161 --credentials FILE",
    "modbus": "modbus+tcp://HOST:502/1",
    "scpi": "TCPIP::HOST::5025::SOCKET",
    "redfish": "redfishs://HOST --credentials FILE",
}
_POWER = ("  power:", "pdu.power", "kW", "0.001", "the document says W", "[0, 2000]")
_TEMPERATURE = ("  temperature:", "ambient.temperature", "degC", "0.1", "the document says tenths", "[-40, 200]")


def skeleton(name: str, protocol: str) -> str:
    """The text of a new profile NAME (`CLASS/VENDOR_MODEL`); ConfigError when the name is none."""
    parts = _NAME.fullmatch(name)
    if parts is None:
        raise ConfigError(f"{name!r} is no profile name", hint="write CLASS/VENDOR_MODEL, e.g. pdu/acme_eight")
    class_, model = parts[1], parts[2]
    if class_ not in CLASSES:
        raise ConfigError(f"no device class {class_!r}", hint=f"one of {', '.join(CLASSES)}")
    head = _HEAD.format(
        about=f"{model}: a beginning; it passes the check, but describes no device yet.",
        file=f"{model}.yaml",
        address=_ADDRESSES[protocol],
        canonical=_canonical(class_, protocol),
        name=name,
        class_=class_,
        protocol=protocol,
    )
    is_electrical = class_ in ("pdu", "shelf", "load", "meter", "switch")
    signal, variable, unit, scale, why, band = _POWER if is_electrical else _TEMPERATURE
    scaled = [
        f"    unit: {unit}",
        f"    scale: {scale:<26}# value = offset + scale * raw; {why}",
        f"    range: {band:<26}# what is physically possible; outside is BAD, not a failed limit",
        f"    sentinels: {'[-1]' if protocol == 'snmp' else '[65535]':<22}# raw values that mean: not available",
        f"    sim: {variable:<28}# variable of the simulated rack behind it",
    ]
    if protocol == "redfish":
        del scaled[3]  # a service says null
    is_pdu = class_ == "pdu"
    body = (
        _BODIES[protocol]
        .replace("MEASURED", signal)
        .replace("SCALED", "\n".join(scaled))
        .replace("GROUP", "  outlet:" if is_pdu else "  port:")
        .replace("STATE", f"        sim: {_STATE if is_pdu else '0'}")
        .replace("SWITCHED\n", _SWITCHED if is_pdu else "")
    )
    own = f"    - {{signal: {'outlet' if is_pdu else 'port'}.state, present: true}}    # what only this family has\n"
    head = head.replace("MINE\n", own if protocol == "snmp" else "")
    return (head + body).replace("<Model> 1", "Model 1").replace("<Model>", "Model")


_STATE = '{of: "outlet[{i}].state", words: {"off": 0, "on": 1}}'
_SWITCHED = '      sim: "outlet[{i}]"\n      sim_words: {"on": 1, "off": 0}\n'


def _canonical(class_: str, protocol: str) -> str:
    lines = [
        f"# Names that plans for the class use, {what}: {', '.join(names[class_])}\n"
        for what, names in (("signals", SIGNALS), ("controls", CONTROLS))
        if class_ in names and (what == "signals" or protocol != "redfish")
    ]
    return "".join(lines)
