"""Whether safe-state sequences can be carried out, and in an order that does no harm."""

from __future__ import annotations

from collections.abc import Mapping

from harness.device.setting import resolve_setting
from harness.limits.check import compile_check
from harness.project.catalog import Catalog
from harness.project.checks.parts import Place, attempt, right
from harness.schema.conditions import Condition
from harness.schema.document import Source
from harness.schema.problems import Problems
from harness.schema.station import DeEnergised, SafeAction, Station


def check_safe_state(catalog: Catalog, source: Source, station: Station, found: Problems, *, is_whole: bool) -> None:
    """Every sequence on its own; `is_whole`: the station as a whole is right, so that no action was left out."""
    if station.safe_state and "default" not in station.safe_state:
        hint = "name the sequence that ends every run `default`"
        found.add(source.problem(("safe_state",), "HX-1322", "there is no sequence 'default'", hint))
    for name, sequence in station.sequences.items():
        place = actions_at(source, name)
        actions = dict(enumerate(sequence.actions)) if is_whole else right(source, place, SafeAction, Problems())
        for index, action in actions.items():
            _check_action(catalog, source, (*place, index), action, found)
        if name == "default":
            _check_order(catalog, source, place, actions, found)
    _check_kinds(source, station, found)
    if is_whole:
        _check_rows(catalog, source, station, found)
    if station.de_energised is not None:
        _check_proof(catalog, source, station.de_energised, found)
    if is_whole and station.safe_state:
        _check_batteries(catalog, source, station, found)


def _check_proof(catalog: Catalog, source: Source, proof: DeEnergised, found: Problems) -> None:
    """What proves that the rack is dead: one signal each, with bounds in its unit that it can show."""
    bounds = [("bus", k, signal, "under_voltage", proof.under_voltage) for k, signal in enumerate(proof.bus)]
    bounds += [("bus", k, signal, "below", proof.below) for k, signal in enumerate(proof.bus)]
    bounds += [
        ("battery_current", k, signal, "battery_idle", proof.battery_idle)
        for k, signal in enumerate(proof.battery_current)
    ]
    for key, k, signal, bound, quantity in bounds:
        loc: Place = ("de_energised", key, k)
        if not _is_one(catalog, source, loc, signal, found):
            continue
        limit = Condition(signal=signal, max=quantity)
        info = catalog.signals[signal]
        attempt(found, source, ("de_energised", bound), "HX-1312", lambda c=limit, s=info: compile_check(c, s))
    attempt(found, source, ("de_energised", "below"), "HX-1325", lambda: _check_levels(proof))


def _check_batteries(catalog: Catalog, source: Source, station: Station, found: Problems) -> None:
    """Where the station sees a battery, open outlets prove no dead rack: each battery has its part in the proof."""
    proof = station.de_energised
    proved = proof.battery_current if proof is not None else ()
    seen = [name for name in catalog.signals if name.rpartition(".")[2] == "battery_current"]
    left = next((name for name in seen if name not in proved), "")
    if left and proof is None:
        message = f"{left} shows a battery: it feeds the rack behind open outlets, and nothing proves the rack dead"
        hint = "say what does under de_energised, see docs/reference/interlocks.md"
        found.add(source.problem(("safe_state",), "HX-1327", message, hint))
    elif left:
        found.add(
            source.problem(("de_energised",), "HX-1327", f"{left} shows a battery that is not in battery_current")
        )


def _check_levels(proof: DeEnergised) -> None:
    if proof.below.to(proof.under_voltage.unit) >= proof.under_voltage.value:
        raise ValueError(f"below {proof.below} is not below the trays' under_voltage {proof.under_voltage}")


def _is_one(catalog: Catalog, source: Source, loc: Place, signal: str, found: Problems) -> bool:
    """Whether a reference names one signal; several cannot be one condition."""
    names = catalog.find_signals(signal)
    if names and signal not in catalog.signals:
        message = f"{signal} stands for {len(names)} signals; a safe state looks at one"
        found.add(source.problem(loc, "HX-1326", message, f"name it, like {names[0]}"))
    return signal in catalog.signals


def _check_kinds(source: Source, station: Station, found: Problems) -> None:
    """`default` takes the heat off, and there is one calm end at most."""
    kinds = {name: sequence.kind for name, sequence in station.sequences.items()}
    if kinds.get("default", "heat") != "heat":
        message = "the sequence 'default' is of kind heat: it is what every stop can count on"
        found.add(source.problem(("safe_state", "default", "kind"), "HX-1324", message))
    ends = [name for name, kind in kinds.items() if kind == "end"]
    for name in ends[1:]:
        message = f"{ends[0]!r} is of kind end already: a run has one calm end"
        found.add(source.problem(("safe_state", name, "kind"), "HX-1324", message))


def _check_rows(catalog: Catalog, source: Source, station: Station, found: Problems) -> None:
    """What is about the rows that tripped needs rows, and interlocks whose signals name them."""
    for name, sequence in station.sequences.items():
        place = actions_at(source, name)
        meant = [(k, action) for k, action in enumerate(sequence.actions) if action.only_tripped]
        rows: set[str] = set()
        for index, action in meant:
            rows = {row_of(point.name) for _, point in catalog.find_controls(action.set or "")}
            if "" in rows:
                message = f"{action.set} has no rows of which one could be meant"
                found.add(
                    source.problem((*place, index, "only_tripped"), "HX-1328", message, "name a bank of controls")
                )
                return
        for k, interlock in enumerate(station.interlocks if meant else ()):
            strange = [each for each in interlock.all_signals if row_of(each) not in rows]
            if interlock.on_trip == name and interlock.action == "trip" and strange:
                message = f"{strange[0]} names no row of what {name!r} sets (only_tripped)"
                found.add(source.problem(("interlocks", k), "HX-1328", message, "lead it to another sequence"))


def row_of(name: str) -> str:
    """`[3]` of `trays.tray[3].leak`; '' of what has no row."""
    _, bracket, rest = name.partition("[")
    return f"[{rest.partition(']')[0]}]" if bracket else ""


def _check_action(catalog: Catalog, source: Source, loc: Place, action: SafeAction, found: Problems) -> None:
    if action.set is not None and action.to is not None:
        for _, point in catalog.find_controls(action.set)[:1]:
            to = action.to
            attempt(found, source, (*loc, "to"), "HX-1321", lambda p=point, t=to: resolve_setting(p, t))
    for key in ("until", "confirm_by"):
        condition = getattr(action, key)
        if condition is not None and _is_one(catalog, source, (*loc, key, "signal"), condition.signal, found):
            info = catalog.signals[condition.signal]
            attempt(found, source, (*loc, key), "HX-1312", lambda c=condition, s=info: compile_check(c, s))


def _check_order(
    catalog: Catalog, source: Source, place: tuple[str, ...], actions: Mapping[int, SafeAction], found: Problems
) -> None:
    """Heat goes off before coolant: what ends every run must not stop a coolant unit while something may be on."""
    off: dict[int, list[str]] = {}
    for index, action in actions.items():
        if action.set is not None and action.to == "off":
            off[index] = [device for device, _ in catalog.find_controls(action.set)]
    hot = [
        index
        for index in off
        if any(point.spec.energises for _, point in catalog.find_controls(actions[index].set or ""))
    ]
    for index, devices in off.items():
        classes = {catalog.profiles[device].class_ for device in devices if device in catalog.profiles}
        if "cdu" in classes and hot and index < max(hot):
            message = f"{actions[index].set} stops the coolant before {actions[max(hot)].set} takes the heat off"
            hint = "put what takes the heat off first"
            found.add(source.problem((*place, index), "HX-1323", message, hint))


def actions_at(source: Source, sequence: str) -> tuple[str, ...]:
    """Where the actions of a safe-state sequence stand: in a plain list, or under `actions`."""
    raw = source.data.get("safe_state") if isinstance(source.data, dict) else None
    is_plain = isinstance(raw, dict) and isinstance(raw.get(sequence), list)
    return ("safe_state", sequence) if is_plain else ("safe_state", sequence, "actions")
