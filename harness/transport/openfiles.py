"""How many files (and so connections) this process may have open: one a Modbus device, and some twenty beside."""

from __future__ import annotations

import contextlib
import resource

BESIDE = 40
"""Files that a run has open beside its connections, some to spare."""


def raise_limit() -> int:
    """Take as many as the system allows this process: the usual soft limit of 1024 is some 1000 devices; gives it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return limit()


def limit() -> int:
    """How many may be open now."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def advice() -> str:
    """What to do when they are all in use."""
    return (
        f"all {limit()} files that this process may open are in use, one a connection; allow more: LimitNOFILE= in its "
        "systemd unit, or `ulimit -Hn` in the shell that starts it"
    )
