"""Two connections on one rack, at random moments: second runs, `set`, `set --force`, `safe` and `ctl`, of two users.

Judged by the truth of the simulated devices: what was refused changed nothing, what went through left the rack dark and
the run ABORTED in the name of who did it, and nobody ever gets at a rack whose dead run is still being made safe.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from random import Random

from tests.chaos.killing import Yard
from tests.chaos.table import Count, Row
from tests.integration.forked import Forked
from tests.integration.guarded_tools import OUTLETS, guardian_log, is_alive, said, until
from tests.integration.hand_tools import Done, User, as_nobody, harness, write_station

_REFUSED = ("run", "set", "pause")
_ENDS = ("safe", "force")


class Connections:
    """Somebody else at the yard: as root or as nobody, by the run's own station file or by another name of the host."""

    def __init__(self, place: Yard, rng: Random) -> None:
        self.place = place
        self.rng = rng
        self.users: list[User | None] = [None, as_nobody] if os.getuid() == 0 else [None]
        for path in (place.station, place.real):  # a starved machine is another row's business
            path.write_text(path.read_text().replace("poll: 0.5 s}", "poll: 0.5 s, max_age: 10 s}"))
        self.files = [
            write_station(place, "same.yaml"),
            write_station(place, "other.yaml", host="localhost", name="other"),
        ]

    def do(self, what: str, run: str) -> tuple[str, Done]:
        """Do something with the rack; what it was in words, and what came of it."""
        station, user = self.rng.choice(self.files), self.rng.choice(self.users)
        if what == "pause":
            user = self.users[-1]
        login = {"XDG_RUNTIME_DIR": str(self.place.folder)} if self.rng.random() < 0.5 else {}
        by_hand = ["--yes", "--station", station]
        as_new = ["--serial", "X-1", "--data", self.place.folder / "d2"]
        command: dict[str, list[object]] = {
            "run": ["run", self.place.plan, "--station", station, *as_new],
            "set": ["set", self.rng.choice(["pdu.outlet[2]", "pdu.outlet"]), self.rng.choice(["on", "off"]), *by_hand],
            "force": ["set", "pdu.outlet[3]", "off", "--force", *by_hand],
            "safe": ["safe", station],
            "pause": ["ctl", "pause", "--run", run],
        }
        words = f"{what} by {'nobody' if user is as_nobody else 'root'} with {station.name}"
        return words, harness(self.place, *command[what], user=user, **login)


def in_a_run(place: Yard, count: int, rng: Random) -> Row:
    """Each round: a run at full load, connections that must be refused, and one that ends it."""
    tally, connections = Count(), Connections(place, rng)
    for _ in range(count):
        process, folder = _begun(place, rng)
        doing = rng.sample(_REFUSED if len(connections.users) > 1 else _REFUSED[:2], 2)
        for what in doing:
            words, done = connections.do(what, folder.name)
            changed = place.outlets_on() != OUTLETS or process.poll() is not None
            tally.judge(words, "" if done.code == 6 and folder.name in done.said and not changed else done.said)
        words, done = connections.do(rng.choice(_ENDS), folder.name)
        end = said(process)
        is_right = done.code == 0 and end["verdict"] == "ABORTED" and end["safe"] and not place.outlets_on()
        who = "nobody" if "nobody" in words else "root"
        tally.judge(words, "" if is_right and end["reason"].startswith(who) else f"{done.said} {end}")
        _reap(process)
    return tally.row("another's run, set, safe, ctl in a run", "refused: 6, nothing changed; else ABORTED by name")


def behind_the_dead(place: Yard, count: int, rng: Random) -> Row:
    """Each round: a run is killed, its guardian frozen or kept busy by a stuck outlet; nobody but `safe` gets in."""
    tally, connections = Count(), Connections(place, rng)
    for _ in range(count):
        process, folder = _begun(place, rng)
        guardian = next(int(line["pid"]) for line in guardian_log(folder) if line.get("kind") == "start")
        place.guardians.append(guardian)
        os.kill(guardian, signal.SIGSTOP)
        process.kill()
        _reap(process)
        for what in rng.sample(["run", "set"], 2):
            words, done = connections.do(what, folder.name)
            is_right = done.code == 6 and f"process {guardian}) is frozen" in done.said
            tally.judge(words, "" if is_right and place.outlets_on() == OUTLETS else done.said)
        if rng.random() < 0.5:
            words, done = connections.do("safe", folder.name)
            tally.judge(words, "" if done.code == 0 and not place.outlets_on() else done.said)
        os.kill(guardian, signal.SIGCONT)
        until(lambda: not place.outlets_on(), 10)
        until(lambda: not is_alive(guardian), 20)  # noqa: B023
        words, done = connections.do("safe", folder.name)
        tally.judge(f"{words}, afterwards", "" if done.code == 0 else done.said)
    return tally.row("run, set, safe behind a dead run", "6 and the frozen guardian's pid; safe goes through")


def _begun(place: Yard, rng: Random) -> tuple[Forked, Path]:
    process = place.run()
    folder = Path(said(process)["folder"])
    until(lambda: place.outlets_on() == OUTLETS, 30)
    time.sleep(rng.uniform(0.0, 1.0))
    return process, folder


def _reap(process: Forked) -> None:
    process.wait(60)
    assert process.stdout is not None
    process.stdout.close()
