"""Nothing is energised that is not watched for every hazard and that the safe state would not switch off."""

from __future__ import annotations

from typing import Annotated

import pytest

from harness.api import ControlRef, Params, step
from harness.limits.verdict import Verdict
from harness.project.plan import load_project
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from tests.plan_runs import STATION, install_steps, run_plan, write_plan

POWER = "- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}\n"
CONTACT = "rack.running, one_of: [idle, running]"
"""An input whose name says nothing."""
WATCHED = {
    "coolant": ["signal: cdu.flow, min: 20 L/min", "signal: cdu.level, equals: ok",
                "signal: cdu.flow_each, min: 1 L/min",
                "signals: [cdu.flow, cdu.flow_setpoint], vote: 1oo2, min: 20 L/min"],
    "temperature": ["signal: cdu.supply_temperature, max: 55 degC", "signal: cdu.return_temperature, max_rate: 2 K/s",
                    'signal: "daq.channel[1].temperature", max: 70 degC', "signal: cdu.delta_temperature, max: 20 K"],
    "leak": ["signal: cdu.leak, equals: dry, on_trip: leak", "signal: cdu.leak_zones, equals: none, on_trip: leak"],
    "emergency_stop": ["signal: cdu.alarms, one_of: [filter, pump]", f"signal: {CONTACT}, guards: emergency_stop"],
    "door": [f"signal: {CONTACT}, guards: door"],
}  # fmt: skip
NOT_WATCHED = {
    "coolant": ["signal: cdu.flow, max: 300 L/min", "signal: cdu.heat, max: 150 kW",
                "signal: cdu.flow, min: 20 L/min, armed_in: [hold]", "signal: pdu.power, max: 150 kW",
                "signal: cdu.flow_setpoint, min: 20 L/min", "signal: cdu.flow_of_two, min: 20 L/min",
                "signals: [cdu.flow, cdu.flow_setpoint], vote: 2oo2, min: 20 L/min"],
    "temperature": ["signal: cdu.supply_temperature, min: 10 degC", "signal: cdu.ambient_temperature, max: 50 degC",
                    "signal: cdu.supply_temperature_setpoint, max: 55 degC"],
    "leak": ["signal: cdu.leak_sensor, equals: ok"],
    "emergency_stop": ["signal: cdu.alarms, one_of: [filter, emergency_stop]"],
    "door": ["signal: cdu.level, equals: ok"],
}  # fmt: skip
FLOW_EACH = """
  cdu.flow_each:
    function: flow_per_power
    inputs: {flow: cdu.flow, power: pdu.power}
  cdu.flow_of_two:
    function: sum
    inputs: {a: cdu.flow, b: cdu.flow_setpoint}
    unit: L/min
"""


def station(folder, interlocks=(), unguarded=(), stays_on="", changes=()):
    """The simulated station with other interlocks and reasons, and with changes (old, new) of its text."""
    text = STATION.read_text()
    head, _, rest = text.partition("interlocks:\n")
    _, _, tail = rest.partition("\nsafe_state:\n")
    before, _, after = tail.partition("  end: ")
    tail = f"{before}  leak: {after.partition('  leak: ')[2]}"  # two sequences are enough here
    lines = "".join(f"  - {{name: trial {k}, {line}}}\n" for k, line in enumerate(interlocks))
    reasons = ", ".join(f"{hazard}: for a trial" for hazard in unguarded)
    head = head.replace("derived:\n", f"derived:{FLOW_EACH}", 1)
    middle = (f"interlocks:\n{lines}" if lines else "") + f"unguarded: {{{reasons}}}\n{stays_on}"
    whole = f"{head}{middle}safe_state:\n{tail}"
    for old, new in changes:
        assert old in whole, old
        whole = whole.replace(old, new)
    (folder / "station.yaml").write_text(whole)
    return folder / "station.yaml"


def refusal(folder, path, steps=POWER, head=""):
    """What is wrong with a plan on a station; '' when nothing is."""
    plan = write_plan(folder, steps + "- {step: hold, name: hold, for: 2 s}", head)
    try:
        load_project(plan, load_station(path))
    except ProblemsError as error:
        return "\n".join(str(problem) for problem in error.problems)
    return ""


def others(hazard):
    return [each for each in WATCHED if each != hazard]


@pytest.mark.parametrize("hazard", list(WATCHED))
def test_a_plan_that_energises_needs_every_hazard_watched(tmp_path, hazard):
    for line in WATCHED[hazard]:
        assert refusal(tmp_path, station(tmp_path, [line], others(hazard))) == "", line
    for line in NOT_WATCHED[hazard]:
        text = refusal(tmp_path, station(tmp_path, ["signal: pdu.power, max: 1 MW", line], others(hazard)))
        assert "HX-1381" in text, line
        assert f"unguarded: {{{hazard}: ...}}" in text


def test_the_plans_own_interlocks_count(tmp_path):
    path = station(tmp_path, ["signal: cdu.flow, min: 20 L/min"], others("leak"))
    assert "watches: leak" in refusal(tmp_path, path).replace("watches: leak,", "watches: leak")
    own = "interlocks:\n  - {name: own, signal: cdu.leak, equals: dry, on_trip: leak}"
    assert refusal(tmp_path, path) != ""
    assert refusal(tmp_path, path, head=own) == ""


def test_a_plan_that_energises_nothing_needs_no_interlock(tmp_path):
    assert refusal(tmp_path, station(tmp_path), steps="- {step: set, control: rack.level, to: 30 %}\n") == ""


@pytest.mark.parametrize("text", ["{doors: none}", "{door: ''}", "[door]"])
def test_a_reason_is_a_text_under_a_known_hazard(tmp_path, text):
    path = station(tmp_path)
    path.write_text(path.read_text().replace("unguarded: {}", f"unguarded: {text}"))
    with pytest.raises(ProblemsError, match="HX-12"):
        load_station(path)


class Zap(Params):
    """A step of somebody else: nothing in it says that it energises."""

    what: tuple[ControlRef, ...] = ()
    note: Annotated[str, "no control"] = ""


@step("zap", version=1)
async def zap(ctx, p: Zap) -> None:
    """Do something to controls."""
    for control in p.what:
        await ctx.act(control, "on")


@pytest.mark.parametrize(
    ("given", "is_refused"), [("[rack.level]", False), ('["pdu.outlet[3]"]', True), ("[rack.level, pdu.outlet]", True)]
)
def test_a_step_of_somebody_else_may_only_be_given_what_an_interlock_would_switch_off(
    tmp_path, monkeypatch, given, is_refused
):
    install_steps(monkeypatch, zap)
    steps = f"- {{step: zap, what: {given}}}\n"
    text = refusal(tmp_path, station(tmp_path), steps)
    assert ("is energised, but no interlock would switch it off" in text) is is_refused
    assert refusal(tmp_path, STATION, steps) == "", "the station that ships switches it off"


@pytest.mark.parametrize("name", ["power_on", "power_off"])
def test_what_puts_no_power_on_the_rack_is_not_switched_as_if_it_did(tmp_path, name):
    text = refusal(tmp_path, STATION, f"- {{step: {name}, outlets: cdu.pump}}\n")
    assert "HX-1352 cdu.pump puts no power on the rack" in text


# --- the safe state reaches every switch -----------------------------------------------------------------------------

ONE_TO_SEVEN = "".join(f'    - {{set: "pdu.outlet[{k}]", to: "off", confirm_within: 5 s}}\n' for k in range(1, 8))
DEFAULT = '    - {set: pdu.outlet, to: "off", confirm_within: 5 s, confirm_by: {signal: pdu.power, max: 500 W}}\n'
LEAK = '      - {set: pdu.outlet, to: "off", confirm_within: 5 s}\n'
EACH = [(DEFAULT, ONE_TO_SEVEN), (LEAK, ONE_TO_SEVEN.replace("    -", "      -"))]
STAYS = 'stays_on: {"pdu.outlet[8]": feeds the CDU}\n'
EVERY = ["signal: cdu.flow, min: 20 L/min", "signal: cdu.leak, equals: dry, on_trip: leak"]


@pytest.mark.parametrize(
    ("stays_on", "changes", "words"),
    [
        ("", EACH[:1], "HX-1384 the sequence 'default' leaves pdu.outlet[8] as found"),
        ("", EACH[1:], "HX-1384 the sequence 'leak' leaves pdu.outlet[8] as found"),
        (STAYS, [], "HX-1383 pdu.outlet[8] stays on (feeds the CDU), and this sequence sets it"),
        (STAYS.replace("[8]", "[9]"), EACH, "HX-1307 unknown control 'pdu.outlet[9]'"),
        ('stays_on: {cdu.pump: "it cools"}\n', [], "HX-1383 cdu.pump puts no power on anything"),
        (STAYS.replace("feeds the CDU", '" "'), EACH, "HX-1206 ' ' is not a title"),
        ("", [(DEFAULT, DEFAULT.replace('"off"', '"on"'))],
         "HX-1385 a safe state puts no power on: pdu.outlet to 'on'"),
    ],
)  # fmt: skip
def test_a_sequence_that_leaves_a_switch_or_puts_one_on_is_refused(tmp_path, stays_on, changes, words):
    with pytest.raises(ProblemsError) as error:
        load_station(station(tmp_path, EVERY, stays_on=stays_on, changes=changes))
    assert words in str(error.value)


def test_what_stays_on_is_left_on_and_alone(tmp_path):
    """Judged by the truth: an outlet that feeds the CDU is on before, during and after the run, which is confirmed."""
    path = station(tmp_path, EVERY, others("leak"), stays_on=STAYS, changes=EACH)

    def feed(_runner, simulation):
        simulation.plant.command("outlet[8]", 1.0)

    steps = '- {step: power_on, outlets: "pdu.outlet[1]"}\n'
    steps += "- {step: measure, signal: cdu.flow, over: 5 s, limit: {min: 100 L/min}}"
    ran = run_plan(write_plan(tmp_path, steps), tmp_path, station=path, during=feed)
    assert (ran.outcome.verdict, ran.outcome.is_safe, ran.on) == (Verdict.PASS, True, [8]), ran.reason


def test_no_step_touches_what_stays_on(tmp_path):
    path = station(tmp_path, EVERY, others("leak"), stays_on=STAYS, changes=EACH)
    for steps in (POWER, '- {step: set, control: "pdu.outlet[8]", to: "off"}\n'):
        assert "HX-1382 pdu.outlet[8] stays on (feeds the CDU): no run touches it" in refusal(tmp_path, path, steps)


# --- each device is another one --------------------------------------------------------------------------------------

PDU = next(f"{line}\n" for line in STATION.read_text().splitlines() if line.startswith("  pdu: "))


@pytest.mark.parametrize(
    ("entry", "is_one"),
    [
        ('{profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:16100"}', True),
        ('{profile: pdu/apc_rpdu2, address: "snmp://localhost:16100"}', True),
        ('{profile: pdu/raritan_pdu2, address: "snmp://127.0.0.1:16100"}', True),
        ('{profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:16100", parameters: {module: 1}}', True),
        ('{profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:16100", parameters: {module: 2}}', False),
        ('{profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:16109"}', False),
        ('{profile: shelf/orv3_hpr_psu, address: "modbus+tcp://127.0.0.1:15021/144", parameters: {shelf: 2}}', True),
        ('{profile: shelf/orv3_hpr_psu, address: "modbus+tcp://127.0.0.1:15021/145", parameters: {shelf: 2}}', False),
    ],
)
def test_two_entries_at_one_address_are_one_device(tmp_path, entry, is_one):
    head = "  default:                        # heat off before coolant off\n"
    off = '    - {set: other.outlet, to: "off"}\n'
    changes = [(PDU, f"{PDU}  other: {entry}\n"), (head, head + off), (LEAK, f"{LEAK}  {off}")]
    if "shelf/" in entry:
        changes = changes[:1]
    path = station(tmp_path, EVERY, changes=changes)
    if not is_one:
        load_station(path)
        return
    with pytest.raises(ProblemsError, match=r"HX-1386 .* has the address of"):
        load_station(path)


def test_two_entries_that_answer_with_one_serial_number_are_one_device(tmp_path):
    """Behind another name or a second network card of one PDU: nothing in the files can show it, its answer does."""
    second = PDU.replace("pdu: ", "second: ").replace("16100", "16111").replace("slow: 20 s", "serial: SIM-pdu")
    off = '    - {set: second.outlet, to: "off"}\n'
    changes = [(PDU, PDU + second), (DEFAULT, DEFAULT + off), (LEAK, f"{LEAK}  {off}")]
    path = station(tmp_path, EVERY, others("leak"), changes=changes)
    ran = run_plan(write_plan(tmp_path, POWER), tmp_path, station=path)
    outlets = {name: state for name, state in ran.truth.items() if "outlet[" in name and name.endswith(".state")}
    assert ran.exit_code == 3
    assert len(outlets) == 16
    assert not any(outlets.values())
    assert ran.reason.startswith("pdu and second are one device: both answer with the serial number SIM-pdu")
