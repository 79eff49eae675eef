"""Every captured device at every SNMP profile: who lets whom in. As a script, this writes docs/reference/identity.md.

The captures are looked for where tests/captures.py looks for them.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.evidence import measures_nothing
from harness.device.registry import known_profiles, load_profile
from harness.device.snmp.profile_hint import suggested_profiles
from harness.errors import IdentityError
from harness.schema.profiles.snmp import SnmpProfile
from harness.schema.station import DeviceEntry
from sim.network import MemoryNetwork
from sim.servers.host import MemoryHost
from sim.servers.snmp.responder import SnmpResponder
from tests.captures import FOLDER, ROOT
from tests.tools.snmprec import load_snmprec

PAGE = ROOT / "docs" / "reference" / "identity.md"
GENERIC = "switch/generic"
OWN = {
    "apc_airfm": (),
    "apc_ap7900b": ("pdu/apc_rpdu",),
    "apc_ap8959eu3": ("pdu/apc_rpdu2",),
    "apc_ats": (),
    "apc_inrow-dx": ("cooling/apc_cooling_unit",),
    "apc_smtl1000-nmc3": (),
    "arista_eos": ("switch/arista_eos", GENERIC),
    "cumulus_edgecore-as4610-54p": ("switch/cumulus", GENERIC),
    "cumulus_mellanox": ("switch/cumulus", GENERIC),
    "dell-os10": ("switch/dell_os10", GENERIC),
    "dell-rpdu": ("pdu/dell_rpdu",),
    "dell-sonic": ("switch/sonic", GENERIC),
    "eatonpdu_2": ("pdu/eaton_epdu_g3",),
    "enlogic-pdu2": ("pdu/enlogic_en",),
    "hpe-mapdu_pdu3": ("pdu/hpe_pdu3",),
    "junos_qfx5100": ("switch/juniper_junos", GENERIC),
    "liebert": ("pdu/liebert_mpx",),
    "liebert_mph2rg": ("pdu/liebert_mpx",),
    "nxos_n9k-c93180yc-fx3": ("switch/cisco_nxos", GENERIC),
    "panduit": ("pdu/panduit_g5",),
    "raritan-pdu_px2-temp": ("pdu/raritan_pdu2",),
    "raritan-pdu_px3": ("pdu/raritan_pdu2",),
    "rittal-cmc-iii-pu_pdu-controller": ("pdu/rittal_pdu",),
    "rittal-lcp_cmciii-pu-lcp": ("cooling/rittal_cmc3",),
    "sentry3_3phase": ("pdu/servertech_sentry3",),
    "sentry4": ("pdu/servertech_sentry4",),
    "vertiv-pdu_mg02e4w1": ("pdu/geist_v5",),
}
"""Capture: the profiles that it is no stranger to, by what the maker says it is. Written by hand."""
NO_PROFILE = {
    "apc_airfm": "air conditioner of APC, whose tables no profile reads",
    "apc_ats": "transfer switch of APC",
    "apc_smtl1000-nmc3": "UPS of APC",
}
"""Devices that no profile may let in, and what they are."""


@cache
def profiles() -> dict[str, SnmpProfile]:
    """The SNMP profiles that are installed, by name."""
    loaded = {name: load_profile(path)[0] for name, path in known_profiles().items()}
    return {name: profile for name, profile in loaded.items() if isinstance(profile, SnmpProfile)}


def captured() -> list[str]:
    """The names of the captures that are here."""
    return sorted(path.stem for path in FOLDER.glob("*.snmprec"))


async def _lets_in(name: str, profile: SnmpProfile, network: MemoryNetwork, port: int) -> bool:
    entry = DeviceEntry.model_validate({"profile": name, "address": f"snmp://a:{port}"})
    device = DeviceBuilder(Clock(), Path(), network).make("it", entry, profile)
    try:
        await device.open()
        frame = await device.poll()
        assert frame is not None
        assert not measures_nothing(device, frame), f"{name} lets in what it measures nothing of"
    except IdentityError:
        return False
    finally:
        await device.close()
    return True


def openings(capture: str) -> set[str]:
    """The profiles that let a captured device in."""
    view = load_snmprec(FOLDER / f"{capture}.snmprec")

    async def every() -> set[str]:
        network = MemoryNetwork()
        listener = await MemoryHost(network).serve_datagram(lambda: SnmpResponder(view))
        try:
            return {name for name, each in profiles().items() if await _lets_in(name, each, network, listener.port)}
        finally:
            await listener.close()

    return run(every, rate=math.inf)


def suggestions(capture: str) -> list[str]:
    """What `harness probe` suggests for a captured device that stands where something else is expected."""
    view = load_snmprec(FOLDER / f"{capture}.snmprec")

    async def asked() -> list[str]:
        network = MemoryNetwork()
        listener = await MemoryHost(network).serve_datagram(lambda: SnmpResponder(view))
        entry = DeviceEntry.model_validate({"profile": GENERIC, "address": f"snmp://a:{listener.port}"})
        device = DeviceBuilder(Clock(), Path(), network).make("it", entry, profiles()[GENERIC])
        try:
            return await suggested_profiles(device)
        finally:
            await device.close()
            await listener.close()

    return run(asked, rate=math.inf)


def page(found: dict[str, set[str]]) -> str:
    """The page of the reference."""
    count = len(found) * len(profiles())
    own = sum(len(names) for names in found.values())
    lines = [
        "# Who lets whom in",
        "",
        "Every captured device (LibreNMS project, GPLv3, not part of this repository) is opened with every SNMP",
        f"profile. Of {count} tries ({len(found)} devices, {len(profiles())} profiles) {own} are let in, each by a",
        "profile of its own; the others are refused by the rules of `identity.match`. `switch/generic` is for every",
        "network device of at least eight ports. Made by `python -m tests.identity_matrix`.",
        "",
        "| captured device | let in by |",
        "|---|---|",
    ]
    for capture in sorted(found):
        names = ", ".join(sorted(found[capture], key=lambda name: (name == GENERIC, name)))
        lines.append(f"| {capture} | {names or f'nobody: {NO_PROFILE[capture]}'} |")
    lines += ["", "Profiles that let none of these in: " + ", ".join(_strangers(found)) + "."]
    return "\n".join(lines) + "\n"


def _strangers(found: dict[str, set[str]]) -> list[str]:
    return [f"`{name}`" for name in profiles() if not any(name in names for names in found.values())]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page({capture: openings(capture) for capture in captured()}), encoding="utf-8")


if __name__ == "__main__":
    main()
