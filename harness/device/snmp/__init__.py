"""SNMP v2c and v3."""

from harness.device.protocol import Protocol

PROTOCOL = Protocol(
    name="snmp",
    schemes=("snmp",),
    example="snmp://HOST:PORT",
    address="harness.device.snmp.address:parse",
    profile="harness.schema.profiles.snmp:SnmpProfile",
    link="harness.device.snmp.make:make_link",
    connection="harness.device.snmp.make:connection",
    channel="harness.device.snmp.channel:connect",
    template="harness.device.snmp.template:TEMPLATE",
    credentials="harness.device.snmp.credentials:secrets_of",
    problems="harness.device.snmp.problems:problems",
    fitting="harness.device.snmp.profile_hint:suggested_profiles",
)
