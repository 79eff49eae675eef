"""What the simulated SNMP agent costs: microseconds of CPU a request, and memory of many agents.

Run: `python bench/snmp_server.py` (about ten seconds). Requests go straight into `SnmpResponder.handle`, so the
figures are those of the agent alone, without sockets and event loop.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sim.servers.snmp import SnmpResponder, TableView, UsmUser, ber, pdu
from sim.servers.snmp.pdu import Reply
from sim.servers.snmp.v3 import Engine, Header

ROWS = 2000
COLUMN = (1, 3, 6, 1, 4, 1, 32473, 1, 2)


def view(*, is_live: bool) -> TableView:
    """A table of gauges, constant or computed at each request."""
    values = list(range(ROWS))
    if is_live:
        return TableView(((*COLUMN, row), 0x42, lambda row=row: values[row] * 3 + 70_000) for row in range(ROWS))
    return TableView(((*COLUMN, row), 0x42, row * 3 + 70_000) for row in range(ROWS))


def request(kind: int, count: int, second: int = 0) -> bytes:
    """A request PDU for the first `count` rows."""
    wires = [ber.encode_oid((*COLUMN, row)) for row in range(count)]
    bindings = b"".join(pdu.binding(wire, b"\x05\x00") for wire in wires)
    numbers = b"\x02\x04\x12\x34\x56\x78\x02\x01\x00" + ber.tlv(2, ber.encode_int(second))
    return ber.tlv(kind, numbers + ber.tlv(0x30, bindings))


def v2c(body: bytes) -> bytes:
    """A v2c message."""
    return ber.tlv(0x30, b"\x02\x01\x01\x04\x06public" + body)


class _Body(Reply):
    """Seals a request with the agent's own engine: the bench needs no second USM."""

    def __init__(self, body: bytes) -> None:
        super().__init__(b"")
        self.body = body

    def encode(self) -> bytes:
        return self.body


def v3(engine: Engine, name: str, body: bytes) -> bytes:
    """An authPriv message."""
    header = Header.__new__(Header)
    header.message_id, header.user_name = b"\x02\x01\x07", name.encode()
    context = ber.tlv(4, engine.engine_id) + b"\x04\x00"
    return engine.seal(header, engine.local[name.encode()], 3, context, _Body(body))


def measure(label: str, agent: SnmpResponder, message: bytes, seconds: float = 0.7) -> None:
    """Print the best of five figures for one message."""
    answer = agent.handle(message)
    if answer is None:
        raise RuntimeError(f"{label}: no answer, counters {dict(agent.counters)}")
    best = float("inf")
    for _ in range(5):
        count, start = 0, time.process_time()
        while (spent := time.process_time() - start) < seconds / 5:
            for _ in range(50):
                agent.handle(message)
            count += 50
        best = min(best, spent / count)
    print(f"{label:34} {best * 1e6:8.1f} us   {len(answer):6} octets")


def get_us(count: int = 20, requests: int = 5000) -> float:
    """Microseconds of CPU of a v2c GET of live objects."""

    async def measured() -> float:
        agent, message = SnmpResponder(view(is_live=True)), v2c(request(pdu.GET, count))
        start = time.process_time()
        for _ in range(requests):
            agent.handle(message)
        return (time.process_time() - start) / requests * 1e6

    return asyncio.run(measured())


async def main() -> None:
    """Measure."""
    for name, is_live in (("constant", False), ("live", True)):
        agent = SnmpResponder(view(is_live=is_live))
        measure(f"v2c GET 1, {name}", agent, v2c(request(pdu.GET, 1)))
        measure(f"v2c GET 20, {name}", agent, v2c(request(pdu.GET, 20)))
        measure(f"v2c GETBULK 1 x 50, {name}", agent, v2c(request(pdu.GET_BULK, 1, 50)))
    users = [UsmUser("sha", "SHA1", "authentic-1", "AES128", "private-1"), UsmUser("sha256", "SHA256", "authentic-2")]
    users[1] = UsmUser("sha256", "SHA256", "authentic-2", "AES256", "private-2")
    agent = SnmpResponder(view(is_live=False), users=users, clock=lambda: 100.0)
    for user in users:
        message = v3(agent.engine, user.name, request(pdu.GET, 20))
        measure(f"v3 {user.auth}/{user.priv} GET 20", agent, message)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    base = view(is_live=False)
    agents = []
    for number in range(2000):
        table = base.fork()
        for row in range(20):
            table.put((*COLUMN, row), 0x42, number * 20 + row)
        agents.append(SnmpResponder(table))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{len(agents)} agents, {ROWS} shared and 20 own objects each: {grown / 1024:.0f} MB, "
          f"{time.process_time() - start:.2f} s CPU")  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main())
