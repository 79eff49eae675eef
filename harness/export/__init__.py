"""Records in the formats of others, found by entry point (`harness.exporters`): a format is one module, or a package's.

An exporter is a function that takes a `harness.Record` and gives the whole file, as text or bytes. For a record that it
cannot show it raises an error of ours (`TelemetryError`, say).
"""

from __future__ import annotations

from harness.device.third_party import third_party
from harness.errors import ConfigError
from harness.plugins import find, names, owner_of, why_not
from harness.record.opened import Record

GROUP = "harness.exporters"


def export(record: Record, form: str) -> bytes:
    """The record in a format. ConfigError for one that there is not, or whose package fails."""
    make = find(GROUP, form, lambda given: given)
    if make is None:
        raise ConfigError(why_not(GROUP, form) or f"no format {form!r}, there are: {', '.join(names(GROUP))}")

    def failed(why: str) -> ConfigError:
        return ConfigError(f"the format {form} of the package {owner_of(GROUP, form)} cannot be made: {why}")

    with third_party(failed, KeyboardInterrupt):
        made = make(record)
    if isinstance(made, str):
        return made.encode("utf-8")
    if isinstance(made, bytes):
        return made
    raise failed(f"it gives {type(made).__name__}, neither text nor bytes")
