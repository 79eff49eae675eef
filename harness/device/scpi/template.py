"""The commented beginning of a profile, right as it is; see `harness profile new`."""

from __future__ import annotations

from harness.device.protocol import Template

_BODY = """\
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
TEMPLATE = Template(
    body=_BODY,
    address="TCPIP::HOST::5025::SOCKET",
)
