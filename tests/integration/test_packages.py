"""What other packages add: one that is broken, or adds a name that is taken, matters only to who needs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.integration.cli_tools import COMMAND, environment

PLAN = """schema: 1
plan: x
steps:
  - {step: STEP, name: v, signal: "pdu.phase[1].voltage", over: 2 s, limit: {min: 200 V, max: 260 V}}
"""
STEPS = """from harness.api import Params, StepContext, step
class P(Params):
    signal: str = ""
@step("NAME", version=1)
async def theirs(ctx: StepContext, p: P) -> None:
    \"\"\"Something else under this name.\"\"\"
"""
ROOT = "from pathlib import Path\ndef root(): return Path(__file__).parent / 'files'\n"
PROFILE = """schema: 1
profile: pdu/apc_rpdu2
title: Theirs
class: pdu
extends: pdu/raritan_pdu2
source: a test
unverified: a test
"""


def package(folder: Path, group: str, source: str, entry: str = "acme", files: dict[str, str] | None = None) -> None:
    """A distribution called acme that adds one entry point."""
    info = folder / "acme.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    function = {"harness.steps": "theirs", "harness.simulators": "start"}.get(group, "root")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry} = acme_added:{function}\n")
    (folder / "acme_added.py").write_text(source)
    for name, text in (files or {}).items():
        path = folder / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def harness(lib: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**environment(cwd / "data"), "PYTHONPATH": os.pathsep.join([str(lib), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(
        [*COMMAND, *arguments], env=env, cwd=cwd, timeout=60, text=True, capture_output=True, check=False
    )


def plan(folder: Path, step: str = "measure") -> str:
    path = folder / "plan.yaml"
    path.write_text(PLAN.replace("STEP", step))
    return str(path)


def test_a_step_under_a_name_that_is_taken_is_an_error_naming_both(tmp_path):
    package(tmp_path / "lib", "harness.steps", STEPS.replace("NAME", "measure"), "measure")
    for command in ("check", "run"):
        more = ["--simulate", "--virtual"] if command == "run" else []
        done = harness(tmp_path / "lib", command, plan(tmp_path), *more, cwd=tmp_path)
        assert done.returncode == 2, done.stdout
        (line,) = [line for line in done.stderr.splitlines() if "HX-1351" in line]
        assert "plan.yaml:4:12" in line
        assert "step 'measure' is added by" in line
        assert "acme 1.0" in line
        assert "rack-harness" in line


def test_who_does_not_need_the_name_goes_on_with_a_note(tmp_path):
    package(tmp_path / "lib", "harness.steps", STEPS.replace("NAME", "prompt"), "prompt")
    done = harness(tmp_path / "lib", "run", plan(tmp_path), "--simulate", "--virtual", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: the step 'prompt' is added by" in done.stderr
    doctor = harness(tmp_path / "lib", "doctor", cwd=tmp_path)
    assert doctor.returncode == 3
    assert "WRONG the step 'prompt' is added by" in doctor.stdout


def test_a_profile_under_a_name_that_is_taken_is_an_error_naming_both(tmp_path):
    package(tmp_path / "lib", "harness.drivers", ROOT, files={"pdu/apc_rpdu2/profile.yaml": PROFILE})
    station = tmp_path / "station.yaml"
    station.write_text(
        "schema: 1\nstation: s\ndevices:\n"
        '  pdu: {profile: pdu/apc_rpdu2, address: "snmp://10.0.0.1"}\n'
        "safe_state: {default: [{set: pdu.outlet, to: 'off'}]}\n"
    )
    done = harness(tmp_path / "lib", "check", str(station), cwd=tmp_path)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "HX-1304" in line]
    assert "profile 'pdu/apc_rpdu2' is added by" in line
    assert "acme 1.0" in line
    done = harness(tmp_path / "lib", "profile", "show", "pdu/apc_rpdu2", cwd=tmp_path)
    assert done.returncode == 2
    assert "is added by" in done.stderr
    assert harness(tmp_path / "lib", "profile", "show", "pdu/raritan_pdu2", cwd=tmp_path).returncode == 0


def test_a_broken_profile_of_a_package_does_not_keep_the_others_from_being_listed(tmp_path):
    package(tmp_path / "lib", "harness.drivers", ROOT, files={"pdu/broken/profile.yaml": "schema: 1\nprofile: x\n"})
    done = harness(tmp_path / "lib", "profile", "list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = {line.partition(" ")[0]: line for line in done.stdout.splitlines()}
    assert "cannot be used" in lines["pdu/broken"]
    assert "snmp" in lines["pdu/apc_rpdu2"]


def test_plans_and_simulators_under_a_name_that_is_taken(tmp_path):
    package(tmp_path / "lib", "harness.plans", ROOT, files={"smoke.yaml": PLAN.replace("STEP", "measure")})
    done = harness(tmp_path / "lib", "run", "smoke", "--simulate", "--virtual", cwd=tmp_path)
    assert done.returncode == 2
    assert "the plan 'smoke' is added by" in done.stderr
    package(tmp_path / "lib2", "harness.simulators", "async def start(*_, **__): raise AssertionError\n", "builtin")
    done = harness(tmp_path / "lib2", "run", plan(tmp_path), "--simulate", "--virtual", cwd=tmp_path)
    assert done.returncode == 2
    assert "the simulator 'builtin' is added by" in done.stderr
    assert "acme 1.0" in done.stderr


@pytest.mark.parametrize("problems", ["lambda profile: [(('sim',), 'odd', '')]", "lambda profile: {}['odd']"])
def test_a_simulator_of_others_is_asked_by_who_names_it(problems, tmp_path):
    source = f"async def start(*_, **__): raise RuntimeError('theirs')\nstart.problems = {problems}\n"
    package(tmp_path / "lib", "harness.simulators", source)
    for command in (("run", plan(tmp_path), "--simulate", "--virtual"), ("check", "smoke"), ("doctor",)):
        done = harness(tmp_path / "lib", *command, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    station = Path(__file__).parents[2] / "testplans" / "stations" / "simulated.yaml"
    (tmp_path / "bay.yaml").write_text(station.read_text().replace("{rack: 132kW", "{simulator: acme, rack: 132kW"))
    done = harness(tmp_path / "lib", "check", "bay.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "odd" in done.stderr
    done = harness(tmp_path, "check", plan(tmp_path), "--station", "bay.yaml", cwd=tmp_path)
    assert done.returncode == 0, "no simulator is needed for that"
    done = harness(tmp_path, "run", plan(tmp_path), "--station", "bay.yaml", "--simulate", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no simulator 'acme', installed: builtin" in done.stderr


def test_a_plan_and_a_station_may_have_one_name(tmp_path):
    """Two plans of a name are nobody's business who wants the station of that name; two stations of a name are."""
    ours = Path(__file__).parents[2] / "testplans" / "stations" / "simulated.yaml"
    files = {"smoke.yaml": PLAN.replace("STEP", "measure"), "stations/smoke.yaml": ours.read_text()}
    package(tmp_path / "lib", "harness.plans", ROOT, files=files)
    done = harness(tmp_path / "lib", "run", "smoke", "--simulate", "--virtual", cwd=tmp_path)
    assert done.returncode == 2
    done = harness(tmp_path / "lib", "safe", "smoke", "--simulate", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = harness(tmp_path / "lib", "run", "two_feeds", "--station", "smoke", "--simulate", cwd=tmp_path)
    assert "unknown device 'pdu_a'" in done.stderr, (
        "all plans are known by now, and the clash, and the station was found"
    )
    files = {"stations/simulated.yaml": ours.read_text()}
    package(tmp_path / "lib2", "harness.plans", ROOT, files=files)
    for named in (["--station", "simulated"], []):
        done = harness(tmp_path / "lib2", "run", "smoke", *named, "--simulate", "--virtual", cwd=tmp_path)
        assert done.returncode == 2
        assert "the station 'simulated' is added by" in done.stderr


def test_a_folder_of_the_name_of_a_plan_hides_it_not(tmp_path):
    (tmp_path / "smoke").mkdir()
    done = harness(tmp_path, "run", "smoke", "--simulate", "--virtual", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


DAMAGED = {
    "no UTF-8": b"Metadata-Version: 2.1\nName: acme\nVersion: 1.0\nAuthor: J\xfcrgen\n",
    "no name": b"Metadata-Version: 2.1\n",
    "nothing": None,
}


@pytest.mark.parametrize(
    ("damage", "group"),
    [
        ("no UTF-8", "harness.protocols"),
        ("no UTF-8", "harness.drivers"),
        ("no name", "harness.steps"),
        ("nothing", "harness.simulators"),
    ],
)
def test_a_package_that_does_not_say_who_it_is_is_named_by_its_folder(damage, group, tmp_path):
    package(tmp_path / "lib", group, "raise RuntimeError('odd')\n")
    metadata = tmp_path / "lib" / "acme.dist-info" / "METADATA"
    metadata.unlink()
    if DAMAGED[damage] is not None:
        metadata.write_bytes(DAMAGED[damage])
    for command in (("safe", "simulated", "--simulate"), ("check", "smoke")):
        done = harness(tmp_path / "lib", *command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    done = harness(tmp_path / "lib", "doctor", cwd=tmp_path)
    assert done.returncode == 3
    assert "the package acme" in done.stdout


@pytest.mark.parametrize("version", ["0.0.9", "0.1.0"])
def test_what_an_interrupted_installation_of_ours_left_is_no_second_owner(version, tmp_path):
    """pip renames a folder before it takes it away: `~ack_harness-...`."""
    ours = next(each for each in distributions() if each.name == "rack-harness")
    info = tmp_path / "lib" / f"~ack_harness-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rack-harness\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(ours.read_text("entry_points.txt"))
    for command in (("safe", "simulated", "--simulate"), ("check", "smoke"), ("plan", "list")):
        done = harness(tmp_path / "lib", *command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "added by" not in done.stderr


MISTAKES = {
    "a hyphen in the module": ("acme = acme-added:theirs", "", "is no module:attribute"),
    "a name that is none": (
        "acme = acme_added:several",
        "theirs.__class__({}, 1, P, print, '')",
        "is no name of a step",
    ),
    "no version": ("x = acme_added:x", 'step("x", version="1.2")(theirs.run)', "not a whole number"),
    "no parameters": ("x = acme_added:x", 'step("x", version=1)(print)', "takes its context and its parameters"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_package_of_steps_is_named_and_nobody_elses(mistake, tmp_path):
    entry, code, why = MISTAKES[mistake]
    source = (
        STEPS.replace("NAME", "acme") + f"def several(): return [{code}]\n" + (f"x = {code}\n" if "x" in entry else "")
    )
    package(tmp_path / "lib", "harness.steps", source)
    (tmp_path / "lib" / "acme.dist-info" / "entry_points.txt").write_text(f"[harness.steps]\n{entry}\n")
    done = harness(tmp_path / "lib", "schema", "plan", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = harness(tmp_path / "lib", "doctor", cwd=tmp_path)
    assert done.returncode == 3
    assert why in done.stdout
    assert "acme 1.0" in done.stdout


def test_what_a_package_prints_as_it_is_imported_is_no_answer(tmp_path):
    package(tmp_path / "lib", "harness.steps", "print('hello')\n" + STEPS.replace("NAME", "acme"))
    (tmp_path / "lib" / "acme.dist-info" / "entry_points.txt").write_text("[harness.steps]\nacme = acme_added:theirs\n")
    done = harness(tmp_path / "lib", "schema", "plan", cwd=tmp_path)
    assert json.loads(done.stdout)
    assert "hello" in done.stderr


def test_a_plan_of_a_package_that_cannot_be_read_takes_no_other_with_it(tmp_path):
    package(tmp_path / "lib", "harness.plans", ROOT, files={"odd.yaml": "schema: [\n"})
    done = harness(tmp_path / "lib", "plan", "list", cwd=tmp_path)
    assert done.returncode == 0
    assert re.search(r"^odd +cannot be used: ", done.stdout, re.MULTILINE)
    assert "smoke" in done.stdout


def test_the_record_says_whose_step_it_was(tmp_path):
    package(tmp_path / "lib", "harness.steps", STEPS.replace("NAME", "acme"))
    (tmp_path / "lib" / "acme.dist-info" / "entry_points.txt").write_text("[harness.steps]\nacme = acme_added:theirs\n")
    (tmp_path / "own.yaml").write_text("schema: 1\nplan: x\nsteps:\n  - {step: acme}\n")
    done = harness(tmp_path / "lib", "run", "own.yaml", "--simulate", "--virtual", cwd=tmp_path)
    assert done.returncode == 7, "it measures nothing"
    (result,) = (tmp_path / "data").glob("runs/*/result.json")
    assert [step["package"] for step in json.loads(result.read_text())["steps"]] == ["acme 1.0"]
    report = harness(tmp_path / "lib", "report", "last", cwd=tmp_path)
    assert "[acme: acme 1.0]" in report.stdout


@pytest.mark.parametrize(
    "listed", [b"[console_scripts]\nfoo\n", b"[harness.steps]\nfo\xff = foo:bar\n"], ids=["no name", "no UTF-8"]
)
def test_a_package_whose_entry_points_cannot_be_read_is_named_and_stops_nobody(listed, tmp_path):
    lib = tmp_path / "lib"
    info = lib / "unrelated-2.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: unrelated\nVersion: 2.0\n")
    (info / "entry_points.txt").write_bytes(listed)
    for command in (("safe", "simulated", "--simulate"), ("check", "smoke"), ("profile", "list"), ("plan", "list")):
        done = harness(lib, *command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    done = harness(lib, "doctor", cwd=tmp_path)
    assert "unrelated 2.0" in done.stdout + done.stderr


def test_cases_beside_the_profile_of_a_package_are_run_with_ours(tmp_path):
    """A case of theirs that does not hold is reported with its place, by the contract test of a checkout."""
    expected = "what: w\nsource: a test\nreads: {phase[1].current: 1 A}\n"
    walk = ".1.3.6.1.2.1.1.2.0 = OID: .1.3.6.1.4.1.318.1.3.4.6\n"
    files = {
        "pdu/acme_one/profile.yaml": PROFILE.replace("profile: pdu/apc_rpdu2", "profile: pdu/acme_one"),
        "pdu/acme_one/cases/theirs/walk.txt": walk,
        "pdu/acme_one/cases/theirs/expected.yaml": expected.replace("phase[1].current", '"phase[1].current"'),
    }
    package(tmp_path / "lib", "harness.drivers", ROOT, files=files)
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/contract/test_cases.py", "-k", "acme or floor-relay"],
        env={**environment(tmp_path / "data"), "PYTHONPATH": str(tmp_path / "lib")},
        cwd=root, timeout=100, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "theirs/expected.yaml:1:1: HX-1206 the device is refused, but must be let in" in ran.stdout
    assert "1 failed, 1 passed" in ran.stdout


def test_a_case_beside_a_profile_of_a_package_that_lies_wrong_is_found(tmp_path):
    wrong = ("cases/expected.yaml", "case/theirs/expected.yaml", "cases/expected/deep/expected.yaml")
    files = {"pdu/acme_one/profile.yaml": PROFILE.replace("profile: pdu/apc_rpdu2", "profile: pdu/acme_one")}
    package(tmp_path / "lib", "harness.drivers", ROOT, files=files | {f"pdu/acme_one/{name}": "x\n" for name in wrong})
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", "from tests.cases import strays\nprint(*strays(), sep='\\n')"],
        env={**environment(tmp_path / "data"), "PYTHONPATH": str(tmp_path / "lib")},
        cwd=root, timeout=100, text=True, capture_output=True, check=True,
    )  # fmt: skip
    found = [line.partition("acme_one/")[2] for line in ran.stdout.splitlines()]
    assert sorted(found) == sorted(wrong)


def test_a_function_may_return_several_steps(tmp_path):
    """Its entry point has another name than its attribute; a name of its that is taken is nobody's, as any other."""
    source = STEPS.replace("NAME", "measure") + "def several(): return [theirs]\n"
    package(tmp_path / "lib", "harness.steps", source)
    points = tmp_path / "lib" / "acme.dist-info" / "entry_points.txt"
    points.write_text("[harness.steps]\nacme = acme_added:several\n")
    done = harness(tmp_path / "lib", "check", plan(tmp_path), cwd=tmp_path)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "HX-1351" in line]
    assert "acme 1.0" in line
    assert "rack-harness" in line
    (tmp_path / "lib" / "acme_added.py").write_text(source.replace('"measure"', '"theirs"'))
    (tmp_path / "own.yaml").write_text("schema: 1\nplan: x\nsteps:\n  - {step: theirs}\n")
    done = harness(tmp_path / "lib", "check", "own.yaml", "--station", "simulated", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
