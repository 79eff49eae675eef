"""The versions of the kinds of files: which is current, and which keys went without a new one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

Migration = Callable[[str], str]
"""The text of a file, as its next version has it; the key `schema` is none of its business."""

MIGRATIONS: dict[str, tuple[Migration, ...]] = {
    "plan": (),
    "sequence": (),
    "sku": (),
    "station": (),
    "profile": (),
    "limit_set": (),
}
"""Kind of file (the key that says which it is) -> what brings version 1 to 2, 2 to 3, and so on."""

RETIRED: dict[str, tuple[tuple[str, ...], ...]] = {
    "profile": (
        ("signals", "*", "sticky"),
        ("repeat", "*", "signals", "*", "sticky"),
        ("controls", "*", "wear"),
        ("repeat", "*", "control", "wear"),
        ("scpi", "terminator"),
    ),
}
"""Keys that did nothing and were taken away before the first release, so without a new version; `*` is any name."""


def current(kind: str) -> int:
    """The version that this harness reads."""
    return len(MIGRATIONS[kind]) + 1


def is_retired(kind: str, loc: Sequence[str | int]) -> bool:
    """Whether a place in a file is that of a key that went without a new version."""
    return any(
        len(pattern) == len(loc) and all(part in ("*", name) for part, name in zip(pattern, loc, strict=True))
        for pattern in RETIRED.get(kind, ())
    )
