"""Short form of the deaths: a few at random instants, and the named places that matter most."""

from __future__ import annotations

from random import Random

from tests.chaos import killing
from tests.chaos.table import check

POINTS = ("sent", "confirmed", "journal-commit", "safe-begun", "result-written")


def test_deaths(tmp_path):
    with killing.yard(tmp_path) as place:
        rng = Random(20261122)
        rows = [
            killing.kills(place, 3, rng),
            killing.fault_points(place, POINTS),
            killing.freezes(place, 1, rng, 3.0),
            killing.guardian_kills(place, 1, rng),
            killing.resumes(place, 1, rng),
            killing.announces(place),
        ]
    check(rows)
