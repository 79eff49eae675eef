"""What a protocol consists of, as one record: every other part of the harness asks it and knows no protocol's name.

A record names its parts as `module:attribute` and imports none of them. So whoever needs one part loads that part
alone: the guardian takes the channel, and neither pydantic nor numpy comes with it.

A protocol of another package is a record too, named by an entry point of the group `harness.protocols`; the name of
the entry is that of the protocol. See docs/how-to/add-a-protocol.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from functools import cache, partial
from importlib import import_module
from typing import Any

from harness.device.third_party import bordered, third_party
from harness.errors import ConfigError
from harness.plugins import built_in, find, names, owner_of, why_not

GROUP = "harness.protocols"
_MEANT: dict[str, tuple[type[BaseException], ...]] = {"address": (ValueError,), "trust": (OSError,)}
"""Part -> what it may raise besides errors of ours."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """One protocol. Every part is `module:attribute`; what may be left out is ''."""

    name: str
    """What a profile says in `protocol:`."""
    schemes: tuple[str, ...]
    """How its addresses begin: `snmp` (of `snmp://HOST`), or the interface of a VISA resource (`TCPIP`)."""
    example: str
    """An address of each kind, for people."""
    address: str
    """`parse(text) -> Address`; ValueError says what is wrong with it."""
    profile: str
    """The model of its profiles, a `harness.schema.profile.Profile`."""
    link: str
    """`make(LinkRequest) -> Link`: how the harness itself talks to a device."""
    connection: str
    """`connection(profile, Address, base) -> dict`: what `channel` needs to know, as JSON; without credentials."""
    channel: str
    """`connect(name, connection, shared) -> Channel`: compiled commands get to the device; no pydantic, no numpy."""
    template: str
    """The `Template` that `harness profile new` starts with."""
    credentials: str = ""
    """`secrets_of(FileRef | None, base) -> dict`: what a connection has from its credentials; '': it has no log-in."""
    trust: str = ""
    """`trust(Address, base)`: raises ConfigError or OSError where what an address is trusted by cannot be used."""
    problems: str = ""
    """`problems(profile, Expansion) -> [(place, message)]`: what its model alone cannot find."""
    line: str = ""
    """`settings(profile, Address)`: what all devices of one serial line must have in common, None for no such line."""
    fitting: str = ""
    """`profiles(Device) -> [name]`, a coroutine: which profiles would fit a device that its own does not."""
    twin: str = ""
    """`serve(Twin, DeviceEntry, Host, port) -> sim.twin.Device`: a simulated device; those of the simulator have ''."""
    asks_one_by_one: bool = False
    """Whether each signal is a question of its own, so that one that fails takes no other with it."""
    is_shared: bool = False
    """Whether one address may stand for several devices, each with a profile of its own."""

    @property
    def is_ours(self) -> bool:
        """Whether it came with this package."""
        return self.name in built_in(GROUP)

    def part(self, name: str) -> Any:
        """One of the parts, imported now. ConfigError when it cannot be; that of others gives one whenever it fails."""
        place = str(getattr(self, name))
        its = f"its {name} {place!r}"
        with third_party(lambda why: self.failed(f"{its} cannot be loaded: {why}"), KeyboardInterrupt):
            found = part(place)
        if self.is_ours or isinstance(found, type) or not callable(found):
            return found
        meant: tuple[type[BaseException], ...] = (KeyboardInterrupt, *_MEANT.get(name, ()))
        return bordered(found, lambda why: self.failed(f"{its} failed: {why}"), *meant)

    def failed(self, why: str) -> ConfigError:
        """The error that its code does not do what it should."""
        who = owner_of(GROUP, self.name)
        return ConfigError(f"the protocol {self.name} of the package {who} cannot be used: {why}")


@dataclass(frozen=True, slots=True)
class Template:
    """The beginning of a profile. MEASURED, SCALED, GROUP, STATE and SWITCHED in it stand for what its class has."""

    body: str
    address: str
    """How to reach a device, for `harness profile try`."""
    sentinel: str = "[65535]"
    """Raw numbers by which such devices say that there is no value; '' where they need none."""
    proof: str = ""
    """A rule of the identity that only this family fulfils; GROUP in it is the repetition."""


def part(place: str) -> Any:
    """What stands at `module:attribute`."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


@cache
def protocol(name: str) -> Protocol:
    """The protocol of a name. ConfigError when there is none, or when its package is broken.

    A built-in one is that, whatever others add under its name: devices must be reached to be made safe.
    """
    record = find(GROUP, name, partial(_record, name), ours_wins=True)
    if record is None:
        raise ConfigError(why_not(GROUP, name) or f"protocol must be one of {', '.join(names(GROUP))}, not {name!r}")
    return record


@cache
def protocol_of_scheme(scheme: str) -> Protocol | None:
    """The protocol whose addresses begin with `scheme`; None when there is none. ConfigError when there are two.

    Those of others are imported only where none of ours knows it.
    """
    ours = built_in(GROUP)
    for part_of_them in (ours, [name for name in names(GROUP) if name not in ours]):
        found = [each for each in _usable(part_of_them) if scheme in each.schemes]
        if len(found) > 1:
            both = " and ".join(f"{each.name} ({owner_of(GROUP, each.name)})" for each in found)
            raise ConfigError(f"addresses {scheme}:// belong to the protocols {both}", hint="uninstall one")
        if found:
            return found[0]
    return None


def known_protocols() -> list[Protocol]:
    """Every installed protocol that can be used."""
    return list(_usable(names(GROUP)))


def _usable(wanted: Iterable[str]) -> Iterator[Protocol]:
    for name in wanted:
        with suppress(ConfigError):
            yield protocol(name)


def _record(name: str, given: Any) -> Protocol:
    if not isinstance(given, Protocol):
        raise TypeError(f"{type(given).__name__} is no Protocol")
    if given.name != name:
        raise ValueError(f"it gives the protocol {given.name!r}: the entry point must have its name")
    schemes: Any = given.schemes
    if not isinstance(schemes, tuple) or not all(isinstance(one, str) and one for one in schemes):
        raise TypeError(f"schemes is {schemes!r}, not a tuple of texts, as in ('toy+tcp',)")
    for each in fields(given):
        value = getattr(given, each.name)
        kind = bool if isinstance(each.default, bool) else str
        if each.name != "schemes" and not isinstance(value, kind):
            raise TypeError(f"{each.name} is {value!r}, not {kind.__name__}")
        if each.default is MISSING and not value:
            raise ValueError(f"{each.name} is left out")
    return given
