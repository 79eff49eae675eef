"""The entry point. Imports click and the standard library: nearly everything else waits until a command needs it."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from harness.cli.leaving import forbid_exit, leave
from harness.transport.openfiles import raise_limit

COMMANDS = {
    "run": ("harness.cli.commands.run:run", "Carry out a plan on a rack and say PASS or FAIL."),
    "check": (
        "harness.cli.commands.check:check",
        "Check plans, stations, profiles and limit sets; nothing is contacted.",
    ),
    "migrate": ("harness.cli.commands.migrate:migrate", "Bring files of an older version to the current one."),
    "plan": ("harness.cli.commands.plan:plan", "List, show and copy installed plans."),
    "sim": ("harness.cli.commands.sim:sim", "Serve the simulated devices of a station."),
    "probe": ("harness.cli.commands.probe:probe", "Who answers at a station? Read-only."),
    "watch": ("harness.cli.commands.watch:watch", "Live table of a station's signals. Read-only."),
    "read": ("harness.cli.commands.read_set:read", "Read one signal (or a bank of them) now."),
    "set": ("harness.cli.commands.read_set:set_", "Set one control (or a bank of them), confirmed by read-back."),
    "safe": ("harness.cli.commands.safe:safe", "Bring a station to its safe state, confirmed."),
    "supervise": (
        "harness.cli.commands.supervise:supervise",
        "Make safe what dead runs left armed (a service).",
    ),
    "ctl": ("harness.cli.commands.ctl:ctl", "Control a run that goes on: pause, continue, skip, retry, abort."),
    "runs": ("harness.cli.commands.records:runs", "List the runs in the data folder."),
    "report": ("harness.cli.commands.records:report", "Show the record of a run."),
    "export": (
        "harness.cli.commands.records:export",
        "Write a record in another format: CSV, JSON, or somebody's own.",
    ),
    "verify": ("harness.cli.commands.records:verify", "Is a record what was sealed, and does its verdict follow?"),
    "push": ("harness.cli.commands.records:push", "Send the database what it missed of a run."),
    "schema": ("harness.cli.commands.schema:schema", "Print the JSON Schema of a kind of file."),
    "profile": ("harness.cli.commands.profile:profile", "List, show and check device profiles."),
    "doctor": ("harness.cli.commands.doctor:doctor", "Is this machine fit to run the harness?"),
}
"""Command -> (where it lives, its help). The help stands here so that `--help` imports no command."""

EXIT_CODES = """\b
Exit codes
  0 PASS, or done    1 FAIL (the product)    2 wrong input, nothing contacted
  3 ERROR (station)  4 TRIPPED               5 safe state NOT confirmed
  6 station in use   7 INCONCLUSIVE          70 a bug    130/143 ABORTED
"""

_NO_UTF8 = re.compile(r"\\udc([89a-f][0-9a-f])")
_HELP = frozenset({"-h", "--help", "--version"})
"""Options that end a command with words only. click exits when nobody reads them to the end (`| head`)."""


class HarnessGroup(click.Group):
    """Loads a command when it is used, and turns every end of it into one line and an exit code.

    The exit codes 0 and 1 of `run` come out of `RunOutcome.exit_code` only, which has seen a sealed result: nothing
    that code of others raises gives one of them.
    """

    asked_for = ""
    """The command that was asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands in the order of a working day, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        self.asked_for = cmd_name
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Run a command and exit with its code. No traceback reaches the screen."""
        extra["standalone_mode"] = False
        extra.setdefault("prog_name", "harness")
        try:
            code = super().main(args, **extra)
        except click.exceptions.Exit as stop:
            code = stop.exit_code
        except click.ClickException as error:
            code = _refuse(error)
        except (click.Abort, KeyboardInterrupt):
            _say("aborted")
            code = 130
        except SystemExit as error:
            if _is_completion(extra["prog_name"]):
                raise
            code = 0 if self._asks_for_words(sys.argv[1:] if args is None else args) else _explain(error)
        except BaseException as error:
            code = _explain(error)
        _flush()
        sys.exit(code if isinstance(code, int) else 0)

    def _asks_for_words(self, args: Sequence[str]) -> bool:
        """Whether only help or the version was asked for. Of `run` nothing else may stand beside it: a plan is run."""
        return bool(_HELP & {*args}) and (self.asked_for != "run" or {*args} <= {"run", *_HELP})


def _is_completion(program: str) -> bool:
    """Whether a shell asks for completions: click answers it by exiting."""
    return f"_{program}_COMPLETE".replace("-", "_").upper() in os.environ


def _refuse(error: click.ClickException) -> int:
    from click.exceptions import NoArgsIsHelpError

    if isinstance(error, NoArgsIsHelpError):
        for line in error.format_message().splitlines():
            _say(line)
        return error.exit_code
    ctx = getattr(error, "ctx", None)
    path = ctx.command_path if ctx is not None else "harness"
    message = " ".join(error.format_message().split()).rstrip(".,")
    _say(f"{path}: {message}; see `{path} --help`")
    return error.exit_code


def _explain(error: BaseException) -> int:
    """One line for what the harness raised on purpose (several for a file with several mistakes), and its exit code."""
    from harness.errors import ConfigError, HarnessError, RunError, SafetyError
    from harness.limits.verdict import EXIT_BUG

    if not isinstance(error, HarnessError):
        said = "ended without a word" if isinstance(error, SystemExit) else type(error).__name__
        _say(f"bug in the harness: {said}: {_text(error)}, details in {_keep_traceback(error)}")
        return EXIT_BUG
    for line in str(error).splitlines() or [type(error).__name__]:
        _say(line)
    if isinstance(error, SafetyError):
        from harness.cli.ui.banner import LOOK

        _say(f"do      {LOOK}")
    codes: tuple[tuple[type[HarnessError], int], ...] = ((ConfigError, 2), (SafetyError, 5), (RunError, 6))
    return next((code for kind, code in codes if isinstance(error, kind)), 3)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "its text cannot be read"


def _keep_traceback(error: BaseException) -> str:
    """Write the traceback into the data folder, or where there is room for it; returns the file's name."""
    import tempfile
    from datetime import UTC, datetime
    from pathlib import Path

    folders = [Path(tempfile.gettempdir())]
    with contextlib.suppress(Exception):
        from harness.record.folder import data_dir

        folders.insert(0, data_dir())
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    for folder in folders:
        with contextlib.suppress(OSError):
            path = folder / f"bug-{stamp}-{os.getpid()}.txt"
            path.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace")
            return str(path)
    return "no file (no folder can be written)"


def _say(text: str) -> None:
    """One line on stderr, whatever state stderr is in."""
    shown = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    shown = _NO_UTF8.sub(r"\\x\1", shown)  # one spelling of one byte, whether repr() or `utf8` has written it
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(shown.encode(sys.stderr.encoding or "utf-8", "backslashreplace").decode("utf-8") + "\n")


def _flush() -> None:
    """Flush what is left; a closed stdout must not turn into another exit code or a message when Python exits."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                quiet = os.open(os.devnull, os.O_WRONLY)
                os.dup2(quiet, stream.fileno())
                os.close(quiet)


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        from harness.version import __version__

        click.echo(f"harness {__version__}")
        ctx.exit()


@click.group(
    cls=HarnessGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EXIT_CODES,
    no_args_is_help=True,
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def cli() -> None:
    """Prove a rack: run acceptance and burn-in plans on it, and leave a record that shows it.

    First steps: `harness run smoke --simulate`, then `harness report last`.
    """


def _hear_sigterm() -> None:
    """SIGTERM ends this process, whatever it was started with: ignored, blocked, or as the first one of a container.

    The kernel keeps from process 1 what it has no handler for. All others keep the default until a command installs its
    own: only that ends also who waits for a slow file system.
    """
    first = os.getpid() == 1
    with contextlib.suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGTERM, (lambda *_: leave(143)) if first else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _prepare() -> None:
    """As many open files as the system allows; and what libraries say on their own belongs on no screen.

    A warning of a logger that nobody asked for, a traceback out of a destructor: what matters of them comes as an
    error, and that is reported in words.
    """
    logging.getLogger().addHandler(logging.NullHandler())
    # plug-ins of pydantic come from any package that is installed, and change what a valid file is
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    sys.unraisablehook = lambda _: None
    raise_limit()
    _hear_sigterm()


def main() -> NoReturn:
    """What the installed command `harness` calls.

    A command ends with its code, and at once: neither a thread that waits for a name server, or that code of others
    has left running, nor what is registered for the end of the process comes after it.
    """
    _prepare()
    forbid_exit(lambda: cli.asked_for == "run")
    try:
        cli.main()
    except SystemExit as end:
        if isinstance(end.code, int):
            _flush()
            leave(end.code)
        raise


if __name__ == "__main__":
    main()
