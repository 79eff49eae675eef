"""A text that must not be seen: passwords, communities, tokens."""

from __future__ import annotations

import hmac
from typing import Any, NoReturn


class Secret:
    """Wraps a text so that printing, formatting, logging or serialising it shows `***`.

    `json.dumps` and `pickle.dumps` refuse it with TypeError: a secret written to a file is a leak, and a redacted one
    read back is a wrong password that nobody understands.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, to hand to the wire and to nothing else."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a secret cannot be pickled; hand over where it is kept instead")
