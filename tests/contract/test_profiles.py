"""Every profile against every rule; see conformance.py for what the rules are."""

from __future__ import annotations

import pytest

from tests.contract import conformance


@pytest.mark.parametrize("rule", conformance.RULES)
@pytest.mark.parametrize("name", conformance.profiles())
def test_profile_keeps_rule(name, rule):
    conformance.check(name, rule)


def test_there_are_profiles_of_every_class():
    classes = {name.partition("/")[0] for name in conformance.profiles()}
    assert classes >= {"pdu", "cdu", "shelf", "switch", "load", "meter", "daq", "hipot", "chamber", "environment"}


def test_the_page_of_the_reference_is_what_the_rules_say():
    assert conformance.PAGE.read_text(encoding="utf-8") == conformance.page(), (
        "out of date: python tests/contract/conformance.py writes it again"
    )
