"""A power strip with lines of text over TCP: `GET power` -> `power=1.25`, `SET outlet.1 OPEN` -> `OK outlet.1`."""

from pathlib import Path

from harness.device.protocol import Protocol

PROTOCOL = Protocol(
    name="toy",
    schemes=("toy+tcp",),
    example="toy+tcp://HOST:PORT",
    address="toy_strip.link:parse",
    profile="toy_strip.profile:ToyProfile",
    link="toy_strip.link:make_link",
    connection="toy_strip.link:connection",
    channel="toy_strip.channel:connect",
    template="toy_strip.profile:TEMPLATE",
    twin="toy_strip.twin:serve",
)


def profiles() -> Path:
    """The folder of the profiles."""
    return Path(__file__).parent / "profiles"
