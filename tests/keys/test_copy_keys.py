"""Keys of what goes to and comes from others: the database that gets a copy, secrets, and traps."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.clock import Clock, run
from harness.engine.traps import serve_traps
from harness.project.station import load_station
from harness.schema.station import FileRef, Influx, Station, Telemetry
from harness.schema.traps import Traps, TrapUser
from harness.session import influx_settings
from harness.telemetry.influx import InfluxWriter
from tests.foreign_tools import foreign
from tests.keys.models import ABSENT
from tests.keys.rows import Case, Files, Row, Table, changed, every_row, written
from tests.tools.database import Request, ScriptedDatabase

STATION = """
schema: 1
station: bench
devices: {}
telemetry:
  influxdb: {url: DATABASE, org: works, bucket: racks, token: {file: one.token}}
"""
FILES = {"station": STATION}
INFLUX = "station/telemetry/influxdb"
V1 = {INFLUX: {"url": "DATABASE", "api": "v1", "database": "racks", "user": "kim", "password": {"env": "KEYS_ONE"}}}


def database_bench(folder: Path, files: Files) -> Request | None:
    """The request that a database gets for one line; None when nothing is copied."""
    for name in ("one", "two"):
        (folder / f"{name}.token").write_text(f"secret-{name}")
        (folder / f"{name}.token").chmod(0o600)
        os.environ[f"KEYS_{name.upper()}"] = f"secret-{name}"
    with ScriptedDatabase() as database:
        place = f"{INFLUX}/url"
        influx = files["station"].get("telemetry", {}).get("influxdb")
        if influx is not None:
            files = changed(files, place, influx["url"].replace("DATABASE", database.url))
        (path,) = written(folder, files, "station")
        settings = influx_settings(load_station(path))
        if settings is None:
            return None
        writer = InfluxWriter(settings)
        try:
            writer.send(b"power value=1 1")
        finally:
            writer.close()
            del os.environ["KEYS_ONE"], os.environ["KEYS_TWO"]
        return database.requests[0] if database.requests else None


def path(request: Request | None) -> str:
    """Where the line was written to."""
    return request.path if request is not None else ""


def proof(request: Request | None) -> str:
    """What was shown to be let in."""
    return request.headers["authorization"] if request is not None else ""


WORKS = "/api/v2/write?org=works&bucket=racks&precision=ns"
OLD = "/write?db=racks&precision=ns"
BOTH = {**V1, f"{INFLUX}/bucket": "others", f"{INFLUX}/org": "works"}

COPIES = [
    Table(
        Influx,
        INFLUX,
        FILES,
        database_bench,
        [
            Row("url", "DATABASE/below", path, WORKS, f"/below{WORKS}"),
            Row("api", "v2", path, OLD, WORKS.replace("racks", "others"), BOTH),
            Row("org", "yard", path, WORKS, WORKS.replace("works", "yard")),
            Row("bucket", "others", path, WORKS, WORKS.replace("racks", "others")),
            Row("token", ABSENT, lambda found: "authorization" in found.headers, True, False),
            Row("database", "others", path, OLD, OLD.replace("racks", "others"), V1),
            Row("user", "lee", proof, "Basic a2ltOnNlY3JldC1vbmU=", "Basic bGVlOnNlY3JldC1vbmU=", V1),
            Row("password", ABSENT, proof, "Basic a2ltOnNlY3JldC1vbmU=", "Basic a2ltOg==", V1),
        ],
    ),
    Table(
        FileRef,
        f"{INFLUX}/token",
        FILES,
        database_bench,
        [Row("file", "two.token", proof, "Token secret-one", "Token secret-two")],
    ),
    Table(
        FileRef,
        f"{INFLUX}/password",
        FILES,
        database_bench,
        [Row("env", "KEYS_TWO", proof, "Basic a2ltOnNlY3JldC1vbmU=", "Basic a2ltOnNlY3JldC10d28=", V1)],
    ),
    Table(
        Telemetry,
        "station/telemetry",
        FILES,
        database_bench,
        [Row("influxdb", ABSENT, path, WORKS, "")],
    ),
    Table(
        Station,
        "station",
        FILES,
        database_bench,
        [Row("telemetry", {}, path, WORKS, "")],
    ),
]


# --- traps

TRAPPED = """
schema: 1
station: bench
devices: {}
traps:
  listen: "127.0.0.1:1"
  users: [{credentials: {file: two_c.cred}}]
"""
CREDENTIALS = {
    "two_c": 'version: "2c"\ncommunity: word\n',
    "other": 'version: "2c"\ncommunity: other\n',
    "three": 'version: "3"\nuser: kim\nauth_protocol: SHA256\nauth_key: authentication\n',
}
ENGINE = "8000000001020304"
SIGNED = ["-v3", "-e", f"0x{ENGINE}", "-u", "kim", "-l", "authNoPriv", "-a", "SHA-256", "-A", "authentication"]
TRAP = ["0", "1.3.6.1.6.3.1.1.5.3"]
KIM = {"station/traps/users": [{"credentials": {"file": "three.cred"}, "engine_id": ENGINE}]}


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def trap_bench(folder: Path, files: Files) -> list[str]:
    """What is told of one trap by community and one that is signed, sent to 127.0.0.1; port 1 stands for a free one."""
    for name, text in CREDENTIALS.items():
        (folder / f"{name}.cred").write_text(text)
        (folder / f"{name}.cred").chmod(0o600)
    port = _free_port()
    traps = files["station"].get("traps")
    if traps is not None:
        files = changed(files, "station/traps/listen", f"{traps['listen'][:-1]}{port}")
    (station,) = written(folder, files, "station")
    told: list[str] = []
    runner: Any = SimpleNamespace(
        project=SimpleNamespace(on=load_station(station)),
        options=SimpleNamespace(is_simulated=False),
        clock=None,
        log=SimpleNamespace(event=lambda kind, text, **_: told.append(f"{kind} {text}")),
    )

    async def main() -> None:
        runner.clock = Clock()
        receiver = await serve_traps(runner)
        try:
            for manner in (["-v2c", "-c", "word"], SIGNED):
                sent = await asyncio.create_subprocess_exec(
                    foreign("snmptrap"), "-m", "", *manner, f"127.0.0.1:{port}", *TRAP,
                    stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
                )  # fmt: skip
                await sent.wait()
            for _ in range(8):
                await asyncio.sleep(0.05)
        finally:
            if receiver is not None:
                await receiver.close()

    run(main)
    return told


def number(told: list[str]) -> int:
    """How many traps were believed."""
    return len([each for each in told if each.startswith("trap")])


TRAPS = [
    Table(
        Traps,
        "station/traps",
        {"station": TRAPPED},
        trap_bench,
        [
            Row("listen", "127.0.0.2:1", number, 1, 0),
            Row("users", [{"credentials": {"file": "other.cred"}}], number, 1, 0),
        ],
    ),
    Table(
        TrapUser,
        "station/traps/users/0",
        {"station": TRAPPED},
        trap_bench,
        [
            Row("credentials", {"file": "other.cred"}, number, 1, 0),
            Row("engine_id", "80000000010203ff", number, 1, 0, KIM),
        ],
    ),
    Table(Station, "station", {"station": TRAPPED}, trap_bench, [Row("traps", ABSENT, number, 1, 0)]),
]
TABLES = [*COPIES, *TRAPS]


@every_row(COPIES)
def test_the_key_changes_what_the_database_gets(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))


@every_row(TRAPS)
def test_the_key_changes_which_traps_are_told(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("keys"))
