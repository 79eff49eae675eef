"""The unit that ships keeps the promises of the guardian."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "packaging" / "systemd" / "harness@.service"


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


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI needs systemd-analyze")
        pytest.skip("not installed: systemd-analyze")
    copy = tmp_path / "harness@RACK-1.service"
    copy.write_text(UNIT.read_text().replace("/usr/bin/harness", "/bin/true"))
    found = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    complaints = [line for line in found.stderr.splitlines() if "harness@" in line]
    assert complaints == []
    assert found.returncode == 0, found.stderr
