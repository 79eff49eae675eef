"""Power that goes, and sensors that stand still, at moments nobody thinks of: never PASS, never "the rack is bad".

Judged by the simulator's truth. The moments are those between switching on, first load, and the next step.
"""

from __future__ import annotations

import pytest

from tests.plan_runs import PLANS, run_plan, write_plan

BATTERIES = PLANS / "stations" / "feeds_and_batteries.yaml"
FLOWS = "- {step: wait_until, name: flows, signal: cdu.flow, min: 150 L/min, within: 30 s}\n"
SOAK = "- {step: soak, name: soak, for: 2 min, watch: [{signal: cdu.flow, min: 100 L/min, for: 2 s}]}\n"
IDLE = FLOWS + "- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}\n" + SOAK
BOTH = (
    FLOWS
    + "- {step: power_on, name: a, outlets: pdu_a.outlet, stagger: 100 ms}\n"
    + "- {step: power_on, name: b, outlets: pdu_b.outlet, stagger: 100 ms}\n"
    + "- {step: wait_until, name: up, signal: rack.running, equals: idle, within: 30 s}\n"
    + "- {step: set, name: load, control: rack.level, to: 60 %}\n"
    + SOAK
)


def is_station_s_fault(ran) -> None:
    assert ran.exit_code == 3, ran.reason
    assert "repair the rack" not in ran.outcome.hint


@pytest.mark.parametrize("at", [3, 6, 8, 10, 12])
def test_the_feed_goes_while_the_rack_begins_to_take_power(at, tmp_path):
    is_station_s_fault(run_plan(write_plan(tmp_path, IDLE), tmp_path, faults=[f"feed_loss@{at}s"]))


@pytest.mark.parametrize("at", [6, 12, 20, 22])
def test_both_feeds_go_and_batteries_carry_the_rack(at, tmp_path):
    faults = [f"feed_loss:pdu_a@{at}s", f"feed_loss:pdu_b@{at}s"]
    is_station_s_fault(run_plan(write_plan(tmp_path, BOTH), tmp_path, station=BATTERIES, faults=faults))


@pytest.mark.parametrize(
    "fault",
    ["feed_loss@272s", "feed_loss@279s", "feed_loss@298s", "phase_loss:1@279s", "rack_reboot@284s", "rack_reboot@294s"],
)
def test_what_is_lost_before_a_step_of_the_acceptance_fails_is_told_instead(fault, tmp_path):
    is_station_s_fault(run_plan(PLANS / "acceptance.yaml", tmp_path, faults=[fault]))


@pytest.mark.parametrize("at", [6, 18, 96, 110])
def test_one_of_two_feeds_goes(at, tmp_path):
    faults = [f"feed_loss:pdu_b@{at}s"]
    is_station_s_fault(run_plan(PLANS / "two_feeds.yaml", tmp_path, station=BATTERIES, faults=faults))


def without_measured_voltage(folder):
    """A station whose PDU does not measure its inlet: only the currents tell."""
    (folder / "pdu.yaml").write_text(
        "schema: 1\nprofile: own/pdu\nextends: pdu/apc_rpdu2\nrepeat: {phase: {signals: {voltage: null}}}\n"
    )
    text = (PLANS / "stations" / "simulated.yaml").read_text()
    station = folder / "station.yaml"
    station.write_text(text.replace("profile: pdu/apc_rpdu2", "profile: ./pdu.yaml"))
    return station


@pytest.mark.parametrize("at", [3, 8, 12, 60])
def test_the_feed_of_a_pdu_that_measures_no_voltage_goes(at, tmp_path):
    station = without_measured_voltage(tmp_path)
    ran = run_plan(write_plan(tmp_path, IDLE), tmp_path, station=station, faults=[f"feed_loss@{at}s"])
    is_station_s_fault(ran)
    assert "nothing flows" in ran.reason or "shelf1 restarted" in ran.reason


@pytest.mark.parametrize("fault", ["values_frozen:shelf1@1s", "sensor_stuck:shelf1.output_voltage@1s"])
@pytest.mark.parametrize("batteries", ["told to stop", "left to discharge"])
def test_a_busbar_that_was_never_seen_live_proves_no_dead_rack(batteries, fault, tmp_path):
    station = BATTERIES
    if batteries == "left to discharge":
        kept, is_end = [], False
        for line in BATTERIES.read_text().splitlines():
            is_end = line.startswith("  end:") or (is_end and line.startswith("    "))
            if not is_end and "maximum_discharge_time" not in line:
                kept.append(line)
        station = tmp_path / "station.yaml"
        station.write_text("\n".join(kept) + "\n")
    ran = run_plan(write_plan(tmp_path, BOTH), tmp_path, station=station, faults=[fault])
    assert ran.exit_code == 5, ran.reason
    assert "did not show the rack live while it was energised, and proves nothing" in ran.texts("safe")[-1]
    whole = run_plan(write_plan(tmp_path, BOTH), tmp_path, station=BATTERIES)
    assert whole.exit_code == 0, whole.reason
