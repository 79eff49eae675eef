"""The guardian's ear, guardian_log and size; and what systemd is told."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.clock import run
from harness.engine.systemd import Notifier
from harness.guardian.log import GuardianLog
from harness.guardian.watch import Watch
from harness.safety.actions import Put, Sequences

ROOT = Path(__file__).parents[3]
VIRTUAL = float("inf")


def line(**message: object) -> bytes:
    return json.dumps(message).encode() + b"\n"


def hello(watch: Watch, epoch: int = 7) -> None:
    watch.data_received(line(say="hello", epoch=epoch, interval=0.25))


def beat(watch: Watch, *armed: str, epoch: int = 7, sequence: str = "default") -> None:
    watch.data_received(line(say="beat", epoch=epoch, armed=armed, sequence=sequence))


def test_three_missing_beats_are_a_cause_only_while_something_is_armed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        watch = Watch()
        hello(watch)
        waiting = asyncio.ensure_future(watch.cause())
        await asyncio.sleep(60)
        assert not waiting.done(), "nothing is armed: silence is no harm"
        beat(watch, "pdu.outlet[1]")
        last = loop.time()
        for _ in range(8):
            await asyncio.sleep(0.7)
            beat(watch, "pdu.outlet[1]", sequence="leak")
            last = loop.time()
        assert not waiting.done()
        assert "frozen" in await waiting
        assert 0.75 <= loop.time() - last <= 0.8
        assert watch.sequence == "leak"

    run(main, VIRTUAL)


def test_only_whole_lines_of_this_epoch_count_as_beats() -> None:
    async def main() -> None:
        watch = Watch()
        hello(watch)
        beat(watch, "pdu.outlet[3]")
        heard = watch.last_heard
        await asyncio.sleep(0.2)
        for noise in (
            b"\n",
            b"{}\n",
            b"[1]\n",
            b"null\n",
            b'{"say": 1}\n',
            b"\xff\xfe\n",
            b'{"say":"beat","epoch":7}\n',
        ):
            watch.data_received(noise)
        beat(watch, "pdu.outlet[4]", epoch=6)
        assert watch.last_heard == heard
        assert watch.armed == ("pdu.outlet[3]",)
        whole = line(say="beat", epoch=7, armed=["pdu.outlet[5]"], sequence="default")
        for byte in whole:
            watch.data_received(bytes([byte]))
        assert watch.armed == ("pdu.outlet[5]",)
        assert watch.last_heard > heard

    run(main, VIRTUAL)


def test_an_end_of_the_pipe_is_a_cause_and_a_good_bye_is_not() -> None:
    async def main() -> None:
        watch = Watch()
        hello(watch)
        beat(watch, "pdu.outlet[1]")
        watch.data_received(line(say="bye", epoch=7))
        watch.eof_received()
        assert await watch.cause() == ""
        other = Watch()
        hello(other)
        other.eof_received()
        assert "gone" in await other.cause()
        asked = Watch()
        hello(asked)
        asked.data_received(line(say="takeover", epoch=7))
        assert "hands over" in await asked.cause()
        never = Watch()
        never.connection_lost(None)
        assert never.hello.cancelled()

    run(main, VIRTUAL)


class DeadConnections:
    """Devices that do not answer, but for those named."""

    def __init__(self, *alive: str) -> None:
        self.alive = alive

    async def look(self, device: str, reads: list[object]) -> list[float]:
        if device not in self.alive:
            await asyncio.sleep(2.0)
            raise ZeroDivisionError("a bug in a driver is no reason to stop")
        return [1.0 for _ in reads]


def test_connections_are_used_so_that_a_lost_one_is_noticed() -> None:
    from harness.device.wire import Expect, Read
    from harness.guardian.__main__ import TEND_EVERY_S, keep_connected

    off = {
        f"{device}.outlet[1]": Put(device, "outlet[1]", "off", (), Read(), Expect(), 0.0, {})
        for device in ("pdu1", "pdu2")
    }
    said: list[tuple[str, str]] = []

    async def main() -> None:
        connections = DeadConnections("pdu1")
        watch = Watch()
        watch.say = lambda what, **data: said.append((what, data["device"]))  # type: ignore[method-assign]
        problems: dict[str, str] = {}
        guardian_log = GuardianLog(None)
        work = asyncio.ensure_future(keep_connected(Sequences({}, off), connections, watch, guardian_log, problems))  # type: ignore[arg-type]
        await asyncio.sleep(2.5 * TEND_EVERY_S + 5)
        assert list(problems) == ["pdu2"]
        assert said == [("connection", "pdu2")], "told once"
        connections.alive = ("pdu1", "pdu2")
        await asyncio.sleep(TEND_EVERY_S + 5)
        assert problems == {}
        assert said == [("connection", "pdu2")] * 2
        work.cancel()
        await asyncio.wait({work})
        await guardian_log.close()

    run(main, VIRTUAL)


def test_the_log_survives_a_disk_that_refuses(tmp_path: Path) -> None:
    async def main() -> None:
        kept = GuardianLog(tmp_path / "guardian.jsonl")
        kept.note("command", device="pdu", control="outlet[2]", read=float(3))
        kept.note("safe", unconfirmed=[])
        await kept.close()
        lines = [json.loads(each) for each in (tmp_path / "guardian.jsonl").read_text().splitlines()]
        assert [each["kind"] for each in lines] == ["command", "safe"]
        assert lines[0]["control"] == "outlet[2]"
        assert kept.lost == 0
        refused = GuardianLog(tmp_path / "no folder" / "guardian.jsonl")
        refused.note("command")
        await refused.close()
        assert refused.lost == 1

    run(main)


def test_the_guardian_imports_little() -> None:
    code = "import sys, harness.guardian.__main__; print(*sys.modules)"
    env = {"PYTHONPATH": str(ROOT), "PATH": ""}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    loaded = set(found.stdout.split())
    heavy = {"numpy", "pydantic", "ruamel.yaml", "click", "rich", "pyvisa", "sqlite3", "influxdb_client", "pysnmp"}
    assert not loaded & heavy
    rooms = {name.split(".")[1] for name in loaded if name.startswith("harness.")}
    assert rooms <= {
        "guardian",
        "analysis",
        "safety",
        "device",
        "transport",
        "limits",
        "clock",
        "errors",
        "events",
        "faultpoint",
        "in_words",
        "plugins",
        "quantity",
        "secret",
        "spelling",
        "utf8",
        "version",
    }


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notifier = Notifier()
        notifier.ready()
        notifier.alive("soak")
        notifier.alive()
        notifier.stopping()
        notifier.close()
        notifier.alive("after the end")
        said = [manager.recv(200).decode() for _ in range(4)]
    assert said == ["READY=1", "WATCHDOG=1\nSTATUS=soak", "WATCHDOG=1", "STOPPING=1"]
    deaf = Notifier()
    deaf.ready()
    deaf.close()
    monkeypatch.delenv("NOTIFY_SOCKET")
    Notifier().ready()


def test_without_a_guardian_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.errors import SafetyError
    from harness.safety import guardian_client

    plan = {"devices": {}, "off": {}, "sequences": {"default": {"kind": "heat", "actions": []}}, "proof": None}
    config = guardian_client.GuardianConfig("bay", "run-1", "SN-1", 3, None)
    lost: list[str] = []

    async def broken_plan() -> None:
        with pytest.raises(SafetyError, match="KeyError"):
            await guardian_client.GuardianClient.start(config, {**plan, "sequences": {"default": {}}}, lost.append)

    async def whole() -> None:
        guard = await guardian_client.GuardianClient.start(config, plan, lost.append)
        assert guard.may_energise()
        guard.arm("pdu.outlet[1]", "pdu.outlet[2]")
        guard.check()
        assert guard.armed == ("pdu.outlet[1]", "pdu.outlet[2]")
        guard.hand_over()
        while not guard.lost:
            await asyncio.sleep(0.01)
        assert guard.revocation
        assert not guard.may_energise()
        with pytest.raises(SafetyError, match="hands over"):
            guard.check()
        await guard.close()
        assert len(lost) == 1

    async def no_program() -> None:
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(SafetyError, match="died"):
            await guardian_client.GuardianClient.start(config, plan, lost.append)
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(SafetyError, match="cannot be started"):
            await guardian_client.GuardianClient.start(config, plan, lost.append)
        assert len(lost) == 1, "a guardian that never was is not lost, it is refused"

    for case in (broken_plan, whole, no_program):
        run(case)
