"""The whole path from the wire to the record: what it costs a sample, a simulated second, a step.

    python bench/pipeline.py [seconds a case]

(a) A virtual second of the 24 h burn-in: the simulated station as it ships, six devices at 1 Hz, its interlocks and
    derived signals, a soak with limits, the record. All of it is in this process, the devices and their physics too.
(b) 100 Modbus devices of 40 registers at 1 Hz, (c) 100 SNMP agents of 40 objects: servers of the simulator in a process
    of their own, over sockets; only the CPU of this process counts. The pipeline is what a run has a frame: client,
    decoding, qualities, one interlock a device, one derived signal with an interlock on it, the journal with its
    commit a second, and the lines for InfluxDB (made, not sent). Not in it: the engine's step, foreign control, the
    watch for silence, the screen.
    Beside it: the plainest poller that pymodbus and pysnmp allow, which decodes nothing and keeps nothing.
(d) A step that does nothing, with its record.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.device import Device
from harness.device.poller import Poller
from harness.safety.interlocks import Interlocks
from harness.engine.options import RunOptions
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.engine.run import execute
from harness.device.signal_store import SignalStore
from harness.quantity import Frame
from harness.schema.profiles.modbus import ModbusProfile
from harness.schema.profiles.snmp import SnmpProfile
from harness.schema.station import Derived, DeviceEntry, Interlock
from harness.telemetry.journal import Journal
from harness.telemetry.lines import LineWriter
from harness.telemetry.rows import SignalInfo
from tests.tools.array_bank import ArrayBank
from sim.servers.host import SocketHost
from sim.servers.modbus import ModbusServer
from sim.servers.snmp import SnmpResponder, TableView

DEVICES = 100
SIGNALS = 40
COLUMN = (1, 3, 6, 1, 4, 1, 32473, 1, 2)
STATION = Path(__file__).resolve().parent.parent / "testplans" / "stations" / "simulated.yaml"
BASE: dict[str, Any] = {
    "schema": 1,
    "title": "Bench",
    "class": "cdu",
    "source": "bench",
    "unverified": "bench",
    "timeout": "2 s",
}


def modbus_profile() -> ModbusProfile:
    """Forty registers, scaled, with a range and a sentinel each, as real ones are."""
    signals = {
        f"signal_{k}": {
            "address": 100 + k,
            "unit": "degC",
            "scale": 0.1,
            "range": [-20, 6000],
            "sentinels": [65535],
            "description": "A register.",
        }
        for k in range(SIGNALS)
    }
    return ModbusProfile.model_validate({**BASE, "profile": "cdu/bench", "protocol": "modbus", "signals": signals})


def snmp_profile() -> SnmpProfile:
    """Forty gauges, scaled, with a range and a sentinel each."""
    column = ".".join(map(str, COLUMN))
    signals = {
        f"signal_{k}": {
            "oid": f"{column}.{k}",
            "unit": "degC",
            "scale": 0.1,
            "range": [-20, 60000],
            "sentinels": [-1],
            "description": "An object.",
        }
        for k in range(SIGNALS)
    }
    return SnmpProfile.model_validate({**BASE, "profile": "pdu/bench", "protocol": "snmp", "signals": signals})


# --- the other process ------------------------------------------------------------------------------------------------


def serve(kind: str, pipe: Connection) -> None:
    """Serve a hundred devices whose values never rest, until the pipe closes."""

    async def main() -> None:
        host, ports = SocketHost(), []
        start = time.monotonic()
        for number in range(DEVICES):
            if kind == "modbus":
                bank = ArrayBank()
                rng = np.random.default_rng(number)
                bank.image(1, 3)[200 : 200 + 2 * SIGNALS].view(">u2")[:] = rng.integers(100, 9000, SIGNALS)
                listener = await host.serve_stream(ModbusServer(bank).tcp)
            else:
                view = TableView(
                    ((*COLUMN, row), 0x42, lambda row=row: 300 + row * 7 + int(9 * (time.monotonic() - start)))
                    for row in range(SIGNALS)
                )
                listener = await host.serve_datagram(lambda view=view: SnmpResponder(view))
            ports.append(listener.port)
        pipe.send(ports)
        while not pipe.poll():  # noqa: ASYNC110 (the other process only closes its end)
            await asyncio.sleep(0.2)

    run(main)


class Servers:
    """The servers' process; `ports` are where they listen."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __enter__(self) -> list[int]:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(self.kind, theirs), daemon=True)
        self._process.start()
        ports: list[int] = self._pipe.recv()
        return ports

    def __exit__(self, *_: object) -> None:
        self._pipe.send(None)
        self._process.join(5)
        self._process.kill()


# --- the pipeline -----------------------------------------------------------------------------------------------------


RISE = Derived.model_validate(
    {
        "function": "temperature_difference",
        "inputs": {"high": "d0.signal_0", "low": "d1.signal_1"},
        "unit": "K",
        "description": "Of two devices.",
    }
)


def _interlocks(store: SignalStore, clock: Clock, devices: Sequence[Device]) -> Interlocks:
    """One a device and one on the derived signal, none of which trips while samples come."""
    entries: list[dict[str, object]] = [
        {"name": device.name, "signal": f"{device.name}.signal_0", "max": "5990 degC", "for": "2 s"}
        for device in devices
    ]
    entries.append({"name": "rise", "signal": "bench.rise", "max": "5990 K", "for": "2 s"})
    specs = [Interlock.model_validate(entry) for entry in entries]
    return Interlocks(specs, store, clock, {device.name: device.max_age for device in devices}, lambda _trip: None)


async def _pipeline(kind: str, ports: list[int], folder: Path, seconds: float) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and good samples of polling every device once a second."""
    clock = Clock()
    profile = modbus_profile() if kind == "modbus" else snmp_profile()
    scheme = "modbus+tcp://127.0.0.1:{}/1" if kind == "modbus" else "snmp://127.0.0.1:{}"
    builder = DeviceBuilder(clock, folder)
    devices: list[Device] = []
    for number, port in enumerate(ports):
        address = scheme.format(port)
        entry = DeviceEntry.model_validate({"profile": profile.profile, "address": address})
        devices.append(builder.make(f"d{number}", entry, profile, address))
    for device in devices:
        await device.open()
    store = SignalStore(devices, {"bench.rise": RISE}, clock)
    journal = await Journal.create(folder / f"{kind}.db", clock, {})
    for name, signals in store.schemas.items():
        journal.declare(name, [SignalInfo(info.name, info.unit) for info in signals])
    interlocks = _interlocks(store, clock, devices)
    good = [0]

    def on_frame(frame: Frame) -> None:
        derived = store.take(frame)
        interlocks.after_frame(frame.device)
        journal.add_frame(frame)
        if derived is not None:
            interlocks.after_frame(derived.device)
            journal.add_frame(derived)
        good[0] += int(np.count_nonzero(frame.qualities == 0))

    writer, sent = LineWriter({"run": "bench", "serial": "RACK-0001", "station": "bench"}), [0, 0]

    async def lines() -> None:
        while True:
            await clock.sleep(1.0)
            entries, sent[0] = await journal.read_entries(sent[0], 1000)
            sent[1] += sum(len(writer.line(entry) or b"") for entry in entries)

    work = [asyncio.ensure_future(each) for each in (Poller(devices, clock, on_frame).run(), journal.run(), lines())]
    await clock.sleep(1.5)
    interlocks.arm()
    before, cpu, wall = good[0], time.process_time(), time.perf_counter()
    await clock.sleep(seconds)
    cpu, wall, samples = time.process_time() - cpu, time.perf_counter() - wall, good[0] - before
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    for device in devices:
        await device.close()
    await journal.close()
    if not samples or not sent[1]:
        raise RuntimeError("the pipeline moved nothing")
    if interlocks.trips:
        raise RuntimeError(f"an interlock tripped: {interlocks.trips[0].reason}")
    return cpu, wall, samples


async def _plain(polls: list[Callable[[], Awaitable[object]]], seconds: float) -> tuple[float, int]:
    """CPU seconds and polls when everything is asked once a second, spread over it, and thrown away."""
    loop = asyncio.get_running_loop()
    start, count = loop.time() + 0.2, [0]

    async def follow(number: int, poll: Callable[[], Awaitable[object]]) -> None:
        due = start + number / len(polls)
        while due < start + seconds:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await poll()
            count[0] += 1
            due += 1

    cpu = time.process_time()
    await asyncio.gather(*(follow(number, poll) for number, poll in enumerate(polls)))
    return time.process_time() - cpu, count[0]


async def _pymodbus(ports: list[int], seconds: float) -> tuple[float, int]:
    from pymodbus.client import AsyncModbusTcpClient

    clients = [AsyncModbusTcpClient("127.0.0.1", port=port) for port in ports]
    for client in clients:
        await client.connect()
    polls = [lambda client=client: client.read_holding_registers(100, count=SIGNALS) for client in clients]
    found = await _plain(polls, seconds)
    for client in clients:
        client.close()
    return found


async def _pysnmp(ports: list[int], seconds: float) -> tuple[float, int]:
    from pysnmp.hlapi.v3arch import asyncio as hlapi

    engine = hlapi.SnmpEngine()
    objects = [hlapi.ObjectType(hlapi.ObjectIdentity((*COLUMN, row))) for row in range(SIGNALS)]

    async def poll(target: Any) -> None:
        context = hlapi.ContextData()
        error, *_ = await hlapi.get_cmd(
            engine, hlapi.CommunityData("public"), target, context, *objects, lookupMib=False
        )
        if error:
            raise RuntimeError(f"pysnmp: {error}")

    targets = [await hlapi.UdpTransportTarget.create(("127.0.0.1", port), timeout=5) for port in ports[:20]]
    found = await _plain([lambda target=target: poll(target) for target in targets], seconds)
    engine.close_dispatcher()
    return found


def sockets(kind: str, seconds: float) -> tuple[float, float, float]:
    """CPU ms per 1000 samples, share of a core [%] at 100 devices, and CPU ms per 1000 of the plain poller."""
    with Servers(kind) as ports, tempfile.TemporaryDirectory() as folder:
        cpu, wall, samples = run(lambda: _pipeline(kind, ports, Path(folder), seconds))
        plain = _pymodbus if kind == "modbus" else _pysnmp
        other, polls = asyncio.run(plain(ports, min(seconds, 3.0)))
    return cpu / samples * 1e6, cpu / wall * 100, other / (polls * SIGNALS) * 1e6


# --- virtual time -----------------------------------------------------------------------------------------------------

PLAN = """
schema: 1
plan: bench
title: Bench
coverage: 95 %
steps:
  - {step: power_on, outlets: pdu.outlet, stagger: 1 s}
  - {step: wait_until, signal: cdu.flow, min: 80 L/min, within: 30 s}
  - step: soak
    for: SECONDS s
    load: 100 %
    watch:
      - {signal: cdu.supply_temperature, max: 45 degC, for: 10 s}
      - {signal: cdu.flow, min: 80 L/min, for: 10 s}
      - {signal: pdu.power, max: 200 kW, for: 10 s}
"""
TRIVIAL = """
schema: 1
plan: bench
title: Bench
coverage: 0.001 %
setup:
  - {step: check, conditions: [{signal: cdu.leak, equals: dry}]}
steps:
- {step: hold, for: 1 ms}
"""


def _execute(plan: str, repeat: int = 1) -> tuple[float, float, float]:
    """Wall, CPU and virtual seconds of a run on the simulated station; RuntimeError when it does not PASS."""
    on = load_station(STATION)
    on.station = on.station.model_copy(update={"coverage_floor": 0.001})  # a run of a second has hardly any frames
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plan.yaml")
        path.write_text(plan + plan.splitlines(keepends=True)[-1] * (repeat - 1))
        project = load_project(path, on)

        async def main() -> tuple[float, float, float]:
            profiles = {entry.profile: on.catalog.profiles[name] for name, entry in on.station.devices.items()}
            simulation = await sim.start(on.station, profiles, virtual=True)
            options = RunOptions(
                serial="BENCH",
                data_dir=Path(folder),
                is_simulated=True,
                network=simulation.network,
                addresses=simulation.addresses,
            )
            clock = Clock()
            wall, cpu = time.perf_counter(), time.process_time()
            outcome = await execute(project, options, clock)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            await simulation.close()
            if outcome.exit_code:
                raise RuntimeError(f"{outcome.verdict}: {outcome.reason}")
            return wall, cpu, clock.monotonic()

        return run(main, rate=float("inf"))


def virtual_second(soak: int = 900, rounds: int = 4) -> tuple[float, float]:
    """Wall and CPU milliseconds of a virtual second of burn-in: six devices at 1 Hz, twins, physics, record.

    The best of some rounds: on a shared machine the others only ever add.
    """
    short = [_execute(PLAN.replace("SECONDS", "60")) for _ in range(rounds)]
    long = [_execute(PLAN.replace("SECONDS", str(soak))) for _ in range(rounds)]
    seconds = long[0][2] - short[0][2]
    wall, cpu = (min(each[k] for each in long) - min(each[k] for each in short) for k in (0, 1))
    return wall / seconds * 1e3, cpu / seconds * 1e3


def step_cost(few: int = 1000, many: int = 3500) -> tuple[float, float]:
    """CPU milliseconds of a trivial step in a run of `few`, and in one of `many` (devices polled meanwhile)."""
    base = _execute(TRIVIAL)[1]
    return (_execute(TRIVIAL, few)[1] - base) / few * 1e3, (_execute(TRIVIAL, many)[1] - base) / many * 1e3


def main() -> None:
    """Print one line a figure."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    wall, cpu = virtual_second()
    print(f"virtual burn-in: {wall:.3f} ms wall, {cpu:.3f} ms CPU a virtual second; 24 h in {wall * 86.4:.0f} s")
    for kind, other in (("modbus", "pymodbus"), ("snmp", "pysnmp")):
        each, share, plain = sockets(kind, seconds)
        print(f"{kind}, {DEVICES} x {SIGNALS} at 1 Hz: {each:.2f} ms CPU per 1000 samples, {share:.1f} % of a core")
        print(f"   a plain {other} poller that keeps nothing: {plain:.2f} ms per 1000 ({plain / each:.1f}x)")
    few, many = step_cost()
    print(f"trivial step with its record: {few:.3f} ms CPU over 1000 steps, {many:.3f} ms over 10 000")


if __name__ == "__main__":
    main()
