"""Answers to a step against closed forms: a damped oscillation, an exponential return, and noise that is no swing."""

from __future__ import annotations

import math
import random

import pytest

from harness.analysis.response import dip, step_response

TIMES = [float(t) for t in range(301)]


def swinging(zeta, omega=0.2, size=2.0):
    """The deviation of a second-order system pushed away from 35 at t = 0."""
    root = math.sqrt(1 - zeta * zeta)
    return [35.0 + size * math.exp(-zeta * omega * t) * math.sin(root * omega * t) for t in TIMES]


@pytest.mark.parametrize("zeta", [0.05, 0.1, 0.2])
def test_the_decay_ratio_is_that_of_the_damping(zeta):
    found = step_response([35.0] * 20, TIMES, swinging(zeta), band=0.2)
    assert found.decay_ratio == pytest.approx(math.exp(-2 * math.pi * zeta / math.sqrt(1 - zeta**2)), rel=0.12)
    assert found.final == pytest.approx(35.0, abs=0.05)


def test_a_return_without_a_swing_has_no_decay_ratio_and_is_back_when_its_formula_says():
    found = step_response([35.0] * 20, TIMES, [35.0 + 1.5 * math.exp(-t / 30) for t in TIMES], band=0.2, aim=35.0)
    assert found.decay_ratio == 0.0
    assert found.settled_after == pytest.approx(30 * math.log(1.5 / 0.2), abs=2)
    assert found.overshoot == pytest.approx(1.5, rel=0.08)


def test_noise_is_no_swing():
    chance = random.Random(4)
    for _ in range(50):
        values = [35.0 + 1.0 * math.exp(-t / 20) + chance.gauss(0, 0.03) for t in TIMES]
        found = step_response([35.0] * 20, TIMES, values, band=0.2)
        assert found.decay_ratio < 0.1
        assert found.settled_after == pytest.approx(20 * math.log(5), abs=6)


def test_what_drifts_away_has_not_settled():
    values = [35.0 + 0.5 * (TIMES[k] > 290) for k in range(301)]
    assert math.isinf(step_response([35.0] * 20, TIMES, values, band=0.2).settled_after)


def test_a_dip_and_its_end():
    flows = [172.0 - 40.0 * math.exp(-t / 5.0) for t in TIMES]
    found = dip(172.0, TIMES, flows, 0.95)
    assert found.lost == pytest.approx(100 * 40 / 172, rel=0.12)
    assert found.recovered_after == pytest.approx(5 * math.log(40 / (0.05 * 172)), abs=1.5)
    assert dip(172.0, TIMES, [171.0] * 301, 0.95).recovered_after == 0.0
    assert math.isinf(dip(172.0, TIMES, [150.0] * 301, 0.95).recovered_after)
    with pytest.raises(ValueError, match="nothing dips"):
        dip(0.0, TIMES, flows, 0.95)


@pytest.mark.parametrize("swing", [0.2, 0.3, 0.45, 0.8])
def test_what_hunts_for_ever_does_not_decay(swing):
    """A sine that never ends: its ratio is 1, whatever of it is within the band, and outside of it it never settles."""
    times = [float(k) for k in range(300)]
    noise = random.Random(4)
    values = [35.0 + swing * math.sin(math.tau * t / 40.0) + noise.gauss(0.0, 0.01) for t in times]
    found = step_response([35.0 + noise.gauss(0.0, 0.01) for _ in range(30)], times, values, 0.5, 35.0)
    assert found.decay_ratio == pytest.approx(1.0, abs=0.1)
    assert found.settled_after == math.inf or swing < 0.5


def test_a_sensor_that_flips_between_two_steps_of_its_resolution_does_not_hunt():
    flips = random.Random(9)
    times = [float(k) for k in range(300)]
    values = [35.0 + 0.1 * (flips.random() < 0.4) + 1.5 * math.exp(-t / 20.0) for t in times]
    values = [round(v, 1) for v in values]
    assert step_response([35.0] * 30, times, values, 0.5, 35.0).decay_ratio == 0.0
