"""Short form of the racks whose run and guardian are both gone."""

from __future__ import annotations

from random import Random

from tests.chaos import orphans
from tests.chaos.table import check


def test_both_gone_with_a_supervisor(tmp_path):
    with orphans.bay(tmp_path) as place:
        check([orphans.with_supervisor(place, [("killed", ""), ("frozen", "intent-durable@3")], Random(20261130))])


def test_both_gone_and_nobody_behind_them(tmp_path):
    with orphans.bay(tmp_path) as place:
        check([orphans.without_supervisor(place, [("killed", "run"), ("frozen", "safe")], 3.0)])
