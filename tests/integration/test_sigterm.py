"""SIGTERM ends whatever waits: real processes against devices, databases, name servers and files that do not answer."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.cli_tools import environment
from tests.integration.forked import Forked, command
from tests.integration.pty_tools import Terminal

ROOT = Path(__file__).resolve().parents[2]
MAIN = "from harness.cli.main import main; main()"
MARK = "print('it waits', flush=True)"
NO_NAME_SERVER = f"import socket, time; socket.getaddrinfo = lambda *a, **k: ({MARK}, time.sleep(60))"
NO_DISK = f"import shutil, time; shutil.disk_usage = lambda path: ({MARK}, time.sleep(60))"
IGNORED = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
BLOCKED = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})"
PLAN = "schema: 1\nplan: w\nsteps: [{step: hold, for: 5 s, watch: [{signal: cdu.leak, equals: dry}]}]\n"


@pytest.fixture
def deaf():
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


def station(folder: Path, host: str, port: int) -> str:
    path = folder / "station.yaml"
    path.write_text(
        f'schema: 1\nstation: st\ndevices:\n  cdu: {{profile: cdu/meta_rpu, address: "modbus+tcp://{host}:{port}/12"}}\n'
        "safe_state:\n  default: [{set: cdu.pump_speed, to: 10 %}]\n"
    )
    return str(path)


def terminated(
    folder: Path, before: str, *arguments: str, mark: str | socket.socket, within: float = 10.0
) -> tuple[int, str]:
    """(return code, output) of a command that gets SIGTERM once it waits; it has to end `within` seconds."""
    work = command(*arguments, before=before)
    process = Forked(work, env=environment(folder), cwd=folder, own_session=True)
    said = ""
    try:
        if isinstance(mark, socket.socket):
            connection, _ = mark.accept()
            time.sleep(0.1)
        else:
            connection = None
            for line in process.stdout:
                said += line
                if mark in line:
                    break
        process.send_signal(signal.SIGTERM)
        rest = process.communicate(timeout=within)
        if connection is not None:
            connection.close()
        return process.wait(), said + rest
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("device", ("probe", "STATION")),
        ("device", ("watch", "STATION")),
        ("device", ("read", "cdu.flow", "--station", "STATION")),
        ("device", ("profile", "try", "cdu/meta_rpu", "modbus+tcp://HOST:PORT/12")),
        ("name server", ("probe", "STATION")),
        ("name server", ("profile", "try", "cdu/meta_rpu", "modbus+tcp://HOST:PORT/12")),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else each,
)
def test_who_waits_for_a_device_or_its_name_ends(tmp_path, deaf, kind, words):
    """While a name server did not answer, the command ended and its process stayed until the name server had."""
    host, port = "127.0.0.1" if kind == "device" else "cdu.example", deaf.getsockname()[1]
    path = station(tmp_path, host, port)
    asked = [word.replace("STATION", path).replace("HOST", host).replace("PORT", str(port)) for word in words]
    before, mark = ("", deaf) if kind == "device" else (NO_NAME_SERVER, "it waits")
    assert terminated(tmp_path, before, *asked, mark=mark)[0] == 143


@pytest.mark.parametrize("before", [IGNORED, BLOCKED], ids=["ignored", "blocked"])
def test_it_is_heard_whatever_the_process_was_started_with(tmp_path, before):
    """Such a command ended with SIGKILL only."""
    assert terminated(tmp_path, f"{NO_DISK}; {before}", "doctor", mark="it waits")[0] == -signal.SIGTERM


def test_a_run_that_opens_its_devices_is_aborted_and_recorded(tmp_path, deaf):
    (tmp_path / "w.yaml").write_text(PLAN)
    path = station(tmp_path, "127.0.0.1", deaf.getsockname()[1])
    code, said = terminated(tmp_path, "", "run", "w.yaml", "--station", path, "--serial", "S-1", mark=deaf)
    assert code == 143, said
    assert "ABORTED" in said


def test_the_copy_of_a_finished_run_ends_and_the_verdict_stands(tmp_path, deaf):
    """It had said `exit 0` and ended by the signal; now the rest is sent by `harness push`, which SIGTERM ends too."""
    (tmp_path / "w.yaml").write_text(PLAN)
    (tmp_path / "token").write_text("abc")
    os.chmod(tmp_path / "token", 0o600)
    simulated = (ROOT / "testplans" / "stations" / "simulated.yaml").read_text()
    url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
    influx = f'{{url: "{url}", org: o, bucket: b, token: {{file: token}}}}'
    (tmp_path / "st.yaml").write_text(f"{simulated}\ntelemetry:\n  influxdb: {influx}\n")
    words = ("run", "w.yaml", "--station", "st.yaml", "--simulate", "--virtual")
    code, said = terminated(tmp_path, "", *words, mark=deaf)
    assert code == 0, said
    assert "stopped before all was sent; later: harness push" in said
    code, said = terminated(tmp_path, "", "push", "last", "--station", "st.yaml", mark=deaf)
    assert code == 143, said
    assert "stopped before all was sent; later: harness push" in said


def test_a_safe_state_that_has_begun_is_carried_to_its_end(tmp_path, deaf):
    path = station(tmp_path, "127.0.0.1", deaf.getsockname()[1])
    code, said = terminated(tmp_path, "", "safe", "--station", path, mark=deaf, within=40)
    assert "it does not end half-way" in said
    assert code == 5, said


def test_who_is_asked_for_a_serial_number_may_leave(tmp_path, deaf):
    (tmp_path / "w.yaml").write_text(PLAN)
    path = station(tmp_path, "127.0.0.1", deaf.getsockname()[1])
    terminal = Terminal("run", str(tmp_path / "w.yaml"), "--station", path, data=tmp_path)
    terminal.read_until("Serial number")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.end() == -signal.SIGTERM
    assert not list(tmp_path.glob("runs/*")), "no run has begun"


def test_the_first_process_of_a_container_hears_it(tmp_path):
    """The kernel keeps from process 1 every signal that it has no handler for."""
    unshare = [shutil.which("unshare") or "unshare", "--map-root-user", "--pid", "--fork", "--kill-child"]
    try:
        subprocess.run([*unshare, "true"], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system gives no process namespace")
    process = subprocess.Popen(
        [*unshare, sys.executable, "-c", f"{NO_DISK}\n{MAIN}", "doctor"],
        env={**environment(tmp_path), "PYTHONPATH": str(ROOT)}, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert any("it waits" in line for line in process.stdout)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert process.wait(10) == 143
    finally:
        process.kill()
        process.communicate(timeout=10)
