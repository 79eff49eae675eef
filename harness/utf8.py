"""The border where text of others becomes ours: whatever comes in can be stored, sent and shown as UTF-8.

Arguments, paths, names of hosts and users, and messages of the system reach Python as bytes that need be no UTF-8; it
keeps such a byte as a lone surrogate, which no file and no terminal takes. Here it is written out in letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def utf8(text: str) -> str:
    """The text, with what is no UTF-8 written out."""
    if text.isascii():
        return text
    return "".join(_written(char) if "\ud800" <= char <= "\udfff" else char for char in text)


def _written(char: str) -> str:
    """A lone surrogate: the byte that it stands for (PEP 383), else its number."""
    code = ord(char)
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"


def all_utf8(value: Any) -> Any:
    """The same for every text in a value made of mappings and lists."""
    if isinstance(value, str):
        return utf8(value)
    if isinstance(value, Mapping):
        return {utf8(str(key)): all_utf8(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [all_utf8(item) for item in value]
    return value
