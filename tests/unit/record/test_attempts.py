"""Which attempt of a step counts: a FAIL stays one unless the plan allows another attempt and that one passed."""

from __future__ import annotations

import itertools

import pytest

from harness.limits.verdict import Verdict
from harness.record.attempts import latest, reported, tried, tried_of
from harness.record.result import Measurement, StepResult

P, F, E, N, A, S = (
    Verdict.PASS,
    Verdict.FAIL,
    Verdict.ERROR,
    Verdict.INCONCLUSIVE,
    Verdict.ABORTED,
    Verdict.SKIPPED,
)


def attempts(*verdicts, allowed=1, name="up"):
    """Attempts of one step, each after the first asked for by kim."""
    return [
        StepResult(name=name, step="hold", attempt=k, allowed=allowed, asked_by="kim" if k > 1 else "", verdict=verdict)
        for k, verdict in enumerate(verdicts, 1)
    ]


@pytest.mark.parametrize(
    ("allowed", "verdicts", "verdict", "attempt", "words"),
    [
        (1, [P], P, 1, ""),
        (1, [F], F, 1, ""),
        (1, [F, P], F, 1, "up was done again once, asked for by kim: the FAIL of attempt 1 counts"),
        (1, [F] * 5 + [P], F, 1, "up was done again 5 times, asked for by kim: the FAIL of attempt 1 counts"),
        (2, [F, P], P, 2, "up at attempt 2 of 2, asked for by kim"),
        (3, [F, P], P, 2, "up at attempt 2 of 3, asked for by kim"),
        (2, [F, F], F, 2, "up at attempt 2 of 2, asked for by kim"),
        (2, [F, F, P], F, 2, "up was done again once, asked for by kim: the FAIL of attempt 2 counts"),
        (1, [E, P], P, 2, "up at attempt 2 of 2, asked for by kim"),
        (1, [E, N, A, P], P, 4, "up at attempt 4 of 4, asked for by kim"),
        (1, [E, F, P], F, 2, "up was done again once, asked for by kim: the FAIL of attempt 2 counts"),
        (2, [E, F, P], P, 3, "up at attempt 3 of 3, asked for by kim"),
        (2, [F, S], F, 1, "up was done again once, asked for by kim: the FAIL of attempt 1 counts"),
        (2, [F, N], F, 1, "up was done again once, asked for by kim: the FAIL of attempt 1 counts"),
        (1, [P, F], F, 2, "up at attempt 2 of 2, asked for by kim"),
        (1, [A, S], S, 2, "up at attempt 2 of 2, asked for by kim"),
        (None, [F, P], P, 2, "up at attempt 2 of 2, asked for by kim"),  # a record from before this was said
    ],
)
def test_the_attempt_that_counts(allowed, verdicts, verdict, attempt, words):
    (one,) = tried(attempts(*verdicts, allowed=allowed))
    assert (one.counted.verdict, one.counted.attempt, one.reported) == (verdict, attempt, words)


def test_no_order_of_attempts_makes_more_fails_than_allowed_a_pass():
    for allowed, length in itertools.product((1, 2, 3), (1, 2, 3, 4)):
        for verdicts in itertools.product((P, F, E, N, A, S), repeat=length):
            (counted,) = latest(attempts(*verdicts, allowed=allowed))
            passes = verdicts[-1] is P and verdicts.count(F) < allowed
            assert (counted.verdict is P) == passes, (allowed, verdicts)
            if F in verdicts and not passes:
                assert counted.verdict is F, (allowed, verdicts)


@pytest.mark.parametrize("ended", [A, S, E, N, Verdict.INTERRUPTED])
def test_what_was_measured_to_be_bad_stays_bad_however_the_attempt_ended(ended):
    bad = Measurement(name="flow", signal="cdu.flow", verdict=F, reason="flow: 90 L/min, limit >= 100")
    first, second = attempts(ended, P)
    (counted,) = latest([first.model_copy(update={"measurements": (bad,), "reason": "left by kim"}), second])
    assert counted.verdict is F
    assert counted.reason == "flow: 90 L/min, limit >= 100 (left by kim)"


def test_attempts_of_different_steps_are_kept_apart():
    steps = [*attempts(F, P, allowed=2), *attempts(P, name="volt"), *attempts(E, P, name="amps")]
    assert [(one.name, one.attempt) for one in latest(steps)] == [("up", 2), ("volt", 1), ("amps", 2)]
    assert reported(steps) == ["up at attempt 2 of 2, asked for by kim", "amps at attempt 2 of 2, asked for by kim"]


def test_the_step_that_ended_last_is_the_same_however_it_is_looked_for():
    kinds = [("up", 1), ("up", 2), ("down", 1), ("down", 2)]
    for length in range(1, 6):
        for order in itertools.product(kinds, repeat=length):
            steps = [StepResult(name=name, path=name, step="hold", attempt=k, verdict=P) for name, k in order]
            (wanted,) = [one for one in tried(steps) if one.attempts[-1] is steps[-1]]
            assert tried_of(steps[-1].path, steps) == wanted


@pytest.mark.timeout(20)
def test_ten_thousand_steps_are_looked_at_one_by_one():
    steps = [StepResult(name=f"step {k}", path=f"steps/{k}", step="hold", attempt=1, verdict=P) for k in range(10_000)]
    assert len(tried(steps)) == len(steps)
    for _ in range(10_000):  # after each step of a run
        assert tried_of("steps/9999", steps).attempts == (steps[-1],)
