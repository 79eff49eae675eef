"""Short form: what a run must never pass with, and a rack that stays live behind open outlets."""

from __future__ import annotations

import pytest

from tests.chaos import losses
from tests.chaos.table import check

SEED = 20261122


def test_a_rack_that_loses_power_in_a_soak(tmp_path):
    check([losses.outlets_lost(tmp_path, SEED)])


@pytest.mark.parametrize("frozen", losses.FROZEN)
def test_a_frozen_sensor_hides_no_loss_of_coolant(tmp_path, frozen):
    check([losses.frozen_then_dry(tmp_path, SEED, frozen)])


@pytest.mark.parametrize("clog", [30, 200])
def test_partial_loss_of_flow(tmp_path, clog):
    check([losses.partial_flow(tmp_path, SEED, clog)])


def test_the_second_feed_does_not_wait_for_a_mute_first(tmp_path):
    check([losses.mute_feed(tmp_path, SEED)])


def test_a_rack_with_batteries_is_called_safe_when_its_bus_is_dead(tmp_path):
    check([losses.live_bus(tmp_path, SEED), losses.shut_down(tmp_path, SEED)])


def test_acceptance_never_passes_with_a_loss(tmp_path):
    check([losses.never_pass("acceptance", [SEED], tmp_path, 400.0, {})])


def test_burn_in_never_passes_with_a_loss(tmp_path):
    check([losses.never_pass("burn_in_24h", [SEED], tmp_path, 400.0, {"soak_time": "10 min"})])
