"""`harness supervise`: the third layer, for the service manager."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click


@click.command()
@click.option("--armed", "folder", type=click.Path(file_okay=False, exists=True, path_type=Path), help="The folder.")
def supervise(folder: Path | None) -> int:
    """Make safe what a run leaves armed when neither it nor its guardian lives. Runs until it is stopped.

    Meant for the unit harness-supervisor.service. Armed files are in --armed, else $HARNESS_ARMED, else
    /var/lib/harness-armed. Exit 6 when another supervisor has that folder.
    """
    from harness.errors import ConfigError
    from harness.safety.armed import FOLDER, armed_folder
    from harness.supervisor.watch import supervise as watch

    where = folder or armed_folder()
    if where is None:
        raise ConfigError(f"there is no folder {FOLDER}", hint="create it for the user of the runs, or give --armed")
    return asyncio.run(watch(where))
