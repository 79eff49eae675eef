"""Traps of the station's devices as events of a run."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.device.address import parse_address
from harness.device.snmp.credentials import snmp_credentials
from harness.engine.state import RunState
from harness.errors import ConfigError
from harness.events import EventKind
from harness.schema.station import Station

if TYPE_CHECKING:
    from harness.device.snmp.traps import Trap, TrapReceiver


SHOWN_BURST, SHOWN_PER_S = 20, 1 / 60
"""Traps that are shown and listed in the record, at once and for long; the journal has all that were taken."""


class Teller:
    """Makes events of traps: all into the journal, some of them onto the screen and into the record's list."""

    def __init__(self, state: RunState, names: Mapping[str, str]) -> None:
        self._state = state
        self._names = names
        self._allowance = float(SHOWN_BURST)
        self._since = state.clock.monotonic()
        self._unshown = 0

    def tell(self, trap: Trap) -> None:
        """One trap that was taken."""
        device = self._names.get(trap.source, trap.source)
        data = {"device": device, "oid": trap.oid, "values": dict(trap.values), "left_out": trap.left_out}
        now = self._state.clock.monotonic()
        self._allowance = min(SHOWN_BURST, self._allowance + (now - self._since) * SHOWN_PER_S)
        self._since = now
        if self._allowance < 1.0:
            self._unshown += 1
            self._state.journal.add_event(EventKind.TRAP, text=f"{device}: {trap}", **data)
            return
        self._allowance -= 1.0
        more = f" ({self._unshown} more since the last that was shown are in the journal)" if self._unshown else ""
        self._unshown = 0
        self._state.log.event(EventKind.TRAP, f"{device}: {trap}{more}", **data)


async def serve_traps(state: RunState) -> TrapReceiver | None:
    """Receive what the station file says, until closed; a run without traps goes on and says so.

    None when the station receives none, and with simulated devices, which send none.
    """
    on = state.project.on
    wanted = on.station.traps
    if wanted is None or state.options.is_simulated or state.clock.is_virtual:
        return None
    from harness.device.snmp.traps import TrapReceiver, TrapUser  # pysnmp takes its time to import

    names = await _by_address(on.station)
    tell = Teller(state, names).tell

    host, _, port = wanted.listen.rpartition(":")
    try:
        users = [TrapUser(snmp_credentials(user.credentials, on.base), user.engine_id) for user in wanted.users]
        receiver = TrapReceiver(host, int(port), users, tell, names)
        await receiver.open()
    except ConfigError as error:
        state.log.event(EventKind.NOTE, f"traps are not received: {error}")
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
