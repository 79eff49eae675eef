"""The shipped plans and the network of a rack: good racks pass, whatever is wrong with a link is found by its name."""

from __future__ import annotations

import pytest

from tests.plan_runs import PLANS, STATION, run_plan

SHORT = {
    "acceptance": {},
    "network_acceptance": {},
    "burn_in_24h": {"soak_time": "2 min", "cycle_every": "60 s", "cycle_low": "20 s"},
}
FAULTS = [
    # fault, what the reason must name
    ("optic_hot:5", "switch.port[5].module_temperature"),
    ("ber_drift:4", "switch.port[4]"),
    ("speed_down:7", "switch.port[7]"),
    ("lldp_swapped:3-4", "swapped: switch.port[3] sees tray-04:eth0 and switch.port[4] sees tray-03:eth0"),
]
LATER = {"acceptance": "95s", "network_acceptance": "95s", "burn_in_24h": "170s"}
"""When the links have been looked at for the first time, and not for the last."""


@pytest.fixture(scope="module")
def spread_station(tmp_path_factory):
    """The simulated station with racks that differ and sensors that are out."""
    path = tmp_path_factory.mktemp("station") / "station.yaml"
    text = STATION.read_text()
    assert "simulation: {rack: 132kW, seed: 1}" in text
    path.write_text(text.replace("simulation: {rack: 132kW, seed: 1}", "simulation: {rack: 132kW, spread: 1}"))
    return path


def passes(plan, seed, folder, station):
    ran = run_plan(PLANS / f"{plan}.yaml", folder, settings=SHORT[plan], seed=seed, station=station)
    assert ran.exit_code == 0, f"seed {seed}: {ran.reason}"
    assert ran.on == []
    return ran


@pytest.mark.parametrize("plan", SHORT)
@pytest.mark.parametrize("seed", [101, 102])
def test_good_racks_pass(plan, seed, tmp_path, spread_station):
    passes(plan, seed, tmp_path, spread_station)


@pytest.mark.slow
@pytest.mark.parametrize("plan", SHORT)
@pytest.mark.parametrize("seed", range(201, 231))
def test_thirty_good_racks_pass(plan, seed, tmp_path, spread_station):
    passes(plan, seed, tmp_path, spread_station)


@pytest.mark.parametrize("plan", SHORT)
@pytest.mark.parametrize(("fault", "named"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_what_plans_used_to_let_pass_is_found(plan, fault, named, tmp_path):
    ran = run_plan(PLANS / f"{plan}.yaml", tmp_path, settings=SHORT[plan], faults=[fault])
    assert ran.exit_code == 1, ran.reason
    assert named in ran.reason
    assert ran.on == []


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["network_acceptance", "burn_in_24h"])
@pytest.mark.parametrize(("fault", "named"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_what_comes_while_the_plan_runs_is_found_too(plan, fault, named, tmp_path):
    ran = run_plan(PLANS / f"{plan}.yaml", tmp_path, settings=SHORT[plan], faults=[f"{fault}@{LATER[plan]}"])
    assert ran.exit_code == 1, ran.reason
    assert named in ran.reason


def test_a_link_that_flaps_between_two_looks_is_found_by_the_switch_s_own_time(tmp_path):
    """Down for 0.4 s, once: no sample of the state shows it, the time of the last change does."""
    ran = run_plan(PLANS / "network_acceptance.yaml", tmp_path, during=flap_once(8, at=60.3))
    assert ran.exit_code == 1, ran.reason
    assert "links are up and stay up: switch.port[8] went down" in ran.reason


def flap_once(port, *, at):
    """Take a link down and bring it back within a second, between two polls."""

    def during(_state, simulation):
        plant, link = simulation.plant, port - 1
        plant.schedule(at, lambda: plant.switch.change(link, "flap_down", value=True), disturbs=False)
        plant.schedule(at + 0.4, lambda: plant.switch.change(link, "flap_down", value=False), disturbs=False)

    return during
