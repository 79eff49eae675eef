"""The end of a run on the screen: what is most dangerous looks like nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli.ui.banner import LOOK, say_not_safe
from harness.cli.ui.big_letters import big
from harness.cli.ui.colours import BLUE, OF_VERDICT, RED
from harness.cli.ui.verdict_block import plain_block, print_block
from harness.engine.options import RunOutcome
from harness.limits.verdict import Verdict
from harness.record.result import Header, Result, SafeState, Telemetry
from tests.integration.cli_tools import harness, simulation
from tests.integration.pty_tools import Terminal

PLAN = """\
schema: 1
plan: five
steps:
  - {step: power_on, outlets: pdu.outlet, stagger: 100 ms}
  - {step: hold, for: 2 s, watch: [{signal: cdu.flow, min: 5 L/min}]}
"""
ENDS = (Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.TRIPPED, Verdict.ABORTED, Verdict.INCONCLUSIVE)


def outcome(verdict: Verdict, *, safe: bool = True, engineering: tuple[str, ...] = ()) -> RunOutcome:
    """A run that came to this."""
    result = Result(
        header=Header(run="r"),
        serial="RACK-0001",
        plan="p",
        started="",
        ended="",
        verdict=verdict,
        engineering=engineering,
        safe_state=SafeState(confirmed=safe),
    )
    return RunOutcome(
        verdict, "why", Path("/r"), result, safe, [] if safe else ["pdu.outlet off (outlet[3]: on)"], True
    )


def drawn(one: RunOutcome, width: int) -> str:
    """The block as a terminal of 256 colours gets it."""
    console = Console(width=width, force_terminal=True, color_system="truecolor", highlight=False)
    with console.capture() as capture:
        print_block(console, one)
    return capture.get()


def backgrounds(text: str) -> set[str]:
    """The background colours of a block, as `#rrggbb`."""
    found = re.findall(r"48;2;(\d+);(\d+);(\d+)", text)
    return {"#" + "".join(f"{int(part):02x}" for part in parts) for parts in found}


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("verdict", ENDS)
def test_a_rack_that_is_not_safe_looks_like_no_verdict(verdict: Verdict, width: int) -> None:
    unsafe, safe = drawn(outcome(verdict, safe=False), width), drawn(outcome(verdict), width)
    assert all(row in unsafe for row in big("NOT SAFE", width - 8))
    assert not all(row in unsafe for row in big(verdict, width - 8)), "the verdict is not what is read from afar"
    assert all(row in safe for row in big(verdict, width - 8))
    assert backgrounds(unsafe) == {RED}
    assert RED not in {*OF_VERDICT.values(), BLUE}
    assert RED not in backgrounds(safe)
    assert str(verdict) in unsafe
    assert plain_block(outcome(verdict, safe=False)).splitlines()[1].startswith("NOT SAFE")
    for line in re.sub(r"\x1b\[[\d;]*m", "", unsafe).splitlines():
        assert len(line) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_an_engineering_pass_looks_like_no_pass(width: int) -> None:
    shown = drawn(outcome(Verdict.PASS, engineering=("soak_time is 2 min, at least 24 h is needed",)), width)
    assert all(row in shown for row in big("ENGINEERING", width - 8))
    assert len(big("ENGINEERING", width - 8)) == 5
    assert BLUE in backgrounds(shown)
    failed = drawn(outcome(Verdict.FAIL, engineering=("why",)), width)
    assert all(row in failed for row in big("FAIL", width - 8))
    assert "ENGINEERING RUN" in failed


@pytest.mark.parametrize("width", [80, 120])
def test_exit_5_says_what_to_do_at_the_rack(width: int) -> None:
    shown = re.sub(r"\x1b\[[\d;]*m", "", drawn(outcome(Verdict.TRIPPED, safe=False), width))
    said = " ".join(shown.split())
    assert LOOK in said
    assert said.count("go to the rack now") == 1
    assert "pdu.outlet off (outlet[3]: on)" in said
    assert f"do      {LOOK}" in plain_block(outcome(Verdict.TRIPPED, safe=False))
    assert "go to the rack" not in drawn(outcome(Verdict.TRIPPED), width)


def test_the_button_for_everybody_looks_the_same(tmp_path: Path) -> None:
    with simulation(tmp_path) as (station, truth, _):
        assert harness("set", "pdu.outlet[3]", "on", "--yes", "--station", str(station), data=tmp_path).returncode == 0
        assert truth.ask("inject outlet_stuck:3") == "ok"
        terminal = Terminal("safe", str(station), data=tmp_path)
        assert terminal.end() == 5
        shown = re.sub(r"\x1b\[[\d;]*m", "", terminal.text)
        assert all(row in shown for row in big("NOT SAFE", 72))
        assert "\a" in terminal.text
        assert "go to the rack now" in shown
        assert "pdu.outlet[3] is on" in shown


def test_without_a_terminal_the_button_says_it_in_plain_words(capsys: pytest.CaptureFixture[str]) -> None:
    say_not_safe("bay-1", ["pdu.outlet[3] is on"])
    reported = capsys.readouterr().out.splitlines()
    assert reported == [
        "SAFE NOT CONFIRMED - LOOK AT THE RACK  bay-1",
        "  pdu.outlet[3] is on",
        f"do      {LOOK}",
    ]


def test_a_terminal_rings_when_the_rack_is_not_safe(tmp_path: Path) -> None:
    plan = tmp_path / "five.yaml"
    plan.write_text(PLAN)
    for fault, code in (("outlet_stuck:3@5s", 5), ("sensor_offset:cdu.flow=1", 0)):
        terminal = Terminal("run", str(plan), "--simulate", "--virtual", "--fault", fault, data=tmp_path)
        terminal.read_until("harness report", seconds=60)
        assert terminal.end() == code, terminal.text[-2000:]
        assert ("\a" in terminal.text) == (code == 5)
        assert ("NOT SAFE" in terminal.text) == (code == 5)


def test_what_the_database_lacks_is_told_with_the_command_that_sends_it():
    one = outcome(Verdict.PASS)
    command = "harness push run-1 --station '/lab/bay 7.yaml'"
    lacks = Telemetry(sink="influxdb http://x o/b", sent=7, waiting=40, refused=2, reason="HTTP 401", command=command)
    one.result = one.result.model_copy(update={"telemetry": lacks})
    assert f"data    the database: {lacks.lacking}" in plain_block(one)
    assert command in " ".join(drawn(one, 400).split())
    assert "40 entries of the record are not there yet and 2 lines were refused for good (HTTP 401)" in plain_block(one)
    one.result = one.result.model_copy(update={"telemetry": Telemetry(sink="influxdb http://x o/b", sent=7)})
    assert "the database" not in plain_block(one)
