"""Colours that people with any colour vision tell apart (Okabe and Ito 2008), always beside a word and a symbol."""

from __future__ import annotations

from harness.limits.verdict import Verdict

GREEN = "#009e73"
VERMILLION = "#d55e00"
ORANGE = "#e69f00"
YELLOW = "#f0e442"
SKY = "#56b4e9"
PURPLE = "#cc79a7"
BLUE = "#0072b2"
RED = "#9b0000"
"""Darker than any other band, with white on it: only for a rack that is not known to be safe."""

OF_VERDICT = {
    Verdict.PASS: GREEN,
    Verdict.FAIL: VERMILLION,
    Verdict.ERROR: PURPLE,
    Verdict.TRIPPED: ORANGE,
    Verdict.ABORTED: SKY,
    Verdict.INTERRUPTED: SKY,
    Verdict.INCONCLUSIVE: YELLOW,
}

SYMBOL = {
    Verdict.PASS: "✔",
    Verdict.FAIL: "✘",
    Verdict.ERROR: "!",
    Verdict.TRIPPED: "▲",
    Verdict.ABORTED: "■",
    Verdict.INTERRUPTED: "■",
    Verdict.INCONCLUSIVE: "?",
    Verdict.SKIPPED: "-",
    Verdict.RUNNING: "▶",
}

MEANING = {
    Verdict.PASS: "the rack is good",
    Verdict.FAIL: "the rack is bad",
    Verdict.ERROR: "the station is bad; nothing is said about the rack",
    Verdict.TRIPPED: "an interlock fired",
    Verdict.ABORTED: "stopped on request",
    Verdict.INTERRUPTED: "the run broke off",
    Verdict.INCONCLUSIVE: "not enough valid data to say",
}

NOT_SAFE = "NOT SAFE"
"""The word for the end that is worse than any verdict."""

TO_DO = {
    Verdict.FAIL: "repair the rack, then run the plan again",
    Verdict.ERROR: "repair the station (see `harness probe`), then run the plan again",
    Verdict.TRIPPED: "find the cause before power goes on again",
    Verdict.INCONCLUSIVE: "find out why data are missing, then run the plan again",
}
"""What to do when nobody who knows more has said so."""
