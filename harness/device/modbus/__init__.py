"""Modbus TCP and RTU."""

from harness.device.protocol import Protocol

PROTOCOL = Protocol(
    name="modbus",
    schemes=("modbus+tcp", "modbus+rtutcp", "modbus+rtu"),
    example=(
        "modbus+tcp://HOST:PORT/UNIT, modbus+rtutcp://HOST:PORT/UNIT, modbus+rtu:///dev/ttyX?baud=19200&parity=E/UNIT"
    ),
    address="harness.device.modbus.address:parse",
    profile="harness.schema.profiles.modbus:ModbusProfile",
    link="harness.device.modbus.make:make_link",
    connection="harness.device.modbus.make:connection",
    channel="harness.device.modbus.channel:connect",
    template="harness.device.modbus.template:TEMPLATE",
    problems="harness.device.modbus.place:problems",
    line="harness.device.modbus.serial_line:line_settings",
)
