"""What the end of a workload means: only what is known to be good is a PASS."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import log_search
from harness.analysis.grading import Grade, of_exit_code, of_lost, of_patterns, of_results, of_time, worst
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


def test_every_result_of_a_line_counts_in_order_however_long_the_line_is():
    lines = ["fp32 sum=1 fp64 sum=9", "x" * 5000 + " sum=zz", "round 2 sum=cd"]
    (found,) = search(lines, ["sum=(?P<result>\\w+)"])
    assert (found["results"], found["count"], found["unread"]) == (["1", "9", "zz", "cd"], 3, "")


def test_results_are_collected_up_to_a_number_and_more_are_no_pass(monkeypatch):
    monkeypatch.setattr(log_search, "MOST_RESULTS", 2)
    two, three = (search(["=1 =2", "=3"][:count], ["=(?P<result>\\d)"])[0] for count in (1, 2))
    assert (two["results"], three["results"]) == (["1", "2"], ["1", "2"])
    assert of_results(two, is_cut=False).verdict == "PASS"
    assert "more than 2 results" in of_results(three, is_cut=False).why
    assert of_results(two, is_cut=True).verdict == "INCONCLUSIVE"
    assert of_results(None, is_cut=False).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize("line", ["x" * log_search.LONGEST_LINE + "ab", "GPU 3 ab".encode("utf-16").decode("latin-1")])
def test_of_what_is_not_read_as_text_nothing_is_known_but_what_is_found(line):
    found = search([line, "xx"], ["xx$", "^GPU 3 xy", "(?P<result>xy)"])
    grade = of_patterns(["xx$"], ["^GPU 3 xy"], found[:2], is_cut=False)
    assert grade.verdict == "INCONCLUSIVE"
    assert "'^GPU 3 xy' may be in the rest" in grade.why
    assert of_patterns(["xx$"], [], found[:1], is_cut=False).verdict == "PASS"
    assert of_patterns(["GPU 3 xy"], [], found[1:2], is_cut=False).verdict == "INCONCLUSIVE"
    assert of_results(found[2], is_cut=False).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_plain_english_is_found_in_wide_encodings_too(encoding):
    (found,) = search(["good", "GPU 3 FAILED".encode(encoding).decode("latin-1")], ["GPU \\d FAILED"])
    assert found["count"] == 1


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(?P<x>", "a" * 501, "\\"])
def test_what_is_no_pattern_is_refused(pattern):
    assert usable(pattern)


def test_it_searches_files_as_a_program_of_its_own(tmp_path):
    too_long = b"x" * (3 * log_search.LONGEST_LINE + 5)
    (tmp_path / "log").write_bytes(
        b"\xef\xbb\xbfgood\n\xff\xfe bad \r\n" + b"y" * 10_000 + b"\n" + too_long + b"\nlast"
    )
    asked = json.dumps({"files": [str(tmp_path / "log")], "patterns": ["^good$", "bad $", "^y+$", "^x", "^last"]})
    argv = [sys.executable, "-I", log_search.__file__]
    done = subprocess.run(argv, input=asked, capture_output=True, text=True, check=True, timeout=30)
    found = json.loads(done.stdout)
    assert [one["count"] for one in found] == [1, 1, 1, 0, 1]
    assert found[3]["unread"] == f"a line of the output has more than {log_search.LONGEST_LINE} characters"


@pytest.mark.parametrize("more", [0, 1])
def test_a_line_of_just_the_most_characters_is_searched(tmp_path, more):
    (tmp_path / "log").write_bytes(b"x" * (log_search.LONGEST_LINE + more - 3) + b"end\nnext\n")
    asked = json.dumps({"files": [str(tmp_path / "log")], "patterns": ["end$", "^next$"]})
    argv = [sys.executable, "-I", log_search.__file__]
    done = subprocess.run(argv, input=asked, capture_output=True, text=True, check=True, timeout=30)
    assert [one["count"] for one in json.loads(done.stdout)] == [1 - more, 1]


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
