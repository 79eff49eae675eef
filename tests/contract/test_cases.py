"""What devices were seen to answer, and what must come out: every `cases/` folder beside an installed profile."""

from __future__ import annotations

import pytest

from tests.cases import find_cases, strays
from tests.cases.check import check_case


@pytest.mark.parametrize("case", find_cases(), ids=str)
def test_case(case):
    if wrong := check_case(case):
        pytest.fail("\n".join(wrong), pytrace=False)


def test_no_case_lies_where_it_is_not_run():
    assert [f"{path}: a case is a folder in cases/, this is none" for path in strays()] == []
