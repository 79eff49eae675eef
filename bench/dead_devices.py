"""What silent devices cost the others: 30 devices over loopback sockets at 1 Hz, half of them accept and never answer.

`python bench/dead_devices.py [SECONDS]` prints the share of their samples that the healthy ones deliver, the jitter of
their samples and the CPU a second. Exit code 1 when the healthy ones deliver less than all. The simulated devices run
in the same process, so the CPU is that of both sides.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from drivers import profiles_root
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.poller import Poller
from harness.device.registry import load_profile
from harness.quantity import Frame, Quality
from harness.schema.station import DeviceEntry
from tests.tools.array_bank import ArrayBank
from sim.servers.host import SocketHost
from sim.servers.modbus import ModbusServer
from sim.servers.modbus_bank import INPUT

COUNT = 30
PROFILE = "environment/modbus_temperature_humidity"


async def measure(seconds: float) -> int:
    """Poll for `seconds` and print what came of it."""
    bank = ArrayBank((1,))
    bank.set_words(1, INPUT, 1, [215, 405])
    host, clock = SocketHost(), Clock()
    listeners = [await host.serve_stream(ModbusServer(bank).tcp) for _ in range(COUNT)]
    builder = DeviceBuilder(clock, Path())
    profile, _ = load_profile(profiles_root() / PROFILE / "profile.yaml")
    devices = []
    for k, listener in enumerate(listeners):
        entry = DeviceEntry(profile=PROFILE, address=f"modbus+tcp://127.0.0.1:{listener.port}/1")
        devices.append(builder.make(f"d{k}", entry, profile))
        await devices[-1].open()
    for listener in listeners[::2]:
        listener.behaviour = replace(listener.behaviour, silent=True)
    frames: dict[str, list[Frame]] = {device.name: [] for device in devices}
    poller = asyncio.create_task(Poller(devices, clock, lambda frame: frames[frame.device].append(frame)).run())
    started = time.process_time()
    await asyncio.sleep(seconds)
    cpu = (time.process_time() - started) / seconds
    poller.cancel()
    await asyncio.gather(poller, return_exceptions=True)
    healthy = [device.name for device in devices[1::2]]
    good = {name: [f for f in frames[name] if (f.qualities == Quality.GOOD).all()] for name in healthy}
    delivered = sum(len(each) for each in good.values()) / (len(healthy) * int(seconds))
    late = np.abs(np.concatenate([np.diff([f.mono for f in each]) - 1.0 for each in good.values()]))
    for device in devices:
        await device.close()
    for listener in listeners:
        await listener.close()
    print(
        f"{COUNT} devices, {COUNT // 2} mute, {seconds:g} s: healthy deliver {min(1.0, delivered):.1%}, "
        f"jitter p50 {1e3 * np.percentile(late, 50):.2f} ms, p99 {1e3 * np.percentile(late, 99):.2f} ms, "
        f"CPU {1e3 * cpu:.1f} ms/s"
    )
    return 0 if delivered >= 1.0 else 1


if __name__ == "__main__":
    sys.exit(run(lambda: measure(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)))
