"""Faults of the leak test with gas: of the rack, of the valves of the panel, of its thermometers."""

from __future__ import annotations

from sim.physics.faults.arguments import Apply, Maker, Plant, Undo, index_of, number_of, put_item


def _gas_leak(plant: Plant, arg: str) -> Apply:
    rate = number_of(arg, 30.0, 0.0, 1e5, "leak in sccm at 500 kPa absolute")

    def apply() -> Undo:
        plant.gas.leak += rate

        def undo() -> None:
            plant.gas.leak = max(0.0, plant.gas.leak - rate)

        return undo

    return apply


def _gas_step(plant: Plant, arg: str) -> Apply:
    amount = number_of(arg, 2.0, 0.01, 1e3, "pressure in kPa")

    def apply() -> Undo:
        plant.gas.lose(amount)
        return lambda: None  # what is out does not come back

    return apply


def _gas_valve_passes(plant: Plant, arg: str) -> Apply:
    which, _, amount = arg.partition("=")
    names = {"fill": "fill_passes", "isolate": "isolate_passes"}
    if which and which not in names:
        raise ValueError(f"argument must be a valve ({', '.join(names)}), or valve=sccm, got {arg!r}")
    name = names[which or "isolate"]
    rate = number_of(amount, 20.0, 0.0, 1e4, "what passes the closed valve, in sccm")

    def apply() -> Undo:
        setattr(plant.gas, name, getattr(plant.gas, name) + rate)

        def undo() -> None:
            setattr(plant.gas, name, max(0.0, getattr(plant.gas, name) - rate))

        return undo

    return apply


def _gas_thermometer_loose(plant: Plant, arg: str) -> Apply:
    which, _, share = arg.partition("=")
    index = index_of(which, 2, "thermometer")
    follows = number_of(share, 0.3, 0.0, 1.0, "share of the gas temperature that it still follows")
    return lambda: put_item(plant.gas.tracking, index, follows)


def _gas_wet(plant: Plant, arg: str) -> Apply:
    amount = number_of(arg, 500.0, 0.0, 1e5, "liquid in mL")

    def apply() -> Undo:
        plant.gas.moist += amount
        return lambda: None  # it has to be dried

    return apply


FAULTS: dict[str, Maker] = {
    "gas_leak": _gas_leak,
    "gas_step": _gas_step,
    "gas_valve_passes": _gas_valve_passes,
    "gas_thermometer_loose": _gas_thermometer_loose,
    "gas_wet": _gas_wet,
}
