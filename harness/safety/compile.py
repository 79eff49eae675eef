"""The safe state of a station, compiled to what goes over the wire, as JSON (see `harness.safety.actions`).

Everything that profiles, units and models decide is decided here, once, while the devices are open, by the same links
that the runner commands through: addresses, values, read-backs, what they must show. The runner and its guardian carry
out the same result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.device.device import Device
from harness.device.points import ControlPoint, SignalPoint
from harness.device.setting import Setting, resolve_setting
from harness.device.wire import Expect, Read, packed
from harness.errors import HarnessError, RefusedError
from harness.limits.check import Check, compile_check
from harness.limits.derived import FUNCTIONS
from harness.quantity import Quantity, SignalInfo, convert, parse_quantity
from harness.schema.conditions import Condition
from harness.schema.station import DeEnergised, Derived, SafeAction, SafeSequence, Station


async def compile_plan(
    station: Station, devices: Mapping[str, Device], derived: Mapping[str, Derived]
) -> dict[str, Any]:
    """Compile sequences, switches and proof of a station. Never raises for what devices do.

    A control that cannot be compiled (its device was never reached) says why when it is commanded. A switch that a
    device does not have (fewer outlets than the profile's) is left out.
    """
    work = _Compiler(devices, derived)
    off = {}
    for name, device in devices.items():
        for control in device.expansion.controls.values():
            if control.spec.energises:
                put = await work.put(name, control, Setting(word="off"))
                if put is not None:
                    off[f"{name}.{control.name}"] = put
    sequences = {name: await work.sequence(given) for name, given in station.sequences.items()}
    proof = await work.proof(station.de_energised) if station.de_energised is not None else None
    return {"sequences": sequences, "off": off, "proof": proof}


def devices_of(plan: Mapping[str, Any]) -> list[str]:
    """The devices that a compiled plan commands or reads."""
    actions = [action for sequence in plan["sequences"].values() for action in sequence["actions"]]
    puts = [*plan["off"].values(), *(put for action in actions for put in action.get("puts", ()))]
    conditions = [action.get("confirm_by") or action.get("until") for action in actions]
    if plan["proof"] is not None:
        conditions += [*plan["proof"]["no_heat"], *plan["proof"]["dead"]]
    parts = [part for condition in conditions if condition for part in condition["inputs"].values()]
    return sorted({entry["device"] for entry in (*puts, *parts)})


class _Compiler:
    def __init__(self, devices: Mapping[str, Device], derived: Mapping[str, Derived]) -> None:
        self._devices = devices
        self._derived = derived

    async def sequence(self, sequence: SafeSequence) -> dict[str, Any]:
        """One sequence."""
        actions = [await self._action(action, sequence) for action in sequence.actions]
        return {"kind": sequence.kind, "actions": actions}

    async def _action(self, action: SafeAction, sequence: SafeSequence) -> dict[str, Any]:
        reference = action.set or action.keep or ""
        wanted = action.until or action.confirm_by
        condition = await self._condition(wanted) if wanted is not None else None
        if action.set is None or action.to is None:
            assert action.until is not None
            text = f"keep {reference} until {action.until.signal}"
            waits = {"at_least": action.at_least, "at_most": action.at_most}
            return {"text": text, "keep": True, "until": condition, **waits}
        name, _, control = reference.partition(".")
        bank = self._devices[name].expansion.bank(control)
        if not bank:
            raise ValueError(f"{reference} is not a control")
        puts = [await self.put(name, point, resolve_setting(point, action.to)) for point in bank]
        only = action.only_if_confirmed
        return {
            "text": f"{reference} {action.to}",
            "puts": [put for put in puts if put is not None],
            "energises": any(point.spec.energises for point in bank),
            "within": action.confirm_within,
            "only_if_confirmed": not sequence.on_live_parts if only is None else only,
            "stagger": action.stagger,
            "only_tripped": action.only_tripped,
            "confirm_by": condition,
        }

    async def put(self, name: str, control: ControlPoint, setting: Setting) -> dict[str, Any] | None:
        """One control's command and its read-back; None when this device does not have the control."""
        device = self._devices[name]
        point = device.expansion.signals[control.confirm_by] if control.confirm_by else None
        problem = ""
        commands, read = [], None
        try:
            commands = await device.link.commands(control, setting.value, setting.word)
            read = await compile_read(device, point) if point is not None else None
        except RefusedError:
            if device.is_open:
                return None
            problem = f"{name} was never reached"
        except HarnessError as error:
            problem = error.message
        confirm = control.spec.confirm
        return {
            "device": name,
            "control": control.name,
            "to": setting.show(control.spec.unit),
            "commands": [packed(command) for command in commands],
            "read": packed(read) if read is not None else None,
            "expect": packed(_expected(control, setting, point)) if point is not None else None,
            "delay": confirm.delay if confirm is not None else 0.0,
            "words": [[code, word] for code, word in point.spec.words().items()] if point is not None else [],
            "unit": control.spec.unit,
            "problem": problem,
        }

    async def proof(self, wanted: DeEnergised) -> dict[str, Any]:
        """What shows that there is no heat, and that the busbars are dead."""
        idle, low = wanted.battery_idle, Quantity(-wanted.battery_idle.value, wanted.battery_idle.unit)
        no_heat = [Condition(signal=signal, min=low, max=idle) for signal in wanted.battery_current]
        no_heat += [Condition(signal=signal, max=wanted.under_voltage) for signal in wanted.bus]
        dead = [Condition(signal=signal, max=wanted.below) for signal in wanted.bus]
        return {
            "no_heat": [await self._condition(each) for each in no_heat],
            "dead": [await self._condition(each) for each in dead],
            "within": wanted.within,
        }

    async def _condition(self, wanted: Condition) -> dict[str, Any]:
        entry = self._derived.get(wanted.signal)
        function = FUNCTIONS[entry.function] if entry is not None else None
        inputs: dict[str, Any] = {}
        first: str | None = None
        for key, reference in (entry.inputs if entry is not None else {"": wanted.signal}).items():
            owner, _, signal = reference.partition(".")
            point = self._devices[owner].expansion.signals[signal]
            first = point.spec.unit if first is None else first
            info = point.info(owner)
            try:
                read = await compile_read(self._devices[owner], point, function.arrival(key, first) if function else "")
            except HarnessError:
                inputs = {}  # of a device that was never reached: it cannot be read
                break
            inputs[key] = {"device": owner, "read": packed(read)}
        if function is not None and function.is_integral:
            inputs = {}  # no single look at devices shows it
        unit = function.result_unit(first or "") if function is not None else info.unit
        check = compile_check(wanted, SignalInfo(wanted.signal, unit) if function is not None else info)
        return {
            "name": wanted.signal,
            "function": entry.function if entry is not None else "",
            "inputs": inputs,
            "expect": packed(_expect_of(check)),
            "for": wanted.for_,
            "unit": unit,
        }


async def compile_read(device: Device, point: SignalPoint, unit: str = "") -> Read:
    """How one signal is read and scaled, in `unit` instead of its own if given."""
    spec = point.spec
    read = device.link.reading(point)
    if spec.is_text:
        return read
    found, shift = read.factor, read.offset
    is_code = bool(spec.enum or spec.flags)
    factor = found if is_code else found * spec.scale / 2**spec.precision
    offset = 0.0 if is_code else spec.offset + shift * spec.scale / 2**spec.precision
    if spec.exponent_signal:
        (exponent,) = await device.read([spec.exponent_signal])
        factor *= 10.0**exponent.value
    low, high = spec.range or (read.low, read.high)
    if unit and unit != spec.unit:
        zero = convert(0.0, spec.unit, unit)
        slope = convert(1.0, spec.unit, unit) - zero
        factor, offset, low, high = factor * slope, offset * slope + zero, low * slope + zero, high * slope + zero
    sentinels = read.sentinels or spec.sentinels
    return replace(read, factor=factor, offset=offset, low=low, high=high, sentinels=sentinels, invert=spec.low_bits)


def _expected(control: ControlPoint, setting: Setting, point: SignalPoint) -> Expect:
    """What `harness.device.confirm.agrees` wants, as numbers."""
    confirm = control.spec.confirm
    assert confirm is not None
    if setting.word:
        shown = confirm.words.get(setting.word, setting.word)
        if point.spec.is_text:
            return Expect(text=shown)
        return Expect(codes=tuple(code for code, word in point.spec.words().items() if word == shown))
    tolerance = abs(control.spec.scale) / 2**control.spec.precision * 1.0001
    if confirm.tolerance:
        tolerance = parse_quantity(confirm.tolerance).value
    return Expect(low=setting.value - tolerance, high=setting.value + tolerance)


def _expect_of(check: Check) -> Expect:
    codes = tuple(sorted(check.codes)) if check.codes is not None else None
    return Expect(low=check.low, high=check.high, codes=codes, mask=check.mask)
