"""Redfish services, which are read and never written."""

from harness.device.protocol import Protocol

PROTOCOL = Protocol(
    name="redfish",
    schemes=("redfish", "redfishs"),
    example="redfishs://HOST:PORT",
    address="harness.device.redfish.address:parse",
    profile="harness.schema.profiles.redfish:RedfishProfile",
    link="harness.device.redfish.make:make_link",
    connection="harness.device.redfish.make:connection",
    channel="harness.device.redfish.channel:connect",
    template="harness.device.redfish.template:TEMPLATE",
    credentials="harness.device.redfish.credentials:secrets_of",
    trust="harness.device.redfish.address:trust",
    is_shared=True,
)
