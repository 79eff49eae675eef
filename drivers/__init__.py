"""Device profiles that ship with the harness: `<class>/<vendor_model>/profile.yaml`, data only."""

from __future__ import annotations

from pathlib import Path


def profiles_root() -> Path:
    """The folder under which the profiles stand; the entry point `harness.drivers` of this package."""
    return Path(__file__).resolve().parent
