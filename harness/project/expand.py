"""From the entries of a plan to the steps that are carried out: groups, passes, values and included files, in order.

Everything is laid out before anything is contacted, so all of it is checked, has a path of its own, and can be resumed.

```
 - repeat: 2                    steps/repeat/1/measure      pass 1 / measure
   steps: [{step: measure}]     steps/repeat/2/measure      pass 2 / measure
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.project.catalog import did_you_mean
from harness.project.checks.parts import validated
from harness.project.model import Group, StationProject, VerdictOf
from harness.project.when import Earliers, split_when
from harness.schema.conditions import Condition
from harness.schema.document import Loc, Origin, Source, value_at, with_value
from harness.schema.problems import Problems, ProblemsError, shown
from harness.schema.regular import is_regular
from harness.schema.sequence import (
    CONSTRUCTS,
    KINDS,
    MAX_DEPTH,
    MAX_STEPS,
    Conditional,
    Earlier,
    Entries,
    GroupEntry,
    IncludeEntry,
    OfParameter,
    ParallelEntry,
    RepeatEntry,
    RepeatUntil,
    SequenceFile,
    StepEntry,
    SweepEntry,
)
from harness.schema.source import read_source, substitute


@dataclass(frozen=True, slots=True)
class Laid:
    """One step as it is laid out: not checked yet."""

    section: str
    path: str
    title: str
    source: Source
    loc: Loc
    groups: tuple[Group, ...]
    entry: StepEntry
    needs: tuple[VerdictOf, ...] = ()


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where entries stand: in which file, with which values, inside what."""

    section: str
    source: Source
    values: Mapping[str, Any]
    local: frozenset[str] = frozenset()
    """Those of the values that are no parameters of the plan."""
    path: str = ""
    groups: tuple[Group, ...] = ()
    files: tuple[Path, ...] = ()
    """The files that include each other down to here."""

    def inside(self, group: Group, **values: Any) -> _Scope:
        """The scope in a group."""
        local = self.local | frozenset(values)
        joined = {**self.values, **values}
        return replace(self, path=group.path, groups=(*self.groups, group), values=joined, local=local)

    @property
    def title(self) -> str:
        """What the groups around add to a name."""
        return "".join(f"{group.title} / " for group in self.groups if group.title)


@dataclass(slots=True)
class Layout:
    """Lays out the sections of one plan."""

    on: StationProject
    base: Path
    """The plan's folder."""
    given: Mapping[str, Origin]
    found: Problems
    laid: list[Laid] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    unused_names: set[str] = field(default_factory=set)
    """Of steps and groups that a parameter leaves out."""
    _earlier: Earliers = field(default_factory=Earliers)
    _paths: set[str] = field(default_factory=set)
    _titles: set[str] = field(default_factory=set)
    _is_full: bool = False

    def section(self, name: str, source: Source, values: Mapping[str, Any]) -> None:
        """Lay out one section of the plan."""
        files = (source.path.resolve(),) if source.path is not None else ()
        self._entries(_Scope(name, source, values, path=name, files=files), (name,))

    def _entries(self, scope: _Scope, loc: Loc, only: int | None = None) -> None:
        entries = value_at(scope.source.data, loc)
        for index, raw in enumerate(entries if isinstance(entries, list) else []):
            if only not in (None, index):
                continue
            kinds = [each for each in KINDS if isinstance(raw, dict) and each in raw]
            if kinds == ["step"]:
                self._step(scope, (*loc, index))
            elif len(kinds) == 1:
                self._construct(kinds[0], scope, (*loc, index))
            elif len(loc) > 1:  # on the first level the model of the file says it
                message = f"this is {' and '.join(kinds)} at once" if kinds else "this is no step"
                hint = f"an entry has one of {', '.join(KINDS)}"
                self.found.add(scope.source.problem((*loc, index), "HX-1353", message, hint))

    # ---- one entry

    def _filled(self, scope: _Scope, loc: Loc, *leaving: str) -> Source:
        """The file with the values that parameters have at a place."""
        source, _ = substitute(scope.source, scope.values, self.given, local=scope.local, under=loc, leaving=leaving)
        self.used.update(source.parameters.values())
        return source

    def _step(self, scope: _Scope, loc: Loc) -> None:
        if self._is_full:
            return
        source = self._filled(scope, loc)
        entry = validated(self.found, source, StepEntry, loc)
        if entry is None:
            return
        path, title = self._name(scope, entry.name, entry.title, source, loc)
        if (needs := self._needs(scope, entry, source, loc, path, title)) is None:
            return
        self._lay(Laid(scope.section, path, title, source, loc, scope.groups, entry, needs))

    def _lay(self, step: Laid) -> None:
        self.laid.append(step)
        self._earlier.add(step.path, step.title, step.section)
        if len(self.laid) > MAX_STEPS and not self._is_full:
            self._is_full = True
            message = f"with every pass and value counted the plan has more than {MAX_STEPS} steps"
            self.found.add(step.source.problem(step.loc, "HX-1353", message))

    def _name(self, scope: _Scope, name: str, title: str, source: Source, loc: Loc) -> tuple[str, str]:
        """(path, title) of an entry; entries of one list that bear no name are told apart by number."""
        whole = scope.title + title
        if name and whole in self._titles:
            message = f"two steps bear the name {whole!r}; the record needs different names"
            self.found.add(source.problem((*loc, "name"), "HX-1354", message))
        if name:
            self._titles.add(whole)
        return self._free(f"{scope.path}/{title.replace('/', '_')}"), whole

    def _free(self, path: str) -> str:
        """The path, with a number where it is taken: nothing else in the plan has it."""
        found, count = path, 1
        while found in self._paths:
            count += 1
            found = f"{path}[{count}]"
        self._paths.add(found)
        return found

    def _needs(
        self, scope: _Scope, entry: Conditional, source: Source, loc: Loc, path: str, title: str
    ) -> tuple[VerdictOf, ...] | None:
        """What earlier steps must have come to; None when a parameter leaves the entry out."""
        conditions, place = entry.conditions, (*loc, "when")
        if scope.section == "cleanup" and (wrong := _only_in_a_run(entry)):
            message = f"cleanup comes when the run is over: {wrong} has no place there"
            self.found.add(source.problem(loc, "HX-1353", message, "write the steps one after the other"))
        if not scope.files[1:]:  # an included file has parameters of its own
            self.used.update(each.parameter for each in conditions if isinstance(each, OfParameter))
        needs, why = split_when(conditions, scope.values, scope.path, self._earlier, source, place, self.found)
        if why:
            self.left_out[path] = why
            self._earlier.add(path, title, scope.section)
            self.unused_names |= {title, path.rpartition("/")[2]}
            return None
        return needs

    # ---- constructs

    def _construct(self, kind: str, scope: _Scope, loc: Loc) -> None:
        if self._is_full:
            return
        source = self._filled(scope, loc, "steps")
        entry = validated(self.found, source, CONSTRUCTS[kind], loc)
        if entry is None:
            return
        if sum(group.kind in CONSTRUCTS for group in scope.groups) >= MAX_DEPTH:
            self.found.add(source.problem(loc, "HX-1353", f"constructs stand more than {MAX_DEPTH} deep in each other"))
            return
        name = getattr(entry, kind) if isinstance(entry, GroupEntry | ParallelEntry) else entry.name
        path, title = self._name(scope, name, name or kind, source, loc)
        if (needs := self._needs(scope, entry, source, loc, path, title)) is None:
            return
        group = Group(kind, name, path, needs)
        inside = replace(scope.inside(group), source=source)
        if isinstance(entry, IncludeEntry):
            self._include(entry, inside, loc)
        elif isinstance(entry, RepeatEntry):
            self._repeat(entry, inside, loc)
        elif isinstance(entry, SweepEntry):
            self._sweep(entry, inside, loc)
        elif isinstance(entry, ParallelEntry):
            self._parallel(entry, inside, loc)
        else:
            self._entries(inside, (*loc, "steps"))
        self._earlier.add(path, title, scope.section)

    def _pass(self, scope: _Scope, kind: str, part: str, title: str, unless: Any = None) -> _Scope:
        """The scope of one pass, value or branch; its title takes the place of the construct's."""
        outer = scope.groups[-1]
        named = replace(scope, groups=(*scope.groups[:-1], replace(outer, title="")))
        path = self._free(f"{outer.path}/{part.replace('/', '_')}")
        return named.inside(Group(kind, title, path, unless=unless))

    def _repeat(self, entry: RepeatEntry, scope: _Scope, loc: Loc) -> None:
        rule = entry.repeat
        count, until = (rule.at_most, rule.until) if isinstance(rule, RepeatUntil) else (rule, None)
        name = scope.groups[-1].title or "pass"
        ends: Condition | VerdictOf | None = None
        for number in range(1, count + 1):
            inside = self._pass(scope, "pass", str(number), f"{name} {number}", ends)
            self._entries(inside, (*loc, "steps"))
            if until is not None:
                ends = self._until(until, inside, (*loc, "repeat", "until"))
        if isinstance(until, Condition):
            self._check_until(scope, loc)

    def _until(self, until: Any, scope: _Scope, loc: Loc) -> Condition | VerdictOf | None:
        if isinstance(until, Condition):
            if until.for_:
                message = "a pass ends at a moment: `for` has no meaning here"
                self.found.add(scope.source.problem((*loc, "for"), "HX-1353", message))
            return until
        return self._earlier.find(until, scope.path, scope.source, loc, self.found)

    def _check_until(self, scope: _Scope, loc: Loc) -> None:
        """After the last pass the signal is judged: a repeat that never got there is no PASS."""
        place = (*loc, "repeat", "until")
        condition = value_at(scope.source.data, place)
        entry = {"step": "check", "name": "until", "conditions": [condition]}
        source = replace(scope.source, data=with_value(scope.source.data, place, entry))
        path, title = self._name(scope, "", "until", source, place)
        self._lay(Laid(scope.section, path, title, source, place, scope.groups, StepEntry.model_validate(entry)))

    def _sweep(self, entry: SweepEntry, scope: _Scope, loc: Loc) -> None:
        taken = [name for name in entry.sweep if name in scope.values]
        for name in taken:
            message = f"{name!r} is a parameter already; give the sweep's value another name"
            self.found.add(scope.source.problem((*loc, "sweep", name), "HX-1353", message))
        if taken:
            return
        name = scope.groups[-1].title
        for row in zip(*entry.sweep.values(), strict=True):
            values = dict(zip(entry.sweep, row, strict=True))
            part = ", ".join(f"{key}={_short(value)}" for key, value in values.items())
            inside = self._pass(scope, "value", part, f"{name} ({part})" if name else part)
            inside = replace(inside, values={**inside.values, **values}, local=inside.local | frozenset(values))
            self._entries(inside, (*loc, "steps"))

    def _parallel(self, entry: Entries, scope: _Scope, loc: Loc) -> None:
        before, after = dict(self._earlier.paths), dict(self._earlier.paths)
        for index in range(len(entry.steps)):
            self._earlier.paths = dict(before)  # what goes on beside a branch is not before it
            branch = scope.inside(Group("branch", "", self._free(f"{scope.path}/branch {index + 1}")))
            # the paths inside follow the parallel's: they stay when a branch comes before
            self._entries(replace(branch, path=scope.path), (*loc, "steps"), only=index)
            after.update(self._earlier.paths)
        self._earlier.paths = after

    # ---- files

    def _include(self, entry: IncludeEntry, scope: _Scope, loc: Loc) -> None:
        source = scope.source
        here = (source.path.parent if source.path is not None else self.base).resolve()
        path = (here / entry.include).resolve()
        place = (*loc, "include")
        if not path.is_relative_to(self.base.resolve()):
            self.found.add(source.problem(place, "HX-1341", f"{entry.include!r} lies outside the plan's folder"))
            return
        if not is_regular(path):
            message = f"no such file {entry.include!r} beside {source.name}"
            self.found.add(source.problem(place, "HX-1342", message))
            return
        if path in scope.files:
            self.found.add(source.problem(place, "HX-1353", f"{entry.include!r} includes itself"))
            return
        try:
            part = read_source(path)
        except ProblemsError as error:
            self.found.extend(error)
            return
        name = path.relative_to(self.base.resolve()).as_posix()
        self.on.hashes[name], self.on.files[name], self.on.roles[name] = part.sha256, path, "sequence"
        head = validated(self.found, part, SequenceFile)
        if head is None:
            return
        before = self.found.noted
        values = dict(self._values_of(head, entry, source, loc))
        if self.found.noted > before:
            return
        groups = scope.groups
        if not groups[-1].title:
            groups = (*groups[:-1], replace(groups[-1], title=head.title))
        inside = replace(
            scope, source=part, values=values, local=frozenset(values), groups=groups, files=(*scope.files, path)
        )
        self._entries(inside, ("steps",))

    def _values_of(
        self, head: SequenceFile, entry: IncludeEntry, source: Source, loc: Loc
    ) -> Iterator[tuple[str, Any]]:
        """The values of a sequence's parameters: those given, else its own."""
        for name in entry.with_:
            if name not in head.parameters:
                message = f"{head.sequence} has no parameter {name!r}{did_you_mean(name, head.parameters)}"
                self.found.add(source.problem((*loc, "with", name), "HX-1355", message, key=True))
        for name, parameter in head.parameters.items():
            value = entry.with_.get(name, parameter.default)
            if value is None:
                message = f"{head.sequence} needs a value for {name!r}"
                self.found.add(source.problem((*loc, "with"), "HX-1355", message, parameter.description))
            elif name in entry.with_ and (why := parameter.why_not(value)):
                self.found.add(source.problem((*loc, "with", name), "HX-1355", f"{name}: {why}"))
            yield name, value


def _only_in_a_run(entry: Conditional) -> str:
    """What of an entry is decided while a run goes on, in words."""
    if isinstance(entry, ParallelEntry):
        return "parallel"
    if isinstance(entry, RepeatEntry) and isinstance(entry.repeat, RepeatUntil):
        return "until"
    if isinstance(entry, StepEntry) and entry.retry is not None:
        return "retry"
    return "when of a verdict" if any(isinstance(each, Earlier) for each in entry.conditions) else ""


def _short(value: Any) -> str:
    """A value as it stands in names."""
    text = value if isinstance(value, str) else shown(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
