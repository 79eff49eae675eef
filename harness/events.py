"""The kinds of events: one table for journal, record, `--json`, guardian's log, screens and a resumed run.

A kind is a word of the record: it is never given another meaning. One that is new is added here, with what it says, and
makes a new `VERSION`. A record says by which it was written: `events` in the journal's meta and in `--json`'s result.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

VERSION = 2
"""Of this table; goes up by one when a kind is added."""


class EventKind(StrEnum):
    """What kind of thing happened; `meaning` says it in words (docs/reference/events.md)."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        """A word and what it stands for."""
        kind = str.__new__(cls, word)
        kind._value_ = word
        kind.meaning = meaning
        return kind

    # a run
    RUN = "run", "a run began: plan, station, serial number"
    SET = "set", "a parameter of the plan has another value than its default"
    ENGINEERING = "engineering", "why the run certifies nothing"
    BOOT = "boot", "which boot of its computer a life of the run is in; in the journal only"
    INTERRUPTED = "interrupted", "a run of this station died, this one or one before"
    RESUME = "resume", "an interrupted run goes on: what was lost, and what is done again"
    RESTORED = "restored", "what a completed step had set is set again after a resume"
    STOP = "stop", "the run stops early: verdict and reason"
    VERDICT = "verdict", "what the run came to, and why"
    COVERAGE = "coverage", "samples of each device so far, due, come and good; in the journal only"
    CLOCK = "clock", "the system's clock is wrong or was stepped"
    NOTE = "note", "something worth knowing that has no kind of its own"
    BUG = "bug", "an error in the harness or a step, with its traceback"
    REPORT = "report", "which devices cannot be used, and why, as a tree"
    # its devices
    DEVICE = "device", "who a device is, or what became of it"
    FOUND = "found", "how the rack was found, before the run commanded anything"
    UNJUDGED = "unjudged", "nothing outside has judged the profiles of these devices"
    FROZEN = "frozen", "a signal stands still that cannot"
    TWIN = "twin", "another run of this serial number goes on at the same time"
    TRAP = "trap", "an SNMP notification came in"
    TELEMETRY = "telemetry", "how the copy to the database goes"
    # its steps
    STEP = "step", "an attempt of a step began"
    LEFT_OUT = "left out", "a step is not carried out, because of `when` or `until`: which, and why"
    STEP_END = "step end", "it ended: verdict, reason, and whether the run goes on"
    CHECKPOINT = "checkpoint", "how far a step is, for a resumed run; in the journal only"
    MEASUREMENT = "measurement", "a value, its limit and its verdict"
    ZERO = "zero", "what steps of the run take off a signal from here on, with its uncertainty"
    ANSWER = "answer", "what somebody answered to a prompt"
    OPERATOR = "operator", "somebody paused, skipped, repeated, ended or was refused it"
    PERSON = "person", "what somebody did by hand or noted, with name"
    # its safety
    ARMED = "armed", "the interlocks that are armed"
    PROVED = "proved", "the interlocks that tripped in their proof test"
    WARNING = "warning", "an interlock that only warns is beyond its limit"
    GUARDIAN = "guardian", "what is known of the guardian process"
    LAYERS = "layers", "what makes the rack safe besides the run: guardian, supervisor, dead-men"
    FOREIGN_CONTROL = "foreign control", "a control changed without a command of this run"
    SAFE_STATE = "safe state", "a safe-state sequence began: which, and why"
    SAFE_ACTION = "safe action", "one of its actions, and whether it is confirmed"
    SAFE = "safe", "what came of the safe state: confirmed, or what is not; in guardian.jsonl: it is confirmed"
    # a command
    INTENT = "intent", "a command is about to be sent"
    ACKNOWLEDGED = "acknowledged", "the device took it"
    REFUSED = "refused", "the device refused it"
    UNCLEAR = "unclear", "nobody knows whether the device took it"
    WALKING = "walking", "a control with a rate goes to its value by steps"
    CONFIRMED = "confirmed", "reading back shows it"
    NOT_CONFIRMED = "not confirmed", "reading back does not show it in time"
    # the guardian and the supervisor, in guardian.jsonl
    START = "start", "a guardian, or the supervisor in its place, began"
    READY = "ready", "it has tried all its connections, and watches"
    FAILED = "failed", "it failed"
    COMMAND = "command", "it is about to send a command"
    ASKED = "asked", "somebody asked it to do something"
    NOT_REACHED = "not reached", "it cannot reach a device"
    REACHED_AGAIN = "reached again", "it reaches it again"
    RUNNER_GONE = "runner gone", "the run died with nothing switched on"
    TAKEOVER = "takeover", "it makes the rack safe: why"
    UNSAFE = "NOT CONFIRMED", "the safe state is not confirmed by the guardian or supervisor: what is open"
    ENERGISED_AGAIN = "energised again", "something is on that it had switched off"
    BYE = "bye", "it was sent home"
    # the screens only
    DATABASE = "database", "how the push to the database after a run in virtual time went"
    SIGNAL = "signal", "a signal of the operating system came in"
    RESULT = "result", "what the run came to, whole: the last line of `--json`, with keys of its own"
