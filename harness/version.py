"""The version, and the day it was made."""

__version__ = "0.1.0"
RELEASED = "2026-11-22"
"""The day this version was made: a clock that says less is wrong."""
