"""The plans, limit sets and stations that ship."""

from __future__ import annotations

from pathlib import Path


def root() -> Path:
    """The folder of the shipped plans (entry point of group `harness.plans`)."""
    return Path(__file__).parent
