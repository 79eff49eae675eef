"""Packages of others, installed as wheels beside ours: a protocol, a step, one that shadows, and one that is broken.

The judge of a safe rack is the ground truth of the simulated one, asked over its own port.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.integration.guarded_tools import guardian_log, until
from tests.integration.installed import (
    ROOT,
    build_ours,
    build_toy,
    clean_environment,
    end,
    environment_with,
    install,
    uninstall,
    wheel_of,
)

ADDRESS = '{profile: pdu/apc_rpdu2,        address: "snmp://127.0.0.1:16100", '
TOY = '{profile: pdu/toy_strip, address: "toy+tcp://127.0.0.1:16100", '
OUTLETS = 8
MOST_RESIDENT_KB = 35 * 1024
DIP = """
schema: 1
plan: dip
coverage: 95 %
steps:
  - {step: dip, signal: cdu.flow, below: 165 L/min, within: 60 s}
"""
HOLD = """
schema: 1
plan: hold
coverage: 95 %
steps:
  - {step: set, name: power on, control: pdu.outlet, to: "on"}
  - {step: wait_until, name: hold, signal: pdu.power, min: 900 kW, within: 120 s}
"""
MEASURE = """
schema: 1
plan: look
steps:
  - {step: measure, name: v, signal: "pdu.phase[1].voltage", over: 2 s, limit: {min: 200 V, max: 260 V}}
"""
STEP = """
from harness.api import Params, StepContext, step
class P(Params):
    pass
@step("NAME", version=1)
async def theirs(ctx: StepContext, p: P) -> None:
    \"\"\"Something else.\"\"\"
"""
SHADOW_PROFILE = """
schema: 1
profile: pdu/apc_rpdu2
title: Theirs
class: pdu
extends: pdu/raritan_pdu2
source: a test
unverified: a test
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return build_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def commands(tmp_path_factory, toy):
    """An environment with our wheel and the toy's."""
    work = tmp_path_factory.mktemp("wheels")
    return environment_with(work / "venv", build_ours(work / "ours"), toy)


@pytest.fixture
def bay(tmp_path):
    """A folder with the built-in station, its PDU replaced by the toy strip, and plans."""
    text = (ROOT / "testplans" / "stations" / "simulated.yaml").read_text()
    assert ADDRESS in text
    (tmp_path / "station.yaml").write_text(text.replace(ADDRESS, TOY).replace(", slow: 20 s, max_age: 10 s}", "}"))
    for name, plan in (("dip", DIP), ("hold", HOLD), ("look", MEASURE)):
        (tmp_path / f"{name}.yaml").write_text(plan)
    return tmp_path


def harness(commands, bay, *words):
    return subprocess.run(
        [str(commands / "harness"), *words], cwd=bay, env=clean_environment(HARNESS_DATA=str(bay / "data")),
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def start(commands, bay, *words):
    return subprocess.Popen(
        [str(commands / "harness"), *words], cwd=bay, env=clean_environment(HARNESS_DATA=str(bay / "data")),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def truth(port):
    with socket.create_connection(("127.0.0.1", port), 5) as connection, connection.makefile("rw") as file:
        file.write("truth\n")
        file.flush()
        return json.loads(file.readline())


def outlets_on(port):
    shown = truth(port)
    return sum(shown[f"outlet[{k}].state"] > 0.5 for k in range(1, OUTLETS + 1))


def test_what_is_tried_is_what_was_installed(commands, bay):
    shown = harness(commands, bay, "doctor")
    assert shown.returncode == 0, shown.stdout
    for line in ("harness.protocols: toy = toy_strip:PROTOCOL (toy-strip 1.0)", "harness.steps: dip = toy_strip.steps"):
        assert line in shown.stdout
    where = "import harness, sim, toy_strip; print(harness.__file__, sim.__file__, toy_strip.__file__)"
    found = subprocess.run(
        [str(commands / "python"), "-c", where], cwd=bay, env=clean_environment(), capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert found.stdout.count(str(commands.parent)) == 3
    assert str(ROOT / "harness") not in found.stdout


def test_a_protocol_of_others_is_checked(commands, bay):
    right = harness(commands, bay, "check", "station.yaml")
    assert right.returncode == 0, right.stderr
    text = (bay / "station.yaml").read_text()
    for wrong, why in (
        ('address: "snmp://127.0.0.1:16100"', "speaks toy, this address is snmp"),
        ('address: "toy+tcp://127.0.0.1:0"', "no valid port"),
        ('address: "toi://127.0.0.1:1"', "toy+tcp://HOST:PORT"),
    ):
        (bay / "wrong.yaml").write_text(text.replace('address: "toy+tcp://127.0.0.1:16100"', wrong))
        done = harness(commands, bay, "check", "wrong.yaml")
        assert done.returncode == 2
        (line,) = [line for line in done.stderr.splitlines() if "wrong.yaml:" in line]
        assert why in line, line
    made = harness(commands, bay, "profile", "new", "pdu/acme_strip", "--protocol", "toy")
    assert made.returncode == 0, made.stderr
    (bay / "acme_strip.yaml").write_text(
        (bay / "acme_strip.yaml").read_text().replace("name: measured", "nam: measured")
    )
    wrong = harness(commands, bay, "profile", "check", "acme_strip.yaml")
    assert wrong.returncode == 2
    assert "'nam'" in wrong.stderr


def test_a_protocol_of_others_is_simulated_polled_and_confirmed(commands, bay):
    done = harness(commands, bay, "run", "smoke", "--station", "station.yaml", "--simulate", "--virtual")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pdu: TOY-8 SIM-pdu" in done.stdout
    assert done.stdout.count("wanted=on read=on") == OUTLETS
    stuck = harness(
        commands,
        bay,
        "run",
        "smoke",
        "--station",
        "station.yaml",
        "--simulate",
        "--virtual",
        "--fault",
        "outlet_stuck:3@20s",
    )
    assert stuck.returncode == 5, "the truth is an outlet that stays on"
    assert "pdu.outlet[3]" in stuck.stdout.replace("pdu outlet[3]", "pdu.outlet[3]")


def test_a_step_of_others_judges(commands, bay):
    for faults, code in (((), 1), (("--fault", "pump_stop:1@20s"), 0)):
        done = harness(commands, bay, "run", "dip.yaml", "--simulate", "--virtual", *faults)
        assert done.returncode == code, done.stdout + done.stderr


def test_a_protocol_of_others_is_guarded_when_the_runner_is_killed(commands, bay):
    """Over sockets, every process from the installed wheels; the guardian holds the channel alone."""
    devices = start(commands, bay, "sim", "station.yaml", "--json", "--write-station", "bay.yaml")
    runner = None
    try:
        port = json.loads(devices.stdout.readline())["truth"]
        probed = harness(commands, bay, "probe", "bay.yaml")
        assert probed.returncode == 0, probed.stdout
        runner = start(commands, bay, "run", "hold.yaml", "--station", "bay.yaml", "--serial", "RACK-0007")
        until(lambda: outlets_on(port) == OUTLETS, 60)
        (folder,) = (bay / "data" / "runs").iterdir()
        guardian = next(line["pid"] for line in guardian_log(folder) if line["kind"] == "start")
        loaded = Path(f"/proc/{guardian}/maps").read_text()
        assert "pydantic_core" not in loaded
        assert "numpy" not in loaded
        status = Path(f"/proc/{guardian}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        assert resident <= MOST_RESIDENT_KB
        os.kill(runner.pid, signal.SIGKILL)
        until(lambda: outlets_on(port) == 0, 20)
        until(lambda: "made the rack safe: confirmed" in harness(commands, bay, "runs").stdout, 60)
    finally:
        for process in (runner, devices):
            if process is not None:
                end(process)


def test_nothing_is_energised_when_the_guardian_cannot_use_the_protocol(commands, bay, toy):
    """A channel that the runner needs not, and that is not there: found before, not when the runner is dead."""
    with zipfile.ZipFile(toy) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist() if name.startswith("toy_strip/")}
        entries = archive.read("toy_strip-1.0.dist-info/entry_points.txt").decode()
    files["toy_strip/__init__.py"] = files["toy_strip/__init__.py"].replace("toy_strip.channel:", "toy_strip.gone:")
    install(commands, wheel_of(bay / "wheels", "toy_strip", files, entries))
    try:
        done = harness(commands, bay, "run", "smoke", "--station", "station.yaml", "--simulate")
        assert done.returncode == 3, done.stdout
        assert "pdu cannot be reached: its protocol toy cannot be used" in done.stdout
        assert "this run commanded nothing" in done.stdout
    finally:
        install(commands, toy)


def test_the_channel_alone_is_what_a_guardian_loads(commands, bay):
    code = "import sys, toy_strip.channel; print(*(m for m in sys.modules if m.partition('.')[0] in sys.argv[1:]))"
    heavy = ("numpy", "pydantic", "ruamel", "pysnmp", "pymodbus", "pyvisa", "click")
    found = subprocess.run(
        [str(commands / "python"), "-c", code, *heavy, "harness"], cwd=bay, env=clean_environment(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = set(found.stdout.split())
    assert not [name for name in loaded if name.partition(".")[0] in heavy]
    assert not [name for name in loaded if name.startswith("harness.schema")]


def test_a_package_that_shadows_built_in_names(commands, bay):
    """Who needs the name is told both packages; the rack is made safe all the same, as the built-in profile says."""
    root = "from pathlib import Path\ndef root(): return Path(__file__).parent / 'profiles'\n"
    entries = (
        "[harness.steps]\nmeasure = shadow_added:theirs\n[harness.drivers]\nshadow = shadow_added:root\n"
        "[harness.protocols]\nsnmp = shadow_added:PROTOCOL\n"
    )
    files = {
        "shadow_added/__init__.py": root + STEP.replace("NAME", "measure"),
        "shadow_added/profiles/pdu/apc_rpdu2/profile.yaml": SHADOW_PROFILE,
    }
    install(commands, wheel_of(bay / "wheels", "shadow", files, entries))
    try:
        for command in (("check", "look.yaml"), ("run", "look.yaml", "--simulate", "--virtual")):
            done = harness(commands, bay, *command)
            assert done.returncode == 2, done.stdout + done.stderr
            assert "shadow 1.0" in done.stderr
            assert "rack-harness" in done.stderr
            assert "Traceback" not in done.stderr
        assert not list((bay / "data").glob("runs/*")), "nothing was begun"
        doctor = harness(commands, bay, "doctor")
        assert doctor.returncode == 3
        for name in ("step 'measure'", "profile 'pdu/apc_rpdu2'", "protocol 'snmp'"):
            assert f"WRONG the {name} is added by" in doctor.stdout, name
        safe = harness(commands, bay, "safe", "simulated", "--simulate")
        assert safe.returncode == 0, safe.stdout + safe.stderr
    finally:
        uninstall(commands, "shadow")


def test_a_broken_package_matters_to_who_needs_it_only(commands, bay):
    entries = (
        "[harness.steps]\nshiver = broken_added:theirs\n[harness.drivers]\nbroken = broken_added:root\n"
        "[harness.protocols]\nsmoke = broken_added:PROTOCOL\n[harness.exporters]\nx = broken_added:x\n"
    )
    install(commands, wheel_of(bay / "wheels", "broken", {"broken_added.py": "raise RuntimeError('boom')\n"}, entries))
    (bay / "shiver.yaml").write_text("schema: 1\nplan: shiver\nsteps:\n  - {step: shiver}\n")
    try:
        needs = harness(commands, bay, "run", "shiver.yaml", "--simulate", "--virtual")
        assert needs.returncode == 2
        (line,) = [line for line in needs.stderr.splitlines() if "shiver.yaml:4:12" in line]
        assert "broken 1.0" in line
        assert "'shiver' of harness.steps" in line
        assert "RuntimeError: boom" in line
        for command in (("safe", "simulated", "--simulate"), ("run", "look.yaml", "--simulate", "--virtual")):
            done = harness(commands, bay, *command)
            assert done.returncode == 0, done.stdout + done.stderr
        doctor = harness(commands, bay, "doctor")
        assert doctor.returncode == 3
        for group in ("steps", "drivers", "protocols", "exporters"):
            assert f"of harness.{group}) cannot be loaded: RuntimeError: boom" in doctor.stdout, group
    finally:
        uninstall(commands, "broken")
