"""`harness runs`, `report`, `verify`, `push`: what was left behind."""

from __future__ import annotations

import json
from pathlib import Path

import click

from harness.cli.inputs import data_option, find_station, station_option
from harness.cli.ui.aside import aside
from harness.utf8 import utf8


@click.command()
@data_option
@click.option("--serial", metavar="SN", help="Only runs of this rack.")
@click.option("--last", "most", type=click.IntRange(1), default=None, help="Only the last N.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def runs(data: str | None, serial: str | None, most: int | None, as_json: bool) -> int:
    """List the runs in the data folder, oldest first."""
    from harness.cli.ui.terminal import say
    from harness.record.index import list_runs

    found = [each for each in list_runs(_folder(data)) if serial is None or each.serial == serial]
    found = found[-most:] if most else found
    for one in found:
        if as_json:
            say(
                json.dumps(
                    {
                        "run": one.run,
                        "serial": one.serial,
                        "started": one.started,
                        "plan": one.plan,
                        "station": one.station,
                        "verdict": str(one.verdict),
                        "word": one.word or str(one.verdict),
                        "reason": one.reason,
                        "duration_s": one.duration_s,
                        "sealed": one.is_sealed,
                        "engineering": list(one.engineering),
                        "reported": list(one.reported),
                        "path": str(one.path),
                    }
                )
            )
            continue
        took = "" if one.duration_s is None else f"{one.duration_s:.0f} s"
        reasons = [] if one.verdict == "PASS" else [one.reason] if one.reason else []
        reasons += [f"ENGINEERING RUN: {'; '.join(one.engineering)}"] if one.engineering else []
        reported = [*reasons, *(line for line in one.reported if not any(line in reason for reason in reasons))]
        reason = f"  {'; '.join(reported)}" if reported else ""
        say(f"{one.word or one.verdict:<13}{one.run:<44}{one.plan:<24}{took:>9}{reason}")
    if not found and not as_json:
        say(f"no runs {f'of serial {utf8(serial)} ' if serial is not None else ''}in {_folder(data)}")
    return 0


@click.command()
@click.argument("run")
@data_option
def report(run: str, data: str | None) -> int:
    """Show the record of RUN: an id, a part of one, `last`, or a folder."""
    from harness.cli.ui.terminal import say
    from harness.record.index import find_run
    from harness.record.report import render_text

    say(render_text(find_run(_folder(data), run)).rstrip("\n"))
    return 0


@click.command()
@click.argument("run")
@click.option("--to", "form", required=True, metavar="FORMAT", help="csv, json, or what a package adds.")
@click.option("--output", type=click.Path(dir_okay=False), help="A file to make; the default is stdout.")
@data_option
def export(run: str, form: str, output: str | None, data: str | None) -> int:
    """Write the record of RUN in another FORMAT; a file that is there already is left as it is (exit 2)."""
    import sys

    from harness.errors import ConfigError
    from harness.export import export as export_record
    from harness.record.index import find_run
    from harness.record.opened import Record

    made = export_record(Record(find_run(_folder(data), run)), form)
    try:
        if output is None:
            sys.stdout.buffer.write(made)
            sys.stdout.flush()
        else:
            with open(output, "xb") as file:
                file.write(made)
    except BrokenPipeError:
        pass  # who reads has seen enough
    except OSError as error:
        raise ConfigError(f"cannot write {output or 'to stdout'}: {error.strerror}") from error
    return 0


@click.command()
@click.argument("run")
@data_option
def verify(run: str, data: str | None) -> int:
    """Check that RUN is what was sealed and that its verdict follows from its measurements; exit 1 when not."""
    from harness.cli.ui.terminal import say
    from harness.record.index import find_run
    from harness.record.verification import verify as verify_record

    folder = find_run(_folder(data), run)
    problems = verify_record(folder)
    for problem in problems:
        say(f"{folder.name}: {problem}")
    if not problems:
        say(f"{folder.name}: the record stands")
    return 1 if problems else 0


@click.command()
@click.argument("run")
@station_option
@data_option
@click.option("--again", is_flag=True, help="Send everything again, also what was acknowledged.")
@click.option("--at-most", type=click.FloatRange(1, 86400), default=3600.0, show_default=True, help="Seconds.")
def push(run: str, station: str | None, data: str | None, again: bool, at_most: float) -> int:
    """Send the station's database what it missed of RUN; exit 3 when it does not take all.

    It says every two seconds how far it is. It ends when all is sent, after --at-most, when the database refuses us,
    and when nothing was taken for two minutes. Lines that are refused for good (older than the retention, say) hold
    nothing up: they are counted, and kept beside the record.
    """
    from harness.cli.database import push_now
    from harness.cli.ui.terminal import say
    from harness.errors import ConfigError
    from harness.project.station import load_station
    from harness.record.index import find_run
    from harness.session import influx_settings

    on = load_station(find_station(station, simulate=False))
    settings = influx_settings(on)
    if settings is None:
        raise ConfigError(f"station {on.station.station} has no telemetry.influxdb", hint="name it in the station file")
    folder = find_run(_folder(data), run)
    later = f"harness push {folder.name}" + (f" --station {station}" if station else "")
    pushed = push_now(
        folder,
        settings,
        at_most,
        from_start=again,
        again=later,
        report=lambda text: aside(f"database: {text}"),
    )
    say(f"database: {pushed.text}")
    return pushed.stopped or (0 if pushed.is_complete else 3)


def _folder(data: str | None) -> Path:
    from harness.cli.inputs import records_folder

    return records_folder(data)
