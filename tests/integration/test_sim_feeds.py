"""Stations with several PDUs: what one is told moves its own outlets, and a run over both is a run like any other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sim
from harness.clock import run
from harness.errors import ConfigError
from harness.schema.source import parse_source, validate
from harness.schema.station import Station
from tests.foreign_tools import foreign
from tests.integration.sim_station_tools import V2C, all_profiles, number, port_of, tool, until, walk
from tests.plan_runs import run_plan

APC_COMMAND, APC_STATE = "1.3.6.1.4.1.318.1.1.26.9.2.4.1.5", "1.3.6.1.4.1.318.1.1.26.9.2.3.1.5"
RARITAN_COMMAND, RARITAN_STATE = "1.3.6.1.4.1.13742.6.4.1.2.1.2.1", "1.3.6.1.4.1.13742.6.4.1.2.1.3.1"
SIMULATED = Path(__file__).parents[2] / "testplans" / "stations" / "simulated.yaml"
PLAN = """
schema: 1
plan: two-feeds
coverage: 90 %
setup:
  - {step: set, name: coolant, control: cdu.flow_setpoint, to: 172 L/min}
  - {step: power_on, name: feed A, outlets: pdu.outlet, stagger: 200 ms}
  - {step: power_on, name: feed B, outlets: pdu_b.outlet, stagger: 200 ms}
steps:
  - {step: soak, for: 20 s, load: 100 %, watch: [{signal: cdu.supply_temperature, max: 60 degC}]}
  - {step: measure, name: power of B, signal: pdu_b.power, over: 5 s, statistic: mean, limit: {min: 60 kW, max: 70 kW}}
"""


def three_pdus(extra: str = "") -> Station:
    """A station with PDUs of three makers, and a meter ahead of them."""
    text = f"""
schema: 1
station: feeds
{extra}
devices:
  pdu_a: {{profile: pdu/apc_rpdu2, address: "snmp://a", counts: {{outlet: 8}}}}
  pdu_b: {{profile: pdu/raritan_pdu2, address: "snmp://b", counts: {{outlet: 24}}}}
  pdu_c: {{profile: pdu/redfish_pdu, address: "redfish://c"}}
  meter: {{profile: meter/yokogawa_wt, address: "TCPIP::m::1::SOCKET"}}
"""
    return validate(parse_source(text.encode(), "station.yaml"), Station)


def closed(truth: dict[str, float], pdu: str) -> list[int]:
    """The numbers of the outlets of a PDU that are closed."""
    start, end = f"{pdu}.outlet[", "].state"
    return sorted(int(name[len(start) : -len(end)]) for name, on in truth.items()
                  if name.startswith(start) and name.endswith(end) and on)  # fmt: skip


def test_what_snmpset_tells_one_pdu_moves_no_other():
    foreign("snmpget", "snmpset", "snmpbulkwalk")

    async def main():
        simulation = await sim.start(three_pdus(), all_profiles())
        try:
            a, b = simulation.addresses["pdu_a"], simulation.addresses["pdu_b"]
            await tool("snmpset", *V2C, f"127.0.0.1:{port_of(a)}", f"{APC_COMMAND}.3", "i", "1")
            for outlet in (5, 24):
                await tool("snmpset", *V2C, f"127.0.0.1:{port_of(b)}", f"{RARITAN_COMMAND}.{outlet}", "i", "1")

            async def moved():
                return simulation.truth()["outlets.closed"] == 3

            await until(moved)
            truth = simulation.truth()
            assert [closed(truth, name) for name in ("pdu_a", "pdu_b", "pdu_c")] == [[3], [5, 24], []]
            assert sum(name.startswith("pdu_b.outlet[") and name.endswith(".state") for name in truth) == 24
            assert [k for k, state in (await walk(V2C, a, APC_STATE)).items() if state == "2"] == ["3"]
            shown = await walk(V2C, b, RARITAN_STATE)
            on = {k for k, state in shown.items() if state == "7"}
            assert (len(shown), on) == (24, {"5", "24"})

            async def powered():
                return simulation.truth()["pdu_b.power"] > 1000

            await until(powered)
            simulation.inject("outlet_off:pdu_b.5")
            simulation.inject("sensor_offset:pdu_a.power=3000")
            assert closed(simulation.truth(), "pdu_b") == [24]
            watts = 10 * await number(V2C, a, "1.3.6.1.4.1.318.1.1.26.4.3.1.5.1")
            assert watts == pytest.approx(simulation.truth()["pdu_a.power"] + 3000, rel=0.1)
        finally:
            await simulation.close()

    run(main)


@pytest.mark.parametrize(
    ("feeds", "what"),
    [
        ("pdu_x: [1]", "no device"),
        ("meter: [1]", "no PDU"),
        ("pdu_a: [1, 2, 3, 4, 5, 6, 7, 8, 1]", "has 8"),
        ("pdu_a: [9]", "no shelf 9"),
        ("pdu_a: [-1]", "at least 0"),
    ],
)
def test_a_wiring_that_cannot_be_is_refused(feeds, what):
    async def main():
        await sim.start(three_pdus(f"simulation: {{feeds: {{{feeds}}}}}"), all_profiles(), virtual=True)

    with pytest.raises(ConfigError, match=what):
        run(main, rate=float("inf"))


def test_the_stations_wiring_is_the_racks():
    async def main():
        simulation = await sim.start(
            three_pdus("simulation: {feeds: {pdu_a: [8], pdu_b: [0, 7], pdu_c: []}}"), all_profiles(), virtual=True
        )
        plant = simulation.plant
        for name in ("pdu_a.outlet[1]", "pdu_b.outlet[1]", "pdu_b.outlet[2]", "pdu_c.outlet[1]"):
            plant.command(name, 1)
        plant.advance(10)
        assert [k for k in range(1, 9) if plant.truth(f"shelf[{k}].on")] == [7, 8]
        assert plant.truth("outlets.closed") == 4
        await simulation.close()

    run(main, rate=float("inf"))


@pytest.mark.parametrize("count", [8, 4])
@pytest.mark.parametrize("profile", ["pdu/raritan_pdu2", "pdu/apc_rpdu2"])
def test_a_plan_over_two_feeds_passes_and_leaves_both_off(tmp_path, count, profile):
    """It used to end with a trip: what was told one PDU was a foreign hand at the other."""
    text = SIMULATED.read_text().replace("counts: {outlet: 8}", f"counts: {{outlet: {count}}}")
    second = f'  pdu_b: {{profile: {profile}, address: "snmp://127.0.0.1:16109", counts: {{outlet: {count}}}}}\n'
    text = text.replace("  cdu:    {", f"{second}  cdu:    {{", 1)
    both = re.sub(r'^( +- {set: )pdu(.outlet, to: "off").*$', r"\1pdu_b\2}\n\g<0>", text, flags=re.MULTILINE)
    assert both.count("set: pdu_b.outlet") == text.count("set: pdu.outlet") == 3
    text = both
    (tmp_path / "station.yaml").write_text(text)
    (tmp_path / "plan.yaml").write_text(PLAN)
    ran = run_plan(tmp_path / "plan.yaml", tmp_path, station=tmp_path / "station.yaml")
    assert ran.exit_code == 0, ran.reason
    assert ran.truth["outlets.closed"] == 0
    assert closed(ran.truth, "pdu") == closed(ran.truth, "pdu_b") == []
    assert ran.truth["mains.energy"] == pytest.approx(ran.truth["pdu.energy"] + ran.truth["pdu_b.energy"], rel=0.01)
    assert 0.4 < ran.truth["pdu_b.energy"] < ran.truth["pdu.energy"] < 0.6, (
        "the first carried the rack alone for a while"
    )
