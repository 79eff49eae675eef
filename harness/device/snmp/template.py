"""The commented beginning of a profile, right as it is; see `harness profile new`."""

from __future__ import annotations

from harness.device.protocol import Template

_BODY = """\
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
TEMPLATE = Template(
    body=_BODY,
    address="snmp://HOST:161 --credentials FILE",
    sentinel="[-1]",
    proof="    - {signal: GROUP.state, present: true}    # what only this family has\n",
)
