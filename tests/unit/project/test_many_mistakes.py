"""Many mistakes in one file cost little each: what is bounded is the work, however large the station and the file."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from harness.project.plan import load_project
from harness.project.station import load_station
from harness.schema.problems import ProblemsError
from harness.spelling import MAX_COMPARED

ROOT = Path(__file__).resolve().parents[3]
STATION = ROOT / "testplans" / "stations" / "simulated.yaml"
HEAD = "schema: 1\nplan: many\n"
COUNT = 1500


@pytest.fixture
def compared(monkeypatch):
    """How many pairs of names are compared, and the largest number in one guess."""
    counts = []
    honest = difflib.get_close_matches

    def counted(word, possibilities, n=3, cutoff=0.6):
        names = list(possibilities)
        counts.append(len(names))
        return honest(word, names[:20], n, cutoff)

    monkeypatch.setattr(difflib, "get_close_matches", counted)
    return counts


def watching(condition):
    lines = "".join(f"      - {{{condition.format(number)}}}\n" for number in range(COUNT))
    return f"{HEAD}steps:\n  - step: hold\n    for: 5 s\n    watch:\n{lines}"


UNKNOWN_PARAMETERS = (
    f"{HEAD}parameters:\n"
    + "".join(f"  given_{number}: 5 s\n" for number in range(COUNT))
    + "steps:\n"
    + "".join(f"  - {{step: hold, for: '${{givne_{number}}}'}}\n" for number in range(COUNT))
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (watching("signal: cdu.suply{}, max: 5 degC"), "HX-1306"),
        (UNKNOWN_PARAMETERS, "HX-1201"),
    ],
    ids=["signals", "parameters"],
)
def test_all_mistakes_are_told_and_guesses_end_where_they_would_cost_minutes(tmp_path, compared, text, code):
    """It was 28 s for 1500 unknown signals: each was compared with every name of the station."""
    path = tmp_path / "many.yaml"
    path.write_text(text)
    with pytest.raises(ProblemsError) as caught:
        load_project(path, load_station(STATION), {})
    reported = [problem for problem in caught.value.problems if problem.code == code]
    assert len(reported) == COUNT
    assert sum(compared) <= MAX_COMPARED + max(compared)
    assert len(compared) > 10, "the first mistakes have their guess"


def test_a_single_mistake_has_its_guess_after_a_file_with_many(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(f"{HEAD}steps:\n  - {{step: hold, for: 5 s, watch: [{{signal: cdu.leek, equals: dry}}]}}\n")
    for _ in range(2):
        with pytest.raises(ProblemsError) as caught:
            load_project(path, load_station(STATION), {})
        assert "did you mean 'cdu.leak'?" in str(caught.value)
