"""A border around code of other packages: whatever it does, what it was asked for has failed, and nothing else."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.errors import HarnessError
from harness.in_words import shown

Failed = Callable[[str], HarnessError]
"""Makes the error that stands for what happened, from what happened in words."""


@contextmanager
def third_party(failed: Failed, *meant: type[BaseException]) -> Iterator[None]:
    """The block runs such code: what it raises besides errors of ours, and those that are `meant`, is `failed`.

    `sys.exit` is no exception to that; a cancellation that somebody has asked this task for is one.
    """
    known: tuple[type[BaseException], ...] = (HarnessError, *meant)
    try:
        yield
    except known:
        raise
    except BaseException as error:
        if isinstance(error, asyncio.CancelledError) and _is_cancelled():
            raise
        raise failed(shown(error)) from error


def bordered(call: Callable[..., Any], failed: Failed, *meant: type[BaseException]) -> Callable[..., Any]:
    """The same function behind such a border, and so is what it gives where that is to be awaited."""

    def at_once(*given: Any, **named: Any) -> Any:
        with third_party(failed, *meant):
            result = call(*given, **named)
        return later(result) if inspect.isawaitable(result) else result

    async def later(result: Any) -> Any:
        with third_party(failed, *meant):
            return await result

    return at_once


def _is_cancelled() -> bool:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return False
    return task is not None and task.cancelling() > 0
