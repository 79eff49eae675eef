"""A workload over a real ssh server: started, graded, and stopped whatever becomes of the target. In real time."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.record.manifest import evidence
from harness.record.verification import verify
from tests.keys.rack import FILES, ON
from tests.keys.rows import changed, parsed
from tests.keys.run_bench import Ran, run_bench, step
from tests.processes import own_number, running, soon
from tests.sshd import Sshd, sshd

SWITCHED_OFF = (6, 10, [0])


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Sshd]:
    """A computer that lets the station in; its keys are where the station file is."""
    with sshd(tmp_path) as server:
        yield server


def on_ssh(target: Sshd, command: list[str], **keys: Any) -> dict[str, Any]:
    """A workload step on that computer."""
    settings = {"credentials": {"file": "ssh.cred"}, "known_hosts": "known_hosts", "alive_every": "1 s"}
    targets = keys.pop("targets", [{"name": "tray1", "address": target.address}])
    settings |= keys.pop("settings", {})
    given = {"step": "workload", "name": "it", "driver": "ssh", "settings": settings, "targets": targets}
    if not {"for", "within"} & set(keys):
        keys["within"] = "20 s"
    return {**given, "command": command, "grace": "1 s", **keys}


def run_it(folder: Path, *steps: dict[str, Any], **more: Any) -> Ran:
    """These steps on the small rack, its outlets on, in real time."""
    files = {name: parsed(text) for name, text in FILES.items()}
    return run_bench(folder, changed({**files, "rate": 1.0, **more}, "plan/steps", [ON, *steps]))


def about(ran: Ran) -> dict[str, Any]:
    """What stands in the record of the workload."""
    assert ran.outcome is not None, ran.error
    return json.loads((ran.outcome.folder / "workloads/001/workload.json").read_text())


@pytest.fixture
def number() -> str:
    """Seconds to sleep, by which the processes of a test are known."""
    return own_number()


def on_target(number: str) -> int:
    """How many `sleep NUMBER` run; the ssh that was told to start one is none."""
    return len([line for line in running(number) if line.startswith("sleep")])


def off_at(ran: Ran) -> float:
    """Seconds from the begin of the step until the step itself told the outlets to go off."""
    events = iter(ran.events)
    begun = next(each.mono for each in events if each.kind == "step" and each.data.get("step") == "it")
    for each in events:
        assert each.kind != "step end", "the step has switched nothing off"
        if each.kind == "intent":
            assert each.text.startswith("pdu: outlet"), each.text
            return each.mono - begun
    raise AssertionError


def test_it_is_started_graded_and_stands_in_the_sealed_record(target: Sshd, tmp_path: Path) -> None:
    script = 'echo "level $1 on $2: it\'s $HOME"; echo checksum 4711; echo careful >&2; exit 0'
    ran = run_it(
        tmp_path,
        on_ssh(
            target,
            ["sh", "-c", script, "sh", "{level}", "{target}"],
            level="80 %",
            version=["uname", "-sr"],
            must=["checksum \\d+", "careful"],
            must_not=["mismatch"],
            result="checksum (?P<result>\\d+)",
        ),
    )
    assert step(ran, "it").verdict == "PASS", step(ran, "it").reason
    found = about(ran)
    (one,) = found["targets"]
    assert (one["target"], one["exit_code"], one["verdict"], one["results"]) == ("tray1", 0, "PASS", ["4711"])
    assert found["command"][:2] == ["sh", "-c"]
    assert "OpenSSH" in found["found"]["ssh"]
    assert "Linux" in found["found"]["targets"]["tray1"]["version"]
    folder = ran.outcome.folder
    assert (folder / "workloads/001/tray1.out").read_text().startswith("level 80 on tray1: it's /")
    kept = {"workloads/001/workload.json", "workloads/001/tray1.out", "workloads/001/tray1.err"}
    assert kept <= set(evidence(folder))
    assert verify(folder) == []
    key = (tmp_path / "id").read_text()
    assert key.splitlines()[1] not in "".join(path.read_text("latin-1") for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("script", "keys", "verdict", "why"),
    [
        ("exit 3", {"exit_codes": {"fail": [3]}}, "FAIL", "tray1: exit code 3"),
        ("exit 255", {"exit_codes": {"fail": [255]}}, "FAIL", "tray1: exit code 255"),
        ("echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", {"must": ["^(a+)+$"]}, "INCONCLUSIVE", "took too long"),
    ],
)
def test_every_end_has_its_verdict(
    script: str, keys: dict[str, Any], verdict: str, why: str, target: Sshd, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("harness.workloads.patterns._MOST_S", 1.0)
    ran = run_it(tmp_path, on_ssh(target, ["sh", "-c", script], **keys))
    assert step(ran, "it").verdict == verdict, step(ran, "it")
    assert why in step(ran, "it").reason


def test_a_program_that_is_not_there_says_nothing_of_the_rack(target: Sshd, tmp_path: Path) -> None:
    ran = run_it(tmp_path, on_ssh(target, ["no-such-program", "--all"]))
    assert step(ran, "it").verdict == "ERROR"
    assert "there is no such program" in step(ran, "it").reason


def test_one_that_is_to_run_for_a_time_is_stopped_then_and_leaves_nothing(
    target: Sshd, number: str, tmp_path: Path
) -> None:
    script = f"sleep {number} & (trap '' TERM; exec sleep {number}) & echo busy; wait"
    ran = run_it(tmp_path, on_ssh(target, ["sh", "-c", script], **{"for": "2 s"}, must=["busy"]))
    assert step(ran, "it").verdict == "PASS", step(ran, "it").reason
    assert about(ran)["targets"][0]["was_stopped"]
    assert soon(lambda: not running(number), 3), running(number)


def test_one_that_ends_before_its_time_is_no_pass(target: Sshd, tmp_path: Path) -> None:
    ran = run_it(tmp_path, on_ssh(target, ["true"], **{"for": "30 s"}))
    assert (step(ran, "it").verdict, ran.events[-1].mono - ran.events[0].mono < 20) == ("INCONCLUSIVE", True)
    assert "it ended by itself" in step(ran, "it").reason


def test_a_flood_of_output_is_cut_and_what_is_missing_is_not_called_clean(target: Sshd, tmp_path: Path) -> None:
    flood = ["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo the end"]
    ran = run_it(tmp_path, on_ssh(target, flood, keep_mib=1, must=["the end"], must_not=["mismatch"]))
    assert step(ran, "it").verdict == "INCONCLUSIVE"
    assert "not all of the output was kept" in step(ran, "it").reason
    kept = ran.outcome.folder / "workloads/001/tray1.out"
    assert 1 << 20 < kept.stat().st_size < (1 << 20) + 20_000
    assert "bytes are left out here" in kept.read_text()
    assert kept.read_text().rstrip().endswith("the end")


def test_a_command_that_hangs_is_stopped_by_itself_and_nothing_is_switched_off(
    target: Sshd, number: str, tmp_path: Path
) -> None:
    ran = run_it(tmp_path, on_ssh(target, ["sleep", number], within="2 s", off=["pdu.outlet"]))
    assert (step(ran, "it").verdict, step(ran, "it").reason) == ("FAIL", "tray1: it did not end within 2 s")
    assert about(ran)["targets"][0]["switched_off_by"] == ""
    assert soon(lambda: not running(number), 3)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda server: (server.make_key("other"), server.know("other")), "its host key is not the one of known_hosts"),
        (lambda server: (server.folder / "known_hosts").write_text(""), "its host key is not the one of known_hosts"),
        (lambda server: (server.make_key("other"), server.write_credentials("other")), "it does not take the key"),
        (lambda server: server.close(), "nothing listens at its port"),
        (lambda server: server.send(signal.SIGSTOP), "it does not answer"),
        (lambda server: (server.folder / "ssh.cred").chmod(0o644), "can be read or changed by others"),
        (lambda server: (server.folder / "id").unlink(), "cannot be read"),
    ],
)
def test_a_target_that_lets_nobody_in_is_an_error_of_the_station(
    spoil: Any, why: str, target: Sshd, tmp_path: Path
) -> None:
    spoil(target)
    ran = run_it(tmp_path, on_ssh(target, ["true"], settings={"connect_timeout": "2 s"}, off=["pdu.outlet"]))
    assert step(ran, "it").verdict == "ERROR"
    assert why in step(ran, "it").reason
    assert ran.outcome.exit_code == 3


@pytest.mark.parametrize(
    ("death", "answers"), [(signal.SIGKILL, "the connection"), (signal.SIGSTOP, "it does not answer any more")]
)
def test_a_target_that_dies_under_load_is_switched_off_by_its_outlets_in_time(
    death: signal.Signals, answers: str, target: Sshd, number: str, tmp_path: Path
) -> None:
    """The server with all that it has started is killed, or stands still with its connection open."""

    def kill() -> None:
        assert soon(lambda: on_target(number) == 1, 15)
        time.sleep(0.3)
        target.send(death)

    killer = threading.Thread(target=kill)
    killer.start()
    ran = run_it(tmp_path, on_ssh(target, ["sleep", number], within="60 s", off=["pdu.outlet"]))
    killer.join()
    assert off_at(ran) < 15
    assert step(ran, "it").verdict == "FAIL"
    assert "tray1 died under load: " in step(ran, "it").reason
    assert answers in step(ran, "it").reason
    assert about(ran)["targets"][0]["switched_off_by"] == "pdu.outlet"
    assert not running(f"-p {target.port}")


def test_a_control_that_is_not_confirmed_is_passed_over_and_the_first_that_is_ends_it(
    target: Sshd, number: str, tmp_path: Path
) -> None:
    """What stands for the BMC is stuck; of the outlets behind it the first is enough."""

    def kill() -> None:
        assert soon(lambda: on_target(number) == 1, 15)
        time.sleep(0.3)
        target.send(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    ran = run_it(
        tmp_path,
        on_ssh(target, ["sleep", number], within="60 s", off=["cdu.pump", "pdu.outlet[1]", "pdu.outlet[2]"]),
        wire=[["it", 0, "cdu", "stuck", True]],
    )
    killer.join()
    assert about(ran)["targets"][0]["switched_off_by"] == "pdu.outlet[1]"
    step_s = next(each for each in ran.events if each.kind == "step end" and each.data.get("step") == "it")
    off = [what[1] for second, name, what in ran.told if name == "pdu" and what[2] == [0]]
    assert off[0] == 10, off  # by the step; the other one by the safe state
    assert "died under load" in step_s.text
    assert any("cdu.pump does not switch it off" in text for text in (each.text for each in ran.events))


def test_several_targets_are_run_side_by_side_and_each_is_graded(target: Sshd, tmp_path: Path) -> None:
    targets = [{"name": f"tray{k}", "address": target.address} for k in range(1, 5)]
    command = ["sh", "-c", 'sleep 1; test "$1" != tray3', "sh", "{target}"]
    began = time.monotonic()
    ran = run_it(tmp_path, on_ssh(target, command, targets=targets, settings={"parallel": 4}, exit_codes={"fail": [1]}))
    assert time.monotonic() - began < 15
    verdicts = {one["target"]: one["verdict"] for one in about(ran)["targets"]}
    assert verdicts == {"tray1": "PASS", "tray2": "PASS", "tray3": "FAIL", "tray4": "PASS"}
    assert step(ran, "it").reason == "tray3: exit code 1"


def test_when_one_of_two_dies_the_other_is_stopped_and_not_graded(target: Sshd, number: str, tmp_path: Path) -> None:
    with sshd(tmp_path / "other") as other:
        both = (tmp_path / "known_hosts").read_text() + (tmp_path / "other/known_hosts").read_text()
        (tmp_path / "known_hosts").write_text(both)
        (tmp_path / "other/authorized").write_text((tmp_path / "id.pub").read_text())

        def kill() -> None:
            assert soon(lambda: on_target(number) == 2, 15)
            time.sleep(0.3)
            other.send(signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        targets = [
            {"name": "tray1", "address": target.address},
            {"name": "tray2", "address": other.address, "off": ["pdu.outlet[2]"]},
        ]
        ran = run_it(tmp_path, on_ssh(target, ["sleep", number], within="60 s", targets=targets, off=["pdu.outlet"]))
        killer.join()
    found = {one["target"]: (one["verdict"], one["switched_off_by"]) for one in about(ran)["targets"]}
    assert found == {"tray1": ("INCONCLUSIVE", ""), "tray2": ("FAIL", "pdu.outlet[2]")}
    assert soon(lambda: not running(f"sleep {number}"), 3)
