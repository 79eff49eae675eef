"""The outbox against real databases: VictoriaMetrics and InfluxDB 1.x take every point, and give the same ones back."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

from harness.clock import VIRTUAL_EPOCH_NS, Clock, run
from harness.quantity import Frame
from harness.telemetry.influx import InfluxSettings
from harness.telemetry.journal import Journal
from harness.telemetry.outbox import Outbox, run_tags
from harness.telemetry.push import resume_outbox
from harness.telemetry.rows import SignalInfo
from tests.foreign_tools import foreign

META = {"run": "2026-11-22T084500Z-RACK-0001-3f9a", "serial": "RACK-0001", "station": "line 3, bay=2"}
SIGNALS = {"cdu": ["flow", "supply temperature", "leak"], "pdu": ["power", "outlet[7],state"]}
FRAMES = 400


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


@contextmanager
def server(program, arguments, ready):
    """A real server until the block ends."""
    found = foreign(program)
    with subprocess.Popen([found, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    get(ready)
                    break
                except OSError:
                    assert child.poll() is None, f"{program} ended by itself"
                    assert time.monotonic() < deadline, f"{program} does not answer"
                    time.sleep(0.05)
            yield child
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


def victoria(folder, port):
    return server(
        "victoria-metrics",
        [f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder}/vm", "-retentionPeriod=100y"],
        f"http://127.0.0.1:{port}/health",
    )


def influxd(folder, port, rpc):
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n'
        f'[meta]\n  dir = "{folder}/meta"\n[data]\n  dir = "{folder}/data"\n  wal-dir = "{folder}/wal"\n'
        f'[http]\n  bind-address = "127.0.0.1:{port}"\n  log-enabled = false\n[monitor]\n  store-enabled = false\n'
    )
    return server("influxd", ["-config", str(config)], f"http://127.0.0.1:{port}/ping")


def frames(digits):
    """Distinct values and stamps, some not good. `digits` after the point (None: all that a float64 has).

    VictoriaMetrics keeps whole milliseconds, and the values of a block as decimals of one exponent.
    """
    rng = np.random.default_rng(11)
    for number in range(FRAMES):
        for device, names in SIGNALS.items():
            values = rng.normal(size=len(names)) * 10.0 ** rng.integers(-6, 9, len(names))
            values = values if digits is None else np.round(rng.normal(size=len(names)) * 1e3, digits)
            qualities = np.where(rng.random(len(names)) < 0.1, rng.integers(1, 11, len(names)), 0).astype(np.uint8)
            yield Frame(device, VIRTUAL_EPOCH_NS + number * 250_000_000, number / 4, values, qualities)


def expected(digits=3):
    """Every field that must be in the database: (device, field, stamp) -> value."""
    wanted = {}
    for frame in frames(digits):
        for name, value, quality in zip(SIGNALS[frame.device], frame.values, frame.qualities, strict=True):
            field, value = (f"{name}__q", float(quality)) if quality else (name, float(value))
            wanted[frame.device, field, frame.wall_ns] = value
    return wanted


async def record(path, *, digits=3, outbox_settings=None, half_way=None):
    """Write all frames, with the outbox running beside if asked; returns its last status."""
    clock = Clock()
    journal = await Journal.create(path, clock, META)
    for device, names in SIGNALS.items():
        journal.declare(device, [SignalInfo(name) for name in names], device)
    outbox = Outbox.to_influxdb(journal, outbox_settings, clock, run_tags(META)) if outbox_settings else None
    task = asyncio.ensure_future(outbox.run()) if outbox else None
    for number, frame in enumerate(frames(digits)):
        journal.add_frame(frame)
        if number % 50 == 49:
            await journal.commit()
        if half_way and number == FRAMES:
            await half_way()
    journal.add_event("verdict", verdict="PASS", reason='says "ok", with = and\nnewline')
    await journal.commit()
    status = None
    if outbox and task:
        status = await outbox.drain(30)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await outbox.close()
    await journal.close()
    return status


def export(port):
    """Everything in VictoriaMetrics: ((device, name, stamp) -> value), and all labels seen."""
    get(f"http://127.0.0.1:{port}/internal/force_flush")
    query = urllib.parse.quote('{__name__!=""}')
    found, labels = {}, set()
    for line in get(f"http://127.0.0.1:{port}/api/v1/export?match[]={query}&reduce_mem_usage=1").splitlines():
        row = json.loads(line)
        labels.add((row["metric"].get("station"), row["metric"].get("serial"), row["metric"].get("run")))
        if not row["metric"]["__name__"].startswith("event_"):
            name = row["metric"]["__name__"].removeprefix(row["metric"]["device"] + "_")
            for stamp, value in zip(row["timestamps"], row["values"], strict=True):
                found[row["metric"]["device"], name, stamp * 1_000_000] = value
    return found, labels


@pytest.mark.parametrize("api", ["v2", "v1"])
def test_victoria_metrics_gives_back_every_point(tmp_path, api):
    port = free_port()
    wanted = InfluxSettings(f"http://127.0.0.1:{port}", org="factory", bucket="burnin", api=api, database="burnin")
    run(lambda: record(tmp_path / "journal.db"))
    with victoria(tmp_path, port):
        status = run(lambda: resume_outbox(tmp_path, wanted))
        assert (status.backlog, status.sent, status.refused, status.last_error) == (0, 2 * FRAMES + 1, 0, "")
        found, labels = export(port)
        assert labels == {(META["station"], META["serial"], META["run"])}
        assert found == expected()
        assert run(lambda: resume_outbox(tmp_path, wanted)).sent == 0
        assert run(lambda: resume_outbox(tmp_path, wanted, from_start=True)).sent == 2 * FRAMES + 1
        assert export(port)[0] == expected(), "sent twice, stored once"


def test_a_database_killed_in_mid_run_and_started_again_has_everything(tmp_path):
    port = free_port()
    wanted = InfluxSettings(f"http://127.0.0.1:{port}", org="factory", bucket="burnin")
    first = victoria(tmp_path, port)
    first.__enter__()
    try:

        async def kill():
            await asyncio.sleep(1.2)  # the first half arrives
            get(f"http://127.0.0.1:{port}/internal/force_flush")
            await asyncio.to_thread(first.__exit__, None, None, None)

        async def main():
            restarted = None

            async def restart():
                nonlocal restarted
                await kill()
                await asyncio.sleep(1.5)
                restarted = victoria(tmp_path, port)
                await asyncio.to_thread(restarted.__enter__)

            return await record(tmp_path / "journal.db", outbox_settings=wanted, half_way=restart), restarted

        status, second = run(main)
    except BaseException:
        first.__exit__(None, None, None)
        raise
    try:
        assert (status.backlog, status.last_error) == (0, "")
        assert export(port)[0] == expected()
    finally:
        second.__exit__(None, None, None)


def test_influxdb_1_gives_back_every_point(tmp_path):
    port = free_port()
    wanted = InfluxSettings(f"http://127.0.0.1:{port}", api="v1", database="burn-in")

    def query(text):
        address = f"http://127.0.0.1:{port}/query?db=burn-in&epoch=ns&q={urllib.parse.quote(text)}"
        return json.loads(get(address))["results"][0].get("series", [])

    run(lambda: record(tmp_path / "journal.db", digits=None))
    with influxd(tmp_path, port, free_port()):
        status = run(lambda: resume_outbox(tmp_path, wanted, at_most=2))
        assert status.is_alarm, "the database does not exist yet"
        assert "404" in status.last_error
        post = urllib.request.Request(
            f"http://127.0.0.1:{port}/query", data=urllib.parse.urlencode({"q": 'CREATE DATABASE "burn-in"'}).encode()
        )
        urllib.request.urlopen(post, timeout=10).close()
        status = run(lambda: resume_outbox(tmp_path, wanted))
        assert (status.backlog, status.sent, status.refused) == (0, 2 * FRAMES + 1, 0)
        found = {}
        for device in SIGNALS:
            (series,) = query(f'SELECT * FROM "{device}"')
            for row in series["values"]:
                one = dict(zip(series["columns"], row, strict=True))
                stamp = one.pop("time")
                assert [one.pop(key) for key in ("device", "run", "serial", "station")] == [
                    device, META["run"], META["serial"], META["station"],
                ]  # fmt: skip
                found |= {(device, name, stamp): float(value) for name, value in one.items() if value is not None}
        assert found == expected(None)
        (event,) = query("SELECT * FROM event")
        reported = dict(zip(event["columns"], event["values"][0], strict=True))
        assert json.loads(reported["data"]) == {"verdict": "PASS", "reason": 'says "ok", with = and\nnewline'}
        assert (reported["kind"], reported["seq"]) == ("verdict", 2 * FRAMES + 1)
