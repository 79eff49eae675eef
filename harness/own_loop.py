"""An event loop in a thread of its own: scripts and tests have none, and a cell of a notebook runs in one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from harness.clock import HarnessLoop

T = TypeVar("T")


class OwnLoop:
    """It runs only while somebody waits for what it does, so virtual time stands still meanwhile."""

    def __init__(self, rate: float) -> None:
        """`rate`: of `HarnessLoop`."""
        self._rate = rate
        self._jobs: SimpleQueue[tuple[Coroutine[Any, Any, Any], Future[Any]] | None] = SimpleQueue()
        self._task: asyncio.Task[Any] | None = None
        self._is_interrupted = False
        self._turn = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="harness rack", daemon=True)
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine gives. Who waits and is interrupted (Ctrl-C) cancels it, and waits until it has ended."""
        with self._turn:
            result: Future[T] = Future()
            self._is_interrupted = False
            self._jobs.put((work, result))
            interrupt: BaseException | None = None
            while True:
                try:
                    found = result.result()
                except BaseException as error:
                    if result.done():
                        if interrupt is not None:
                            raise interrupt from None
                        raise
                    interrupt = error
                    self._cancel()
                else:
                    if interrupt is not None:
                        raise interrupt
                    return found

    def close(self) -> None:
        """End the loop and its thread."""
        self._jobs.put(None)
        self._thread.join(10.0)

    def _cancel(self) -> None:
        self._is_interrupted = True  # before the task is looked for: it looks whether this came before it was known
        task = self._task
        if task is not None:
            task.get_loop().call_soon_threadsafe(task.cancel)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: HarnessLoop(self._rate)) as runner:
            while (job := self._jobs.get()) is not None:
                work, result = job
                try:
                    found = runner.run(self._known(work))
                except BaseException as error:
                    result.set_exception(error)
                else:
                    result.set_result(found)

    async def _known(self, work: Coroutine[Any, Any, T]) -> T:
        self._task = asyncio.current_task()
        try:
            if self._is_interrupted:
                work.close()
                raise asyncio.CancelledError
            return await work
        finally:
            self._task = None
