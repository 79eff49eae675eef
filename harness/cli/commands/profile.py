"""`harness profile`: which device models are known, what a profile offers, whether one is right."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.commands.profile_try import try_
from harness.cli.ui.aside import aside
from harness.limits.verdict import EXIT_USAGE

MOST_OF_A_MAP = 16 * 1024 * 1024
"""Longest register map that is read, bytes."""

if TYPE_CHECKING:
    from harness.device.points import ControlPoint, SignalPoint
    from harness.schema.profile import Profile


@click.group()
def profile() -> None:
    """List, show, check, write and try device profiles."""


profile.add_command(try_)


@profile.command("list")
def list_() -> int:
    """Every installed profile, and what outside of this project has judged it."""
    from harness.cli.ui.terminal import say
    from harness.device.registry import known_profiles, load_profile
    from harness.schema.problems import ProblemsError

    known = known_profiles()
    widest = max(map(len, known), default=0)
    for name, path in known.items():
        try:
            found, _ = load_profile(path)
        except ProblemsError as error:
            say(f"{name:<{widest + 2}}cannot be used, {len(error.problems)} mistakes: harness profile check {path}")
            continue
        say(f"{name:<{widest + 2}}{found.protocol:<9}{found.title}  ({_judged(found)})")
    return 0


def _judged(found: Profile) -> str:
    """The strongest of what speaks for a profile, in few words."""
    if found.verified_on:
        return "tried on a device"
    if any(judge.capture for judge in found.judged_by):
        return "compared with a captured device"
    return "compared with a public map" if found.judged_by else "nothing outside has judged it"


@profile.command()
@click.argument("name")
def show(name: str) -> int:
    """Signals and controls of the profile NAME (or of a file)."""
    from harness.cli.ui.terminal import say
    from harness.device.points import expand
    from harness.device.registry import find_profile, load_profile, no_profile
    from harness.errors import ConfigError

    path = find_profile(name, Path.cwd())
    if path is None:
        raise ConfigError(no_profile(name), hint="see harness profile list")
    found, _ = load_profile(path)
    for text in _about(found):
        say(text)
    plan = expand(found)
    say(f"\n{len(plan.signals)} signals")
    for point in plan.signals.values():
        for text in _signal(point):
            say(text)
    say(f"\n{len(plan.controls)} controls")
    for control in plan.controls.values():
        say(_control(control))
    return 0


def _about(found: Profile) -> Iterator[str]:
    """What device it is for, who says so, who has tried it, and what the device does by itself."""
    yield f"{found.profile}  {found.title}  [{found.protocol}]  {found.class_}"
    yield f"source: {found.source}"
    yield f"judged: {found.evidence}"
    if found.unverified:
        yield f"unverified: {found.unverified}"
    if (own := found.dead_man) is not None:
        does = f"switches {own.covers} off" if own.acts == "off" else "goes back to its own control"
        yield f"dead-man: {does} {own.shortest:g} s to {own.longest:g} s after the last word; source: {own.source}"


def _signal(point: SignalPoint) -> Iterator[str]:
    """Name, unit, words and description of a signal, and whose word its noise is."""
    spec, labels = point.spec, point.info("").labels
    words = ", ".join(dict.fromkeys(labels.values())) if labels else ""
    text = f"  {point.name:<40}{spec.unit or ('text' if spec.is_text else ''):<8}"
    yield "  ".join(part for part in (text, words, spec.description) if part).rstrip()
    if spec.noise is not None:
        yield f"    noise by: {spec.noise.source}"


def _control(control: ControlPoint) -> str:
    """Name, range or words and description of a control, and what is to be known before it is set."""
    spec = control.spec
    band = f"{spec.range[0]:g} to {spec.range[1]:g} {spec.unit}" if spec.range else "/".join(spec.takes)
    confirmed = f"confirmed by {control.confirm_by}" if control.confirm_by else "not confirmable"
    danger = "danger" if spec.danger or spec.energises else ""
    return f"  {control.name:<40}" + "  ".join(part for part in (band, confirmed, danger, spec.description) if part)


@profile.command("new")
@click.argument("name", metavar="CLASS/NAME")
@click.option("--protocol", required=True, help="What the device speaks: modbus, snmp, scpi, redfish, or another's.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="File to write; default NAME.yaml.")
def new(name: str, protocol: str, output: str | None) -> int:
    """Write the commented beginning of a profile, right as it is; a file that exists is left alone."""
    from harness.cli.profile_template import profile_text
    from harness.cli.ui.terminal import say
    from harness.device.registry import load_profile
    from harness.errors import ConfigError

    text = profile_text(name, protocol)
    path = Path(output or f"{name.partition('/')[2]}.yaml")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise ConfigError(f"{path} exists already", hint="name another file with -o") from error
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error
    load_profile(path)
    say(f"{path}: written and checked; fill it in, then: harness profile check {path}")
    return 0


@profile.command("check")
@click.argument("files", nargs=-1, required=True)
def check_(files: tuple[str, ...]) -> int:
    """Check profile FILES; every mistake at once."""
    from harness.cli.ui.terminal import say
    from harness.device.registry import load_profile
    from harness.schema.canonical import missing_names
    from harness.schema.problems import Problems
    from harness.simulator import binding_problems

    found = Problems()
    for name in files:
        loaded = found.attempt(lambda n=name: load_profile(Path(n)))  # type: ignore[misc]
        bindings = binding_problems(*loaded) if loaded is not None else []
        found.extend(bindings)
        if loaded is not None and not bindings:
            say(f"{name}: ok, {loaded[0].profile}")
            for what, names in zip(("signals", "controls"), missing_names(loaded[0]), strict=True):
                if names:
                    text = f"plans for every {loaded[0].class_} use {what} that this profile lacks: {', '.join(names)}"
                    aside(f"note: {name}: {text}")
    for problem in found.found:
        aside(str(problem))
    return EXIT_USAGE if found else 0


@profile.command("import")
@click.argument("form", type=click.Choice(["rackmon", "phosphor-modbus"]))
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--class", "class_", default="", help="Class of device: shelf, cdu, pdu ... Else the map's, or shelf.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the profile here instead of printing it.")
def import_(form: str, file: str, class_: str, output: str | None) -> int:
    """Turn the register map FILE of another tool into a profile; what a profile cannot say is listed."""
    from harness.cli.ui.terminal import say
    from harness.device.register_maps.phosphor import import_phosphor
    from harness.device.register_maps.rackmon import import_rackmon
    from harness.device.registry import load_profile
    from harness.errors import ConfigError
    from harness.schema.profile import CLASSES

    if class_ and class_ not in CLASSES:
        raise ConfigError(f"no device class {class_!r}", hint=f"one of {', '.join(CLASSES)}")
    data = _json(file, form)
    try:
        text, notes = import_rackmon(data, class_ or "shelf") if form == "rackmon" else import_phosphor(data, class_)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        hint = "compare it with a map of that project; nothing was written"
        raise ConfigError(f"{file} is not a {form} map: {_what(error)}", hint=hint) from error
    if output is None:
        say(text.rstrip())
    elif Path(output).exists():
        raise ConfigError(f"{output} is there already", hint="name another file, or move that one away")
    else:
        Path(output).write_text(text, encoding="utf-8")
        try:
            load_profile(Path(output))
        except BaseException:
            Path(output).unlink()
            raise
        say(f"{output}: written and checked")
    for note in notes:
        aside(f"note: {note}")
    return 0


def _what(error: Exception) -> str:
    """What was found where something else was expected, in a few words."""
    found = traceback.extract_tb(error.__traceback__)[-1]
    return f"{error or type(error).__name__} (at `{found.line}`)"


def _json(file: str, form: str) -> Any:
    """The map as it is written; ConfigError when it is no JSON."""
    import json

    from harness.errors import ConfigError
    from harness.schema.regular import read_regular

    text = read_regular(Path(file), MOST_OF_A_MAP)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not JSON: {error}", hint=f"a {form} map is one JSON object") from error
