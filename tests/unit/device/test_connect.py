"""Opening has patience for the slow and none for the dead."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from harness.clock import Clock, run
from harness.device.connect import SILENT_S, SLOW_S, open_device
from harness.errors import UnreachableError

INF = float("inf")


class Card:
    """A management card: `questions` to open it, `pace` seconds for each answer; mute after `mute_after` answers."""

    name = "pdu"

    def __init__(self, questions: int, pace: float, mute_after: int | None = None) -> None:
        self.questions, self.pace, self.mute_after = questions, pace, mute_after
        self.counted = {"requests": 0, "timeouts": 0}
        self.link = SimpleNamespace(health=lambda: self.counted)
        self.is_open = False
        self.was_cancelled = False

    async def open(self) -> None:
        try:
            for asked in range(self.questions):
                self.counted["requests"] += 1
                await asyncio.sleep(3600 if asked == self.mute_after else self.pace)
            self.is_open = True
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise


def opened(card: Card) -> tuple[str, float]:
    """(why not, seconds it took)"""

    async def main() -> tuple[str, float]:
        clock = Clock()
        try:
            await open_device(card, clock)
        except UnreachableError as error:
            return error.message, clock.monotonic()
        return "", clock.monotonic()

    return run(main, rate=INF)


def test_a_slow_card_is_waited_for():
    card = Card(questions=20, pace=0.6)
    assert opened(card) == ("", pytest.approx(12.0))
    assert card.is_open


@pytest.mark.parametrize("mute_after", [0, 1])
def test_a_mute_one_is_given_up_at_once(mute_after):
    card = Card(questions=20, pace=0.1, mute_after=mute_after)
    why, took = opened(card)
    assert "did not come up" in why
    assert took <= (1 + mute_after) * SILENT_S + 0.01
    assert card.was_cancelled


def test_one_that_never_comes_to_an_end_is_given_up():
    card = Card(questions=10_000, pace=0.5)
    why, took = opened(card)
    assert "did not come up" in why
    assert took <= SLOW_S
    assert card.was_cancelled


def test_what_the_device_says_is_passed_on():
    class Refusing(Card):
        async def open(self) -> None:
            raise UnreachableError("nobody listens")

    assert opened(Refusing(1, 0.1))[0] == "nobody listens"
