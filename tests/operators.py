"""Who answers when a plan asks, and does in the simulated truth what he is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LEAK_ML_S = 20.0


class Hands:
    """Who is asked to make leak sensors wet and to dry them; a `dead` sensor (its zone) stays dry."""

    def __init__(self, dead: str = "") -> None:
        self.dead = dead
        self.asked: list[str] = []
        self.simulation: Any = None

    def meet(self, _runner: Any, simulation: Any) -> None:
        """For `during` of a run."""
        self.simulation = simulation

    async def answer(self, question: str, _answers: Sequence[str]) -> str:
        """For `prompter` of a run."""
        self.asked.append(question)
        zone = "cdu" if "unit" in question else "rack"
        wet = question.startswith("Make") and zone != self.dead
        self.simulation.plant.loop.inventory.leak_rate[zone] = LEAK_ML_S if wet else 0.0
        return "done"
