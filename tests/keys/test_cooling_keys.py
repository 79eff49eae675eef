"""Keys of the steps that judge a cooling loop and its instruments."""

from __future__ import annotations

from typing import Any

import pytest

from harness.schema.station import Station
from harness.steps.zeroing import ZeroParams
from tests.keys.plans import FIRST, flow, only, steps
from tests.keys.rack import FILES
from tests.keys.rows import Case, Has, Row, Table, every_row
from tests.keys.run_bench import lasts, measured, of_step, run_bench, step, texts, verdict

it = of_step("it")
ACCURATE = {
    "station/accuracy": {
        "cdu.temperature": "2 K",
        "cdu.zone[1].temperature": "2 K",
        "cdu.zone[2].temperature": "2 K",
        "cdu.flow": "10 %",
    },
    "cdu/signals/level/unit": "kPa",
}
"""cdu.temperature 25 degC, zone 1 30, zone 2 40, level 80 kPa."""

JUDGED = {"step": "measure", "name": "judged", "signal": "cdu.temperature", "over": "2 s", "limit": {"max": "99 degC"}}


def zero(**keys: Any) -> dict[str, Any]:
    """A plan that zeroes and then measures."""
    judged = {
        "step": "measure",
        "name": "judged",
        "signal": "cdu.temperature",
        "over": "2 s",
        "limit": {"max": "99 degC"},
    }
    return {**ACCURATE, **steps({"step": "zero", "name": "it", "over": "20 s", **keys}, judged)}


ONE = zero(signals=["cdu.temperature"], to="24 degC")
TWO = zero(signals=["cdu.temperature", "cdu.zone[1].temperature"], most="20 K")
WARMED = {
    **TWO,
    f"{FIRST}/warmed": ["cdu.zone[1].temperature"],
    f"{FIRST}/pressure_drop": "cdu.level",
}
PAIR = "it: cdu.temperature less cdu.zone[1].temperature"
OFF_24 = Has("1 K is taken off")
TABLES = [
    Table(
        ZeroParams,
        FIRST,
        FILES,
        run_bench,
        [
            Row("signals", ["cdu.zone[1].temperature"], it, Has("PASS"), Has("ERROR", "6 K"), ONE),
            Row("to", "26 degC", lambda ran: measured(ran, "judged").value, 24.0, 26.0, ONE),
            Row(
                "warmed",
                ["cdu.temperature"],
                lambda ran: round(measured(ran, PAIR).value, 3),
                -4.98,
                -5.02,
                WARMED,
            ),
            Row(
                "pressure_drop",
                "cdu.drop",
                lambda ran: round(measured(ran, PAIR).value, 3),
                -4.98,
                -5.0,
                {**WARMED, "cdu/signals/drop": {"address": 3, "unit": "kPa", "range": [0, 1000]}},
            ),
            Row("over", "40 s", lasts("it"), 20, 40, ONE),
            Row(
                "slope",
                "6 L/min/min",
                it,
                Has("PASS"),
                Has("ERROR", "meanwhile"),
                {
                    **zero(signals=["cdu.flow"], to="110 L/min", most="50 L/min"),
                    "wire": [flow(100 + k, "it", k) for k in range(20)],
                },
            ),
            Row("watch", [{"signal": "pdu.power", "min": "100 W"}], it, Has("PASS"), Has("ERROR", "pdu.power"), ONE),
            Row("remains", "60 %", lambda ran: round(measured(ran, "judged").uncertainty, 2), 0.69, 1.39, ONE),
            Row("beyond", "40 %", it, Has("PASS"), Has("ERROR", "limit -0.8 to 0.8 K"), ONE),
            Row("product", True, it, Has("ERROR"), Has("FAIL"), {**ONE, f"{FIRST}/most": "500 mK"}),
            Row("most", "500 mK", it, Has("PASS"), Has("ERROR", "limit -0.5 to 0.5 K"), ONE),
        ],
    ),
    Table(
        Station,
        "station",
        FILES,
        run_bench,
        [
            Row(
                "accuracy",
                {"cdu.flow": "3 %"},
                lambda ran: measured(ran, "it").uncertainty,
                None,
                2 * 3.0 / 3**0.5,
                only("measure", signal="cdu.flow", over="2 s", limit={"max": "150 L/min"}),
            ),
        ],
    ),
]


@every_row(TABLES)
def test_the_key_changes_what_the_run_does(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))


def test_a_run_that_died_after_its_zero_keeps_it(tmp_path):
    """kill -9 in the middle of the measurement behind it: the zero is not looked for again, and is still taken off."""
    from tests.keys.rows import changed, parsed

    files = {name: parsed(text) for name, text in FILES.items()}
    slow = {
        "step": "measure",
        "name": "judged",
        "signal": "cdu.temperature",
        "over": "20 s",
        "limit": {"max": "99 degC"},
    }
    for place, value in {**ONE, "plan/steps/1": slow}.items():
        files = changed(files, place, value)
    ran = run_bench(tmp_path, {**files, "die": ["judged", 5]})
    assert verdict(ran) == "PASS", ran.result.reason
    assert [each.verdict for each in ran.result.steps if each.name == "it"] == ["PASS"]
    assert measured_last(ran) == 24.0
    assert texts("zero")(ran) == [], "not looked for again in this life"


def measured_last(ran: Any) -> Any:
    """The value of the last attempt."""
    return step(ran, "judged").measurements[-1].value


@pytest.mark.parametrize(("dies", "came_to"), [(False, "PASS"), (True, "INCONCLUSIVE")])
def test_energy_of_a_run_that_died_is_not_known(tmp_path, dies, came_to):
    """What a rack drew while its run was dead nobody has seen."""
    from tests.keys.rows import changed, parsed

    files = {name: parsed(text) for name, text in FILES.items()}
    energy = {"function": "energy", "inputs": {"power": "pdu.power"}, "unit": "Wh"}
    judged = {"step": "measure", "name": "it", "signal": "pdu.drawn", "over": "20 s", "limit": {"min": "0 Wh"}}
    for place, value in {"station/derived/pdu.drawn": energy, **steps(judged)}.items():
        files = changed(files, place, value)
    ran = run_bench(tmp_path, {**files, "die": ["it", 5]} if dies else files)
    assert measured(ran, "it").verdict == came_to, ran.error
