"""One workload from its start to its grade. Whatever ends it, nothing of it is left on the station."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from harness.analysis.dcgm_report import MOST_BYTES, grade_dcgm
from harness.analysis.grading import (
    ERROR,
    FAIL,
    PASS,
    Grade,
    of_exit_code,
    of_lost,
    of_patterns,
    of_results,
    of_time,
    worst,
)
from harness.api import (
    DeviceError,
    Ended,
    HarnessError,
    StepContext,
    StepFailedError,
    TelemetryError,
    Verdict,
    Workload,
    WorkloadJob,
    WorkloadTarget,
    find_patterns,
    workload_driver,
    workload_package,
    workload_settings,
)
from harness.steps.workload_params import WorkloadParams

FOLDER = "workloads"
"""Folder of the record with a folder for each workload, numbered in their order."""
ABOUT = "workload.json"
_STOP_ROOM_S = 15.0
"""What a driver may take beyond the grace to say that a target does not stop, seconds."""


class WorkloadRun:
    """Carries one out."""

    def __init__(self, ctx: StepContext, p: WorkloadParams) -> None:
        self._ctx, self._p = ctx, p
        self._driver = workload_driver(p.driver)
        if ctx.clock.rate != 1.0 and not self._driver.in_virtual_time:
            raise HarnessError(
                f"the workload driver {p.driver} runs real programs, and they know only real time",
                hint="run without --virtual and --speed, or take the simulated workload",
            )
        targets = tuple(WorkloadTarget(each.name, each.address) for each in p.targets)
        self._job = WorkloadJob(
            targets or (WorkloadTarget("station"),),
            workload_settings(self._driver, p.settings),
            command=p.command,
            version=p.version,
            control=p.control or "",
            most_output=p.keep_mib << 20,
            grace=p.grace,
        )
        self._folder = _new_folder(ctx.folders.record / FOLDER)
        self._is_cut = False
        self._is_over = False
        self._off_by: dict[str, str] = {}
        """Target -> the control that switched it off."""
        self._about: dict[str, Any] = {
            "schema": 1,
            "step": ctx.title,
            "attempt": ctx.attempt,
            "driver": p.driver,
            "package": workload_package(p.driver),
            "command": list(p.command),
            "level": p.level,
        }

    async def carry_out(self) -> None:
        """Prepare, start, wait, stop, grade."""
        workload = self._driver.make(self._ctx, self._job, self._folder)
        async with self._ctx.provoking(partial(self._level_back, workload)):
            try:
                self._about["found"] = dict(await workload.prepare())
                await workload.start(self._p.level)
                self._is_cut = await self._wait(workload)
                unstopped = await self._stop(workload)
                ended = await workload.collect()
                self._is_over = True
            finally:
                workload.kill()
                await workload.killed()
                with contextlib.suppress(TelemetryError):  # what ends the step is more important
                    self._write()
        await self._judge(ended, unstopped)

    async def _level_back(self, workload: Workload) -> None:
        """The load goes back where the step was cut short; what runs as a program was killed with it."""
        if self._driver.needs_level and not self._is_over:
            await self._stop(workload)

    async def _wait(self, workload: Workload) -> bool:
        """Until its time is over, or all have ended, or one is lost; whether others are cut short by that."""
        p, clock = self._p, self._ctx.clock
        whole = p.for_ or p.within or 0.0
        began = clock.monotonic()
        while (left := began + whole - clock.monotonic()) > 0:
            now = workload.progress()
            if now.lost or not now.running:
                return bool(now.lost)
            self._ctx.progress(1 - left / whole, f"runs on {len(now.running)}")
            await self._ctx.sleep(min(left, self._driver.look_every))
        return False

    async def _stop(self, workload: Workload) -> Mapping[str, str]:
        """Stop it; what does not stop is switched off. Nobody waits for a target that is dead."""
        unstopped: Mapping[str, str] = {}
        try:
            async with self._ctx.clock.timeout(self._p.grace + _STOP_ROOM_S):
                unstopped = await workload.stop(self._p.grace)
        except TimeoutError:
            unstopped = dict.fromkeys(workload.progress().running, "its driver did not come to an end with stopping it")
        for name, why in unstopped.items():
            self._ctx.tell(f"{name} may still run: {why}")
        workload.kill()
        own = {each.name: each.off for each in self._p.targets}
        for name in unstopped:
            await self._switch_off(name, own.get(name) or self._p.off)
        return unstopped

    async def _switch_off(self, name: str, controls: tuple[str, ...]) -> None:
        """By the first of the controls that is confirmed; when none is, the last one's error is the station's."""
        if not controls:
            self._ctx.tell(f"{name}: the step names nothing in `off:` that would switch it off")
        failed: DeviceError | None = None
        for control in controls:
            if control in self._off_by.values():
                self._off_by[name] = control
                return
            try:
                await self._ctx.act(control, "off")
            except DeviceError as error:
                failed = error
                self._ctx.tell(f"{name}: {control} does not switch it off: {error.said}")
                continue
            self._off_by[name] = control
            self._ctx.tell(f"{name} is switched off by {control}")
            return
        if failed is not None:
            raise failed

    async def _judge(self, ended: tuple[Ended, ...], unstopped: Mapping[str, str]) -> None:
        lost = {one.target: (one.lost, one.is_way_fine) for one in ended if one.lost}
        grades = of_lost(lost, len(ended) - len(lost))
        targets: list[dict[str, Any]] = []
        for one in ended:
            versions: dict[str, str] = {}
            results: list[Any] = list(one.results)
            if one.target not in grades:
                grades[one.target], versions, found = await self._graded(one)
                results += found
            targets.append(_shown(one, grades[one.target], self._off_by.get(one.target, ""), versions, results))
        for name in set(unstopped) - set(grades):
            off = f", and was switched off by {self._off_by[name]}" if name in self._off_by else ""
            grades[name] = Grade(ERROR, f"{name} could not be stopped: {unstopped[name]}{off}")
        self._about["targets"] = targets
        self._write()
        last = worst(grades.values())
        for name, grade in (grades if self._p.command else {"rack": last}).items():
            verdict = Verdict.INCONCLUSIVE if grade.verdict == ERROR else Verdict(grade.verdict)
            self._ctx.judge(f"{self._ctx.title}: {name}", verdict, grade.why)
        if last.verdict == ERROR:
            raise HarnessError(last.why, hint=f"the logs are in {FOLDER}/{self._folder.name} of the record")
        if last.verdict == FAIL:
            raise StepFailedError(last.why, hint=f"the logs are in {FOLDER}/{self._folder.name} of the record")

    async def _graded(self, one: Ended) -> tuple[Grade, dict[str, str], list[Any]]:
        """(the grade of a target that was not lost, versions that its report tells, results)."""
        p = self._p
        grades = [
            of_time(
                one.seconds,
                p.for_ or p.within or 0.0,
                must_end=p.within is not None,
                was_stopped=one.was_stopped,
                is_cut=self._is_cut,
                of_station=self._driver.accuses_station,
            )
        ]
        if not one.was_stopped:
            grades.append(of_exit_code(one.exit_code, p.exit_codes.table))
        found: list[Any] = []
        if one.stdout is not None and one.stderr is not None:
            extra = () if p.result is None else (p.result,)
            patterns = (*p.must, *p.must_not, *extra)
            searched = await find_patterns((one.stdout, one.stderr), patterns) if patterns else []
            if extra:
                last = searched.pop() if searched is not None else None
                found = last["results"] if last is not None else []
                grades.append(of_results(last, is_cut=one.is_cut))
            grades.append(of_patterns(p.must, p.must_not, searched, is_cut=one.is_cut))
        versions: dict[str, str] = {}
        if p.report is not None and one.stdout is not None and not one.was_stopped:
            grade, versions = grade_dcgm(
                _text(one.stdout), p.report.versions, wanted=p.report.tests, may_skip=p.report.may_skip
            )
            grades.append(grade)
        elif p.report is not None:
            grades.append(Grade("INCONCLUSIVE", "there is no report of one that was stopped"))
        graded = worst(grades)
        return (
            (graded if graded.verdict == PASS else graded._replace(why=f"{one.target}: {graded.why}")),
            versions,
            found,
        )

    def _write(self) -> None:
        text = json.dumps(self._about, indent=1, ensure_ascii=False, default=str)
        try:
            (self._folder / ABOUT).write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise TelemetryError(f"the record does not take {ABOUT}: {error.strerror}") from error


def _shown(one: Ended, grade: Grade, off: str, versions: dict[str, str], results: list[Any]) -> dict[str, Any]:
    files = {key: path.name for key, path in (("stdout", one.stdout), ("stderr", one.stderr)) if path is not None}
    return {
        "target": one.target,
        "verdict": grade.verdict,
        "why": grade.why,
        "exit_code": one.exit_code,
        "was_stopped": one.was_stopped,
        "seconds": round(one.seconds, 3),
        "lost": one.lost,
        "switched_off_by": off,
        "versions": versions,
        "is_cut": one.is_cut,
        **files,
        "results": results,
    }


def _text(path: Path) -> str:
    with contextlib.suppress(OSError), path.open("rb") as file:
        return file.read(MOST_BYTES + 1).decode("utf-8", "backslashreplace")
    return ""


def _new_folder(parent: Path) -> Path:
    """The next folder of the record for a workload."""
    parent.mkdir(mode=0o750, exist_ok=True)
    for number in count(1):
        folder = parent / f"{number:03d}"
        try:
            folder.mkdir(mode=0o750)
        except FileExistsError:
            continue
        return folder
    raise AssertionError
