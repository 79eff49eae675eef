"""Traps of the station's devices as events of a run."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

from harness.device.address import parse_address
from harness.device.credentials import snmp_credentials
from harness.engine.runner import Runner
from harness.errors import ConfigError
from harness.schema.station import Station

if TYPE_CHECKING:
    from harness.device.traps import Trap, TrapReceiver


async def serve_traps(runner: Runner) -> TrapReceiver | None:
    """Receive what the station file says, until closed; a run without traps goes on and says so.

    None when the station receives none, and with simulated devices, which send none.
    """
    on = runner.project.on
    wanted = on.station.traps
    if wanted is None or runner.options.is_simulated or runner.clock.is_virtual:
        return None
    from harness.device.traps import TrapReceiver, TrapUser  # pysnmp takes its time to import

    names = await _by_address(on.station)

    def told(trap: Trap) -> None:
        device = names.get(trap.source, trap.source)
        runner.log.tell("trap", f"{device}: {trap}", device=device, oid=trap.oid, values=dict(trap.values))

    host, _, port = wanted.listen.rpartition(":")
    try:
        users = [TrapUser(snmp_credentials(user.credentials, on.base), user.engine_id) for user in wanted.users]
        receiver = TrapReceiver(host, int(port), users, told)
        await receiver.open()
    except ConfigError as error:
        runner.log.tell("note", f"traps are not received: {error}")
        return None
    return receiver


async def _by_address(station: Station) -> dict[str, str]:
    """IP address: device. A host name that does not resolve is left out."""
    found: dict[str, str] = {}
    loop = asyncio.get_running_loop()
    for name, entry in station.devices.items():
        host = parse_address(entry.address).host
        if not host or host.startswith("/"):
            continue
        try:
            infos = await loop.getaddrinfo(host, None, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        except OSError:
            continue
        for info in infos:
            found.setdefault(str(info[4][0]), name)
    return found
