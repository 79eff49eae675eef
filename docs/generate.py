"""Writes the tables of docs/reference from the models, the steps and the commands themselves.

    python docs/generate.py            write
    python docs/generate.py --check    exit 1 when a page is not what it would write

The text above the marker line of each page is written by hand and stays.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import click
from pydantic import BaseModel

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
MARKER = "<!-- From here on written by `make docs`; change the code instead. -->"
Schema = Mapping[str, Any]


def main() -> int:
    """Write the pages, or compare them."""
    stale = []
    for name, make in PAGES.items():
        path = REFERENCE / f"{name}.md"
        old = path.read_text(encoding="utf-8") if path.exists() else f"# {name}\n\n{MARKER}\n"
        if MARKER not in old:
            raise SystemExit(f"{path}: the marker line is missing: {MARKER}")
        new = f"{old.partition(MARKER)[0]}{MARKER}\n\n" + "\n".join(make()).rstrip() + "\n"
        if new == old:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if "--check" not in sys.argv:
            path.write_text(new, encoding="utf-8")
    for shown in stale:
        print(f"{shown}: {'is out of date, run `make docs`' if '--check' in sys.argv else 'written'}")  # noqa: T201
    return 1 if stale and "--check" in sys.argv else 0


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace(chr(10), ' ') for cell in row)} |"
    yield ""


# --- models ----------------------------------------------------------------------------------------------------------


def model_page(*models: type[BaseModel]) -> Iterator[str]:
    """A section for each model, those they refer to after them."""
    schemas: dict[str, Schema] = {}
    for model in models:
        schema = model.model_json_schema()
        schemas[model.__name__] = schema
        for name, part in schema.get("$defs", {}).items():
            schemas.setdefault(name, part)
    for name, schema in schemas.items():
        if schema.get("type") == "object":
            yield from section(name, schema)


def section(name: str, schema: Schema, level: str = "##") -> Iterator[str]:
    """One model as a table of its keys."""
    yield f"{level} {name}"
    yield ""
    if text := schema.get("description", ""):
        yield inspect.cleandoc(text)
        yield ""
    yield from fields(schema)


def fields(schema: Schema) -> Iterator[str]:
    """The keys of a model: what they take, what they are when left out, what they mean."""
    needed = schema.get("required", [])
    rows = [
        (f"`{key}`", words(part), "needed" if key in needed else default(part), part.get("description", ""))
        for key, part in schema.get("properties", {}).items()
    ]
    if rows:
        yield from table(("key", "value", "left out", "meaning"), rows)


def words(part: Schema) -> str:
    """What a key takes, in words."""
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(words(arm) for arm in part["anyOf"] if arm.get("type") != "null"))
    if "enum" in part:
        return " · ".join(f"`{each}`" for each in part["enum"])
    if "const" in part:
        return f"`{part['const']}`"
    if part.get("examples"):
        return "like " + ", ".join(f"`{each}`" for each in part["examples"][:2])
    kind = part.get("type", "")
    if kind == "array":
        inner = part.get("prefixItems")
        return "[" + ", ".join(map(words, inner)) + "]" if inner else f"list of {words(part.get('items', {}))}"
    if kind == "object":
        inner = part.get("additionalProperties")
        return f"name: {words(inner)}" if isinstance(inner, dict) else "mapping"
    simple = {"string": "text", "number": "number", "integer": "whole number", "boolean": "`true` · `false`"}
    return simple.get(kind, "any value") + bounds(part)


def bounds(part: Schema) -> str:
    """The range of a number, as far as it is bounded."""
    low = part.get("minimum", part.get("exclusiveMinimum"))
    high = part.get("maximum", part.get("exclusiveMaximum"))
    if low is None and high is None:
        return ""
    if high is None:
        return f" {'from' if 'minimum' in part else 'above'} {low:g}"
    return f" up to {high:g}" if low is None else f" {low:g} to {high:g}"


def default(part: Schema) -> str:
    """What a key is when it is left out."""
    value = part.get("default")
    if value in (None, "", [], {}) or isinstance(value, dict):
        return ""
    example = str((part.get("examples") or [""])[0])
    if isinstance(value, float):
        unit = " s" if example in ("30 s", "0 s") else " %" if example.endswith(" %") else ""
        return f"`{value:g}{unit}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def plan() -> Iterator[str]:
    """The plan and every built-in step."""
    from harness.plugins import built_in
    from harness.project.plan_files import named_by
    from harness.project.step import GROUP, known_steps
    from harness.schema.plan import Plan
    from harness.schema.sequence import CONSTRUCTS, SequenceFile, StepEntry

    yield from model_page(Plan)
    yield "## What stands in a list of steps"
    yield ""
    shown: set[str] = set(Plan.model_json_schema()["$defs"])
    for model in (StepEntry, *CONSTRUCTS.values(), SequenceFile):
        schema = model.model_json_schema()
        yield from section(model.__name__, schema, "###")
        for name, part in schema.get("$defs", {}).items():
            if part.get("type") == "object" and name not in shown:
                shown.add(name)
                yield from section(name, part, "####")
    yield "## Steps"
    yield ""
    yield "Beside their own keys all of them take those of StepEntry above."
    yield ""
    reported = shown
    for step in (known_steps()[name] for name in built_in(GROUP)):
        schema = step.params.model_json_schema()
        yield f"### `{step.name}`"
        yield ""
        yield step.summary
        yield ""
        yield from fields(schema)
        for name, part in schema.get("$defs", {}).items():
            if part.get("type") == "object" and name not in reported:
                reported.add(name)
                yield from section(name, part, "####")
        for _, model in named_by(step.params):
            schema = model.model_json_schema()
            for name, part in {model.__name__: schema, **schema.get("$defs", {})}.items():
                if name not in reported:
                    reported.add(name)
                    yield from section(name, part, "####")
    yield from workloads()


def workloads() -> Iterator[str]:
    """The settings of the workload drivers."""
    from harness.plugins import built_in
    from harness.workloads.driver import GROUP, workload_driver
    from harness.workloads.ssh import SshFile

    yield "## Workload drivers"
    yield ""
    yield "What `settings:` of the step `workload` takes."
    yield ""
    for driver in map(workload_driver, built_in(GROUP)):
        schema = driver.settings.model_json_schema()
        yield f"### `driver: {driver.name}`"
        yield ""
        yield from fields(schema)
        for name, part in schema.get("$defs", {}).items():
            yield from section(name, part, "####")
    yield from section("SshFile", SshFile.model_json_schema(), "####")


def station() -> Iterator[str]:
    """The station, and the functions of derived signals."""
    from harness.device.redfish.credentials import RedfishFile
    from harness.device.snmp.credentials import SnmpFile
    from harness.limits.derived import FUNCTIONS
    from harness.schema.station import Station

    yield from model_page(Station)
    yield "## Files of credentials"
    yield ""
    yield "What `credentials: {file: ...}` of a device names: YAML, mode 0600, beside the station file."
    yield ""
    yield from section("SnmpFile", SnmpFile.model_json_schema(), "###")
    yield from section("RedfishFile", RedfishFile.model_json_schema(), "###")
    yield "## Functions of derived signals"
    yield ""
    rows = []
    for name, function in FUNCTIONS.items():
        inputs = ", ".join(f"{each} [{unit}]" if unit else each for each, unit in function.inputs.items())
        if function.each is not None:
            inputs = f"three and more, names of your own [{function.each}]"
        rows.append((f"`{name}`", inputs, function.unit or "as the inputs", function.description))
    yield from table(("function", "inputs", "unit", "what it gives"), rows)


def profile() -> Iterator[str]:
    """The profiles of the built-in protocols."""
    from harness.device.protocol import protocol

    yield from model_page(*(protocol(name).part("profile") for name in ("modbus", "snmp", "scpi", "redfish")))


def limits() -> Iterator[str]:
    """Limit sets, statistics and units."""
    from harness.limits.window import Statistic
    from harness.quantity import UNITS
    from harness.schema.conditions import LimitSet

    yield from model_page(LimitSet)
    yield "## Statistics"
    yield ""
    yield (
        "What `measure` can make of a window of samples: "
        + ", ".join(f"`{each}`" for each in get_args(Statistic))
        + "."
    )
    yield ""
    yield "## Units"
    yield ""
    kinds: dict[str, list[str]] = {}
    for unit in UNITS.values():
        kinds.setdefault(unit.kind, []).append(f"`{unit.name}`" if unit.name else "none")
    yield from table(("kind", "units"), [(kind, " ".join(names)) for kind, names in kinds.items()])


# --- commands --------------------------------------------------------------------------------------------------------


def commands() -> Iterator[str]:
    """Every command with its arguments and options."""
    from harness.cli.main import COMMANDS

    for name, (where, _) in COMMANDS.items():
        module, _, attribute = where.partition(":")
        yield from command_section(f"harness {name}", getattr(import_module(module), attribute))


def command_section(path: str, command: click.Command) -> Iterator[str]:
    """One command, and its own commands after it."""
    context = click.Context(command, info_name=path)
    yield f"## `{path}`"
    yield ""
    yield f"`{' '.join([path, *command.collect_usage_pieces(context)])}`"
    yield ""
    yield inspect.cleandoc(command.help or "").replace("\b\n", "")
    yield ""
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record:
            rows.append((f"`{record[0]}`", record[1]))
    if rows:
        yield from table(("option", "meaning"), rows)
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from command_section(f"{path} {name}", child)


MEANING = {
    0: "PASS; of other commands: done",
    1: "FAIL: the product is bad",
    2: "an input is wrong (plan, station, profile, argument): nothing was contacted",
    3: "ERROR: the station is bad (a device unreachable, refused, not confirmed)",
    4: "TRIPPED: an interlock fired, the safe state is confirmed",
    5: "the safe state is NOT confirmed: look at the rack",
    6: "the rack belongs to another run (or to who makes it safe), or a resume was refused",
    7: "INCONCLUSIVE: not enough valid data for a verdict, or nothing was judged",
    70: "a bug in the harness; the message names a file with the details",
    130: "ABORTED by the operator, safe state confirmed",
    143: "ABORTED by SIGTERM, safe state confirmed",
}


def exit_codes() -> Iterator[str]:
    """The exit codes; fails when the code knows one that has no meaning here."""
    from harness.limits import verdict

    known = {value for name, value in vars(verdict).items() if name.startswith("EXIT_") and isinstance(value, int)}
    known |= set(verdict.EXIT_CODES.values())
    if known != set(MEANING):
        raise SystemExit(f"exit codes without a meaning, or meanings without a code: {sorted(known ^ set(MEANING))}")
    yield from table(("code", "meaning"), [(str(code), text) for code, text in MEANING.items()])


def faults() -> Iterator[str]:
    """The faults that a simulated station knows."""
    from sim.fault_table import TABLE

    rows = [
        (f"`{name}`", each.role, each.does, f"`{each.truth}`" if each.truth else "") for name, each in TABLE.items()
    ]
    yield from table(("fault", "whose", "what it does", "what is true then shows in"), rows)


def simulated_variables() -> Iterator[str]:
    """What a profile's `sim:` can name."""
    from sim.bindings import TWIN, variables

    rows = [
        (f"`{name}`", f"`{unit}`" if unit else "", "yes" if shown else "", "yes" if moved else "")
        for name, unit, shown, moved in variables()
    ]
    yield from table(("variable", "unit", "shown by signals", "moved by controls"), rows)
    yield "What a device of the simulation knows itself:"
    yield ""
    yield from table(("variable", "what it is"), [(f"`{name}`", text) for name, text in TWIN.items()])


def problem_codes() -> Iterator[str]:
    """The codes of mistakes in files, and those of errors while something goes on."""
    import harness.project.step  # noqa: F401 (its error is one of them)
    from harness.errors import HarnessError
    from harness.schema.codes import CODES
    from harness.transport.modbus.frames import KINDS

    yield "## Mistakes in files"
    yield ""
    yield from table(("code", "what is wrong"), list(CODES.items()))
    yield "## Errors while something goes on"
    yield ""
    yield "They stand in the code of plug-ins and in bug reports; what people read says it in words."
    yield ""
    rows = [(each.code, f"`{each.__name__}`", first_sentence(each)) for each in below(HarnessError)]
    rows += [
        (code, "`ProtocolViolationError`", f"Modbus: the reply failed the check `{kind}`")
        for kind, code in KINDS.items()
    ]
    yield from table(("code", "class", "who is at fault"), sorted(rows))


def events() -> Iterator[str]:
    """The kinds of events."""
    from harness.events import EventKind

    yield from table(("kind", "what happened"), [(f"`{kind}`", kind.meaning) for kind in EventKind])


def below(cls: type) -> Iterator[type]:
    """A class and all that come from it, those with a code of their own."""
    if "code" in vars(cls):
        yield cls
    for each in cls.__subclasses__():
        yield from below(each)


def first_sentence(thing: Any) -> str:
    """The first sentence of a docstring."""
    return inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0].replace("\n", " ")


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "plan": plan,
    "station": station,
    "profile": profile,
    "limits": limits,
    "commands": commands,
    "exit-codes": exit_codes,
    "faults": faults,
    "simulated-variables": simulated_variables,
    "problem-codes": problem_codes,
    "events": events,
}

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
