"""The unit that ships keeps the promises of the guardian."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[3] / "packaging" / "systemd" / "harness@.service"
SUPERVISOR = UNIT.with_name("harness-supervisor.service")


def test_the_unit_leaves_the_guardian_alive() -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(UNIT)
    service = parser["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) > 2
    assert service["KillMode"] == "control-group", "mixed kills the guardian as soon as the runner is gone"
    assert service["TimeoutStopSec"] == "15min"
    assert service["Restart"] == "no"
    assert int(service["OOMScoreAdjust"]) < 0


def test_the_supervisor_is_a_unit_of_its_own_that_is_always_started_again() -> None:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment]
    parser.read(SUPERVISOR)
    service = parser["Service"]
    assert service["Restart"] == "always"
    assert parser["Unit"]["StartLimitIntervalSec"] == "0"
    frozen = int(service["WatchdogSec"]) + int(service["TimeoutAbortSec"])
    assert frozen <= 5, "fifteen seconds are all there is, from the freeze to outlets that are off"
    assert SUPERVISOR.name in UNIT.read_text(), "a run brings its supervisor up"
    assert service["User"] == "harness", "armed files and credentials are readable to their user alone"


@pytest.mark.parametrize("unit", [UNIT, SUPERVISOR], ids=lambda unit: unit.name)
def test_systemd_understands_the_unit(tmp_path: Path, unit: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs systemd-analyze")
        pytest.skip("not installed: systemd-analyze")
    copy = tmp_path / unit.name.replace("@", "@RACK-1")
    copy.write_text(unit.read_text().replace("/usr/bin/harness", "/bin/true"))
    found = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    complaints = [line for line in found.stderr.splitlines() if "harness" in line]
    assert complaints == []
    assert found.returncode == 0, found.stderr
