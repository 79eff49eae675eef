"""Whether two names speak of the same thing: the profile's, in plain English, and the map's, in its abbreviations."""

from __future__ import annotations

import re

MEANS = {
    "temp": "temperature", "thermometer": "temperature", "otp": "over temperature",
    "volt": "voltage", "vout": "output voltage", "vin": "input voltage", "uvp": "under voltage", "ovp": "over voltage",
    "overvoltage": "over voltage", "undervoltage": "under voltage",
    "curr": "current", "ocp": "over current", "overcurrent": "over current", "pwr": "power",
    "sckt": "short circuit", "scp": "short circuit", "freq": "frequency",
    "tach": "speed", "rpm": "speed", "pwm": "speed", "duty": "speed",
    "comm": "communication", "comms": "communication", "canbus": "can",
    "mfr": "manufacturer", "manufacture": "manufacturer", "fbpn": "part number", "spare": "part",
    "max": "maximum", "min": "minimum", "sw": "firmware", "fw": "firmware", "fbl": "boot firmware", "pack": "battery",
    "mcu": "controller", "micro": "controller", "dsp": "controller", "afe": "front end", "eol": "end of life",
    "soh": "health", "soc": "charge", "overcharge": "over charge", "terminated": "terminate",
    "charger": "charge", "charging": "charge", "discharger": "discharge", "discharging": "discharge",
    "discharged": "discharge", "charged": "charge", "cycle": "cycles",
    "busbar": "bus bar", "bb": "bus bar", "ishare": "share", "missing": "missing", "modules": "module",
    "alerts": "alert", "alarms": "alarm", "aux": "auxiliary", "sync": "synchronous", "llc": "resonant",
    "unix": "clock", "wall": "clock", "warn": "warning", "err": "error", "perm": "permanent",
    "fail": "failure", "fault": "failure", "abnormal": "failure", "failures": "failure", "faults": "failure",
    "hex": "exchanger", "hx": "exchanger", "hsc": "protection", "opt": "optional", "button": "stop",
    "uptime": "up time", "reservoir": "reservoir level", "deassert": "not", "supply": "outlet", "return": "inlet",
    "rotationalpos": "angle", "liquidflow": "flow", "dcdc": "dcdc converter",
    "supercap": "capacitor", "super": "", "cap": "capacitor", "thermister": "thermistor", "throtting": "throttling",
    "pskill": "power kill", "ambient": "air", "leakage": "leak", "leaks": "leak",
    "target": "setpoint", "capacity": "charge", "outage": "outages", "counter": "", "status": "", "register": "",
    "set": "", "the": "", "of": "", "rpu": "", "psu": "", "bbu": "", "pmm": "", "cbu": "", "it": "",
}  # fmt: skip
"""Word of either side -> what it stands for."""
APART = (
    {"inlet", "outlet"},
    {"over", "under"},
    {"input", "output"},
    {"minimum", "maximum"},
    {"low", "middle", "high"},
    {"charge", "discharge"},
    {"pan", "floor"},
    {"internal", "external"},
    {"relative", "absolute"},
    {"temperature", "pressure", "flow", "voltage", "current", "power", "frequency", "speed"},
    {"pfc", "dcdc"},
)
"""Words that exclude each other: names that have one each must have the same."""


def meaning(name: str) -> set[str]:
    """The words of a name with abbreviations spelt out, numbers left out."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    found: set[str] = set()
    for word in re.findall(r"[A-Za-z]+", spaced):
        found.update(MEANS.get(word.lower(), word.lower()).split())
    return found


def numbers(name: str) -> list[int]:
    """The numbers in a name, in order."""
    return [int(text) for text in re.findall(r"\d+", name)]


def agree(ours: str, theirs: str) -> bool:
    """Whether the names have a word in common, and none that excludes one of the other's."""
    mine, other = meaning(ours), meaning(theirs)
    if not mine & other:
        return False
    return all(not mine & group or not other & group or mine & other & group for group in APART)


def same_number(ours: str, theirs: str) -> bool:
    """Whether the first numbers of the names agree, where both have one; maps that count from 0 are one behind."""
    one, other = numbers(ours), numbers(theirs)
    return not one or not other or one[0] in (other[0], other[0] + 1)
