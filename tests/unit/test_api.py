"""The facade is exactly what it says, and the import contracts speak of every part of the harness."""

from __future__ import annotations

import inspect
import pkgutil
import tomllib
import types
from pathlib import Path

import harness
from harness import api, errors

ROOT = Path(__file__).parents[2]


def parts():
    return {f"harness.{module.name}" for module in pkgutil.iter_modules(harness.__path__)}


def contracts():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    return {contract["name"]: contract for contract in tool["contracts"]}


def test_the_public_names_are_exactly_all_of_them_in_order():
    public = {
        name
        for name, value in vars(api).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    } - {"annotations", "Any", "TYPE_CHECKING"}
    later = set(harness.__all__) - {"__version__"}
    assert public | later == set(api.__all__)
    assert [name for name in sorted(later) if getattr(api, name) is not getattr(harness, name)] == []
    assert api.__all__ == sorted(api.__all__)


def test_every_error_of_the_harness_can_be_caught_through_the_facade():
    kinds = {
        name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, BaseException)
    }
    assert kinds <= set(api.__all__)


def test_drivers_are_kept_from_everything_but_the_facade():
    contract = contracts()["Drivers see the facade only"]
    assert set(contract["forbidden_modules"]) == parts() - {"harness.api"} | {"sim", "testplans"}
    contract = contracts()["Steps use the facade, as those of others do"]
    assert set(contract["forbidden_modules"]) == parts() - {"harness.api", "harness.steps", "harness.analysis"}


def test_the_contracts_that_hold_the_architecture_are_there():
    assert set(contracts()) >= {
        "Imports go one way",
        "The harness knows neither its drivers nor its simulator",
        "Drivers see the facade only",
        "The simulator shares no codec with the client",
        "The guardian stays small: it knows nothing of runs, files, records and pages",
    }
