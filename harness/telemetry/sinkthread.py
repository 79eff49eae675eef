"""One daemon thread that does a sink's blocking work.

A `ThreadPoolExecutor` is joined when the interpreter exits, so a database that keeps a request hanging would keep the
harness from exiting. This thread may be left behind: what it had not acknowledged is sent again another time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, InvalidStateError
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

_Job = tuple["Future[Any]", Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class SinkThread(Executor):
    """An executor of one daemon thread, started with the first job."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.is_busy = False
        """Whether a job is under way; true for ever of one that never ends."""

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue a job behind those before it."""
        future: Future[T] = Future()
        self._jobs.put((future, work, args, kwargs))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002
        """End the thread after the job it is at. `wait` waits half a second for that, no longer."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            if wait:
                thread.join(0.5)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work, args, kwargs = job
            if not future.set_running_or_notify_cancel():
                continue
            self.is_busy = True
            try:
                result = work(*args, **kwargs)
            except BaseException as error:
                self._settle(future, error=error)
            else:
                self._settle(future, result)
            self.is_busy = False

    @staticmethod
    def _settle(future: Future[Any], result: Any = None, error: BaseException | None = None) -> None:
        with suppress(InvalidStateError):  # nobody waits for it any more
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
