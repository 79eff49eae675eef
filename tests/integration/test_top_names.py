"""`harness doctor` says when a top-level name of the installation is not ours alone; see ADR 17."""

from __future__ import annotations

import subprocess

import pytest

from tests.integration.installed import build_ours, clean_environment, environment_with, install, uninstall, wheel_of

NAMES = "harness, drivers, sim, testplans"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_ours(tmp_path_factory.mktemp("ours"))


@pytest.fixture
def machine(wheel, tmp_path):
    """The commands of an environment with our wheel, and the folder of its packages."""
    commands = environment_with(tmp_path / "venv", wheel)
    (site,) = commands.parent.glob("lib/python*/site-packages")
    return commands, site


def doctor(commands, **env):
    """(exit code, the lines about top-level names) of `harness doctor`."""
    env = clean_environment(HARNESS_DATA=str(commands.parent / "data"), **env)
    done = subprocess.run([commands / "harness", "doctor"], env=env, capture_output=True, text=True, check=False)
    return done.returncode, [line for line in done.stdout.splitlines() if "top-level name" in line]


def test_a_folder_or_a_module_that_is_found_first_is_named_and_not_imported(machine, tmp_path):
    commands, site = machine
    fine = (0, [f"ok    top-level names {NAMES} in {site}"])
    assert doctor(commands) == fine
    for number, module in enumerate(["testplans/__init__.py", "testplans.py"]):
        early = tmp_path / f"early{number}"
        (early / module).parent.mkdir(parents=True)
        (early / module).write_text("")
        code, (line,) = doctor(commands, PYTHONPATH=str(early))
        assert code == 3
        assert line.startswith(f"WRONG the top-level name testplans is found at {early / module}, not in {site}: ")
    (tmp_path / "bare" / "drivers").mkdir(parents=True)  # without __init__.py a folder hides no package
    assert doctor(commands, PYTHONPATH=str(tmp_path / "bare")) == fine


def test_another_distribution_with_files_under_a_name_of_ours_is_named(machine, tmp_path):
    commands, _ = machine
    install(commands, wheel_of(tmp_path, "acme_plans", {"testplans/extra.py": ""}, ""))
    code, (line,) = doctor(commands)
    assert code == 3
    assert line.startswith(
        "WRONG the top-level name testplans is installed by acme_plans 1.0, too: have rack-harness in"
    )
    uninstall(commands, "acme_plans")
    assert doctor(commands)[0] == 0


def test_pip_writes_over_ours_without_a_word_and_takes_it_away_with_theirs(machine, tmp_path):
    commands, site = machine
    install(commands, wheel_of(tmp_path, "acme_sim", {"sim/__init__.py": "WHOSE = 'acme'\n"}, ""))
    assert (site / "sim" / "__init__.py").read_text() == "WHOSE = 'acme'\n"
    code, (line,) = doctor(commands)
    assert code == 3
    assert line.startswith("WRONG the top-level name sim is installed by acme_sim 1.0, too: ")
    uninstall(commands, "acme_sim")
    code, (line,) = doctor(commands)
    assert code == 3
    assert line.startswith(f"WRONG the top-level name sim is found nowhere, not in {site}: ")
