"""Where errors of the operating system and of asyncio become ours."""

from __future__ import annotations

import errno
import socket

from harness.errors import UnreachableError

_HINTS = {
    errno.ECONNREFUSED: "nothing listens there, or the session limit is reached: check address, port and other masters",
    errno.EHOSTUNREACH: "check cable, address and netmask",
    errno.ENETUNREACH: "check cable, address and netmask",
    errno.EMFILE: "the station's limit of open files is reached",
    errno.ENFILE: "the station's limit of open files is reached",
    errno.ENOENT: "check that the adapter is plugged in",
    errno.EACCES: "check the permissions of the port",
    errno.EBUSY: "another program holds the port",
}


def unreachable(error: BaseException, *, device: str, operation: str, what: str) -> UnreachableError:
    """An OSError, TimeoutError or end of file as `UnreachableError`; `what` says what was being done."""
    if isinstance(error, socket.gaierror):
        reason, hint = f"the name does not resolve ({error.strerror})", "check the address; literal addresses are safer"
    elif isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        reason, hint = str(error) or "no answer in time", "check power, cable and address"
    elif isinstance(error, EOFError):
        reason, hint = str(error) or "the peer closed the connection", ""
    elif isinstance(error, OSError) and error.errno is not None:
        reason, hint = error.strerror or errno.errorcode.get(error.errno, str(error.errno)), _HINTS.get(error.errno, "")
    else:
        reason, hint = str(error) or type(error).__name__, ""
    return UnreachableError(f"{what}: {reason}", device=device, operation=operation, hint=hint)


def hexed(data: bytes, limit: int = 64) -> str:
    """At most `limit` bytes as hexadecimal, with the number of bytes left out."""
    shown = data[:limit].hex(" ")
    return f"{shown} and {len(data) - limit} bytes more" if len(data) > limit else shown or "nothing"
