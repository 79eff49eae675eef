"""`harness profile import`: a map in, a checked profile out, and the notes on standard error."""

from __future__ import annotations

import json

from click.testing import CliRunner

from harness.cli.commands.profile import profile
from harness.device.registry import load_profile

MAP = {
    "name": "My Shelf",
    "address_range": [[17, 17]],
    "probe_register": 8,
    "baudrate": 57600,
    "registers": [{"begin": 8, "length": 4, "name": "Model", "format": "STRING", "keep": 3}],
}


def test_a_map_becomes_a_file_and_what_is_lost_is_said(tmp_path):
    source, target = tmp_path / "map.json", tmp_path / "profile.yaml"
    source.write_text(json.dumps(MAP))
    result = CliRunner().invoke(profile, ["import", "rackmon", str(source), "--class", "cdu", "-o", str(target)])
    assert result.exit_code == 0, result.output
    assert "written and checked" in result.output
    assert "note: keep (of 1 registers)" in result.stderr
    made, _ = load_profile(target)
    assert (made.profile, made.modbus.unit, made.modbus.baud) == ("cdu/my_shelf", 17, 57600)


def test_what_is_no_json_or_no_class_is_an_input_error(tmp_path):
    source = tmp_path / "map.json"
    source.write_text("{")
    result = CliRunner().invoke(profile, ["import", "rackmon", str(source)])
    assert "is not JSON" in str(result.exception)
    source.write_text(json.dumps(MAP))
    result = CliRunner().invoke(profile, ["import", "rackmon", str(source), "--class", "car"])
    assert "no device class 'car'" in str(result.exception)
