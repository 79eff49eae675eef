"""Instruments that say more than asked, from the command line: what the operator reads, and the way out of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cli_tools import harness

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


def serve(conn: socket.socket, answers: dict[bytes, bytes], talks: bool, late: bytes) -> None:
    """One that talks greets, echoes, acknowledges and prompts: the worst there is. A slow one is mute till `late`."""
    with contextlib.suppress(OSError), conn:
        said = b"Welcome to ACME M1\r\nM1> " if talks else b""
        if not late:
            conn.sendall(said)
        for line in map(bytes.strip, conn.makefile("rb")):
            if talks:
                said = (said if late else b"") + line + b"\r\n" + answers.get(line, b"OK") + b"\nM1> "
                if not late or line == late:
                    conn.sendall(said)
                    late = b""
            elif line in answers:
                conn.sendall(answers[line] + b"\n")


@contextlib.contextmanager
def instrument(changed: dict[bytes, bytes] | None = None, talks: bool = True, late: bytes = b"") -> Iterator[int]:
    answers = {**ANSWERS, **(changed or {})}
    with socket.create_server(("127.0.0.1", 0)) as door:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(door.accept()[0], answers, talks, late), daemon=True).start()

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


@pytest.mark.parametrize("late", [b"", b"SYST:ERR?"], ids=["greets at once", "greets when it is asked already"])
def test_a_talking_instrument_is_no_cabling_fault(late: bytes, tmp_path: Path) -> None:
    with instrument(late=late) as port:
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


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("49.5 V", "it answers '49.5 V', a number with 'V' behind it: its profile expects no unit there"),
        ("49,5", "it answers '49,5', a decimal comma: set the instrument to decimal points"),
        ("9.9E37", "it answers '9.9E37', which means overload"),
        ("+9.91E+37", "which means not a number"),
        ("ERR 5", "it answers 'ERR 5', which is no number"),
    ],
)
def test_no_value_says_why_with_the_answer_as_it_came(answer: str, why: str, tmp_path: Path) -> None:
    with instrument({b"MEAS:VOLT?": answer.encode()}, talks=False) as port:
        _, station = files(tmp_path, port, "")
        read = harness("read", "m.volt", "--station", station, data=tmp_path)
    assert read.returncode == 3
    assert why in read.stdout + read.stderr


def test_a_measurement_of_no_value_says_why(tmp_path: Path) -> None:
    with instrument({b"MEAS:VOLT?": b"49.5 V"}, talks=False) as port:
        plan, station = files(tmp_path, port, "")
        run = harness("run", plan, "--station", station, "--serial", "R1", data=tmp_path)
    assert run.returncode == 7
    assert "it answers '49.5 V', a number with 'V' behind it" in next(
        line for line in run.stdout.splitlines() if line.startswith("reason")
    )
    assert "volt: no value [48 to 50 V] INCONCLUSIVE" in run.stdout
    assert "nan" not in run.stdout
