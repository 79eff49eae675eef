"""How a serial line of Modbus is set: as the address says, else as the profile does. The same for run and guardian."""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

from harness.device.address import Address
from harness.schema.profiles.modbus import ModbusProfile
from harness.transport.serial import Parity, SerialNetwork


class LineSettings(NamedTuple):
    """What every device of one line shares."""

    baud: int
    parity: Parity
    stop: Literal[1, 2]

    def network(self) -> SerialNetwork:
        """What opens the line."""
        return SerialNetwork(baud=self.baud, parity=self.parity, stop=self.stop)

    def __str__(self) -> str:
        return f"{self.baud} baud, parity {self.parity}, {self.stop} stop bit(s)"


def line_settings(profile: ModbusProfile, where: Address) -> LineSettings | None:
    """The settings of the line behind an address; None for one that is no serial line."""
    if where.wire != "line":
        return None
    given, options = where.options, profile.modbus
    parity = given.get("parity", options.parity).upper()
    stop = int(given.get("stop", options.stop))
    return LineSettings(int(given.get("baud", options.baud)), cast("Parity", parity), cast("Literal[1, 2]", stop))
