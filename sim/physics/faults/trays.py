"""Faults of single trays: their branch of the loop, what is on their plates, and their power."""

from __future__ import annotations

from collections.abc import Callable

from sim.physics.faults.arguments import Apply, Maker, Plant, Undo, index_of, number_of
from sim.physics.inventory import PAN_THRESHOLD
from sim.physics.trays import Vector

HALF_SEATED = 4.0  # factor on the resistance of a branch whose coupling is half open


def _tray(plant: Plant, arg: str) -> tuple[int, str]:
    """The tray of `n=rest` and the rest; `n` is needed."""
    which, _, rest = arg.partition("=")
    if not which.strip():
        raise ValueError(f"say which tray, 1 to {plant.rack.trays.count}")
    return index_of(which, plant.rack.trays.count, "tray"), rest


def _scale(values: Vector, index: int, factor: float, renew: Callable[[], None]) -> Apply:
    """Multiply one element, so that several faults of one tray end in any order."""

    def apply() -> Undo:
        values[index] *= factor
        renew()

        def undo() -> None:
            values[index] /= factor
            renew()

        return undo

    return apply


def _divide(plant: Plant) -> Callable[[], None]:
    """What has the flow divided anew."""

    def renew() -> None:
        plant.rack.trays.divide()
        plant.loop.tray_factor = plant.rack.trays.hydraulic

    return renew


def _tray_blocked(plant: Plant, arg: str) -> Apply:
    index, share = _tray(plant, arg)
    left = 1.0 - number_of(share, 1.0, 0.0, 1.0, "blocked share")
    return _scale(plant.rack.trays.passage, index, max(left, 1e-6), _divide(plant))


def _qd_half(plant: Plant, arg: str) -> Apply:
    index, factor = _tray(plant, arg)
    times = number_of(factor, HALF_SEATED, 1.0, 1e6, "factor on the branch's resistance")
    exponent = plant.parameters.rack_exponent
    return _scale(plant.rack.trays.passage, index, times ** (-1.0 / exponent), _divide(plant))


def _bypass(plant: Plant, arg: str) -> Apply:
    share = number_of(arg, 0.1, 0.0, 0.9, "share of the flow that passes the trays by")
    trays, renew = plant.rack.trays, _divide(plant)

    def apply() -> Undo:
        before, trays.bypass = trays.bypass, share
        renew()

        def undo() -> None:
            trays.bypass = before
            renew()

        return undo

    return apply


def _tim_bad(plant: Plant, arg: str) -> Apply:
    index, factor = _tray(plant, arg)
    times = number_of(factor, 1.3, 1.0, 100.0, "factor on the resistance from plate to junction")
    trays = plant.rack.trays
    return _scale(trays.junction_factor, index, times, trays.warm)


def _tray_off(plant: Plant, arg: str) -> Apply:
    index, rest = _tray(plant, arg)
    if rest:
        raise ValueError(f"takes the number of a tray, got {arg!r}")
    rack = plant.rack

    def apply() -> Undo:
        rack.dead[index] += 1
        rack.changed()

        def undo() -> None:
            rack.dead[index] -= 1
            rack.changed()

        return undo

    return apply


def _air_pocket(plant: Plant, arg: str) -> Apply:
    index, share = _tray(plant, arg)
    lost = number_of(share, 0.5, 0.0, 0.99, "share of the plate that air covers")
    trays = plant.rack.trays

    def apply() -> Undo:
        trays.trap(index, lost)
        return lambda: trays.trap(index, 0.0)

    return apply


def _tray_leak(plant: Plant, arg: str) -> Apply:
    index, amount = _tray(plant, arg)
    rate = number_of(amount, PAN_THRESHOLD / 10.0, 0.0, 1e4, "rate in mL/s")
    inventory = plant.loop.inventory

    def apply() -> Undo:
        inventory.leak_tray(index, rate)
        return lambda: inventory.leak_tray(index, -rate)

    return apply


FAULTS: dict[str, Maker] = {
    "tray_blocked": _tray_blocked,
    "qd_half": _qd_half,
    "bypass": _bypass,
    "tim_bad": _tim_bad,
    "tray_off": _tray_off,
    "air_pocket": _air_pocket,
    "tray_leak": _tray_leak,
}
