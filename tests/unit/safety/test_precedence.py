"""Which stop wins, over every pair of stops and every sequence under way."""

from __future__ import annotations

import itertools

from harness.limits.verdict import Verdict
from harness.safety.precedence import CHANGED_BY_OTHERS, Stop, Trip, decide

KINDS = {"default": "heat", "leak": "leak", "leak_cdu": "leak", "calm": "end", "cold": "heat"}


def kind_of(name: str) -> str:
    return KINDS.get(name, "heat")


def trip(sequence: str, *, is_silence: bool = False, name: str = "hot") -> Stop:
    verdict = Verdict.ERROR if is_silence else Verdict.TRIPPED
    return Stop(verdict, f"{name} to {sequence}", trip=Trip(name, sequence, "", 0.0, 0, 0.0, is_silence))


ABORT = Stop(Verdict.ABORTED, "aborted")
STOPS = [ABORT, Stop(Verdict.ERROR, "lost"), *(trip(name) for name in ("default", "leak", "leak_cdu", "cold"))]
STOPS += [trip("default", is_silence=True), trip("default", name=CHANGED_BY_OTHERS)]


def test_the_first_stop_stands_unless_the_rack_gets_worse() -> None:
    for first, new in itertools.product(STOPS, STOPS):
        found = decide(first, new, "", kind_of)
        is_finding = new.trip is not None and not new.trip.is_silence
        was_leak = first.trip is not None and kind_of(first.sequence) == "leak"
        replaces = is_finding and (not was_leak or kind_of(new.sequence) == "leak")
        assert found.stop.sequence == (new if replaces else first).sequence
        assert found.stop.verdict is (new if replaces else first).verdict
        assert found.stop.reason.startswith((new if replaces else first).reason)
        assert found.is_news is is_finding
        assert not found.restarts, "nothing is under way"
    assert decide(None, ABORT, "", kind_of).stop is ABORT


def test_a_leak_is_not_left_for_what_it_brings_with_it_whatever_its_sequence_is_called() -> None:
    for leak in ("leak", "leak_cdu"):
        found = decide(trip(leak), trip("default"), leak, kind_of)
        assert found.stop.sequence == leak
        assert not found.restarts
        assert decide(trip("default"), trip(leak), "default", kind_of).restarts
        assert decide(ABORT, trip(leak), "default", kind_of).stop.sequence == leak


def test_a_calm_end_gives_way_to_every_stop() -> None:
    for stop in STOPS:
        assert decide(None, stop, "calm", kind_of).restarts


def test_a_hand_that_switches_on_again_is_answered_again() -> None:
    assert decide(trip("default"), trip("default", name=CHANGED_BY_OTHERS), "default", kind_of).restarts
    assert not decide(trip("default"), trip("default"), "default", kind_of).restarts


def test_a_leak_that_reaches_farther_replaces_one_under_way_and_never_the_other_way() -> None:
    scopes = {"tray": "tray", "rack": "rack", "loop": "loop"}
    order = list(scopes)
    for first, new in itertools.product(order, order):
        found = decide(trip(first), trip(new), first, lambda _name: "leak", scopes.__getitem__)
        is_as_far = order.index(new) >= order.index(first)
        assert found.stop.sequence == (new if is_as_far else first)
        assert found.restarts is (is_as_far and new != first)
        assert found.is_news
    for scope in order:  # what a leak brings with it replaces none of them
        kinds = {scope: "leak", "cold": "heat"}
        found = decide(trip(scope), trip("cold"), scope, kinds.__getitem__, lambda name: scopes.get(name, "loop"))
        assert found.stop.sequence == scope
        assert not found.restarts
