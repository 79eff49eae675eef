"""The thread of a VISA session: whoever is cancelled while waiting for it leaves nothing behind that complains."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from harness.clock import run
from harness.transport.visa.pyvisa_session import Worker


def test_a_failure_after_the_caller_has_been_cancelled_is_nobodys():
    """It was told on stderr as `Future exception was never retrieved`, in the middle of a run."""
    reported = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context["message"]))
        worker, release = Worker("test"), threading.Event()

        def work():
            release.wait(5)
            raise TimeoutError("the instrument did not answer")

        waiting = asyncio.ensure_future(worker.do(work, 5.0))
        await asyncio.sleep(0.02)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        release.set()
        await worker.end(lambda: None)
        worker.join()
        gc.collect()
        await asyncio.sleep(0)

    run(main)
    gc.collect()
    assert reported == []


def test_a_failure_in_time_reaches_the_caller():
    async def main():
        worker = Worker("test")

        def work():
            raise TimeoutError("the instrument did not answer")

        with pytest.raises(TimeoutError, match="did not answer"):
            await worker.do(work, 5.0)
        await worker.end(lambda: None)
        worker.join()

    run(main)
