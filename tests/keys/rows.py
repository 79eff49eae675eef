"""One row a key: a small valid file, the change of that key alone, and what somebody outside sees of it.

```
 Row("scale", 0.5, value("x"), before=1000, after=500)      in a Table of ModbusSignal, at profile/signals/x
```

The file is parsed, changed as data and written again; the bench makes something of it (a device over its wire, a run,
a command) and gives back what was seen. `sees` picks the part that the key is about. A row is true only if the key at
its place belongs to the model of its table, if the file without the change is seen as `before`, and with it as `after`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from harness.schema.source import parse_source
from tests.keys.models import ABSENT, at, model_of

Files = dict[str, Any]
"""Name of a file (`profile`, `plan`, `station`) or of something else that a bench takes -> its data."""
Bench = Callable[[Path, Files], Any]


@dataclass(frozen=True)
class Row:
    """A key of the table's model, what it is changed to, and what is seen `before` and `after`.

    `given` (place: value) holds in both. `at` is where the model stands, when not where the table says.
    """

    key: str
    value: Any
    sees: Callable[[Any], Any]
    before: Any
    after: Any
    given: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""


@dataclass(frozen=True)
class Table:
    """The rows of one model, which stands at `place` of the files (YAML text by name)."""

    model: type[BaseModel]
    place: str
    files: Mapping[str, str]
    bench: Bench
    rows: Iterable[Row]

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))


@dataclass(frozen=True)
class Case:
    """One row of one table."""

    table: Table
    row: Row

    @property
    def name(self) -> str:
        """`ModbusSignal.scale`."""
        return f"{self.table.model.__name__}.{self.row.key}"

    def check(self, make_folder: Callable[[], Path]) -> None:
        """Fail unless the key changes what is seen, from `before` to `after`."""
        row = self.row
        files = {name: parsed(text) for name, text in self.table.files.items()}
        for place, value in row.given.items():
            files = changed(files, place, value)
        place = row.at or self.table.place
        assert model_of(files, place, row.key) is self.table.model, f"{place} is no {self.table.model.__name__}"
        assert row.key in keys_of(self.table.model), f"{self.name} is no key"
        before = row.sees(seen_before(self.table.bench, json.dumps(files), make_folder))
        assert before == row.before, f"{self.name}: without the change {before!r} is seen, not {row.before!r}"
        after = row.sees(self.table.bench(make_folder(), changed(files, f"{place}/{row.key}", row.value)))
        assert after == row.after, f"{self.name}: with {row.value!r} there is {after!r}, not {row.after!r}"
        assert before != after, f"{self.name} changes nothing: {before!r}"


def keys_of(model: type[BaseModel]) -> dict[str, str]:
    """The keys of a model as a file writes them: the name of the field."""
    return {info.alias or name: name for name, info in model.model_fields.items()}


def cases(tables: Iterable[Table]) -> list[Case]:
    """Every row of the tables."""
    return [Case(table, row) for table in tables for row in table.rows]


def every_row(tables: Iterable[Table]) -> pytest.MarkDecorator:
    """Parametrise a test over all rows."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases(tables)])


@cache
def parsed(text: str) -> Any:
    """The data of a YAML text, by the rules of the harness; never to be changed."""
    source = parse_source(text.encode(), "base.yaml")
    source.check()
    return source.data


def changed(files: Files, place: str, value: Any) -> Files:
    """A copy in which the value at `file/key/0/key` is another one, or is not there (ABSENT)."""
    found = copy.deepcopy(files)
    *way, last = place.split("/")
    holder = at(found, way, make=True)
    if isinstance(holder, list):
        holder.append(value) if int(last) == len(holder) else holder.__setitem__(int(last), value)
    elif value is ABSENT:
        holder.pop(last, None)
    else:
        holder[last] = copy.deepcopy(value)
    return found


_SEEN: dict[tuple[Bench, str], Any] = {}


def seen_before(bench: Bench, files: str, make_folder: Callable[[], Path]) -> Any:
    """What comes of the files without a change: many rows begin with the same."""
    key = (bench, files)
    if key not in _SEEN:
        _SEEN[key] = bench(make_folder(), json.loads(files))
    return _SEEN[key]


def written(folder: Path, files: Files, *names: str) -> list[Path]:
    """Write some of the files (JSON is YAML 1.2) and give their paths."""
    paths = [folder / f"{name}.yaml" for name in names]
    for name, path in zip(names, paths, strict=True):
        path.write_text(json.dumps(files[name], ensure_ascii=False))
        path.chmod(0o600)
    return paths


class Has:
    """Equal to every text that has these parts; for words that are long."""

    def __init__(self, *parts: str) -> None:
        self.parts = parts

    def __eq__(self, other: object) -> bool:
        return all(part in str(other) for part in self.parts)

    def __hash__(self) -> int:
        return hash(self.parts)

    def __repr__(self) -> str:
        return f"Has{self.parts}"
