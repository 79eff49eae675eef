"""Limits that bind: nothing is accepted that no value could violate, and nothing that was outside is hidden."""

from __future__ import annotations

import re

import pytest

from harness.clock import run
from harness.errors import ConfigError
from harness.limits.verdict import Verdict
from harness.limits.window import Window, samples_needed
from harness.record.report import render_text
from harness.record.result import Measurement, Result
from harness.record.verification import verify
from harness.schema.problems import ProblemsError
from tests.chaos.rig import HEAD, Scene, play, project, station
from tests.plan_runs import STATION

INF = float("inf")


def refused(tmp_path, steps: str, head: str = HEAD, **settings: str) -> str:
    """Why a plan is refused."""
    with pytest.raises((ProblemsError, ConfigError)) as error:
        project(head + steps, tmp_path, settings)
    return str(error.value)


def played(tmp_path, plan: str, disturb=None, **options):
    return run(lambda: play(plan, tmp_path, disturb, **options), rate=INF)


# --- accepted is only what can be violated

WATCH = "watch: [{signal: cdu.flow, min: 160 L/min, for: TIME}]}"


@pytest.mark.parametrize("step", ["hold, for: 60 s", "soak, for: 60 s, load: 100 %"])
@pytest.mark.parametrize("time", ["1 h", "60 s", "59 s"])
def test_a_watch_that_may_be_bad_for_the_whole_step_is_refused(tmp_path, step, time):
    text = refused(tmp_path, f"  - {{step: {step}, {WATCH.replace('TIME', time)}\n")
    assert "could never be seen" in text
    assert ":15:" in text or ":14:" in text or re.search(r":\d+:\d+", text)
    project(HEAD + f"  - {{step: {step}, {WATCH.replace('TIME', '57 s')}\n", tmp_path)


def test_a_watch_is_held_against_the_step_also_when_a_parameter_is_replaced(tmp_path):
    head = HEAD.replace("setup:", "parameters:\n  time: {default: 60 s}\nsetup:")
    step = '  - {step: hold, for: "${time}", watch: [{signal: cdu.flow, min: 160 L/min, for: 30 s}]}\n'
    project(head + step, tmp_path)
    assert "could never be seen for 30 s" in refused(tmp_path, step, head, time="20 s")


IDLE = [
    "{step: hold, for: 9 s, watch: [{signal: cdu.supply_temperature, max: 100000 degC}]}",
    "{step: hold, for: 9 s, watch: [{signal: cdu.flow, min: 0 L/min}]}",
    "{step: hold, for: 9 s, watch: [{signal: cdu.leak, one_of: [dry, wet]}]}",
    "{step: soak, for: 9 s, watch: [{signal: cdu.flow, min: -1000 L/min}]}",
    "{step: measure, signal: cdu.supply_temperature, limit: {max: 100000 degC}}",
    "{step: measure, signal: cdu.leak, statistic: last, limit: {one_of: [dry, wet]}}",
    "{step: measure, signal: cdu.flow, statistic: std, limit: {min: 0 L/min}}",
    "{step: measure, signal: cdu.flow, statistic: range, limit: {min: -1 L/min}}",
    "{step: measure, signal: cdu.supply_temperature, statistic: delta, limit: {max: 2000 K}}",
    "{step: check, conditions: [{signal: cdu.leak, one_of: [dry, wet]}]}",
    "{step: wait_until, signal: cdu.flow, min: 0 L/min, within: 9 s}",
    "{step: soak, for: 9 s, deltas: [{signal: cdu.supply_temperature, limit: {max: 2000 K}}]}",
]


@pytest.mark.parametrize("step", IDLE)
def test_a_limit_that_nothing_could_violate_is_refused(tmp_path, step):
    assert "nothing could violate" in refused(tmp_path, f"  - {step}\n")


@pytest.mark.parametrize("bound", ["min: 3000 degC", "max: -200 degC"])
def test_a_limit_that_nothing_could_meet_is_refused(tmp_path, bound):
    refused(tmp_path, f"  - {{step: measure, signal: cdu.supply_temperature, limit: {{{bound}}}}}\n")


def test_a_band_with_one_end_that_binds_is_fine(tmp_path):
    project(HEAD + "  - {step: measure, signal: cdu.flow, limit: {min: 0 L/min, max: 180 L/min}}\n", tmp_path)


def test_a_guard_band_that_leaves_nothing_is_refused(tmp_path):
    (tmp_path / "limits.yaml").write_text(
        "schema: 1\nlimit_set: a\nversion: '1'\nlimits:\n"
        "  warm: {min: 20 degC, max: 30 degC, uncertainty: 6 K, provenance: test}\n"
    )
    head = HEAD.replace("title: chaos", "title: chaos\nlimits: limits.yaml")
    text = refused(tmp_path, "  - {step: measure, signal: cdu.supply_temperature, limit: warm}\n", head)
    assert "leaves nothing of" in text


@pytest.mark.parametrize(
    ("statistic", "over"),
    [("range", "1 s"), ("std", "1 s"), ("delta", "1.9 s"), ("slope", "1.5 s"), ("p95", "19 s"), ("p05", "10 s")],
)
def test_a_statistic_must_get_the_samples_it_needs(tmp_path, statistic, over):
    step = "{{step: measure, signal: cdu.flow, over: {}, statistic: {}, limit: {{max: 9 L/min}}}}"
    limit = "{max: 180 L/min}" if statistic.startswith("p") else "{max: 9 L/min}"
    step = f"  - {{step: measure, signal: cdu.flow, over: OVER, statistic: {statistic}, limit: {limit}}}\n"
    assert f"{statistic} needs" in refused(tmp_path, step.replace("OVER", over))
    project(HEAD + step.replace("OVER", "20 s"), tmp_path)


@pytest.mark.parametrize("statistic", ["range", "std", "delta", "slope", "p05", "p95"])
def test_a_statistic_of_too_few_samples_is_no_number(statistic):
    window = Window()
    for number in range(samples_needed(statistic) - 1):
        window.add(float(number), 5.0, is_good=True)
    assert window.statistic(statistic) != window.statistic(statistic)
    window.add(99.0, 5.0, is_good=True)
    assert window.statistic(statistic) == pytest.approx(0.0 if not statistic.startswith("p") else 5.0)


def test_too_few_samples_at_run_are_inconclusive(tmp_path):
    async def going_silent(scene: Scene) -> None:
        await scene.running("measure")
        scene.simulation.inject("device_silent:shelf1")

    plan = HEAD + "  - {step: measure, signal: shelf1.output_voltage, over: 4 s, statistic: std, limit: {max: 9 V}}\n"
    outcome, _ = played(tmp_path, plan, going_silent)
    assert outcome.verdict is Verdict.INCONCLUSIVE, outcome.reason
    assert "2 are needed" in outcome.reason or "no good sample" in outcome.reason


# --- what was excused is said


@pytest.fixture(scope="module")
def excused(tmp_path_factory):
    """A watch whose limit lies in the noise: more than half of the samples are outside, never for 10 s."""
    plan = HEAD + "  - {step: hold, for: 60 s, watch: [{signal: cdu.flow, min: LIMIT, for: 10 s}]}\n"
    folder = tmp_path_factory.mktemp("excused")
    first, _ = played(folder, plan.replace("LIMIT", "100 L/min"))
    values = samples(first.folder)
    middle = sorted(values)[len(values) // 2]
    outcome, _ = played(folder, plan.replace("LIMIT", f"{middle:.3f} L/min"))
    return outcome, middle


def samples(folder) -> list[float]:
    """The flow while the hold went on, as the journal has it."""
    from harness.telemetry.reading import open_for_reading

    with open_for_reading(folder / "journal.db") as reader:
        begun = next(e.wall_ns for e in reader.events("step") if e.data["kind"] == "hold")
        over = next(e.wall_ns for e in reader.events("step end") if e.data["kind"] == "hold")
        stamps, values, _ = reader.series("cdu.flow")
    return [float(v) for s, v in zip(stamps, values, strict=True) if begun < s <= over]


def test_the_worst_value_and_the_share_outside_stand_in_the_record(excused):
    outcome, limit = excused
    (one,) = outcome.result.steps[-1].measurements
    assert one.verdict is Verdict.PASS
    values = samples(outcome.folder)
    outside = [value for value in values if value < limit]
    assert len(outside) > 10
    assert one.value >= limit
    assert one.worst == pytest.approx(min(values), abs=1e-9)
    assert one.outside == pytest.approx(len(outside) / len(values), abs=0.02)
    assert verify(outcome.folder) == []
    shown = f"worst {one.worst:.6g} L/min, {100 * one.outside:.3g} % of the samples outside"
    assert shown in render_text(outcome.folder)


def test_a_watch_that_was_never_outside_says_nothing_of_it(tmp_path):
    plan = HEAD + "  - {step: hold, for: 20 s, watch: [{signal: cdu.flow, min: 100 L/min, for: 5 s}]}\n"
    outcome, _ = played(tmp_path, plan)
    (one,) = outcome.result.steps[-1].measurements
    assert (one.worst, one.outside) == (one.value, 0)
    assert "of the samples outside" not in render_text(outcome.folder)


def test_what_was_excused_survives_a_death(tmp_path):
    """The worst value of the first life is in the record of the second."""
    import shutil

    from tests.integration.test_resume import BURN

    plan = BURN.replace("RULE", "credit").replace("cdu.supply_temperature, max: 60 degC", "cdu.flow, max: 185 L/min")

    async def dying(scene: Scene) -> None:
        await scene.running("soak")
        scene.simulation.inject("sensor_offset:cdu.flow=25")
        await scene.clock.sleep(5)
        scene.simulation.inject("sensor_offset:cdu.flow=-25")
        await scene.clock.sleep(100)
        await scene.runner.journal.commit()
        folder = scene.runner.journal.path.parent
        shutil.copytree(folder, tmp_path / "second" / "runs" / folder.name)

    played(tmp_path, plan, dying)
    (folder,) = (tmp_path / "second" / "runs").iterdir()
    outcome, _ = run(lambda: play(project(plan, tmp_path), tmp_path / "second", resume=folder), rate=INF)
    watched = outcome.result.steps[-1].measurements[0]
    assert watched.worst > 185 > watched.value, "the offset of the first life"
    assert 0 < watched.outside < 0.1


# --- `for` of a check

HELD = HEAD + "  - {step: check, name: holds, MORE conditions: [{signal: cdu.flow, min: 100 L/min, for: 20 s}]}\n"


def lasted(scene: Scene) -> float:
    begun = next(e.mono for e in scene.of("step") if e.data["step"] == "holds")
    return next(e.mono for e in scene.of("step end") if e.data["step"] == "holds") - begun


def test_a_check_looks_for_as_long_as_its_condition_must_hold(tmp_path):
    outcome, scene = played(tmp_path, HELD.replace("MORE", ""))
    assert outcome.verdict is Verdict.PASS, outcome.reason
    assert 20 <= lasted(scene) <= 23


def test_a_condition_that_breaks_within_its_time_fails_the_check(tmp_path):
    async def breaking(scene: Scene) -> None:
        await scene.running("check")
        await scene.clock.sleep(5)
        scene.simulation.inject("sensor_offset:cdu.flow=-100")

    outcome, scene = played(tmp_path, HELD.replace("MORE", ""), breaking)
    assert outcome.verdict in (Verdict.FAIL, Verdict.ERROR), outcome.reason
    assert lasted(scene) < 12


def test_a_condition_that_begins_again_must_hold_for_its_whole_time(tmp_path):
    async def dipping(scene: Scene) -> None:
        await scene.running("check")
        await scene.clock.sleep(10)
        scene.simulation.inject("sensor_offset:cdu.flow=-100")
        await scene.clock.sleep(3)
        scene.simulation.inject("sensor_offset:cdu.flow=100")

    outcome, scene = played(tmp_path, HELD.replace("MORE", "within: 60 s,"), dipping)
    assert outcome.verdict is Verdict.PASS, outcome.reason
    assert 32 <= lasted(scene) <= 37
    assert "as long as `within`" in refused(tmp_path, HELD.replace("MORE", "within: 20 s,").removeprefix(HEAD))


# --- a plan that judges nothing


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ("  - {step: hold, for: 5 s}\n", Verdict.INCONCLUSIVE),
        ("  - {step: measure, signal: cdu.flow, over: 5 s}\n", Verdict.INCONCLUSIVE),
        ("  - {step: wait_until, signal: cdu.flow, min: 10 L/min, within: 30 s}\n", Verdict.INCONCLUSIVE),
        ("  - {step: measure, signal: cdu.flow, over: 5 s, limit: {min: 9 L/min}}\n", Verdict.PASS),
        ("  - {step: hold, for: 5 s, watch: [{signal: cdu.flow, min: 9 L/min}]}\n", Verdict.PASS),
        ("  - {step: check, conditions: [{signal: cdu.leak, equals: dry}]}\n", Verdict.PASS),
        ("  - {step: check, firmware: {cdu: [FIRMWARE]}}\n", Verdict.PASS),
    ],
)
def test_a_plan_that_judges_nothing_proves_nothing(tmp_path, steps, verdict):
    if "FIRMWARE" in steps:
        outcome, _ = played(tmp_path, HEAD + "  - {step: hold, for: 1 s}\n")
        cdu = next(each for each in outcome.result.devices if each.name == "cdu")
        steps = steps.replace("FIRMWARE", f'"{cdu.firmware}"')
    outcome, _ = played(tmp_path, HEAD + steps)
    assert outcome.verdict is verdict, outcome.reason
    assert outcome.exit_code == (7 if verdict is Verdict.INCONCLUSIVE else 0)
    assert ("nothing was judged" in outcome.reason) == (verdict is Verdict.INCONCLUSIVE)
    assert ("it judges nothing" in outcome.hint) == (verdict is Verdict.INCONCLUSIVE)
    assert verify(outcome.folder) == []


def test_a_pass_that_judged_nothing_does_not_verify(tmp_path):
    from harness.record import manifest

    outcome, _ = played(tmp_path, HEAD + "  - {step: hold, for: 5 s}\n")
    path = outcome.folder / "result.json"
    forged = Result.from_bytes(path.read_bytes()).model_copy(update={"verdict": Verdict.PASS})
    path.write_bytes(forged.to_bytes())
    (outcome.folder / "manifest.json").write_bytes(manifest.build(outcome.folder, outcome.folder.name))
    assert "PASS does not follow: nothing was judged" in verify(outcome.folder)


def test_a_value_without_a_limit_is_not_judged():
    assert not Measurement(name="a", signal="b", value=1.0).is_judged
    assert Measurement(name="a", signal="b", value=1.0, provenance="plan").is_judged
    assert Measurement(name="a", signal="b", value=1.0, high=2.0).is_judged


# --- the station's floor


@pytest.mark.parametrize("coverage", ["1 %", "89.9 %"])
def test_a_plan_may_not_ask_for_less_data_than_its_station(tmp_path, coverage):
    step = "  - {step: hold, for: 9 s}\n"
    text = refused(tmp_path, step, HEAD.replace("95 %", coverage))
    assert "HX-1391" in text
    assert "90 %" in text
    soak = f"  - {{step: soak, for: 9 s, coverage: {coverage}, watch: [{{signal: cdu.flow, min: 9 L/min}}]}}\n"
    assert "HX-1391" in refused(tmp_path, soak)


def test_the_station_sets_the_floor(tmp_path):
    from harness.project.checks.coverage import little_evidence
    from harness.project.plan import load_project
    from harness.project.station import load_station

    path = tmp_path / "plan.yaml"
    path.write_text(HEAD.replace("95 %", "96 %") + "  - {step: hold, for: 9 s}\n")
    for floor, is_fine in (("95 %", True), ("97 %", False), ("100 %", False)):
        station_path = tmp_path / "station.yaml"
        station_path.write_text(STATION.read_text().replace("coverage_floor: 90 %", f"coverage_floor: {floor}"))
        on = load_station(station_path)
        if is_fine:
            load_project(path, on)
        else:
            with pytest.raises(ProblemsError, match="HX-1391"):
                load_project(path, on)
    assert station().station.coverage_floor == 90, "the shipped station has one"
    station_path.write_text(STATION.read_text().replace("coverage_floor: 90 %", ""))
    path.write_text(HEAD.replace("95 %", "40 %") + "  - {step: hold, for: 9 s}\n")
    project = load_project(path, load_station(station_path))
    assert little_evidence(project) == [
        "40 % of the data is enough for this plan: the station states no `coverage_floor`"
    ]
