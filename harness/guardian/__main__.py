"""`python -m harness.guardian --pipe FD --lease FD`: started by the runner, never by hand."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import os
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, SafetyError
from harness.events import EventKind
from harness.guardian.connections import Connections
from harness.guardian.log import GuardianLog
from harness.guardian.voice import Voice
from harness.guardian.watch import Watch
from harness.safety import armed as armed_file
from harness.safety.actions import Sequences
from harness.safety.lease import GUARDIAN, Lease
from harness.safety.names import inherited
from harness.safety.reach import StrictReach
from harness.safety.sequence import SafeReport, energised, make_safe

PERSIST_S = 600.0
"""How long an unconfirmed safe state is tried again, seconds."""
_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGABRT)
"""Signals that end a run but not its guardian; systemd sends SIGABRT to the whole unit when its watchdog runs out."""
_AGAIN_S = 2.0
_LOOK_AGAIN_S = 1.0
TEND_EVERY_S = 20.0
"""Time between two uses of the guardian's connections while it has nothing to do, seconds."""
_TEND_S = 3.0
_BEAT_S = 0.25


def main(arguments: Sequence[str] | None = None) -> int:
    """Guard until the runner says good-bye, or until the rack is safe. 0; 5 when the safe state is not confirmed."""
    parser = argparse.ArgumentParser(prog="harness.guardian", description="Started by the runner, never by hand.")
    parser.add_argument("--pipe", type=int, required=True)
    parser.add_argument("--lease", type=int, required=True)
    parser.add_argument("--run", default="", help="for those who find it in a list of processes")
    parser.add_argument("--locks", default="", help="inherited sockets of the run's lock")
    given = parser.parse_args(arguments)
    for number in _DEAF_TO:
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        # only root may lower it; without the right the guardian is as likely a victim as any process of its size
        Path("/proc/self/oom_score_adj").write_text("-900")
    pipe = socket.socket(fileno=given.pipe)
    pipe.setblocking(False)
    locks = inherited([int(handle) for handle in given.locks.split(",") if handle])
    lease = Lease.inherited(given.lease)
    try:
        return asyncio.run(_guard(pipe, lease, locks))
    finally:
        lease.close()


async def _guard(pipe: socket.socket, lease: Lease, locks: Sequence[socket.socket]) -> int:
    watch = Watch()
    await asyncio.get_running_loop().create_connection(lambda: watch, sock=pipe)
    try:
        plan = await watch.hello
    except asyncio.CancelledError:
        return 0
    guardian_log = GuardianLog(Path(plan["guardian_log"]) if plan["guardian_log"] else None)
    guardian_log.note(EventKind.START, pid=os.getpid(), run=plan["run"], station=plan["station"], epoch=watch.epoch)
    voice = Voice(plan, locks, guardian_log)
    beating = asyncio.ensure_future(_beat(lease))
    try:
        return await _serve(watch, plan, lease, guardian_log, voice)
    except HarnessError as error:
        guardian_log.note(EventKind.FAILED, error=error.message)
        watch.say("failed", reason=error.message)
        return 1
    except Exception as error:
        guardian_log.note(EventKind.FAILED, error=repr(error))
        watch.say("failed", reason=repr(error))
        raise
    finally:
        beating.cancel()
        voice.close()
        await guardian_log.close()


async def _beat(lease: Lease) -> None:
    """Show the supervisor, where there is one, that the guardian lives and its loop runs."""
    while True:
        lease.beat("guardian")
        await asyncio.sleep(_BEAT_S)


async def _serve(watch: Watch, plan: Mapping[str, Any], lease: Lease, guardian_log: GuardianLog, voice: Voice) -> int:
    sequences = Sequences.of(plan)
    connections = Connections(plan["devices"])
    if connections.unusable:  # not now and not later: nothing may be energised with such a guardian
        raise SafetyError("; ".join(f"{name} cannot be reached: {why}" for name, why in connections.unusable.items()))
    problems = await connections.open()
    for device, problem in problems.items():
        guardian_log.note(EventKind.NOT_REACHED, device=device, problem=problem)
    gc.collect()
    gc.freeze()
    watch.say("ready", pid=os.getpid(), problems=problems)
    guardian_log.note(EventKind.READY, devices=sorted(connections.channels), problems=len(problems))
    keeping = asyncio.ensure_future(keep_connected(sequences, connections, watch, guardian_log, problems))
    cause = await watch.cause()
    keeping.cancel()
    await asyncio.wait({keeping})
    if not cause:
        guardian_log.note(EventKind.BYE, unconfirmed=list(watch.unconfirmed))
    elif not watch.armed:
        guardian_log.note(EventKind.RUNNER_GONE, cause=cause, armed=[])
        _disarm(plan)
    else:
        return await _take_over(watch, plan, lease, guardian_log, voice, sequences, connections, cause)
    await connections.close()
    return 0


async def keep_connected(
    sequences: Sequences, connections: Connections, watch: Watch, guardian_log: GuardianLog, problems: dict[str, str]
) -> None:
    """Use every connection now and then: what a gateway or firewall has forgotten is found out before it matters."""
    reach = StrictReach(connections)
    while True:
        await asyncio.sleep(TEND_EVERY_S)
        for device, read in sequences.samples().items():
            try:
                async with asyncio.timeout(_TEND_S):
                    await reach.look(device, [read])
            except (HarnessError, TimeoutError) as error:  # the next round tries again
                problem = str(error) or "no answer"
            else:
                problem = ""
            if problem and device not in problems:
                guardian_log.note(EventKind.NOT_REACHED, device=device, problem=problem)
            elif not problem and device in problems:
                guardian_log.note(EventKind.REACHED_AGAIN, device=device)
            if bool(problem) != (device in problems):
                watch.say("connection", device=device, problem=problem)
            problems.pop(device, None)
            if problem:
                problems[device] = problem


async def _take_over(
    watch: Watch,
    plan: Mapping[str, Any],
    lease: Lease,
    guardian_log: GuardianLog,
    voice: Voice,
    sequences: Sequences,
    connections: Connections,
    cause: str,
) -> int:
    lease.revoke(GUARDIAN)  # first of all: from here on the runner, should it wake up, does not energise again
    watch.say("revoked", cause=cause)
    started = time.monotonic()
    armed = watch.armed
    voice.open()
    guardian_log.note(EventKind.TAKEOVER, cause=cause, armed=armed, sequence=watch.sequence, revoked_epoch=watch.epoch)
    unconfirmed: list[str] = []
    persist = 0.0 if plan["is_simulated"] else PERSIST_S
    was_live: bool | None = None
    while True:
        chosen = sequences.chosen(watch.sequence, armed)
        work = asyncio.ensure_future(make_safe(chosen, cause, connections, guardian_log, bus_was_live=was_live))
        was_live = True  # it is looked for once, before anything was switched off
        if not await _finished(work, watch):
            guardian_log.note(EventKind.BYE, text="the runner has made the rack safe itself")
            break
        unconfirmed = work.result().unconfirmed
        seconds = round(time.monotonic() - started, 3)
        guardian_log.note(
            EventKind.SAFE if not unconfirmed else EventKind.UNSAFE, seconds=seconds, unconfirmed=unconfirmed
        )
        watch.say("done", confirmed=not unconfirmed, unconfirmed=unconfirmed)
        voice.is_safe = not unconfirmed
        if not unconfirmed:
            _disarm(plan)
        if unconfirmed:
            if seconds >= persist:
                break
            await asyncio.sleep(_AGAIN_S)
        elif await _stays_off(watch, sequences, armed, connections, guardian_log):
            break
    if unconfirmed and plan["is_simulated"]:
        guardian_log.note(EventKind.NOTE, text="the simulated devices lived in the runner and ended with it")
    await connections.close()
    return 5 if unconfirmed else 0


def _disarm(plan: Mapping[str, Any]) -> None:
    """The rack is safe: nobody has to look after it any more."""
    if plan["armed"]:
        with contextlib.suppress(OSError):
            armed_file.remove(Path(plan["armed"]))
            os.unlink(plan["live"])


async def _finished(work: asyncio.Future[SafeReport], watch: Watch) -> bool:
    """Wait for the safe state; False when the runner, awake again and done with its own, says good-bye before."""
    while not work.done() and not watch.said_bye:
        await asyncio.wait({work}, timeout=0.1)
    if not work.done():
        work.cancel()
        await asyncio.wait({work})
        return False
    return True


async def _stays_off(
    watch: Watch, sequences: Sequences, armed: Sequence[str], connections: Connections, guardian_log: GuardianLog
) -> bool:
    """A frozen runner may wake up in the middle of a command: look until it is gone. False when something is on."""
    chosen = sequences.chosen(watch.sequence, armed)
    mentioned = [put.key for action in chosen.actions for put in action.puts]
    keys = [key for key in dict.fromkeys((*armed, *mentioned)) if key in sequences.off]
    while not (watch.is_gone or watch.said_bye):
        await asyncio.sleep(_LOOK_AGAIN_S)
        if again := await energised(sequences.off, keys, connections):
            guardian_log.note(EventKind.ENERGISED_AGAIN, switches=again)
            return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
