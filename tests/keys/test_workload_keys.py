"""Keys of workloads and of comparing what they computed. Programs run in real time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.project.step import find_step
from harness.steps.compare_results import CompareResults
from harness.steps.workload_params import ExitCodes, Report, Target, WorkloadParams
from harness.workloads.command import CommandSettings
from harness.workloads.driver import workload_driver, workload_settings
from harness.workloads.simulated import SimulatedSettings
from harness.workloads.ssh import SshFile, SshSettings, ssh_arguments
from tests.keys.plans import FIRST, only, steps
from tests.keys.rack import FILES
from tests.keys.rows import Case, Files, Has, Row, Table, every_row
from tests.keys.run_bench import Ran, error, lasts, of_step, run_bench

PASS, FAIL = Has("PASS"), Has("FAIL")
it = of_step("it")
REPORT = Path(__file__).parents[1] / "unit/analysis/dcgm"


def program(script: str = "echo sum=42", *more: str, **keys: Any) -> dict[str, Any]:
    """A workload on the station."""
    given = {"driver": "command", "command": ["sh", "-c", script, "sh", *more], "grace": "1 s", **keys}
    given |= {} if {"for", "within"} & set(keys) else {"within": "20 s"}
    return {**only("workload", **given), "rate": 1.0}


def reported(name: str, **report: Any) -> dict[str, Any]:
    """A diagnostic that prints a report of DCGM 4.5.2."""
    return program(f"cat {REPORT}/4.5.2/{name}.json", report={"form": "dcgm", "versions": ["4.5.2"], **report})


def compared(*, wrong: str = "", **keys: Any) -> dict[str, Any]:
    """Results of two workloads, compared."""
    first = {"step": "workload", "name": "a", "driver": "command", "within": "20 s"}
    first |= {"command": ["sh", "-c", "echo sum=42; echo sum=42"], "result": "sum=(?P<result>.*)"}
    second = {**first, "name": "b", "command": ["sh", "-c", f"echo sum=42{wrong}"]}
    last = {"step": "compare_results", "name": "it", "of": ["a"], "trays": 1, **keys}
    return {**steps(first, second, last), "rate": 1.0}


def found(*way: str | int) -> Any:
    """What stands in the record of the first workload."""

    def look(ran: Ran) -> Any:
        if ran.error:
            return ran.error
        assert ran.outcome is not None
        value = json.loads((ran.outcome.folder / "workloads/001/workload.json").read_text())
        for part in way:
            value = value[part]
        return value

    return look


def kept(ran: Ran) -> Any:
    """How much of the output the record has, MiB."""
    assert ran.outcome is not None, ran.error
    return round((ran.outcome.folder / "workloads/001/station.out").stat().st_size / (1 << 20), 1)


def levels(ran: Ran) -> Any:
    """What the load was told, by register: set, set back, and again when the run put back what it had touched."""
    told: dict[int, list[int]] = {}
    for _, name, what in ran.told:
        if name == "load":
            told.setdefault(what[1], []).append(what[2][0])
    return told


AGENT = {**only("workload", driver="simulated", level="50 %", **{"for": "30 s"})}
"""The load's own agent, in virtual time."""
SIGNALS = {**AGENT, f"{FIRST}/settings": {"rounds": "cdu.uptime", "results": "cdu.zone.temperature"}}
ROUND = [["it", 5, "cdu", "holding/6", 1001], ["it", 15, "cdu", "holding/6", 1002]]
SAID = {**SIGNALS, "wire": ROUND}
SSH = only(
    "workload",
    driver="ssh",
    within="5 s",
    command=["true"],
    targets=[{"name": "tray1", "address": "10.0.0.7"}],
    settings={"credentials": {"file": "ssh.cred"}, "known_hosts": "known_hosts"},
)


def ssh_bench(folder: Path, files: Files) -> Any:
    """The arguments of ssh that a plan comes to, with the credentials beside it; what limits it; or what is refused."""
    step = files["plan"]["steps"][0]
    own = {key: value for key, value in step.items() if key not in ("step", "name")}
    definition = find_step("workload")
    assert definition is not None
    params = definition.params.model_validate(own)
    settings = workload_settings(workload_driver("ssh"), params.settings)
    file = SshFile.model_validate(files["ssh"])
    argv = ssh_arguments(settings, file, Path("/base"), params.targets[0].address)
    return [*argv, f"parallel={settings.parallel}", f"credentials={settings.credentials.file}"]


ssh = list
FLOOD = "head -c 2500000 /dev/zero | tr '\\\\0' x"
KEY = {"user": "test", "key": "id"}
TABLES = [
    Table(
        WorkloadParams,
        FIRST,
        FILES,
        run_bench,
        [
            Row("driver", "comand", error, "", Has("no workload driver 'comand'"), program()),
            Row("settings", {"environment": {"A": "b"}}, it, FAIL, PASS, program("test $A", exit_codes={"fail": [1]})),
            Row("targets", ["10.0.0.7"], error, "", Has("the driver command has no `targets:`"), program()),
            Row("command", ["sh", "-c", "exit 1"], it, PASS, Has("INCONCLUSIVE", "exit code 1"), program()),
            Row("version", ["sh", "-c", "echo v7"], found("found"), Has("sha256"), Has("v7"), program()),
            Row("level", "50 %", it, FAIL, PASS, program('test "$1" = 50', "{level}", exit_codes={"fail": [1]})),
            Row("control", "load.fan", levels, {1: [50, 0, 0]}, {2: [50, 0, 0]}, AGENT),
            Row("for", "9 s", lasts("it"), 30, 9, AGENT),
            Row("within", "1 s", it, PASS, Has("ERROR", "did not end within 1 s"), program("sleep 2")),
            Row("grace", "3 s", lasts("it"), 2, 4, program("trap '' TERM; while :; do sleep 1; done", within="1 s")),
            Row("off", ["pdu.bus"], error, "", Has("unknown control 'pdu.bus'"), program()),
            Row("exit_codes", {"pass": [3]}, it, Has("INCONCLUSIVE"), PASS, program("exit 3")),
            Row("must", ["sum=7"], it, PASS, Has("FAIL", "'sum=7' is nowhere in the output"), program()),
            Row("must_not", ["sum"], it, PASS, Has("FAIL", "first: sum=42"), program()),
            Row("result", "sum=(?P<result>.*)", found("targets", 0, "results"), [], ["42"], program()),
            Row("report", {"form": "dcgm", "versions": ["4.5.2"]}, it, PASS, Has("INCONCLUSIVE"), program()),
            Row("keep_mib", 1, kept, 2.4, 1.0, program(FLOOD)),
        ],
    ),
    Table(
        ExitCodes,
        f"{FIRST}/exit_codes",
        FILES,
        run_bench,
        [
            Row("pass", [5], it, Has("INCONCLUSIVE"), PASS, program("exit 5", exit_codes={"fail": [4]})),
            Row("fail", [5], it, Has("INCONCLUSIVE"), FAIL, program("exit 5", exit_codes={"fail": [4]})),
            Row("error", [5], it, Has("INCONCLUSIVE"), Has("ERROR"), program("exit 5", exit_codes={"fail": [4]})),
        ],
    ),
    Table(
        Report,
        f"{FIRST}/report",
        FILES,
        run_bench,
        [
            Row("form", "nccl", error, "", Has("dcgm"), reported("pass")),
            Row("versions", ["4.2.3"], it, PASS, Has("INCONCLUSIVE", "the report is of DCGM 4.5.2"), reported("pass")),
            Row("tests", ["nvlink"], it, PASS, Has("INCONCLUSIVE", "nvlink was not run"), reported("pass")),
            Row("may_skip", ["pcie"], it, Has("INCONCLUSIVE", "pcie was skipped"), PASS, reported("skip")),
        ],
    ),
    Table(
        CommandSettings,
        f"{FIRST}/settings",
        FILES,
        run_bench,
        [
            Row("environment", {"A": "c"}, it, PASS, FAIL,
                program("test $A = b", settings={"environment": {"A": "b"}}, exit_codes={"fail": [1]})),
        ],
    ),
    Table(
        SimulatedSettings,
        f"{FIRST}/settings",
        FILES,
        run_bench,
        [
            Row("rounds", "cdu.flow", found("targets", 0, "results"), ["30", "30"], [], SAID),
            Row("results", "cdu.flow", found("targets", 0, "results"), ["30", "30"], ["100", "100"], SAID),
        ],
    ),
    Table(
        SshSettings,
        f"{FIRST}/settings",
        {**FILES, "ssh": json.dumps(KEY)},
        ssh_bench,
        [
            Row("credentials", {"file": "b"}, ssh, Has("credentials=ssh.cred"), Has("credentials=b"), SSH),
            Row("known_hosts", "k", ssh, Has('"/base/known_hosts"'), Has('UserKnownHostsFile="/base/k"'), SSH),
            Row("connect_timeout", "3 s", ssh, Has("ConnectTimeout=10"), Has("ConnectTimeout=3"), SSH),
            Row("alive_every", "2 s", ssh, Has("ServerAliveInterval=5"), Has("ServerAliveInterval=2"), SSH),
            Row("parallel", 3, ssh, Has("parallel=8"), Has("parallel=3"), SSH),
        ],
    ),
    Table(
        SshFile,
        "ssh",
        {**FILES, "ssh": json.dumps(KEY)},
        ssh_bench,
        [
            Row("user", "kim", ssh, Has("'-l', 'test'"), Has("'-l', 'kim'"), SSH),
            Row("key", "k2", ssh, Has('IdentityFile="/base/id"'), Has('IdentityFile="/base/k2"'), SSH),
        ],
    ),
    Table(
        Target,
        f"{FIRST}/targets/0",
        {**FILES, "ssh": json.dumps(KEY)},
        ssh_bench,
        [Row("address", "10.0.0.8:23", ssh, Has("'22'", "'10.0.0.7'"), Has("'23'", "'10.0.0.8'"), SSH)],
    ),
    Table(
        Target,
        f"{FIRST}/targets/0",
        FILES,
        run_bench,
        [
            Row("name", "a b", error, "", Has("HX-1208", "'a b'"), SSH | {"rate": 1.0}),
            Row("off", ["pdu.nothing"], error, "", Has("unknown control 'pdu.nothing'"), SSH | {"rate": 1.0}),
        ],
    ),
    Table(
        CompareResults,
        "plan/steps/2",
        FILES,
        run_bench,
        [
            Row("of", ["a", "b"], it, PASS, Has("FAIL", "1 wrong"), compared(wrong="0")),
            Row("trays", 2, it, PASS, Has("INCONCLUSIVE", "1 of 2 trays gave results"), compared()),
            Row("rounds", 3, it, PASS, Has("INCONCLUSIVE", "1 results are missing"), compared()),
        ],
    ),
]  # fmt: skip


@every_row(TABLES)
def test_every_key_of_workloads_does_what_it_says(case: Case, tmp_path_factory):
    case.check(lambda: tmp_path_factory.mktemp("key"))
