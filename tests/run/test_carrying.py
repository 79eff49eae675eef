"""A breaker, a contactor or a feed behind a switch that still reads `on` ends the run at once; no good rack does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.device.points import ControlPoint, Expansion, expand
from harness.device.registry import load_profile
from harness.device.setting import Setting
from harness.limits.verdict import Verdict
from harness.quantity import Frame, Quality
from harness.safety.carrying import Carrying
from harness.schema.problems import ProblemsError
from harness.schema.station import DeviceEntry
from tests.plan_runs import PLANS, STATION, run_plan, write_plan

DRIVERS = Path(__file__).resolve().parents[2] / "drivers"
TWO_FEEDS = PLANS / "stations" / "feeds_and_batteries.yaml"
POWER = "- {step: power_on, outlets: pdu.outlet, stagger: 100 ms}\n"
SOAK = (
    "- {step: wait_until, name: up, signal: rack.running, equals: idle, within: 20 s}\n"
    "- {step: soak, name: soak, for: 2 min, load: LOAD, MORE watch: [{signal: cdu.supply_temperature, max: 45 degC}]}\n"
)


def soak(folder, load="100 %", more="", power=POWER):
    return write_plan(folder, power + SOAK.replace("LOAD", load).replace("MORE", more))


def stopped_at(ran):
    return next(event.mono for event in ran.events if event.kind == "stop")


@pytest.mark.parametrize("fault", ["breaker_trip:1", "breaker_trip:8", "phase_loss:2"])
@pytest.mark.parametrize("load", ["0 %", "40 %", "100 %"])
def test_what_trips_behind_an_outlet_in_a_soak_is_found_within_three_seconds_at_any_load(load, fault, tmp_path):
    ran = run_plan(soak(tmp_path, load), tmp_path, faults=[f"{fault}@60.2s"])
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.ERROR, 3), ran.reason
    assert "nothing flows any more through" in ran.reason
    assert "which this run had set to on" in ran.reason or fault.startswith("phase")
    assert 60.2 <= stopped_at(ran) <= 63.2
    assert ran.on == []


def test_a_soak_that_may_restart_is_told_at_once_too(tmp_path):
    ran = run_plan(soak(tmp_path, more="restart_on: [rack.reboots],"), tmp_path, faults=["breaker_trip:3@60.2s"])
    assert ran.outcome.verdict is Verdict.ERROR, ran.reason
    assert stopped_at(ran) <= 63.2


@pytest.mark.parametrize("fault", ["feed_loss:pdu_b", "breaker_trip:pdu_a.2", "breaker_trip:pdu_b.7"])
def test_one_of_two_feeds_is_missed_though_the_other_carries_all_of_the_load(fault, tmp_path):
    power = "".join(f"- {{step: power_on, name: {x}, outlets: pdu_{x}.outlet, stagger: 100 ms}}\n" for x in "ab")
    ran = run_plan(soak(tmp_path, "50 %", power=power), tmp_path, station=TWO_FEEDS, faults=[f"{fault}@60.2s"])
    assert ran.outcome.verdict is Verdict.ERROR, ran.reason
    assert stopped_at(ran) <= 63.2
    assert run_plan(soak(tmp_path, "50 %", power=power), tmp_path, station=TWO_FEEDS).outcome.verdict is Verdict.PASS


IDLE = POWER + "- {step: hold, name: idle, for: 2 min, watch: [{signal: cdu.flow, min: 20 L/min, for: 2 s}]}\n"
ALL_BREAKERS = [f"breaker_trip:{k}@60.2s" for k in range(1, 9)]


@pytest.mark.parametrize("faults", [["feed_loss@60.2s"], ALL_BREAKERS, [*ALL_BREAKERS[:-1], "breaker_trip:8@61.2s"]])
def test_an_idle_rack_that_loses_all_its_power_is_no_pass(faults, tmp_path):
    ran = run_plan(write_plan(tmp_path, IDLE), tmp_path, faults=faults)
    assert (ran.outcome.verdict, ran.exit_code) == (Verdict.ERROR, 3), ran.reason
    assert "which this run had set to on" in ran.reason or "what this run had set to on" in ran.reason
    assert 60.2 <= stopped_at(ran) <= 64.2


def test_both_feeds_of_an_idle_rack_are_missed(tmp_path):
    idle = IDLE.replace("outlets: pdu.outlet", "name: a, outlets: pdu_a.outlet").replace(
        "- {step: hold", "- {step: power_on, name: b, outlets: pdu_b.outlet, stagger: 100 ms}\n- {step: hold"
    )
    faults = ["feed_loss:pdu_a@60.2s", "feed_loss:pdu_b@60.2s"]
    ran = run_plan(write_plan(tmp_path, idle), tmp_path, station=TWO_FEEDS, faults=faults)
    assert ran.outcome.verdict is Verdict.ERROR, ran.reason
    assert stopped_at(ran) <= 64.2


@pytest.mark.parametrize("seen", ["power", "bus"])
def test_where_outlets_are_not_metered_the_whole_device_or_the_busbar_shows_it(seen, tmp_path):
    hidden = "signals: {power: {poll: once}}" if seen == "bus" else ""
    station = station_with(tmp_path, "[]", more=hidden)
    if seen == "bus":
        text = station.read_text().replace("\nsafe_state:", f"\n{BUS}\nsafe_state:", 1)
        station.write_text(text.replace(", confirm_by: {signal: pdu.power, max: 500 W}", ""))
    ran = run_plan(write_plan(tmp_path, IDLE), tmp_path, station=station, faults=["feed_loss@60.2s"])
    assert ran.outcome.verdict is Verdict.ERROR, ran.reason
    assert ("shelf1.output_voltage" if seen == "bus" else "pdu.power") in ran.reason
    assert stopped_at(ran) <= 64.2


BUS = "de_energised: {bus: [shelf1.output_voltage], under_voltage: 40 V, below: 2 V, within: 3 min}"


def station_with(folder, outlet="", device="", more=""):
    """The simulated station, its PDU with another `shown_by` and more keys."""
    text = STATION.read_text()
    if outlet:
        control = f"repeat: {{outlet: {{control: {{shown_by: {outlet}}}}}}}"
        (folder / "pdu.yaml").write_text(f"schema: 1\nprofile: own/pdu\nextends: pdu/apc_rpdu2\n{control}\n{more}\n")
        text = text.replace("profile: pdu/apc_rpdu2", "profile: ./pdu.yaml")
    path = folder / "station.yaml"
    path.write_text(text.replace("slow: 20 s, max_age: 10 s", f"slow: 20 s, max_age: 10 s{device}"))
    return path


def test_a_device_that_measures_phases_only_shows_what_phases_show(tmp_path):
    station = station_with(tmp_path, "phase.current")
    ran = run_plan(soak(tmp_path, "20 %"), tmp_path, station=station, faults=["phase_loss:3@60.2s"])
    assert ran.outcome.verdict is Verdict.ERROR, ran.reason
    assert "pdu.phase[3].current went from" in ran.reason
    assert stopped_at(ran) <= 63.2


def test_a_station_may_say_that_its_outlets_idle(tmp_path):
    station = station_with(tmp_path, device=", outlets_may_idle: true")
    ran = run_plan(soak(tmp_path, "20 %"), tmp_path, station=station, faults=["breaker_trip:3@60.2s"])
    assert ran.outcome.verdict is Verdict.PASS, ran.reason


@pytest.mark.parametrize("shown", ["temperature.value", "phase.nothing", "state", "nothing"])
def test_a_profile_whose_outlets_are_shown_by_what_cannot_show_it_is_refused(shown, tmp_path):
    station_with(tmp_path, f"[power, {shown}]")
    with pytest.raises(ProblemsError, match="is shown by what cannot show it"):
        load_profile(tmp_path / "pdu.yaml")


@pytest.mark.parametrize("name", sorted(path.parent.name for path in (DRIVERS / "pdu").glob("*/profile.yaml")))
def test_every_switched_pdu_says_what_its_outlets_carry(name):
    profile, _ = load_profile(DRIVERS / "pdu" / name / "profile.yaml")
    for point in expand(profile).controls.values():
        if point.spec.energises:
            columns = {each.partition("]")[2] for each in point.shown_by}
            assert columns & {".power", ".current"}, point.name
            own = {each.partition("]")[2] for each in expand(profile).signals if each.startswith(f"{point.name}.")}
            metered = {".power", ".current"} & own
            assert not metered or any(each.startswith(f"{point.name}.") for each in point.shown_by), point.name


# --- never a false one

LEVELS = "".join(
    f"- {{step: set, name: to {k}, control: rack.level, to: {k} %}}\n- {{step: hold, name: at {k}, for: 15 s}}\n"
    for k in (100, 5, 60, 0)
)
STEPPED = f"""{POWER}- {{step: hold, name: idle, for: 40 s}}
{LEVELS}- {{step: power_off, name: one off, outlets: "pdu.outlet[1]"}}
- {{step: hold, name: seven, for: 20 s}}
- {{step: power_on, name: one on, outlets: "pdu.outlet[1]"}}
- {{step: hold, name: eight, for: 20 s}}
- {{step: power_off, outlets: pdu.outlet}}
- {{step: hold, name: dark, for: 20 s}}
- {{step: power_on, name: again, outlets: pdu.outlet, stagger: 3 s}}
- {{step: hold, name: lit, for: 30 s, watch: [{{signal: cdu.flow, min: 1 L/min}}]}}
"""


@pytest.mark.parametrize("more", [[], ["meter_refresh:pdu=3s"], ["psu_fail:3@45s"]])
def test_idle_racks_load_steps_and_what_the_run_switches_itself_are_nobodys_doing(more, tmp_path):
    ran = run_plan(write_plan(tmp_path, STEPPED), tmp_path, faults=more)
    assert ran.outcome.verdict is Verdict.PASS, ran.reason


@pytest.mark.parametrize("seed", range(21, 25))
def test_a_good_burn_in_passes(seed, tmp_path):
    ran = run_plan(PLANS / "burn_in_24h.yaml", tmp_path, settings={"soak_time": "20 min"}, seed=seed)
    assert ran.outcome.verdict is Verdict.PASS, ran.reason


# --- frame by frame


@dataclass
class Twin:
    """As much of a device as is watched: two outlets that are metered, and two phases."""

    name: str = "pdu"
    entry: DeviceEntry = field(default_factory=lambda: DeviceEntry(profile="pdu/apc_rpdu2", address="snmp://h"))

    def __post_init__(self) -> None:
        self.profile, _ = load_profile(DRIVERS / "pdu" / "apc_rpdu2" / "profile.yaml")
        whole = expand(self.profile, {"outlet": 2, "phase": 2, "bank": 1})
        shown = [
            f"{name}[{k}].{column}" for name, column in (("outlet", "power"), ("phase", "current")) for k in (1, 2)
        ]
        self.points: list[Any] = [whole.signals[name] for name in (*shown, "bank[1].current")]
        self.signals = [point.info(self.name) for point in self.points]
        self.expansion = Expansion(whole.signals, whole.controls)


class Story:
    """What a device shows, a frame a second."""

    def __init__(self, **entry: Any) -> None:
        self.device = Twin(entry=DeviceEntry(profile="pdu/apc_rpdu2", address="snmp://h", **entry))
        self.rack = Twin("rack", DeviceEntry(profile="load/rack_workload", address="snmp://h", role="uut"))
        self.foreign: set[str] = set()
        self.may_restart = False
        devices: Any = {"pdu": self.device, "rack": self.rack}
        self.carrying = Carrying(
            devices, lambda _, name: name in self.foreign, is_restart_expected=lambda _: self.may_restart
        )
        self.now = 0.0

    def set(self, control: str, word: str, device: str = "pdu") -> None:
        self.carrying.commanded(device, self.device.expansion.controls[control], Setting(word=word))

    def load(self, level: float) -> None:
        """The run sets the load of the rack."""
        control = ControlPoint("level", load_profile(DRIVERS / "load/rack_workload/profile.yaml")[0].controls["level"])
        self.carrying.commanded("rack", control, Setting(value=level))

    def on(self, *numbers: int) -> Story:
        for k in numbers or (1, 2):
            self.set(f"outlet[{k}]", "on")
        return self

    def see(self, one, two, seconds=1, *, phases=None, bank=0.0, quality=Quality.GOOD) -> str:
        """Show W of the outlets, A of the phases (what fits, unless given) and of the bank; what is found, or ''."""
        by_name = {"outlet[1]": one, "outlet[2]": two, "bank[1]": bank}
        by_name |= dict(zip(("phase[1]", "phase[2]"), phases or (one / 230, two / 230), strict=True))
        values = np.array([by_name[f"{point.group}[{point.row}]"] for point in self.device.points], dtype=float)
        qualities = np.full(len(values), quality, dtype=np.uint8)
        for _ in range(seconds):
            self.now += 1.0
            found = self.carrying.after_frame(Frame("pdu", 0, self.now, values, qualities))
            if found is not None:
                return found[0]
        return ""


def test_two_samples_of_nothing_are_needed_and_it_is_said_once():
    story = Story().on()
    assert story.see(2000, 2000, 12) == ""
    assert story.see(0, 4000) == ""
    assert story.see(0, 4000) == "pdu.outlet[1].power"
    assert story.see(0, 4000, 100) in ("", "pdu.phase[1].current")
    assert story.see(0, 4000, 100) == ""


@pytest.mark.parametrize(
    "between",
    [
        lambda story: story.see(0, 4000),  # one sample: a glitch
        lambda story: story.see(30, 4000, 60),  # standby
        lambda story: story.see(0, 4000, 60, quality=Quality.BAD_NAN),
        lambda story: story.see(0, 15, 60),  # both nearly, but one rests: the rack put itself to sleep
    ],
)
def test_what_looks_like_it_and_is_not(between):
    story = Story().on()
    assert story.see(2000, 2000, 12) == ""
    assert between(story) == ""
    assert story.see(2000, 2000, 5) == ""


def test_the_load_that_comes_back_elsewhere_shows_it():
    story = Story().on()
    story.see(2000, 2000, 12)
    story.may_restart = True
    assert story.see(0, 0, 3) == ""
    assert story.see(0, 4000, 2) == "pdu.outlet[1].power"


def test_all_that_this_run_switched_on_and_carried_load_is_dark_in_two_samples():
    story = Story().on()
    story.see(2000, 2000, 12)
    assert story.see(0, 0) == ""
    assert story.see(0, 0) == "pdu.outlet[1].power"
    assert story.see(0, 0, 100) == "", "it is said once"


def test_a_rack_that_may_restart_may_be_dark_for_as_long_as_that_takes_and_not_for_ever():
    story = Story().on()
    story.may_restart = True
    story.see(2000, 2000, 12)
    assert story.see(0, 0, 30) == ""
    assert story.see(2000, 2000, 12) == ""
    assert story.see(0, 0, 30) == ""
    assert story.see(0, 0, 2) == "pdu.outlet[1].power"


@pytest.mark.parametrize(
    "before",
    [
        lambda story: story.see(2000, 2000, 8),  # not known yet: the inrush of empty supplies
        lambda story: story.see(90, 90, 60),  # never loaded
        lambda story: (story.see(2000, 2000, 12), story.load(0)),  # the run took the load off
        lambda story: (story.load(50), story.see(2000, 2000, 12), story.load(20)),
        lambda story: (story.see(2000, 2000, 12), story.see(50, 50, 15)),  # it put itself to sleep
    ],
)
def test_all_dark_is_nothing_where_it_may_be_so(before):
    story = Story().on()
    before(story)
    assert story.see(0, 0, 25) == ""


def test_a_load_that_was_raised_excuses_nothing():
    story = Story().on()
    story.load(50)
    story.see(2000, 2000, 12)
    story.load(100)
    assert story.see(0, 0, 2) == "pdu.outlet[1].power"


def test_what_was_away_for_a_while_and_comes_back_dark_is_dark():
    story = Story().on()
    story.see(2000, 2000, 12)
    assert story.see(0, 0, 60, quality=Quality.BAD_NAN) == ""
    assert story.see(0, 0, 2) == "pdu.outlet[1].power"


def test_the_inrush_of_what_is_empty_is_no_load():
    story = Story().on()
    assert story.see(3000, 2000) == ""
    assert story.see(0, 2000, 60) == ""


def test_a_supply_may_take_its_time_after_the_inrush_but_not_for_ever():
    story = Story().on()
    assert story.see(3000, 2000, 2) == ""
    assert story.see(0, 2000, 30) == ""
    assert story.see(0, 2000, 3) == "pdu.outlet[1].power"


def test_what_is_empty_small_or_lower_by_the_load_of_all_is_not_told():
    for first, then in ((0, 0), (90, 0), (5000, 300), (5000, 12)):
        story = Story().on()
        story.see(first, 9000, 20)
        assert story.see(then, 9000, 60) == "", (first, then)


def test_what_took_a_little_for_long_switched_itself_off():
    story = Story().on()
    story.see(2000, 2000, 12)
    assert story.see(50, 2000, 15) == ""
    assert story.see(0, 2000, 60) == ""


def test_only_what_this_run_switched_on_counts():
    story = Story().on(2)
    story.foreign = {"outlet[1]"}
    story.see(2000, 2000, 12)
    assert story.see(0, 2000, 60) == "", "and phases that others load show nothing of ours"
    story.foreign = set()
    story.see(2000, 2000, 12)
    assert story.see(2000, 2000, 12, phases=(0, 18)) == "pdu.phase[1].current"


EMPTYING = [("outlet[1]", "off", "pdu"), ("outlet[1].lease", "off_later", "rack")]
"""A switch itself, and a word to the rack under test."""


@pytest.mark.parametrize(("control", "word", "device"), EMPTYING)
def test_a_command_of_the_run_that_can_empty_an_outlet_lets_it_begin_anew(control, word, device):
    story = Story().on()
    story.see(2000, 2000, 12)
    story.set(control, word, device)
    assert story.see(0, 2000, 60) == ""
    story.on(1)
    story.see(2000, 2000, 12)
    assert story.see(0, 4000, 2) != ""


def test_setting_on_what_is_on_already_hides_nothing():
    story = Story().on()
    story.see(2000, 2000, 12)
    story.see(0, 4000)
    story.on(1)
    assert story.see(0, 4000, 2) != ""


def test_a_slow_signal_must_show_it_in_two_readings():
    story = Story(slow="20 s").on()
    story.see(2000, 2000, 12, bank=10.0)
    assert story.see(2000, 2000, 20, bank=0.0) == ""
    assert story.see(2000, 2000, 2, bank=0.0) == "pdu.bank[1].current"
