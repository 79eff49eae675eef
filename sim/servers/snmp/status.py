"""SNMP error-status numbers (RFC 3416 section 3) and what version 1 makes of them (RFC 3584 section 4.4)."""

from __future__ import annotations

OK = 0
TOO_BIG = 1
NO_SUCH_NAME = 2
BAD_VALUE = 3
GEN_ERR = 5
NO_ACCESS = 6
WRONG_TYPE = 7
WRONG_LENGTH = 8
WRONG_ENCODING = 9
WRONG_VALUE = 10
NO_CREATION = 11
INCONSISTENT_VALUE = 12
COMMIT_FAILED = 14
UNDO_FAILED = 15
AUTHORIZATION_ERROR = 16
NOT_WRITABLE = 17
INCONSISTENT_NAME = 18

_BAD_VALUES = frozenset({WRONG_VALUE, WRONG_ENCODING, WRONG_TYPE, WRONG_LENGTH, INCONSISTENT_VALUE})
_NO_NAMES = frozenset({NO_ACCESS, NOT_WRITABLE, NO_CREATION, INCONSISTENT_NAME, AUTHORIZATION_ERROR})


def version_1(status: int) -> int:
    """The error-status as a version 1 manager may see it."""
    if status <= GEN_ERR:
        return status
    if status in _BAD_VALUES:
        return BAD_VALUE
    return NO_SUCH_NAME if status in _NO_NAMES else GEN_ERR
