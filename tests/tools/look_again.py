"""What is installed is looked up once a process; a test that installs something has it looked up again."""

from __future__ import annotations

import importlib

from harness import plugins
from harness.device import registry
from harness.project import step


def look_again() -> None:
    """Forget what was found of packages, steps and profiles; the protocols stay."""
    importlib.invalidate_caches()
    for cached in (
        *(plugins._entries, plugins.clashes_of, plugins.built_in, step.known_steps, step._steps_of_functions),
        *(registry.known_profiles, registry.built_in_profiles, registry._identities),
    ):
        cached.cache_clear()
    plugins._broken.clear()
    plugins._clashes.clear()
