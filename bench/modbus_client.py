"""Client CPU per 40-register Modbus read over loopback, ours beside pymodbus' AsyncModbusTcpClient.

`python bench/modbus_client.py [READS]` starts a small server in a process of its own and prints microseconds of CPU
(user + system, best of five rounds) per read, and the ratio. Trust the ratio, not the figures: machines differ.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import sys
import time
from collections.abc import Awaitable, Callable

from pymodbus.client import AsyncModbusTcpClient

from harness.transport.modbus import ModbusClient
from harness.transport.network import SocketNetwork

COUNT = 40
ROUNDS = 5


def _serve(listener: socket.socket) -> None:
    """Answer every 12-byte read request of one connection after the other with counting registers."""
    data = bytes(range(2 * COUNT))
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            while request := connection.recv(260):
                head = request[:4] + (3 + len(data)).to_bytes(2, "big") + request[6:8]
                connection.sendall(head + bytes([len(data)]) + data)


async def _cpu_us(read: Callable[[], Awaitable[object]], reads: int) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(reads):
            await read()
        best = min(best, (time.process_time() - started) / reads * 1e6)
    return best


async def _measure(port: int, reads: int) -> tuple[float, float]:
    ours = ModbusClient(SocketNetwork(), "127.0.0.1", port)
    mine = await _cpu_us(lambda: ours.read(1, 3, 0, COUNT), reads)
    await ours.close()
    theirs = AsyncModbusTcpClient("127.0.0.1", port=port)
    await theirs.connect()
    other = await _cpu_us(lambda: theirs.read_holding_registers(0, count=COUNT), reads)
    theirs.close()
    return mine, other


def compare(reads: int) -> tuple[float, float]:
    """Microseconds of CPU per read: ours, and pymodbus'."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,), daemon=True)
        server.start()
        try:
            return asyncio.run(_measure(listener.getsockname()[1], reads))
        finally:
            server.terminate()
            server.join()


def main() -> None:
    """Measure and print."""
    mine, other = compare(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
    sys.stdout.write(f"harness  {mine:6.1f} us CPU per {COUNT}-register read\n")
    sys.stdout.write(f"pymodbus {other:6.1f} us CPU per {COUNT}-register read\n")
    sys.stdout.write(f"ratio    {mine / other:6.2f}\n")


if __name__ == "__main__":
    main()
