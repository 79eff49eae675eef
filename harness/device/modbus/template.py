"""The commented beginning of a profile, right as it is; see `harness profile new`."""

from __future__ import annotations

from harness.device.protocol import Template

_BODY = """\
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
TEMPLATE = Template(
    body=_BODY,
    address="modbus+tcp://HOST:502/1",
)
