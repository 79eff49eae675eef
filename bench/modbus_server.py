"""CPU of the simulated Modbus server per request of 20 registers.

    python bench/modbus_server.py [REQUESTS]

Prints microseconds of the server process' CPU (user, and user + system) over a loopback socket with a closed-loop
client in another process, and of the codec alone. Takes a few seconds.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
import time
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness.clock import run
from tests.tools.array_bank import ArrayBank
from sim.servers.host import SocketHost
from sim.servers.modbus import ModbusServer

REQUEST = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 100, 20)
REPLY_SIZE = 9 + 40


def client(port: int, requests: int) -> None:
    """Ask, wait for the whole answer, ask again."""
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(requests):
            stream.sendall(REQUEST)
            left = REPLY_SIZE
            while left:
                left -= len(stream.recv(left))


class _Nowhere(asyncio.Transport):
    """Takes the answers of the codec measurement."""

    def write(self, data: object) -> None:
        """Drop."""


async def over_socket(requests: int) -> None:
    """Measure with a real socket."""
    listener = await SocketHost().serve_stream(ModbusServer(ArrayBank()).tcp)
    process = get_context("fork").Process(target=client, args=(listener.port, requests))
    process.start()
    while listener.connections == 0:  # noqa: ASYNC110 (the server has no event to wait for)
        await asyncio.sleep(0.001)
    before, began = os.times(), time.perf_counter()
    while listener.connections:  # noqa: ASYNC110 (as above)
        await asyncio.sleep(0.05)
    after, wall = os.times(), time.perf_counter() - began
    process.join()
    await listener.close()
    user, system = after.user - before.user, after.system - before.system
    print(
        f"socket: {user / requests * 1e6:.1f} us user, {(user + system) / requests * 1e6:.1f} us user + system "
        f"per request, {requests / wall:.0f} requests/s"
    )


def codec_us(requests: int = 20_000) -> float:
    """Microseconds of CPU a request without event loop and kernel."""
    protocol = ModbusServer(ArrayBank()).tcp()
    protocol.connection_made(_Nowhere())
    began = time.process_time()
    for _ in range(requests):
        protocol.data_received(REQUEST)
    return (time.process_time() - began) / requests * 1e6


def main() -> None:
    """Run both."""
    requests = min(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000, 500_000)
    print(f"codec:  {codec_us(requests):.1f} us per request")
    run(lambda: over_socket(requests))


if __name__ == "__main__":
    main()
