"""The safe state, compiled to what goes over the wire, as JSON: what the guardian is given.

The guardian has no profiles, no units and no models. Everything that those decide is decided here, while the devices
are open, by the same links that the runner commands through: addresses, values, read-backs, what they must show.

```
{station, run, epoch, interval, lock, folder, is_simulated,
 devices:   {name: {protocol, ..., credentials}},
 off:       {"device.control": SET},                  switches that energise, and how they are put off
 sequences: {name: [{text, sets: [SET], energises, within, only_if_confirmed, also: CONDITION},
                    {text, keep: true, at_most, until: CONDITION}]}}
SET       = {device, control, commands: [Command], read: Read, expect: Expect, delay}
CONDITION = {name, function, inputs: {key: {device, read}}, expect}
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.device.address import Address, parse_address, tls_options
from harness.device.credentials import redfish_credentials, snmp_credentials
from harness.device.device import Device, Setting
from harness.device.points import ControlPoint, SignalPoint
from harness.device.safestate import LEAK, Condition, Step
from harness.device.wire import Expect, Read, packed
from harness.errors import RefusedError
from harness.limits.check import Check
from harness.limits.derived import FUNCTIONS
from harness.quantity import convert, parse_quantity
from harness.schema.profile import ModbusProfile, ModbusSignal, Profile, RedfishProfile, ScpiProfile, SnmpProfile


async def hand_over(
    sequences: Mapping[str, Sequence[Step]],
    devices: Mapping[str, Device],
    addresses: Mapping[str, str],
    base: Path,
) -> dict[str, Any]:
    """The devices, switches and sequences of a station for its guardian. The devices must be open.

    `addresses` replaces those of the station file (simulated devices), `base` is where credentials are found. A switch
    that a device does not have (fewer outlets than the profile's) is left out.
    """
    off: dict[str, Any] = {}
    for name, device in devices.items():
        for control in device.expansion.controls.values():
            if control.spec.energises:
                entry = await _set(name, device, control, Setting(word="off"))
                if entry is not None:
                    off[f"{name}.{control.name}"] = entry
    compiled = {name: [await _action(step, name, devices) for step in steps] for name, steps in sequences.items()}
    used = {entry["device"] for entry in off.values()}
    for actions in compiled.values():
        for action in actions:
            used.update(entry["device"] for entry in action.get("sets", ()))
            for condition in (action.get("also"), action.get("until")):
                used.update(part["device"] for part in (condition or {"inputs": {}})["inputs"].values())
    reached = {name: _reach(devices[name], addresses.get(name, ""), base) for name in sorted(used)}
    return {"devices": reached, "off": off, "sequences": compiled}


def _reach(device: Device, replaced: str, base: Path) -> dict[str, Any]:
    where = parse_address(replaced or device.entry.address)
    profile: Profile = device.profile
    entry: dict[str, Any] = {"protocol": profile.protocol, "timeout": profile.timeout, "address": str(where)}
    if isinstance(profile, ModbusProfile):
        entry |= _modbus(profile, where)
    elif isinstance(profile, SnmpProfile):
        options = profile.snmp
        entry |= {"host": where.host, "port": where.port, "max_oids": options.max_oids}
        entry |= {"any_source": options.any_source, "max_sets": options.max_sets}
        credentials = snmp_credentials(None if replaced else device.entry.credentials, base)
        entry["credentials"] = {
            "version": credentials.version,
            "community": credentials.community.reveal(),
            "user": credentials.user,
            "auth_protocol": credentials.auth_protocol,
            "auth_key": credentials.auth_key.reveal(),
            "priv_protocol": credentials.priv_protocol,
            "priv_key": credentials.priv_key.reveal(),
            "context": credentials.context,
        }
    elif isinstance(profile, RedfishProfile):
        proof = redfish_credentials(None if replaced else device.entry.credentials, base)
        entry |= {"host": where.host, "port": where.port, "tls": tls_options(where, base)}
        entry |= {"user": proof.user, "password": proof.password.reveal(), "uses_session": proof.uses_session}
    else:
        assert isinstance(profile, ScpiProfile)
        entry["resource"] = where.resource
    return entry


def _modbus(profile: ModbusProfile, where: Address) -> dict[str, Any]:
    return {
        "host": where.host,
        "port": where.port,
        "unit": where.unit if where.unit is not None else profile.modbus.unit,
        "framing": "tcp" if where.scheme == "modbus+tcp" else "rtu",
        "serial": dict(where.options) if where.scheme == "modbus+rtu" else None,
        "min_gap": profile.modbus.min_gap,
        "pause": profile.modbus.pause_after_connect,
    }


async def _action(step: Step, sequence: str, devices: Mapping[str, Device]) -> dict[str, Any]:
    condition = await _condition(step.until, devices) if step.until is not None else None
    if step.action.keep is not None:
        return {"text": step.text, "keep": True, "at_most": step.action.at_most, "until": condition}
    sets = [await _set(step.device, devices[step.device], control, setting) for control, setting in step.commands]
    only = step.action.only_if_confirmed
    return {
        "text": step.text,
        "sets": [entry for entry in sets if entry is not None],
        "energises": step.energises,
        "within": step.action.confirm_within,
        "only_if_confirmed": sequence != LEAK if only is None else only,
        "also": condition,
    }


async def _set(name: str, device: Device, control: ControlPoint, setting: Setting) -> dict[str, Any] | None:
    """One control's command and its read-back; None when this device does not have the control."""
    try:
        commands = await device.link.commands(control, setting.value, setting.word)
        point = device.expansion.signals[control.confirm_by] if control.confirm_by else None
        read = await _read(device, point) if point is not None else None
    except RefusedError:
        return None
    confirm = control.spec.confirm
    return {
        "device": name,
        "control": control.name,
        "to": setting.show(control.spec.unit),
        "commands": [packed(command) for command in commands],
        "read": packed(read) if read is not None else None,
        "expect": packed(_expected(control, setting, point)) if point is not None else None,
        "delay": confirm.delay if confirm is not None else 0.0,
    }


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


async def _read(device: Device, point: SignalPoint, unit: str = "") -> Read:
    """How one signal is read and scaled, in `unit` instead of its own if given."""
    spec = point.spec
    read = device.link.reading(point)
    if spec.is_text:
        return read
    found, shift = read.factor, read.offset
    is_code = bool(spec.enum or spec.flags)
    factor = found if is_code else found * spec.scale / 2**spec.precision
    offset = 0.0 if is_code else spec.offset + shift * spec.scale / 2**spec.precision
    if isinstance(spec, ModbusSignal) and spec.scale_from:
        (exponent,) = await device.read([spec.scale_from])
        factor *= 10.0**exponent.value
    low, high = spec.range or (read.low, read.high)
    if unit and unit != spec.unit:
        zero = convert(0.0, spec.unit, unit)
        slope = convert(1.0, spec.unit, unit) - zero
        factor, offset, low, high = factor * slope, offset * slope + zero, low * slope + zero, high * slope + zero
    sentinels = read.sentinels or spec.sentinels
    return replace(read, factor=factor, offset=offset, low=low, high=high, sentinels=sentinels)


async def _condition(condition: Condition, devices: Mapping[str, Device]) -> dict[str, Any]:
    function = condition.function
    inputs = {}
    for key, name, signal in condition.inputs:
        unit = function.inputs[key] if function is not None else ""
        read = await _read(devices[name], devices[name].expansion.signals[signal], unit)
        inputs[key] = {"device": name, "read": packed(read)}
    return {
        "name": condition.name,
        "function": next((name for name, each in FUNCTIONS.items() if each is function), ""),
        "inputs": inputs,
        "expect": packed(_expect_of(condition.check)),
    }


def _expect_of(check: Check) -> Expect:
    codes = tuple(sorted(check.codes)) if check.codes is not None else None
    return Expect(low=check.low, high=check.high, codes=codes, mask=check.mask)
