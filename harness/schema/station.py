"""The station: its devices, derived signals, interlocks, safe state and telemetry."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from harness.quantity import Quantity
from harness.schema.conditions import Bounds, Condition
from harness.schema.fields import (
    ControlRef,
    Coverage,
    Day,
    Duration,
    DurationOrZero,
    FileRef,
    LocatedError,
    Model,
    Name,
    QuantityField,
    Rate,
    SignalRef,
    StrictText,
    Title,
    one_by_one,
)
from harness.schema.motion import StationMover
from harness.schema.simulation import Simulation
from harness.schema.traps import Traps

LONGEST_FOR_S = 300.0


DAY_S = 86400.0


def _is_short(seconds: float) -> float:
    if seconds > LONGEST_FOR_S:
        raise ValueError(f"{seconds:g} s is longer than the {LONGEST_FOR_S:g} s that any interlock may wait")
    return seconds


def _is_within_a_year(seconds: float) -> float:
    if seconds > 366 * DAY_S:
        raise ValueError("a year is the longest that any interlock may be bypassed")
    return seconds


class DeviceEntry(Model):
    """One device of the station."""

    profile: StrictText
    address: StrictText
    role: Literal["station", "uut"] = "station"
    poll: Duration = 1.0
    slow: Duration = 10.0
    """How often signals of poll class `slow` are read, at most; a big switch has hundreds of them."""
    max_age: Duration | None = None
    """A reading older than this is STALE; default three polls."""
    grace: DurationOrZero = 10.0
    """How long the device may be silent before the run gives it up."""
    needed: Literal["control", "monitor"] = "control"
    """What silence beyond grace means: control = the run ends with ERROR; monitor = a gap in the data."""
    dead_man: Duration | None = None
    """Arm the device's own dead-man, where its profile has one: after this time without a word of the run the device
    acts by itself. It is fed four times in this time. Without it nothing is armed."""
    outlets_may_idle: bool = False
    """An outlet of this device that is on may take nothing while others carry load: supplies that go to sleep, trays
    that switch themselves off. A breaker that trips behind one is then not seen by its load."""
    boots_within: DurationOrZero = 30.0
    """Role `uut`: how long after this run switched anything on or off the device may show a restart. A later one, that
    no `restart_on` of the running step allows for, ends the run with ERROR."""
    credentials: FileRef | None = None
    parameters: dict[str, int] = Field(default_factory=dict)
    counts: dict[str, Annotated[int, Field(ge=0, le=512)]] = Field(default_factory=dict)
    """How many of a repetition this device has. Where it says nothing, `pdu.outlet` is what was found at open; a device
    that is found to have fewer than said here is refused; so is one with more switches."""
    serial: str = ""
    """Expected serial number; another unit behind the address is refused."""
    firmware: tuple[str, ...] = ()
    """Accepted firmware versions; empty: any, recorded."""


Hazard = Literal["coolant", "temperature", "leak", "emergency_stop", "door"]
"""What must be watched on a station that energises."""


class ArmedWhen(Bounds):
    """An interlock is armed only while this holds (bad data arms it: silence is not safety)."""

    signal: SignalRef


NEEDED = {"1oo1": 1, "1oo2": 1, "2oo2": 2, "2oo3": 2, "1ooN": 1, "2ooN": 2}
"""How many of an interlock's signals must be bad to trip, by its vote."""


class Interlock(Bounds):
    """A condition that must hold from arming to disarming: a level, latched; silence counts as bad."""

    needs_bounds: ClassVar[bool] = False

    name: StrictText
    signal: SignalRef | None = None
    signals: tuple[SignalRef, ...] = ()
    """Several, also rows of a bank: `trays.tray[1-18].leak`."""
    vote: Literal["1oo1", "1oo2", "2oo2", "2oo3", "1ooN", "2ooN"] = "1oo1"
    """How many of `signals` must be bad to trip, with bad data counted as said in docs/reference/interlocks.md."""
    max_rate: Rate | None = None
    """Largest change of the signal a time, e.g. `2 K/s`."""
    for_: Annotated[DurationOrZero, Field(alias="for")] = 0.0
    armed_when: ArmedWhen | None = None
    armed_in: tuple[str, ...] = ()
    """Names of the steps, or of groups of them, during which the interlock is armed; empty: always."""
    on_trip: StrictText = "default"
    action: Literal["trip", "warn"] = "trip"
    """`warn`: tells and records that the condition does not hold, and stops nothing. It guards nothing either."""
    locks_power: bool = False
    """Nothing is switched on while it is bad, armed or not: gas in the rack, a cover that is off."""
    guards: Hazard | None = None
    """What it watches, where the names of its signals do not say so (a contact at a digital input)."""

    @model_validator(mode="after")
    def _complete(self) -> Interlock:
        if (self.signal is None) == (not self.signals):
            raise ValueError("give either signal, or signals with a vote")
        have = len(self.all_signals)
        wanted = {"1oo1": 1, "1oo2": 2, "2oo2": 2, "2oo3": 3}.get(self.vote, max(2, have))
        if wanted != have:
            raise ValueError(f"vote {self.vote} needs {wanted} signal(s), {have} given")
        if len(set(self.all_signals)) < have:
            raise ValueError("a vote needs different signals: one that is named twice has two votes")
        if not self.quantities() and not self.words and self.max_rate is None:
            raise ValueError("give min, max, equals, one_of or max_rate: what must hold")
        if self.action == "warn" and "on_trip" in self.model_fields_set:
            raise LocatedError("a warning leads nowhere: leave on_trip out", "on_trip")
        if self.action == "warn" and self.locks_power:
            raise LocatedError("a warning stops nothing, and locks nothing", "locks_power")
        return self

    @property
    def all_signals(self) -> tuple[str, ...]:
        """The watched signals, one by one."""
        rows = (row for each in self.signals for row in one_by_one(each))
        return tuple(rows) or ((self.signal,) if self.signal else ())


class Bypass(Model):
    """An interlock that is left out of the runs for a while. Such a run is an engineering run: it certifies nothing."""

    interlock: StrictText
    """Its name, as the interlock has it."""
    owner: Title
    """Who answers for it."""
    until: Day
    """The last day on which it may be left out; after it no run begins."""
    reason: Title

    def __str__(self) -> str:
        return f"bypassed by {self.owner} until {self.until}: {self.reason}"


class KeepUntil(Condition):
    """The condition that ends a `keep`."""


class SafeAction(Model):
    """One entry of a safe-state sequence: a `set` (parallel over a bank of controls), or a `keep`.

    Neighbouring `set`s of controls that put power on the rack are one stroke: each device is told at once, and one that
    does not answer delays nobody. All else comes in order.
    """

    set: ControlRef | None = None
    to: StrictText | float | None = None
    """A word (`off`) or a quantity (`30 %`)."""
    confirm_within: Duration = 5.0
    confirm_by: Condition | None = None
    """An independent reading that must agree, where there is one (rack power, outlet current)."""
    stagger: DurationOrZero = 0.0
    """Time between the commands of a bank, where loads must not go all at once; in a sequence of kind `end` only."""
    keep: ControlRef | None = None
    until: KeepUntil | None = None
    at_least: DurationOrZero = 0.0
    """How long a `keep` lasts at least, also when its condition holds at once."""
    at_most: Duration = 600.0
    """After this time a `keep` ends without its condition; it is then reported as not reached."""
    only_if_confirmed: bool | None = None
    """Skip this action while something that energises the rack is not confirmed off, or the rack is not known to be
    without heat (cooling stays on). Default: yes, except in a sequence `on_live_parts`. With `false` it waits for none
    of its neighbours that take the power off: batteries told to stop, trays to shut down."""

    only_tripped: bool = False
    """Of a bank, only the rows whose signals tripped: `trays.tray[3].leak` is wet, `agent.tray[3]` is set. Who does not
    know which they were (the guardian of a dead run, `harness safe`) sets them all."""

    @model_validator(mode="after")
    def _one(self) -> SafeAction:
        if (self.set is None) == (self.keep is None):
            raise ValueError("an action is either `set: control` with `to:`, or `keep: control` with `until:`")
        if self.set is not None and self.to is None:
            raise ValueError("`set` needs `to:` (a word or a quantity)")
        if self.keep is not None and self.until is None:
            raise ValueError("`keep` needs `until:` (a condition) and an `at_most:`")
        if self.only_tripped and self.set is None:
            raise LocatedError("only a `set` of a bank has rows", "only_tripped")
        if self.at_least > self.at_most:
            raise LocatedError("at_least is longer than at_most", "at_least")
        return self


NO_TIME = "only a sequence of kind end has time to stagger"


class SafeSequence(Model):
    """A safe-state sequence that says of what kind it is. A plain list of actions is one of kind `heat`."""

    kind: Literal["heat", "leak", "end"] = "heat"
    """heat: takes the heat off and leaves the coolant. leak: deals with the coolant too; what a leak brings with it (no
    flow, low pressure) puts no other sequence in its place, and cleanup is left out after it. end: the calm end of a
    run that nothing stopped; anything unconfirmed in it is followed by `default`."""
    scope: Literal["tray", "rack", "loop"] = "loop"
    """kind leak: how far the leak reaches. One that reaches farther replaces one under way, never the other way."""
    on_live_parts: bool = False
    """kind leak: the liquid may reach live parts, so the coolant is dealt with at once, whether the heat is off or
    not."""
    actions: tuple[SafeAction, ...]

    @model_validator(mode="after")
    def _fits(self) -> SafeSequence:
        if self.on_live_parts and self.kind != "leak":
            raise LocatedError("on_live_parts belongs to a sequence of kind leak", "on_live_parts")
        if "scope" in self.model_fields_set and self.kind != "leak":
            raise LocatedError("scope belongs to a sequence of kind leak", "scope")
        if self.kind != "end":
            for index, action in enumerate(self.actions):
                if action.stagger:
                    raise LocatedError(NO_TIME, "actions", index, "stagger")
        return self


class DeEnergised(Model):
    """How the station sees that a rack is dead, not only switched off: batteries and capacitors keep a bus live."""

    bus: tuple[SignalRef, ...]
    """The voltages of the rack's busbars; all of them count."""
    under_voltage: QuantityField
    """Below this the trays draw nothing: with the batteries idle there is no heat, and the coolant may stop."""
    battery_current: tuple[SignalRef, ...] = ()
    """The currents of the rack's batteries, where it has some."""
    battery_idle: QuantityField = Quantity(1.0, "A")
    """A battery whose current is at most this, in either direction, feeds nothing."""
    below: QuantityField = Quantity(2.0, "V")
    """Below this a busbar counts as dead."""
    within: Duration = 180.0
    """How long the busbars may take to get there (capacitors bleed); after it the safe state is not confirmed."""


class Influx(Model):
    """The time-series database that gets a copy."""

    url: StrictText
    api: Literal["v2", "v1"] = "v2"
    org: str = ""
    bucket: str = ""
    database: str = ""
    token: FileRef | None = None
    user: str = ""
    password: FileRef | None = None

    @model_validator(mode="after")
    def _target(self) -> Influx:
        if self.api == "v2" and not self.bucket:
            raise ValueError("api v2 needs bucket (and org)")
        if self.api == "v1" and not self.database:
            raise ValueError("api v1 needs database")
        return self


class Telemetry(Model):
    """Where telemetry is copied to."""

    influxdb: Influx | None = None


class Derived(Model):
    """A signal computed from others by a named, typed function."""

    function: StrictText
    inputs: dict[str, SignalRef]
    unit: str = ""
    description: str = ""


class Station(Model):
    """A test position."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    station: StrictText
    title: str = ""
    bays: dict[StrictText, dict[Name, Any]] = Field(default_factory=dict)
    """A line in one file: name of a bay -> its values. `${bay}` stands for the name, `${name}` for each value, as a
    whole; `--station FILE@BAY` says which bay is meant."""
    devices: dict[str, DeviceEntry]
    derived: dict[SignalRef, Derived] = Field(default_factory=dict)
    interlocks: tuple[Interlock, ...] = ()
    longest_for: Annotated[Duration, AfterValidator(_is_short)] = 30.0
    """The longest `for` of any interlock, the plan's own included; at most 5 min: what may be bad for longer guards
    nothing."""
    bypass: tuple[Bypass, ...] = ()
    """Interlocks of the station that are left out for a while."""
    longest_bypass: Annotated[Duration, AfterValidator(_is_within_a_year)] = 90.0 * DAY_S
    """How many days ahead the `until` of a bypass may be, the plan's own included; at most a year: an end that never
    comes is none."""
    moves_with: dict[SignalRef, tuple[StationMover, ...]] = Field(default_factory=dict)
    """signal: what cannot move for long while it stands still, of whatever device. A sensor that does it is STALE."""
    accuracy: dict[SignalRef, QuantityField] = Field(default_factory=dict)
    """signal (or column): the limit of its error by datasheet or calibration, in its unit (K for a temperature) or in %
    of the reading, e.g. `cdu.flow: 1.5 %`. From it come the uncertainties of what is measured and derived."""
    safe_state: dict[str, tuple[SafeAction, ...] | SafeSequence] = Field(default_factory=dict)
    """Sequences by name: `default` ends every run that was stopped, interlocks lead to the others by `on_trip`."""
    stays_on: dict[ControlRef, Title] = Field(default_factory=dict)
    """Switches that no sequence switches off, with the reason, e.g. `"pdu.outlet[8]": feeds the CDU`. No run touches
    them."""
    unguarded: dict[Hazard, Title] = Field(default_factory=dict)
    """Hazards that no interlock watches on this station, with the reason, e.g. `door: the bay has none`. Without it
    nothing is energised that is not watched for all of them."""
    coverage_floor: Coverage | None = None
    """The lowest `coverage` that a plan, or a step of it, may ask for on this station, %. Without it there is none, and
    `harness check` tells what asks for less than 90 %."""
    de_energised: DeEnergised | None = None
    """Where the station sees the rack's busbar: what proves that the rack is dead."""
    telemetry: Telemetry = Telemetry()
    traps: Traps | None = None
    show: tuple[SignalRef, ...] = ()
    """The signals that matter to the operator, in the order of the screen."""
    simulation: Simulation = Simulation()

    @model_validator(mode="after")
    def _feeds_are_devices(self) -> Station:
        for name in self.simulation.feeds:
            if name not in self.devices:
                raise ValueError(f"simulation.feeds: {name!r} is no device of the station")
        return self

    @model_validator(mode="after")
    def _plain_lists_do_not_stagger(self) -> Station:
        for name, given in self.safe_state.items():
            for index, action in enumerate(() if isinstance(given, SafeSequence) else given):
                if action.stagger:
                    raise LocatedError(NO_TIME, "safe_state", name, index, "stagger")
        return self

    @property
    def sequences(self) -> dict[str, SafeSequence]:
        """The safe-state sequences by name, each with its kind."""
        return {
            name: given
            if isinstance(given, SafeSequence)
            else SafeSequence.model_construct(kind="heat", scope="loop", on_live_parts=False, actions=given)
            for name, given in self.safe_state.items()
        }

    def actions_of(self, sequence: str) -> tuple[SafeAction, ...]:
        """The actions of a sequence, none for one that the station does not have."""
        found = self.sequences.get(sequence)
        return found.actions if found is not None else ()

    @property
    def exceptions(self) -> list[str]:
        """What nobody watches and what no sequence switches off, each with its reason, in words."""
        unwatched = [f"not watched: {hazard.replace('_', ' ')} ({why})" for hazard, why in self.unguarded.items()]
        return unwatched + [f"stays on: {switch} ({why})" for switch, why in self.stays_on.items()]
