"""The result as JSON: what stands in `result.json`, to the byte."""

from __future__ import annotations

from harness.record.opened import Record


def export(record: Record) -> bytes:
    """Numbers that JSON has no form for are null."""
    return record.result.to_bytes()
