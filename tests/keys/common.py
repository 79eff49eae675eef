"""The rows of what all protocols share; each protocol must bear all of them out on its own wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.keys.commands import line, says
from tests.keys.device_bench import Seen, asked_at, confirmed, error, ever, told, value
from tests.keys.models import ABSENT
from tests.keys.rows import Has, Row


def unit_of_x(seen: Seen) -> str:
    """The unit in which `x` is given."""
    return seen.infos["x"].unit if seen.infos else seen.error


def signal_rows(place: Any, other: Any) -> Iterator[Row]:
    """A signal `x` at a place of the wire where a whole number is, and `y` at another place. 1000 is at the first."""

    def moving(rest: int) -> dict[str, Any]:
        return {
            "polls": 60,
            "wire": [
                *([second, place, 1000 + second * 7 % 5] for second in range(rest)),
                *([second, other, 50 + second] for second in range(20)),
            ],
        }

    x = value("x")
    yield Row("unit", "kW", unit_of_x, "", "kW")
    yield Row("scale", 0.5, x, 1000.0, 500.0)
    yield Row("offset", 7.5, x, 1000.0, 1007.5)
    yield Row("precision", 2, x, 1000.0, 250.0)
    yield Row("sentinels", [1000], x, 1000.0, "BAD_SENTINEL")
    yield Row("range", [0, 999], x, 1000.0, "BAD_RANGE")
    flags = {"profile/signals/x/flags": {"ready": 3, "late": 0}}
    yield Row("flags", {"ready": 3, "late": 0}, x, 1000.0, "ready")
    yield Row("active_low", ["ready", "late"], x, "ready", "late", flags)
    wraps = {"polls": 2, "wire": [[0, place, 60000], [1, place, 10]]}
    yield Row("counter", 16, x, 10.0, 65546.0, wraps)
    later = {"polls": 3, "wire": [[2, place, 7]]}
    yield Row("poll", "once", x, 7.0, 1000.0, later)
    yield Row("poll", "slow", x, 7.0, 1000.0, later)
    frozen = ever("x", "STALE")
    yield Row("noise", {"absolute": 3, "source": "made up"}, frozen, False, True, moving(30))
    mover = [{"signal": "y", "by": "10", "within": "5 s"}]
    yield Row("moves_with", mover, frozen, False, True, moving(1))
    yield Row("stamp", {"signal": "y", "within": "6 s"}, frozen, False, True, moving(0))


def control_rows(tell: Callable[[float], Any], level: str = "profile/controls/level") -> Iterator[Row]:
    """A control `level`, set to 5 (in the unit that it has none), and what the other side is then told of a number."""
    five, told_five = {"do": [["level", 5]]}, [tell(5)]
    yield Row("unit", "A", told, Has("in 'A' (current)"), told_five, {"do": [["level", "5 A"]]})
    yield Row("range", [0, 4], told, told_five, Has("5 is outside 0 to 4"), five)
    yield Row("step", 2, told, told_five, [tell(4)], five)
    confirm = {f"{level}/confirm": {"signal": "level"}}
    yield Row("rate", 1, told, told_five, [tell(n) for n in range(1, 6)], five | confirm)
    yield Row("scale", 0.5, told, told_five, [tell(10)], five)
    yield Row("offset", 1, told, told_five, [tell(4)], five)
    yield Row("precision", 2, told, told_five, [tell(20)], five)
    yield Row("commands", {"go": 7}, told, Has("'go'"), [tell(7)], {"do": [["level", "go"]]})
    yield Row("confirm", {"signal": "level"}, confirmed("level"), False, True, five)


SHOWN = Row("description", "Blue words", says("Blue words"), False, True)
"""What is written for people is printed by `harness profile show`."""


def twin_signal_rows() -> Iterator[Row]:
    """What the twin of the device shows for `x`."""
    yield Row("sim", {"value": 42}, value("x"), 0.0, 42.0)


def twin_control_rows(signal: dict[str, Any]) -> Iterator[Row]:
    """What the twin does when `level` is set. `signal` is how `level` is read, but for its `sim` and words."""
    read = {**signal, "sim": {"of": "own.level"}}
    level, sets = "profile/controls/level", {"profile/signals/level": read, "do": [["level", 5]]}
    yield Row("sim", "own.level", confirmed("level"), False, True, {**sets, f"{level}/confirm": {"signal": "level"}})
    words = {"profile/signals/level": {**read, "enum": {"three": 3, "seven": 7}}, "do": [["level", "go"]]}
    shown = {f"{level}/confirm": {"signal": "level", "words": {"go": "three"}}, f"{level}/sim": "own.level"}
    given = {**words, **shown, f"{level}/commands": {"go": 7}}
    yield Row("sim_words", {"go": 3}, confirmed("level"), False, True, given)


def profile_rows(base: dict[str, Any], protocol: str, other: str) -> Iterator[Row]:
    """Keys of a whole profile: that of `base`, which has x, y, the text `name`, the control `level` and a repetition
    `cell`. `other` is another protocol."""
    parent = {**base, "profile": "own/parent", "signals": {"z": base["signals"]["x"]}}
    yield Row("schema", 2, error, "", Has("HX-1209 this file is of schema 2, this harness reads 1"))
    yield Row("protocol", other, error, "", Has("unknown key"))
    yield Row("extends", "parent.yaml", value("z"), "no such signal", 1000.0, {"parent": parent})
    yield Row("signals", ABSENT, value("x"), 1000.0, "no such signal")
    yield Row("repeat", ABSENT, value("cell[2].v"), 300.0, "no such signal")
    yield Row("identity", {"serial": "name"}, lambda seen: seen.identity["serial"], "", "AbCd")
    yield Row("heartbeat", "y", ever("x", "STALE"), False, True, {"polls": 12})
    lost = {"polls": 12, "wire": [[1, "mute", True]]}
    dormant = {"dormant_after": 2, "probe_every": "60 s"}
    yield Row("health", dormant, lambda seen: max(asked_at(seen)) > 10, True, False, lost)
    slow = {"polls": 2, "wire": [[1, "delay", 2.5]], "profile/timeout": "1 s"}
    yield Row("timeout", "6 s", value("x"), "BAD_TIMEOUT", 1000.0, slow)


def profile_shown_rows() -> Iterator[Row]:
    """Texts of a whole profile, as `harness profile show` prints them."""
    first = line("[")
    tried, again = ({"model": "B", "firmware": version, "date": "2026-01-02"} for version in ("1", "2"))
    yield Row("profile", "own/other", first, Has("own/box  Box"), Has("own/other  Box"))
    yield Row("title", "Other", first, Has("own/box  Box"), Has("own/box  Other"))
    yield Row("class", "relay", first, Has("meter"), Has("relay"))
    yield Row("source", "page 7", line("source:"), "source: made up", "source: page 7")
    yield Row("unverified", "page 7", line("unverified:"), "unverified: made up", "unverified: page 7")
    judge, other = ({"map": name, "source": "A", "edition": "1"} for name in ("m1", "m2"))
    yield Row("judged_by", [other], line("judged:"), Has("map m1"), Has("map m2"), {"profile/judged_by": [judge]})
    verified = {"profile/unverified": ABSENT, "profile/verified_on": [tried]}
    yield Row("verified_on", [again], line("judged:"), Has("B, firmware 1"), Has("B, firmware 2"), verified)
