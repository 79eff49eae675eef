"""Captured devices, opened and read by the harness, compared with what another tool (LibreNMS) reads from them.

The captures are not part of the project: they are looked for in ../shared/captures, or in $HARNESS_CAPTURES. Run as a
script, this writes docs/reference/captures.md: counts and reasons, nothing of what the devices said.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.device import Device
from harness.device.registry import known_profiles, load_profile, matching_profiles
from harness.errors import DeviceError
from harness.quantity import Reading, convert, unit
from harness.schema.station import DeviceEntry
from sim.servers.host import SocketHost
from sim.servers.snmp.mib import TableView
from sim.servers.snmp.responder import SnmpResponder
from tests.tools.snmprec import load_snmprec

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("HARNESS_CAPTURES", ROOT.parent / "shared" / "captures"))
PAGE = ROOT / "docs" / "reference" / "captures.md"

PROFILES = {
    "apc_ap7900b": "pdu/apc_rpdu",
    "apc_ap8959eu3": "pdu/apc_rpdu2",
    "raritan-pdu_px3": "pdu/raritan_pdu2",
    "sentry4": "pdu/servertech_sentry4",
    "vertiv-pdu_mg02e4w1": "pdu/geist_v5",
    "liebert_mph2rg": "pdu/liebert_mpx",
    "eatonpdu_2": "pdu/eaton_epdu_g3",
    "apc_inrow-dx": "cooling/apc_cooling_unit",
    "rittal-lcp_cmciii-pu-lcp": "cooling/rittal_cmc3",
    "arista_eos": "switch/arista_eos",
    "cumulus_mellanox": "switch/cumulus",
    "dell-sonic": "switch/sonic",
    "enlogic-pdu2": "pdu/enlogic_en",
    "panduit": "pdu/panduit_g5",
    "hpe-mapdu_pdu3": "pdu/hpe_pdu3",
    "dell-rpdu": "pdu/dell_rpdu",
    "rittal-cmc-iii-pu_pdu-controller": "pdu/rittal_pdu",
    "raritan-pdu_px2-temp": "pdu/raritan_pdu2",
    "sentry3_3phase": "pdu/servertech_sentry3",
    "liebert": "pdu/liebert_mpx",
    "nxos_n9k-c93180yc-fx3": "switch/cisco_nxos",
    "cumulus_edgecore-as4610-54p": "switch/cumulus",
    "dell-os10": "switch/dell_os10",
    "junos_qfx5100": "switch/juniper_junos",
}
"""Capture: the profile that covers it."""

UNITS = {
    "current": "A", "power": "W", "voltage": "V", "temperature": "degC", "frequency": "Hz", "percent": "%",
    "power_consumed": "kWh", "humidity": "%", "waterflow": "L/min", "dbm": "dBm", "count": "%",
}  # fmt: skip
"""Class of an expected sensor: the unit of its value."""

ALIASES = (
    (r"(1\.3\.6\.1\.4\.1\.476\.1\.42\.3\.8\.50\.20\.1)\.55\.", r"\1.56.", 1.0),
    (r"(1\.3\.6\.1\.4\.1\.476\.1\.42\.3\.8\.50\.20\.1)\.60\.", r"\1.61.", 0.1),
    (r"(1\.3\.6\.1\.4\.1\.38446\.1\.(?:2\.4\.1\.4|3\.4\.1\.7))\.1(\.1(?:\.\d+)?)$", r"\1\2", 0.0),
)
"""An expected column, the finer one of the same quantity that the profile reads instead, the coarser's resolution; or
the place of an object for which LibreNMS has an index that the device does not know (resolution 0)."""

REASONS = (
    (r"\.13742\.6\.5\.[45]\.3\.1\.4\.", "the value of a sensor that has only states; the profile reads its state"),
    (r"\.318\.1\.1\.26\.", "the table of the second generation: the profile is for the first"),
    (r"\.476\.1\.42\.2\.5\.", "a setting of the management card, not of the PDU"),
    (r"\.27\.1\.4\.1\.2\.1\.3\.1\.(6|21)\.", "an air flow in CFM: the profile reads the same one in L/s"),
    (r"\.27\.1\.4\.1\.2\.1\.3\.", "a probe that is not connected: the device has no value for it"),
    (r"\.2021\.13\.16\.", "the same sensor a second time, by LM-SENSORS"),
    (r"\.232\.165\.11\.2\.2\.1\.20\.1\.[23]\.", "a phase that the unit does not have"),
    (r"\.2606\.7\.", "a variable that is no measurement of the class (inputs, doors, kVAh, the controller itself)"),
)  # fmt: skip
"""Why an expected sensor is not read, by its OID."""


@dataclass(slots=True)
class Comparison:
    """What came of one capture."""

    capture: str
    profile: str
    identity: dict[str, str] = field(default_factory=dict)
    hardware: str = ""
    suggested: list[str] = field(default_factory=list)
    signals: int = 0
    good: int = 0
    expected: int = 0
    matched: int = 0
    by_alias: int = 0
    unread: Counter[str] = field(default_factory=Counter)
    """Expected sensors that no signal reads, by reason."""
    silent: Counter[str] = field(default_factory=Counter)
    """Expected sensors whose signal says that it is no measurement, by quality."""
    wrong: list[str] = field(default_factory=list)
    """Sensors that read otherwise than expected. Must be empty."""


def available() -> bool:
    """Whether the captures are here."""
    return FOLDER.is_dir()


async def served(capture: str, profile: str) -> Comparison:
    """Serve a capture over UDP, open and read it through the harness, and compare."""
    view = load_snmprec(FOLDER / f"{capture}.snmprec")
    responder = SnmpResponder(view, community="public")
    listener = await SocketHost().serve_datagram(lambda: responder)
    try:
        entry = DeviceEntry.model_validate({"profile": profile, "address": f"snmp://127.0.0.1:{listener.port}"})
        device = DeviceBuilder(Clock(), ROOT).make(
            "it", entry, load_profile(known_profiles()[profile])[0], entry.address
        )
        result = Comparison(capture, profile)
        try:
            await device.open()
            readings = await device.read([info.name.partition(".")[2] for info in device.signals])
            result.identity = device.identity
        finally:
            await device.close()
    finally:
        await listener.close()
    data = json.loads((FOLDER / f"{capture}.json").read_text(encoding="utf-8"))
    system = data["os"]["discovery"]["devices"][0]
    result.hardware = system["hardware"] or ""
    result.suggested = matching_profiles(system["sysObjectID"] or "", system["sysDescr"] or "")
    result.signals, result.good = len(readings), sum(reading.is_good for reading in readings)
    by_oid = _by_oid(device, readings)
    sensors = (data.get("sensors") or {}).get("discovery", {}).get("sensors") or []
    for sensor in sensors:
        oid = sensor["sensor_oid"].lstrip(".")
        _compare(result, sensor, oid, view, by_oid)
    return result


def _by_oid(device: Device, readings: list[Reading]) -> dict[str, list[Reading]]:
    """Readings by the object they come from; sums are left out, their parts stand for themselves."""
    found: dict[str, list[Reading]] = {}
    for name, reading in zip([info.name.partition(".")[2] for info in device.signals], readings, strict=True):
        bound = device.link.bound.get(name)  # type: ignore[attr-defined]
        if bound is not None and not bound.parts:
            found.setdefault(bound.oid, []).append(reading)
    return found


def _number(raw: object) -> float:
    if isinstance(raw, bytes):
        text = raw.decode("latin-1").split()
        try:
            return float(text[0]) if text else math.nan
        except ValueError:
            return math.nan
    return float(raw) if isinstance(raw, int | float) else math.nan


def _raw(view: TableView, oid: str) -> object:
    found = view.get(tuple(map(int, oid.split("."))))
    return found.value if found else None


def _compare(
    result: Comparison, sensor: dict[str, object], oid: str, view: TableView, by_oid: dict[str, list[Reading]]
) -> None:
    result.expected += 1
    resolution = 0.0
    readings = by_oid.get(oid)
    if readings is None:
        for pattern, other, step in ALIASES:
            if re.search(pattern, oid):
                readings, resolution = by_oid.get(re.sub(pattern, other, oid)), step
                oid = oid if resolution else re.sub(pattern, other, oid)
    if readings is None:
        reason = next((text for pattern, text in REASONS if re.search(pattern, f".{oid}.")), "no signal reads it")
        result.unread[reason] += 1
        return
    value = _number(_raw(view, oid)) * float(str(sensor["sensor_multiplier"])) / float(str(sensor["sensor_divisor"]))
    good = [reading for reading in readings if reading.is_good]
    if not good:
        result.silent[f"{readings[0].quality.name} ({sensor['sensor_class']})"] += 1
        return
    if any(_agrees(sensor, value, reading, resolution) for reading in good):
        result.matched += 1
        result.by_alias += bool(resolution)
    else:
        result.wrong.append(f"{sensor['sensor_class']} {oid}: expected {value}, read {[str(each) for each in good]}")


def _agrees(sensor: dict[str, object], expected: float, reading: Reading, resolution: float) -> bool:
    """Whether a reading is the expected value in the expected unit, within rounding."""
    kind = str(sensor["sensor_class"])
    if kind == "power_factor" and abs(expected) > 1.0:
        expected /= 100.0  # LibreNMS shows it in percent where the device has decimal digits
    source = reading.unit if reading.unit == "kW" else UNITS.get(kind, reading.unit)  # LibreNMS shows kW as W
    value = reading.value
    if kind == "dbm":
        expected = float(str(sensor["sensor_current"]))  # rounded to 0.001 there, and made of W by a function
        value = 10.0 * math.log10(1000.0 * value) if reading.unit == "W" and value > 0.0 else value
        return math.isclose(value, expected, abs_tol=0.0006)
    if reading.unit and unit(source).kind == unit(reading.unit).kind:
        expected = convert(expected, source, reading.unit)
    return math.isclose(value, expected, rel_tol=1e-6, abs_tol=resolution * 1.0001 + 1e-9)


def page(results: list[Comparison]) -> str:
    """The page of the reference: facts and counts."""
    lines = [
        "# Captured devices",
        "",
        "Captures of real devices (LibreNMS project, GPLv3, not part of this repository) are served by the simulator,",
        "opened and read by the harness, and compared with the sensors that LibreNMS derives from them. Made by",
        "`python -m tests.captures`.",
        "",
        "| capture | profile | signals found | good | expected sensors | equal | not read | said: no measurement |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.capture} | {r.profile} | {r.signals} | {r.good} | {r.expected} | {r.matched} "
        f"| {sum(r.unread.values())} | {sum(r.silent.values())} |"
        for r in results
    ]
    lines += ["", "A signal that is not good belongs to an object that the capture does not hold, or whose value means",
              "`not available`. No sensor reads otherwise than expected.", "", "## Not equal, and why", ""]  # fmt: skip
    for r in results:
        if r.unread or r.silent or r.by_alias:
            lines.append(f"**{r.capture}**")
            lines.append("")
            lines += [f"- {count} x {reason}" for reason, count in sorted(r.unread.items())]
            lines += [f"- {count} x the reading is {reason}" for reason, count in sorted(r.silent.items())]
            if r.by_alias:
                lines.append(f"- {r.by_alias} of the equal ones were read from a finer column of the same quantity")
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


async def compare_all() -> list[Comparison]:
    """All captures that are here, in the order of the table."""
    return [await served(capture, profile) for capture, profile in PROFILES.items()]


def main() -> None:
    """Write the page."""
    try:
        results = run(compare_all)
    except DeviceError as error:
        raise SystemExit(str(error)) from error
    if wrong := [text for result in results for text in result.wrong]:
        raise SystemExit("\n".join(wrong))
    PAGE.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
