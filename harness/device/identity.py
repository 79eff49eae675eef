"""Proof that the device behind an address is the one that is meant: the profile's rules, then what the station expects.

A device is believed by what only its family has and says (`identity.match`); what it does not have, an empty text and a
number that is no measurement prove nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from harness.device.link import Link
from harness.device.points import SignalPoint, names_meant
from harness.device.scaling import Qualities, Scaling
from harness.errors import IdentityError
from harness.quantity import Quality
from harness.schema.identity import Match, Shown
from harness.schema.profile import Profile
from harness.schema.station import DeviceEntry

_ROWS = 8
"""How many rows of a repetition are looked at for a rule that means all of them."""
_THERE = (Quality.GOOD, Quality.BAD_SENTINEL)
"""Qualities of a signal that the device has: it may say that it has no value for it just now."""
_NOTHING = Shown()
_OTHER = "check the address, or name the profile of the model that is there; nothing was written"
_MUTE = (
    "it answers, so power and cable are fine: another model, another unit, or one that does not let us read this; "
    "check the address, the profile, and the device's own settings; nothing was written"
)
_KEYS = ("model", "serial", "firmware")


def _is_known(point: SignalPoint) -> bool:
    """Whether the device has been asked for it already: the texts that are read once are."""
    return point.spec.is_text and point.spec.poll == "once"


async def texts_of(points: Sequence[SignalPoint], link: Link) -> dict[str, Shown]:
    """What is read once as a text, by signal. Errors as a read."""
    known = [point for point in points if _is_known(point)]
    reply = await link.plan(known).read()
    return shown_texts(known, reply.qualities, reply.texts, reply.reasons)


def shown_texts(
    points: Sequence[SignalPoint], qualities: Qualities, texts: Mapping[int, str], reasons: Mapping[int, str]
) -> dict[str, Shown]:
    """What is read once as a text, by signal; `qualities` (uint8[n]), `texts` and `reasons` by place in `points`."""
    return {
        point.name: _shown_text(Quality(int(qualities[k])), texts.get(k, ""), reasons.get(k, ""))
        for k, point in enumerate(points)
        if _is_known(point)
    }


def _shown_text(quality: Quality, text: str, reason: str) -> Shown:
    if quality is Quality.GOOD:
        return Shown(text, is_there=bool(text.strip("0.-: \ufffd")) and set(text) != {"f"})
    return Shown(why=reason or _why(quality))


def _why(quality: Quality) -> str:
    """What is worth saying beside that there is nothing."""
    return "" if quality is Quality.BAD_MISSING else quality.word.removeprefix("BAD (").removesuffix(")")


class Proof:
    """What proves one device, compiled once it is known which signals the device has."""

    def __init__(
        self, device: str, profile: Profile, entry: DeviceEntry, points: Sequence[SignalPoint], link: Link
    ) -> None:
        self._device = device
        self._profile = profile
        self._entry = entry
        by_name = {point.name: point for point in points}
        rules = profile.identity.match
        self._meant = {each: self._in_station(each, by_name) for rule in rules for each in rule.signal}
        wanted = dict.fromkeys(name for names in self._meant.values() for name in names)
        self._points = [by_name[name] for name in wanted if not _is_known(by_name[name])]
        self._plan = link.plan(self._points) if self._points else None

    def _in_station(self, signal: str, names: Collection[str]) -> list[str]:
        """The signals that a rule means; of a repetition that the station counts short, the last row of the count."""
        group, bracket, rest = signal.partition("[")
        count = self._entry.counts.get(group)
        if bracket and count and int(rest.partition("]")[0]) > count:
            signal = f"{group}[{count}]{rest.partition(']')[2]}"
        return names_meant(signal, names)[:_ROWS]

    async def prove(self, texts: Mapping[str, Shown]) -> dict[str, str]:
        """Model, serial number and firmware of the device; IdentityError when it is another.

        `texts` are those of all signals that are read once, as the device gives them now. UnreachableError and
        ProtocolViolationError when it does not answer.
        """
        shown = {**texts, **await self._look()}
        for rule in self._profile.identity.match:
            if not any(rule.holds(shown.get(name, _NOTHING)) for name in self._names(rule)):
                raise self._refused(rule, shown)
        found = {key: texts.get(getattr(self._profile.identity, key), _NOTHING).text for key in _KEYS}
        self._compare_with_station(found)
        return found

    async def _look(self) -> dict[str, Shown]:
        if self._plan is None:
            return {}
        reply = await self._plan.read()
        values = np.empty(len(self._points))
        qualities = np.empty(len(self._points), dtype=np.uint8)
        Scaling([point.spec for point in self._points]).apply(reply.raw, values, qualities, reply.gain, reply.shift)
        looked = {}
        for k, point in enumerate(self._points):
            info = point.info("")
            if info.is_text:
                looked[point.name] = _shown_text(
                    Quality(int(reply.qualities[k])), reply.texts.get(k, ""), reply.reasons.get(k, "")
                )
                continue
            quality = Quality(int(reply.qualities[k]) or int(qualities[k]))
            if quality is Quality.GOOD:
                looked[point.name] = Shown(info.word(float(values[k])), float(values[k]), is_there=True)
            else:
                why = reply.reasons.get(k, "") or _why(quality)
                looked[point.name] = Shown(info.word(math.nan), is_there=quality in _THERE, why=why)
        return looked

    def _names(self, rule: Match) -> Iterable[str]:
        return (name for each in rule.signal for name in self._meant[each])

    def _refused(self, rule: Match, shown: Mapping[str, Shown]) -> IdentityError:
        wanted = " or ".join(rule.signal)
        profile = self._profile.profile
        looked = {name: shown.get(name, _NOTHING) for name in self._names(rule)}
        has = {name: each for name, each in looked.items() if each.is_there}
        why = "" if has else next((f" ({each.why})" for each in looked.values() if each.why), "")
        if rule.present:
            what = f"there is no {wanted}{why}, which every device of profile {profile} has"
        else:
            said = [f"{name} reads {each.text or each.number!r}" for name, each in has.items()]
            what = f"{', '.join(said) or f'{wanted} reads nothing{why}'}, but profile {profile} is for {rule}"
        return IdentityError(what, device=self._device, hint=_OTHER if has or rule.present else _MUTE)

    def _compare_with_station(self, found: Mapping[str, str]) -> None:
        """What the station file says of this very unit."""
        if self._entry.serial and found["serial"] != self._entry.serial:
            raise IdentityError(
                f"serial number {found['serial']!r} answers, the station file expects {self._entry.serial!r}",
                device=self._device,
                hint="check the address, or correct `serial` in the station file; nothing was written",
            )
        if self._entry.firmware and found["firmware"] not in self._entry.firmware:
            raise IdentityError(
                f"firmware {found['firmware']!r} is not one of {', '.join(self._entry.firmware)}",
                device=self._device,
                hint="update the device, or add the version to `firmware` in the station file",
            )
