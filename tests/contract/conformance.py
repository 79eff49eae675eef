"""The rules that every profile must keep, each proven on the profile's own twin in virtual time.

A rule returns '' when it holds, or why it does not apply; it raises AssertionError when it is broken. Every profile
found in drivers/ is put through every rule by test_profiles.py, and `page()` is the matrix in the reference.

    python tests/contract/conformance.py        writes docs/reference/conformance.md
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import sim
from drivers import profiles_root
from harness.clock import Clock, run
from harness.device.actuate import actuate
from harness.device.build import DeviceBuilder
from harness.device.confirm import Outcome
from harness.device.device import Device
from harness.device.points import ControlPoint
from harness.device.registry import load_profile
from harness.device.setting import Setting
from harness.errors import DeviceError, IdentityError
from harness.quantity import Quality, parse_quantity, unit
from harness.schema.canonical import missing_names
from harness.schema.identity import Match
from harness.schema.profile import Profile
from harness.schema.station import Station
from sim.twins.points import points

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "conformance.md"
MARKER = "<!-- From here on written by `make docs`; change the code instead. -->"
ADDRESSES = {
    "modbus": "modbus+tcp://127.0.0.1:15020/7",
    "snmp": "snmp://127.0.0.1:16100",
    "scpi": "TCPIP::127.0.0.1::5025::SOCKET",
    "redfish": "redfish://127.0.0.1:8000",
}
OTHER_PURPOSE = {"load/rack_workload": "an agent, not an instrument of its class"}
KINDS = {
    "temperature": ("temperature",), "pressure": ("pressure",), "drop": ("pressure",), "voltage": ("voltage",),
    "current": ("current",), "flow": ("flow",), "frequency": ("frequency",), "rpm": ("rotation",),
    "energy": ("energy",), "humidity": ("humidity", "ratio"), "uptime": ("time",), "conductivity": ("conductivity",),
    "power": ("power", "level"), "heat": ("power", "ratio"), "resistance": ("resistance",),
}  # fmt: skip
"""What the last word of a name says its unit is."""
QUALIFIERS = ("setpoint", "max", "min", "limit", "total", "peak", "average", "mean", "high", "low")


@cache
def profiles() -> Mapping[str, Profile]:
    """Every profile in drivers/, by name."""
    found = {}
    for path in sorted(profiles_root().glob("*/*/profile.yaml")):
        profile, _ = load_profile(path)
        found[f"{path.parent.parent.name}/{path.parent.name}"] = profile
    return found


@dataclass
class Bench:
    """One simulated device, and the harness' own device on it."""

    profile: Profile
    simulation: Any
    device: Device
    clock: Clock
    notes: Notes

    @property
    def twin(self) -> Any:
        """The simulated side."""
        return self.simulation.devices["dut"].twin

    async def command(self, control: ControlPoint, setting: Setting, within: float | None = None) -> Outcome:
        """Write and confirm as a run does."""
        return (await actuate(self.device, [(control, setting)], self.clock, self.notes, within))[control.name]


class Notes:
    """Where a run would write its commands down."""

    async def intent(self, device: str, commands: Mapping[str, str]) -> None:
        """Nothing is kept."""

    def note(self, kind: str, /, **data: Any) -> None:
        """Nothing is kept."""


@asynccontextmanager
async def bench(profile: Profile, *, is_open: bool = True) -> AsyncIterator[Bench]:
    """A station with nothing but this device, in virtual time."""
    entry = {"profile": profile.profile, "address": ADDRESSES[profile.protocol]}
    station = Station.model_validate({"schema": 1, "station": "contract", "devices": {"dut": entry}})
    clock = Clock()
    simulation = await sim.start(station, {profile.profile: profile}, virtual=True)
    builder = DeviceBuilder(clock, Path(), simulation.network)
    device = builder.make("dut", station.devices["dut"], profile, simulation.addresses["dut"])
    try:
        await asyncio.sleep(30)
        if is_open:
            await device.open()
        yield Bench(profile, simulation, device, clock, Notes())
    finally:
        await device.close()
        await simulation.close()


# --- what the file says ------------------------------------------------------------


async def named_as_its_folder(name: str, profile: Profile) -> str:
    """The profile's own name and class are those of its folder."""
    assert profile.profile == name
    assert profile.class_ == name.partition("/")[0]
    return ""


async def honest(_name: str, profile: Profile) -> str:
    """It names its source, and either where it was verified or why not."""
    assert len(profile.source) >= 10, "the source says nothing"
    assert bool(profile.unverified) != bool(profile.verified_on)
    return ""


async def names_fit_units(_name: str, profile: Profile) -> str:
    """A name never contradicts the unit, and units are of the closed list."""
    groups: list[Mapping[str, Any]] = [profile.signals, profile.controls]
    for repeat in profile.repeat.values():
        groups += [repeat.signals, repeat.controls]
    for group in groups:
        for key, spec in group.items():
            unit(spec.unit)
            if getattr(spec, "enum", None) or getattr(spec, "flags", None) or getattr(spec, "is_text", False):
                continue
            if getattr(spec, "commands", None) or getattr(spec, "texts", None):
                continue
            words = [word for word in key.split("_") if word not in QUALIFIERS]
            last = words[-1] if words else ""
            if last not in KINDS or words[-2:] in (["apparent", "power"], ["reactive", "power"]):
                continue
            kind = unit(spec.unit).kind
            assert kind in KINDS[last], f"{key} is in {spec.unit!r}, a {kind}"
    return ""


async def canonical_names(name: str, profile: Profile) -> str:
    """The signals and controls of its class have the names that plans use."""
    if name in OTHER_PURPOSE:
        return OTHER_PURPOSE[name]
    signals, controls = missing_names(profile)
    assert not signals, f"missing signals {signals}"
    assert not controls, f"missing controls {controls}"
    return ""


# --- what the device does ------------------------------------------------------------


async def reads_equal(_name: str, profile: Profile) -> str:
    """Two codecs that share nothing agree on every signal of the twin."""
    async with bench(profile) as b:
        frame = await b.device.poll()
        assert frame is not None
        twins = points(b.twin)
        shown = {info.name.partition(".")[2] for info in b.device.signals}
        strangers = {name.partition("[")[0] for name in shown - set(twins)}
        for k, info in enumerate(b.device.signals):
            name = info.name.partition(".")[2]
            point = twins.get(name)
            if point is None or name.partition("[")[0] in strangers:
                assert _is_walked(profile, info.name), f"{info.name} is no signal of the twin"
                continue
            quality = Quality(int(frame.qualities[k]))
            if point.number is not None and math.isnan(point.number()):
                assert quality != Quality.GOOD, f"{info.name} is GOOD, but the device has no value"
                continue
            assert quality == Quality.GOOD, f"{info.name} is {quality.name}"
            if point.text is not None:
                read = frame.texts[k]
                assert read == point.text()[: len(read)], f"{info.name}: {read!r}"
                assert read or not point.text(), f"{info.name} is empty"
                continue
            true = point.number() if point.number else 0.0
            step = 0.0 if point.is_raw else abs(point.spec.scale) / 2.0**point.spec.precision
            noise = 0.05 * abs(true) + {"degC": 0.6, "kPa": 2.0, "%": 1.5, "dBm": 0.3}.get(info.unit, 0.0)
            slack = 0.0 if point.is_raw and not point.variable else step + noise + 1e-6
            if point.spec.counter or info.unit == "s":
                slack += 2.0
            assert math.isclose(frame.values[k], true, abs_tol=slack), f"{info.name}: {frame.values[k]}, true {true}"
    return ""


def _is_walked(profile: Profile, name: str) -> bool:
    """Whether rows of the signal's repetition are found by walking a column that other repetitions fill too."""
    group = name.partition(".")[2].partition("[")[0]
    return bool(getattr(profile.repeat.get(group), "walk", ""))


async def wrong_identity_refused(_name: str, profile: Profile) -> str:
    """Another model at the address is refused at open, and after a loss nothing is written to it."""
    if not profile.identity.match:
        return "nothing to identify it by"
    if not any(_says(profile, rule) for rule in profile.identity.match):
        return "known by what it has, not by what it says"
    async with bench(profile, is_open=False) as b:
        b.twin.wrong_model = True
        try:
            await b.device.open()
        except IdentityError:
            pass
        else:
            raise AssertionError("another model was accepted")
    async with bench(profile) as b:
        for control in _tries(b)[:1]:
            setting = (await _settings(b, control))[0]
            b.simulation.devices["dut"].behave(silent=True)
            await b.device.poll()
            b.simulation.devices["dut"].behave(silent=False)
            b.twin.wrong_model = True
            await asyncio.sleep(2)
            try:
                await b.device.write(control, setting)
            except IdentityError:
                continue
            raise AssertionError(f"{control.name} was written to another model that came back")
    return ""


def _says(profile: Profile, rule: Match) -> bool:
    """Whether a rule compares what the device says of itself: a text or a number, not a state."""
    texts = [name for name in rule.signal if name in profile.signals and profile.signals[name].is_text]
    return bool(rule.numbers or (rule.texts and texts))


def _tries(b: Bench) -> list[ControlPoint]:
    """The controls, of a repetition the first row only."""
    return [control for control in b.device.expansion.controls.values() if control.row <= 1]


async def _settings(b: Bench, control: ControlPoint) -> list[Setting]:
    """What to command: every word that the confirming signal can show, or two numbers near the present one."""
    spec: Any = control.spec
    words = [*spec.commands, *getattr(spec, "texts", {}), *getattr(spec, "command_oids", {})]
    if words:
        shown = b.device.expansion.signals[control.confirm_by].spec.words().values()
        meant = spec.confirm.words
        return [Setting(word=word) for word in words if meant.get(word, word) in shown]
    low, high = spec.range or (0.0, 100.0)
    step = spec.step or 0.0
    (reading,) = await b.device.read([control.confirm_by])
    base = reading.value if reading.value > low else low + 0.05 * (high - low)
    values = [min(max(base * factor, low), high) for factor in (0.8, 0.9)]
    return [Setting(value=round(value / step) * step if step else value) for value in values]


async def _restoring(b: Bench, control: ControlPoint, settings: list[Setting]) -> list[Setting]:
    """The word that leads back to the present state, if one does: a stopped pump would spoil what comes after."""
    (now,) = await b.device.read([control.confirm_by])
    assert control.spec.confirm is not None
    meant = control.spec.confirm.words
    return [setting for setting in settings if setting.word and meant.get(setting.word, setting.word) == now.text]


async def _prepare(b: Bench, control: ControlPoint) -> None:
    """Pump duties act in manual mode only."""
    mode = b.device.expansion.controls.get("mode")
    if control.name.endswith("speed") and mode is not None and "manual" in mode.spec.commands:
        assert (await b.command(mode, Setting(word="manual"))).is_confirmed


async def controls_confirmed(_name: str, profile: Profile) -> str:
    """Every control does what it says, and the read-back shows it."""
    async with bench(profile) as b:
        if not b.device.expansion.controls:
            return "no controls"
        for control in _tries(b):
            assert control.spec.confirm is not None, f"{control.name}: no signal confirms it"
            await _prepare(b, control)
            settings = await _settings(b, control)
            settings += await _restoring(b, control, settings)
            assert settings, f"{control.name}: its read-back can show none of its words"
            for setting in settings:
                outcome = await b.command(control, setting)
                assert outcome.is_confirmed, f"{setting.show(control.spec.unit)}: {outcome} {outcome.error}"
    return ""


async def repeating_changes_nothing(_name: str, profile: Profile) -> str:
    """Commanding what already is, is confirmed and changes nothing."""
    async with bench(profile) as b:
        if not b.device.expansion.controls:
            return "no controls"
        for control in _tries(b):
            await _prepare(b, control)
            setting = (await _settings(b, control))[0]
            first, again = await b.command(control, setting), await b.command(control, setting)
            assert first.is_confirmed, str(first)
            assert again.is_confirmed, str(again)
            assert first.reading is not None
            assert again.reading is not None
            assert again.reading.text == first.reading.text
    return ""


async def _differing(b: Bench, control: ControlPoint) -> Setting | None:
    """A setting that is not the present state; None when there is none (a latch that is clear already)."""
    (now,) = await b.device.read([control.confirm_by])
    assert control.spec.confirm is not None
    slack = parse_quantity(control.spec.confirm.tolerance).value if control.spec.confirm.tolerance else 0.0
    for setting in await _settings(b, control):
        meant = control.spec.confirm.words.get(setting.word, setting.word)
        if (setting.word and now.text != meant) or (not setting.word and abs(now.value - setting.value) > 2 * slack):
            return setting
    return None


async def sticking_is_noticed(_name: str, profile: Profile) -> str:
    """A device that acknowledges and does nothing is never taken for obedient."""
    async with bench(profile) as b:
        if not b.device.expansion.controls:
            return "no controls"
        tried = 0
        for control in _tries(b):
            setting = await _differing(b, control)
            if setting is None:
                continue
            b.twin.sticks = True
            outcome = await b.command(control, setting, within=2.0)
            b.twin.sticks = False
            assert not outcome.is_confirmed, f"{control.name} was taken for {setting.show(control.spec.unit)}"
            tried += 1
        assert tried
    return ""


async def refusing_is_noticed(_name: str, profile: Profile) -> str:
    """A device that says no is reported as refusing, never confirmed."""
    async with bench(profile) as b:
        if not b.device.expansion.controls:
            return "no controls"
        for control in _tries(b):
            setting = await _differing(b, control)
            if setting is None:
                continue
            b.twin.refuses = True
            outcome = await b.command(control, setting, within=1.0)
            b.twin.refuses = False
            assert not outcome.is_confirmed
            says_no = profile.protocol != "scpi" or profile.scpi.error_query
            assert not says_no or "refused" in outcome.error, f"{control.name}: {outcome.error!r}"
    return ""


async def absent_values_are_bad(_name: str, profile: Profile) -> str:
    """What the device says by a sentinel, NaN or overload is BAD."""
    async with bench(profile) as b:
        twins = points(b.twin)
        names = b.simulation.plant.names()
        dead = []
        for info in b.device.signals:
            point = twins.get(info.name.partition(".")[2])
            if point is None:
                continue
            has_word = point.spec.sentinels or b.profile.protocol in ("scpi", "redfish")
            if has_word and point.variable in names and point.number is not None and not point.is_raw:
                dead.append((info.name, point))
        for variable in {point.variable for _, point in dead}:
            b.simulation.inject(f"sensor_nan:{variable}")
        if not dead:
            return "no measured signal that can be absent"
        await asyncio.sleep(15)
        frame = await b.device.poll()
        assert frame is not None
        index = {info.name: k for k, info in enumerate(b.device.signals)}
        nan = [(name, point) for name, point in dead if point.number() != point.number()]
        assert nan, "no sensor died"
        for name, _ in nan:
            assert frame.qualities[index[name]] not in (Quality.GOOD, Quality.STALE), f"{name} is GOOD when absent"
    return ""


async def silence_is_bad_and_ends(_name: str, profile: Profile) -> str:
    """A silent device gives BAD within its timeouts, is reported once, and is back within three seconds."""
    async with bench(profile) as b:
        assert await b.device.poll() is not None
        b.device.events.clear()
        b.simulation.devices["dut"].behave(silent=True)
        for _ in range(10):
            frame = await b.device.poll()
            assert frame is not None
            assert (frame.qualities != Quality.GOOD).all()
            await asyncio.sleep(1)
        b.simulation.devices["dut"].heal()
        healed = b.clock.monotonic()
        while True:
            frame = await b.device.poll()
            assert frame is not None
            if (frame.qualities == Quality.GOOD).any():
                break
            assert b.clock.monotonic() - healed < 3 + 4 * profile.timeout
            await asyncio.sleep(0.2)
        reported = [event.partition(":")[0] for event in b.device.events if event.startswith(("lost", "answers"))]
        assert len(reported) == 2, b.device.events
    return ""


async def cancelled_at_once(_name: str, profile: Profile) -> str:
    """A poll that waits for a silent device ends within 100 ms when told to."""
    async with bench(profile) as b:
        b.simulation.devices["dut"].behave(silent=True)
        poll = asyncio.create_task(b.device.poll())
        await asyncio.sleep(0.05)
        assert not poll.done()
        reported = b.clock.monotonic()
        poll.cancel()
        await asyncio.gather(poll, return_exceptions=True)
        assert b.clock.monotonic() - reported < 0.1
        assert poll.cancelled()
        b.simulation.devices["dut"].heal()
        frame = await b.device.poll()
        assert frame is not None
        assert (frame.qualities == Quality.GOOD).any(), "unusable after a cancelled poll"
    return ""


async def closed_for_good(_name: str, profile: Profile) -> str:
    """After close no connection is left, and no timer or task works on."""
    async with bench(profile) as b:
        await b.device.poll()
        await b.device.close()
        await asyncio.sleep(0.2)
        listener = b.simulation.devices["dut"].listener
        assert not listener.connections, f"{listener.connections} connection(s) left"
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not others, f"left behind: {others}"
        try:
            await b.device.read([b.device.signals[0].name.partition(".")[2]])
        except DeviceError:
            return ""
    return "opens again by itself" if profile.protocol != "modbus" else ""


Rule = Callable[[str, Profile], Awaitable[str]]
RULES: Mapping[str, Rule] = {
    "named as its folder": named_as_its_folder,
    "honest about its source": honest,
    "names fit units": names_fit_units,
    "canonical names": canonical_names,
    "twin reads equal": reads_equal,
    "wrong identity refused": wrong_identity_refused,
    "controls confirmed": controls_confirmed,
    "repeating changes nothing": repeating_changes_nothing,
    "sticking noticed": sticking_is_noticed,
    "refusing noticed": refusing_is_noticed,
    "absent values BAD": absent_values_are_bad,
    "silence BAD, back again": silence_is_bad_and_ends,
    "cancelled within 100 ms": cancelled_at_once,
    "closed for good": closed_for_good,
}


@cache
def check(name: str, rule: str) -> str:
    """One profile against one rule: '' when it holds, why it does not apply; AssertionError when it is broken."""
    return run(lambda: RULES[rule](name, profiles()[name]), rate=math.inf)


def lines() -> Iterator[str]:
    """The generated part of the page: the rules, the matrix, its notes, and what was tried on real units."""
    for k, (rule, function) in enumerate(RULES.items(), start=1):
        yield f"{k}. **{rule}**: {(function.__doc__ or '').strip()}"
    yield ""
    yield "| profile | " + " | ".join(str(k) for k in range(1, len(RULES) + 1)) + " |"
    yield "|---|" + "---|" * len(RULES)
    notes: list[str] = []
    for name in profiles():
        cells = []
        for rule in RULES:
            reason = check(name, rule)
            if reason and reason not in notes:
                notes.append(reason)
            cells.append(f"– ({notes.index(reason) + 1})" if reason else "✓")
        yield f"| {name} | " + " | ".join(cells) + " |"
    yield ""
    for k, note in enumerate(notes, start=1):
        yield f"({k}) {note}.  "
    yield ""
    yield "| profile | protocol | source | judged | not verified |"
    yield "|---|---|---|---|---|"
    for name, profile in profiles().items():
        cells = [name, profile.protocol, profile.source, profile.evidence, profile.unverified]
        yield f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |"


def page() -> str:
    """The whole page: what is written by hand above the marker, and the generated part. A broken rule stops it."""
    head = PAGE.read_text(encoding="utf-8").partition(MARKER)[0] if PAGE.exists() else "# Conformance\n\n"
    return f"{head}{MARKER}\n\n" + "\n".join(lines()).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
