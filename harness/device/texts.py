"""Texts of devices, made safe to show and store."""

from __future__ import annotations


def printable(data: bytes) -> str:
    """Device text made safe to show and store: UTF-8 or Latin-1, control characters escaped, at most 256 characters."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = text.rstrip("\0").strip()[:256]
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
