"""Where a run answers other processes: those who ask whose the rack is, those who make it safe, and `harness ctl`.

Who asks is what the kernel says of the peer (SO_PEERCRED), not what the peer says of itself. Everybody may ask who runs
here and what it does, and everybody may say that he makes the rack safe, or sets something by force: that ends the run
in his name. Everything else is for the run's own user and root.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from harness.engine.control import COMMANDS, obey, status
from harness.engine.state import RunState
from harness.events import EventKind
from harness.limits.verdict import Verdict
from harness.safety.lock import RackLock, cleaned
from harness.safety.names import Doors, Peer, is_own, own_peer

_TWINS = 8
"""So many other runs of the same serial number are told of."""


class Reception:
    """Answers for one run at the names that its lock holds, from `open` to `close`."""

    def __init__(self, lock: RackLock) -> None:
        self._lock = lock
        self._doors = Doors(self.answer)
        self._state: RunState | None = None
        self._is_over = False
        self._open: set[int] = set()
        self._undone: dict[int, str] = {}
        self._turned_away: set[tuple[int, str]] = set()
        self._twins: set[str] = set()

    async def open(self) -> None:
        """Answer at every name of the lock that is not answered at yet."""
        new = [each for each in self._lock.sockets if each.fileno() not in self._open]
        self._open.update(each.fileno() for each in new)
        await self._doors.add(new)

    def close(self) -> None:
        """Answer no more; the names stay taken until the lock is released."""
        self._doors.close()

    def attach(self, state: RunState) -> None:
        """The run has begun; what was said before counts."""
        self._state = state
        for reason in self._undone.values():
            state.request_stop(Verdict.ABORTED, reason)

    def detach(self) -> None:
        """The rack is safe, and the record is being sealed: there is nothing left to stop."""
        self._is_over = True

    def answer(self, command: Mapping[str, Any], peer: Peer) -> Mapping[str, Any]:
        """Answer one question; never raises for what was asked."""
        do = str(command.get("do", ""))[:40]
        if do == "who":
            return self._who()
        if do in ("safe", "set"):
            return self._undo(do, command, peer)
        if do == "twin":
            return self._twin(command, peer)
        state = self._state
        if state is None or self._is_over:
            return {"ok": False, "said": "the run is ending" if self._is_over else "the run has only begun"}
        if do != "status" and not is_own(peer):
            return self._turn_away(state, do, peer)
        return obey(state, command, peer.user)

    def _who(self) -> Mapping[str, Any]:
        step = ""
        if self._is_over:
            step = "its record is being sealed"
        elif self._state is not None and self._state.summary.stop is not None:
            step = "the rack is being made safe"
        elif self._state is not None and self._state.running is not None:
            step = self._state.doing
        return {"ok": True, **self._lock.about, "step": step, "pid": os.getpid()}

    def _undo(self, do: str, command: Mapping[str, Any], peer: Peer) -> Mapping[str, Any]:
        """Somebody makes the rack safe, or switches it by force: the run ends in his name, whatever it finds."""
        if self._is_over:
            return {"ok": True, "said": "the run has ended"}
        what = cleaned({"text": command.get("text", "")}).get("text", "something")
        reason = (
            f"{peer.user} made the rack safe with `harness safe` (process {peer.pid})"
            if do == "safe"
            else f"{peer.user} set {what} by force during the run (`harness set --force`, process {peer.pid})"
        )
        is_new = peer.uid not in self._undone  # one word of each: nobody fills the record
        self._undone.setdefault(peer.uid, reason)
        if self._state is not None and is_new:
            self._state.request_stop(Verdict.ABORTED, reason)
        return {"ok": True, "said": "the run ends as ABORTED"}

    def _twin(self, command: Mapping[str, Any], peer: Peer) -> Mapping[str, Any]:
        """Another run has begun with this run's serial number: both records say so."""
        said = cleaned(command)
        run = said.get("run", "")
        if self._state is None or said.get("serial") != self._lock.about.get("serial") or not run:
            return {"ok": False, "said": "another serial number"}
        if len(self._twins) < _TWINS and run not in self._twins:
            self._twins.add(run)
            self._state.twin(twin_text(said.get("serial", ""), run, said.get("station", ""), str(peer)))
        return {"ok": True}

    def _turn_away(self, state: RunState, do: str, peer: Peer) -> Mapping[str, Any]:
        owner = own_peer().user
        may = owner if owner == "root" else f"{owner} and root"
        about = self._lock.about
        where = f"{about.get('run', '')}, station {about.get('station', '')}"
        text = f"a run of {owner} goes on ({where}); only {may} may {do if do in COMMANDS else 'do that'}"
        if (peer.uid, do) not in self._turned_away and len(self._turned_away) < 64:
            self._turned_away.add((peer.uid, do))
            state.log.event(
                EventKind.OPERATOR, f"{do} by {peer} refused: he may not", command=do, who=peer.user, done=False
            )
        return {"ok": False, "said": text, "status": status(state)}


def twin_text(serial: str, run: str, station: str, who: str) -> str:
    """What both records say when one serial number is in two runs at the same time."""
    return f"serial {serial} is in another run at the same time: {run} on station {station} ({who})"
