"""An exception in words, whatever it is and wherever it comes from."""

from __future__ import annotations

from harness.utf8 import utf8


class StrangeEndError(Exception):
    """Code ended as code in a run may not: it exited, was cancelled by itself, or returned a value."""


def shown(error: BaseException) -> str:
    """An exception in words, whatever its own text is like."""
    if isinstance(error, StrangeEndError):
        return str(error)
    try:
        text = str(error)
    except Exception:
        text = ""
    return utf8(f"{type(error).__name__}: {text}" if text else type(error).__name__)
