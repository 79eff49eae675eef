"""Where errors of the operating system and of asyncio become ours."""

from __future__ import annotations

import errno
import socket
import ssl

from harness.errors import Trouble, UnreachableError
from harness.transport import openfiles

_OF_ERRNO = {
    errno.ECONNREFUSED: (Trouble.CLOSED, ""),
    errno.ECONNRESET: (Trouble.CLOSED, ""),
    errno.EPIPE: (Trouble.CLOSED, ""),
    errno.EHOSTUNREACH: (Trouble.UNREACHED, "check cable, address and netmask"),
    errno.ENETUNREACH: (Trouble.UNREACHED, "check cable, address and netmask"),
    errno.ENFILE: (Trouble.OURS, "all files that this computer may have open are in use; end what else runs on it"),
    errno.ENOENT: (Trouble.UNREACHED, "check that the adapter is plugged in"),
    errno.EACCES: (Trouble.UNREACHED, "check the permissions of the port"),
    errno.EBUSY: (Trouble.UNREACHED, "another program holds the port"),
}


def unreachable(error: BaseException, *, device: str, operation: str, what: str) -> UnreachableError:
    """An OSError, TimeoutError or end of file as `UnreachableError`; `what` says what was being done."""
    reason, trouble, hint = _meaning(error)
    return UnreachableError(f"{what}: {reason}", device=device, operation=operation, hint=hint, trouble=trouble)


def _meaning(error: BaseException) -> tuple[str, Trouble, str]:
    """(what the system says, the kind of trouble, what to do where that is known better than by its kind)."""
    if isinstance(error, socket.gaierror):
        reason = f"the name does not resolve ({error.strerror})"
        return reason, Trouble.UNREACHED, "check the address; literal addresses are safer"
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if isinstance(error, TimeoutError) and not getattr(error, "errno", None):
        return str(error) or "no answer in time", Trouble.SILENT, ""
    if isinstance(error, EOFError):
        return str(error) or "the peer closed the connection", Trouble.CLOSED, ""
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return error.strerror or "too many open files", Trouble.OURS, openfiles.advice()
    if isinstance(error, OSError) and error.errno is not None:
        reason = error.strerror or errno.errorcode.get(error.errno, str(error.errno))
        return reason, *_OF_ERRNO.get(error.errno, (Trouble.UNREACHED, ""))
    return str(error) or type(error).__name__, Trouble.CLOSED if isinstance(error, OSError) else Trouble.UNREACHED, ""


def _tls(error: ssl.SSLError) -> tuple[str, Trouble, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = getattr(error, "verify_message", "") or str(error.args[-1] if error.args else error)
        hint = "give ?ca=FILE or ?fingerprint=SHA256 in the address, once you know the certificate"
        return reason, Trouble.CREDENTIALS, hint
    reason = str(getattr(error, "reason", "") or error).replace("_", " ").lower()
    hint = "it answers, but without TLS as this station wants it: check the port, and redfish:// or redfishs://"
    return f"TLS failed ({reason})", Trouble.OTHERWISE, hint


def hexed(data: bytes, limit: int = 64) -> str:
    """At most `limit` bytes as hexadecimal, with the number of bytes left out; before it the text, where it is one."""
    if not data:
        return "nothing"
    part = data[:limit]
    more = f" and {len(data) - limit} bytes more" if len(data) > limit else ""
    text = f"{part.decode('ascii')!r} = " if _is_text(part) else ""
    return f"{text}{part.hex(' ')}{more}"


def _is_text(data: bytes) -> bool:
    """Whether bytes are what somebody wrote: ASCII with at least two thirds of it letters, digits and marks."""
    seen = sum(0x20 < byte < 0x7F for byte in data)
    return all(0x20 <= byte < 0x7F or byte in b"\t\r\n\0" for byte in data) and 3 * seen >= 2 * len(data.strip())
