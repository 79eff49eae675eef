"""No profile lets a captured device in that is not its own, and none refuses one that is."""

from __future__ import annotations

import pytest

from tests import captures, identity_matrix

pytestmark = pytest.mark.skipif(not captures.available(), reason="the captured devices are not on this machine")


@pytest.fixture(scope="module")
def found():
    """Every capture that is here, at every profile: {capture: profiles that let it in}."""
    return {capture: identity_matrix.openings(capture) for capture in identity_matrix.captured()}


@pytest.mark.parametrize("capture", identity_matrix.OWN)
def test_a_device_is_let_in_by_its_own_profiles_and_by_no_other(capture, found):
    assert found[capture] == set(identity_matrix.OWN[capture])


@pytest.mark.parametrize("capture", identity_matrix.OWN)
def test_what_probe_suggests_would_let_the_device_in(capture):
    own = [name for name in identity_matrix.OWN[capture] if name != identity_matrix.GENERIC]
    assert identity_matrix.suggestions(capture) == own


def test_every_capture_that_is_here_is_judged(found):
    assert found.keys() == identity_matrix.OWN.keys()


def test_the_page_of_the_reference_is_what_the_captures_say(found):
    assert identity_matrix.PAGE.read_text() == identity_matrix.page(found), "run python -m tests.identity_matrix"
