"""`harness sim`: the simulated devices of a station, for other processes and other people's tools."""

from __future__ import annotations

from typing import Any

import click

from harness.cli.inputs import find_station

DEVICE_PORTS = 1
"""The truth port is --port-base itself; devices follow."""


@click.command()
@click.argument("station", required=False)
@click.option("--fault", "faults", multiple=True, metavar="NAME[:ARG][@TIME]", help="Inject a fault; repeatable.")
@click.option("--port-base", type=click.IntRange(1024, 65000), help="First of consecutive ports; default: free ones.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="Seed of the noise.")
@click.option("--write-station", metavar="FILE", help="Write a station file with the addresses of these devices.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one JSON object.")
def sim(
    station: str | None,
    faults: tuple[str, ...],
    port_base: int | None,
    seed: int | None,
    write_station: str | None,
    as_json: bool,
) -> int:
    """Serve the simulated devices of STATION until stopped (default: the built-in simulated rack).

    The truth port takes lines over TCP: `truth`, `faults`, `inject NAME[:ARG]`.
    """
    from harness.clock import run
    from harness.project.station import load_station

    on = load_station(find_station(station, simulate=True))
    return run(lambda: _serve(on, faults, port_base, seed, write_station, as_json=as_json))


async def _serve(
    on: Any, faults: tuple[str, ...], port_base: int | None, seed: int | None, target: str | None, *, as_json: bool
) -> int:
    import asyncio
    import json
    import os
    import signal

    from harness.cli.stationfile import write_copy
    from harness.cli.ui.terminal import say
    from harness.simulator import start_simulation

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    names = list(on.station.devices)
    ports = {name: port_base + DEVICE_PORTS + k for k, name in enumerate(names)} if port_base else None
    lot = str(port_base or os.getpid())
    simulation = await start_simulation(on, seed=seed, faults=faults, ports=ports, lot=lot)
    try:
        truth = await simulation.serve_truth(port_base or 0)
        try:
            if target is not None:
                write_copy(on, simulation.addresses, target)
            if as_json:
                about = {"station": on.station.station, "addresses": dict(simulation.addresses), "truth": truth.port}
                say(json.dumps(about))
            else:
                say(simulation.describe())
                say(f"truth  echo truth | nc -q1 127.0.0.1 {truth.port}     echo 'inject pump_stop:1' | nc ...")
                if target is not None:
                    say(f"run    harness run PLAN --station {target} --serial SIM-1")
                say("Ctrl-C stops the devices")
            await stopped.wait()
        finally:
            await truth.close()
    finally:
        await simulation.close()
    return 0
