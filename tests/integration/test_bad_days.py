"""Bad days: the simulator or the database killed in mid-run, the disk full, the data folder gone."""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from harness.limits.verdict import Verdict
from harness.telemetry.influx import InfluxSettings
from tests.foreign_tools import foreign
from tests.integration.cli_tools import COMMAND, environment, harness, simulation, spoken, write_plan
from tests.plan_runs import PLANS, run_plan


def results(data: Path) -> list[dict[str, object]]:
    """The results of the runs in a data folder."""
    return [json.loads(path.read_text()) for path in sorted((data / "runs").glob("*/result.json"))]


def test_a_simulator_killed_in_mid_run_is_an_error_that_is_not_called_safe(tmp_path):
    plan = write_plan(tmp_path, hold="60 s")
    data = tmp_path / "data"
    with simulation(tmp_path) as (station, _, process):
        with spoken("run", str(plan), "--station", str(station), "--serial", "S-1", data=data) as run:
            run.wait_for("step         warm: started")
            process.process.kill()
            code = run.end(100)
        text = "".join(run.lines)
        process.process.wait(10)
    assert code == 5, text
    (result,) = results(data)
    assert result["verdict"] in ("ERROR", "TRIPPED")
    assert result["safe_state"]["confirmed"] is False
    assert "Traceback" not in text


def limited(kilobytes: int):
    """Before the program starts: no file may grow beyond this, which is what a full disk is like."""

    def apply() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024, kilobytes * 1024))

    return apply


@pytest.mark.parametrize("kilobytes", [1, 40, 150, 400])
def test_a_disk_that_fills_up_is_never_a_pass(tmp_path, kilobytes):
    done = subprocess.run(
        [*COMMAND, "run", str(PLANS / "acceptance.yaml"), "--simulate", "--virtual", "--serial", "S-1"],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=100,
        preexec_fn=limited(kilobytes),
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    assert "PASS  " not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    for result in results(tmp_path):
        assert result["verdict"] != "PASS"


def test_a_data_folder_that_vanishes_is_never_a_pass(tmp_path):
    folder = tmp_path / "data"

    def during(runner, simulation):
        async def vanish():
            await asyncio.sleep(10)
            for path in sorted((folder / "runs").rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()

        return vanish()

    ran = run_plan(PLANS / "smoke.yaml", folder, during=during)
    assert ran.outcome.verdict is not Verdict.PASS
    assert ran.exit_code == 3
    assert ran.on == []


def test_a_database_killed_in_mid_run_changes_nothing_but_the_copy(tmp_path):
    program = foreign("victoria-metrics")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = [program, f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={tmp_path}/vm"]
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as database:
        try:

            def is_up() -> bool:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                        return True
                except OSError:
                    return False

            def during(runner, simulation):
                async def kill():
                    assert await asyncio.to_thread(is_up)
                    while not runner.outbox or runner.journal.position(runner.outbox._sink) <= 0:
                        await asyncio.sleep(0.1)
                    database.kill()  # something was copied before

                return kill()

            deadline = time.monotonic() + 30
            while not is_up():
                assert time.monotonic() < deadline, "the database does not come up"
                time.sleep(0.05)
            plan = write_plan(tmp_path, hold="2 s")
            settings = InfluxSettings(url=f"http://127.0.0.1:{port}", bucket="burnin", org="factory")
            ran = run_plan(plan, tmp_path / "data", rate=1.0, during=during, influxdb=settings)
        finally:
            database.kill()
            database.wait(10)
    assert (ran.exit_code, ran.on) == (0, []), ran.reason
    assert ran.outcome.result.duration_s < 55


def test_a_run_without_a_place_for_its_data_contacts_nothing(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with simulation(tmp_path) as (station, truth, _):
        plan = write_plan(tmp_path)
        done = harness("run", str(plan), "--station", str(station), "--serial", "S-1", data=tmp_path / "file")
        assert done.returncode in (2, 3), done.stdout + done.stderr
        assert len((done.stdout + done.stderr).strip().splitlines()) <= 3
        assert truth.outlets_on() == []
