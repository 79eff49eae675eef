"""An interlock that is left out for a while, one that only warns, and a coolant that hangs on one instrument."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from harness.cli.commands.check import check
from harness.limits.verdict import Verdict
from harness.project.hazards import only_instrument
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.record.report import render_text
from harness.record.verification import verify
from harness.schema.problems import ProblemsError
from harness.schema.source import parse_source, validate
from harness.schema.station import Interlock
from tests.plan_runs import STATION, run_plan, write_plan

TODAY = datetime.now(UTC).date()
STEPS = "- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}\n- {step: hold, name: hold, for: 20 s}"


def bypass(name="no flow", until=TODAY, **more):
    given = {"interlock": name, "owner": "A. Keller", "until": str(until), "reason": "meter is away", **more}
    entry = ", ".join(f"{key}: {value}" for key, value in given.items() if value)
    return f"bypass:\n  - {{{entry}}}\n"


def station_with(folder, head):
    path = folder / "station.yaml"
    path.write_text(STATION.read_text().replace("interlocks:\n", f"{head}interlocks:\n"))
    return path


@pytest.mark.parametrize("where", ["plan", "station"])
def test_a_bypassed_interlock_does_not_trip_and_the_run_is_an_engineering_run(tmp_path, where):
    """The fault trips without the bypass: judged by the truth, the rack stays on to the end of the step."""
    fault = ["flow_meter_zero@6s"]
    head = bypass() + bypass("too little flow for the power").removeprefix("bypass:\n")
    station = station_with(tmp_path, head if where == "station" else "")
    plan = write_plan(tmp_path, STEPS, head if where == "plan" else "")
    held = []

    def during(_runner, simulation):
        async def look():
            await asyncio.sleep(15)
            held.append(simulation.truth()["outlet[1].state"])

        return look()

    ran = run_plan(plan, tmp_path / "data", station=station, faults=fault, during=during)
    assert held == [1.0]
    assert ran.outcome.verdict is not Verdict.TRIPPED, ran.reason
    assert [why.partition(":")[0] for why in ran.outcome.result.engineering] == [
        f"interlock {name!r} is bypassed by A. Keller until {TODAY}"
        for name in ("no flow", "too little flow for the power")
    ]
    assert len(ran.texts("engineering")) == 2, "told at the start"
    reported = f"bypassed by A. Keller until {TODAY}: meter is away"
    rows = {row.name: row for row in ran.outcome.result.interlocks}
    assert (rows["no flow"].bypassed, rows["no flow"].is_proved, rows["no flow"].armed_s) == (reported, False, None)
    assert rows["leak"].bypassed == ""
    report = render_text(ran.outcome.folder)
    assert f"  {'no flow':<24}{reported}\n" in report
    assert verify(ran.outcome.folder) == []
    plain = run_plan(write_plan(tmp_path, STEPS), tmp_path / "data", faults=fault)
    assert plain.exit_code == 4


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (bypass(until=TODAY - timedelta(days=1)), "HX-1377 the bypass of 'no flow' by A. Keller ended on"),
        (bypass("no flw"), "HX-1376 no interlock is named 'no flw', did you mean 'no flow'?"),
        (bypass(owner=""), "HX-1204"),
        (bypass(reason=""), "HX-1204"),
        (bypass(until=TODAY + timedelta(days=92)), "HX-1379 the bypass of 'no flow' by A. Keller ends in 9"),
        (bypass(until="2999-12-31"), "longer than the 90 days that this station allows"),
        (bypass(until=""), "HX-1204"),
        (bypass(until="next week"), "HX-1206 'next week' is not a day, write it like 2026-12-31"),
    ],
)
def test_a_bypass_has_an_owner_a_last_day_and_a_reason(tmp_path, head, words):
    plan = write_plan(tmp_path, STEPS)
    with pytest.raises(ProblemsError) as error:
        load_project(plan, load_station(station_with(tmp_path, head)))
    assert words in str(error.value)
    with pytest.raises(ProblemsError) as error:
        load_project(write_plan(tmp_path, STEPS, head), load_station(STATION))
    assert words in str(error.value)


def test_a_bypass_that_has_ended_does_not_keep_a_rack_from_being_made_safe(tmp_path, capsys):
    path = station_with(tmp_path, bypass(until=TODAY - timedelta(days=1)))
    assert load_station(path).station.bypass
    assert check.main([str(path)], standalone_mode=False) == 2
    assert "HX-1377" in capsys.readouterr().err


def test_what_is_bypassed_switches_nothing_off(tmp_path):
    lines = STATION.read_text().splitlines()
    names = [line.partition("{name: ")[2].partition(",")[0] for line in lines if "{name: " in line]
    head = "bypass:\n" + "".join(bypass(name).removeprefix("bypass:\n") for name in names)
    with pytest.raises(ProblemsError, match="is energised, but no interlock would switch it off"):
        load_project(write_plan(tmp_path, STEPS), load_station(station_with(tmp_path, head)))


def test_a_slow_pump_is_told_and_stops_nothing(tmp_path):
    ran = run_plan(write_plan(tmp_path, STEPS), tmp_path / "data", faults=["pump_stop:1@8s"])
    assert ran.texts("stop") == []
    (reported,) = ran.texts("warning")
    assert reported.startswith("pump 1 is slow: cdu.pump[1].rpm is ")
    assert [note for note in ran.outcome.result.notes if note.startswith("warning of 'pump 1 is slow': ")]
    assert run_plan(write_plan(tmp_path, STEPS), tmp_path / "data").texts("warning") == []


def test_a_warning_leads_nowhere():
    text = b"{name: slow, signal: cdu.flow, min: 1 L/min, action: warn, on_trip: default}"
    with pytest.raises(ProblemsError, match="a warning leads nowhere"):
        validate(parse_source(text, "interlock.yaml"), Interlock)


INSTRUMENTS = {
    "cdu.flow": ["signal: cdu.flow, min: 20 L/min"],
    "cdu.flow ": ["signal: cdu.flow, min: 20 L/min", "signal: cdu.flow_per_power, min: 0.7 L/min"],
    "cdu.flow  ": ["signal: cdu.flow, min: 20 L/min", "signal: cdu.return_temperature, max: 60 degC"],
    "cdu.flow   ": ["signal: cdu.flow, min: 20 L/min", "signal: cdu.differential_pressure, min: 6 kPa, action: warn"],
    "cdu.level": ["signal: cdu.level, equals: ok"],
    "": ["signal: cdu.flow, min: 20 L/min", "signal: cdu.differential_pressure, min: 6 kPa"],
    " ": ["signal: pdu.power, max: 150 kW"],
}


@pytest.mark.parametrize("instrument", list(INSTRUMENTS))
def test_the_instrument_that_all_hang_on_is_named(instrument):
    catalog = load_station(STATION).catalog
    specs = [
        validate(parse_source(f"{{name: i{k}, {line}}}".encode(), "interlock.yaml"), Interlock)
        for k, line in enumerate(INSTRUMENTS[instrument])
    ]
    assert only_instrument(catalog, specs) == instrument.strip()


def test_check_says_it_and_refuses_nothing(tmp_path, capsys):
    text = STATION.read_text()
    guard = next(line for line in text.splitlines() if "{name: no pressure drop" in line)
    (tmp_path / "station.yaml").write_text(text.replace(guard + "\n", ""))
    assert check.main([str(tmp_path / "station.yaml")], standalone_mode=False) == 0
    said = capsys.readouterr()
    assert "HX-1387 warning: if cdu.flow stands still, no interlock sees that the coolant does" in said.err
    assert "ok, station simulated" in said.out
    assert check.main([str(STATION)], standalone_mode=False) == 0
    assert "HX-1387" not in capsys.readouterr().err


def test_check_says_which_limit_hangs_on_what_may_stand_still_unseen(tmp_path, capsys):
    plan = tmp_path / "plan.yaml"
    step = "{step: measure, signal: SIGNAL, over: 4 s, limit: {max: MOST}}"
    for signal, most, is_blind in (
        ("cdu.input_voltage", "60 V", True),
        ("shelf1.output_voltage", "60 V", False),  # its heartbeat shows a controller that hangs
        ("cdu.flow", "900 L/min", False),
    ):
        one = step.replace("SIGNAL", signal).replace("MOST", most)
        plan.write_text(f"schema: 1\nplan: trial\ncoverage: 90 %\nsteps:\n- {one}\n")
        assert check.main([str(plan)], standalone_mode=False) == 0
        said = capsys.readouterr().err
        assert (f"HX-1388 warning: limits hang on {signal}" in said) is is_blind, said
