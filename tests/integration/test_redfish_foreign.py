"""Redfish over real sockets: curl and Python's own HTTP are the judges of both sides, and TLS is proved."""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import http.server
import ipaddress
import json
import ssl
import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import sim
from harness.clock import Clock, run
from harness.device.build import DeviceBuilder
from harness.device.registry import known_profiles, load_profile
from harness.errors import UnreachableError
from harness.guardian.connections import Connections
from harness.quantity import Quality
from harness.safety.connections import connection
from harness.schema.station import Station
from harness.secret import Secret
from harness.transport.network import SocketNetwork
from harness.transport.redfish import RedfishClient, Tls
from sim.servers.redfish import RedfishService
from tests.foreign_tools import foreign

RESOURCE = "/redfish/v1/PowerEquipment/RackPDUs/Row%207/Outlets/A1"
TREE = {
    "/redfish/v1": {"@odata.id": "/redfish/v1/"},
    RESOURCE: {"@odata.id": RESOURCE, "PowerState": "On", "Voltage": {"Reading": 231.25}},
}


@asynccontextmanager
async def simulated(profile, virtual=False):
    """One simulated device and the harness' own on it."""
    entry = {"profile": profile, "address": "redfish://127.0.0.1"}
    station = Station.model_validate({"schema": 1, "station": "redfish", "devices": {"dut": entry}})
    known = {profile: load_profile(known_profiles()[profile])[0]}
    simulation = await sim.start(station, known, virtual=virtual, seed=11)
    builder = DeviceBuilder(Clock(), Path(), simulation.network)
    device = builder.make("dut", station.devices["dut"], known[profile], simulation.addresses["dut"])
    try:
        await device.open()
        yield simulation, device
    finally:
        await device.close()
        await simulation.close()


async def curl(*arguments):
    """What curl prints."""
    process = await asyncio.create_subprocess_exec(
        foreign("curl"), "-sS", "--max-time", "5", *arguments, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode()


def test_curl_reads_the_simulated_unit_as_the_harness_does():
    foreign("curl")

    async def main():
        async with simulated("cdu/redfish_cdu") as (simulation, device):
            base = simulation.addresses["dut"].replace("redfish://", "http://")
            root = json.loads(await curl(f"{base}/redfish/v1/"))
            equipment = json.loads(await curl(base + root["ThermalEquipment"]["@odata.id"]))
            cdus = json.loads(await curl(base + equipment["CDUs"]["@odata.id"]))
            unit = json.loads(await curl(base + cdus["Members"][0]["@odata.id"]))
            loops = json.loads(await curl(base + unit["SecondaryCoolantConnectors"]["@odata.id"]))
            loop = json.loads(await curl(base + loops["Members"][0]["@odata.id"]))
            (flow, supply) = await device.read(["flow", "supply_temperature"])
            truth = simulation.truth()
            assert flow.value == pytest.approx(loop["FlowLitersPerMinute"]["Reading"], rel=0.05)
            assert flow.value == pytest.approx(truth["loop.flow"], rel=0.05)
            assert supply.value == pytest.approx(truth["loop.supply_temperature"], abs=0.6)
            assert unit["SerialNumber"] == device.identity["serial"]
            status = "-o", "/dev/null", "-w", "%{http_code}"
            assert await curl(*status, "-X", "PATCH", "-d", "{}", base + unit["@odata.id"]) == "405"
            assert await curl(*status, f"{base}/redfish/v1/Nowhere") == "404"

    run(main)


def test_a_leak_and_a_dead_sensor_are_seen():
    async def main():
        async with simulated("cdu/redfish_cdu", virtual=True) as (simulation, device):
            await asyncio.sleep(30)
            (leak, flow) = await device.read(["leak", "flow"])
            assert (leak.text, flow.quality) == ("dry", Quality.GOOD)
            simulation.inject("leak:rack")
            simulation.inject("sensor_nan:loop.flow")
            await asyncio.sleep(60)
            (leak, zone, flow) = await device.read(["leak", "leak_zone[1].state", "flow"])
            assert (leak.text, zone.text) == ("wet", "critical")
            assert flow.quality is Quality.BAD_MISSING

    run(main, rate=float("inf"))


def test_the_guardian_reads_the_same():
    async def main():
        async with simulated("cdu/redfish_cdu") as (simulation, device):
            connections = Connections({"cdu": connection(device, simulation.addresses["dut"], Path())})
            try:
                assert await connections.open() == {}
                names = ["flow", "leak", "mode", "serial", "pump_speed"]
                reads = [device.link.reading(device.expansion.signals[name]) for name in names]
                flow, leak, mode, serial, speed = await connections.look("cdu", reads)
                shown = await device.read(names)
                assert flow == pytest.approx(shown[0].value, rel=0.05)
                assert [leak, mode] == [shown[1].value, shown[2].value]
                assert serial == shown[3].text == "SIM-dut"
                assert speed == pytest.approx(shown[4].value, abs=2.0)
            finally:
                await connections.close()

    run(main)


# --- a service that is not ours ------------------------------------------------------------


class Mockup(http.server.BaseHTTPRequestHandler):
    """Python's own HTTP server as a mockup of a service: version 1.0, every answer ends with the connection."""

    def do_GET(self):
        resource = TREE.get(self.path.rstrip("/"))
        body = json.dumps(resource or {"error": {}}).encode()
        self.send_response(200 if resource else 404)
        self.send_header("Content-Type", "application/json")
        if self.server.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Silent."""


@contextmanager
def mockup(version, *, tells_length):
    handler = type("Handler", (Mockup,), {"protocol_version": version})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.tells_length = tells_length
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("version", "tells_length", "dials"), [("HTTP/1.1", True, 1), ("HTTP/1.0", True, 5), ("HTTP/1.0", False, 5)]
)
def test_a_service_of_pythons_own_http(version, tells_length, dials):
    async def main():
        with mockup(version, tells_length=tells_length) as port:
            client = RedfishClient(SocketNetwork(), "127.0.0.1", port)
            for _ in range(5):
                assert (await client.get(RESOURCE))["Voltage"]["Reading"] == 231.25
            assert client.counters.connects == dials
            await client.close()

    run(main)


# --- TLS ------------------------------------------------------------


def certificate(folder, name="127.0.0.1"):
    """A certificate that signs itself: (file of it and its key, its fingerprint)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cdu")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path, hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()


@asynccontextmanager
async def secured(path):
    """A service behind TLS: its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    service = RedfishService(TREE.get, user="op", password="right one")
    server = await asyncio.get_running_loop().create_server(service.http, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], service
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.05)


def trusted(port, tls):
    return RedfishClient(SocketNetwork(), "127.0.0.1", port, tls=tls, user="op", password=Secret("right one"))


@pytest.mark.parametrize("how", ["ca", "fingerprint", "unchecked"])
def test_tls_with_a_certificate_that_signs_itself(how, tmp_path):
    async def main():
        path, fingerprint = certificate(tmp_path)
        async with secured(path) as (port, service):
            tls = {
                "ca": Tls(ca=str(path)),
                "fingerprint": Tls(fingerprint=fingerprint),
                "unchecked": Tls(unchecked=True),
            }
            client = trusted(port, tls[how])
            for _ in range(3):
                assert (await client.get(RESOURCE))["PowerState"] == "On"
            assert client.counters.connects == 1
            await client.close()
            assert service.sessions == {}

    run(main)


@pytest.mark.parametrize("how", ["the system's", "another name", "another certificate", "another fingerprint"])
def test_tls_with_somebody_else_sends_no_password(how, tmp_path):
    async def main():
        path, fingerprint = certificate(tmp_path, "127.0.0.2" if how == "another name" else "127.0.0.1")
        other, _ = certificate(tmp_path, "127.0.0.3")
        tls = {
            "the system's": Tls(),
            "another name": Tls(ca=str(path)),
            "another certificate": Tls(ca=str(other)),
            "another fingerprint": Tls(fingerprint=fingerprint[::-1]),
        }
        async with secured(path) as (port, service):
            client = trusted(port, tls[how])
            with pytest.raises(UnreachableError) as caught:
                await client.get(RESOURCE)
            assert "certificate" in str(caught.value)
            assert service.log == []
            await client.close()

    run(main)
