"""One plan for several classes of racks: a file of parameters and a limit set make the difference, from one base."""

from __future__ import annotations

import pytest

import harness
from harness.project.plan import load_project
from harness.project.station import load_station
from tests.plan_runs import PLANS, STATION

LINE = PLANS / "stations" / "classes.yaml"
CLASSES = ["nvl72", "rack_30kw", "rack_60kw", "rack_250kw", "rack_600kw"]
OTHERS = ["30kw", "60kw", "250kw", "600kw"]


def limits_of(name, tmp_path):
    """The limits that a limit set comes to."""
    for part in ("base", name):
        (tmp_path / f"{part}.yaml").write_text((PLANS / "limits" / f"{part}.yaml").read_text())
    plan = tmp_path / "plan.yaml"
    plan.write_text(f"schema: 1\nplan: p\nlimits: {name}.yaml\nsteps: [{{step: hold, for: 1 s}}]\n")
    return load_project(plan, load_station(STATION)).limits


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_has_every_limit_and_most_from_the_base(name, tmp_path):
    limits = limits_of(name, tmp_path)
    assert limits.keys() == limits_of("nvl72", tmp_path).keys()
    assert sum(each.source.startswith("base ") for each in limits.values()) > len(limits) / 2


def run(plan, kind, folder, seed):
    """The outcome of a plan on the bay of a class, with the class's parameters, in virtual time."""
    name = f"rack_{kind}.yaml" if plan == "acceptance" else f"smoke_{kind}.yaml"
    station, sku = f"{LINE}@rack-{kind}", PLANS / "skus" / name
    project = load_project(PLANS / f"{plan}.yaml", load_station(station), sku=sku)
    values = {name: project.parameters[name] for name in project.replaced}
    with harness.Rack(station, simulate=True, virtual=True, seed=seed) as rack:
        outcome = rack.run(PLANS / f"{plan}.yaml", serial="RACK-1", data=folder, parameters=values)
    return outcome, project.engineering


@pytest.mark.parametrize(("kind", "seed"), [("30kw", 71), ("60kw", 72), ("250kw", 73), ("600kw", 2)])
def test_a_rack_of_another_class_is_accepted_with_its_parameters(kind, seed, tmp_path):
    """From 132 kW on it has the plan's certificate; the flows of smaller racks are below what the plan may certify."""
    outcome, engineering = run("acceptance", kind, tmp_path, seed)
    assert outcome.verdict == "PASS", outcome.reason
    assert bool(engineering) == (kind in ("30kw", "60kw"))


@pytest.mark.parametrize("kind", OTHERS)
def test_a_rack_of_another_class_passes_the_smoke_test(kind, tmp_path):
    outcome, _ = run("smoke", kind, tmp_path, 75)
    assert outcome.verdict == "PASS", outcome.reason


def test_a_rack_with_the_limits_of_another_class_fails(tmp_path):
    """132 kW, where 250 kW were ordered: too much pressure for too little flow."""
    station = tmp_path / "classes.yaml"
    station.write_text(LINE.read_text().replace("{rack: 250kW,", "{rack: 132kW,"))
    sku = PLANS / "skus" / "rack_250kw.yaml"
    project = load_project(PLANS / "acceptance.yaml", load_station(f"{station}@rack-250kw"), sku=sku)
    values = {name: project.parameters[name] for name in project.replaced}
    with harness.Rack(f"{station}@rack-250kw", simulate=True, virtual=True, seed=76) as rack:
        outcome = rack.run(PLANS / "acceptance.yaml", serial="RACK-1", data=tmp_path, parameters=values)
    assert outcome.verdict == "FAIL", outcome.reason


def test_a_station_that_cannot_show_the_class_is_refused(tmp_path):
    """800 V and 12 kW are beyond what the shelf of this station can show."""
    with pytest.raises(harness.api.ProblemsError, match=r"shelf1\.output_voltage can show"):
        load_project(PLANS / "acceptance.yaml", load_station(STATION), sku=PLANS / "skus" / "rack_600kw.yaml")


def test_another_limit_set_is_no_certificate(tmp_path):
    settings = {"limits": "limits/power.yaml"}
    with pytest.raises(harness.api.ProblemsError):
        load_project(PLANS / "acceptance.yaml", load_station(STATION), settings)
    lower = load_project(PLANS / "acceptance.yaml", load_station(STATION), {"low_flow": "100 L/min"})
    assert lower.engineering == ("low_flow is 100 L/min, at least 155 L/min is needed",)
