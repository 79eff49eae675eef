"""Files of an older version, and keys that are gone: `harness migrate` changes those and leaves every other byte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import pytest
from click.testing import CliRunner, Result
from pydantic import BaseModel, Field

from harness.cli.commands.schema import make_schema
from harness.cli.main import cli
from harness.schema import versions
from harness.schema.problems import ProblemsError
from harness.schema.source import parse_source, validate

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted(str(path) for path in [*ROOT.glob("drivers/**/profile.yaml"), *ROOT.glob("testplans/**/*.yaml")])
PLAN = """\
# what it is for: ünïcode
schema: 1     # the version
plan:   pause     # a word of ours
steps:
    - {step: hold,  for: 3 s}
"""
OLD = """\
schema: 1
profile: load/acme
title: Acme
class: load
protocol: scpi
source: a test
unverified: a test
scpi:   # how it speaks
  terminator: "\\n"
  greeting: ""
signals:
  # wet or not
  leak: {unit: "",  sticky: true, query: "LEAK?"}
  last: {query: "LAST?",
         sticky: true}
  sticky: {query: "STICKY?"}     # this is a signal's name
  latched:
    query: "LATCHED?"
    sticky: true   # until somebody clears it
    description: a word
controls:
  kept:
    wear: eeprom
"""
NEW = """\
schema: 1
profile: load/acme
title: Acme
class: load
protocol: scpi
source: a test
unverified: a test
scpi:   # how it speaks
  greeting: ""
signals:
  # wet or not
  leak: {unit: "",  query: "LEAK?"}
  last: {query: "LAST?"}
  sticky: {query: "STICKY?"}     # this is a signal's name
  latched:
    query: "LATCHED?"
    description: a word
controls:
  kept:
    {}
"""


def migrate(*words: object) -> Result:
    return CliRunner().invoke(cli, ["migrate", *map(str, words)])


def write(folder: Path, text: str, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A version 3 of plans: 2 has another word, 3 another comment."""
    steps = (lambda text: text.replace("for:", "lasts:"), lambda text: text.replace("of ours", "of theirs"))
    monkeypatch.setitem(versions.MIGRATIONS, "plan", steps)


def said_versions(part: Any) -> set[int]:
    """What the models of a kind of file take as its `schema`."""
    if isinstance(part, list):
        return set().union(*map(said_versions, part))
    if not isinstance(part, dict):
        return set()
    own = part.get("properties", {}).get("schema", {})
    return set().union(*map(said_versions, part.values())) | ({own["const"]} if "const" in own else set())


def test_every_version_is_that_of_its_models():
    kinds = {kind: make_schema(kind.replace("limit_set", "limits")) for kind in versions.MIGRATIONS}
    assert {kind: said_versions(schema) for kind, schema in kinds.items()} == {
        kind: {versions.current(kind)} for kind in versions.MIGRATIONS
    }


def test_every_file_that_ships_is_current_and_has_no_key_that_is_gone():
    assert len(SHIPPED) > 50
    done = migrate(*SHIPPED)
    assert done.exit_code == 0, done.output
    assert [line for line in done.stdout.splitlines() if not line.endswith(" of schema 1, current")] == []


def test_keys_that_are_gone_are_taken_out_and_nothing_else(tmp_path):
    path = write(tmp_path, OLD)
    checked = CliRunner().invoke(cli, ["check", str(path)])
    assert checked.exit_code == 2
    gone = [line for line in checked.stderr.splitlines() if "it did nothing and is gone, see `harness migrate`" in line]
    assert [line.partition(": ")[0].removeprefix(f"{path}:") for line in gone] == [
        "9:3", "13:21", "15:10", "19:5", "23:5",
    ]  # fmt: skip
    done = migrate("--write", path)
    assert done.exit_code == 0, done.output
    assert path.read_text() == NEW
    assert (tmp_path / "file.yaml.orig").read_text() == OLD


HEAD = "schema: 1\nprofile: load/acme\nprotocol: scpi\n"
SHAPES = {
    "nothing": "scpi:\n  terminator:\n  greeting: ''\n",
    "nothing, last": "scpi:\n  greeting: ''\n  terminator:\nsource: x\n",
    "nothing, alone": "scpi:\n  terminator:\nsource: x\n",
    "all keys": "controls:\n  a:\n    wear: x\n    # more\n    wear_: y\nsource: x\n",
    "literal": "scpi:\n  terminator: |\n    x\n\n    # y\n  greeting: ''\n",
    "folded, last": "scpi:\n  greeting: ''\n  terminator: >-\n    x\n    y\n# of signals\nsignals: {}\n",
    "folded, alone": "scpi:\n  terminator: >-\n    x\n    y\nsignals: {}\n",
    "list": "scpi:\n  terminator:\n  - 1\n  # two\n  - 2\n\n  # hello\n  greeting: ''\n",
    "mapping": "scpi:\n  terminator:\n    a: 1\n    b:\n      - 2\n  greeting: ''\n",
    "in brackets": "scpi: {terminator: , greeting: ''}\n",
    "in brackets, over lines": "scpi:\n  greeting: ''\n  terminator: [1,\n    2]   # two\nsource: x\n",
    "text over lines": "scpi:\n  terminator: one\n    two\n  greeting: ''\n",
    "end of file": "scpi:\n  greeting: ''\n  terminator: >-\n    x",
    "two of them": "signals:\n  a:\n    sticky: true\n  b:\n    sticky:\n    query: x\n",
}


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("shape", SHAPES)
def test_whatever_form_a_key_has_it_goes_alone(shape, ends, tmp_path):
    """The judge is the data: what is left is what was there without the keys; and every comment that is not theirs."""
    text = (HEAD + SHAPES[shape]).replace("\n", ends)
    path = write(tmp_path, text)
    done = migrate("--write", path)
    assert done.exit_code == 0, done.output
    assert data_of(path) == less(parse_source(text.encode(), "old").data, ())
    kept = [line for line in text.splitlines() if line.lstrip() in ("# of signals", "# hello", "# more")]
    assert [line for line in path.read_text().splitlines() if line.lstrip().startswith("#")] == kept


def data_of(path: Path) -> Any:
    source = parse_source(path.read_bytes(), path.name)
    source.check()
    return source.data


def less(data: Any, loc: tuple[str, ...]) -> Any:
    if not isinstance(data, dict):
        return data
    kept = {key: value for key, value in data.items() if not versions.is_retired("profile", (*loc, key))}
    return {key: less(value, (*loc, key)) for key, value in kept.items()}


def test_what_cannot_be_cut_out_alone_is_left_to_a_hand(tmp_path, monkeypatch):
    monkeypatch.setitem(versions.RETIRED, "profile", (("scpi", "a"),))
    text = HEAD + "scpi: {? a\n  : 1, b: 2}\n"
    path = write(tmp_path, text)
    done = migrate("--write", path)
    if done.exit_code == 0:
        assert data_of(path)["scpi"] == {"b": 2}
    else:
        assert done.exit_code == 2
        assert "file.yaml:4:10: HX-1209 scpi.a did nothing and is gone, and cannot be cut out here alone" in done.stderr
        assert path.read_text() == text


def test_line_ends_and_a_missing_last_one_stay(tmp_path):
    for number, (old, new) in enumerate(
        [(OLD.replace("\n", "\r\n"), NEW.replace("\n", "\r\n")), (OLD.rstrip("\n"), NEW.rstrip("\n"))]
    ):
        path = write(tmp_path, old, f"{number}.yaml")
        assert migrate("--write", path).exit_code == 0
        assert path.read_bytes().decode() == new


def test_without_write_the_change_is_shown_and_nothing_is_touched(tmp_path, second):
    path = write(tmp_path, PLAN)
    done = migrate(path)
    assert done.exit_code == 0
    assert "-    - {step: hold,  for: 3 s}\n+    - {step: hold,  lasts: 3 s}\n" in done.stdout
    assert f"{path}: plan of schema 1, not written, --write does it" in done.stdout
    assert path.read_text() == PLAN
    assert os.listdir(tmp_path) == ["file.yaml"]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_step_from_the_version_of_the_file_on_is_made_in_order(version, tmp_path, second):
    path = write(tmp_path, PLAN.replace("schema: 1", f"schema: {version}"))
    path.chmod(0o604)
    done = migrate("--write", path)
    assert done.exit_code == 0, done.output
    expected = PLAN.replace("for:", "lasts:") if version < 2 else PLAN
    expected = expected.replace("ours", "theirs") if version < 3 else expected
    assert path.read_text() == expected.replace("schema: 1", "schema: 3")
    kept = tmp_path / "file.yaml.orig"
    assert kept.exists() == (version < 3)
    assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o604}
    again = migrate("--write", path)
    assert (again.exit_code, again.stdout) == (0, f"{path}: plan of schema 3, current\n")


def test_an_original_is_not_written_over_and_then_no_file_is_changed(tmp_path, second):
    first, path = write(tmp_path, PLAN, "first.yaml"), write(tmp_path, PLAN)
    kept = write(tmp_path, "mine", "file.yaml.orig")
    done = migrate("--write", first, path)
    assert done.exit_code == 2
    assert "file.yaml.orig is there already" in done.stderr
    assert (first.read_text(), path.read_text(), kept.read_text()) == (PLAN, PLAN, "mine")


def test_a_link_stays_one_and_the_file_behind_it_is_changed(tmp_path, second):
    path = write(tmp_path, PLAN)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    assert migrate("--write", link).exit_code == 0
    assert link.is_symlink()
    assert "lasts" in path.read_text()
    assert (tmp_path / "file.yaml.orig").read_text() == PLAN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (PLAN.replace("schema: 1", "schema: 7"), ":2:9: HX-1209 this file is of schema 7, this harness reads 1"),
        (PLAN.replace("schema: 1", "schema: one"), ":2:9: HX-1209 the file says no version"),
        (PLAN.replace("schema: 1 ", "schema: 0 "), ":2:9: HX-1209 the file says no version"),
        (PLAN.replace("schema: 1", "scheme: 1"), ":2:1: HX-1209 the file says no version"),
        ("schema: 1\nrecipe: x\n", ":1:1: HX-1204 not a plan, sequence, parameter file, station, profile or limit set"),
        (PLAN.replace("hold", "&a hold"), ":5:14: HX-1103"),
        ("a: [", ": HX-1101"),
    ],
)  # fmt: skip
def test_what_cannot_be_migrated_is_one_line_with_its_place(text, said, tmp_path):
    path, fine = write(tmp_path, text), write(tmp_path, OLD, "fine.yaml")
    done = migrate("--write", path, fine)
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(str(path))
    assert said in line
    assert (path.read_text(), fine.read_text()) == (text, OLD)


def test_other_commands_name_the_version_and_what_to_do(tmp_path):
    path = write(tmp_path, PLAN.replace("schema: 1", "schema: 2"))
    for words in (["check", str(path)], ["run", str(path), "--simulate", "--virtual"]):
        done = CliRunner().invoke(cli, words, env={"HARNESS_DATA": str(tmp_path)})
        assert done.exit_code == 2
        assert (
            done.stderr
            == f"{path}:2:9: HX-1209 this file is of schema 2, this harness reads 1, a newer harness reads it\n"
        )

    class Later(BaseModel):
        schema_version: Literal[2] = Field(alias="schema")

    with pytest.raises(ProblemsError, match=r"1:9: HX-1209 .* schema 1, this harness reads 2, see `harness migrate`"):
        validate(parse_source(b"schema: 1\n", "plan.yaml"), Later)
