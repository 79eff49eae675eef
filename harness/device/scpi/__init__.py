"""Instruments that speak SCPI, over VISA."""

from harness.device.protocol import Protocol
from harness.transport.visa.resource import PREFIXES

PROTOCOL = Protocol(
    name="scpi",
    schemes=PREFIXES,
    example="a VISA resource like TCPIP::HOST::5025::SOCKET",
    address="harness.device.scpi.address:parse",
    profile="harness.schema.profiles.scpi:ScpiProfile",
    link="harness.device.scpi.make:make_link",
    connection="harness.device.scpi.make:connection",
    channel="harness.device.scpi.channel:connect",
    template="harness.device.scpi.template:TEMPLATE",
    problems="harness.device.scpi.problems:problems",
    asks_one_by_one=True,
)
