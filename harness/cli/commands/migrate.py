"""`harness migrate`: files of an older version, or with keys that are gone, as this harness reads them."""

from __future__ import annotations

import contextlib
import difflib
import os
from collections.abc import Iterator
from pathlib import Path

import click

from harness.cli.ui.aside import aside
from harness.errors import ConfigError
from harness.limits.verdict import EXIT_USAGE
from harness.utf8 import utf8


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--write", is_flag=True, help="Change the files; the original of each stays beside it as FILE.orig.")
def migrate(files: tuple[str, ...], write: bool) -> int:
    """Bring FILE... (plans, stations, profiles, limit sets) to the current version of their kind.

    Shows what would change, and changes it with --write. Comments and layout stay. A file of a newer version than this
    harness reads is refused, and so is what is no such file; then no file is changed. `harness check` tells the rest.
    """
    from harness.cli.ui.terminal import say
    from harness.schema.problems import Problems, ProblemsError

    found, changes = Problems(), []
    for name in dict.fromkeys(files):
        try:
            changes.append(Change(name))
        except ProblemsError as error:
            found.extend(error)
    for problem in found.found:
        aside(str(problem))
    if found:
        return EXIT_USAGE
    wanted = [change for change in changes if not change.is_none]
    if write:
        for change in wanted:
            change.refuse_to_lose()
    for change in changes:
        if change in wanted:
            for line in change.lines():
                say(line)
            if write:
                change.write()
        said = "current" if change not in wanted else change.done if write else "not written, --write does it"
        say(f"{change.name}: {change.what}, {said}")
    return 0


class Change:
    """One file, as it is and as it would be; ProblemsError when it cannot be brought to the current version."""

    def __init__(self, name: str) -> None:
        from harness.schema.migrate import migrate as migrated
        from harness.schema.regular import read_regular
        from harness.schema.source import MAX_BYTES, parse_source
        from harness.schema.versions import current

        self.name = utf8(name)
        self._path = Path(name).resolve()
        self._before = read_regular(self._path, MAX_BYTES, self.name)
        source = parse_source(self._before, self.name)
        after = migrated(source, self._before.decode("utf-8"))
        self._after = after.text.encode("utf-8")
        newest = current(after.kind)
        self._kept = self._path.with_name(f"{self._path.name}.orig")
        self.what = f"{after.kind.replace('_', ' ')} of schema {after.found}"
        self.done = f"written as schema {newest}, the original is {self._kept}"
        self.is_none = self._after == self._before

    def lines(self) -> Iterator[str]:
        """What changes, as `diff -u` shows it."""
        before, after = (each.decode("utf-8").splitlines() for each in (self._before, self._after))
        yield from difflib.unified_diff(before, after, self.name, f"{self.name} (migrated)", lineterm="")

    def refuse_to_lose(self) -> None:
        """ConfigError when there is an original already: the older one is the one to keep."""
        if os.path.lexists(self._kept):
            raise ConfigError(f"{self._kept} is there already", hint="move it away, it may be an original")

    def write(self) -> None:
        """Keep the original beside the file, then replace the file, both whole; ConfigError when the disk refuses."""
        from harness.telemetry.files import atomic_write

        about = self._path.stat()
        try:
            for path, content in ((self._kept, self._before), (self._path, self._after)):
                atomic_write(path, content, mode=about.st_mode & 0o777)
                with contextlib.suppress(PermissionError):  # who is not root can only make files of their own
                    os.chown(path, about.st_uid, about.st_gid)
        except OSError as error:
            raise ConfigError(f"{self.name} cannot be written ({error.strerror})") from error
