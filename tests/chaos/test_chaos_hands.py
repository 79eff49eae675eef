"""Short form of two hands on one rack."""

from __future__ import annotations

from random import Random

from tests.chaos import hands, killing
from tests.chaos.table import check


def test_hands(tmp_path):
    with killing.yard(tmp_path) as place:
        rng = Random(20261129)
        check([hands.in_a_run(place, 2, rng), hands.behind_the_dead(place, 1, rng)])
