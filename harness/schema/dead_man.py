"""A device's own dead-man: what it does by itself when nobody has told it for a while that the run lives."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from harness.schema.fields import Duration, Model, StrictText


class DeadManWrite(Model):
    """One write of the dead-man, to a control of the profile."""

    set: StrictText
    """A control (`heartbeat`), or a column of a repetition (`outlet.lease`): then that of every switch that is held."""
    to: StrictText = ""
    """One of the control's words, a quantity, or `within`: the time that the station gives."""
    counts: bool = False
    """Instead of `to`: a number that counts up, 1 to 65535, for devices that want to see a change."""

    @model_validator(mode="after")
    def _one(self) -> DeadManWrite:
        if bool(self.to) == self.counts:
            raise ValueError("give either to, or counts: true")
        return self


class DeadMan(Model):
    """How the dead-man of a device is armed, fed and disarmed. A station that wants it says `dead_man: 60 s`."""

    source: StrictText
    """Where it is written that the device behaves so, and what nobody has tried."""
    acts: Literal["off", "local"]
    """What the device does when it is not fed. off: it opens the switches under `covers`. local: it goes back to its
    own control, and what it cools stays cooled."""
    covers: str = ""
    """acts off: the control, or the repetition of controls, that it switches off."""
    shortest: Duration
    longest: Duration
    """Between these the time may be after which it acts, counted from the last feed."""
    arm: tuple[DeadManWrite, ...] = ()
    """Written once, before anything is energised; what has a confirming signal is read back."""
    feed: tuple[DeadManWrite, ...]
    """Written again and again, and for a switch as soon as it has been put on. Every write that has a confirming
    signal must show there, else the run ends."""
    disarm: tuple[DeadManWrite, ...] = ()
    """Written when the rack is confirmed safe."""

    @model_validator(mode="after")
    def _fits(self) -> DeadMan:
        if (self.acts == "off") != bool(self.covers):
            raise ValueError("acts: off needs covers (what it switches off), acts: local takes none")
        if self.shortest > self.longest:
            raise ValueError("shortest is longer than longest")
        if not self.feed:
            raise ValueError("feed is empty: what is never fed cannot tell a living run from a dead one")
        return self
