"""What a program says, however it says it: nothing that must not be there passes because nobody could read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_workload_ends import run_it
from tests.keys.run_bench import step


def python(script: str, **keys: Any) -> dict[str, Any]:
    """A workload on the station that is a short Python program."""
    command = ["python3", "-c", f"import sys; {script}"]
    return {"step": "workload", "name": "it", "driver": "command", "command": command, "within": "30 s", **keys}


LONG = "print('x' * 4093 + 'FAILED')"
TOO_LONG = "print('x' * (2 << 20) + 'FAILED')"
WIDE = "sys.stdout.buffer.write('GPU 3 FAILED\\n'.encode('utf-16'))"


@pytest.mark.parametrize(
    ("script", "keys", "verdict"),
    [
        (LONG, {"must_not": ["FAILED"]}, "FAIL"),
        (LONG, {"must": ["FAILED"]}, "PASS"),
        (TOO_LONG, {"must_not": ["FAILED"]}, "INCONCLUSIVE"),
        (WIDE, {"must_not": ["DIED"]}, "INCONCLUSIVE"),
    ],
)
def test_what_is_searched_for_is_found_or_not_known_to_be_missing(
    script: str, keys: dict[str, Any], verdict: str, tmp_path: Path
) -> None:
    ran = run_it(tmp_path, python(script, **keys))
    assert step(ran, "it").verdict == verdict, step(ran, "it").reason


def test_the_second_result_of_a_line_is_compared_too(tmp_path: Path) -> None:
    script = "print('fp32 sum=1 fp64 sum=9')"
    compare = {"step": "compare_results", "name": "cmp", "of": ["it"], "trays": 1}
    ran = run_it(tmp_path, python(script, result=r"sum=(?P<result>\d)"), compare)
    assert step(ran, "cmp").verdict == "INCONCLUSIVE"  # 1 and 9: nobody knows which is right
    about = json.loads((ran.outcome.folder / "workloads/001/workload.json").read_text())
    assert about["targets"][0]["results"] == ["1", "9"]
