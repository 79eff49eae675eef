"""Credentials, read again from the files that an armed file refers to, at the moment they are needed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.device.protocol import part


def with_secrets(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """How a device is reached, with its secrets. ConfigError when the file is gone, wrong, or open to others."""
    reference = entry.get("secret")
    if reference is None:
        return entry
    # only now: what checks files is several times the size of what sends commands
    from harness.schema.fields import FileRef

    secrets_of = part(entry["secret_by"])
    return {**entry, **secrets_of(FileRef(file=Path(reference).name), Path(reference).parent)}
