"""Faults of the PDUs and the shelves. `pdu_b.3` is outlet 3 of that PDU, `3` that of the first one."""

from __future__ import annotations

from sim.physics.faults.arguments import Apply, Maker, Plant, Undo, index_of, number_of, put_item
from sim.physics.pdu import Pdu


def _of_pdu(plant: Plant, arg: str) -> tuple[Pdu, str]:
    """The PDU that `pdu_b.3` means and the rest, of the first one when only the rest is given."""
    which, dot, rest = arg.rpartition(".")
    return plant.pdu(which if dot else ""), rest


def _outlet(plant: Plant, arg: str) -> tuple[Pdu, int]:
    pdu, number = _of_pdu(plant, arg)
    return pdu, index_of(number, len(pdu.relay), f"outlet of {pdu.name}")


def _outlet_stuck(plant: Plant, arg: str) -> Apply:
    pdu, index = _outlet(plant, arg)
    return lambda: put_item(pdu.stuck, index, True)


def _outlet_off(plant: Plant, arg: str) -> Apply:
    pdu, index = _outlet(plant, arg)

    def apply() -> Undo:
        closed = pdu.relay[index]
        pdu.set_relay(index, closed=False)
        return lambda: pdu.set_relay(index, closed=closed)

    return apply


def _breaker_trip(plant: Plant, arg: str) -> Apply:
    pdu, index = _outlet(plant, arg)

    def apply() -> Undo:
        pdu.set_tripped(index, tripped=True)
        return lambda: pdu.set_tripped(index, tripped=False)

    return apply


def _lose_phases(pdu: Pdu, *phases: int) -> Undo:
    pdu.lose_phases(phases, 1)
    return lambda: pdu.lose_phases(phases, -1)


def _phase_loss(plant: Plant, arg: str) -> Apply:
    pdu, number = _of_pdu(plant, arg)
    phase = index_of(number, len(pdu.phase_lost), f"phase of {pdu.name}")
    return lambda: _lose_phases(pdu, phase)


def _feed_loss(plant: Plant, arg: str) -> Apply:
    pdu = plant.pdu(arg)
    return lambda: _lose_phases(pdu, *range(len(pdu.phase_lost)))


def _psu_fail(plant: Plant, arg: str) -> Apply:
    which, _, number = arg.partition(".")
    row = plant.shelves.supplies[index_of(which, plant.parameters.shelves, "shelf")]
    chosen = row[index_of(number, len(row), "supply")] if number else None

    def apply() -> Undo:
        supply = chosen or next((each for each in row if each.is_good), row[-1])
        plant.shelves.set_good(supply, good=False)
        return lambda: plant.shelves.set_good(supply, good=True)

    return apply


def _holdup_weak(plant: Plant, arg: str) -> Apply:
    which, _, share = arg.partition("=")
    index = index_of(which, plant.parameters.shelves, "shelf")
    part = number_of(share, 0.5, 0.0, 1.0, "share of the stored energy left")

    def apply() -> Undo:
        before = plant.shelves.bulk_share[index]
        plant.shelves.set_bulk(index, part)
        return lambda: plant.shelves.set_bulk(index, before)

    return apply


def _insulation_weak(plant: Plant, arg: str) -> Apply:
    which, _, share = arg.partition("=")
    index = index_of(which, plant.parameters.shelves, "shelf")
    part = number_of(share, 0.001, 1e-9, 1.0, "share of the insulation resistance left")
    return lambda: put_item(plant.shelves.insulation, index, part * plant.shelves.insulation[index])


def _cords_swapped(plant: Plant, arg: str) -> Apply:
    one, _, other = (arg or "1-2").partition("-")
    first, second = _outlet(plant, one), _outlet(plant, other)

    def apply() -> Undo:
        plant.shelves.swap_cords(first, second)
        return lambda: plant.shelves.swap_cords(first, second)

    return apply


def _inrush_high(plant: Plant, arg: str) -> Apply:
    which, _, times = arg.partition("=")
    pdu, index = _outlet(plant, which)
    factor = number_of(times, 2.0, 0.1, 100.0, "factor")
    return lambda: put_item(pdu.inrush_factor, index, factor)


def _battery_low(plant: Plant, arg: str) -> Apply:
    percent = number_of(arg, 5.0, 0.0, 100.0, "charge in %")
    batteries = plant.bus.batteries
    if not batteries:
        raise ValueError("the rack has no batteries")

    def apply() -> Undo:
        before = [battery.share for battery in batteries]
        plant.bus.set_charge([percent * 0.01] * len(batteries))
        return lambda: plant.bus.set_charge(before)

    return apply


FAULTS: dict[str, Maker] = {
    "outlet_stuck": _outlet_stuck,
    "outlet_off": _outlet_off,
    "breaker_trip": _breaker_trip,
    "phase_loss": _phase_loss,
    "feed_loss": _feed_loss,
    "psu_fail": _psu_fail,
    "battery_low": _battery_low,
    "holdup_weak": _holdup_weak,
    "insulation_weak": _insulation_weak,
    "cords_swapped": _cords_swapped,
    "inrush_high": _inrush_high,
}
