"""Faults of the switch, its links and the trays behind them."""

from __future__ import annotations

from collections.abc import Callable

from sim.physics.faults.arguments import Apply, Maker, Plant, Undo, index_of, number_of, put, without_argument

REBOOT_TIME = 60.0  # s until the trays run their workload again


def _port_change(name: str, value: Callable[[Plant, int], float | bool]) -> Callable[[Plant, str], Apply]:
    """A fault of one port that changes one of its properties."""

    def make(plant: Plant, arg: str) -> Apply:
        index = index_of(arg, plant.parameters.ports, "port")

        def apply() -> Undo:
            before = getattr(plant.switch.ports[index], name)
            plant.switch.change(index, name, value(plant, index))
            return lambda: plant.switch.change(index, name, before)

        return apply

    return make


def _quarter_speed(plant: Plant, _index: int) -> float:
    return plant.parameters.port_speed / 4


def _link_flap(plant: Plant, arg: str) -> Apply:
    which, _, seconds = arg.partition("=")
    index = index_of(which, plant.parameters.ports, "port")
    period = number_of(seconds, 10.0, 0.2, 86400.0, "period in s")

    def apply() -> Undo:
        plant.switch.set_flapping(index, period, flapping=True)
        return lambda: plant.switch.set_flapping(index, period, flapping=False)

    return apply


def _lldp_swapped(plant: Plant, arg: str) -> Apply:
    first, _, second = (arg or "1-2").partition("-")
    a = index_of(first, plant.parameters.ports, "first port")
    b = index_of(second or "0", plant.parameters.ports, "second port (write a-b)")

    def swap() -> None:
        ports = plant.switch.ports
        ports[a].neighbor, ports[b].neighbor = ports[b].neighbor, ports[a].neighbor

    def apply() -> Undo:
        swap()
        return swap

    return apply


def _optic_hot(plant: Plant, arg: str) -> Apply:
    index = index_of(arg, plant.parameters.ports, "port")
    return lambda: put(plant.switch.ports[index], "hot_at", plant.time)


def _ber_drift(plant: Plant, arg: str) -> Apply:
    index = index_of(arg, plant.parameters.ports, "port")

    def apply() -> Undo:
        plant.switch.set_drift(index, drifting=True)
        return lambda: plant.switch.set_drift(index, drifting=False)

    return apply


def _counters_cleared(plant: Plant, arg: str) -> Apply:
    index = index_of(arg, plant.parameters.ports, "port")

    def apply() -> Undo:
        plant.switch.clear(index)
        return lambda: None

    return apply


def _is_booting(active: tuple[str, ...]) -> bool:
    return any(label.partition(":")[0] == "rack_reboot" for label in active)


def _rack_reboot(plant: Plant, arg: str) -> Apply:
    forgets = arg == "idle"

    def apply() -> Undo:
        undo = put(plant.rack, "booting", True)
        if forgets:
            plant.rack.workload = 0.0
        plant.switch.restart()
        active = plant.faults  # this fault itself is listed after apply returns

        def ready() -> None:
            if _is_booting(plant.faults):
                plant.clear("rack_reboot")

        if not _is_booting(active):
            plant.schedule(plant.time + REBOOT_TIME, ready)
        return undo

    return without_argument("" if forgets else arg, apply)


FAULTS: dict[str, Maker] = {
    "link_down": _port_change("broken", lambda _plant, _index: True),
    "link_flap": _link_flap,
    "speed_down": _port_change("speed", _quarter_speed),
    "lldp_swapped": _lldp_swapped,
    "optic_hot": _optic_hot,
    "ber_drift": _ber_drift,
    "counters_cleared": _counters_cleared,
    "rack_reboot": _rack_reboot,
}
