"""What the end of a workload means: only what is known to be good is a PASS."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import log_search
from harness.analysis.grading import Grade, of_exit_code, of_lost, of_patterns, of_time, worst
from harness.analysis.log_search import search, usable

TABLE = {0: "PASS", 1: "FAIL", 2: "ERROR"}


@given(st.integers(0, 255))
def test_an_exit_code_passes_only_where_the_table_says_so(code):
    grade = of_exit_code(code, TABLE)
    assert grade.verdict == TABLE.get(code, "ERROR" if code in (126, 127) else "INCONCLUSIVE")
    assert str(code) in grade.why


def test_no_exit_code_is_no_pass_and_a_table_may_take_127():
    assert of_exit_code(None, TABLE).verdict == "INCONCLUSIVE"
    assert of_exit_code(127, {127: "FAIL"}).verdict == "FAIL"


@pytest.mark.parametrize("cut", [True, False])
@pytest.mark.parametrize("lines", [["all PASSED"], ["7 errors"], ["all PASSED", "7 errors"], []])
def test_patterns_of_cut_output_prove_what_is_there_and_nothing_else(lines, cut):
    found = search(lines, ["PASSED", "[1-9]\\d* errors"])
    verdict = of_patterns(["PASSED"], ["[1-9]\\d* errors"], found, is_cut=cut).verdict
    if "7 errors" in lines:
        assert verdict == "FAIL"
    elif lines:
        assert verdict == ("INCONCLUSIVE" if cut else "PASS")
    else:
        assert verdict == ("INCONCLUSIVE" if cut else "FAIL")


def test_a_search_that_did_not_end_is_no_pass():
    assert of_patterns(["a"], [], None, is_cut=False).verdict == "INCONCLUSIVE"
    assert of_patterns([], [], None, is_cut=True).verdict == "PASS"


def test_results_come_in_order_and_long_lines_are_cut():
    lines = ["round 1 sum=ab", "x" * 5000 + " sum=zz", "round 2 sum=cd"]
    (found,) = search(lines, ["sum=(?P<result>\\w+)"])
    assert (found["results"], found["count"]) == (["ab", "cd"], 2)


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(?P<x>", "a" * 501, "\\"])
def test_what_is_no_pattern_is_refused(pattern):
    assert usable(pattern)


def test_it_searches_files_as_a_program_of_its_own(tmp_path):
    (tmp_path / "log").write_bytes(b"good\n\xff\xfe bad \n" + b"y" * 10_000)
    asked = json.dumps({"files": [str(tmp_path / "log")], "patterns": ["bad", "^y+$"]})
    argv = [sys.executable, "-I", log_search.__file__]
    done = subprocess.run(argv, input=asked, capture_output=True, text=True, check=True, timeout=30)
    assert [one["count"] for one in json.loads(done.stdout)] == [1, 3]


def test_who_died_is_accused_only_where_the_station_can_tell():
    silent, refused = ("no answer", False), ("closed", True)
    assert of_lost({"a": silent}, 1)["a"].verdict == "FAIL"  # another one is still reached: the network is fine
    assert of_lost({"a": refused}, 0)["a"].verdict == "FAIL"  # the computer is there and refuses
    assert of_lost({"a": silent, "b": silent}, 0)["a"].verdict == "ERROR"
    assert of_lost({"a": silent, "b": refused}, 0) == {
        "a": Grade(
            "ERROR", "a is lost under load: no answer; nothing answers any more, it may be the station's network"
        ),
        "b": Grade("FAIL", "b died under load: closed"),
    }


@pytest.mark.parametrize(
    ("must_end", "was_stopped", "is_cut", "of_station", "verdict"),
    [
        (True, True, False, False, "FAIL"),
        (True, True, False, True, "ERROR"),
        (True, True, True, False, "INCONCLUSIVE"),
        (False, True, True, False, "INCONCLUSIVE"),
        (True, False, False, False, "PASS"),
        (False, True, False, False, "PASS"),
        (False, False, False, False, "INCONCLUSIVE"),
    ],
)
def test_a_workload_runs_as_long_as_it_has_to(must_end, was_stopped, is_cut, of_station, verdict):
    grade = of_time(5.0, 10.0, must_end=must_end, was_stopped=was_stopped, is_cut=is_cut, of_station=of_station)
    assert grade.verdict == verdict


@given(st.lists(st.sampled_from(["PASS", "FAIL", "ERROR", "INCONCLUSIVE"])))
def test_the_gravest_counts_and_nothing_is_no_pass(verdicts):
    grade = worst([Grade(each, each.lower()) for each in verdicts])
    order = ["ERROR", "FAIL", "INCONCLUSIVE", "PASS"]
    assert grade.verdict == next((each for each in order if each in verdicts), "INCONCLUSIVE")
