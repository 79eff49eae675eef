"""Profiles that extend another: what is merged, what is told, what a record holds of it."""

from __future__ import annotations

import pytest

from harness.device.registry import ancestors, known_profiles, load_profile, merged
from harness.schema.problems import ProblemsError

BASE = """\
schema: 1
profile: base.yaml
title: Base
class: switch
protocol: snmp
source: a standard
unverified: made up
signals:
  name: {oid: 1.3.6.1.2.1.1.5.0, type: text, poll: once, description: Name.}
  uptime: {oid: 1.3.6.1.2.1.1.3.0, unit: s, scale: 0.01, description: Uptime.}
"""


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)


def child(body, base="base.yaml"):
    return f"schema: 1\nprofile: child.yaml\nextends: {base}\n{body}"


def test_mappings_are_merged_and_null_takes_away(tmp_path):
    write(
        tmp_path,
        base=BASE,
        child=child("title: Child\nsignals:\n  uptime: null\n  name: {description: Its name.}\n"
                    "  extra: {oid: 1.3.6.1.2.1.1.7.0, description: Services.}\n"),
    )  # fmt: skip
    profile, source = load_profile(tmp_path / "child.yaml")
    assert profile.title == "Child"
    assert list(profile.signals) == ["name", "extra"]
    assert profile.signals["name"].oid == "1.3.6.1.2.1.1.5.0"
    assert profile.signals["name"].description == "Its name."
    assert source.path == tmp_path / "child.yaml"
    assert ancestors(tmp_path / "child.yaml", load_profile(tmp_path / "child.yaml")[1]) == {
        "base.yaml": tmp_path / "base.yaml"
    }


def test_lists_and_scalars_are_replaced():
    assert merged({"a": [1, 2], "b": {"c": 1, "d": 2}}, {"a": [3], "b": {"d": None, "e": 4}}) == {
        "a": [3],
        "b": {"c": 1, "e": 4},
    }


def test_a_mistake_is_told_where_it_stands(tmp_path):
    write(tmp_path, base=BASE, child=child("signals:\n  uptime: {unit: parsec}\n"))
    with pytest.raises(ProblemsError) as caught:
        load_profile(tmp_path / "child.yaml")
    (problem,) = caught.value.problems
    assert (problem.file.endswith("child.yaml"), problem.line) == (True, 5)
    write(tmp_path, base=BASE.replace("unit: s,", "unit: parsec,"), child=child("title: Child\n"))
    with pytest.raises(ProblemsError) as caught:
        load_profile(tmp_path / "child.yaml")
    assert caught.value.problems[0].file.endswith("base.yaml")


@pytest.mark.parametrize("base", ["nothing.yaml", "child.yaml"])
def test_what_does_not_exist_or_goes_round_is_refused(base, tmp_path):
    write(tmp_path, base=BASE, child=child("title: Child\n", base))
    with pytest.raises(ProblemsError) as caught:
        load_profile(tmp_path / "child.yaml")
    assert "extend" in str(caught.value.problems[0]) or "nothing" in str(caught.value.problems[0])


def test_variants_of_the_switch_have_all_of_it():
    generic = load_profile(known_profiles()["switch/generic"])[0]
    for name in ("arista_eos", "cumulus", "sonic", "cisco_nxos"):
        variant = load_profile(known_profiles()[f"switch/{name}"])[0]
        assert set(generic.repeat["port"].signals) <= set(variant.repeat["port"].signals)
        assert "bit error rate before FEC" in variant.signals["description"].description
