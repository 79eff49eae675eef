"""A map with mistakes is reported as one, whatever they are: exit 2 and nothing written, never a bug of ours."""

from __future__ import annotations

import copy
import json
import random

import pytest

from harness.cli.commands.profile import import_
from harness.errors import HarnessError
from tests.unit.device.register_maps.test_phosphor import MAP as PHOSPHOR
from tests.unit.device.register_maps.test_rackmon import MAP as RACKMON

WRONG = (None, True, -1, 1e400, 7.5, "", "x", "0x", [], [[]], [1], {}, {"a": 1}, 1 << 70)


def places(value, here=()):
    """Every place inside a value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*here, key)
        yield from places(inner, (*here, key))


def damaged(whole, place, wrong):
    made = copy.deepcopy(whole)
    inner = made
    for key in place[:-1]:
        inner = inner[key]
    if wrong == "gone":
        del inner[place[-1]]
    else:
        inner[place[-1]] = wrong
    return made


@pytest.mark.parametrize(("form", "whole"), [("rackmon", RACKMON), ("phosphor-modbus", PHOSPHOR)])
def test_no_mistake_in_a_map_is_called_a_bug(form, whole, tmp_path):
    dice = random.Random(8)
    source, target = tmp_path / "map.json", tmp_path / "made.yaml"
    spots = [(place, wrong) for place in places(whole) for wrong in (*WRONG, "gone")]
    refused = 0
    for place, wrong in dice.sample(spots, 600):
        source.write_text(json.dumps(damaged(whole, place, wrong)))
        try:
            import_.callback(form, str(source), "", str(target))
        except HarnessError:  # ConfigError, or what is wrong with the profile that came of it
            refused += 1
            assert not target.exists(), (place, wrong)
        target.unlink(missing_ok=True)
    assert refused > 30


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    source, target = tmp_path / "map.json", tmp_path / "mine.yaml"
    source.write_text(json.dumps(RACKMON))
    target.write_text("mine")
    with pytest.raises(HarnessError, match="is there already"):
        import_.callback("rackmon", str(source), "", str(target))
    assert target.read_text() == "mine"
