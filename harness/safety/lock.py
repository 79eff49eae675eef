"""One rack, one run: what a run switches is its own until nobody acts for it any more.

```
harness.bay.<device>            bound by the run (or `harness set`) that has the device for itself
harness.use.<device>.<random>   bound by every run that commands a device which others may command too (a shared CDU)
harness.safe.<device>.<random>  bound by `harness safe` while it acts: no run begins in between
harness.run.<run id>            bound by every run in real time: where `harness ctl` finds it
```

<device> is a digest of a key (see `keys`). Who takes the lock binds his names first and looks for those of others then:
of two that come at the same moment, at least one sees the other. The guardian inherits the sockets of its run, so that
a rack whose run is dead stays locked until it has been made safe.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import RunError
from harness.safety.keys import Key
from harness.safety.names import (
    ANSWERS_WITHIN_S,
    Peer,
    ask,
    bind,
    command_line,
    listed,
    own_peer,
    processes_behind,
    state_in_words,
    state_of,
)

Doing = Literal["run", "set", "safe"]
_FIELDS = ("doing", "run", "serial", "station", "plan", "step", "text", "started", "on", "runner")
_LONGEST_FIELD = 160
_RUN = "harness.run."
_GUARDIAN = "harness.guardian"
_ASK_AGAIN = 2
_GONE_WITHIN_S = 0.3
_TWIN_WITHIN_S = 0.3
_TOLD_WITHIN_S = 0.5


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has what was asked for. `said` is his own word, cleaned; {} when he does not answer."""

    name: str
    peer: Peer
    said: Mapping[str, str]
    pid: int

    @property
    def doing(self) -> str:
        """What he does with it: run, guardian, set or safe; '' when he does not answer."""
        return self.said.get("doing", "")

    @property
    def run(self) -> str:
        """The run that has the name `harness.run.<run id>`; '' for another name."""
        return self.name.removeprefix(_RUN) if self.name.startswith(_RUN) else ""

    @property
    def who(self) -> str:
        """User and process."""
        return str(Peer(self.pid, self.peer.uid))

    def __str__(self) -> str:
        if not self.said:
            return _silent(self)[0]
        if self.doing == "guardian":
            return f"the guardian of {self.said.get('run', 'a run')} {self.said.get('text') or 'acts'} ({self.who})"
        if self.doing == "run":
            step = f", {self.said['step']}" if self.said.get("step") else ""
            return f"in use by {self._run}{step}, started {self.said.get('started', '')} by {self.who}"
        return f"in use by `harness {self.doing}` {self.said.get('text', '')} of {self.who}"

    @property
    def _run(self) -> str:
        serial = f" (serial {self.said['serial']})" if self.said.get("serial") else ""
        return f"{self.said.get('run') or 'a run that begins'}{serial}"

    @property
    def hint(self) -> str:
        """What to do about it."""
        if not self.said:
            return _silent(self)[1]
        if self.doing == "guardian" and self.said.get("runner"):
            return f"end the runner: kill -9 {self.said['runner']}"
        if self.doing == "guardian":
            return "wait until it has; its guardian.jsonl in the run's folder tells what it does"
        if self.doing == "run":
            return "wait for it, or stop it"
        return "wait for it"


def _silent(holder: Holder) -> tuple[str, str]:
    """What is known of somebody who does not answer, and what to do."""
    pid = holder.peer.pid
    shown = str(holder.peer)
    if pid and state_of(pid) in ("", "Z"):  # it has ended, and somebody whom it left its sockets holds them
        others = [each for each in processes_behind(holder.name) if each != os.getpid()]
        pid = others[0] if others else 0
        shown = f"{holder.peer.user}, process {pid}" if pid else f"what process {holder.peer.pid} left behind"
    words = command_line(pid)
    is_guardian = _GUARDIAN in words
    run = words[words.index("--run") + 1] if is_guardian and "--run" in words[:-1] else "a run"
    what = f"the guardian of {run} ({shown})" if is_guardian else f"in use by {shown}"
    state = state_in_words(pid) if pid else "unknown to you"
    if state_of(pid) in ("T", "t"):
        acts = ": it makes nothing safe" if is_guardian else ""
        hint = f"`harness safe` makes the rack safe; then `kill -CONT {pid}` lets it go on, `kill -9 {pid}` ends it"
        return f"{what} is frozen ({state}){acts}", hint
    hint = f"`harness safe` makes the rack safe; `kill -9 {pid}` ends it" if pid else "ask root to look for it"
    return f"{what} does not answer ({state})", hint


class RackLock:
    """Names of this machine that one run, `set` or `safe` has taken; held until `release` or the end of the process."""

    def __init__(self, doing: Doing, about: Mapping[str, str]) -> None:
        self.about: dict[str, str] = {
            "doing": doing,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **about,
        }
        """What those are told who ask; changed as the run goes on."""
        self._doing = doing
        self._held: dict[str, socket.socket] = {}

    @classmethod
    def take(cls, doing: Doing, keys: Iterable[Key], **about: str) -> RackLock:
        """Take what is named by keys. RunError names who has it, since when, and what he does with it."""
        lock = cls(doing, about)
        try:
            lock.add(keys)
        except BaseException:
            lock.release()
            raise
        return lock

    def add(self, keys: Iterable[Key]) -> list[socket.socket]:
        """Take more; the new sockets. What was taken before a refusal is kept."""
        wanted = {digest(key.what): key for key in keys}
        before = set(self._held)
        for mark, key in sorted(wanted.items()):
            self._bind(mark, key)
        for name, key in self._others(wanted):
            holder = find(name)
            if holder is not None:
                raise _refusal(key, holder)
        return [held for name, held in self._held.items() if name not in before]

    def _bind(self, mark: str, key: Key) -> None:
        if self._doing != "safe" and key.alone:
            self._take(f"harness.bay.{mark}", key)
            return
        name = f"harness.{'safe' if self._doing == 'safe' else 'use'}.{mark}.{os.urandom(4).hex()}"
        self._held[name] = bind(name)

    def _take(self, name: str, key: Key) -> None:
        """Take a name that only one can have. Who has just ended is waited for."""
        until = time.monotonic() + _GONE_WITHIN_S
        while name not in self._held:
            try:
                self._held[name] = bind(name)
            except FileExistsError:
                holder = find(name)
                if holder is not None or time.monotonic() > until:
                    raise _refusal(key, holder) from None
                time.sleep(0.01)

    def _others(self, wanted: Mapping[str, Key]) -> list[tuple[str, Key]]:
        """The names of others that keep this lock from being had; `safe` is kept from nothing."""
        if self._doing == "safe":
            return []
        found = []
        for name in listed("harness.bay.", "harness.use.", "harness.safe."):
            kind, mark = name.split(".")[1:3]
            key = wanted.get(mark)
            if key is not None and name not in self._held and (kind != "use" or key.alone):
                found.append((name, key))
        return found

    def answer(self, command: Mapping[str, Any], peer: Peer) -> Mapping[str, Any]:  # noqa: ARG002
        """What a process that only holds the lock says to whoever asks: who it is."""
        return {"ok": True, **self.about, "pid": os.getpid()}

    def take_name(self, run: str) -> None:
        """Take the name at which `harness ctl` finds the run. RunError while its guardian still has it."""
        self.about["run"] = run
        self._take(f"{_RUN}{run}", Key(run, run))

    @property
    def sockets(self) -> Sequence[socket.socket]:
        """All sockets that are held: to answer at, and to leave to the guardian."""
        return tuple(self._held.values())

    def release(self) -> None:
        """Let others in, unless the guardian holds them too."""
        for each in self._held.values():
            each.close()
        self._held = {}


def digest(what: str) -> str:
    """A key as part of a name."""
    return hashlib.sha256(what.encode()).hexdigest()[:24]


def find(name: str, within: float = ANSWERS_WITHIN_S) -> Holder | None:
    """Who is behind a name; None when nobody is. Blocks for twice `within` seconds at most."""
    found = None
    for _ in range(_ASK_AGAIN):
        found = ask(name, {"do": "who"}, within)
        if found is None:
            return None
        if found[1] is not None:  # who does not answer may have been stopped just then: his guardian answers next
            break
    assert found is not None
    peer, answer = found
    pid = answer.get("pid") if answer is not None else None
    return Holder(name, peer, cleaned(answer or {}), pid if isinstance(pid, int) and pid > 0 else peer.pid)


def cleaned(answer: Mapping[str, Any]) -> dict[str, str]:
    """What an answer tells, as far as it has the shape of one: short printable texts."""
    texts = {key: answer[key] for key in _FIELDS if isinstance(answer.get(key), str) and answer[key]}
    return {
        key: "".join(char if char.isprintable() else "?" for char in text[:_LONGEST_FIELD])
        for key, text in texts.items()
    }


def tell_users(keys: Iterable[Key], do: Literal["safe", "set"], text: str) -> list[Holder]:
    """Tell everybody who runs or sets what the keys name, guardians too, that it is made safe or set by force.

    Blocking; one entry for each process that was told. A run ends in the name of who tells it.
    """
    marks = {digest(key.what) for key in keys}
    names = [name for name in listed("harness.bay.", "harness.use.") if name.split(".")[2] in marks]
    found: dict[tuple[int, str], Holder] = {}
    for name in names:
        holder = find(name, _TOLD_WITHIN_S)
        if holder is None or holder.peer == own_peer():
            continue
        key = holder.pid, holder.said.get("run", "")
        if key not in found:
            ask(name, {"do": do, "text": text}, _TOLD_WITHIN_S)
            found[key] = holder
    return list(found.values())


def runs_on_this_machine(within: float = ANSWERS_WITHIN_S) -> list[Holder]:
    """Every run that goes on in real time on this machine, whoever's it is; a guardian that acts for one too."""
    found = (find(name, within) for name in listed(_RUN))
    return [holder for holder in found if holder is not None]


def tell_twins(about: Mapping[str, str]) -> list[Holder]:
    """Other runs of the serial number in `about`, a run's own description; they are told of this one."""
    own = f"{_RUN}{about['run']}"
    found = (find(name, _TWIN_WITHIN_S) for name in listed(_RUN) if name != own)
    twins = [
        holder
        for holder in found
        if holder is not None and holder.said.get("serial") == about["serial"] and holder.said.get("on") == "rack"
    ]
    for twin in twins:
        ask(twin.name, {"do": "twin", **about}, _TWIN_WITHIN_S)
    return twins


def _refusal(key: Key, holder: Holder | None) -> RunError:
    if holder is None:
        return RunError(f"{key.shown} is being let go by another process", hint="try again")
    if holder.doing == "guardian" or not holder.said:
        return RunError(f"{key.shown}: {holder}", hint=holder.hint)
    return RunError(f"{key.shown} is {holder}", hint=holder.hint)
