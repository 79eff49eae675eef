"""Keys of a serial line: how the port is set while a device of the profile has it open."""

from __future__ import annotations

import termios
from pathlib import Path
from typing import Any

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import load_profile
from harness.schema.profiles.modbus import ModbusOptions
from harness.schema.station import DeviceEntry
from sim.servers.modbus import ModbusServer
from tests.keys.rows import Case, Files, Row, Table, every_row, written
from tests.tools.array_bank import ArrayBank
from tests.tools.modbus_rtu import RtuProtocol
from tests.tools.serial_port import serve_terminal

PROFILE = """
schema: 1
profile: own/box
title: Box
class: meter
protocol: modbus
source: made up
unverified: made up
signals:
  x: {address: 10}
"""


def line_bench(folder: Path, files: Files) -> list[Any]:
    """The terminal settings of the line while the device is open (a pseudo terminal keeps all but the parity's use)."""
    (path,) = written(folder, files, "profile")

    async def main() -> list[Any]:
        line = await serve_terminal(lambda: RtuProtocol(ModbusServer(ArrayBank(units=(1,))), 115200))
        entry = DeviceEntry.model_validate({"profile": "it", "address": f"modbus+rtu://{line.host}/1"})
        device = DeviceBuilder(Clock(), folder).make("it", entry, load_profile(path)[0])
        try:
            await device.open()
            with open(line.host) as port:
                return termios.tcgetattr(port)
        finally:
            await device.close()
            await line.close()

    return run(main)


def flag(bit: int) -> Any:
    """Whether a control flag of the line is set."""
    return lambda settings: bool(settings[2] & bit)


TABLES = [
    Table(
        ModbusOptions,
        "profile/modbus",
        {"profile": PROFILE + "modbus: {baud: 115200}\n"},
        line_bench,
        [
            Row("baud", 9600, lambda settings: settings[4], termios.B115200, termios.B9600),
            Row("parity", "O", flag(termios.PARODD), False, True),
            Row("stop", 2, flag(termios.CSTOPB), False, True),
        ],
    )
]


@every_row(TABLES)
def test_the_key_sets_the_line(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
