"""A plan with many mistakes: all of them at once, each at its place, fast, and nothing contacted."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys

import pytest

from harness.project.plan import load_project
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from tests.plan_runs import PLANS, ROOT, STATION
from tests.run.planted import PLAN

PLANTED = [
    (number, *mark.groups())
    for number, line in enumerate(PLAN.splitlines(), 1)
    if (mark := re.search(r"# (HX-\d+) (.+)$", line))
]


def problems(folder, plan, settings=None):
    """What is wrong with a plan on the simulated station."""
    (folder / "plan.yaml").write_text(plan)
    for name, found in (("limits", "nvl72"), ("base", "base")):
        (folder / f"{name}.yaml").write_text((PLANS / "limits" / f"{found}.yaml").read_text())
    with pytest.raises(ProblemsError) as error:
        load_project(folder / "plan.yaml", load_station(STATION), settings or {})
    return error.value.problems


def test_twenty_mistakes_are_twenty_problems_each_at_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "socket", None)  # checking contacts nothing
    assert len(PLANTED) == 20
    found = problems(tmp_path, PLAN)
    assert [(p.line, p.code) for p in found] == [(line, code) for line, code, _ in PLANTED]
    for problem, (_, _, words) in zip(found, PLANTED, strict=True):
        assert words in problem.message + " " + problem.hint
        assert problem.column > 0
        assert str(problem).startswith(f"{tmp_path / 'plan.yaml'}:{problem.line}:{problem.column}: HX-")
        assert "\n" not in str(problem)


SYNTAX = """\
schema: 1
plan: syntax
interlocks:
  - {name: hot, signal: cdu.supply_temperature, max: .nan}
steps:
  - step: hold
    name: one
    for: 5 s
    for: 6 s
  - step: hold
    name: two
    for: !!str 5 s
  - step: hold
    name: &anchor three
    for: ${nothing}
  - step: hold
    name: one
    for: 5 s
"""


def test_what_yaml_allows_and_a_plan_does_not(tmp_path):
    text = "\n".join(str(problem) for problem in problems(tmp_path, SYNTAX))
    for line, word in ((4, "nan"), (9, "for"), (12, "tag"), (15, "nothing")):
        assert re.search(rf"plan\.yaml:{line}:\d+: HX-\d+ .*{word}", text, re.IGNORECASE), f"line {line} in\n{text}"


GOOD = """\
schema: 1
plan: good
parameters: {soak_time: {default: 4 h}}
steps:
  - {step: hold, for: "${soak_time}"}
"""


def test_a_setting_that_the_plan_does_not_know(tmp_path):
    (found,) = problems(tmp_path, GOOD, {"soak_tim": "2 min"})
    assert "--set soak_tim: the plan has no such parameter, did you mean 'soak_time'?" in str(found)


def test_a_setting_of_the_wrong_kind(tmp_path):
    (found,) = problems(tmp_path, GOOD, {"soak_time": "45 degC"})
    assert "duration" in str(found)


def test_a_setting_replaces_the_default(tmp_path):
    (tmp_path / "plan.yaml").write_text(GOOD)
    project = load_project(tmp_path / "plan.yaml", load_station(STATION), {"soak_time": "2 min"})
    assert project.steps[0].params.for_ == 120.0
    assert project.parameters == {"soak_time": "2 min"}


SHIPPED = ["smoke.yaml", "acceptance.yaml", "burn_in_24h.yaml", "network_acceptance.yaml"]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_plans_that_ship_are_right(name):
    project = load_project(PLANS / name, load_station(STATION))
    titles = [step.title for step in project.steps]
    assert len(set(titles)) == len(titles)
    for limit in project.limits.values():
        assert re.search(
            r"engineering|quoted|computed|public|OpenBIC|ORv3|240 V|wiring|setpoint|plausib|Blasius|NVIDIA|IEEE",
            limit.limit.provenance,
        )


def test_every_limit_of_the_set_is_used_by_some_plan():
    used = "".join(path.read_text() for path in [*PLANS.glob("*.yaml"), *PLANS.glob("sequences/*.yaml")])
    names = load_project(PLANS / "smoke.yaml", load_station(STATION)).limits
    assert [name for name in names if not re.search(rf": {name}\b", used)] == []


@pytest.mark.parametrize(
    ("interlocks", "is_refused"),
    [("", False), ("interlocks: []", False)],
)
def test_energising_what_an_interlock_covers_is_allowed(tmp_path, interlocks, is_refused):
    (tmp_path / "plan.yaml").write_text(
        f"schema: 1\nplan: p\n{interlocks}\nsteps:\n  - {{step: power_on, outlets: pdu.outlet}}\n"
    )
    assert load_project(tmp_path / "plan.yaml", load_station(STATION)).steps


def test_energising_what_nothing_would_switch_off_is_refused(tmp_path):
    station = STATION.read_text().replace("{set: pdu.outlet, to:", '{set: "pdu.outlet[1]", to:')
    (tmp_path / "station.yaml").write_text(station)
    (tmp_path / "plan.yaml").write_text("schema: 1\nplan: p\nsteps:\n  - {step: power_on, outlets: pdu.outlet}\n")
    left = r"HX-1384 the sequence 'default' leaves pdu.outlet\[2\], .* and 3 more as found"
    with pytest.raises(ProblemsError, match=left):
        load_station(tmp_path / "station.yaml")


def test_an_interlock_of_some_steps_does_not_watch_what_stays_on(tmp_path):
    lines = STATION.read_text().splitlines()
    alike = [
        line.replace("{name:", "{armed_in: [soak], name:") if line.startswith("  - {name:") else line for line in lines
    ]
    (tmp_path / "station.yaml").write_text("\n".join(alike))
    (tmp_path / "plan.yaml").write_text(
        "schema: 1\nplan: p\nsteps:\n  - {step: power_on, outlets: pdu.outlet}\n"
        "  - {step: hold, name: soak, for: 9 s}\n"
    )
    with pytest.raises(ProblemsError, match=r"pdu.outlet\[1\] is energised, but no interlock would switch it off"):
        load_project(tmp_path / "plan.yaml", load_station(tmp_path / "station.yaml"))


def test_a_safe_state_that_stops_the_coolant_first_is_refused(tmp_path):
    pump = '    - {set: cdu.pump, to: "off", confirm_within: 5 s}\n'
    heat = "    - {set: pdu.outlet, to:"
    head = "  default:                        # heat off before coolant off\n"
    text = STATION.read_text()
    assert head in text
    (tmp_path / "station.yaml").write_text(text.replace(head, head + pump))
    with pytest.raises(ProblemsError, match=r"HX-1323 cdu.pump stops the coolant before pdu.outlet takes the heat off"):
        load_station(tmp_path / "station.yaml")
    last = text.replace("at_most: 2 min}\n", "at_most: 2 min}\n" + pump, 1)
    assert last.index(heat) < last.index(pump)
    (tmp_path / "station.yaml").write_text(last)
    assert len(load_station(tmp_path / "station.yaml").station.safe_state["default"]) == 3


def test_a_signal_has_one_vote(tmp_path):
    three = (
        "signals: [cdu.supply_temperature, cdu.return_temperature, cdu.supply_temperature], vote: 2oo3, max: 60 degC"
    )
    station = STATION.read_text().replace("interlocks:\n", f"interlocks:\n  - {{name: hot, {three}}}\n")
    (tmp_path / "station.yaml").write_text(station)
    with pytest.raises(ProblemsError, match="a vote needs different signals"):
        load_station(tmp_path / "station.yaml")


def test_a_station_without_the_sequence_that_ends_a_run(tmp_path):
    station = STATION.read_text().replace("  default:", "  gentle:").replace("signal: cdu.leak,", "signal: cdu.leak, ")
    (tmp_path / "station.yaml").write_text(station)
    with pytest.raises(ProblemsError, match="there is no sequence 'default'"):
        load_station(tmp_path / "station.yaml")


def test_a_limit_set_outside_the_plans_folder_is_not_read(tmp_path):
    (found, *_) = problems(tmp_path, GOOD.replace("plan: good", "plan: good\nlimits: ../secret.yaml"))
    assert "outside the plan's folder" in str(found)


def test_the_check_is_quick():
    """Bench in the small: CPU of checking the plan with 20 mistakes, start-up of Python and imports left out."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "check.py"), "3"], capture_output=True, text=True, check=True, timeout=60
    )
    figures = json.loads(done.stdout)
    assert figures["problems"] == 20
    assert figures["cpu_ms"] < 600, "the goal is 300 ms; twice that leaves room for a busy machine"


ONE_MORE = """\
schema: 1
plan: more
coverage: {coverage}
steps:
  - {{step: hold, for: "${{nothing}}"}}
  - {{step: set, control: rack.level, to: 400 %}}
  - {{step: soak, for: 10 s, load: {load}, coverage: {coverage}}}
"""


def test_a_mistake_in_one_step_hides_none_of_another(tmp_path):
    found = problems(tmp_path, ONE_MORE.format(coverage="99 %", load="130 %"))
    assert [(p.line, p.code) for p in found] == [(5, "HX-1201"), (6, "HX-1352"), (7, "HX-1352")]
    assert "130 % is outside 0 to 100 %" in found[2].message


@pytest.mark.parametrize("coverage", ["0 %", "-5 %", "101 %"])
def test_a_coverage_that_asks_for_nothing_or_for_too_much(tmp_path, coverage):
    found = problems(tmp_path, ONE_MORE.format(coverage=coverage, load="100 %"))
    assert [p.line for p in found if "share of the samples" in p.message] == [3, 7]


BAD_STATION = """\
schema: 1
station: bad
devices:
  pdu: {profile: pdu/apc_rpdu3, address: "snmp://127.0.0.1:1"}
  cdu: {profile: cdu/meta_rpu, address: "modbus://x"}
  rack: {profile: load/rack_workload, address: "TCPIP::127.0.0.1::1::SOCKET", poll: 1 parsec}
  daq: {profile: daq/keysight_daq970a, address: "TCPIP::127.0.0.1::2::SOCKET"}
interlocks:
  - {name: leak, signal: cdu.lek, equals: dry}
  - {name: hot, signal: cdu.supply_temperature, max: 45 kPa}
  - {name: load, signal: rack.uptime, min: 1 s, for: ever}
safe_state:
  default:
    - {set: pdu.outlet, to: "off"}
    - {set: cdu.pump, too: "off"}
    - {set: cdu.pump, to: "offf"}
"""


def test_every_mistake_of_a_station_is_reported_at_once(tmp_path):
    (tmp_path / "station.yaml").write_text(BAD_STATION)
    with pytest.raises(ProblemsError) as error:
        load_station(tmp_path / "station.yaml")
    assert [(p.line, p.code) for p in error.value.problems] == [
        (4, "HX-1304"), (5, "HX-1301"), (6, "HX-1206"), (9, "HX-1306"), (10, "HX-1312"), (11, "HX-1206"),
        (15, "HX-1203"), (16, "HX-1321"),
    ]  # fmt: skip


def test_a_plain_list_of_actions_cannot_stagger(tmp_path):
    text = STATION.read_text().replace("confirm_within: 5 s, confirm_by", "stagger: 1 s, confirm_by", 1)
    (tmp_path / "station.yaml").write_text(text)
    with pytest.raises(ProblemsError, match="HX-1206 only a sequence of kind end has time to stagger"):
        load_station(tmp_path / "station.yaml")


def test_a_mistake_elsewhere_does_not_spoil_a_sequence_that_says_its_kind(tmp_path):
    (tmp_path / "station.yaml").write_text(STATION.read_text().replace("title:", "tittle:", 1))
    with pytest.raises(ProblemsError) as error:
        load_station(tmp_path / "station.yaml")
    assert [problem.code for problem in error.value.problems] == ["HX-1203"]


PROVED = """
schema: 1
station: s
devices:
  pdu: {profile: pdu/apc_rpdu2, address: "snmp://10.0.0.1:161"}
  shelf: {profile: shelf/orv3_hpr_psu, address: "modbus+tcp://10.0.0.2:502/144", role: uut}
interlocks:
  - {name: hot, signal: shelf.output_voltage, max: 52 V, on_trip: ON_TRIP}
safe_state:
  default:
    - {set: pdu.outlet, to: "off", confirm_by: {signal: CONFIRM, max: 500 W}}
  calm: {kind: KIND, actions: [{set: pdu.outlet, to: "off", stagger: 1 s}]}
de_energised: PROOF
"""
GOOD_PROOF = "{bus: [shelf.output_voltage], under_voltage: 40 V}"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ({}, "", ""),
        ({"PROOF": "{bus: [shelf.output_voltage], under_voltage: 40 A}"}, "HX-1312", "'A'"),
        ({"PROOF": "{bus: [shelf.output_voltage], under_voltage: 1 V}"}, "HX-1325", "under_voltage 1 V"),
        ({"PROOF": "{bus: [shelf.no_such], under_voltage: 40 V}"}, "HX-1306", "no_such"),
        ({"PROOF": "{bus: [pdu.outlet.power], under_voltage: 40 V}"}, "HX-1326", "signals"),
        ({"CONFIRM": "pdu.outlet.power"}, "HX-1326", "pdu.outlet[1].power"),
        ({"ON_TRIP": "calm"}, "HX-1313", "takes its time"),
        ({"KIND": "heat"}, "HX-1206", "stagger"),
    ],
)
def test_what_proves_a_dead_rack_is_checked(tmp_path, words, code, said):
    text = PROVED
    for key, value in {
        "ON_TRIP": "default",
        "CONFIRM": "pdu.power",
        "KIND": "end",
        "PROOF": GOOD_PROOF,
        **words,
    }.items():
        text = text.replace(key, value)
    path = tmp_path / "station.yaml"
    path.write_text(text)
    if not code:
        assert load_station(path).station.de_energised is not None
        return
    with pytest.raises(ProblemsError) as caught:
        load_station(path)
    assert [problem for problem in caught.value.problems if problem.code == code and said in str(problem)], caught.value


BATTERY = '  bbu: {profile: shelf/orv3_hpr_bbu, address: "modbus+tcp://10.0.0.3:502/200", role: uut}\n'
FED_BY = "{bus: [shelf.output_voltage], under_voltage: 40 V, battery_current: [bbu.battery_current]}"


@pytest.mark.parametrize(("proof", "code"), [(FED_BY, ""), (GOOD_PROOF, "HX-1327"), ("", "HX-1327")])
def test_a_battery_that_the_station_sees_has_its_part_in_the_proof_that_the_rack_is_dead(tmp_path, proof, code):
    text = PROVED.replace("interlocks:", f"{BATTERY}interlocks:").replace("PROOF", proof)
    text = text if proof else text.replace("de_energised: ", "")
    for key, value in {"ON_TRIP": "default", "CONFIRM": "pdu.power", "KIND": "end"}.items():
        text = text.replace(key, value)
    path = tmp_path / "station.yaml"
    path.write_text(text)
    if not code:
        load_station(path)
        return
    with pytest.raises(ProblemsError) as caught:
        load_station(path)
    assert [problem.code for problem in caught.value.problems] == [code], caught.value
    assert load_station(path, only_to_make_safe=True), "it is good enough to switch off with"
