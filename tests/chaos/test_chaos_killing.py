"""Short form of the deaths: a few at random instants, and the named places that matter most."""

from __future__ import annotations

from random import Random

import pytest

from tests.chaos import killing
from tests.chaos.table import check

POINTS = ("sent", "confirmed", "journal-commit", "safe-begun", "result-written")


DEATHS = {
    "kills": lambda place, rng: killing.kills(place, 3, rng),
    "first points": lambda place, _: killing.fault_points(place, POINTS[:3]),
    "last points": lambda place, _: killing.fault_points(place, POINTS[3:]),
    "freezes": lambda place, rng: killing.freezes(place, 1, rng, 3.0),
    "guardian": lambda place, rng: killing.guardian_kills(place, 1, rng),
    "resumes": lambda place, rng: killing.resumes(place, 1, rng),
    "announces": lambda place, _: killing.announces(place),
}


@pytest.mark.parametrize("what", DEATHS)
def test_deaths(tmp_path, what):
    with killing.yard(tmp_path) as place:
        check([DEATHS[what](place, Random(f"20261122 {what}"))])
