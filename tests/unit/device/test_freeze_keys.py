"""What the keys `noise`, `moves_with`, `stamp` and `heartbeat` do, one by one, and which of them are refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.device.freeze import Freeze
from harness.device.heartbeat import Heartbeat
from harness.device.points import expand
from harness.device.registry import load_profile
from harness.project.station import load_station
from harness.quantity import Frame, Quality
from harness.schema.motion import StationMover
from harness.schema.problems import ProblemsError

ROOT = Path(__file__).resolve().parents[3]
STATION = ROOT / "testplans" / "stations" / "simulated.yaml"
HEAD = """schema: 1
profile: cdu/trial
title: Trial
class: cdu
protocol: modbus
source: trial
unverified: trial
signals:
"""
NOISE = "noise: {absolute: 1, source: trial}"


def profile(folder: Path, signals: str, more: str = ""):
    path = folder / "profile.yaml"
    path.write_text(HEAD + signals + more)
    return load_profile(path)[0]


def extending(folder: Path, signals: str):
    """A profile of somebody's own that extends the one in the same folder."""
    path = folder / "child.yaml"
    path.write_text(f"schema: 1\nprofile: child.yaml\nextends: profile.yaml\nsignals:\n{signals}")
    return load_profile(path)[0]


class Bench:
    """One device of a profile, its frames made by hand once a second."""

    def __init__(self, folder: Path, signals: str, movers=None, changed: str = "") -> None:
        """`changed`: the signals of a profile that extends the one with `signals`, and is the device's."""
        made = profile(folder, signals)
        if changed:
            made = extending(folder, changed)
        points = list(expand(made).signals.values())
        entry = SimpleNamespace(poll=1.0, slow=10.0)
        infos = [point.info("it") for point in points]
        self.device = SimpleNamespace(name="it", entry=entry, points=points, signals=infos, standstill="")
        self.reported: list[str] = []
        names = {info.name for info in infos}
        self.freeze = Freeze([self.device], names, movers or {}, lambda _signal, text: self.reported.append(text))
        self.now = 0.0

    def show(self, *values: float, texts: dict[int, str] | None = None, bad: tuple[int, ...] = ()) -> list[Quality]:
        self.now += 1.0
        qualities = np.zeros(len(values), np.uint8)
        qualities[list(bad)] = Quality.BAD_SENTINEL
        frame = Frame("it", 0, self.now, np.array(values, float), qualities, texts or {})
        self.freeze.judge(frame, {"it": frame})
        return [Quality(int(each)) for each in frame.qualities]


def moving(bench: Bench, step: float, seconds: int = 30) -> None:
    for second in range(seconds):
        bench.show(100.0 + step * (second * 7 % 5))


def held(bench: Bench, seconds: int = 60) -> list[Quality]:
    return [bench.show(100.0)[0] for _ in range(seconds)]


def test_noise_above_the_resolution_is_judged_once_the_value_was_seen_to_move(tmp_path):
    signal = f"  flow: {{address: 1, unit: L/min, scale: 0.1, {NOISE}, description: Flow.}}\n"
    bench = Bench(tmp_path, signal)
    assert set(held(bench)) == {Quality.GOOD}, "a replayed capture never moved: nothing is held against it"
    moving(bench, 0.1)
    qualities = held(bench)
    assert qualities.index(Quality.STALE) <= 10
    assert "it.flow is frozen: it has stood still at 100 L/min" in bench.reported[0]
    assert bench.freeze.reason("it.flow")
    assert bench.show(100.1) == [Quality.GOOD]
    assert bench.reported[-1] == "it.flow moves again"


@pytest.mark.parametrize(
    ("keys", "step"),
    [
        ("scale: 0.1, noise: {absolute: 0.05, source: trial}", 0.1),
        ("scale: 0.1, noise: {absolute: 1, resolution: 2, source: trial}", 0.1),
        ("scale: 0.1, noise: {absolute: 1, source: trial}", 2.0),
        ("scale: 0.1", 0.1),
    ],
    ids=["noise below the resolution", "resolution said", "resolution seen", "no noise said"],
)
def test_what_rightly_stands_still_is_good(tmp_path, keys, step):
    bench = Bench(tmp_path, f"  flow: {{address: 1, unit: L/min, {keys}, description: Flow.}}\n")
    moving(bench, step)
    assert set(held(bench, 300)) == {Quality.GOOD}


NOISY = f"  flow: {{address: 1, unit: L/min, scale: 0.1, {NOISE}, description: Flow.}}\n"


@pytest.mark.parametrize(
    ("change", "is_found"),
    [("noise: null", False), ("noise: {resolution: 2}", False), ("description: Flow of it.", True)],
    ids=["taken away", "coarser", "left"],
)
def test_a_profile_of_ones_own_takes_the_noise_of_a_signal_away(tmp_path, change, is_found):
    bench = Bench(tmp_path, NOISY, changed=f"  flow: {{{change}}}\n")
    moving(bench, 0.1)
    assert (Quality.STALE in held(bench, 300)) is is_found
    assert bool(bench.reported) is is_found


def test_noise_taken_away_by_a_station_s_own_profile_leaves_the_rest_of_the_table(tmp_path):
    """As the reference shows it; movers go the same way, and what is taken away of one signal stays at the others."""
    (tmp_path / "my_cdu.yaml").write_text(
        "schema: 1\nprofile: my_cdu.yaml\nextends: cdu/meta_rpu\nsignals:\n  flow: {noise: null}\n"
    )
    base = load_profile(ROOT / "drivers" / "cdu" / "meta_rpu" / "profile.yaml")[0]
    mine = load_profile(tmp_path / "my_cdu.yaml")[0]
    assert base.signals["flow"].noise is not None
    assert mine.signals["flow"].noise is None
    assert mine.signals["flow"].model_dump(exclude={"noise"}) == base.signals["flow"].model_dump(exclude={"noise"})
    assert {name: each for name, each in mine.signals.items() if name != "flow"} == {
        name: each for name, each in base.signals.items() if name != "flow"
    }


def test_a_meter_at_zero_is_good_and_relative_noise_follows_the_value(tmp_path):
    signal = (
        "  flow: {address: 1, unit: L/min, scale: 0.1, noise: {relative: 1 %, source: trial}, description: Flow.}\n"
    )
    bench = Bench(tmp_path, signal)
    moving(bench, 0.1)
    assert {bench.show(0.0)[0] for _ in range(300)} == {Quality.GOOD}
    moving(bench, 0.1)
    assert Quality.STALE in held(bench)


def test_an_absolute_noise_is_not_expected_of_a_meter_at_zero(tmp_path):
    bench = Bench(tmp_path, f"  flow: {{address: 1, unit: L/min, scale: 0.1, {NOISE}, description: Flow.}}\n")
    moving(bench, 0.1)
    assert {bench.show(0.0)[0] for _ in range(300)} == {Quality.GOOD}


@pytest.mark.parametrize("times", [2, 6])
def test_a_value_that_moved_a_few_times_only_is_found_later(times, tmp_path):
    """How often it measures is not known well yet: half as much again is given to each refresh."""
    bench = Bench(tmp_path, f"  flow: {{address: 1, unit: L/min, scale: 0.1, {NOISE}, description: Flow.}}\n")
    moving(bench, 0.1, times)
    assert 8 <= held(bench, 300).index(Quality.STALE) <= 25


def test_a_meter_is_counted_in_its_own_refreshes(tmp_path):
    signal = f"  flow: {{address: 1, unit: L/min, scale: 0.1, {NOISE}, description: Flow.}}\n"
    bench = Bench(tmp_path, signal)
    for second in range(90):
        assert bench.show(100.0 + 0.1 * (second // 3 * 7 % 5)) == [Quality.GOOD]
    assert held(bench).index(Quality.STALE) >= 15


PAIR = """  flow: {address: 1, unit: L/min, MOVES description: Flow.}
  rpm: {address: 2, unit: RPM, description: Pump.}
"""
MOVES = "moves_with: [{signal: rpm, by: 500 RPM, within: 5 s}],"


def test_what_moves_it_gives_a_value_away_that_does_not_change_at_all(tmp_path):
    bench = Bench(tmp_path, PAIR.replace("MOVES", MOVES))
    assert {bench.show(100, 3000)[0] for _ in range(30)} == {Quality.GOOD}
    assert [bench.show(100, 3400)[0] for _ in range(30)].count(Quality.STALE) == 0, "not far enough"
    assert [bench.show(100, 2000)[0] for _ in range(5)].count(Quality.STALE) == 0, "not long enough"
    assert Quality.STALE in [bench.show(100, 2000)[0] for _ in range(5)]
    assert "it.rpm has moved by more than 500 RPM" in bench.reported[0]
    assert bench.show(101, 2000)[0] is Quality.GOOD


def test_a_mover_that_cannot_be_read_proves_nothing(tmp_path):
    bench = Bench(tmp_path, PAIR.replace("MOVES", MOVES))
    for _ in range(30):
        bench.show(100, 3000)
    assert {bench.show(100, 0, bad=(1,))[0] for _ in range(60)} == {Quality.GOOD}


def test_while_says_when_one_moves_with_the_other(tmp_path):
    signals = PAIR.replace("MOVES ", "") + "  power: {address: 3, unit: kW, description: Power.}\n"
    mover = StationMover.model_validate(
        {"signal": "it.power", "by": "5 kW", "within": "5 s", "while": {"signal": "it.rpm", "min": "1000 RPM"}}
    )
    bench = Bench(tmp_path, signals, {"it.flow": (mover,)})
    for _ in range(20):
        bench.show(100, 0, 20)
    assert {bench.show(100, 0, 80)[0] for _ in range(30)} == {Quality.GOOD}, "without pumps it moves with nothing"
    assert {bench.show(100, 3000, 80)[0] for _ in range(30)} == {Quality.GOOD}, "what was before does not count"
    assert Quality.STALE in [bench.show(100, 3000, 20)[0] for _ in range(10)]


STAMPED = """  flow: {address: 1, unit: L/min, stamp: {signal: SIGNAL, within: 6 s}, description: Flow.}
  samples: {address: 2, description: Measurements so far.}
  at: {address: 3, type: datetime, description: When it was measured.}
"""


@pytest.mark.parametrize("stamp", ["samples", "at"])
def test_a_stamp_that_stands_still_makes_its_value_stale(tmp_path, stamp):
    bench = Bench(tmp_path, STAMPED.replace("SIGNAL", stamp))
    moved = [bench.show(100, k, 0, texts={2: f"2026-03-14T09:26:{k:02d}"})[0] for k in range(20)]
    assert set(moved) == {Quality.GOOD}
    still = [bench.show(100 + k, 19, 0, texts={2: "2026-03-14T09:26:19"})[0] for k in range(10)]
    assert still.index(Quality.STALE) == 5
    assert f"it.{stamp}, which stamps its measurements, has stood still" in bench.reported[0]
    assert bench.show(100, 20, 0, texts={2: "2026-03-14T09:26:20"})[0] is Quality.GOOD


def test_a_heartbeat_is_a_number_or_a_text_and_one_that_goes_silent_stands_still():
    heart = Heartbeat("uptime", 1.0)
    assert not heart.beat(float("nan"), 0.0, is_good=False)
    assert not heart.beat(float("nan"), 60.0, is_good=False), "one that never could be read says nothing"
    assert not heart.beat("09:26:53", 61.0, is_good=True)
    assert not heart.beat("09:26:53", 66.0, is_good=True)
    assert heart.beat("no such object", 67.0, is_good=False)
    assert heart.standstill == "uptime has stood still for 6 s"
    assert heart.beat("09:26:59", 68.0, is_good=True)
    assert heart.standstill == ""
    slow = Heartbeat("uptime", 10.0)
    slow.beat(1.0, 0.0, is_good=True)
    assert not slow.beat(1.0, 45.0, is_good=True), "it is read every 10 s only"


@pytest.mark.parametrize(
    ("signals", "more", "said"),
    [
        (PAIR.replace("MOVES", "moves_with: [{signal: rmp, by: 1 RPM, within: 1 s}],"), "", "no other signal"),
        (PAIR.replace("MOVES", "moves_with: [{signal: flow, by: 1 L/min, within: 1 s}],"), "", "no other signal"),
        (PAIR.replace("MOVES", "moves_with: [{signal: rpm, by: 1 kPa, within: 1 s}],"), "", "rotation"),
        (PAIR.replace("MOVES", "moves_with: [{signal: rpm, by: 0 RPM, within: 1 s}],"), "", "not more than nothing"),
        (PAIR.replace("MOVES", "noise: {source: trial},"), "", "absolute or relative"),
        (PAIR.replace("MOVES", "noise: {relative: 101 %, source: trial},"), "", "no share of a reading"),
        (PAIR.replace("MOVES", f"enum: {{dry: 0, wet: 1}}, {NOISE},"), "", "rightly stand still"),
        (STAMPED.replace("SIGNAL", "nothing"), "", "no other signal"),
        (STAMPED.replace("SIGNAL", "at").replace("type: datetime", "type: datetime, poll: once"), "", "read once only"),
        (PAIR.replace("MOVES ", "").replace("unit: RPM", "poll: once"), "heartbeat: rpm\n", "show no life"),
    ],
)
def test_a_profile_that_cannot_be_meant_is_refused(tmp_path, signals, more, said):
    with pytest.raises(ProblemsError, match=said):
        profile(tmp_path, signals, more)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("cdu.nothing: [{signal: pdu.power, by: 1 kW, within: 1 s}]", "HX-1241"),
        ("cdu.heat: [{signal: pdu.power, by: 1 kW, within: 1 s}]", "HX-1241"),
        ("cdu.leak: [{signal: pdu.power, by: 1 kW, within: 1 s}]", "HX-1241"),
        ("cdu.flow: [{signal: cdu.flow, by: 1 L/min, within: 1 s}]", "HX-1242"),
        ("cdu.flow: [{signal: pdu.phase.current, by: 1 A, within: 1 s}]", "HX-1242"),
        ("cdu.flow: [{signal: cdu.leak, by: 1 A, within: 1 s}]", "HX-1242"),
        ("cdu.flow: [{signal: pdu.power, by: 1 kPa, within: 1 s}]", "HX-1243"),
        ("cdu.flow: [{signal: pdu.power, by: 1 kW, within: 1 s, while: {signal: cdu.leak, min: 1 A}}]", "HX-1243"),
    ],
)
def test_movers_of_a_station_that_cannot_be_meant_are_refused(tmp_path, entry, code):
    text = STATION.read_text()
    head = next(line for line in text.splitlines() if line.startswith("moves_with:"))
    (tmp_path / "station.yaml").write_text(text.replace(head, f"{head}\n  {entry}"))
    with pytest.raises(ProblemsError, match=code):
        load_station(tmp_path / "station.yaml")
