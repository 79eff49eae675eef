"""Short form of the damaged journals."""

from __future__ import annotations

from tests.chaos import journals
from tests.chaos.table import check


def test_damaged_journals(tmp_path):
    check([journals.damaged(1500, tmp_path, 20261122)])
