"""Odd shells and kept secrets: the verdict does not depend on the environment, and no secret leaves its file."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from harness.record.index import list_runs
from tests.integration.cli_tools import COMMAND, environment

PLAN = """\
schema: 1
plan: short
steps:
  - {step: hold, for: 3 s}
  - {step: measure, signal: cdu.supply_temperature, over: 3 s, limit: {min: LOW degC, max: 60 degC}}
"""
ODD = {
    "as it is": {},
    "C": {"LC_ALL": "C", "LANG": "C"},
    "no utf-8": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"},
    "a comma for a point": {"LC_ALL": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8"},
    "a locale that is not there": {"LC_ALL": "tlh_KX.UTF-8"},
    "fourteen hours ahead": {"TZ": "Pacific/Kiritimati"},
    "half an hour and summer": {"TZ": "Australia/Lord_Howe"},
    "a time zone that is none": {"TZ": ":::/../etc/passwd"},
    "no home": {"HOME": None},
    "a home that is not there": {"HOME": "/nonexistent/home"},
    "nothing but a path": {"HOME": None, "LANG": None, "USER": None, "LOGNAME": None, "TERM": None, "SHELL": None},
}


def carry_out(folder: Path, changes: dict[str, str | None], before: str = "pass") -> dict[str, object]:
    """The result of a short virtual run in an environment; its times and names left out."""
    folder.mkdir()
    plan = folder / "short.yaml"
    plan.write_text(PLAN.replace("LOW", "10"))
    env = environment(folder / "data")
    env = {key: value for key, value in (env | changes).items() if value is not None}
    code = f"import os, sys; {before}; from harness.cli.main import main; main()"
    command = [sys.executable, "-c", code, "run", str(plan), "--simulate", "--virtual", "--seed", "7"]
    done = subprocess.run(command, env=env, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert b"Traceback" not in done.stderr
    (run,) = list_runs(folder / "data")
    result = json.loads((run.path / "result.json").read_text(encoding="utf-8"))
    return {key: [_timeless(each) for each in result[key]] for key in ("steps", "coverage")} | {"v": result["verdict"]}


def _timeless(part: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in part.items() if key not in ("started", "ended", "at")}


def test_the_record_is_the_same_in_every_environment(tmp_path: Path) -> None:
    found = {name: carry_out(tmp_path / str(k), changes) for k, (name, changes) in enumerate(ODD.items())}
    found["umask 0"] = carry_out(tmp_path / "umask0", {}, "os.umask(0)")
    found["umask 077"] = carry_out(tmp_path / "umask77", {}, "os.umask(0o077)")
    expected = found["as it is"]
    assert expected["steps"]
    for name, result in found.items():
        assert result == expected, name


def test_bytes_that_are_no_text_are_refused_in_one_line(tmp_path: Path) -> None:
    for words in ([b"\xff\xfe.yaml"], [b"smoke", b"--serial", b"R\xff1"], [b"smoke", b"--operator", b"\xff"]):
        command = [*(word.encode() for word in COMMAND), b"run", *words, b"--simulate", b"--virtual"]
        done = subprocess.run(
            command, env=environment(tmp_path), capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False
        )
        assert done.returncode == 2, done.stderr
        assert b"Traceback" not in done.stderr


# ---- secrets -------------------------------------------------------------------------------------------------------

CANARIES = {
    "token": "CANARY-token-5f0d3c",
    "community": "CANARY-community-91ab",
    "auth": "CANARY-authkey-77e2",
    "priv": "CANARY-privkey-c410",
}
STATION = """\
schema: 1
station: canary
devices:
  pdu: {{profile: pdu/apc_rpdu2, address: "snmp://127.0.0.1:{port}", credentials: {{file: {credentials}}}}}
  cdu: {{profile: cdu/meta_rpu, address: "modbus+tcp://127.0.0.1:9/12"}}
interlocks:
  - {{name: leak, signal: cdu.leak, equals: dry, on_trip: leak}}
  - {{name: no flow, signal: cdu.flow, min: 5 L/min, for: 30 s, armed_when: {{signal: pdu.power, min: 1 kW}}}}
  - {{name: too hot, signal: cdu.supply_temperature, max: 90 degC}}
unguarded: {{emergency_stop: simulated, door: simulated}}
safe_state:
  default:
    - {{set: pdu.outlet, to: "off", confirm_within: 3 s}}
  leak:
    kind: leak
    actions:
      - {{set: pdu.outlet, to: "off", confirm_within: 3 s}}
telemetry:
  influxdb: {{url: "http://127.0.0.1:{port}", org: factory, bucket: burnin, token: {{file: influx.token}}}}
"""


class Echo(BaseHTTPRequestHandler):
    """A database that refuses, and shows the secret it was given to whoever reads its answer."""

    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        word = self.headers.get("Authorization", "")
        self.seen.append(word)
        body = f'{{"code": "unauthorized", "message": "no such token: {word}"}}'.encode()
        self.send_response(401)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Your-Token", word)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def own_processes(root: int) -> list[int]:
    """A process and its children, as far down as they go."""
    found = [root]
    for number in found:
        for path in Path(f"/proc/{number}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # a thread that has just ended
                found += [int(child) for child in path.read_text().split()]
    return found


@pytest.mark.parametrize(
    ("name", "low", "real", "credentials", "code"),
    [
        ("pass", "10", False, "v2.cred", 0),
        ("fail", "59", False, "v2.cred", 1),
        ("error", "10", True, "v2.cred", 3),
        ("error of version 3", "10", True, "v3.cred", 3),
        ("bad credentials", "10", True, "bad.cred", 2),
    ],
)
def test_no_secret_leaves_its_file(
    name: str, low: str, real: bool, credentials: str, code: int, tmp_path: Path
) -> None:
    secrets = {
        "influx.token": CANARIES["token"],
        "v2.cred": f"{{version: 2c, community: {CANARIES['community']}}}",
        "v3.cred": f"{{version: '3', user: tester, auth_protocol: SHA256, auth_key: {CANARIES['auth']}, "
        f"priv_protocol: AES128, priv_key: {CANARIES['priv']}}}",
        "bad.cred": f"{{version: 2c, comunity: {CANARIES['community']}}}",
    }
    place = tmp_path / "station"
    place.mkdir()
    for file, text in secrets.items():
        (place / file).write_text(text)
        (place / file).chmod(0o600)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    Echo.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        station = place / "station.yaml"
        station.write_text(STATION.format(credentials=credentials, port=server.server_port))
        plan = tmp_path / "short.yaml"
        plan.write_text(PLAN.replace("LOW", low))
        data = tmp_path / "data"
        where = ["--serial", "S-1"] if real else ["--simulate"]
        command = [*COMMAND, "run", str(plan), "--station", str(station), *where, "--json"]
        process = subprocess.Popen(
            command, env=environment(data), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        lines: list[bytes] = []
        words: set[bytes] = set()
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.append(line)
                for number in own_processes(process.pid):
                    try:
                        words.add(Path(f"/proc/{number}/cmdline").read_bytes())
                        words.add(Path(f"/proc/{number}/environ").read_bytes())
                    except OSError:
                        continue
        assert process.wait(60) == code, b"".join(lines).decode()
        for command_line in ("report", "verify"):
            if code != 2:
                shown = subprocess.run(
                    [*COMMAND, command_line, "last"],
                    env=environment(data),
                    capture_output=True,
                    check=False,
                    timeout=30,
                )
                lines += [shown.stdout, shown.stderr]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    if code in (0, 1):
        assert Echo.seen
        assert all(CANARIES["token"] in word for word in Echo.seen)  # it was used
        assert len(words) >= 2
    kept = {path: path.read_bytes() for path in data.rglob("*")
            if path.is_file() and not path.is_socket()}  # fmt: skip
    assert code == 2 or kept
    kept[Path("output")] = b"".join(lines)
    kept[Path("command lines and environments")] = b"\0".join(words)
    for path, content in kept.items():
        for secret in CANARIES.values():
            assert secret.encode() not in content, f"{name}: {path}"
