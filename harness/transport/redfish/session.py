"""A session with a Redfish service: when to log in, and when not to.

Services lock an account after 3 to 10 wrong passwords, and hold 8 to 16 sessions, for half an hour where nobody closes
them. So a refused log-in is not repeated for minutes, and a session that is replaced is closed.

```
 none --log in--> fresh --answered--> proven --401--> expired: log in once more, close the old one
   ^                |-- 401 to the fresh token --.      '-- connections lost again and again: the same
   '-- wait 1, 2, 4 .. 10 min <-- log-in refused -'
```
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.secret import Secret

REFUSED_S = (60.0, 600.0)
"""First and longest wait after a log-in that was refused, seconds; it doubles each time."""
BUSY_S = (5.0, 60.0)
"""The same after one that got no proper answer: every try may leave a session behind."""
DOUBTED_AFTER = 2
"""Connections lost in a row after which the token itself is doubted: some services hang up on an old one."""


@dataclass(slots=True)
class Session:
    """The token of one client, and when the next log-in is decent. Times are of the loop, seconds."""

    token: Secret = field(default_factory=Secret)
    path: str = ""
    is_proven: bool = False
    """Whether a request with this token has been answered with something else than 401."""
    _lost: int = 0
    _failures: int = 0
    _not_before: float = float("-inf")

    def opened(self, token: str, path: str) -> None:
        """A log-in has succeeded."""
        self.token, self.path, self.is_proven, self._lost = Secret(token), path, False, 0

    def dropped(self) -> str:
        """The token is no good any more; the path of the session that is to be closed ('': none)."""
        path, self.path, self.token, self.is_proven = self.path, "", Secret(), False
        return path

    def answered(self) -> None:
        """A request with the token was answered: it is good, and so is the way there."""
        self.is_proven, self._lost, self._failures = True, 0, 0

    def lost(self) -> None:
        """A connection was lost before the response had come whole."""
        self._lost += 1

    def failed(self, now: float, *, is_refused: bool) -> None:
        """A log-in has failed, or its token was refused at once."""
        first, longest = REFUSED_S if is_refused else BUSY_S
        self._not_before = now + min(first * 2.0**self._failures, longest)
        self._failures += 1

    def wait(self, now: float) -> float:
        """Seconds until a log-in is decent; 0: now."""
        return max(0.0, self._not_before - now)

    def is_doubtful(self, now: float) -> bool:
        """Whether the token is to be replaced although nobody said that it is old."""
        return bool(self.token) and self._lost >= DOUBTED_AFTER and not self.wait(now)
