"""The coolant loop against a model of another structure, with its own cells and with four times as many.

That model is plug flow in cells with inertia of the fluid, by another author; it is not part of the project and is
looked for in ../shared/reference, or in $HARNESS_REFERENCE. Nothing is taken from it, and no parameter is fitted to it.
"""

from __future__ import annotations

import copy
import importlib.util
import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sim.physics import Plant
from tests.unit.sim.physics_rack import KIND, SETTLED, powered

ROOT = Path(__file__).parents[3]
FILE = Path(os.environ.get("HARNESS_REFERENCE", ROOT.parent / "shared" / "reference")) / "plug_flow_loop.py"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the plug flow model is not on this machine")

BARE = replace(KIND, throttle_temperature=1e3, trip_temperature=1e3)
"""Trays that do not protect themselves, as those of the other model."""
FRONT = 2  # s by which a front of temperature may pass sooner or later
STEADY = 0.02  # relative
FLOW = 0.03  # of the design flow
KELVIN = 1.0
SHARP = 1.5
"""K that fronts differ by while they pass, when the other model has four times its cells: they are sharper then."""


@cache
def model() -> Any:
    spec = importlib.util.spec_from_file_location("plug_flow_loop", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _settled(cells: int, load: float) -> Any:
    loop = model().Loop(cells=cells, dt=0.02)
    loop.load = 0.87 * (25e3 + load * 107e3)
    loop.run(SETTLED)
    return loop


def other(cells: int, load: float = 1.0) -> Any:
    """The other model, settled under this share of the workload."""
    return copy.deepcopy(_settled(cells, load))


def ours(load: float = 1.0) -> Plant:
    return powered(100.0 * load, kind=BARE)


def both(
    cells: int, fault: str, change: Callable[[Any], None], seconds: int, load: float = 1.0
) -> list[tuple[dict[str, float], dict[str, float]]]:
    """(this, the other) each second after something happened to both."""
    plant, loop, rows = ours(load), other(cells, load), []
    if fault:
        plant.inject(fault)
    else:
        plant.command("load", 100)
    change(loop)
    for second in range(1, seconds + 1):
        plant.advance(SETTLED + second)
        loop.run(1.0)
        mine = {"flow": plant.truth("loop.flow"), "supply": plant.loop.supply, "return": plant.loop.back}
        theirs = {"flow": loop.flow * 6e4, "supply": loop.supply[-1], "return": loop.back[-1]}
        rows.append((mine | {"plate": plant.rack.plate}, theirs | {"plate": max(loop.plate)}))
    return rows


def worst(rows: list[tuple[dict[str, float], dict[str, float]]], name: str, shift: int = 0) -> float:
    """The greatest difference; fronts may pass `shift` seconds sooner or later, as they are spread otherwise."""
    found = 0.0
    for k, (mine, _) in enumerate(rows):
        near = [theirs[name] for _, theirs in rows[max(0, k - shift) : k + shift + 1]]
        found = max(found, mine[name] - max(near), min(near) - mine[name])
    return found


@pytest.mark.parametrize("cells", [12, 48])
@pytest.mark.parametrize("load", [1.0, 0.3])
def test_steady_states_agree(cells, load):
    plant, loop = ours(load), other(cells, load)
    found = {
        "flow": (plant.truth("loop.flow"), loop.flow * 6e4),
        "pressure drop": (plant.loop.rack_drop, loop.rack_dp * 1e-3),
        "speed": (plant.loop.speeds[1], loop.speed[1]),
        "valve": (plant.loop.valve, loop.valve),
        "rise": (plant.loop.back - plant.loop.supply, loop.back[-1] - loop.supply[-1]),
        "plate above facility": (plant.rack.plate - 30.0, max(loop.plate) - 30.0),
        "supply above facility": (plant.loop.supply - 30.0, loop.supply[-1] - 30.0),
    }
    for name, (mine, theirs) in found.items():
        assert mine == pytest.approx(theirs, rel=STEADY), name


def lose_a_pump(loop: Any) -> None:
    loop.stopped = [True, False]


@pytest.mark.parametrize("cells", [12, 48])
def test_one_pump_lost(cells):
    rows = both(cells, "pump_stop:1", lose_a_pump, 120)
    assert worst(rows, "flow") < FLOW * 172
    for name in ("supply", "return", "plate"):
        assert worst(rows, name) < KELVIN, name
    assert min(mine["flow"] for mine, _ in rows) == pytest.approx(min(theirs["flow"] for _, theirs in rows), rel=STEADY)


@pytest.mark.parametrize("cells", [12, 48])
@pytest.mark.parametrize(
    ("fault", "name", "value"),
    [("fws_step:6", "facility", 36.0), ("hx_fouled:0.6", "fouling", 0.6), ("filter_clog:4", "clog", 3.0)],
)
def test_what_happens_to_the_loop(cells, fault, name, value):
    """While a front passes, the sharper ones of 48 cells differ by up to 1.5 K; steady again they agree."""
    rows = both(cells, fault, lambda loop: setattr(loop, name, value), 300)
    assert worst(rows, "flow") < FLOW * 172
    for what in ("supply", "return", "plate"):
        assert worst(rows, what, FRONT) < (KELVIN if cells == 12 else SHARP), what
    for what in ("flow", "supply", "return", "plate"):
        assert rows[-1][0][what] == pytest.approx(rows[-1][1][what], rel=STEADY), what


@pytest.mark.parametrize("cells", [12, 48])
def test_a_load_step(cells):
    """Both overshoot and peak at the same time; how much hangs on how a line mixes, which is where the two differ."""
    rows = both(cells, "", lambda loop: setattr(loop, "load", 115e3), 120, load=0.3)
    assert worst(rows, "flow") < FLOW * 172
    peaks = [max((row[k]["supply"], second) for second, row in enumerate(rows, 1)) for k in (0, 1)]
    assert peaks[0][0] == pytest.approx(peaks[1][0], abs=KELVIN)
    assert peaks[0][1] == pytest.approx(peaks[1][1], abs=6)
    for what in ("supply", "return", "plate"):
        assert worst(rows, what, FRONT) < KELVIN, what


def lose_both(loop: Any) -> None:
    loop.stopped = [True, True]


def test_both_pumps_lost_is_worse_here():
    """Without inertia of the fluid the flow is gone sooner and the plates are warmer: the safe side, by this much."""
    plate = ours().rack.plate
    rows = both(12, "both_pumps_stop", lose_both, 15)
    for second, flow, rise in ((5, 31.0, 5.3), (10, 12.5, 13.6), (15, 7.8, 21.6)):
        mine, theirs = rows[second - 1]
        assert (theirs["flow"], theirs["plate"] - plate) == pytest.approx((flow, rise), abs=0.5)
        assert mine["flow"] < theirs["flow"]
        assert theirs["plate"] + 1.5 < mine["plate"] < theirs["plate"] + 13


def lose_facility(loop: Any) -> None:
    loop.facility_lost = True


@pytest.mark.parametrize("cells", [12, 48])
def test_facility_water_lost(cells):
    """The supply knows nothing of it for the dead time, then comes in steps, a turn of the loop apart.

    By 60 s it has risen by 20 K, the flank of a step is 2 K/s: with the other's own cells they agree within 1.2 K
    there, with four times as many, whose steps are sharper, within 2 K.
    """
    rows = both(cells, "fws_loss", lose_facility, 120)
    assert worst(rows[:6], "supply") < 0.3
    assert worst(rows, "flow") < FLOW * 172
    for second in (60, 120):
        mine, theirs = rows[second - 1]
        assert mine["supply"] == pytest.approx(theirs["supply"], abs=1.2 if cells == 12 else 2.0)
    turns = [sum(mine["supply"] - theirs["supply"] for mine, theirs in rows[at : at + 28]) / 28 for at in (30, 60, 90)]
    assert max(map(abs, turns)) < 1.5 * KELVIN
