"""The sealed result as JSON, indented: every field of docs/reference, as it stands in `result.json`."""

from __future__ import annotations

from harness.record.opened import Record


def export(record: Record) -> str:
    """Numbers that JSON has no form for are null."""
    return record.result.model_dump_json(indent=2) + "\n"
