"""What holds for every test: nothing is left behind, no warning is overlooked, nothing of the machine is touched."""

from __future__ import annotations

import asyncio
import asyncio.runners
import gc
import os

import pytest
from hypothesis import HealthCheck, settings

from tests.leaks import Before

settings.register_profile("desk", deadline=None, print_blob=True)
settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "desk")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """`--dist loadfile` cuts files into parts."""
    if config.getoption("dist") != "loadfile":
        return None
    from tests.schedule import Parts  # where xdist is not installed, nobody asks

    return Parts(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """A worker offers its tests in the order in which they are given out."""
    if hasattr(config, "workerinput"):
        from tests.schedule import mixed

        items[:] = list(mixed(items))


def pytest_collection_finish():
    """What stays to the end (modules, thousands of tests) is looked at by no garbage collection of a test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_data_of_the_machine(tmp_path_factory):
    """Records go to a folder of the test session, and no station of the machine is found by habit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_DATA", str(tmp_path_factory.mktemp("data")))
        for name in ("HARNESS_STATION", "HARNESS_PROFILES"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(request, monkeypatch):
    """Fail a test that leaves a task, a thread, a child process or a file descriptor behind.

    Tasks: the loop's end cancels what is still running, so that is where they are counted. A test that is about such
    an end says so with `@pytest.mark.leaves_tasks`.
    """
    tasks: list[str] = []
    cancel_all = asyncio.runners._cancel_all_tasks

    def noting(loop):
        tasks.extend(f"task: {task.get_name()} {task.get_coro()}" for task in asyncio.all_tasks(loop))
        cancel_all(loop)

    monkeypatch.setattr(asyncio.runners, "_cancel_all_tasks", noting)
    before = Before()
    yield
    left = before.left()
    if request.node.get_closest_marker("leaves_tasks") is None:
        left += tasks
    if left:
        pytest.fail("left behind:\n  " + "\n  ".join(left), pytrace=False)
