"""Captured devices served over UDP: found, proved and read by the harness as others read them."""

from __future__ import annotations

import asyncio
import json
import sys
from functools import cache

import pytest

from harness.clock import run
from harness.device.registry import matching_profiles
from sim.servers.host import SocketHost
from sim.servers.snmp.responder import SnmpResponder
from tests import captures
from tests.foreign_tools import foreign
from tests.tools.snmprec import load_snmprec

pytestmark = pytest.mark.skipif(not captures.available(), reason="the captured devices are not on this machine")

COUNTS = {
    "apc_ap7900b": (14, 11),
    "apc_ap8959eu3": (30, 30),
    "raritan-pdu_px3": (157, 127),
    "sentry4": (104, 104),
    "vertiv-pdu_mg02e4w1": (17, 17),
    "liebert_mph2rg": (109, 106),
    "eatonpdu_2": (51, 51),
    "apc_inrow-dx": (32, 27),
    "rittal-lcp_cmciii-pu-lcp": (43, 40),
    "arista_eos": (197, 197),
    "cumulus_mellanox": (0, 0),
    "dell-sonic": (18, 18),
    "enlogic-pdu2": (22, 22),
    "panduit": (33, 33),
    "hpe-mapdu_pdu3": (130, 128),
    "dell-rpdu": (77, 77),
    "rittal-cmc-iii-pu_pdu-controller": (37, 33),
    "raritan-pdu_px2-temp": (8, 8),
    "sentry3_3phase": (12, 12),
    "liebert": (21, 18),
    "nxos_n9k-c93180yc-fx3": (50, 50),
    "cumulus_edgecore-as4610-54p": (6, 4),
    "dell-os10": (14, 14),
    "junos_qfx5100": (23, 23),
}
"""Sensors that LibreNMS derives from each capture, and how many of them the profile reads equal."""

MODELS = {
    "apc_ap7900b": "AP7900B",
    "apc_ap8959eu3": "AP8959EU3",
    "raritan-pdu_px3": "PX3-5493U-K2",
    "sentry4": "C2S42CE-YCMFAM00",
    "vertiv-pdu_mg02e4w1": "MG02E4W1-42ITB3-3PS56B2A10-S",
    "liebert_mph2rg": "MPHR3142",
    "eatonpdu_2": "EMA114-10",
    "apc_inrow-dx": "APC InRow DX 300mm",
    "rittal-lcp_cmciii-pu-lcp": "CMCIII-PU LCP",
    "arista_eos": "DCS-7050S-52",
    "dell-sonic": "0CCN8D",
    "enlogic-pdu2": "EN1814",
    "panduit": "P42D04M",
    "hpe-mapdu_pdu3": "P9S18A",
    "dell-rpdu": "DELL6606",
    "rittal-cmc-iii-pu_pdu-controller": "PDU-Controller",
    "sentry3_3phase": "CS-24V4-P32MA",
    "liebert": "MPH-NCV27AXXD30",
    "nxos_n9k-c93180yc-fx3": "N9K-C93180YC-FX3",
    "dell-os10": "S4128F-ON",
    "junos_qfx5100": "Juniper QFX5100-48S-6Q Switch",
}


@cache
def result_of(capture):
    """A capture, opened and read once."""
    return run(lambda: captures.served(capture, captures.PROFILES[capture]))


@pytest.mark.parametrize("capture", captures.PROFILES)
def test_a_captured_device_reads_as_expected(capture):
    result = result_of(capture)
    assert result.wrong == []
    assert (result.expected, result.matched) == COUNTS[capture]
    assert result.expected == result.matched + sum(result.unread.values()) + sum(result.silent.values())
    assert not result.unread["no signal reads it"]
    assert result.identity["model"] == MODELS.get(capture, result.identity["model"])
    assert captures.PROFILES[capture] in result.suggested[:2]


def test_the_page_of_the_reference_is_what_the_captures_say():
    results = [result_of(capture) for capture in captures.PROFILES]
    assert captures.PAGE.read_text() == captures.page(results), "run python -m tests.captures"


@pytest.mark.parametrize("capture", ["raritan-pdu_px3", "sentry4", "eatonpdu_2"])
def test_net_snmp_reads_the_same_numbers(capture):
    """The raw numbers that are compared come from the simulator; an independent tool must read them too."""
    tool = foreign("snmpget")
    data = json.loads((captures.FOLDER / f"{capture}.json").read_text())
    oids = [row["sensor_oid"].lstrip(".") for row in data["sensors"]["discovery"]["sensors"]][::9]

    async def main():
        view = load_snmprec(captures.FOLDER / f"{capture}.snmprec")
        listener = await SocketHost().serve_datagram(lambda: SnmpResponder(view))
        try:
            process = await asyncio.create_subprocess_exec(
                tool, "-v2c", "-c", "public", "-Oqvt", "-Oe", "-m", "", f"127.0.0.1:{listener.port}", *oids,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, _ = await process.communicate()
        finally:
            await listener.close()
        shown = [int(line) for line in out.decode().split()]
        assert shown == [view.get(tuple(map(int, oid.split(".")))).value for oid in oids]

    run(main)


def test_probe_suggests_the_profile_of_a_device_that_is_another(tmp_path):
    """A Raritan behind an entry that says APC: not opened, and the right profile is named."""

    async def main():
        view = load_snmprec(captures.FOLDER / "raritan-pdu_px3.snmprec")
        listener = await SocketHost().serve_datagram(lambda: SnmpResponder(view))
        (tmp_path / "station.yaml").write_text(
            "schema: 1\nstation: mixed-up\ndevices:\n"
            f'  pdu: {{profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:{listener.port}"}}\n'
            "safe_state: {default: [{set: pdu.outlet, to: 'off', confirm_within: 5 s}]}\n"
        )
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from harness.cli.main import main; main()",
                "probe", str(tmp_path / "station.yaml"),
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            out, _ = await process.communicate()
        finally:
            await listener.close()
        return process.returncode, out.decode()

    code, out = run(main)
    assert code == 3, out
    assert "it may be pdu/raritan_pdu2" in out


def test_a_strange_agent_matches_nothing():
    assert matching_profiles("1.3.6.1.4.1.99999.1", "a toaster") == []
    assert matching_profiles("1.3.6.1.4.1.13742.60", "") == [], "13742.6 is no beginning of 13742.60"
