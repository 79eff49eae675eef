"""The noise of the sensors: the same one at a time and all at once, normal, and of its seed and slot alone."""

from __future__ import annotations

import statistics

import numpy as np

from sim.physics.noise import gauss, gauss_all, stream


def test_all_at_once_is_one_at_a_time():
    keys = [stream(seed, name) for seed in (0, 7, 2**31 - 1) for name in ("loop.flow", "outlet[3].power", "x")]
    for slot in (0, 1, 863_999, 2**40):
        assert gauss_all(np.array(keys, np.uint64), slot).tolist() == [gauss(key, slot) for key in keys]


def test_it_is_normal_and_slots_do_not_depend_on_each_other():
    drawn = [gauss(stream(3, "loop.flow"), slot) for slot in range(40_000)]
    assert abs(statistics.fmean(drawn)) < 0.02
    assert abs(statistics.pstdev(drawn) - 1.0) < 0.02
    assert 3.5 < max(drawn) <= 4.1
    follow = statistics.correlation(drawn[:-1], drawn[1:])
    assert abs(follow) < 0.02
    other = [gauss(stream(4, "loop.flow"), slot) for slot in range(40_000)]
    assert abs(statistics.correlation(drawn, other)) < 0.02
