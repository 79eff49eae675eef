"""Instruments that say more than asked, from the command line: what the operator reads, and the way out of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from cli_tools import harness

PROFILE = """schema: 1
profile: meter/odd
title: An instrument
class: meter
protocol: scpi
source: bug reports
unverified: a test
identity: {match: [{signal: model, starts_with: M1}], model: model}
SCPI
signals:
  model: {query: "*IDN?", parse: field, index: 1, poll: once}
  volt: {query: "MEAS:VOLT?", unit: V}
"""
PLAN = """schema: 1
plan: x
steps:
  - {step: measure, name: volt, signal: m.volt, over: 2 s, limit: {min: 48 V, max: 50 V}}
"""
ANSWERS = {b"*IDN?": b"ACME,M1,SN1,1.0", b"MEAS:VOLT?": b"49.5", b"SYST:ERR?": b'0,"No error"'}


def serve(conn: socket.socket) -> None:
    """Greets, echoes, acknowledges and prompts: the worst there is."""
    with contextlib.suppress(OSError), conn:
        conn.sendall(b"Welcome to ACME M1\r\nM1> ")
        for line in conn.makefile("rb"):
            conn.sendall(line.strip() + b"\r\n" + ANSWERS.get(line.strip(), b"OK") + b"\nM1> ")


@contextlib.contextmanager
def instrument() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as door:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)


def files(folder: Path, port: int, scpi: str) -> tuple[str, str]:
    (folder / "m.yaml").write_text(PROFILE.replace("SCPI", scpi))
    (folder / "plan.yaml").write_text(PLAN)
    address = f"TCPIP::127.0.0.1::{port}::SOCKET"
    (folder / "st.yaml").write_text(
        f'schema: 1\nstation: s\ndevices:\n  m: {{profile: m.yaml, address: "{address}"}}\n'
    )
    return str(folder / "plan.yaml"), str(folder / "st.yaml")


def test_a_talking_instrument_is_no_cabling_fault(tmp_path: Path) -> None:
    with instrument() as port:
        plan, station = files(tmp_path, port, "")
        run = harness("run", plan, "--station", station, "--serial", "R1", data=tmp_path)
    assert run.returncode == 3
    lines = {line[:8].strip(): line[8:] for line in run.stdout.splitlines()}
    assert "'Welcome to ACME M1\\r\\n" in lines["reason"]
    assert lines["do"].startswith("m: it answers, so power and cable are fine; its profile may need `")
    assert "check power" not in run.stdout


def test_a_profile_may_allow_what_it_says(tmp_path: Path) -> None:
    scpi = 'scpi: {greeting: [Welcome], prompt: "M1> ", echo: true, acknowledge: OK}'
    with instrument() as port:
        plan, station = files(tmp_path, port, scpi)
        run = harness("run", plan, "--station", station, "--serial", "R1", data=tmp_path)
    assert run.returncode == 0, run.stdout
    assert "m.volt: 49.5 V" in run.stdout or "volt 49.5 V" in run.stdout


def test_the_simulation_speaks_as_the_profile_says(tmp_path: Path) -> None:
    scpi = 'scpi: {greeting: [Welcome], prompt: "M1> ", echo: true, acknowledge: OK}'
    _, station = files(tmp_path, 5025, scpi)
    probe = harness("probe", station, "--simulate", data=tmp_path)
    assert probe.returncode == 0, probe.stdout
    assert "2 of 2 signals good" in probe.stdout
