"""A control that changes without our command: said, and tripped when somebody else puts power on the rack."""

from __future__ import annotations

import asyncio
import os
import struct

from harness.clock import run
from harness.limits.verdict import Verdict
from tests.chaos.rig import HEAD, SOAK, Scene, play
from tests.foreign_tools import foreign

INF = float("inf")
HALF = """
schema: 1
plan: half
coverage: 90 %
setup:
  - {step: power_on, outlets: "pdu.outlet[1]", stagger: 1 s}
steps:
  - {step: hold, for: 40 s, watch: [{signal: cdu.supply_temperature, max: 90 degC}]}
"""
OUTLET_CONTROL = "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5"


def test_an_outlet_switched_on_by_somebody_else_trips(tmp_path):
    async def meddling(scene: Scene) -> None:
        await scene.running("hold")
        await scene.clock.sleep(5)
        scene.simulation.plant.command("outlet[5]", 1.0)

    async def main() -> None:
        outcome, scene = await play(HALF, tmp_path, meddling)
        assert outcome.verdict is Verdict.TRIPPED, outcome.reason
        assert outcome.exit_code == 4
        assert "pdu.outlet[5] was switched on by somebody else" in outcome.reason
        assert not any(scene.outlets())
        assert [each.name for each in outcome.result.interlocks if each.is_tripped] == ["foreign control"]
        assert scene.of("foreign control")[0].data["control"] == "pdu.outlet[5]"

    run(main, rate=INF)


def test_an_outlet_that_goes_off_by_itself_ends_the_run_as_error(tmp_path):
    async def meddling(scene: Scene) -> None:
        await scene.running("hold")
        await scene.clock.sleep(5)
        scene.simulation.inject("outlet_off:1")

    async def main() -> None:
        outcome, scene = await play(HALF, tmp_path, meddling)
        assert [event.data["control"] for event in scene.of("foreign control")] == ["pdu.outlet[1]"]
        assert (outcome.verdict, outcome.exit_code) == (Verdict.ERROR, 3), outcome.reason
        assert "pdu.outlet[1] is off, this run had set it to on" in outcome.reason
        assert not any(scene.outlets())

    run(main, rate=INF)


def test_a_setpoint_moved_by_somebody_else_ends_the_run_as_error(tmp_path):
    plan = (
        HEAD.replace("  - {step: power_on, outlets: pdu.outlet, stagger: 1 s}\n", "") + "  - {step: hold, for: 40 s}\n"
    )

    async def meddling(scene: Scene) -> None:
        await scene.running("hold")
        await scene.clock.sleep(8)
        _, _, host, port = scene.simulation.addresses["cdu"].replace("/", ":").split(":")[1:5]
        transport, _ = await scene.simulation.network.open_stream(host, int(port), asyncio.Protocol)
        transport.write(struct.pack(">HHHBBHH", 1, 0, 6, 12, 6, 37888, 900))  # write one register: 90.0 L/min
        await scene.clock.sleep(1)
        transport.close()

    async def main() -> None:
        outcome, scene = await play(plan, tmp_path, meddling)
        assert (outcome.verdict, outcome.exit_code) == (Verdict.ERROR, 3), outcome.reason
        said = scene.of("foreign control")
        assert [event.data["control"] for event in said] == ["cdu.flow_setpoint"]
        assert "this run set it to 172 L/min" in said[0].text

    run(main, rate=INF)


def test_our_own_commands_are_not_foreign(tmp_path):
    async def main() -> None:
        outcome, scene = await play(SOAK, tmp_path)
        assert outcome.verdict is Verdict.PASS, outcome.reason
        assert scene.of("foreign control") == []

    run(main, rate=INF)


def test_snmpset_from_outside_trips(tmp_path):
    foreign("snmpset")

    async def meddling(scene: Scene) -> None:
        await scene.running("hold")
        await asyncio.sleep(3)
        address = scene.simulation.addresses["pdu"].removeprefix("snmp://")
        command = ["snmpset", "-v2c", "-c", "public", "-On", address, f"{OUTLET_CONTROL}.6", "i", "1"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, env={**os.environ, "MIBS": ""}
        )
        _, said = await process.communicate()
        assert process.returncode == 0, said

    async def main() -> None:
        outcome, scene = await play(HALF, tmp_path, meddling)
        assert outcome.verdict is Verdict.TRIPPED, outcome.reason
        assert "pdu.outlet[6]" in outcome.reason
        assert not any(scene.outlets())

    run(main, rate=1)
