"""A device that answers and measures nothing is none of its profile: a cross and exit 3, whatever it says it is."""

from __future__ import annotations

import asyncio
import json
import sys

import pytest

from harness.clock import run
from sim.servers.host import SocketHost
from sim.servers.snmp.mib import TableView
from sim.servers.snmp.responder import SnmpResponder

PROFILE = """\
schema: 1
profile: trial.yaml
title: Trial
class: cooling
protocol: snmp
source: made up
unverified: made up
identity: {match: [{signal: description, contains: Acme}], model: description}
heartbeat: uptime
signals:
  uptime: {oid: 1.3.6.1.2.1.1.3.0, unit: s, scale: 0.01, counter: 32, description: Time since the start.}
  description: {oid: 1.3.6.1.2.1.1.1.0, type: text, poll: once, description: What it says.}
  rated: {oid: 1.3.6.1.4.1.9.1.0, unit: kW, poll: once, description: What the plate says.}
  flow: {oid: 1.3.6.1.4.1.9.2.0, unit: L/min, sentinels: [-1], description: Flow.}
repeat:
  fan:
    count: 4
    walk: 1.3.6.1.4.1.9.3
    signals: {speed: {oid: "1.3.6.1.4.1.9.3.{i}", unit: RPM, description: Speed.}}
"""
SYSTEM = [
    ((1, 3, 6, 1, 2, 1, 1, 1, 0), 4, b"Acme cooler"),
    ((1, 3, 6, 1, 2, 1, 1, 3, 0), 67, 4711),
    ((1, 3, 6, 1, 4, 1, 9, 1, 0), 2, 40),
]
FLOW, FAN = (1, 3, 6, 1, 4, 1, 9, 2, 0), (1, 3, 6, 1, 4, 1, 9, 3, 1)


def answers(folder, *more, command):
    """(exit code, output) of a command beside an agent with the system group and these numbers."""
    (folder / "trial.yaml").write_text(PROFILE)
    view = TableView([*SYSTEM, *((oid, 2, value) for oid, value in more)])

    async def main():
        listener = await SocketHost().serve_datagram(lambda: SnmpResponder(view))
        where = f"snmp://127.0.0.1:{listener.port}"
        (folder / "station.yaml").write_text(
            f'schema: 1\nstation: one\ndevices:\n  it: {{profile: trial.yaml, address: "{where}"}}\n'
        )
        arguments = [each.format(where=where) for each in command]
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from harness.cli.main import main; main()", *arguments,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder,
            )  # fmt: skip
            out, _ = await process.communicate()
        finally:
            await listener.close()
        return process.returncode, out.decode()

    return run(main)


PROBE, TRY = ("probe", "station.yaml"), ("profile", "try", "trial.yaml", "{where}")


@pytest.mark.parametrize("command", [PROBE, TRY], ids=["probe", "try"])
def test_a_name_a_clock_and_a_plate_are_no_measurement(command, tmp_path):
    code, out = answers(tmp_path, command=command)
    assert code == 3, out
    assert "not one measurement of this profile is there" in out
    assert "✔" not in out


@pytest.mark.parametrize("command", [PROBE, TRY], ids=["probe", "try"])
def test_a_value_that_is_not_available_is_none_and_one_row_is_enough(command, tmp_path):
    code, out = answers(tmp_path, (FLOW, -1), command=command)
    assert code == 3, out
    code, out = answers(tmp_path, (FLOW, -1), (FAN, 1200), command=command)
    assert code == 0, out


def test_probe_tells_it_to_machines_too(tmp_path):
    code, out = answers(tmp_path, command=(*PROBE, "--json"))
    (row,) = json.loads(out)["devices"]
    assert (code, row["ok"]) == (3, False)
    assert "not one measurement" in row["reason"]
