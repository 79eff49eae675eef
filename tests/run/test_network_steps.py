"""Steps of the network over SNMP to simulated switches: the modules' own thresholds, cleared counters, cables."""

from __future__ import annotations

import pytest

from harness.steps.topology import Topology
from tests.plan_runs import STATION, run_plan, write_plan

START = """
  - {step: set, control: cdu.flow_setpoint, to: 172 L/min}
  - {step: wait_until, signal: cdu.flow, min: 160 L/min, within: 30 s}
  - {step: power_on, outlets: pdu.outlet, stagger: 500 ms}
  - {step: wait_until, signal: rack.running, equals: idle, within: 60 s}
"""


def station_with(folder, profile):
    """The simulated station with another switch."""
    path = folder / "station.yaml"
    path.write_text(STATION.read_text().replace("switch/generic,  ", f"{profile},"))
    assert profile in path.read_text()
    return path


def ran(folder, steps, **more):
    return run_plan(write_plan(folder, START + steps), folder / "data", **more)


@pytest.mark.parametrize("profile", ["switch/arista_eos", "switch/juniper_junos"])
def test_the_modules_own_thresholds_are_read_from_the_switch(tmp_path, profile):
    station = station_with(tmp_path, profile)
    optics = "  - {step: optics, name: modules, ports: switch.port}"
    links = "  - {step: link_check, ports: switch.port, within: 30 s}\n"
    good = ran(tmp_path, links + optics, station=station)
    assert good.exit_code == 0, good.reason
    found = {m.name: m for m in good.step("modules").measurements}
    assert len(found) == 36 * len({name.partition("].")[2] for name in found})
    heat = found["modules: switch.port[7].module_temperature, own thresholds"]
    assert (heat.low, heat.high, heat.provenance) == (0.0, 70.0, "the module's own warning thresholds")
    light = found["modules: switch.port[7].rx_power, own thresholds"]
    assert (light.low, light.high) == (-9.4, 3.4)
    rest = "  - {step: hold, name: warm, for: 90 s}\n"
    hot = ran(tmp_path, links + rest + optics, station=station, faults=["optic_hot:7"])
    assert hot.exit_code == 1
    assert "switch.port[7].module_temperature, own thresholds: 7" in hot.reason
    assert "limit 0 to 70" in hot.reason


def test_a_switch_without_thresholds_needs_limits(tmp_path):
    with pytest.raises(Exception, match="the profile shows no thresholds of modules, and no `limits` are given"):
        ran(tmp_path, "  - {step: optics, ports: switch.port}")


def test_counters_that_somebody_clears_prove_nothing(tmp_path):
    """The errors of a drifting port are hidden by clearing its counters: that is no PASS."""
    step = "  - {step: error_counters, name: errors, ports: switch.port, for: 20 s, limit: {max: 100000}}"
    cleared = ran(tmp_path, step, faults=["counters_cleared:6@25s"])
    assert cleared.exit_code == 7, cleared.reason
    assert "errors: switch.port[6].errors_in: its counters began anew" in cleared.reason
    (bad,) = [m for m in cleared.step("errors").measurements if m.verdict != "PASS"]
    assert bad.name == "errors: switch.port[6].errors_in"


def test_a_rate_that_time_cannot_prove_says_how_long_it_takes(tmp_path):
    """The trays idle: a thousandth of the rate, so a limit that is expected at full traffic is not reached."""
    step = """
  - {step: link_check, ports: switch.port, within: 30 s}
  - {step: ber_time, name: rate, ports: switch.port, rate: 400 Gb/s, for: 40 s, limit: {max: 1e-12}}"""
    idle = ran(tmp_path, step)
    assert idle.exit_code == 7, idle.reason
    assert "0 errors in 1.6" in idle.reason
    seconds = float(idle.reason.partition("takes ")[2].partition(" s more")[0])
    assert seconds == pytest.approx(2.9957 / (1e-12 * 0.4e9) - 40, rel=0.02)


def test_a_plan_that_leaves_too_little_time_is_refused(tmp_path):
    step = "  - {step: ber_time, ports: switch.port, rate: 400 Gb/s, traffic: 60 %, for: 60 s, limit: {max: 1e-15}}"
    with pytest.raises(Exception, match="60 s are too short: 1e-15 takes 12482 s without an error at 240 Gb/s"):
        ran(tmp_path, step)


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (["link_down:7"], "missing: switch.port[7] sees nothing, the plan has tray-07:eth0"),
        (["lldp_swapped:1-2", "lldp_swapped:2-3"], "misplaced: switch.port[1] sees tray-02:eth0, which belongs at"),
        (["speed_down:9"], "wrong speed: switch.port[9] to tray-09:eth0 runs at 100000 Mb/s"),
    ],
)
def test_topology_names_what_is_wrong(tmp_path, faults, said):
    wiring = (STATION.parent.parent / "wiring" / "nvl72.yaml").read_text()
    (tmp_path / "wiring.yaml").write_text(wiring)
    found = ran(tmp_path, "  - {step: topology, name: cables, wiring: wiring.yaml, within: 75 s}", faults=faults)
    assert found.exit_code == 1
    assert said in found.reason


def test_a_neighbour_at_a_free_port_is_unexpected(tmp_path):
    wiring = (STATION.parent.parent / "wiring" / "nvl72.yaml").read_text()
    (tmp_path / "wiring.yaml").write_text("".join(line for line in wiring.splitlines(True) if "[36]" not in line))
    step = "  - {step: topology, name: cables, wiring: wiring.yaml, within: 75 s}"
    found = ran(tmp_path, step)
    assert "unexpected: switch.port[36] sees tray-36:eth0, and the plan leaves switch.port[36] free" in found.reason


def test_a_switch_that_is_silent_accuses_no_rack(tmp_path):
    step = "  - {step: link_check, ports: switch.port, within: 20 s}"
    silent = ran(tmp_path, step, faults=["device_silent:switch@12s"])
    assert silent.exit_code == 3, silent.reason
    assert "switch.port[1].state cannot be read" in silent.reason


def test_an_old_neighbour_may_be_shown_for_its_time_to_live():
    """A switch forgets a neighbour 120 s after the last word of it (IEEE 802.1AB): before that it is no fault."""
    assert Topology.model_fields["within"].default > 120
