"""What happens to a rack while it is being made safe, or before a run has begun: judged by the ground truth."""

from __future__ import annotations

import pytest

from harness.clock import run
from harness.limits.verdict import Verdict
from harness.safety.precedence import Trip
from tests.chaos.rig import HEAD, SOAK, Scene, play

INF = float("inf")
PUMPS = ("pump[1].running", "pump[2].running")
CLEANUP = (
    SOAK
    + """
cleanup:
  - {step: set, name: pumps off, control: "cdu.pump", to: "off"}
"""
)


def trip(scene: Scene, name: str, sequence: str) -> None:
    now = scene.clock.monotonic()
    scene.runner.tripped(Trip(name, sequence, f"{name} for the test", now, scene.clock.wall_ns(), now))


@pytest.mark.parametrize("later", [0.0, 0.2, 0.6, 1.0])
def test_what_a_leak_brings_with_it_does_not_keep_the_coolant_running(tmp_path, later):
    async def leaking(scene: Scene) -> None:
        await scene.running("soak")
        await scene.clock.sleep(20)
        trip(scene, "leak", "leak")
        await scene.clock.sleep(later)
        trip(scene, "no flow", "default")

    async def main() -> None:
        outcome, scene = await play(SOAK, tmp_path, leaking, linger=5)
        assert outcome.result.safe_state.name == "leak"
        assert [scene.simulation.truth()[name] for name in PUMPS] == [0.0, 0.0]
        assert outcome.exit_code == 4
        assert outcome.reason.startswith("interlock 'leak'")
        assert [event.text.split("'")[1] for event in scene.of("stop")] == ["leak", "no flow"]

    run(main, rate=INF)


def test_a_flow_that_fails_with_the_leak_does_not_hide_it(tmp_path):
    async def leaking(scene: Scene) -> None:
        await scene.running("soak")
        await scene.clock.sleep(20.13)
        scene.simulation.inject("leak:rack=20")
        await scene.clock.sleep(1.5)
        scene.simulation.inject("flow_meter_zero")

    async def main() -> None:
        outcome, scene = await play(SOAK, tmp_path, leaking, seed=1, linger=5)
        assert [event.text.split("'")[1] for event in scene.of("stop")] == ["leak", "no flow"]
        assert outcome.result.safe_state.name == "leak"
        assert [scene.simulation.truth()[name] for name in PUMPS] == [0.0, 0.0]

    run(main, rate=INF)


def test_an_outlet_switched_on_while_the_coolant_is_kept_goes_off_again(tmp_path):
    async def meddling(scene: Scene) -> None:
        await scene.until(lambda: any("pdu.outlet" in event.text for event in scene.of("safe action")))
        await scene.clock.sleep(1.5)
        scene.simulation.plant.command("outlet[2]", 1.0)

    async def main() -> None:
        plan = HEAD + "  - {step: hold, for: 1 s}\n"
        outcome, scene = await play(plan, tmp_path, meddling, faults=["sensor_offset:cdu.return_temperature=20"])
        # the offset makes the coolant be kept for its two minutes
        assert outcome.exit_code == 4, outcome.reason
        assert outcome.verdict is Verdict.TRIPPED
        assert not any(scene.outlets())
        assert outcome.is_safe

    run(main, rate=INF)


def test_cleanup_does_not_stop_the_coolant_under_an_outlet_that_sticks(tmp_path):
    async def sticking(scene: Scene) -> None:
        await scene.running("soak")
        await scene.clock.sleep(5)
        scene.simulation.inject("outlet_stuck:3")
        scene.runner.request_stop(Verdict.ABORTED, "enough")

    async def main() -> None:
        outcome, scene = await play(CLEANUP, tmp_path, sticking, linger=5)
        assert outcome.exit_code == 5
        assert scene.outlets()[2] == 1.0
        assert [scene.simulation.truth()[name] for name in PUMPS] == [1.0, 1.0]
        assert outcome.result.steps[-1].verdict is Verdict.SKIPPED

    run(main, rate=INF)


def test_a_run_that_cannot_begin_switches_off_what_a_dead_one_left_on(tmp_path):
    async def left_on(scene: Scene) -> None:
        for k in range(1, 4):
            scene.simulation.plant.command(f"outlet[{k}]", 1.0)

    async def main() -> None:
        outcome, scene = await play(SOAK, tmp_path, left_on, faults=["device_silent:daq"])
        assert outcome.exit_code == 3
        assert "daq" in outcome.reason
        assert "pdu.outlet[1], pdu.outlet[2], pdu.outlet[3] are on" in scene.of("found")[0].text
        assert not any(scene.outlets())
        assert outcome.result.safe_state.name == "default"

    run(main, rate=INF)


def test_what_cannot_be_read_is_not_called_safe(tmp_path):
    async def main() -> None:
        outcome, _ = await play(SOAK, tmp_path, faults=["device_down:pdu"])
        assert outcome.exit_code == 3
        assert outcome.result.safe_state.name.endswith("pdu.outlet[8] are unknown")

    run(main, rate=INF)
