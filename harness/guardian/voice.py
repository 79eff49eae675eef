"""What the guardian answers to those who ask for its rack, once it acts in the runner's place."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from harness.events import EventKind
from harness.guardian.log import GuardianLog
from harness.safety.names import Doors, Peer, state_in_words, state_of


class Voice:
    """Answers at the names that the guardian inherited, from `open` on. Until then the runner does."""

    def __init__(self, plan: Mapping[str, Any], locks: Sequence[socket.socket], guardian_log: GuardianLog) -> None:
        self.is_safe = False
        """Whether the rack has been confirmed safe; the guardian is still there while the runner is frozen."""
        self._runner = os.getppid()
        self._guardian_log = guardian_log
        self._locks = locks
        self._doors = Doors(self.answer)
        self._opening: asyncio.Future[None] | None = None
        self._about = {
            "doing": "guardian",
            "run": plan["run"],
            "serial": plan["serial"],
            "station": plan["station"],
            "on": "simulation" if plan["is_simulated"] else "rack",
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }

    def _now(self) -> Mapping[str, str]:
        if not self.is_safe or not state_of(self._runner):
            return {"text": "is still making the rack safe"}
        state = f"process {self._runner}, {state_in_words(self._runner)}"
        return {"text": f"has made the rack safe and watches its frozen runner ({state})", "runner": str(self._runner)}

    def open(self) -> None:
        """Begin to answer, beside the work."""
        self._opening = asyncio.ensure_future(self._doors.add(self._locks))

    def close(self) -> None:
        """Answer no more."""
        if self._opening is not None:
            self._opening.cancel()
        self._doors.close()

    def answer(self, command: Mapping[str, Any], peer: Peer) -> Mapping[str, Any]:
        """Who acts here; who makes the rack safe as well, or switches it by force, is written down."""
        do = str(command.get("do", ""))[:40]
        if do == "who":
            return {"ok": True, **self._about, **self._now(), "pid": os.getpid()}
        if do in ("safe", "set"):
            self._guardian_log.note(EventKind.ASKED, do=do, what=str(command.get("text", ""))[:160], who=str(peer))
            return {"ok": True, "said": "the guardian goes on until the rack is safe"}
        return {"ok": False, "said": "the run is dead, and its guardian makes the rack safe"}
