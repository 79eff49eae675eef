"""The border to code that is not ours. However a step, a driver or a screen ends, it ends here, and by name.

```
 the coroutine returned None                               -> done
 StepFailedError, or another error of ours                 -> as it says
 any other exception, a value returned                     -> a bug of that code
 sys.exit, KeyboardInterrupt: nothing in a run ends it     -> the same
 cancelled though nobody asked for it                      -> the same
 a task, future or thread of it failed, and nobody looked    -> the same
```

asyncio lets SystemExit and KeyboardInterrupt through: out of any task and out of the loop itself, with the exit code
that they bring along. `Border` stops them at the loop for as long as a run lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any
from weakref import WeakSet

from harness.clock import HarnessLoop
from harness.in_words import StrangeEndError, shown
from harness.utf8 import utf8

_ENDS_WITHIN_S = 2.0
"""How long a step, and what it left running, may take to end when it is cancelled, seconds."""

_OWN = frozenset({"asyncio", "harness"})

_children: ContextVar[Children | None] = ContextVar("children", default=None)


def whose(module: str) -> str:
    """Whom to tell of a fault in a module."""
    return "report this as a bug" if module.partition(".")[0] == "harness" else f"tell whoever wrote {module}"


def origin(error: BaseException) -> str:
    """The module in which an exception came up."""
    module, at = "harness", error.__traceback__
    while at is not None:
        name = at.tb_frame.f_globals.get("__name__", "")
        if name.partition(".")[0] not in ("asyncio", "contextlib"):
            module = name
        at = at.tb_next
    return module


class Children:
    """The tasks that one piece of foreign code starts: what it leaves running, and the failures nobody looked at."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._failed: list[asyncio.Future[Any]] = []

    def add(self, task: asyncio.Task[Any]) -> None:
        """Take a task in."""
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        self.look_at(task)

    def look_at(self, made: asyncio.Future[Any]) -> None:
        """Hear of the failure of a future or task."""
        made.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Future[Any]) -> None:
        if not task.cancelled() and _is_unseen(task):
            self._failed = [each for each in self._failed if _is_unseen(each)]
            self._failed.append(task)

    async def end(self) -> int:
        """End what still runs; how many tasks that were. StrangeEndError for one that failed or did not want to end."""
        left = list(self._running)
        deaf = await end_tasks(left)
        lost = next((task for task in self._failed if task not in deaf and _is_unseen(task)), None)
        for task in self._failed:
            task.exception()  # seen now
        if deaf:
            raise StrangeEndError("a task that it started went on although it was cancelled")
        if lost is not None:
            error = lost.exception()
            assert error is not None
            what = "task that it started" if isinstance(lost, asyncio.Task) else "future that it made"
            raise StrangeEndError(f"a {what} failed, and nobody looked: {shown(error)}") from error
        return len(left)


async def end_tasks(tasks: Sequence[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Cancel tasks and wait for their ends; returns those that were deaf to it, whose coroutines were then closed.

    One that is left alone would keep the process from its end, and go on beside whatever comes next.
    """
    for task in tasks:
        task.cancel()
    if not tasks:
        return set()
    _, deaf = await asyncio.wait(tasks, timeout=_ENDS_WITHIN_S)
    for task in deaf:
        work = task.get_coro()
        with contextlib.suppress(BaseException):
            assert isinstance(work, Coroutine)
            work.close()
        task.cancel()
    if deaf:
        await asyncio.wait(deaf, timeout=_ENDS_WITHIN_S)
    await asyncio.sleep(0)  # what is called when they end comes first
    return deaf


def _is_unseen(task: asyncio.Future[Any]) -> bool:
    """Whether a task or future has failed and nobody has asked for its error yet."""
    return bool(task._log_traceback)


@contextmanager
def ours() -> Iterator[None]:
    """Within the block the harness's own code runs on behalf of foreign code: tasks it starts are not theirs."""
    token = _children.set(None)
    try:
        yield
    finally:
        _children.reset(token)


async def contained(work: Callable[[], Awaitable[object]], children: Children) -> None:
    """Await foreign code. Raises nothing but Exception, or CancelledError when this task itself was cancelled."""
    _children.set(children)
    try:
        returned = await work()
    except asyncio.CancelledError:
        raise
    except Exception:
        raise
    except BaseException as error:
        raise StrangeEndError(f"it ended with {shown(error)}: nothing in a run ends the process") from error
    if returned is not None:
        raise StrangeEndError(
            f"it returned {_value(returned)}: a step returns nothing, it measures or raises StepFailedError"
        )


def _value(returned: object) -> str:
    try:
        text = repr(returned)
    except Exception:
        text = f"a {type(returned).__name__}"
    return utf8(text[:60])


class Border:
    """Stands around a run: nothing that runs in its loop ends the process, or is lost without a word.

    `report(what, error)` hears of what came to it.
    """

    def __init__(self, report: Callable[[str, BaseException], None]) -> None:
        self._report = report
        self._made: WeakSet[asyncio.Future[Any]] = WeakSet()
        """The tasks of the run, and the futures that code of others made: one that somebody keeps tells nobody."""

    def look_back(self) -> None:
        """Tell of what has failed in the run so far, and nobody looked at, though it is kept somewhere."""
        for made in [each for each in self._made if each.done() and not each.cancelled() and _is_unseen(each)]:
            error = made.exception()
            if error is not None:
                self._report("something in the background failed, and nobody looked", error)

    @contextmanager
    def around(self) -> Iterator[None]:
        """Stand for as long as the block lasts, in the running loop."""
        loop = asyncio.get_running_loop()
        before = loop.get_exception_handler(), loop.get_task_factory()
        of_threads, threading.excepthook = threading.excepthook, partial(self._lost_in_thread, loop)
        loop.set_exception_handler(self._lost)
        loop.set_task_factory(self._new_task)
        if isinstance(loop, HarnessLoop):
            loop.on_exit, loop.on_future = self._exit, self._new_future
        try:
            yield
        finally:
            if isinstance(loop, HarnessLoop):
                loop.on_exit = loop.on_future = None
            threading.excepthook = of_threads
            loop.set_task_factory(before[1])
            loop.set_exception_handler(before[0])

    def _exit(self, error: BaseException) -> None:
        self._report("something in the background wanted to end the process", error)

    def _lost(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if error is None:
            loop.default_exception_handler(context)
            return
        self._report("something in the background failed, and nobody looked", error)

    def _lost_in_thread(self, loop: asyncio.AbstractEventLoop, ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None and ended.exc_type is not SystemExit:  # which ends a thread, and nothing else
            loop.call_soon_threadsafe(
                self._report, "a thread in the background failed, and nobody looked", ended.exc_value
            )

    def _new_task(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
        self._made.add(task)
        children = _children.get()
        if children is not None:
            children.add(task)
        return task

    def _new_future(self, future: asyncio.Future[Any]) -> None:
        """A future that code of others makes in a step; what asyncio makes for itself, it looks at itself."""
        children = _children.get()
        if children is not None and sys._getframe(2).f_globals.get("__name__", "").partition(".")[0] not in _OWN:
            self._made.add(future)
            children.look_at(future)
