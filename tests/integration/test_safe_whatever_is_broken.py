"""`harness safe` with a package that broke after the rack was switched on: what can be reached is off, and it says so.

The judge is the simulator, which the toy package served before it broke.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.integration.cli_tools import COMMAND, environment
from tests.integration.installed import end
from tests.integration.test_odd_protocols import TOY, package

STATION = """
schema: 1
station: two-feeds
coverage_floor: 95 %
simulation: {rack: 30kW, seed: 3}
devices:
  apdu: {profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:16100", counts: {outlet: 4}}
  strip: {profile: pdu/toy_strip, address: "toy+tcp://127.0.0.1:16101", counts: {outlet: 4}}
  cdu: {profile: cdu/meta_rpu, address: "modbus+tcp://127.0.0.1:15020/12", counts: {pump: 2}}
derived:
  rack.power: {function: sum, inputs: {a: apdu.power, b: strip.power}}
interlocks:
  - {name: leak, signal: cdu.leak, equals: dry, on_trip: leak}
unguarded: {emergency_stop: simulated, door: simulated, temperature: simulated, coolant: simulated}
safe_state:
  default:
    - {set: strip.outlet, to: "off", confirm_within: 3 s}
    - {keep: cdu.pump, until: {signal: strip.power, max: 5 kW}, at_most: 2 s}
    - {set: apdu.outlet, to: "off", confirm_within: 5 s, confirm_by: {signal: strip.power, max: 50 kW}}
  leak:
    kind: leak
    actions:
      - {set: strip.outlet, to: "off", confirm_within: 3 s}
      - {set: apdu.outlet, to: "off", confirm_within: 5 s}
"""
NOTHING = ("__init__.py", "PROTOCOL = Protocol(", "PROTOCOL = Protocol(")
BREAKS = {
    "at import": ("__init__.py", "raise RuntimeError('gone')\n"),
    "exits at import": ("__init__.py", "import sys\nsys.exit(0)\n"),
    "its profile's model": ("profile.py", "raise RuntimeError('gone')\n"),
    "its link": ("link.py", "raise RuntimeError('gone')\n"),
    "its channel": ("channel.py", "raise RuntimeError('gone')\n"),
    "its address exits": ("link.py", (TOY / "link.py").read_text() + "def parse(_): raise SystemExit(0)\n"),
    "its model's words": ("profile.py", (TOY / "profile.py").read_text() + "ToySignal.words = lambda _: {}['gone']\n"),
}


def harness(folder: Path, *words: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(folder / "lib"), os.environ.get("PYTHONPATH", "")])
    env = {**environment(folder / "data"), "PYTHONPATH": path}
    return subprocess.Popen(
        [*COMMAND, *words], env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def done(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit code and all that was said."""
    said, errors = process.communicate(timeout=90)
    return process.returncode, said + errors


def ask(port: int, line: str) -> str:
    with socket.create_connection(("127.0.0.1", port), 5) as connection, connection.makefile("rw") as file:
        file.write(f"{line}\n")
        file.flush()
        return file.readline()


@pytest.mark.parametrize("what", BREAKS)
def test_what_other_devices_have_is_switched_off(what, tmp_path):
    package(tmp_path / "lib", *NOTHING)
    (tmp_path / "station.yaml").write_text(STATION)
    devices = harness(tmp_path, "sim", "station.yaml", "--json", "--write-station", "bay.yaml")
    try:
        port = json.loads(devices.stdout.readline())["truth"]
        code, said = done(harness(tmp_path, "set", "apdu.outlet", "on", "--station", "bay.yaml", "--yes"))
        assert code == 0, said
        before = json.loads(ask(port, "truth"))
        on = [name for name, value in before.items() if name.endswith(".state") and "outlet" in name and value > 0.5]
        assert on
        file, text = BREAKS[what]
        (tmp_path / "lib" / "toy_strip" / file).write_text(text)
        code, said = done(harness(tmp_path, "safe", "bay.yaml"))
        after = json.loads(ask(port, "truth"))
        assert [name for name in on if after[name] > 0.5] == [], said
        assert code == 5, said
        assert "strip" in said
        assert "Traceback" not in said
        assert "bug in the harness" not in said
    finally:
        end(devices)
